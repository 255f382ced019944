/* Who mentions the bot on a draft that was merged or closed is told so, once. */
#include "tests/handlers/intake/apply.h"

#include "server/store/past_draft.h"

#define COMMENTS "SELECT count(*) FROM outbox WHERE kind = 2"
#define NEWEST "SELECT body FROM outbox WHERE kind = 2 ORDER BY id DESC LIMIT 1"
#define PULL_2 "[Pull request 2](https://example.org/pull/2)"
#define ISSUE "[the issue](https://example.org/42)"

static struct world w;

/* A task whose run ended with draft 2, which was merged. */
static void
open_merged(void)
{
    world_open(&w, NULL, 0);
    world_make_task(&w, "github", "github:acme/api#42");
    world_exec(&w, "UPDATE run SET state = 2, outcome = 1, trigger_ref = 'comment:9';"
                   "UPDATE task SET state = 2, draft_number = 2, draft_state = 2,"
                   " draft_url = 'https://example.org/pull/2', branch = 'draftd/42-x',"
                   " url = 'https://example.org/42', base_branch = 'main'");
}

static int
leave_in(struct db *db, void *ctx, struct err *err)
{
    (void)ctx;
    return task_leave_draft(db, 1, err);
}

/* And which went on to draft 5. */
static void
open_gone_on(void)
{
    struct err err;

    open_merged();
    CHECK_OK(store_transact(w.app.store, leave_in, NULL, &err), err);
    world_exec(&w, "UPDATE task SET draft_number = 5, draft_state = 1,"
                   " draft_url = 'https://example.org/pull/5'");
}

struct said {
    enum event_kind kind;
    enum mention_command command;
    const char *ref;
    const char *target; /* as event.reaction_target */
};

/* Why nothing was done about what is said on draft 2; "": something was. */
static const char *
say(const struct said *said)
{
    static struct change change;
    struct remark remark = {.kind = REMARK_COMMENT,
                            .ref = borrowed(said->ref),
                            .text = borrowed("and a table"),
                            .target = borrowed("pull:2")};
    const struct event event = {.kind = said->kind,
                                .trigger = borrowed("mention"),
                                .command = said->command,
                                .draft = 2,
                                .number = 2,
                                .repository = borrowed("acme/api"),
                                .actor = borrowed("bea"),
                                .reaction_target = borrowed(said->target),
                                .remark = &remark};

    change = (struct change){.world = &w, .event = &event, .now_ms = 30000};
    apply(&change);
    return change.said;
}

static const struct said mention = {EVENT_REMARK, MENTION_WORK, "comment:1", "1"};

TEST(a_mention_on_the_draft_that_ended_is_answered_once)
{
    open_merged();
    CHECK_STR(say(&mention), "the draft of task 1 was merged");
    CHECK_STORED(&w, NEWEST,
                 "<!-- draftd:task=1 instance=ab12 answer=1 -->\n" PULL_2
                 " was merged: draftd does nothing more on it. To have more done, mention `@draftd`"
                 " in " ISSUE ", which has to be open.\n");
    CHECK_STORED(&w, "SELECT target FROM outbox WHERE kind = 2", "pull:2");
    CHECK_STR(say(&mention), "that was answered already");
    CHECK_INT(world_int(&w, COMMENTS), 1);
    const struct said other = {EVENT_REMARK, MENTION_REBASE, "comment:2", "2"};
    CHECK_STR(say(&other), "the draft of task 1 was merged");
    CHECK_INT(world_int(&w, COMMENTS), 2);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM remark"), 0);
    world_close(&w);
}

TEST(what_is_not_said_to_the_bot_is_not_answered)
{
    const struct said line = {EVENT_REMARK, MENTION_NONE, "line:1", "line:2/1"};

    open_merged();
    CHECK_STR(say(&line), "the draft of task 1 was merged");
    CHECK_INT(world_int(&w, COMMENTS), 0);
    world_close(&w);
    open_gone_on();
    CHECK_STR(say(&line), "task 1 has draft 2 no more: merged");
    CHECK_INT(world_int(&w, COMMENTS), 0);
    world_close(&w);
}

