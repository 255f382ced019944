/* What is said and done about tasks that are there. */
#include "handlers/intake/follow_up.h"
#include "tests/handlers/world.h"

#include "handlers/intake/event.h"

#define HEAD "0123456789012345678901234567890123456789"

/* What one event comes to, in a transaction. */
struct change {
    struct world *world;
    const struct event *event;
    int64_t now_ms;
};

static int
apply(struct db *db, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    const struct app *app = &change->world->app;
    const struct event *event = change->event;
    AUTO(task_free) struct task *task = NULL;
    const int r = follow_up_find(db, "github", event, &task, err);

    if (r)
        return r;
    switch (event->kind) {
    case EVENT_REMARK:
        return follow_up_remark(db, app, task, event, change->now_ms, err);
    case EVENT_DRAFT:
        return follow_up_draft(db, app, task, event, change->now_ms, err);
    case EVENT_ASK:
        return follow_up_answer(db, app, "github", task, event, change->now_ms, err);
    case EVENT_IGNORED:
    case EVENT_START:
    case EVENT_CANCEL:
    case EVENT_NOTICE:
        break;
    }
    return ERR_INTERNAL;
}

static int
follow(struct world *w, const struct event *event, struct err *err)
{
    struct change change = {.world = w, .event = event, .now_ms = 100000};

    return store_transact(w->app.store, apply, &change, err);
}

/* A task whose run ended with draft 7. */
static void
open_drafted(struct world *w)
{
    world_open(w, NULL, 0);
    world_make_task(w, "github", "github:acme/api#42");
    world_exec(w, "UPDATE run SET state = 2, outcome = 1, head_commit = '" HEAD "';"
                  "UPDATE task SET state = 2, draft_number = 7, draft_state = 1,"
                  " branch = 'draftd/42-x', base_branch = 'main'");
}

static struct remark
make_remark(enum remark_kind kind, const char *ref)
{
    return (struct remark){.kind = kind, .ref = borrowed(ref), .text = borrowed("Why?")};
}

static struct event
make_event(struct remark *remark)
{
    return (struct event){.kind = EVENT_REMARK,
                          .draft = 7,
                          .repository = borrowed("acme/api"),
                          .actor = borrowed("bea"),
                          .remark = remark};
}

TEST(a_remark_on_an_ended_task_queues_one_run_after_a_pause)
{
    struct remark first = make_remark(REMARK_LINE, "line:1");
    struct remark second = make_remark(REMARK_REVIEW, "review:1");
    struct event event = make_event(&first);
    struct world w;
    struct err err;

    open_drafted(&w);
    CHECK_OK(follow(&w, &event, &err), err);
    event.remark = &second;
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 2);
    CHECK_STORED(&w,
                 "SELECT trigger_kind || ' ' || trigger_actor || ' ' || not_before_ms FROM run"
                 " WHERE id = 2",
                 "review bea 110000");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark WHERE run IS NULL AND draft = 7"), 2);
    CHECK_INT(follow(&w, &event, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "knows review:1 already");
    world_close(&w);
}

TEST(a_mention_waits_for_nothing)
{
    struct remark remark = make_remark(REMARK_COMMENT, "comment:1");
    struct event event = make_event(&remark);
    struct world w;
    struct err err;

    open_drafted(&w);
    event.reaction_target = borrowed("55");
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_STORED(&w, "SELECT trigger_kind || ' ' || not_before_ms FROM run WHERE id = 2",
                 "mention 0");
    CHECK_STORED(&w, "SELECT target || ' ' || body FROM outbox WHERE kind = 1", "55 eyes");
    world_close(&w);
}

TEST(a_run_under_way_hears_it_by_itself)
{
    struct remark remark = make_remark(REMARK_LINE, "line:1");
    struct event event = make_event(&remark);
    struct world w;
    struct err err;

    open_drafted(&w);
    world_exec(&w, "UPDATE run SET state = 1; UPDATE task SET state = 1");
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark WHERE run IS NULL"), 1);
    world_close(&w);
}

