/* Changes of tasks, and what they owe to the thread in the same transaction. */
#include "tests/handlers/world.h"

#include "handlers/intake/event.h"
#include "handlers/intake/task_change.h"
#include "handlers/thread/announce.h"

#define LAST_STATUS "SELECT body FROM outbox WHERE kind = 0 ORDER BY id DESC LIMIT 1"

struct change {
    struct world *world;
    const char *platform;
    struct event event;
    struct run_cancel cancel;
    int64_t now_ms;
    int64_t task;
    bool fails; /* after the change: everything is undone */
};

static struct change
make_change(struct world *w, const char *platform)
{
    return (struct change){
        .world = w,
        .platform = platform,
        .now_ms = 10000,
        .cancel = {.who = "ann"},
        .event = {.kind = EVENT_START,
                  .trigger = borrowed("label"),
                  .origin = borrowed("github:acme/api#42"),
                  .repository = borrowed("acme/api"),
                  .number = 42,
                  .title = borrowed("Sum is wrong"),
                  .text = borrowed("1 + 1 gives 3."),
                  .url = borrowed("https://github.example/acme/api/issues/42"),
                  .actor = borrowed("octocat"),
                  .happened_ms = 9000},
    };
}

static int
start_in(struct db *db, void *ctx, struct err *err)
{
    struct change *change = ctx;
    const int r = task_start(db, &change->world->app, change->platform, &change->event,
                             change->now_ms, &change->task, err);

    return !r && change->fails ? err_set(err, ERR_IO, "made to fail") : r;
}

static int
start(struct change *change, struct err *err)
{
    return store_transact(change->world->app.store, start_in, change, err);
}

static int
retry_in(struct db *db, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    return task_retry(db, &change->world->app, change->task, &(struct task_again){.actor = "ann"},
                      change->now_ms, err);
}

static int
retry(struct change *change, struct err *err)
{
    return store_transact(change->world->app.store, retry_in, change, err);
}

static int
cancel_in(struct db *db, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    return task_cancel(db, &change->world->app, change->task, &change->cancel, change->now_ms, err);
}

static int
cancel(struct change *change, struct err *err)
{
    return store_transact(change->world->app.store, cancel_in, change, err);
}

/* The newest run ends as failed at 20,000. */
static void
end_run(struct world *w)
{
    world_exec(w, "UPDATE run SET state = 2, outcome = 4, finished_ms = 20000 WHERE state < 2;"
                  "UPDATE task SET state = 5, reason = 'checks are red';"
                  "UPDATE outbox SET state = 1");
}

/* ---- a new task ---- */

TEST(a_new_task_has_a_run_a_sign_and_a_status)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(change.task, 1);
    CHECK_STORED(&w,
                 "SELECT platform || ' ' || origin || ' ' || thread || ' ' || repository || ' ' ||"
                 " number || ' ' || title || ' ' || requested_by || ' ' || state FROM task",
                 "github github:acme/api#42 github:acme/api#42 acme/api 42 Sum is wrong octocat 0");
    CHECK_STORED(&w, "SELECT text FROM task", "1 + 1 gives 3.");
    CHECK_STORED(&w, "SELECT url FROM task", "https://github.example/acme/api/issues/42");
    CHECK_STORED(&w,
                 "SELECT number || ' ' || trigger_kind || ' ' || trigger_actor || ' ' ||"
                 " trigger_ms || ' ' || state FROM run",
                 "1 label octocat 9000 0");
    CHECK_STORED(&w, "SELECT group_concat(kind || ':' || ifnull(target, '-')) FROM outbox",
                 "1:-,0:-");
    CHECK_STORED(&w, "SELECT body FROM outbox WHERE kind = 1", "eyes");
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "<!-- draftd:task=1 instance=ab12 -->");
    CHECK_INT(world_int(&w, "SELECT count(DISTINCT thread) FROM outbox"), 1);
    world_close(&w);
}

TEST(the_mention_stands_apart_from_the_issue)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    change.event.instruction = borrowed("use a table");
    change.event.reaction_target = borrowed("77");
    CHECK_OK(start(&change, &err), err);
    CHECK_STORED(&w, "SELECT text FROM task", "1 + 1 gives 3.");
    CHECK_STORED(&w, "SELECT instruction FROM run", "use a table");
    CHECK_STORED(&w, "SELECT target FROM outbox WHERE kind = 1", "77");

    change.event.origin = borrowed("github:acme/api#43");
    change.event.text = NULL;
    CHECK_OK(start(&change, &err), err);
    CHECK_STORED(&w, "SELECT text FROM task WHERE id = 2", "");
    CHECK_STORED(&w, "SELECT instruction FROM run WHERE task = 2", "use a table");
    change.event.origin = borrowed("github:acme/api#44");
    change.event.instruction = NULL;
    CHECK_OK(start(&change, &err), err);
    CHECK_STORED(&w, "SELECT text FROM task WHERE id = 3", "");
    CHECK_STORED(&w, "SELECT instruction FROM run WHERE task = 3", "(null)");
    world_close(&w);
}

