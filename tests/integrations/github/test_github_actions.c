/* Failed jobs, their logs and failed check runs, against the stand-in. Each test ends by asking for
 * violations: there must be none. */
#include "integrations/github/github_actions.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_world.h"

#define RUN 4711
#define SUITE 815
#define SHA "6dcb09b5b57875f334f61aebed695e2e4193db5e"

static struct github *
begin(enum mode mode)
{
    world_begin();
    world_grant(json_pack("{s:s, s:s}", "actions", "read", "checks", "read"));
    return world_client(mode);
}

/* Returns its id. */
static int64_t
add_job(const char *name, const char *conclusion, json_t *steps, const char *log)
{
    json_t *const made =
        world_post("jobs", json_pack("{s:i, s:s, s:s, s:o, s:s?}", "run_id", RUN, "name", name,
                                     "conclusion", conclusion, "steps", steps, "log", log));
    const int64_t id = js_int(made, "id", 0);

    json_decref(made);
    return id;
}

/* What was handed over, a line for each job. */
static int
note_job(void *ctx, const struct github_job *job, struct err *err)
{
    struct strbuf *const notes = ctx;

    CHECK(job->id > 0 && str_starts_with(job->url, "https://github.com/" REPO "/actions/runs/"));
    strbuf_addf(notes, "%s %s:", job->name, job->conclusion);
    for (size_t i = 0; i < job->failed_step_count; i++)
        strbuf_addf(notes, " [%s]", job->failed_steps[i]);
    strbuf_add_str(notes, "\n");
    return str_equal(job->name, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(failed_jobs_are_told_with_their_failed_steps)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github *github = begin((enum mode)mode);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        (void)add_job("fine", "success", json_array(), NULL);
        for (int i = 0; i < 100; i++)
            (void)add_job("unneeded", i % 2 ? "skipped" : "cancelled", json_array(), NULL);
        (void)add_job("tests", "failure",
                      json_pack("[{s:s,s:s}, {s:s,s:s}, {s:s,s:s}, {s:s,s:n}]", "name", "Set up",
                                "conclusion", "success", "name", "Run tests", "conclusion",
                                "failure", "name", "Lint \xe2\x98\x83", "conclusion", "failure",
                                "name", "Later", "conclusion"),
                      NULL);
        (void)add_job("slow", "timed_out", json_array(), NULL);
        (void)add_job("unborn", "startup_failure", json_array(), NULL);
        CHECK_OK(github_each_failed_job(github, REPO, RUN, note_job, &notes, &err), err);
        CHECK_STR(strbuf_str(&notes), "tests failure: [Run tests] [Lint \xe2\x98\x83]\n"
                                      "slow timed_out:\nunborn startup_failure:\n");
        (void)add_job("enough", "failure", json_array(), NULL);
        CHECK_INT(github_each_failed_job(github, REPO, RUN, note_job, &notes, &err), ERR_CANCELED);
        CHECK_INT(github_each_failed_job(github, REPO, 1, note_job, &notes, &err), ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "reading the jobs of a workflow run of " REPO);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(more_failed_steps_than_can_be_of_use_are_cut)
{
    struct github *github = begin(AS_USER);
    json_t *const steps = json_array();
    AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
    struct err err;

    for (int i = 0; i < 100; i++)
        json_array_append_new(steps, json_pack("{s:s,s:s}", "name", "x", "conclusion", "failure"));
    (void)add_job("many", "failure", steps, NULL);
    CHECK_OK(github_each_failed_job(github, REPO, RUN, note_job, &notes, &err), err);
    CHECK_INT(notes.len, strlen("many failure:\n") + 32 * strlen(" [x]"));
    CHECK_INT(world_end(github), 0);
}

static void
check_log(struct github *github, int64_t job, size_t max_bytes, const char *expected)
{
    auto_free char *text = NULL;
    struct err err;

    CHECK_OK(github_job_log(github, REPO, job, max_bytes, &text, &err), err);
    CHECK_STR(text, expected);
}

TEST(the_end_of_a_log_is_read)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github *github = begin((enum mode)mode);
        AUTO_DONE(strbuf_done) struct strbuf log = STRBUF_INIT(8 * 1024 * 1024);

        const int64_t short_one = add_job("a", "failure", json_array(), "one\ntwo\nthree\n");
        check_log(github, short_one, 1000, "one\ntwo\nthree\n");
        check_log(github, short_one, 14, "one\ntwo\nthree\n");
        check_log(github, short_one, 13, "two\nthree\n");
        check_log(github, short_one, 9, "three\n");
        check_log(github, short_one, 3, "");
        check_log(github, add_job("b", "failure", json_array(), "no line break"), 5, "break");
        check_log(github, add_job("c", "failure", json_array(), ""), 100, "");
        for (int i = 0; i < 300000; i++)
            strbuf_add_str(&log, "a line of a log\n");
        strbuf_add_str(&log, "the reason");
        check_log(github, add_job("d", "failure", json_array(), strbuf_str(&log)), 30,
                  "a line of a log\nthe reason");
        CHECK_INT(world_calls("log"), 8);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(a_log_of_any_bytes_becomes_text)
{
    struct github *github = begin(AS_USER);
    json_t *const made =
        world_post("jobs", json_pack("{s:i, s:s, s:s}", "run_id", RUN, "log", /* a\xff b\0 c */
                                     "Yf8gYgAgYw==", "log_encoding", "base64"));

    check_log(github, js_int(made, "id", 0), 100, "a\xef\xbf\xbd b\xef\xbf\xbd c");
    check_log(github, js_int(made, "id", 0), 7, " b\xef\xbf\xbd c");
    check_log(github, js_int(made, "id", 0), 4, " c"); /* what became longer is cut again */
    json_decref(made);
    CHECK_INT(world_end(github), 0);
}

TEST(logs_that_are_gone_are_told)
{
    struct github *github = begin(AS_APP);
    const int64_t job = add_job("a", "failure", json_array(), NULL);
    char *text;
    struct err err;

    CHECK_INT(github_job_log(github, REPO, job, 100, &text, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "reading the log of a job of " REPO);
    CHECK_INT(world_end(github), 0);

    world_begin();
    github = world_client(AS_APP); /* who was not granted it */
    CHECK_INT(github_job_log(github, REPO, job, 100, &text, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "lacks actions=read");
    CHECK_INT(world_end(github), 0);
}

/* --- Check runs */

static void
add_check(const char *name, const char *conclusion, const char *app, json_t *output)
{
    json_decref(world_post(
        "check-runs", json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o}", "name", name, "head_sha",
                                SHA, "suite_id", SUITE, "conclusion", conclusion, "app_slug", app,
                                "details_url", "https://ci.example.org/1", "output", output)));
}

static int
note_check(void *ctx, const struct github_failed_check *check, struct err *err)
{
    struct strbuf *const notes = ctx;

    CHECK(check->id > 0);
    strbuf_addf(notes, "%s %s by %s <%s>: %s|%s|%s\n", check->name, check->conclusion, check->app,
                check->url, check->title, check->summary, check->text);
    return str_equal(check->name, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(failed_check_runs_of_a_suite_are_told)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github *github = begin((enum mode)mode);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        add_check("build", "success", "ci", json_object());
        add_check("flaky", "failure", "ci", json_object());
        add_check("flaky", "success", "ci", json_object());
        for (int i = 0; i < 100; i++) {
            char name[32];
            snprintf(name, sizeof(name), "neutral %d", i);
            add_check(name, "neutral", "ci", json_object());
        }
        add_check("style", "failure", "lint-app",
                  json_pack("{s:s, s:s, s:s}", "title", "2 faults", "summary", "see below", "text",
                            "a.c:1"));
        add_check("bare", "timed_out", "github-actions", json_object());
        CHECK_OK(github_each_failed_check(github, REPO, SUITE, note_check, &notes, &err), err);
        CHECK_STR(
            strbuf_str(&notes),
            "bare timed_out by github-actions <https://ci.example.org/1>: ||\n"
            "style failure by lint-app <https://ci.example.org/1>: 2 faults|see below|a.c:1\n");
        CHECK_INT(github_each_failed_check(github, REPO, 1, note_check, &notes, &err),
                  ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "reading the check runs of " REPO);
        add_check("enough", "failure", "ci", json_object());
        CHECK_INT(github_each_failed_check(github, REPO, SUITE, note_check, &notes, &err),
                  ERR_CANCELED);
        CHECK_INT(world_end(github), 0);
    }
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
