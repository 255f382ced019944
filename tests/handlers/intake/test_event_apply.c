/* What is said is heard once, whatever delivery it comes in, and when. */
#include "tests/handlers/intake/apply.h"

#include "server/store/remark.h"

#define ISSUE "github:acme/api#42"

/* Platforms tell whole seconds. */
#define LABELED_MS 9000
#define ENDED_MS 20700
#define NOW_MS 30000

struct comment {
    const char *ref;
    const char *words;
    int64_t happened_ms;
    enum mention_command command;
};

static struct world w;

/* Why nothing was done; "": something was. */
static const char *
do_event(const struct event *event)
{
    static struct change change;

    change = (struct change){.world = &w, .event = event, .now_ms = NOW_MS};
    apply(&change);
    return change.said;
}

/* A comment in the issue. */
static const char *
say(const struct comment *comment)
{
    struct remark remark = {.kind = REMARK_COMMENT,
                            .ref = borrowed(comment->ref),
                            .text = borrowed(comment->words),
                            .happened_ms = comment->happened_ms};
    const struct event event = {
        .kind = EVENT_START,
        .trigger = borrowed("mention"),
        .origin = borrowed(ISSUE),
        .order_key = borrowed(ISSUE),
        .repository = borrowed("acme/api"),
        .number = 42,
        .title = borrowed("Sum is wrong"),
        .actor = borrowed("ann"),
        .command = comment->command,
        .instruction = borrowed(comment->words[0] ? comment->words : NULL),
        .remark = &remark,
        .happened_ms = comment->happened_ms,
    };
    return do_event(&event);
}

static int64_t
count_runs(void)
{
    return world_int(&w, "SELECT count(*) FROM run");
}

/* Of an issue that was labeled and is done. */
static void
open_done(void)
{
    world_open(&w, NULL, 0);
    world_make_task(&w, "github", ISSUE);
    world_exec(&w, "UPDATE run SET state = 2, outcome = 1, trigger_ms = 9000, finished_ms = 20700;"
                   "UPDATE task SET state = 2, draft_number = 7, draft_state = 1");
}

TEST(words_are_new_until_they_were_heard)
{
    /* In the second in which the run ended, or long before: the delivery was late, or the platform
     * was asked for it again. Also in the second of the label. */
    const int64_t times[] = {ENDED_MS / 1000 * 1000, LABELED_MS + 1000, LABELED_MS};

    for (size_t i = 0; i < COUNT(times); i++) {
        open_done();
        const struct comment comment = {
            .ref = "comment:1", .words = "use a table", .happened_ms = times[i]};
        CHECK_STR(say(&comment), "");
        CHECK_INT(count_runs(), 2);
        CHECK_STR(say(&comment), "task 1 knows comment:1 already"); /* while it is under way */
        end_work(&w);
        CHECK_STR(say(&comment), "task 1 knows comment:1 already");
        CHECK_INT(count_runs(), 2);
        CHECK_INT(world_int(&w, "SELECT count(*) FROM remark"), 0);
        world_close(&w);
    }
}

TEST(what_was_said_to_a_run_is_not_said_to_the_next)
{
    const struct comment first = {.ref = "comment:1", .words = "use a table", .happened_ms = 21000};
    const struct comment second = {.ref = "comment:2", .words = "and a test", .happened_ms = 22000};

    open_done();
    CHECK_STR(say(&first), "");
    CHECK_STR(say(&second), "");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark"), 1);
    end_work(&w);
    CHECK_STR(say(&second), "task 1 knows comment:2 already");
    CHECK_STR(say(&first), "task 1 knows comment:1 already");
    CHECK_INT(count_runs(), 2);
    world_close(&w);
}

TEST(a_retry_is_done_once)
{
    const struct comment retry = {
        .ref = "comment:1", .words = "", .happened_ms = 21000, .command = MENTION_RETRY};
    const struct comment again = {
        .ref = "comment:2", .words = "", .happened_ms = 21000, .command = MENTION_RETRY};

    open_done();
    CHECK_STR(say(&retry), "");
    end_work(&w);
    CHECK_STR(say(&retry), "task 1 knows comment:1 already");
    CHECK_INT(count_runs(), 2);
    CHECK_STR(say(&again), "");
    CHECK_INT(count_runs(), 3);
    world_close(&w);
}

static const char *
cancel(int64_t happened_ms, const char *ref)
{
    struct remark words = {.ref = borrowed(ref), .text = borrowed("")};
    const struct event event = {.kind = EVENT_CANCEL,
                                .trigger = borrowed(ref ? "mention" : "label"),
                                .origin = borrowed(ISSUE),
                                .order_key = borrowed(ISSUE),
                                .repository = borrowed("acme/api"),
                                .number = 42,
                                .actor = borrowed("ann"),
                                .remark = ref ? &words : NULL,
                                .happened_ms = happened_ms};
    return do_event(&event);
}

