/* What is old goes, in small pieces; what is evidence stays, and nobody waits long. */
#include "server/store/retention.h"

#include <sys/stat.h>

#include "server/base/clock.h"
#include "server/limits.h"
#include "server/store/outbox.h"
#include "server/store/step.h"
#include "server/store/withdrawal.h"
#include "tests/server/store/fixture.h"

#define ALL_DAY (24 * 60 * 60 * 1000)
#define COUNT(db, rows) fixture_int(db, "SELECT count(*) FROM " rows)

/* Remove what is older than `before_ms`, of every kind, in one go. */
static struct retention_result
sweep(struct db *db, int64_t before_ms)
{
    struct retention retention = {.budget_ms = ALL_DAY};
    struct retention_result result = {0};
    struct err err;

    for (int kind = 0; kind < RETENTION_KINDS; kind++)
        retention.before_ms[kind] = before_ms;
    CHECK_OK(retention_remove(db, &retention, &result, &err), err);
    CHECK(!result.more);
    return result;
}

static int64_t
insert(struct db *db, const char *delivery_id, int64_t received_ms, struct bytes body)
{
    const struct delivery_new delivery = {.platform = "github",
                                          .delivery_id = delivery_id,
                                          .event = "issues",
                                          .received_ms = received_ms,
                                          .memory = body,
                                          .spool_fd = -1};
    struct err err;
    int64_t id = 0;

    CHECK_OK(delivery_insert(db, &delivery, &id, &err), err);
    return id;
}

static void
finish(struct db *db, int64_t delivery, int64_t task)
{
    struct err err;

    CHECK_OK(delivery_finish(db, delivery, DELIVERY_DONE, NULL, task, &err), err);
}

TEST(payloads_go_first_and_ids_later)
{
    struct fixture f;
    struct strbuf body = STRBUF_INIT(100);
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t old = insert(f.db, "old", 100, bytes_of_str("old body"));
    const int64_t waiting = insert(f.db, "waiting", 100, bytes_of_str("waiting body"));
    const int64_t empty = insert(f.db, "empty", 100, bytes_of_str(""));
    const int64_t young = insert(f.db, "young", 200, bytes_of_str("young body"));
    finish(f.db, old, task);
    finish(f.db, empty, 0);
    finish(f.db, young, 0);

    struct retention payloads = {.before_ms = {[RETENTION_PAYLOADS] = 200}, .budget_ms = ALL_DAY};
    struct retention_result result;
    CHECK_OK(retention_remove(f.db, &payloads, &result, &err), err);
    CHECK_INT(result.removed[RETENTION_PAYLOADS], 2);
    CHECK_INT(result.removed[RETENTION_IDS], 0);
    CHECK_INT(delivery_body(f.db, old, &body, &err), ERR_NOTFOUND);
    CHECK_INT(delivery_body(f.db, empty, &body, &err), ERR_NOTFOUND);
    CHECK_OK(delivery_body(f.db, waiting, &body, &err), err); /* it is still to be handled */
    CHECK_OK(delivery_body(f.db, young, &body, &err), err);
    CHECK_STR(strbuf_str(&body), "waiting bodyyoung body");
    CHECK_INT(COUNT(f.db, "delivery"), 4);
    struct insertion again = {.delivery_id = "old", .body = "again"};
    CHECK_INT(fixture_insert(f.db, &again, &err), ERR_CONFLICT);
    CHECK_INT(delivery_reopen(f.db, old, 300, &err), ERR_NOTFOUND);

    result = sweep(f.db, 200);
    CHECK_INT(result.removed[RETENTION_PAYLOADS], 0);
    CHECK_INT(result.removed[RETENTION_IDS], 2);
    CHECK_INT(COUNT(f.db, "delivery"), 2);
    CHECK_INT(COUNT(f.db, "task"), 1);
    CHECK_OK(fixture_insert(f.db, &again, &err), err); /* forgotten */
    CHECK(again.id > young);
    strbuf_done(&body);
    fixture_done(&f);
}

/* One that is handled again by hand counts as received then. */
TEST(what_is_handled_again_is_kept_anew)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = insert(f.db, "a", 100, bytes_of_str("body"));
    finish(f.db, id, 0);
    CHECK_OK(delivery_reopen(f.db, id, 500, &err), err);
    CHECK_INT(sweep(f.db, 1000).removed[RETENTION_PAYLOADS], 0);
    finish(f.db, id, 0);
    CHECK_INT(sweep(f.db, 500).removed[RETENTION_PAYLOADS], 0);
    CHECK_INT(sweep(f.db, 501).removed[RETENTION_PAYLOADS], 1);
    fixture_done(&f);
}

