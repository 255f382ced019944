/* The store itself: opening, transactions and their grouping, readers, copies. */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "tests/server/store/batch.h"
#include "tests/server/store/fixture.h"

static struct store *
open_store(const struct fixture *f)
{
    struct store *store = NULL;
    struct err err;

    CHECK_OK(store_open(f->path, &store, &err), err);
    return store;
}

static int64_t
count_deliveries(struct store *store)
{
    int64_t count = -1;
    struct err err;

    CHECK_OK(store_read(store, fixture_count, &count, &err), err);
    return count;
}

/* How many commits does the write-ahead log hold? Its format: a header of 32 bytes with the page
 * size at 8 and two salts at 16; each frame has a header of 24 bytes with the database size at 4,
 * not zero in the last frame of a commit, and the salts at 8
 * (https://www.sqlite.org/fileformat2.html#walformat). */
static int
count_commits(const struct fixture *f)
{
    struct strbuf log = STRBUF_INIT(64U << 20);
    struct err err;
    int commits = 0;

    char *path = str_printf("%s-wal", f->path);
    CHECK_OK(fs_read_file(path, &log, &err), err);
    free(path);
    const unsigned char *bytes = (const unsigned char *)log.ptr;
    const size_t page = (size_t)bytes[10] << 8 | bytes[11];
    for (size_t at = 32; at + 24 + page <= log.len; at += 24 + page)
        if (memcmp(bytes + at + 8, bytes + 16, 8) == 0 && memcmp(bytes + at + 4, "\0\0\0", 4) != 0)
            commits++;
    strbuf_done(&log);
    return commits;
}

static void
write_file(const char *path, const char *text)
{
    struct err err;

    CHECK_OK(fs_write_file(path, bytes_of_str(text), 0600, &err), err);
}

static void
run_sql(const char *path, const char *sql)
{
    sqlite3 *handle = NULL;

    CHECK_INT(sqlite3_open(path, &handle), SQLITE_OK);
    CHECK_INT(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

TEST(open_makes_a_private_file_and_opens_it_again)
{
    struct fixture f;
    struct stat facts;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    CHECK_INT(stat(f.path, &facts), 0);
    CHECK_INT(facts.st_mode & 0777, 0600);
    struct insertion insertion = {.delivery_id = "a", .body = "{}"};
    CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
    CHECK_OK(fixture_ping(store, &err), err);
    store_close(store);
    store_close(NULL);

    store = open_store(&f);
    CHECK_INT(count_deliveries(store), 1);
    store_close(store);
    fixture_done(&f);
}

TEST(the_writer_flushes_every_commit)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK_INT(fixture_int(f.db, "PRAGMA synchronous"), 2); /* FULL */
    CHECK_INT(fixture_int(f.db, "PRAGMA foreign_keys"), 1);
    CHECK_INT(fixture_int(f.db, "PRAGMA wal_autocheckpoint"), 0);
    CHECK_INT(fixture_int(f.db, "PRAGMA trusted_schema"), 0);
    CHECK_INT(fixture_int(f.db, "PRAGMA application_id"), 0x64726674);
    fixture_done(&f);
}

TEST(what_is_not_a_store_of_ours_is_refused_and_left_alone)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    fixture_make_dir(&f);
    write_file(f.path, "this is not a database, but a text that is long enough to have a header "
                       "of one hundred bytes, which is what SQLite looks at first\n");
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "not an SQLite database");
    CHECK_CONTAINS(err.msg, f.path);
    write_file(f.path, "short");
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);

    CHECK_INT(unlink(f.path), 0);
    run_sql(f.path, "CREATE TABLE other (x)");
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "another program");
    run_sql(f.path, "DROP TABLE other; PRAGMA application_id = 7");
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);
    CHECK(!store);
    fixture_done(&f);
}

TEST(a_newer_store_is_refused)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    fixture_make_dir(&f);
    store_close(open_store(&f));
    run_sql(f.path, "PRAGMA user_version = 1000");
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "written by a newer draftd");
    CHECK_CONTAINS(err.msg, "1000");
    CHECK(!store);
    fixture_done(&f);
}

static int
read_first_run(struct db *db, void *ctx, struct err *err)
{
    return run_get(db, 1, ctx, err);
}

