/* The calls of the GitHub client against the stand-in, which holds every request against GitHub's
 * own description. Each test ends by asking for violations: there must be none. */
#include "integrations/github/github.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

static void
check_text(const json_t *state, const char *path, const char *expected)
{
    const char *const text = js_str(state, path);

    if (!text || strcmp(text, expected) != 0)
        TEST_FAIL("%s is %.200s", path, text ? text : "(none)");
}

static void
write_comment(const char *user, const char *body, int app_id, int times)
{
    world_control("POST", "repos/" REPO "/issues/7/comments",
                  json_pack("{s:s, s:s, s:o, s:i}", "user", user, "body", body, "app_id",
                            app_id ? json_integer(app_id) : json_null(), "times", times));
}

/* --- Who we are, and what others may do */

TEST(login_is_asked_once)
{
    static const char *const expected[] = {[AS_APP] = "draftd[bot]", [AS_USER] = "draftd-bot"};

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        for (int i = 0; i < 2; i++) {
            char *login;
            struct err err;
            CHECK_OK(github_login(github, &login, &err), err);
            CHECK_STR(login, expected[mode]);
            free(login);
        }
        CHECK_INT(world_calls("apps/get-authenticated") + world_calls("users/get-authenticated"),
                  1);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(permissions_are_read)
{
    static const struct {
        const char *login, *permission;
        int result;
    } cases[] = {
        {"ann", "write", 0},
        {"draftd-bot", "write", 0},
        {"reader", "read", 0},
        {"acme", "none", 0},
        {"nobody-at-all", NULL, ERR_NOTFOUND},
        {"dependabot[bot]", NULL, ERR_NOTFOUND},
        {"a/../../b?c#d", NULL, ERR_NOTFOUND},
        {"..", NULL, ERR_INVALID},
        {"", NULL, ERR_INVALID},
    };

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            char *permission = NULL;
            struct err err = {0};
            const int result = github_permission(github, REPO, cases[i].login, &permission, &err);
            if (result != cases[i].result)
                TEST_FAIL("%s: %d %s", cases[i].login, result, err.msg);
            if (result == 0)
                CHECK_STR(permission, cases[i].permission);
            free(permission);
        }
        CHECK_INT(world_end(github), 0);
    }
}

TEST(who_has_no_view_of_a_repository_is_told_so)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    char *permission = NULL;
    struct err err;

    CHECK_INT(github_permission(github, "acme/unknown", "ann", &permission, &err),
              ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "acme/unknown");
    CHECK_INT(world_end(github), 0);
}

TEST(names_that_are_no_repositories_are_not_sent)
{
    static const char *const names[] = {"",        "acme",    "acme/", "/widget", "acme/widget/x",
                                        "../user", "acme/..", "./x"};

    world_begin();
    struct github *github = world_client(AS_USER);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *permission = NULL;
        struct err err;
        CHECK_INT(github_permission(github, names[i], "ann", &permission, &err), ERR_INVALID);
    }
    json_t *const requests = github_control(world_stand_in(), "GET", "requests", NULL);
    CHECK_INT(json_array_size(requests), 0);
    json_decref(requests);
    CHECK_INT(world_end(github), 0);
}

