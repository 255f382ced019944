/* What an agent is told of the thread: people's words, and the run goes on without them when they
 * will not be had. */
#include "tests/handlers/world.h"

#include "handlers/platform.h"
#include "handlers/run/agent.h"

#define COMMENTS "GET /repos/acme/api/issues/42/comments?per_page=100 "

struct bench {
    struct world world;
    struct sessions sessions;
    struct work work;
};

static int
load_work(struct db *db, void *ctx, struct err *err)
{
    struct work *work = ctx;
    const int r = task_get(db, 1, &work->task, err);
    return r ? r : run_get(db, 1, &work->run, err);
}

/* A run of a platform's task, in a worker's hands. */
static void
bench_open(struct bench *b, const char *platform, const struct fake_exchange *script, size_t count)
{
    struct err err;

    *b = (struct bench){0};
    world_open(&b->world, script, count);
    b->sessions = (struct sessions){.app = &b->world.app};
    world_make_task(&b->world, platform, "github:acme/api#42");
    b->work.app = &b->world.app;
    CHECK_OK(store_read(b->world.app.store, load_work, &b->work, &err), err);
    CHECK_OK(sessions_get(&b->sessions, platform_find(platform), &b->work.session, &err), err);
}

static void
bench_close(struct bench *b)
{
    work_done(&b->work);
    sessions_done(&b->sessions);
    world_close(&b->world);
}

/* Comment n was written at 05:00:0n. */
static const struct {
    const char *login; /* NULL: the account is gone */
    const char *type;
    const char *more;
    const char *body;
} said[] = {
    {"ann", "User", "", "It is the parser."},
    {"Draftd-Bot", "User", "", "our own words"},
    {"draftd[bot]", "Bot", "", "<!-- draftd:task=1 instance=ab12 -->\\nqueued"},
    {"other[bot]", "Bot", "", "coverage is 90 %"},
    {"eve", "User", ",\"performed_via_github_app\":{\"id\":7}", "by an App"},
    {"eve", "User", "", "<!-- draftd:task=9 instance=ff -->\\nof another draftd"},
    {NULL, NULL, "", "my account is gone"},
    {"eve", "User", "", ""},
    {"octocat", "User", "", "@draftd use a table"},
    {"ann", "User", "", "Yes."},
};

#define MENTIONED_AT "2026-11-21T05:00:08Z"

static char *
make_talk(void)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(16 * 1024);
    char *talk;
    struct err err;

    strbuf_add_str(&buf, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         "Connection: close\r\n\r\n");
    for (size_t i = 0; i < COUNT(said); i++) {
        strbuf_add_str(&buf, i ? ",{\"user\":" : "[{\"user\":");
        if (said[i].login)
            strbuf_addf(&buf, "{\"login\":\"%s\",\"type\":\"%s\"}", said[i].login, said[i].type);
        else
            strbuf_add_str(&buf, "null");
        strbuf_addf(&buf, "%s,\"created_at\":\"2026-11-21T05:00:0%zuZ\",\"body\":\"%s\"}",
                    said[i].more, i, said[i].body);
    }
    strbuf_add_char(&buf, ']');
    CHECK_OK(strbuf_take(&buf, &talk, &err), err);
    return talk;
}

TEST(only_what_people_said_is_kept)
{
    auto_free char *talk = make_talk();
    const struct fake_exchange script[] = {{.expect = COMMENTS, .reply = talk, .then = FAKE_CLOSE}};
    struct bench b;
    struct err err;

    bench_open(&b, "github", script, COUNT(script));
    CHECK_OK(agent_read_thread(&b.work, &err), err);
    world_check_api(&b.world);
    const struct comments *thread = &b.work.thread;
    CHECK_INT(thread->count, 4);
    CHECK_STR(thread->items[0].author, "ann");
    CHECK_STR(thread->items[0].text, "It is the parser.");
    CHECK_INT(thread->items[0].written_ms, clock_parse("2026-11-21T05:00:00Z", 0));
    CHECK(!thread->items[1].author);
    CHECK_STR(thread->items[1].text, "my account is gone");
    CHECK_STR(thread->items[2].text, "@draftd use a table");
    CHECK_STR(thread->items[3].text, "Yes.");
    bench_close(&b);
}

