/* The store stays fast when it is full: no statement looks at rows that it does not need.
 *
 * Every typed operation is called once; then the plan of every statement that the connection
 * prepared is read (https://www.sqlite.org/eqp.html). A SCAN is allowed where it is over an index
 * of what is live, or ends at a LIMIT. */
#include <sqlite3.h>

#include "server/base/clock.h"
#include "server/store/draft.h"
#include "server/store/outbox.h"
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "server/store/repository.h"
#include "server/store/retention.h"
#include "server/store/step.h"
#include "server/store/withdrawal.h"
#include "tests/server/store/fixture.h"

static void
use_deliveries(struct db *db, int64_t task)
{
    struct insertion insertion = {.delivery_id = "a", .body = "{}"};
    struct strbuf body = STRBUF_INIT(100);
    struct delivery_list list = {0};
    struct delivery *delivery = NULL;
    struct err err;
    bool blocked;
    int64_t seen_ms;

    CHECK_OK(fixture_insert(db, &insertion, &err), err);
    CHECK_OK(delivery_next(db, 1, &delivery, &err), err);
    delivery_free(delivery);
    CHECK_OK(delivery_get(db, insertion.id, &delivery, &err), err);
    delivery_free(delivery);
    CHECK_OK(delivery_find(db, "a", &delivery, &err), err);
    delivery_free(delivery);
    CHECK_OK(delivery_body(db, insertion.id, &body, &err), err);
    strbuf_done(&body);
    CHECK_OK(delivery_is_blocked(db, insertion.id, "k", &blocked, &err), err);
    CHECK_OK(delivery_defer(db, insertion.id, "k", "x", 5, &err), err);
    CHECK_OK(delivery_finish(db, insertion.id, DELIVERY_DONE, NULL, task, &err), err);
    CHECK_OK(delivery_list(db, 10, &list, &err), err);
    delivery_list_done(&list);
    CHECK_OK(delivery_mark_set(db, "github", "app", 1, &err), err);
    CHECK_OK(delivery_mark_get(db, "github", "app", &seen_ms, &err), err);
}

static void
use_names(struct db *db)
{
    const struct repository_name told = {.platform = "github", .id = 7, .name = "acme/api"};
    char *former = NULL;
    struct err err;

    CHECK_OK(repository_keep_name(db, &told, &former, &err), err);
    CHECK(!former);
}

static void
use_past_drafts(struct db *db, int64_t task)
{
    struct past_draft_list list = {0};
    struct past_draft *past = NULL;
    struct err err;

    CHECK_OK(past_draft_latest(db, task, &past, &err), err);
    CHECK_OK(past_draft_set_state(db, past->id, DRAFT_MERGED, 1, &err), err);
    past_draft_free(past);
    CHECK_OK(past_draft_find(db, "github", "acme/api", 1, &past, &err), err);
    past_draft_free(past);
    CHECK_OK(past_draft_list(db, task, &list, &err), err);
    past_draft_list_done(&list);
}

static void
use_tasks(struct db *db, int64_t id)
{
    struct task_list list = {0};
    struct task *task = NULL;
    struct err err;

    CHECK_OK(task_get(db, id, &task, &err), err);
    task_free(task);
    CHECK_OK(task_find(db, "o", &task, &err), err);
    CHECK_OK(task_set_state(db, id, TASK_FAILED, NULL, 1, &err), err);
    CHECK_OK(task_set_state(db, id, TASK_QUEUED, NULL, 1, &err), err);
    CHECK_OK(task_set_request(db, id, "", "", "", 1, &err), err);
    CHECK_OK(task_set_branch(db, id, "", "", &err), err);
    CHECK_OK(task_set_draft(db, id, 1, "", 1000, &err), err);
    CHECK_OK(task_set_status_ref(db, id, "", &err), err);
    struct task *found = NULL;
    CHECK_OK(task_find_draft(db, "github", "acme/api", 1, &found, &err), err);
    task_free(found);
    CHECK_OK(task_find_branch(db, "github", "acme/api", "", &found, &err), err);
    task_free(found);
    CHECK_OK(task_set_draft_state(db, id, DRAFT_CLOSED, 1, &err), err);
    CHECK_OK(task_set_draft_seen(db, id, true, "", &err), err);
    CHECK_OK(task_list_open_drafts(db, 9, 10, &list, &err), err);
    task_list_done(&list);
    CHECK_OK(task_set_follow_ci(db, id, true, &err), err);
    CHECK_OK(task_leave_draft(db, id, &err), err);
    use_past_drafts(db, id);
    CHECK_OK(task_list(db, false, 10, &list, &err), err);
    task_list_done(&list);
    CHECK_OK(task_list(db, true, 10, &list, &err), err);
    task_list_done(&list);
    const struct draft draft = {.number = id,
                                .repository = task->repository,
                                .branch = task->origin,
                                .base_branch = task->origin,
                                .head_commit = task->origin,
                                .title = task->title,
                                .body = task->text};
    struct draft *got = NULL;
    CHECK_OK(draft_put(db, &draft, 1, &err), err);
    CHECK_OK(draft_get(db, id, &got, &err), err);
    draft_free(got);
    task_free(task);
}

