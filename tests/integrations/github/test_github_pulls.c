/* Reading one pull request again and again, against the stand-in. Each test ends by asking for
 * violations: there must be none. */
#include "integrations/github/github_pulls.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/child.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#define HEAD_SHA "6dcb09b5b57875f334f61aebed695e2e4193db5e"
#define BASE_SHA "9c48853fa3dc5c1c3d6f1f1cd1f2743e72652840"

static void
begin_with_pull(void)
{
    world_begin();
    json_decref(world_post("pulls", json_pack("{s:s, s:b}", "head", "draftd/7-fix", "draft", 1)));
}

static void
change_pull(json_t *changes)
{
    world_control("PATCH", "repos/" REPO "/pulls/8", changes);
}

TEST(a_pull_request_is_read_in_full)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin_with_pull();
        struct github *github = world_client((enum mode)mode);
        struct github_pull_state state;
        struct github_seen seen = {0};
        bool changed = false;
        struct err err;

        CHECK_OK(github_get_pull(github, REPO, 8, &seen, &changed, &state, &err), err);
        CHECK(changed && seen.etag);
        CHECK_INT(state.number, 8);
        CHECK_STR(state.url, "https://github.com/" REPO "/pull/8");
        CHECK_STR(state.author, "ann");
        CHECK(state.open && state.draft && !state.merged && !state.from_fork);
        CHECK_INT(state.merged_ms + state.closed_ms, 0);
        CHECK_INT(state.mergeable, GITHUB_MERGEABLE);
        CHECK_STR(state.mergeable_state, "clean");
        CHECK_STR(state.head_ref, "draftd/7-fix");
        CHECK_STR(state.head_sha, HEAD_SHA);
        CHECK_STR(state.base_ref, "main");
        CHECK_STR(state.base_sha, BASE_SHA);
        github_pull_state_done(&state);
        github_seen_done(&seen);
        CHECK_INT(world_end(github), 0);
    }
}

/* Read it once more; *state and *changed say how it is. */
static void
read_again(struct github *github,
           struct github_seen *seen,
           bool *ret_changed,
           struct github_pull_state *state)
{
    struct err err;

    github_pull_state_done(state);
    CHECK_OK(github_get_pull(github, REPO, 8, seen, ret_changed, state, &err), err);
}

TEST(only_what_changed_is_read_again)
{
    begin_with_pull();
    struct github *github = world_client(AS_APP);
    struct github_pull_state state = {0};
    struct github_seen seen = {0};
    bool changed = true;

    read_again(github, &seen, &changed, &state);
    read_again(github, &seen, &changed, &state);
    CHECK(!changed && !state.url);
    change_pull(json_pack("{s:b}", "mergeable", 0));
    read_again(github, &seen, &changed, &state);
    CHECK(changed);
    CHECK_INT(state.mergeable, GITHUB_CONFLICTS);
    CHECK_STR(state.mergeable_state, "dirty");
    read_again(github, &seen, &changed, &state);
    CHECK(!changed);

    json_t *const requests = github_control(world_stand_in(), "GET", "requests", NULL);
    const json_t *const last = json_array_get(requests, json_array_size(requests) - 1);
    CHECK_INT(js_int(last, "status", 0), 304);
    CHECK_STR(js_str(last, "condition"), seen.etag);
    json_decref(requests);
    github_seen_done(&seen);
    CHECK_INT(world_end(github), 0);
}

TEST(merged_and_closed_ones_say_when)
{
    begin_with_pull();
    struct github *github = world_client(AS_USER);
    struct github_pull_state state = {0};
    struct github_seen seen = {0};
    bool changed;

    change_pull(json_pack("{s:s, s:b, s:n}", "state", "closed", "merged", 0, "head_repository"));
    read_again(github, &seen, &changed, &state);
    CHECK(changed && !state.open && !state.merged && state.from_fork);
    CHECK(state.closed_ms > 0 && state.merged_ms == 0);
    CHECK_INT(state.mergeable, GITHUB_MERGEABLE_UNKNOWN);
    CHECK_STR(state.mergeable_state, "unknown");
    change_pull(json_pack("{s:b, s:i}", "merged", 1, "head_repository", 7));
    read_again(github, &seen, &changed, &state);
    CHECK(changed && !state.open && state.merged && state.from_fork);
    CHECK(state.closed_ms > 0 && state.merged_ms == state.closed_ms);
    github_pull_state_done(&state);
    github_seen_done(&seen);
    CHECK_INT(world_end(github), 0);
}

TEST(what_is_no_pull_request_is_told)
{
    begin_with_pull();
    struct github *github = world_client(AS_USER);
    struct github_pull_state state;
    struct github_seen seen = {0};
    bool changed;
    struct err err;

    CHECK_INT(github_get_pull(github, REPO, 7, &seen, &changed, &state, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "reading pull request " REPO "#7");
    world_inject("/pulls/8$", json_pack("{s:i, s:{s:i}}", "status", 200, "body", "number", 8));
    CHECK_INT(github_get_pull(github, REPO, 8, &seen, &changed, &state, &err), ERR_REMOTE);
    CHECK(!seen.etag);
    world_inject("/pulls/8$", json_pack("{s:i}", "status", 304)); /* that nobody asked for */
    CHECK_INT(github_get_pull(github, REPO, 8, &seen, &changed, &state, &err), ERR_NOTFOUND);
    CHECK_INT(world_end(github), 0);
}

/* In the work tree of the stand-in's repository. */
static void
run_git(const char *script)
{
    const char *const dir = github_fixture_dir(world_stand_in());
    const char *const argv[] = {"sh",   "-c", "set -e; cd \"$1/w\"; eval \"$2\"", "sh", dir,
                                script, NULL};

    CHECK_INT(child_run(argv), 0);
}

TEST(conflicts_are_found_out_with_git)
{
    world_begin();
    world_add_git();
    struct github *github = world_client(AS_USER);
    const struct github_pull_new wanted = {
        .title = "Fix", .body = "x", .head = "draftd/7-fix", .base = "main"};
    AUTO_DONE(github_pull_done) struct github_pull pull = {0};
    AUTO_DONE(github_pull_state_done) struct github_pull_state state = {0};
    AUTO_DONE(github_seen_done) struct github_seen seen = {0};
    bool changed;
    struct err err;

    CHECK_OK(github_create_pull(github, REPO, &wanted, &pull, &err), err);
    CHECK_OK(github_get_pull(github, REPO, 8, &seen, &changed, &state, &err), err);
    CHECK_INT(state.mergeable, GITHUB_MERGEABLE);
    run_git("echo a >f; git add f; git commit -qm a; git push -q ../r.git HEAD:draftd/7-fix; "
            "git reset -q --hard HEAD~2; echo b >f; git add f; git commit -qm b; "
            "git push -q ../r.git HEAD:main");
    read_again(github, &seen, &changed, &state);
    CHECK_INT(state.mergeable, GITHUB_CONFLICTS);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