/* A store as the first release wrote it, with a run in it. */
TEST(an_older_store_is_brought_up_to_date)
{
    struct fixture f;
    AUTO(run_free) struct run *run = NULL;
    struct err err;

    fixture_make_dir(&f);
    store_close(open_store(&f));
    run_sql(f.path, "DROP TABLE delivery_mark; DROP TABLE past_draft;"
                    "DROP INDEX task_draft_open; DROP INDEX run_rival;"
                    "ALTER TABLE task DROP COLUMN draft_conflicts;"
                    "ALTER TABLE task DROP COLUMN draft_seen;"
                    "ALTER TABLE run DROP COLUMN rival;"
                    "ALTER TABLE run DROP COLUMN trigger_ref;"
                    "DROP TABLE withdrawal; DROP TABLE remark; DROP INDEX task_draft; DROP INDEX task_branch;"
                    "ALTER TABLE task DROP COLUMN follow_ci;"
                    "ALTER TABLE task DROP COLUMN draft_ended_ms;"
                    "ALTER TABLE task DROP COLUMN draft_opened_ms;"
                    "ALTER TABLE task DROP COLUMN draft_state;"
                    "ALTER TABLE run DROP COLUMN branch;"
                    "ALTER TABLE run DROP COLUMN detail;"
                    "ALTER TABLE run DROP COLUMN settings_commit;"
                    "ALTER TABLE run DROP COLUMN instruction;"
                    "ALTER TABLE run DROP COLUMN cancel_ms;"
                    "DROP TABLE identity; DROP TABLE host_clock; DROP TABLE repository;"
                    "DROP INDEX delivery_body_old; DROP INDEX delivery_old;"
                    "DROP INDEX step_output_old; DROP INDEX outbox_sent_old;"
                    "DROP INDEX baseline_old;"
                    "ALTER TABLE delivery DROP COLUMN body_state;"
                    "ALTER TABLE delivery DROP COLUMN begun;"
                    "ALTER TABLE step DROP COLUMN output_state;"
                    "INSERT INTO task (platform, origin, thread, repository, number, title, text,"
                    " requested_by, created_ms, updated_ms)"
                    " VALUES ('local', 'o', 'o', 'a/b', 0, '', '', 'ann', 1, 1);"
                    "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms,"
                    " created_ms) VALUES (1, 1, 'label', 'ann', 1, 1);"
                    "PRAGMA user_version = 1");
    struct store *store = open_store(&f);
    CHECK_OK(store_read(store, read_first_run, &run, &err), err);
    CHECK_STR(run->trigger_actor, "ann");
    CHECK_INT(run->cancel_ms, 0);
    CHECK(!run->instruction && !run->settings_commit && !run->detail);
    store_close(store);
    fixture_done(&f);
}

TEST(open_failures_say_what_is_wrong)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    fixture_make_dir(&f);
    char *path = str_printf("%s/absent/store.db", f.dir);
    CHECK_INT(store_open(path, &store, &err), ERR_IO);
    CHECK_CONTAINS(err.msg, "No such file or directory");
    free(path);
    CHECK_INT(store_open(f.dir, &store, &err), ERR_IO); /* a directory */
    fixture_done(&f);
}