/* A sign can be put on neither; they are told apart all the same. */
TEST(each_review_that_mentions_the_bot_is_answered)
{
    const struct said first = {EVENT_REMARK, MENTION_WORK, "review:1", NULL};
    const struct said second = {EVENT_REMARK, MENTION_WORK, "review:2", NULL};

    open_merged();
    CHECK_STR(say(&first), "the draft of task 1 was merged");
    CHECK_STR(say(&second), "the draft of task 1 was merged");
    CHECK_STR(say(&first), "that was answered already");
    CHECK_INT(world_int(&w, COMMENTS), 2);
    world_close(&w);
}

TEST(a_mention_on_a_past_draft_is_told_where_work_goes_on)
{
    open_gone_on();
    CHECK_STR(say(&mention), "");
    CHECK_STORED(&w, NEWEST,
                 "<!-- draftd:task=1 instance=ab12 answer=1 -->\n" PULL_2
                 " was merged: draftd does nothing more on it. To have more done, mention `@draftd`"
                 " in [pull request 5](https://example.org/pull/5), which is open now.\n");
    CHECK_STORED(&w, "SELECT target FROM outbox WHERE kind = 2", "pull:2");
    CHECK_STR(say(&mention), "that was answered already");
    const struct said heard = {EVENT_REMARK, MENTION_WORK, "comment:9", "9"};
    CHECK_STR(say(&heard), "task 1 knows comment:9 already");

    world_exec(&w, "UPDATE task SET draft_state = 3");
    const struct said later = {EVENT_REMARK, MENTION_WORK, "comment:2", "2"};
    CHECK_STR(say(&later), "");
    CHECK_STORED_CONTAINS(&w, NEWEST, "mention `@draftd` in " ISSUE ", which has to be open.");
    CHECK_INT(world_int(&w, COMMENTS), 2);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    world_close(&w);
}

TEST(whatever_is_asked_on_a_past_draft_is_answered)
{
    const struct said wishes[] = {{EVENT_START, MENTION_RETRY, "comment:1", "1"},
                                  {EVENT_CANCEL, MENTION_CANCEL, "comment:2", "2"},
                                  {EVENT_ASK, MENTION_STATUS, "comment:3", "3"}};
    const struct said help = {EVENT_ASK, MENTION_HELP, "comment:4", "4"};

    open_gone_on();
    for (size_t i = 0; i < COUNT(wishes); i++) {
        CHECK_STR(say(&wishes[i]), "");
        CHECK_INT(world_int(&w, COMMENTS), (int64_t)i + 1);
        CHECK_STORED_CONTAINS(&w, NEWEST, PULL_2 " was merged: ");
    }
    CHECK_STR(say(&help), "");
    CHECK_STORED_CONTAINS(&w, NEWEST, "`@draftd rebase`");
    world_close(&w);
}

/* Deliveries come late, and people change their minds. */
TEST(what_became_of_a_past_draft_is_noted)
{
    static struct change change;
    struct event event = {.kind = EVENT_DRAFT,
                          .draft = 2,
                          .repository = borrowed("acme/api"),
                          .actor = borrowed("bea"),
                          .draft_state = DRAFT_CLOSED,
                          .happened_ms = 5000};

    open_gone_on();
    change = (struct change){.world = &w, .event = &event, .now_ms = 30000};
    apply(&change);
    CHECK_STR(change.said, "");
    CHECK_STORED(&w, "SELECT state || ' ' || ended_ms FROM past_draft", "3 5000");
    apply(&change);
    CHECK_STR(change.said, "that is known");
    event.draft_state = DRAFT_OPEN;
    apply(&change);
    CHECK_STORED(&w, "SELECT state || ' ' || ended_ms FROM past_draft", "1 0");
    CHECK_INT(world_int(&w, "SELECT draft_state FROM task"), 1);
    event.draft = 3;
    apply(&change);
    CHECK_STR(change.said, "no task of draftd has this draft");
    world_close(&w);
}

TEST_MAIN()