/* A large one goes piece by piece, over several batches; it is gone from the first on. */
TEST(a_payload_in_many_chunks_goes_in_many_batches)
{
    enum { CHUNKS = 5 };
    const struct retention one_piece = {.before_ms = {[RETENTION_PAYLOADS] = 1000}, .budget_ms = 0};
    const size_t len = CHUNKS * LIMIT_BODY_CHUNK_BYTES - 1;
    struct fixture f;
    struct strbuf body = STRBUF_INIT(LIMIT_BODY_BYTES);
    struct retention_result result;
    struct err err;

    fixture_begin(&f);
    char *large = calloc(len, 1);
    CHECK(large);
    const int64_t id = insert(f.db, "large", 1, bytes_of(large, len));
    finish(f.db, id, 0);
    for (int left = CHUNKS - 1; left >= 0; left--) {
        CHECK_OK(retention_remove(f.db, &one_piece, &result, &err), err);
        CHECK(result.more);
        CHECK_INT(result.removed[RETENTION_PAYLOADS], left == 0);
        CHECK_INT(COUNT(f.db, "delivery_body"), left);
        CHECK_INT(delivery_body(f.db, id, &body, &err), ERR_NOTFOUND);
        CHECK_INT(delivery_reopen(f.db, id, 5000, &err), ERR_NOTFOUND);
    }
    CHECK_OK(retention_remove(f.db, &one_piece, &result, &err), err);
    CHECK(!result.more);
    strbuf_done(&body);
    free(large);
    fixture_done(&f);
}

/* A step of the run that printed twice. */
static int64_t
print_twice(struct db *db, int64_t run, int64_t started_ms)
{
    char name[] = "test";
    const struct step step = {.run = run, .name = name, .command = name, .started_ms = started_ms};
    struct err err;
    int64_t id = 0;

    CHECK_OK(step_insert(db, &step, &id, &err), err);
    CHECK_OK(step_append(db, id, bytes_of_str("one "), &err), err);
    CHECK_OK(step_append(db, id, bytes_of_str("two"), &err), err);
    CHECK_OK(step_finish(db, id, STEP_EXITED, 1, 10, 0, &err), err);
    return id;
}

TEST(outputs_of_ended_runs_go_and_results_stay)
{
    const struct check_execution execution = {.status = CHECK_FAILED, .exit_status = 1};
    struct fixture f;
    AUTO(step_free) struct step *step = NULL;
    struct check_result_list checks = {0};
    struct strbuf output = STRBUF_INIT(100);
    struct err err;

    fixture_begin(&f);
    const int64_t ended = fixture_run(f.db, fixture_task(f.db, "ended"));
    const int64_t live = fixture_run(f.db, fixture_task(f.db, "live"));
    const int64_t old = print_twice(f.db, ended, 100);
    const int64_t young = print_twice(f.db, ended, 200);
    const int64_t running = print_twice(f.db, live, 100);
    struct check_execution with_step = execution;
    with_step.step = old;
    CHECK_OK(check_record(f.db, ended, "test", "make", PHASE_PROOF, &with_step, &err), err);
    CHECK_OK(db_exec(f.db, "UPDATE run SET state = 2 WHERE id = 1", &err), err);

    CHECK_INT(sweep(f.db, 200).removed[RETENTION_OUTPUTS], 1);
    CHECK_OK(step_read(f.db, old, 0, 100, &output, &err), err);
    CHECK_INT(output.len, 0);
    CHECK_OK(step_read(f.db, young, 0, 100, &output, &err), err);
    CHECK_OK(step_read(f.db, running, 0, 100, &output, &err), err);
    CHECK_STR(strbuf_str(&output), "one twoone two");
    CHECK_OK(step_get(f.db, old, &step, &err), err);
    CHECK(step->output_removed);
    CHECK_INT(step->output_bytes, 7);
    CHECK_INT(step->status, 1);
    CHECK_OK(check_list(f.db, ended, &checks, &err), err);
    CHECK_INT(checks.items[0].phases[PHASE_PROOF].status, CHECK_FAILED);
    check_result_list_done(&checks);
    CHECK_INT(sweep(f.db, 200).removed[RETENTION_OUTPUTS], 0);
    strbuf_done(&output);
    fixture_done(&f);
}