static void
use_runs(struct db *db, int64_t task)
{
    struct run_list list = {0};
    struct run *run = NULL;
    struct err err;
    int64_t ids[2];
    size_t count;
    bool ended;
    bool told;

    CHECK_OK(run_latest(db, task, &run, &err), err);
    run_free(run);
    CHECK_OK(run_heard(db, task, "r", &told, &err), err);
    CHECK_OK(run_find(db, task, 1, &run, &err), err);
    run_free(run);
    CHECK_OK(run_list(db, task, &list, &err), err);
    run_list_done(&list);
    CHECK_OK(run_claim(db, &(struct run_claim){.owner = "w", .now_ms = 1, .lease_until_ms = 2},
                       &run, &err),
             err);
    struct run_lease lease = {.run = run->id, .number = run->lease_number};
    run_free(run);
    CHECK_OK(run_get(db, lease.run, &run, &err), err);
    run_free(run);
    CHECK_OK(run_check_lease(db, lease, &err), err);
    CHECK_OK(run_renew(db, "w", &lease.run, 1, 3, &err), err);
    CHECK_OK(run_set_stage(db, lease, STAGE_AGENT, 1, &err), err);
    CHECK_OK(run_set_base(db, lease, "a", "s", &err), err);
    CHECK_OK(run_set_head(db, lease, "b", NULL, NULL, &err), err);
    CHECK_OK(run_set_verdict(db, lease, VERDICT_VERIFIED, &err), err);
    CHECK_OK(run_rewind(db, lease, &err), err);
    CHECK_OK(run_set_rival(db, lease, "u", &err), err);
    CHECK_OK(run_told_of_rival(db, task, &told, &err), err);
    CHECK_OK(run_request_cancel(db, task, &(struct run_cancel){.who = "x"}, 1, &ended, &err), err);
    CHECK_OK(run_list_canceled(db, "w", ids, 2, &count, &err), err);
    CHECK_OK(run_give_back(db, lease, &(struct run_return){.waiting_since_ms = 1}, 1, &err), err);
    CHECK_OK(run_release_all(db, "w", &err), err);
    CHECK_INT(run_finish(db, lease, OUTCOME_DRAFT, NULL, 1, &err), ERR_CONFLICT);
    CHECK_OK(run_request_cancel(db, task, &(struct run_cancel){.who = "x"}, 1, &ended, &err), err);
    CHECK_OK(run_cancel_all(db, "x", 1, &err), err);
}

static void
use_steps(struct db *db, int64_t run, char *name)
{
    const struct step step = {.run = run, .name = name, .command = name};
    const struct check_execution execution = {.status = CHECK_PASSED};
    struct check_execution kept;
    struct check_result_list results = {0};
    struct strbuf output = STRBUF_INIT(100);
    struct step_list list = {0};
    struct step *got = NULL;
    struct err err;
    int64_t id = 0;

    CHECK_OK(step_insert(db, &step, &id, &err), err);
    CHECK_OK(step_append(db, id, bytes_of_str("x"), &err), err);
    CHECK_OK(step_finish(db, id, STEP_EXITED, 0, 0, 0, &err), err);
    CHECK_OK(step_get(db, id, &got, &err), err);
    step_free(got);
    CHECK_OK(step_list(db, run, &list, &err), err);
    step_list_done(&list);
    CHECK_OK(step_read(db, id, 0, 10, &output, &err), err);
    CHECK_OK(step_read_tail(db, id, 10, &output, &err), err);
    strbuf_done(&output);
    CHECK_OK(check_record(db, run, name, name, PHASE_AFTER, &execution, &err), err);
    CHECK_OK(check_set_verdict(db, run, name, CHECK_VERDICT_PASSED, &err), err);
    CHECK_OK(check_list(db, run, &results, &err), err);
    check_result_list_done(&results);
    CHECK_OK(check_remove(db, run, &err), err);
    CHECK_OK(baseline_put(db, "k", name, &execution, 1, &err), err);
    CHECK_OK(baseline_get(db, "k", name, &kept, &err), err);
}