/* Something that is said on the draft. */
static const char *
remark(const char *ref, int64_t happened_ms, const char *agent)
{
    struct remark remark = {.kind = REMARK_COMMENT,
                            .ref = borrowed(ref),
                            .text = borrowed("Why?"),
                            .target = borrowed("pull:7"),
                            .happened_ms = happened_ms};
    const struct event event = {.kind = EVENT_REMARK,
                                .trigger = borrowed("mention"),
                                .draft = 7,
                                .repository = borrowed("acme/api"),
                                .actor = borrowed("ann"),
                                .agent = borrowed(agent),
                                .remark = &remark,
                                .happened_ms = happened_ms};
    return do_event(&event);
}

/* ---- cancelling ---- */

/* Whether it ran, waited or nothing was under way; and whatever kind of wish it is. */
TEST(what_was_said_before_a_cancellation_is_not_done_after_it)
{
    static const char *const states[] = {
        "UPDATE run SET state = 2; UPDATE task SET state = 2",
        "UPDATE run SET state = 1, lease_owner = 'w'; UPDATE task SET state = 1",
        "UPDATE run SET state = 0; UPDATE task SET state = 0",
    };
    const struct comment words = {"comment:1", "use a table", 30000, MENTION_WORK};
    const struct comment retry = {"comment:2", "", 30000, MENTION_RETRY};
    const struct comment later = {"comment:4", "use a list", 31000, MENTION_WORK};

    for (size_t i = 0; i < COUNT(states); i++) {
        open_done();
        world_exec(&w, states[i]);
        CHECK_STR(cancel(31000, "comment:9"), i ? "" : "nothing of task 1 is under way");
        if (i)
            end_work(&w);
        CHECK_STR(say(&words), "that was taken back since");
        CHECK_STR(say(&retry), "that was taken back since");
        CHECK_STR(remark("comment:3", 30000, NULL), "that was taken back since");
        CHECK_INT(count_runs(), 1);
        CHECK_STR(say(&later), ""); /* in the same second it may be the later one */
        CHECK_STR(say(&words), "that was taken back since"); /* not for that run either */
        CHECK_INT(count_runs(), 2);
        world_close(&w);
    }
}

TEST(a_label_that_was_taken_off_before_it_was_told_of_starts_nothing)
{
    struct comment bare = {"comment:1", "", 11000, MENTION_WORK};

    world_open(&w, NULL, 0);
    CHECK_STR(cancel(12000, NULL), "there is no task for " ISSUE);
    CHECK_STR(say(&bare), "that was taken back since");
    CHECK_INT(count_runs(), 0);
    bare.happened_ms = 12000;
    CHECK_STR(say(&bare), "");
    world_close(&w);
}

TEST(a_cancellation_is_heard_once)
{
    const struct comment words = {"comment:1", "use a table", 31000, MENTION_WORK};

    open_done();
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'w'");
    CHECK_STR(cancel(31000, "comment:9"), "");
    end_work(&w);
    CHECK_STR(say(&words), "");
    CHECK_STR(cancel(31000, "comment:9"), "that was taken back already");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run WHERE state = 0"), 1);
    CHECK_STR(cancel(31000, "comment:10"), "");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run WHERE state = 0"), 0);
    world_close(&w);
}

/* The delivery waits until that run has ended: it will not see what is said now. */
TEST(what_is_said_while_a_run_is_being_cancelled_waits)
{
    const struct comment retry = {"comment:2", "", 32000, MENTION_RETRY};
    const struct comment words = {"comment:3", "use a table", 32000, MENTION_WORK};

    open_done();
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'w'");
    CHECK_STR(cancel(31000, "comment:9"), "");
    CHECK_STR(remark("comment:1", 32000, NULL), "task 1 is being cancelled");
    CHECK_STR(say(&retry), "task 1 is being cancelled");
    CHECK_STR(say(&words), "task 1 is being cancelled");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark"), 0);
    end_work(&w);
    CHECK_STR(remark("comment:1", 32000, NULL), "");
    CHECK_INT(count_runs(), 2);
    world_close(&w);
}

/* Deliveries come in any order: what was said after it stays, what was said before goes. */
TEST(a_cancellation_takes_back_what_no_run_has_taken)
{
    open_done();
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'w'");
    CHECK_STR(remark("comment:1", 30000, NULL), "");
    CHECK_STR(remark("comment:2", 32000, NULL), "");
    CHECK_STR(cancel(31000, NULL), "");
    CHECK_STORED(&w, "SELECT group_concat(ref) FROM remark WHERE run IS NULL", "comment:2");
    world_close(&w);

    open_done();
    CHECK_STR(remark("comment:1", 30000, NULL), ""); /* its run is queued */
    CHECK_STR(remark("comment:2", 32000, NULL), "");
    CHECK_STR(cancel(31000, NULL), "");
    CHECK_STORED(&w, "SELECT group_concat(number || ' ' || state || ' ' || trigger_ms) FROM run",
                 "1 2 9000,2 2 30000,3 0 32000");
    world_close(&w);
}

/* A bare mention asks for what a label does. */
TEST(what_was_done_is_not_begun_again)
{
    const struct comment comment = {"comment:1", "", 11000, MENTION_WORK};

    open_done();
    CHECK_STR(say(&comment), "task 1 ended after this happened");
    CHECK_INT(count_runs(), 1);
    world_close(&w);
}