TEST(messages_baselines_and_withdrawals_go)
{
    const struct check_execution execution = {.status = CHECK_PASSED};
    struct fixture f;
    struct check_execution kept;
    struct err err;

    fixture_begin(&f);
    CHECK_OK(db_exec(f.db,
                     "INSERT INTO outbox (platform, thread, kind, body, state, created_ms) VALUES"
                     " ('p', 't', 2, 'pending', 0, 1), ('p', 't', 2, 'sent', 1, 1),"
                     " ('p', 't', 2, 'failed', 2, 1), ('p', 't', 2, 'young', 1, 2)",
                     &err),
             err);
    CHECK_OK(baseline_put(f.db, "k", "old", &execution, 1, &err), err);
    CHECK_OK(baseline_put(f.db, "k", "young", &execution, 2, &err), err);
    CHECK_OK(withdrawal_note(f.db, "old", 9, NULL, 1, &err), err);
    CHECK_OK(withdrawal_note(f.db, "young", 1, NULL, 2, &err), err);
    const struct retention_result result = sweep(f.db, 2);
    CHECK_INT(result.removed[RETENTION_MESSAGES], 1);
    CHECK_INT(COUNT(f.db, "outbox WHERE body = 'sent'"), 0);
    CHECK_INT(COUNT(f.db, "outbox"), 3);
    CHECK_INT(result.removed[RETENTION_BASELINES], 1);
    CHECK_INT(baseline_get(f.db, "k", "old", &kept, &err), ERR_NOTFOUND);
    CHECK_OK(baseline_get(f.db, "k", "young", &kept, &err), err);
    CHECK_INT(result.removed[RETENTION_WITHDRAWALS], 1);
    CHECK_INT(COUNT(f.db, "withdrawal WHERE origin = 'young'"), 1);
    fixture_done(&f);
}

/* ---- many ---- */

enum { MANY = 20000 };

static int
insert_many(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    int code = db_exec(db,
                       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"
                       " 20000) INSERT INTO delivery (platform, delivery_id, event, received_ms,"
                       " state, body_bytes) SELECT 'p', hex(randomblob(18)), 'e', i, 1, 12000"
                       " FROM n",
                       err);
    if (!code)
        code = db_exec(db, "INSERT INTO delivery_body SELECT id, 0, zeroblob(12000) FROM delivery",
                       err);
    return code;
}

struct batch {
    struct retention_result result;
};

static int
remove_batch(struct db *db, void *ctx, struct err *err)
{
    const struct retention retention = {
        .before_ms = {[RETENTION_PAYLOADS] = MANY + 1, [RETENTION_IDS] = MANY + 1}, .budget_ms = 4};
    struct batch *batch = ctx;

    return retention_remove(db, &retention, &batch->result, err);
}

static int64_t
file_bytes(const char *path)
{
    struct stat facts;

    CHECK_INT(stat(path, &facts), 0);
    return facts.st_size;
}

/* Who writes meanwhile waits for one batch at most; the freed pages are used again. */
TEST(others_write_while_many_are_removed)
{
    struct fixture f;
    struct store *store = NULL;
    struct batch batch = {.result.more = true};
    struct err err;
    int batches = 0;
    int64_t longest_ms = 0;

    fixture_make_dir(&f);
    CHECK_OK(store_open(f.path, &store, &err), err);
    CHECK_OK(store_transact(store, insert_many, NULL, &err), err);
    while (batch.result.more) {
        const int64_t begin_ms = clock_mono_ms();
        CHECK_OK(store_transact(store, remove_batch, &batch, &err), err);
        const int64_t took_ms = clock_mono_ms() - begin_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        batches++;
    }
    printf("# %d deliveries in %d batches, the longest of %lld ms with its flush\n", MANY, batches,
           (long long)longest_ms);
    CHECK(batches > 20);
    int64_t left = -1;
    CHECK_OK(store_read(store, fixture_count, &left, &err), err);
    CHECK_INT(left, 0);
    store_close(store);
    const int64_t before = file_bytes(f.path);
    CHECK_OK(store_open(f.path, &store, &err), err);
    CHECK_OK(store_transact(store, insert_many, NULL, &err), err);
    store_close(store);
    printf("# the file: %lld KiB, and %lld KiB after as many again\n", (long long)before / 1024,
           (long long)file_bytes(f.path) / 1024);
    CHECK(file_bytes(f.path) < before + before / 10);
    fixture_done(&f);
}

TEST_MAIN()
