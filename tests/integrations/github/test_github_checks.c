/* Check runs and commit statuses, against the stand-in. Each test ends by asking for violations:
 * there must be none. */
#include "integrations/github/github_checks.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_world.h"

#define SHA "6dcb09b5b57875f334f61aebed695e2e4193db5e"
#define NAME "draftd / evidence"
#define EXTERNAL_ID "task 7, run 1"
#define OTHER_SHA "9c48853fa3dc5c1c3d6f1f1cd1f2743e72652840"

static const struct github_check a_check = {
    .name = NAME,
    .external_id = EXTERNAL_ID,
    .conclusion = "success",
    .title = "All\nis \"well\"",
    .summary = "3 checks",
    .text = "| a | b |\n\xe2\x98\x83",
    .url = "https://example.org/7",
};

static struct github *
begin_granted(void)
{
    world_begin();
    world_grant(json_pack("{s:s}", "checks", "write"));
    return world_client(AS_APP);
}

TEST(check_runs_are_made_found_and_edited)
{
    struct github *github = begin_granted();
    struct github_check changed = a_check;
    struct err err;
    int64_t id;
    int64_t found;

    CHECK_OK(github_create_check(github, REPO, SHA, &a_check, &id, &err), err);
    CHECK_OK(github_find_check(github, REPO, SHA, a_check.name, a_check.external_id, &found, &err),
             err);
    CHECK_INT(found, id);
    changed.conclusion = "neutral";
    changed.text = NULL;
    changed.url = NULL;
    CHECK_OK(github_edit_check(github, REPO, id, &changed, &err), err);

    json_t *const state = world_repository();
    const json_t *const kept = js_at(state, "check_runs.0");
    CHECK_INT(js_int(kept, "id", 0), id);
    CHECK_STR(js_str(kept, "name"), a_check.name);
    CHECK_STR(js_str(kept, "head_sha"), SHA);
    CHECK_STR(js_str(kept, "external_id"), a_check.external_id);
    CHECK_STR(js_str(kept, "status"), "completed");
    CHECK_STR(js_str(kept, "history.0.conclusion"), "success");
    CHECK_STR(js_str(kept, "conclusion"), "neutral");
    CHECK_STR(js_str(kept, "output.title"), "All is \"well\"");
    CHECK_STR(js_str(kept, "output.summary"), "3 checks");
    CHECK_STR(js_str(kept, "output.text"), a_check.text);
    CHECK_STR(js_str(kept, "details_url"), a_check.url);
    json_decref(state);
    CHECK_INT(world_end(github), 0);
}

/* A check run that somebody made. */
static void
make_check(const char *name, const char *sha, const char *external_id, int app_id)
{
    json_decref(
        world_post("check-runs", json_pack("{s:s, s:s, s:s, s:i}", "name", name, "head_sha", sha,
                                           "external_id", external_id, "app_id", app_id)));
}