static void
use_remarks(struct db *db, int64_t task, int64_t run, const char *text)
{
    const struct remark remark = {
        .task = task, .ref = borrowed(text), .actor = borrowed(text), .text = borrowed(text)};
    struct remark_list list = {0};
    struct err err;
    size_t count;
    int64_t id;

    CHECK_OK(remark_insert(db, &remark, 1, &id, &err), err);
    CHECK_OK(remark_take(db, task, run, 1, &count, &err), err);
    CHECK_OK(remark_set_answer(db, id, "x", &err), err);
    CHECK_OK(remark_list_of_run(db, run, &list, &err), err);
    remark_list_done(&list);
    CHECK_OK(remark_list_of_task(db, task, &list, &err), err);
    remark_list_done(&list);
    CHECK_OK(remark_give_again(db, run, &err), err);
    CHECK_OK(remark_reopen(db, run, &err), err);
    CHECK_OK(remark_take_back(db, task, run, 9, &err), err);
    CHECK_OK(remark_count_kind(db, task, 0, REMARK_CI, &count, &err), err);
}

static void
use_outbox(struct db *db, int64_t task)
{
    const enum outbox_kind kinds[] = {OUTBOX_STATUS, OUTBOX_REACTION, OUTBOX_COMMENT};
    struct outbox_list list = {0};
    size_t comments;
    struct err err;

    CHECK_OK(outbox_count_comments(db, task, "t", 1, &comments, &err), err);
    for (size_t i = 0; i < 3; i++) {
        const struct outbox_new message = {
            .platform = "p", .thread = "t", .kind = kinds[i], .task = task, .body = "b"};
        struct outbox_message *got = NULL;
        CHECK_OK(outbox_put(db, &message, 1, &err), err);
        CHECK_OK(outbox_next(db, 1, &got, &err), err);
        CHECK_OK(outbox_retry(db, got->id, "x", 1, &err), err);
        CHECK_OK(outbox_sent(db, got->id, "other", &err), err);
        outbox_message_free(TAKE(got));
        CHECK_OK(outbox_next(db, 1, &got, &err), err); /* the one that took its place */
        if (kinds[i] == OUTBOX_COMMENT)
            CHECK_OK(outbox_sent(db, got->id, got->body, &err), err);
        else
            CHECK_OK(outbox_fail(db, got->id, got->body, "x", &err), err);
        outbox_message_free(got);
    }
    CHECK_OK(outbox_list(db, task, &list, &err), err);
    outbox_list_done(&list);
}

static void
use_retention(struct db *db)
{
    struct retention_result result;
    int64_t withdrawn_ms;
    struct err err;

    CHECK_OK(withdrawal_note(db, "o", 1, NULL, 1, &err), err);
    CHECK_OK(withdrawal_last(db, "o", &withdrawn_ms, &err), err);
    CHECK_OK(retention_remove(
                 db, &(struct retention){.before_ms = {9, 9, 9, 9, 9, 9}, .budget_ms = MS_PER_MINUTE},
                 &result, &err),
             err);
    for (int kind = 0; kind < RETENTION_KINDS; kind++)
        CHECK(result.removed[kind] > 0);
}

static void
use_everything(struct fixture *f)
{
    char name[] = "test";

    const int64_t task = fixture_task(f->db, "o");
    const int64_t run = fixture_run(f->db, task);
    use_deliveries(f->db, task);
    use_names(f->db);
    use_tasks(f->db, task);
    use_runs(f->db, task);
    use_steps(f->db, run, name);
    use_remarks(f->db, task, run, name);
    use_outbox(f->db, task);
    use_retention(f->db);
}

/* Lists end at their LIMIT; indexes of what is live are as short as that is. */
static bool
is_allowed_scan(const char *sql, const char *detail)
{
    static const char *const live[] = {"INDEX run_leased",   "INDEX run_queued", "INDEX run_live",
                                       "INDEX delivery_due", "INDEX outbox_due", "INDEX task_live",
                                       "INDEX outbox_thread"};

    /* A few rows that the statement itself made. */
    static const char *const own[] = {"due", "claimable", "fresh", "CONSTANT ROW"};

    if (strstr(sql, "ORDER BY id DESC LIMIT"))
        return true;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (str_equal(strchr(detail, ' ') + 1, own[i]))
            return true;
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
        if (strstr(detail, live[i]))
            return true;
    return false;
}

