/* Programs that answer what we say, under the account of a person: it is enough some time. */
#include "handlers/intake/loops.h"
#include "tests/handlers/intake/apply.h"

#include "server/store/remark.h"

#define ISSUE "github:acme/api#42"

static struct change change; /* the last */
static struct world w;
static int64_t now_ms;

/* Whether it began a run, which then ends with a draft. */
static bool
begins(const struct event *event)
{
    const int64_t runs = world_int(&w, "SELECT count(*) FROM run");

    now_ms += 5 * MS_PER_MINUTE / 2;
    change = (struct change){.world = &w, .event = event, .now_ms = now_ms};
    apply(&change);
    const bool began = world_int(&w, "SELECT count(*) FROM run") > runs;
    end_work(&w);
    return began;
}

static void
open_drafted(void)
{
    world_open(&w, NULL, 0);
    world_make_task(&w, "github", ISSUE);
    now_ms = 1000 * MS_PER_DAY;
    world_exec(&w, "UPDATE run SET state = 2, outcome = 1;"
                   "UPDATE task SET state = 2, draft_number = 7, draft_state = 1,"
                   " branch = 'draftd/42-x', base_branch = 'main'");
}

/* Something that is said in the issue. */
static bool
mentioned(const char *actor, const char *words, enum mention_command command)
{
    const struct event event = {.kind = EVENT_START,
                                .trigger = borrowed("mention"),
                                .origin = borrowed(ISSUE),
                                .order_key = borrowed(ISSUE),
                                .repository = borrowed("acme/api"),
                                .number = 42,
                                .title = borrowed("x"),
                                .actor = borrowed(actor),
                                .command = command,
                                .instruction = borrowed(words),
                                .happened_ms = now_ms + MS_PER_MINUTE};

    return begins(&event);
}

/* Something that is said on a line of the draft, in the thread of comment `thread`. */
static bool
remarked(const char *actor, const char *words, const char *thread)
{
    static int count;
    char ref[32];

    (void)snprintf(ref, sizeof(ref), "line:%d", ++count);
    struct remark remark = {.kind = REMARK_LINE,
                            .ref = ref,
                            .text = borrowed(words),
                            .target = borrowed(thread),
                            .happened_ms = now_ms + MS_PER_MINUTE};
    const struct event event = {.kind = EVENT_REMARK,
                                .trigger = borrowed("review"),
                                .draft = 7,
                                .repository = borrowed("acme/api"),
                                .actor = borrowed(actor),
                                .remark = &remark,
                                .happened_ms = remark.happened_ms};

    return begins(&event);
}

static int64_t
count_declines(void)
{
    return world_int(&w, "SELECT count(*) FROM outbox WHERE kind = 2 AND body LIKE '%Not done%'");
}

TEST(the_same_words_are_heard_twice)
{
    open_drafted();
    CHECK(mentioned("helper", "build 1 is red after 12 s", MENTION_WORK));
    CHECK(mentioned("helper", "Build 2 is red after 7 s!", MENTION_WORK));
    CHECK(!mentioned("helper", "build 3 is red after 9 s", MENTION_WORK));
    CHECK_CONTAINS(change.said, "helper said the same 2 times already");
    CHECK(!mentioned("helper", "build 4 is red after 9 s", MENTION_WORK));
    CHECK_INT(count_declines(), 1);
    CHECK_STORED_CONTAINS(&w, "SELECT body FROM outbox WHERE kind = 2",
                          "answer=run3 -->\n**Not done**: helper said the same 2 times already: "
                          "say what should be different.\n");
    /* Others, and other words, are heard. */
    CHECK(mentioned("ann", "build 4 is red after 9 s", MENTION_WORK));
    CHECK(mentioned("helper", "build 4 is slow", MENTION_WORK));
    now_ms += MS_PER_DAY;
    CHECK(mentioned("helper", "build 5 is red after 9 s", MENTION_WORK));
    world_close(&w);
}

TEST(commands_may_be_repeated)
{
    open_drafted();
    for (int i = 0; i < 5; i++)
        CHECK(mentioned("ann", "please", MENTION_RETRY));
    for (int i = 0; i < 4; i++)
        CHECK(mentioned("ann", NULL, MENTION_WORK));
    world_close(&w);
}

TEST(a_bot_that_thanks_for_each_answer)
{
    open_drafted();
    CHECK(remarked("helper", "> Done in `abc1234`, verified.\n\nThank you!", "line:7/1"));
    CHECK(remarked("helper", "> Done in `def5678`, without checks.\n\nThank you!", "line:7/1"));
    CHECK(!remarked("helper", "> Nothing was changed for this.\n\nThank you!", "line:7/1"));
    /* At another line the same words are something else: "Typo." */
    CHECK(remarked("helper", "Thank you!", "line:7/2"));
    CHECK_STORED(&w, "SELECT target FROM outbox WHERE kind = 2", "pull:7");
    world_close(&w);
}