TEST(the_mention_that_began_the_run_is_told_once)
{
    auto_free char *talk = make_talk();
    const struct fake_exchange script[] = {{.expect = COMMENTS, .reply = talk, .then = FAKE_CLOSE}};
    struct bench b;
    struct err err;

    bench_open(&b, "github", script, COUNT(script));
    CHECK_OK(str_set(&b.work.run->instruction, "use a table", &err), err);
    b.work.run->trigger_ms = clock_parse(MENTIONED_AT, 0);
    CHECK_OK(agent_read_thread(&b.work, &err), err);
    world_check_api(&b.world);
    CHECK_INT(b.work.thread.count, 3);
    CHECK_STR(b.work.thread.items[2].text, "Yes.");
    bench_close(&b);
}

/* Without github.login a machine user is asked for its name, an App is not: its comments are a
 * bot's. */
TEST(our_own_name_is_asked_for_when_it_matters)
{
    auto_free char *talk = make_talk();
    const struct fake_exchange script[] = {
        {.expect = "GET /user ", ANSWER("200 OK", "{\"login\":\"draftd-bot\"}")},
        {.expect = COMMENTS, .reply = talk, .then = FAKE_CLOSE},
    };
    struct bench b;
    struct err err;

    bench_open(&b, "local", script, COUNT(script));
    b.world.settings.github.login = NULL;
    CHECK_OK(sessions_get(&b.sessions, platform_find("github"), &b.work.session, &err), err);
    CHECK_OK(str_set(&b.work.task->repository, "acme/api", &err), err);
    CHECK_OK(agent_read_thread(&b.work, &err), err);
    world_check_api(&b.world);
    CHECK_INT(b.work.thread.count, 4);
    bench_close(&b);
}

TEST(without_a_thread_there_is_nothing_to_read)
{
    struct bench b;
    struct err err;

    bench_open(&b, "local", NULL, 0);
    CHECK_OK(agent_read_thread(&b.work, &err), err);
    CHECK_INT(b.work.thread.count, 0);
    bench_close(&b);
}

/* What the platform answers, and whether the run goes on without the thread. */
static void
check_answer(const char *reply, int result)
{
    const struct fake_exchange script[] = {
        {.expect = COMMENTS, .reply = reply, .then = FAKE_CLOSE}};
    struct bench b;
    struct err err = {0};

    bench_open(&b, "github", script, COUNT(script));
    const int r = agent_read_thread(&b.work, &err);
    world_check_api(&b.world);
    if (r != result)
        TEST_FAIL("%.30s: %d %s", reply ? reply : "nothing", r, err.msg);
    CHECK_INT(b.work.thread.count, 0);
    bench_close(&b);
}

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"

TEST(what_will_not_be_had_is_done_without)
{
    check_answer(HEAD("401 Unauthorized") "\r\n{}", 0);
    check_answer(HEAD("403 Forbidden") "\r\n{\"message\":\"Resource not accessible\"}", 0);
    check_answer(HEAD("404 Not Found") "\r\n{}", 0);
    check_answer(HEAD("410 Gone") "\r\n{}", 0);
    check_answer(HEAD("422 Unprocessable Entity") "\r\n{}", 0);
}

TEST(what_may_be_had_later_is_waited_for)
{
    check_answer(HEAD("502 Bad Gateway") "\r\n", ERR_REMOTE);
    check_answer(HEAD("200 OK") "\r\n[{", ERR_REMOTE);
    check_answer(HEAD("429 Too Many Requests") "Retry-After: 7\r\n\r\n{}", ERR_LIMIT);
    check_answer(NULL, ERR_REMOTE); /* hung up */
}

TEST_MAIN()