static int
check_plan(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *plan = NULL;
    int bad = 0;

    char *explain = str_printf("EXPLAIN QUERY PLAN %s", sql);
    CHECK_INT(sqlite3_prepare_v2(handle, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        /* SEARCH alone is a walk in the order of ids up to the first that fits: no better. */
        const bool walks = str_starts_with(detail, "SEARCH") && !strstr(detail, " USING ");
        const bool scans =
            (walks || str_starts_with(detail, "SCAN")) && !is_allowed_scan(sql, detail);
        const bool sorts =
            strstr(detail, "USE TEMP B-TREE") && !strstr(sql, "FROM check_result"); /* a few rows */
        if (!scans && !sorts)
            continue;
        printf("# %s: %s\n", detail, sql);
        bad++;
    }
    sqlite3_finalize(plan);
    free(explain);
    return bad;
}

TEST(every_statement_uses_an_index)
{
    struct fixture f;
    int statements = 0;
    int bad = 0;

    fixture_begin(&f);
    use_everything(&f);
    sqlite3 *handle = f.sqlite->handle;
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(handle, NULL); stmt;
         stmt = sqlite3_next_stmt(handle, stmt)) {
        const char *sql = sqlite3_sql(stmt);
        if (str_starts_with(sql, "BEGIN") || str_starts_with(sql, "EXPLAIN"))
            continue;
        bad += check_plan(handle, sql);
        statements++;
    }
    printf("# %d statements\n", statements);
    CHECK(statements > 60);
    CHECK_INT(bad, 0);
    fixture_done(&f);
}

/* The work of SQLite's machine for all statements since the last call. */
static int
count_work(sqlite3 *handle)
{
    int work = 0;

    for (sqlite3_stmt *stmt = sqlite3_next_stmt(handle, NULL); stmt;
         stmt = sqlite3_next_stmt(handle, stmt))
        work += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    return work;
}

#define NUMBERS(count)                                                                             \
    "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < " #count ") "

static void
fill(struct db *db)
{
    struct err err;

    CHECK_OK(
        db_exec(
            db,
            NUMBERS(
                300000) "INSERT INTO delivery (platform, delivery_id, event, received_ms,"
                        " state, body_bytes) SELECT 'p', 'id-' || i, 'e', i, 1, 0 FROM n;" NUMBERS(
                            300000) "INSERT INTO task (platform, origin, thread, repository, "
                                    "number,"
                                    " title, text, requested_by, state, created_ms, updated_ms)"
                                    " SELECT 'p', 'origin-' || i, 't', 'r', i, '', '', '', 5, 1, 1"
                                    " FROM n;"
                                    "INSERT INTO run (task, number, trigger_kind, trigger_actor, "
                                    "trigger_ms, state,"
                                    " created_ms) SELECT id, 1, 'k', 'a', 1, 2, 1 FROM task;"
                                    "INSERT INTO outbox (platform, thread, kind, task, body, "
                                    "state, created_ms)"
                                    " SELECT 'p', origin, 0, id, '', 1, 1 FROM task;"
            /* What is put off for later must not be looked at over and over, either. */
            NUMBERS(2000) "INSERT INTO delivery (platform, delivery_id, event, received_ms,"
                          " next_ms, body_bytes) SELECT 'p', 'put-off-' || i, 'e', i, 1000000,"
                          " 0 FROM n;" NUMBERS(
                              2000) "INSERT INTO outbox (platform, thread, kind, body, next_ms,"
                                    " created_ms) SELECT 'p', 'put-off-' || i, 2, '', 1000000, 1 "
                                    "FROM n;",
            &err),
        err);
}

TEST(asking_for_work_costs_the_same_in_a_large_store)
{
    struct fixture f;
    struct err err;
    struct delivery *delivery = NULL;
    struct run *run = NULL;
    struct outbox_message *message = NULL;

    fixture_begin(&f);
    fill(f.db);
    struct insertion insertion = {.delivery_id = "new", .body = "{}"};
    CHECK_OK(fixture_insert(f.db, &insertion, &err), err);
    const int64_t task = fixture_task(f.db, "new");
    (void)fixture_run(f.db, task);
    const struct outbox_new owed = {
        .platform = "p", .thread = "new", .kind = OUTBOX_STATUS, .task = task, .body = "b"};
    CHECK_OK(outbox_put(f.db, &owed, 1, &err), err);
    (void)count_work(f.sqlite->handle);

    CHECK_OK(delivery_next(f.db, 1000, &delivery, &err), err);
    CHECK_INT(delivery->id, insertion.id);
    const int delivery_work = count_work(f.sqlite->handle);
    CHECK_OK(run_claim(f.db,
                       &(struct run_claim){.owner = "w", .now_ms = 1000, .lease_until_ms = 2000},
                       &run, &err),
             err);
    CHECK_INT(run->task, task);
    const int run_work = count_work(f.sqlite->handle);
    CHECK_OK(outbox_next(f.db, 1000, &message, &err), err);
    CHECK_INT(message->task, task);
    const int outbox_work = count_work(f.sqlite->handle);
    printf("# steps of SQLite's machine: delivery_next %d, run_claim %d, outbox_next %d\n",
           delivery_work, run_work, outbox_work);
    CHECK(delivery_work > 0 && delivery_work < 500);
    CHECK(run_work > 0 && run_work < 1000);
    CHECK(outbox_work > 0 && outbox_work < 500);
    delivery_free(delivery);
    run_free(run);
    outbox_message_free(message);
    fixture_done(&f);
}

TEST_MAIN()