TEST(runs_within_an_hour_have_a_bound)
{
    char words[32];

    open_drafted();
    for (int i = 0; i < 10; i++) {
        (void)snprintf(words, sizeof(words), "say %c", 'a' + i);
        CHECK(mentioned(i % 2 ? "helper" : "other", words, MENTION_WORK));
    }
    CHECK(!mentioned("ann", "say z", MENTION_WORK));
    CHECK_CONTAINS(change.said, "had 10 runs within an hour");
    CHECK(!mentioned("ann", NULL, MENTION_RETRY));
    CHECK(!remarked("ann", "Why?", "line:7/1"));
    CHECK_INT(count_declines(), 1);
    now_ms += 40 * MS_PER_MINUTE;
    CHECK(mentioned("ann", "say z", MENTION_WORK));
    world_close(&w);
}

/* As bridges repeat our words: with their markup, or with what stays of that elsewhere. */
TEST(our_own_words_are_nothing_new)
{
    static const char ours[] =
        "<!-- draftd:task=1 instance=ab12 -->\n**Queued**: work begins as soon as a worker is "
        "free.\n\nAsked by ann (label). `@draftd cancel` stops it.\n";
    static const char answer[] = "<!-- draftd:task=1 instance=ab12 answer=3 -->\nDone in "
                                 "`abc1234`, verified.\n\nThe agent says:\n\n> Made it longer.\n";
    static const char *const echoes[] = {
        "draftd [bot]: Queued: work begins as soon as a worker is free. Asked by ann (label). "
        "cancel stops it.",
        "*draftd* wrote\n```\nQueued: work begins as soon as a worker is free.\nAsked by ann "
        "(label). @draftd cancel stops it.\n```",
        "Done in abc1234, verified. The agent says: Made it longer.",
        "**draftd**:\nDone in `abc1234`, verified.\n\nThe agent says:\n\n> Made it longer.",
    };
    static const char *const others[] = {
        "> Done in `abc1234`, verified.\n>\n> The agent says:\n>\n> Made it longer.\n\nToo long.",
        "Done in abc1234, verified. The agent says: that is no answer, line 2 is still as short.",
        "Made it longer.",
        "Done.",
    };

    open_drafted();
    auto_free char *sql =
        str_printf("INSERT INTO outbox (platform, thread, kind, task, body, state, next_ms,"
                   " created_ms) VALUES ('github', '" ISSUE "', 0, 1, '%s', 1, 0, 0),"
                   " ('github', '" ISSUE "', 2, 1, '%s', 1, 0, 0)",
                   ours, answer);
    world_exec(&w, sql);
    for (size_t i = 0; i < COUNT(echoes); i++) {
        if (mentioned("bridge", echoes[i], MENTION_WORK) ||
            remarked("bridge", echoes[i], "line:7/1"))
            TEST_FAIL("was heard: %s", echoes[i]);
        CHECK_CONTAINS(change.said, "it only repeats what draftd said itself");
    }
    CHECK_INT(count_declines(), 0);
    for (size_t i = 0; i < COUNT(others); i++)
        if (!mentioned("ann", others[i], MENTION_WORK) || !remarked("bea", others[i], "line:7/1"))
            TEST_FAIL("was not heard: %s", others[i]);
    world_close(&w);
}

static void
check_questions(struct event event)
{
    int64_t answers = world_int(&w, "SELECT count(*) FROM outbox WHERE kind = 2");
    char target[16];

    event.kind = EVENT_ASK;
    event.command = MENTION_HELP;
    event.repository = borrowed("acme/api");
    event.actor = borrowed("helper");
    event.reaction_target = target;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(target, sizeof(target), "%d", i);
        CHECK(!begins(&event));
        now_ms -= 5 * MS_PER_MINUTE / 2;
    }
    CHECK_CONTAINS(change.said, "10 comments were answered here within an hour");
    answers = world_int(&w, "SELECT count(*) FROM outbox WHERE kind = 2") - answers;
    CHECK_INT(answers, 10);
}

TEST(questions_within_an_hour_have_a_bound)
{
    open_drafted();
    check_questions((struct event){.origin = borrowed(ISSUE), .number = 42});
    check_questions((struct event){.origin = borrowed("github:acme/api#43"), .number = 43});
    now_ms += MS_PER_HOUR + MS_PER_MINUTE;
    check_questions(
        (struct event){.origin = borrowed("github:acme/api#43"), .number = 43, .happened_ms = 1});
    world_close(&w);
}

TEST_MAIN()