TEST(only_our_own_check_run_is_found)
{
    static const struct {
        const char *name, *sha, *external_id;
        int app_id, result;
    } cases[] = {
        {NAME, SHA, EXTERNAL_ID, 999, ERR_NOTFOUND},
        {NAME, SHA, "another run", 12345, ERR_NOTFOUND},
        {NAME, OTHER_SHA, EXTERNAL_ID, 12345, ERR_NOTFOUND},
        {"another name", SHA, EXTERNAL_ID, 12345, ERR_NOTFOUND},
        {NAME, SHA, EXTERNAL_ID, 12345, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct github *github = begin_granted();
        struct err err = {0};
        int64_t id;

        make_check(cases[i].name, cases[i].sha, cases[i].external_id, cases[i].app_id);
        make_check(a_check.name, SHA, "a later one", 12345);
        const int result =
            github_find_check(github, REPO, SHA, a_check.name, a_check.external_id, &id, &err);
        if (result != cases[i].result)
            TEST_FAIL("case %zu: %d %s", i, result, err.msg);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(check_runs_are_found_on_later_pages)
{
    struct github *github = begin_granted();
    struct err err;
    int64_t id;
    int64_t found;

    CHECK_OK(github_create_check(github, REPO, SHA, &a_check, &id, &err), err);
    for (int i = 0; i < 100; i++)
        make_check(a_check.name, SHA, "later", 12345);
    CHECK_OK(github_find_check(github, REPO, SHA, a_check.name, a_check.external_id, &found, &err),
             err);
    CHECK_INT(found, id);
    CHECK_INT(world_calls("checks/list-for-ref"), 2);
    CHECK_INT(world_end(github), 0);
}

TEST(long_check_runs_are_cut)
{
    struct github *github = begin_granted();
    struct github_check check = a_check;
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(1024 * 1024);
    struct err err;
    int64_t id;

    for (int i = 0; i < 70000; i++)
        strbuf_add_str(&text, "\xf0\x9f\x91\x80");
    check.title = check.summary = check.text = strbuf_str(&text);
    CHECK_OK(github_create_check(github, REPO, SHA, &check, &id, &err), err);
    CHECK_OK(github_edit_check(github, REPO, id, &check, &err), err);
    json_t *const state = world_repository();
    static const char *const members[] = {"check_runs.0.output.summary",
                                          "check_runs.0.output.text"};
    for (size_t i = 0; i < 2; i++) {
        const char *const kept = js_str(state, members[i]);
        CHECK(utf8_count(kept, strlen(kept)) > 65000);
        CHECK(str_ends_with(kept, "\xf0\x9f\x91\x80\xe2\x80\xa6"));
    }
    json_decref(state);
    CHECK_INT(world_end(github), 0);
}

TEST(check_runs_that_github_refuses)
{
    struct err err;
    int64_t id;

    world_begin();
    struct github *github = world_client(AS_USER);
    CHECK_INT(github_create_check(github, REPO, SHA, &a_check, &id, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "authenticate via a GitHub App");
    CHECK_INT(world_end(github), 0);

    world_begin();
    github = world_client(AS_APP);
    CHECK_INT(github_create_check(github, REPO, SHA, &a_check, &id, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "lacks checks=write");
    CHECK_INT(world_end(github), 0);

    github = begin_granted();
    CHECK_INT(github_create_check(github, REPO, "main", &a_check, &id, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "No commit found");
    CHECK_INT(github_edit_check(github, REPO, 1, &a_check, &err), ERR_NOTFOUND);
    CHECK_INT(github_find_check(github, REPO, "..", a_check.name, a_check.external_id, &id, &err),
              ERR_INVALID);
    CHECK_INT(world_end(github), 0);
}

TEST(statuses_are_set)
{
    world_begin();
    struct github *github = world_client(AS_USER);
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct github_status status = {.state = "failure",
                                   .context = "draftd",
                                   .description = "2 of 3\nchecks failed",
                                   .url = "https://example.org/7"};
    struct err err;

    CHECK_OK(github_set_status(github, REPO, SHA, &status, &err), err);
    for (int i = 0; i < 141; i++)
        strbuf_add_str(&text, "\xc3\xa9");
    status = (struct github_status){
        .state = "success", .context = "draftd", .description = strbuf_str(&text)};
    CHECK_OK(github_set_status(github, REPO, SHA, &status, &err), err);
    json_t *const state = world_repository();
    CHECK_STR(js_str(state, "statuses.0.sha"), SHA);
    CHECK_STR(js_str(state, "statuses.0.state"), "failure");
    CHECK_STR(js_str(state, "statuses.0.context"), "draftd");
    CHECK_STR(js_str(state, "statuses.0.description"), "2 of 3 checks failed");
    CHECK_STR(js_str(state, "statuses.0.target_url"), "https://example.org/7");
    const char *const cut = js_str(state, "statuses.1.description");
    CHECK_INT(utf8_count(cut, strlen(cut)), 140);
    CHECK(str_ends_with(cut, "\xc3\xa9\xe2\x80\xa6"));
    json_decref(state);
    CHECK_INT(github_set_status(github, REPO, "main", &status, &err), ERR_INVALID);
    CHECK_INT(github_set_status(github, REPO, "..", &status, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "setting a status on " REPO);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