TEST(renamed_repositories_are_read_and_not_written)
{
    world_begin();
    struct github *github = world_client(AS_USER);
    char *permission = NULL;
    struct err err;
    int64_t id;

    CHECK_OK(github_permission(github, "acme/old", "ann", &permission, &err), err);
    CHECK_STR(permission, "write");
    free(permission);
    CHECK_INT(github_create_comment(github, "acme/old", 7, "hi", &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "renamed or moved (307): use its new name");
    CHECK_INT(world_end(github), 0);
}

/* --- Comments */

TEST(comments_are_written_and_edited)
{
    static const char *const authors[] = {[AS_APP] = "draftd[bot]", [AS_USER] = "draftd-bot"};

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        struct err err;
        int64_t id;
        int64_t found;

        CHECK_OK(
            github_create_comment(github, REPO, 7, MARKER "\n\xe2\x98\x83 \"queued\"", &id, &err),
            err);
        CHECK_OK(github_edit_comment(github, REPO, id, MARKER " done", &err), err);
        CHECK_OK(github_react(github, REPO, 7, 0, "eyes", &err), err);
        CHECK_OK(github_react(github, REPO, 7, 0, "eyes", &err), err); /* 200 instead of 201 */
        CHECK_OK(github_react(github, REPO, 7, id, "rocket", &err), err);
        CHECK_OK(github_find_comment(github, REPO, 7, MARKER, &found, &err), err);
        CHECK_INT(found, id);

        json_t *const state = world_repository();
        CHECK_INT(js_int(state, "issues.0.comments.0.id", 0), id);
        check_text(state, "issues.0.comments.0.user", authors[mode]);
        check_text(state, "issues.0.comments.0.history.0.body", MARKER "\n\xe2\x98\x83 \"queued\"");
        check_text(state, "issues.0.comments.0.body", MARKER " done");
        check_text(state, "issues.0.comments.0.reactions.0.content", "rocket");
        check_text(state, "issues.0.reactions.0.content", "eyes");
        CHECK_INT(json_array_size(js_at(state, "issues.0.reactions")), 1);
        json_decref(state);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(long_comments_are_cut)
{
    world_begin();
    struct github *github = world_client(AS_USER);
    struct strbuf body = STRBUF_INIT(1024 * 1024);
    struct err err;
    int64_t id;

    strbuf_add_str(&body, MARKER "\n```\n");
    for (int i = 0; i < 70000; i++)
        strbuf_add_str(&body, "\xf0\x9f\x91\x80");
    CHECK_OK(github_create_comment(github, REPO, 7, strbuf_str(&body), &id, &err), err);
    CHECK_OK(github_edit_comment(github, REPO, id, strbuf_str(&body), &err), err);
    json_t *const state = world_repository();
    const char *const kept = js_str(state, "issues.0.comments.0.body");
    CHECK(str_starts_with(kept, MARKER) && str_ends_with(kept, "\n```\n\xe2\x80\xa6"));
    CHECK(utf8_count(kept, strlen(kept)) > 65000);
    json_decref(state);
    strbuf_done(&body);
    CHECK_INT(world_end(github), 0);
}

TEST(only_our_own_comment_is_found)
{
    static const struct {
        enum mode mode;
        const char *user;
        int app_id;
        int result;
    } cases[] = {
        {AS_APP, "mallory", 0, ERR_NOTFOUND},
        {AS_APP, "draftd", 0, ERR_NOTFOUND}, /* a person who took the App's name */
        {AS_APP, "other[bot]", 999, ERR_NOTFOUND},
        {AS_APP, "draftd[bot]", 0, 0},
        {AS_APP, "ann", 12345, 0}, /* through our App on somebody's behalf */
        {AS_USER, "mallory", 0, ERR_NOTFOUND},
        {AS_USER, "draftd[bot]", 12345, ERR_NOTFOUND},
        {AS_USER, "Draftd-Bot", 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_begin();
        struct github *github = world_client(cases[i].mode);
        struct err err = {0};
        int64_t id = 0;

        write_comment(cases[i].user, MARKER " forged?", cases[i].app_id, 1);
        const int result = github_find_comment(github, REPO, 7, MARKER, &id, &err);
        if (result != cases[i].result)
            TEST_FAIL("case %zu: %d %s", i, result, err.msg);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(comments_are_found_on_later_pages)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;
    int64_t found;

    write_comment("mallory", MARKER " forged", 0, 3);
    write_comment("ann", "talk", 0, 230);
    CHECK_INT(github_find_comment(github, REPO, 7, MARKER, &found, &err), ERR_NOTFOUND);
    CHECK_INT(world_calls("issues/list-comments"), 3);
    CHECK_OK(github_create_comment(github, REPO, 7, MARKER " first", &id, &err), err);
    write_comment("draftd[bot]", MARKER " second", 12345, 1);
    CHECK_OK(github_find_comment(github, REPO, 7, MARKER, &found, &err), err);
    CHECK_INT(found, id);
    CHECK_INT(github_find_comment(github, REPO, 8, MARKER, &found, &err), ERR_NOTFOUND);
    CHECK_INT(world_end(github), 0);
}

/* What was handed over, a line for each comment. */
static int
note_comment(void *ctx, const struct github_comment *comment, struct err *err)
{
    struct strbuf *const notes = ctx;

    CHECK(comment->created_ms > 0);
    strbuf_addf(notes, "%s%s: %s\n", comment->author, comment->by_program ? " (program)" : "",
                comment->body);
    return str_equal(comment->body, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(comments_are_handed_over_in_order)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        CHECK_OK(github_each_comment(github, REPO, 7, note_comment, &notes, &err), err);
        CHECK_STR(strbuf_str(&notes), "");
        write_comment("ann", "first", 0, 1);
        write_comment("other[bot]", "from a bot", 0, 1);
        write_comment("ann", "through an App", 999, 1);
        write_comment("draftd[bot]", "from us", 12345, 1);
        write_comment("reader", "\xe2\x98\x83 <!-- last -->", 0, 1);
        CHECK_OK(github_each_comment(github, REPO, 7, note_comment, &notes, &err), err);
        CHECK_STR(strbuf_str(&notes), "ann: first\nother[bot] (program): from a bot\n"
                                      "ann (program): through an App\n"
                                      "draftd[bot] (program): from us\n"
                                      "reader: \xe2\x98\x83 <!-- last -->\n");
        CHECK_INT(github_each_comment(github, REPO, 8, note_comment, &notes, &err), ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "reading the comments of " REPO "#8");
        CHECK_INT(world_end(github), 0);
    }
}

static int
count_comment(void *ctx, const struct github_comment *comment, struct err *err)
{
    (void)comment;
    (void)err;
    *(size_t *)ctx += 1;
    return 0;
}

TEST(comments_are_handed_over_from_all_pages)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
    struct err err;
    size_t count = 0;

    write_comment("ann", "talk", 0, 99);
    write_comment("ann", "enough", 0, 1);
    write_comment("ann", "talk", 0, 101);
    CHECK_OK(github_each_comment(github, REPO, 7, count_comment, &count, &err), err);
    CHECK_INT(count, 201);
    CHECK_INT(world_calls("issues/list-comments"), 3);
    CHECK_INT(github_each_comment(github, REPO, 7, note_comment, &notes, &err), ERR_CANCELED);
    CHECK_INT(world_calls("issues/list-comments"), 4); /* the walk ended on its first page */
    CHECK_INT(world_end(github), 0);
}

/* --- Pull requests */

static const struct github_pull_new new_pull = {.title = "Fix \"it\"",
                                                .body = MARKER " body",
                                                .head = "draftd/7-fix",
                                                .base = "main",
                                                .draft = true};

TEST(pull_requests_are_opened_found_and_edited)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        world_add_git();
        struct github *github = world_client((enum mode)mode);
        struct github_pull pull;
        struct github_pull found;
        struct err err;

        CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &found, &err), ERR_NOTFOUND);
        CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
        CHECK_INT(pull.number, 8);
        CHECK_STR(pull.url, "https://github.com/" REPO "/pull/8");
        CHECK_STR(pull.body, MARKER " body");
        CHECK(pull.draft);
        CHECK_OK(github_edit_pull(github, REPO, pull.number, "New", NULL, &err), err);
        CHECK_OK(github_edit_pull(github, REPO, pull.number, NULL, "text", &err), err);
        CHECK_OK(github_find_pull(github, REPO, "draftd/7-fix", &found, &err), err);
        CHECK_INT(found.number, 8);
        CHECK_STR(found.url, pull.url);
        CHECK_STR(found.body, "text");
        CHECK(found.draft);
        CHECK_INT(github_find_pull(github, REPO, "main", &pull, &err), ERR_NOTFOUND);
        json_t *const state = world_repository();
        check_text(state, "pulls.0.title", "New");
        CHECK(js_bool(state, "pulls.0.draft", false));
        json_decref(state);
        github_pull_done(&pull);
        github_pull_done(&found);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(only_open_pull_requests_are_found)
{
    world_begin();
    world_add_git();
    struct github *github = world_client(AS_USER);
    struct github_pull pull;
    struct err err;

    for (int i = 0; i < 2; i++) {
        CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
        github_pull_done(&pull);
        world_control("PATCH", i ? "repos/" REPO "/pulls/9" : "repos/" REPO "/pulls/8",
                      json_pack("{s:s, s:b}", "state", "closed", "merged", i));
    }
    CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), ERR_NOTFOUND);
    world_control("PATCH", "repos/" REPO "/pulls/8",
                  json_pack("{s:s, s:b}", "state", "open", "draft", 0));
    CHECK_OK(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), err);
    CHECK_INT(pull.number, 8);
    CHECK(!pull.draft);
    github_pull_done(&pull);
    CHECK_INT(world_end(github), 0);
}