TEST(a_store_locked_by_another_process_is_unavailable)
{
    struct fixture f;
    struct err err;
    sqlite3 *other = NULL;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    CHECK_INT(sqlite3_open(f.path, &other), SQLITE_OK);
    CHECK_INT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    const int64_t begin_ms = clock_mono_ms();
    CHECK_INT(fixture_ping(store, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "another process keeps the store locked");
    CHECK(clock_mono_ms() - begin_ms >= SQLITE_BUSY_WAIT_MS - 500);
    CHECK_INT(count_deliveries(store), 0); /* readers are not held up */
    CHECK_INT(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    CHECK_OK(fixture_ping(store, &err), err);
    sqlite3_close(other);
    store_close(store);
    fixture_done(&f);
}

/* Insert, then fail. */
static int
insert_and_fail(struct db *db, void *ctx, struct err *err)
{
    const int code = fixture_insert(db, ctx, err);

    return code ? code : err_set(err, ERR_AUTH, "no");
}

TEST(a_failing_function_leaves_nothing)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    struct insertion insertion = {.delivery_id = "a", .body = "{}"};
    CHECK_INT(store_transact(store, insert_and_fail, &insertion, &err), ERR_AUTH);
    CHECK_STR(err.msg, "no");
    CHECK_INT(count_deliveries(store), 0);
    CHECK_INT(store_transact(store, insert_and_fail, &insertion, NULL), ERR_AUTH);
    CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
    CHECK_INT(store_transact(store, fixture_insert, &insertion, &err), ERR_CONFLICT);
    CHECK_INT(count_deliveries(store), 1);
    store_close(store);
    fixture_done(&f);
}

static int
fail_silently(struct db *db, void *ctx, struct err *err)
{
    (void)db;
    (void)ctx;
    (void)err;
    return ERR_REMOTE;
}

static int
leave_statement_open(struct db *db, void *ctx, struct err *err)
{
    struct db_stmt *stmt = NULL;
    bool row;

    (void)ctx;
    int code = db_prepare(db, "SELECT name FROM sqlite_schema", &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    return code;
}

static int
call_transact(struct db *db, void *ctx, struct err *err)
{
    struct store *store = *(struct store **)ctx;

    (void)db;
    return store_transact(store, fail_silently, NULL, err);
}

static int
write_wrong_sql(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return db_exec(db, "INSERT INTO nowhere VALUES (1)", err);
}

TEST(defects_of_store_functions_are_told_and_contained)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    CHECK_INT(store_transact(store, fail_silently, NULL, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "without saying why");
    CHECK_INT(store_transact(store, leave_statement_open, NULL, &err), ERR_INTERNAL);
    CHECK_CONTAINS(err.msg, "left a statement open");
    CHECK_INT(store_transact(store, call_transact, &store, &err), ERR_INTERNAL);
    CHECK_CONTAINS(err.msg, "waits for another store function");
    CHECK_INT(store_transact(store, write_wrong_sql, NULL, &err), ERR_INTERNAL);
    CHECK_CONTAINS(err.msg, "nowhere");
    struct insertion insertion = {.delivery_id = "a", .body = "{}"};
    CHECK_INT(store_read(store, fixture_insert, &insertion, &err), ERR_INTERNAL);
    CHECK_CONTAINS(err.msg, "tried to write");
    CHECK_OK(fixture_ping(store, &err), err);
    CHECK_INT(count_deliveries(store), 0);
    store_close(store);
    fixture_done(&f);
}

TEST(what_queues_up_during_one_commit_is_the_next_one)
{
    enum { COUNT = 100 };
    struct fixture f;
    struct gate gate;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(&f);
    const int before = count_commits(&f);
    struct submission *submissions = make_submissions(COUNT, &gate);
    for (size_t i = 0; i < COUNT; i += 10)
        submissions[i].job = insert_and_fail;
    queue_at_gate(store, &gate, submissions, COUNT);
    pass_gate(&gate, COUNT);

    CHECK_INT(count_commits(&f) - before, 1);
    CHECK_INT(count_deliveries(store), COUNT - COUNT / 10);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_INT(submissions[i].code, i % 10 ? 0 : ERR_AUTH); /* each answer is its own */
    free(submissions);
    store_close(store);
    fixture_done(&f);
}

TEST(a_long_queue_is_several_commits_in_its_order)
{
    enum { COUNT = 500 };
    struct fixture f;
    struct gate gate;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(&f);
    const int before = count_commits(&f);
    struct submission *submissions = make_submissions(COUNT, &gate);
    queue_at_gate(store, &gate, submissions, COUNT);
    pass_gate(&gate, COUNT);
    CHECK_INT(count_commits(&f) - before, 3);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_INT(submissions[i].insertion.id, i + 1);
    free(submissions);
    store_close(store);
    fixture_done(&f);
}

enum { CALLERS = 16, CALLS = 40 };

struct caller {
    struct store *store;
    int number;
    int failures;
};

static void *
call_many(void *argument)
{
    struct caller *caller = argument;
    char name[32];

    for (int i = 0; i < CALLS; i++) {
        struct insertion insertion = {.delivery_id = name, .body = "{}"};
        int64_t count = 0;
        (void)snprintf(name, sizeof(name), "%d-%d", caller->number, i);
        caller->failures += store_transact(caller->store, fixture_insert, &insertion, NULL) != 0;
        caller->failures += store_read(caller->store, fixture_count, &count, NULL) != 0;
        caller->failures += count < i + 1; /* a caller sees at least its own */
    }
    return NULL;
}

TEST(concurrent_callers_share_commits)
{
    struct fixture f;
    pthread_t threads[CALLERS];
    struct caller callers[CALLERS];

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    const int before = count_commits(&f);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.store = store, .number = i};
        CHECK_INT(pthread_create(&threads[i], NULL, call_many, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(callers[i].failures, 0);
    }
    CHECK_INT(count_deliveries(store), CALLERS * CALLS);
    const int commits = count_commits(&f) - before;
    printf("# %d calls in %d commits\n", CALLERS * CALLS, commits);
    CHECK(commits < CALLERS * CALLS);
    store_close(store);
    fixture_done(&f);
}

TEST(close_finishes_what_was_submitted)
{
    enum { COUNT = 500 };
    struct fixture f;
    struct gate gate;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(&f);
    struct submission *submissions = make_submissions(COUNT, &gate);
    for (size_t i = 0; i < COUNT; i++)
        store_submit(store, fixture_insert, submission_done, &submissions[i]);
    store_close(store);
    CHECK_INT(gate.done, COUNT);
    CHECK_INT(gate.failed, 0);
    free(submissions);

    store = open_store(&f);
    CHECK_INT(count_deliveries(store), COUNT);
    store_close(store);
    fixture_done(&f);
}

TEST(a_full_queue_answers_at_once)
{
    enum { COUNT = 5000 };
    struct fixture f;
    struct gate gate;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(&f);
    struct submission *submissions = make_submissions(COUNT, &gate);
    queue_at_gate(store, &gate, submissions, COUNT);
    const struct submission *last = &submissions[COUNT - 1];
    CHECK_INT(last->code, ERR_UNAVAILABLE);
    CHECK_CONTAINS(last->message, "too many changes wait for the store");
    pthread_mutex_lock(&gate.lock);
    const int refused = gate.done;
    pthread_mutex_unlock(&gate.lock);
    CHECK(refused > 0 && refused < COUNT);
    pass_gate(&gate, COUNT);
    CHECK_INT(gate.failed, refused);
    CHECK_INT(count_deliveries(store), COUNT - refused);
    free(submissions);
    store_close(store);
    fixture_done(&f);
}

/* A reader that looks twice with a commit in between. */
struct double_look {
    struct store *store;
    int64_t first;
    int64_t second;
};

static int
look_twice(struct db *db, void *ctx, struct err *err)
{
    struct double_look *look = ctx;
    struct insertion insertion = {.delivery_id = "between", .body = "{}"};

    int code = fixture_count(db, &look->first, err);
    if (!code)
        code = store_transact(look->store, fixture_insert, &insertion, err);
    if (!code)
        code = fixture_count(db, &look->second, err);
    return code;
}

TEST(a_reader_keeps_its_snapshot)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    struct double_look look = {.store = store, .first = -1, .second = -1};
    CHECK_OK(store_read(store, look_twice, &look, &err), err);
    CHECK_INT(look.first, 0);
    CHECK_INT(look.second, 0);
    CHECK_INT(count_deliveries(store), 1);
    store_close(store);
    fixture_done(&f);
}

TEST(two_openings_of_one_file_see_each_other)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *server = open_store(&f);
    struct store *command = open_store(&f);
    struct insertion a = {.delivery_id = "a", .body = "{}"};
    struct insertion b = {.delivery_id = "b", .body = "{}"};
    CHECK_OK(store_transact(server, fixture_insert, &a, &err), err);
    CHECK_OK(store_transact(command, fixture_insert, &b, &err), err);
    CHECK_INT(count_deliveries(server), 2);
    CHECK_INT(count_deliveries(command), 2);
    store_close(command);
    struct insertion c = {.delivery_id = "c", .body = "{}"};
    CHECK_OK(store_transact(server, fixture_insert, &c, &err), err);
    store_close(server);
    fixture_done(&f);
}

