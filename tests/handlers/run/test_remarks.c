/* Remarks in the hands of a run: taken, answered, and what is owed for them at its end. */
#include "handlers/run/remarks.h"
#include "tests/handlers/world.h"

#include "server/store/remark.h"

/* A run of a task that a worker holds, and the remarks that it took. */
struct place {
    struct world world;
    struct work work;
};

struct claim {
    int64_t task;
    struct run *run;
};

static int
claim(struct db *db, void *ctx, struct err *err)
{
    struct claim *claimed = ctx;

    return run_claim(
        db, &(struct run_claim){.owner = "ab12", .now_ms = 1, .lease_until_ms = INT64_MAX},
        &claimed->run, err);
}

static int
get_task(struct db *db, void *ctx, struct err *err)
{
    return task_get(db, 1, ctx, err);
}

static void
place_open(struct place *place)
{
    struct claim claimed = {0};
    struct err err;

    *place = (struct place){0};
    world_open(&place->world, NULL, 0);
    world_make_task(&place->world, "github", "github:acme/api#42");
    CHECK_OK(store_transact(place->world.app.store, claim, &claimed, &err), err);
    place->work.app = &place->world.app;
    place->work.run = claimed.run;
    place->work.lease =
        (struct run_lease){.run = claimed.run->id, .number = claimed.run->lease_number};
    CHECK_OK(store_read(place->world.app.store, get_task, &place->work.task, &err), err);
}

static void
place_close(struct place *place)
{
    work_done(&place->work);
    world_close(&place->world);
}

static void
say(struct place *place, const char *ref, const char *target)
{
    auto_free char *sql = str_printf(
        "INSERT INTO remark (task, kind, ref, target, actor, line, text, draft, happened_ms,"
        " created_ms) VALUES (1, 2, '%s', %s, 'bea', 1, 'Why?', 7, 0, 1)",
        ref, target);

    world_exec(&place->world, sql);
}

static void
take(struct place *place, int64_t round, bool expected)
{
    struct err err;
    bool new = !expected;

    CHECK_OK(remarks_take(&place->work, round, &new, &err), err);
    CHECK_INT(new, expected);
}

TEST(what_comes_in_is_taken_once)
{
    struct place place;

    place_open(&place);
    take(&place, 1, false);
    say(&place, "line:1", "'line:7/1'");
    say(&place, "line:2", "NULL");
    take(&place, 1, true);
    take(&place, 2, false);
    say(&place, "line:3", "NULL");
    take(&place, 2, true);
    CHECK_INT(place.work.remarks.count, 3);
    CHECK_INT(place.work.remarks.items[2]->round, 2);
    place_close(&place);
}

TEST(a_lost_lease_takes_nothing)
{
    struct place place;
    struct err err;
    bool new = true;

    place_open(&place);
    say(&place, "line:1", "NULL");
    place.work.lease.number++;
    CHECK_INT(remarks_take(&place.work, 1, &new, &err), ERR_CONFLICT);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM remark WHERE run IS NULL"), 1);
    place_close(&place);
}

/* The answers that `text` gives to three remarks; NULL: none. */
static void
check_answers(const char *text, const char *a, const char *b, const char *c)
{
    const char *const expected[] = {a, b, c};
    struct place place;
    struct err err;

    place_open(&place);
    say(&place, "line:1", "NULL");
    say(&place, "line:2", "NULL");
    say(&place, "line:3", "NULL");
    take(&place, 1, true);
    CHECK_OK(remarks_set_answers(&place.work, text, &err), err);
    CHECK_OK(remarks_load(&place.work, &err), err);
    for (size_t i = 0; i < 3; i++) {
        const char *answer = place.work.remarks.items[i]->answer;
        if (!str_equal(answer, expected[i]))
            TEST_FAIL("\"%s\" answers %zu with \"%s\"", text, i + 1, answer ? answer : "(none)");
    }
    place_close(&place);
}

TEST(answers_are_told_apart_by_their_numbers)
{
    check_answers("", NULL, NULL, NULL);
    check_answers("1: Done.\n2: No.\n3: Later.", "Done.", "No.", "Later.");
    check_answers("2. Renamed it,\nand the test.\n\n1) Done", "Done", "Renamed it,\nand the test.",
                  NULL);
    check_answers("Thanks!\n1: Done.", "Done.", NULL, NULL);
    check_answers("1:\n\n  Done.  \n", "Done.", NULL, NULL);
    check_answers("4: Who?\n0: What?\n99999999999999999999: When?", NULL, NULL, NULL);
    check_answers("1: First.\n1: Second.", "Second.", NULL, NULL);
    check_answers("3:", NULL, NULL, NULL);
    check_answers("2 apples\n1: took them", "took them", NULL, NULL);
    check_answers("12 apples\n1: took 3: of them", "took 3: of them", NULL, NULL);
}