TEST(a_platform_without_threads_is_owed_nothing)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "local");
    change.event.origin = borrowed("local:demo/calc#msg_1");
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 0);
    CHECK_OK(cancel(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 0);
    world_close(&w);
}

TEST(a_change_that_is_undone_owes_nothing)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    change.fails = true;
    CHECK_INT(start(&change, &err), ERR_IO);
    CHECK_INT(world_int(&w, "SELECT (SELECT count(*) FROM task) + (SELECT count(*) FROM run) +"
                            " (SELECT count(*) FROM outbox)"),
              0);
    world_close(&w);
}

/* ---- asking again ---- */

TEST(a_second_trigger_changes_nothing_while_a_run_is_live)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    change.event.title = borrowed("Another title");
    change.event.happened_ms = 9500;
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    CHECK_STR(err.msg, "task 1 is under way");
    world_exec(&w, "UPDATE run SET state = 1; UPDATE task SET state = 1");
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 2);
    CHECK_STORED(&w, "SELECT title FROM task", "Sum is wrong");
    world_close(&w);
}

TEST(what_happened_before_the_run_ended_asks_for_nothing_new)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    change.now_ms = 30000;
    for (change.event.happened_ms = 9000; change.event.happened_ms < 20000;
         change.event.happened_ms += 10000) {
        CHECK_INT(start(&change, &err), ERR_CONFLICT);
        CHECK_STR(err.msg, "task 1 ended after this happened");
    }
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    world_close(&w);
}

TEST(what_happened_later_is_a_new_run_with_what_is_asked_now)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    change.event.happened_ms =
        20000; /* platforms tell whole seconds: it may be later than the end */
    change.event.title = borrowed("Sum is still wrong");
    change.event.text = borrowed("1 + 1 gives 4.");
    change.event.actor = borrowed("hubot");
    change.event.trigger = borrowed("mention");
    change.now_ms = 30000;
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(change.task, 1);
    CHECK_STORED(&w, "SELECT title || ' ' || text || ' ' || requested_by || ' ' || state FROM task",
                 "Sum is still wrong 1 + 1 gives 4. hubot 0");
    CHECK_STORED(&w,
                 "SELECT number || ' ' || trigger_kind || ' ' || trigger_actor || ' ' || state"
                 " FROM run ORDER BY id DESC LIMIT 1",
                 "2 mention hubot 0");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE state = 0"), 2);
    world_close(&w);
}

/* Ours may be wrong for a while: ahead when the run ended, or behind. */
TEST(our_clock_neither_hides_new_wishes_nor_repeats_old_ones)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    world_exec(&w, "UPDATE run SET finished_ms = 1000");
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    CHECK_STR(err.msg, "task 1 ended after this happened");
    world_exec(&w, "UPDATE run SET finished_ms = 172800000");
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    change.event.happened_ms = 29000;
    change.now_ms = 30000;
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT max(number) FROM run"), 2);
    world_close(&w);
}

/* Some platforms tell no time: an ended task then always starts again. */
TEST(without_a_time_an_ended_task_starts_again)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    change.event.happened_ms = 0;
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT max(number) FROM run"), 2);
    world_close(&w);
}

/* ---- retry ---- */

TEST(an_ended_task_is_retried_by_its_number)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    change.now_ms = 40000;
    CHECK_OK(retry(&change, &err), err);
    CHECK_STORED(&w,
                 "SELECT number || ' ' || trigger_kind || ' ' || trigger_actor || ' ' || trigger_ms"
                 " FROM run ORDER BY id DESC LIMIT 1",
                 "2 retry ann 0");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE state = 0 AND kind = 0"), 1);
    CHECK_INT(retry(&change, &err), ERR_CONFLICT);
    CHECK_STR(err.msg, "task 1 is under way");
    change.task = 7;
    CHECK_INT(retry(&change, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "there is no task 7");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 2);
    world_close(&w);
}

/* A retry repeats what was asked last, not what was asked once. */
TEST(new_work_after_a_merged_draft_says_so)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    world_exec(&w, "UPDATE task SET draft_number = 2, draft_state = 2, branch = 'draftd/42-x'");
    CHECK_OK(retry(&change, &err), err);
    CHECK_STORED(&w, "SELECT number || ' ' || state || ' ' || last_run FROM past_draft", "2 2 1");
    CHECK_STORED_CONTAINS(&w, "SELECT body FROM outbox WHERE kind = 0 ORDER BY id DESC LIMIT 1",
                          "pull request 2 was merged; this is new work.\n");
    world_close(&w);
}