TEST(pull_requests_of_forks_are_not_ours)
{
    world_begin();
    world_add_git();
    struct github *github = world_client(AS_USER);
    struct github_pull pull;
    struct err err;

    CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
    github_pull_done(&pull);
    world_control("PATCH", "repos/" REPO "/pulls/8", json_pack("{s:i}", "head_repository", 7));
    CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), ERR_NOTFOUND);
    world_control("PATCH", "repos/" REPO "/pulls/8", json_pack("{s:n}", "head_repository"));
    CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), ERR_NOTFOUND);
    CHECK_INT(world_end(github), 0);
}

TEST(pull_requests_that_github_refuses)
{
    struct github_pull_new asked = new_pull;
    struct github_pull pull;
    struct err err;

    world_begin();
    world_add_git();
    struct github *github = world_client(AS_APP);
    asked.head = "draftd/never-pushed";
    CHECK_INT(github_create_pull(github, REPO, &asked, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "head: invalid");
    asked.head = "main";
    CHECK_INT(github_create_pull(github, REPO, &asked, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "No commits between main and main");
    CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
    github_pull_done(&pull);
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "draftd/7-fix: the branch has an open pull request already");
    CHECK(!github_drafts_refused(github));
    world_control("POST", "setup",
                  json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "drafts", 0));
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "Draft pull requests are not supported");
    CHECK(github_drafts_refused(github));
    world_control("POST", "setup",
                  json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "archived", 1));
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "archived");
    CHECK(!github_drafts_refused(github));
    CHECK_INT(world_end(github), 0);
}

TEST(long_pull_requests_are_cut)
{
    struct strbuf text = STRBUF_INIT(1024 * 1024);
    struct github_pull_new asked = new_pull;
    struct github_pull pull;
    struct err err;

    for (int i = 0; i < 66000; i++)
        strbuf_add_str(&text, "\xc3\xa9");
    asked.title = asked.body = strbuf_str(&text);
    world_begin();
    world_add_git();
    struct github *github = world_client(AS_APP);
    CHECK_OK(github_create_pull(github, REPO, &asked, &pull, &err), err);
    CHECK_OK(github_edit_pull(github, REPO, pull.number, asked.title, asked.body, &err), err);
    github_pull_done(&pull);
    strbuf_done(&text);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