struct close_work {
    struct place *place;
    enum run_outcome outcome;
};

static int
end_and_close(struct db *db, void *ctx, struct err *err)
{
    const struct close_work *closing = ctx;
    const struct work *work = &closing->place->work;
    int r = run_set_head(db, work->lease, "0123456789abcdef", "Summary.", NULL, err);

    if (!r)
        r = run_finish(db, work->lease, closing->outcome, "because", 5000, err);
    if (!r)
        r = task_set_state(db, 1, TASK_DRAFTED, NULL, 5000, err);
    return r ? r : remarks_close(db, work->app, work, 5000, err);
}

static void
end_run(struct place *place, enum run_outcome outcome)
{
    struct close_work closing = {.place = place, .outcome = outcome};
    struct err err;

    CHECK_OK(store_transact(place->world.app.store, end_and_close, &closing, &err), err);
}

TEST(each_thread_is_owed_an_answer)
{
    struct place place;
    struct err err;

    place_open(&place);
    say(&place, "line:1", "'line:7/1'");
    say(&place, "line:2", "NULL");
    say(&place, "line:3", "'pull:7'");
    take(&place, 1, true);
    CHECK_OK(remarks_set_answers(&place.work, "1: Renamed.", &err), err);
    end_run(&place, OUTCOME_DRAFT);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM outbox WHERE kind = 2"), 2);
    CHECK_STORED(&place.world, "SELECT body FROM outbox WHERE target = 'line:7/1'",
                 "<!-- draftd:task=1 instance=ab12 answer=1 -->\n"
                 "Done in `0123456`, without checks.\n\nThe agent says:\n\n> Renamed.\n");
    CHECK_STORED_CONTAINS(&place.world, "SELECT body FROM outbox WHERE target = 'pull:7'",
                          "answer=3 -->\nDone in `0123456`, without checks.\n\nThe agent says:\n\n"
                          "> Summary.");
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM run"), 1);
    place_close(&place);
}

TEST(what_was_not_done_is_told_with_its_cause)
{
    struct place place;

    place_open(&place);
    say(&place, "line:1", "'line:7/1'");
    take(&place, 1, true);
    end_run(&place, OUTCOME_HELD);
    CHECK_STORED_CONTAINS(&place.world, "SELECT body FROM outbox WHERE kind = 2",
                          "**Not done**: because.");
    place_close(&place);
}

TEST(what_needed_no_agent_is_told_with_its_cause)
{
    struct place place;

    place_open(&place);
    say(&place, "line:1", "'line:7/1'");
    take(&place, 1, true);
    end_run(&place, OUTCOME_UNCHANGED);
    CHECK_STORED_CONTAINS(&place.world, "SELECT body FROM outbox WHERE kind = 2",
                          "Nothing was changed for this: because.\n");
    place_close(&place);
}

TEST(what_came_too_late_is_the_next_runs)
{
    struct place place;

    place_open(&place);
    say(&place, "line:1", "'line:7/1'");
    end_run(&place, OUTCOME_DRAFT);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM outbox WHERE kind = 2"), 0);
    CHECK_STORED(&place.world, "SELECT trigger_kind || ' ' || trigger_actor FROM run WHERE id = 2",
                 "review bea");
    CHECK_INT(world_int(&place.world, "SELECT state FROM task"), TASK_QUEUED);
    place_close(&place);
}

/* What was said before the cancellation went with it: what is still open came after it. */
TEST(a_cancelled_run_answers_nothing_and_is_followed_by_what_was_said_since)
{
    struct place place;

    place_open(&place);
    say(&place, "line:1", "'line:7/1'");
    take(&place, 1, true);
    end_run(&place, OUTCOME_CANCELED);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM outbox WHERE kind = 2"), 0);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM run"), 1);
    place_close(&place);

    place_open(&place);
    say(&place, "line:2", "'line:7/2'");
    end_run(&place, OUTCOME_CANCELED);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM outbox WHERE kind = 2"), 0);
    CHECK_INT(world_int(&place.world, "SELECT count(*) FROM run"), 2);
    place_close(&place);
}

TEST_MAIN()