TEST(a_retry_takes_the_newest_instruction_over)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    change.event.instruction = borrowed("use a table");
    CHECK_OK(start(&change, &err), err);
    for (int i = 0; i < 2; i++) {
        end_run(&w);
        CHECK_OK(retry(&change, &err), err);
        CHECK_STORED(&w, "SELECT instruction FROM run ORDER BY id DESC LIMIT 1", "use a table");
    }
    end_run(&w);
    change.event.instruction = NULL;
    change.event.happened_ms = 30000;
    CHECK_OK(start(&change, &err), err);
    CHECK_STORED(&w, "SELECT instruction FROM run ORDER BY id DESC LIMIT 1", "(null)");
    end_run(&w);
    CHECK_OK(retry(&change, &err), err);
    CHECK_STORED(&w, "SELECT instruction FROM run ORDER BY id DESC LIMIT 1", "(null)");
    CHECK_STORED(&w, "SELECT text FROM task", "1 + 1 gives 3.");
    world_close(&w);
}

TEST(every_ending_may_be_retried)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    for (int state = TASK_DRAFTED; state < TASK_STATE_COUNT; state++) {
        auto_free char *sql = str_printf("UPDATE run SET state = 2 WHERE state < 2;"
                                         "UPDATE task SET state = %d",
                                         state);
        world_exec(&w, sql);
        if (retry(&change, &err))
            TEST_FAIL("%s: %s", task_state_name((enum task_state)state), err.msg);
        CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    }
    world_close(&w);
}

/* ---- cancel ---- */

TEST(what_waits_for_a_worker_ends_at_once)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    CHECK_OK(cancel(&change, &err), err);
    CHECK_STORED(&w, "SELECT state || ' ' || reason FROM task",
                 "6 cancelled by ann before it began");
    CHECK_INT(world_int(&w, "SELECT state FROM run"), RUN_ENDED);
    CHECK_INT(world_int(&w, "SELECT outcome FROM run"), OUTCOME_CANCELED);
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "**Cancelled** by ann");
    CHECK_INT(cancel(&change, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "nothing of task 1 is under way");
    world_close(&w);
}

TEST(what_runs_is_only_asked_to_stop)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'ab12'; UPDATE task SET state = 1;"
                   "UPDATE outbox SET state = 1");
    CHECK_OK(cancel(&change, &err), err);
    CHECK_STORED(&w, "SELECT cancel_requested FROM run", "ann");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_RUNNING);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE state = 0"), 0);
    world_close(&w);
}

/* The label comes off and is put back on: who did both wants the work done. */
TEST(what_is_asked_after_a_cancellation_is_new)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'ab12'; UPDATE task SET state = 1");
    change.cancel.happened_ms = 12000;
    CHECK_OK(cancel(&change, &err), err);
    change.event.happened_ms = 11000; /* of the burst that began it, late */
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    change.event.happened_ms = 12000;
    CHECK_INT(start(&change, &err), ERR_UNAVAILABLE);
    CHECK_STR(err.msg, "task 1 is being cancelled");

    end_run(&w); /* at 20000 by our clock, which is ahead */
    change.event.happened_ms = 11000;
    CHECK_INT(start(&change, &err), ERR_CONFLICT);
    change.event.happened_ms = 12000;
    CHECK_OK(start(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT max(number) FROM run"), 2);
    world_close(&w);
}

TEST(a_cancellation_that_arrives_late_stops_nothing_newer)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    change.event.happened_ms = 15000;
    CHECK_OK(start(&change, &err), err);
    change.cancel.happened_ms = 14000;
    CHECK_INT(cancel(&change, &err), ERR_CONFLICT);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    change.cancel.happened_ms = 15000;
    CHECK_OK(cancel(&change, &err), err);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    world_close(&w);
}

TEST(there_is_nothing_to_cancel)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    change.task = 5;
    CHECK_INT(cancel(&change, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "there is no task 5");
    CHECK_OK(start(&change, &err), err);
    end_run(&w);
    CHECK_INT(cancel(&change, &err), ERR_NOTFOUND);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_FAILED);
    world_close(&w);
}

/* ---- announcing ---- */

static int
announce_in(struct db *db, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    return announce_status(
        db, &change->world->app, change->task,
        &(struct announcement){.waiting_for = "the engine is away", .output = NULL}, 50000, err);
}

TEST(only_the_newest_status_is_owed)
{
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    struct change change = make_change(&w, "github");
    CHECK_OK(start(&change, &err), err);
    CHECK_OK(store_transact(w.app.store, announce_in, &change, &err), err);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE kind = 0"), 1);
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "the engine is away");
    change.task = 9;
    CHECK_INT(store_transact(w.app.store, announce_in, &change, &err), ERR_NOTFOUND);
    world_close(&w);
}

TEST_MAIN()
