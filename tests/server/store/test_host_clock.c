/* What waits by the wall clock is moved when that is set, by as much, and nothing else is. */
#include "server/store/host_clock.h"

#include "tests/server/store/fixture.h"

#define EXEC(db, sql) CHECK_OK(db_exec(db, sql, &err), err)

static int64_t
follow(struct db *db, const char *boot, int64_t offset_ms)
{
    struct err err;
    struct host_clock_jump jump = {.by_ms = -1};

    CHECK_OK(host_clock_follow(db, &(struct host_clock){.boot = boot, .offset_ms = offset_ms},
                               &jump, &err),
             err);
    return jump.by_ms;
}

TEST(a_jump_is_told_once_and_small_ones_when_they_add_up)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK_INT(follow(f.db, "a", 100000), 0); /* nothing is known yet */
    CHECK_INT(follow(f.db, "a", 101999), 0);
    CHECK_INT(follow(f.db, "a", 102000), 2000);
    CHECK_INT(follow(f.db, "a", 102000), 0);
    CHECK_INT(follow(f.db, "a", -500000), -602000);
    CHECK_INT(follow(f.db, "b", 7), 0); /* the host was started anew */
    CHECK_INT(follow(f.db, "b", 5007), 5000);
    fixture_done(&f);
}

/* Two runs that wait, one that is held, one that ended; deliveries and messages of each kind. */
static void
fill(struct db *db)
{
    struct err err;

    for (int i = 0; i < 4; i++) {
        char origin[16];
        (void)snprintf(origin, sizeof(origin), "o%d", i);
        const int64_t task = fixture_task(db, origin);
        const struct run_new run = {.task = task, .trigger_kind = "label", .trigger_actor = "ann"};
        int64_t id;
        CHECK_OK(run_insert(db, &run, 1000, &id, &err), err);
    }
    EXEC(db,
         "UPDATE run SET not_before_ms = 9000, waiting_since_ms = 8000 WHERE id = 2;"
         "UPDATE run SET state = 1, lease_until_ms = 9000 WHERE id = 3;"
         "UPDATE run SET state = 2, finished_ms = 9000, not_before_ms = 0 WHERE id = 4;"
         "INSERT INTO delivery (platform, delivery_id, event, received_ms, state, next_ms,"
         " body_bytes) VALUES ('p', '1', 'e', 7000, 0, 0, 1), ('p', '2', 'e', 7000, 0, 9000, 1),"
         " ('p', '3', 'e', 7000, 1, 9000, 1);"
         "INSERT INTO outbox (platform, thread, kind, body, state, next_ms, created_ms) VALUES"
         " ('p', 't', 2, 'a', 0, 0, 7000), ('p', 't', 2, 'b', 0, 9000, 7000),"
         " ('p', 't', 2, 'c', 1, 9000, 7000)");
}

#define RUNS                                                                                       \
    "SELECT group_concat(not_before_ms || ' ' || waiting_since_ms || ' ' || lease_until_ms || ' '" \
    " || finished_ms) FROM run"
#define DELIVERIES "SELECT group_concat(received_ms || ' ' || next_ms) FROM delivery"
#define MESSAGES "SELECT group_concat(created_ms || ' ' || next_ms) FROM outbox"

static void
check_text(struct db *db, const char *sql, const char *wanted)
{
    struct db_stmt *stmt = NULL;
    struct err err;
    bool row = false;

    CHECK_OK(db_prepare(db, sql, &stmt, &err), err);
    CHECK_OK(db_step(stmt, &row, &err), err);
    CHECK_STR(db_column_text(stmt, 0), wanted);
    db_release(stmt);
}

TEST(what_waits_is_moved_and_nothing_else)
{
    struct fixture f;

    fixture_begin(&f);
    fill(f.db);
    CHECK_INT(follow(f.db, "a", 0), 0);
    CHECK_INT(follow(f.db, "a", 3000), 3000);
    check_text(f.db, RUNS, "0 0 0 0,12000 11000 0 0,0 0 12000 0,0 0 0 9000");
    check_text(f.db, DELIVERIES, "7000 0,7000 12000,7000 9000");
    check_text(f.db, MESSAGES, "7000 0,7000 12000,7000 9000");
    CHECK_INT(follow(f.db, "a", -100000), -103000);
    check_text(f.db, RUNS, "0 0 0 0,1 1 0 0,0 0 1 0,0 0 0 9000"); /* put off still, and due */
    fixture_done(&f);
}

TEST(nothing_waits_longer_than_it_may)
{
    struct fixture f;
    struct err err;
    bool found = true;

    fixture_begin(&f);
    fill(f.db);
    CHECK_OK(host_clock_find_stuck(f.db, 9000, &found, &err), err);
    CHECK(!found);
    CHECK_OK(host_clock_free_stuck(f.db, 9000, &err), err);
    check_text(f.db, RUNS, "0 0 0 0,9000 8000 0 0,0 0 9000 0,0 0 0 9000");
    CHECK_OK(host_clock_find_stuck(f.db, 8999, &found, &err), err);
    CHECK(found);
    CHECK_OK(host_clock_free_stuck(f.db, 8999, &err), err);
    check_text(f.db, RUNS, "0 0 0 0,1 8000 0 0,0 0 1 0,0 0 0 9000");
    check_text(f.db, DELIVERIES, "7000 0,7000 1,7000 9000");
    check_text(f.db, MESSAGES, "7000 0,7000 1,7000 9000");
    fixture_done(&f);
}

TEST_MAIN()