TEST(nothing_is_done_about_a_draft_that_ended)
{
    struct remark remark = make_remark(REMARK_LINE, "line:1");
    struct event event = make_event(&remark);
    struct world w;
    struct err err;

    open_drafted(&w);
    world_exec(&w, "UPDATE task SET draft_state = 2");
    CHECK_INT(follow(&w, &event, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "was merged");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark"), 0);
    event.draft = 8;
    CHECK_INT(follow(&w, &event, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "no task of draftd has this draft");
    world_close(&w);
}

TEST(a_base_branch_needs_a_branch_to_be_taken_into)
{
    struct remark remark = make_remark(REMARK_BASE, "comment:1");
    struct event event = make_event(&remark);
    struct world w;
    struct err err;

    open_drafted(&w);
    event.origin = borrowed("github:acme/api#42");
    world_exec(&w, "UPDATE task SET branch = NULL");
    CHECK_INT(follow(&w, &event, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "has no branch yet");
    world_close(&w);
}

static void
check_red(struct world *w, const char *ref, int expected, const char *says)
{
    struct remark remark = make_remark(REMARK_CI, ref);
    struct event event = make_event(&remark);
    struct err err = {0};

    event.draft = 0;
    event.head_branch = borrowed("draftd/42-x");
    CHECK_INT(follow(w, &event, &err), expected);
    CHECK_CONTAINS(err.msg, says);
}

TEST(red_checks_are_followed_within_bounds)
{
    struct world w;

    open_drafted(&w);
    check_red(&w, "ci:9999", ERR_CONFLICT, "not of draftd's newest commit");
    world_exec(&w, "UPDATE task SET follow_ci = 0");
    check_red(&w, "ci:" HEAD, ERR_CONFLICT, "does not want red checks followed");
    world_exec(&w, "UPDATE task SET follow_ci = 1");
    check_red(&w, "ci:" HEAD, 0, "");
    CHECK_STORED(&w, "SELECT trigger_kind FROM run WHERE id = 2", "ci");
    world_exec(&w, "UPDATE task SET state = 2; UPDATE run SET state = 2, head_commit = 'abc'");
    check_red(&w, "ci:abc", 0, "");
    world_exec(&w, "UPDATE task SET state = 2; UPDATE run SET state = 2, head_commit = 'def'");
    check_red(&w, "ci:def", ERR_CONFLICT, "had 2 runs for red checks already");
    world_exec(&w, "UPDATE task SET draft_number = 8"); /* another draft, other rights */
    check_red(&w, "ci:def", 0, "");
    world_close(&w);
}

TEST(the_end_of_a_draft_is_recorded_and_ends_the_work)
{
    struct event event = {.kind = EVENT_DRAFT,
                          .draft = 7,
                          .repository = borrowed("acme/api"),
                          .actor = borrowed("bea"),
                          .draft_state = DRAFT_CLOSED,
                          .happened_ms = 5000};
    struct world w;
    struct err err;

    open_drafted(&w);
    world_exec(&w, "UPDATE run SET state = 0; UPDATE task SET state = 0");
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_STORED(&w, "SELECT draft_state || ' ' || draft_ended_ms || ' ' || state FROM task",
                 "3 5000 6");
    CHECK_STORED(&w, "SELECT cancel_requested FROM run", "whoever closed the draft");
    CHECK_STORED_CONTAINS(&w, "SELECT body FROM outbox WHERE kind = 0", "whoever closed the draft");
    CHECK_INT(follow(&w, &event, &err), ERR_CONFLICT);
    event.draft_state = DRAFT_OPEN;
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_STORED(&w, "SELECT draft_state || ' ' || draft_ended_ms FROM task", "1 0");
    world_close(&w);
}

TEST(questions_are_answered_where_they_were_asked)
{
    struct event event = {.kind = EVENT_ASK,
                          .command = MENTION_HELP,
                          .draft = 7,
                          .repository = borrowed("acme/api"),
                          .actor = borrowed("bea"),
                          .reaction_target = borrowed("55")};
    struct world w;
    struct err err;

    open_drafted(&w);
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_STORED(&w, "SELECT target FROM outbox WHERE kind = 2", "pull:7");
    CHECK_STORED_CONTAINS(&w, "SELECT body FROM outbox WHERE kind = 2", "`@draftd rebase`");
    event.command = MENTION_STATUS;
    event.reaction_target = borrowed("56");
    event.draft = 0;
    event.origin = borrowed("github:acme/api#42");
    CHECK_OK(follow(&w, &event, &err), err);
    CHECK_STORED(&w, "SELECT body FROM outbox WHERE kind = 2 AND target IS NULL",
                 "<!-- draftd:task=1 instance=ab12 answer=56 -->\n"
                 "Task 1 is **drafted**. Pull request 7 is open.\n");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    world_close(&w);
}

TEST_MAIN()