static void *
open_in_thread(void *argument)
{
    const struct fixture *f = argument;
    struct store *store = NULL;

    const int code = store_open(f->path, &store, NULL);
    store_close(store);
    return code ? argument : NULL;
}

TEST(a_new_store_may_be_made_by_several_at_once)
{
    struct fixture f;
    pthread_t threads[8];

    fixture_make_dir(&f);
    for (size_t i = 0; i < 8; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, open_in_thread, &f), 0);
    for (size_t i = 0; i < 8; i++) {
        void *failed = &f;
        pthread_join(threads[i], &failed);
        CHECK(!failed);
    }
    fixture_done(&f);
}

TEST(the_log_does_not_grow_without_end)
{
    struct fixture f;
    struct stat facts;
    struct err err;
    off_t largest = 0;

    fixture_make_dir(&f);
    struct store *store = open_store(&f);
    char *path = str_printf("%s-wal", f.path);
    char *body = malloc((128U << 10) + 1);
    CHECK(path && body);
    memset(body, 'x', 128U << 10);
    body[128U << 10] = '\0';
    for (int i = 0; i < 1600; i++) { /* 200 MiB */
        char name[16];
        struct insertion insertion = {.delivery_id = name, .body = body};
        (void)snprintf(name, sizeof(name), "%d", i);
        CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
        CHECK_INT(stat(path, &facts), 0);
        largest = facts.st_size > largest ? facts.st_size : largest;
    }
    printf("# the log had %lld KiB at most\n", (long long)largest / 1024);
    CHECK(largest < 150 << 20);
    free(body);
    free(path);
    store_close(store);
    fixture_done(&f);
}

TEST_MAIN()