/* ---- agents ---- */

TEST(the_agent_that_was_chosen_stays_until_another_is_chosen)
{
    const struct comment words = {"comment:3", "use a table", 40000, MENTION_WORK};

    open_done();
    world_exec(&w, "UPDATE run SET agent = 'first'");
    CHECK_STR(remark("comment:1", 30000, NULL), "");
    CHECK_STORED(&w, "SELECT agent FROM run WHERE id = 2", "first");
    CHECK_STR(remark("comment:2", 31000, "second"), ""); /* waits: that run has another */
    world_exec(&w, "UPDATE run SET state = 2 WHERE id = 2; UPDATE task SET state = 2;"
                   "UPDATE remark SET run = 2 WHERE agent IS NULL");
    CHECK_STR(remark("comment:4", 32000, NULL), "");
    CHECK_STORED(&w, "SELECT agent FROM run WHERE id = 3", "second");
    end_work(&w);
    CHECK_STR(say(&words), "");
    CHECK_STORED(&w, "SELECT agent FROM run WHERE id = 4", "second");
    world_close(&w);
}

/* ---- moves ---- */

/* A label on issue 42 of a repository, about which nobody told that it moved. */
static const char *
label(const char *repository, int64_t id, int64_t happened_ms)
{
    auto_free char *origin = str_printf("github:%s#42", repository);
    const struct event event = {
        .kind = EVENT_START,
        .trigger = borrowed("label"),
        .origin = origin,
        .order_key = origin,
        .repository = borrowed(repository),
        .repository_id = id,
        .number = 42,
        .title = borrowed("Sum is wrong"),
        .actor = borrowed("ann"),
        .happened_ms = happened_ms,
    };

    return do_event(&event);
}

static int64_t
count_tasks(const char *repository)
{
    auto_free char *sql =
        str_printf("SELECT count(*) FROM task WHERE repository = '%s'", repository);

    return world_int(&w, sql);
}

TEST(a_repository_that_is_known_by_its_id_takes_its_tasks_to_its_new_name)
{
    world_open(&w, NULL, 0);
    CHECK_STR(label("acme/old", 7, 1000), "");
    CHECK_STR(label("acme/other", 8, 1000), "");
    end_work(&w);
    CHECK_STR(label("acme/new", 7, NOW_MS + 1000), "");
    CHECK_INT(count_tasks("acme/old"), 0);
    CHECK_INT(count_tasks("acme/new"), 1);
    CHECK_INT(count_tasks("acme/other"), 1);
    CHECK_INT(count_runs(), 3);
    /* Also where nothing else comes of it. */
    CHECK_STR(label("acme/newer", 7, NOW_MS + 2000), "task 1 is under way");
    CHECK_INT(count_tasks("acme/newer"), 1);
    world_close(&w);
}

TEST(a_repository_that_is_new_under_a_known_name_moves_nothing)
{
    world_open(&w, NULL, 0);
    CHECK_STR(label("acme/api", 7, 1000), "");
    end_work(&w);
    CHECK_STR(label("acme/api", 8, NOW_MS + 1000), "");
    end_work(&w);
    CHECK_STR(label("acme/else", 7, NOW_MS + 2000), ""); /* nobody knows this one any more */
    CHECK_INT(count_tasks("acme/api"), 1);
    CHECK_INT(count_tasks("acme/else"), 1);
    CHECK_STR(label("acme/last", 8, NOW_MS + 3000), "");
    CHECK_INT(count_tasks("acme/api"), 0);
    CHECK_INT(count_tasks("acme/last"), 1);
    world_close(&w);
}

TEST(a_delivery_that_tells_no_id_moves_nothing)
{
    world_open(&w, NULL, 0);
    CHECK_STR(label("acme/old", 0, 1000), "");
    CHECK_STR(label("acme/new", 0, 2000), "");
    CHECK_INT(count_tasks("acme/old"), 1);
    CHECK_INT(count_tasks("acme/new"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM repository"), 0);
    world_close(&w);
}

/* The name that it tells is kept too, so that what comes late does not move the tasks back. */
TEST(a_move_that_is_told_of_is_kept)
{
    const struct event moved = {
        .kind = EVENT_NOTICE,
        .trigger = borrowed("moved"),
        .order_key = borrowed("github:acme/new#0"),
        .repository = borrowed("acme/new"),
        .repository_id = 7,
        .moved_from = borrowed("acme/old"),
        .actor = borrowed("ann"),
        .happened_ms = 3000,
    };
    struct change change = {.world = &w, .event = &moved, .now_ms = NOW_MS};

    world_open(&w, NULL, 0);
    CHECK_STR(label("acme/old", 7, 1000), "");
    apply(&change);
    CHECK_STR(change.said, "");
    CHECK_INT(count_tasks("acme/new"), 1);
    (void)label("acme/old", 7, 2000);
    CHECK_INT(count_tasks("acme/new"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM repository WHERE name = 'acme/new'"), 1);
    world_close(&w);
}

TEST_MAIN()
