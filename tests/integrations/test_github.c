/* The GitHub client against the stand-in, which holds every request against GitHub's own
 * description. Each test starts from the same small world and ends by asking for violations: there
 * must be none. */
#include "integrations/github.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/child.h"
#include "tests/harness/test.h"
#include "tests/integrations/github_fixture.h"

#include <inttypes.h>
#include <pthread.h>

#define REPO "acme/widget"
#define MARKER "<!-- draftd:task=7 -->"

enum mode { AS_APP, AS_USER };

static struct github_fixture *stand_in;
static struct github_tokens *tokens;
static struct secret *app_key;
static struct secret *user_token;
static char *app_public_key;

/* --- Fixture */

static void
make_app_key(void)
{
    char *const key = str_printf("%s/app.pem", github_fixture_dir(stand_in));
    char *const public_key = str_printf("%s/app.pub", github_fixture_dir(stand_in));
    const char *const generate[] = {"openssl", "genrsa", "-out", key, "2048", NULL};
    const char *const publish[] = {"openssl", "pkey", "-in",      key,
                                   "-pubout", "-out", public_key, NULL};
    struct strbuf text = STRBUF_INIT(8192);
    struct err err;

    CHECK_INT(child_run(generate), 0);
    CHECK_INT(child_run(publish), 0);
    CHECK_OK(fs_read_file(public_key, &text, &err), err);
    CHECK_OK(strbuf_take(&text, &app_public_key, &err), err);
    CHECK_OK(secret_load(key, NULL, &app_key, &err), err);
    CHECK_OK(secret_new(bytes_of_str("ghp_machine"), &user_token, &err), err);
    free(key);
    free(public_key);
}

static void
control(const char *method, const char *path, json_t *body)
{
    github_control_do(stand_in, method, path, body);
}

/* The world that each test begins with. */
static void
begin(void)
{
    struct err err;

    if (!stand_in) {
        stand_in = github_fixture_new();
        make_app_key();
    }
    github_tokens_free(tokens);
    tokens = NULL;
    CHECK_OK(github_tokens_new(&tokens, &err), err);
    control("POST", "reset", NULL);
    control("POST", "setup",
            json_pack("{s:{s:i,s:s}, s:[{s:s,s:s},{s:s,s:s}], "
                      "s:[{s:s,s:b,s:{s:s,s:s,s:s},s:[s],s:[{s:i,s:s}]}]}",
                      "app", "id", 12345, "public_key", app_public_key, "tokens", "token",
                      "ghp_machine", "login", "draftd-bot", "token", "ghp_reader", "login",
                      "reader", "repositories", "full_name", REPO, "private", 1, "collaborators",
                      "ann", "maintain", "draftd-bot", "write", "reader", "read", "renamed_from",
                      "acme/old", "issues", "number", 7, "title", "It is broken"));
}

static struct github *
client_with(enum mode mode, const struct secret *token, const struct stop *stop)
{
    const struct github_options options = {
        .api_url = github_fixture_url(stand_in),
        .git_url = github_fixture_url(stand_in),
        .ca_file = github_fixture_ca(stand_in),
        .app_id = mode == AS_APP ? 12345 : 0,
        .app_private_key = mode == AS_APP ? app_key : NULL,
        .token = token,
        .stop = stop,
    };
    struct github *github;
    struct err err;

    CHECK_OK(github_new(&options, tokens, &github, &err), err);
    return github;
}

static struct github *
client(enum mode mode)
{
    return client_with(mode, user_token, NULL);
}

static void
end(struct github *github)
{
    json_t *const violations = github_control(stand_in, "GET", "violations", NULL);

    for (size_t i = 0; i < json_array_size(violations); i++) {
        const json_t *const one = json_array_get(violations, i);
        printf("# %s %s: %s\n", js_str(one, "method"), js_str(one, "url"), js_str(one, "reason"));
    }
    CHECK_INT(json_array_size(violations), 0);
    json_decref(violations);
    github_free(github);
}

/* How often a call was made: "issues/create-comment". */
static int64_t
calls(const char *operation)
{
    json_t *const counts = github_control(stand_in, "GET", "counts", NULL);
    const int64_t total = js_int(json_object_get(counts, operation), "total", 0);

    json_decref(counts);
    return total;
}

static json_t *
repository_state(void)
{
    return github_control(stand_in, "GET", "repos/" REPO, NULL);
}

static void
check_text(json_t *state, const char *path, const char *expected)
{
    const char *const text = js_str(state, path);

    if (!text || strcmp(text, expected) != 0)
        TEST_FAIL("%s is %.200s", path, text ? text : "(none)");
}

/* The next request whose path matches fails like this; the members of `fault` say how. */
static void
inject(const char *path, json_t *fault)
{
    if (path)
        json_object_set_new(fault, "path", json_string(path));
    control("POST", "faults", fault);
}

static void
write_comment(const char *user, const char *body, int app_id, int times)
{
    control("POST", "repos/" REPO "/issues/7/comments",
            json_pack("{s:s, s:s, s:o, s:i}", "user", user, "body", body, "app_id",
                      app_id ? json_integer(app_id) : json_null(), "times", times));
}

/* --- Who we are, and what others may do */

TEST(login_is_asked_once)
{
    static const char *const expected[] = {[AS_APP] = "draftd[bot]", [AS_USER] = "draftd-bot"};

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin();
        struct github *github = client((enum mode)mode);
        for (int i = 0; i < 2; i++) {
            char *login;
            struct err err;
            CHECK_OK(github_login(github, &login, &err), err);
            CHECK_STR(login, expected[mode]);
            free(login);
        }
        CHECK_INT(calls("apps/get-authenticated") + calls("users/get-authenticated"), 1);
        end(github);
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
        begin();
        struct github *github = client((enum mode)mode);
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
        end(github);
    }
}

TEST(repositories_are_read)
{
    begin();
    struct github *github = client(AS_APP);
    struct github_repository repository;
    struct err err;

    CHECK_OK(github_get_repository(github, REPO, &repository, &err), err);
    CHECK_STR(repository.full_name, REPO);
    CHECK_STR(repository.default_branch, "main");
    CHECK(!repository.archived);
    github_repository_done(&repository);
    CHECK_INT(github_get_repository(github, "acme/unknown", &repository, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "acme/unknown");
    end(github);
}

TEST(names_that_are_no_repositories_are_not_sent)
{
    static const char *const names[] = {"",        "acme",    "acme/", "/widget", "acme/widget/x",
                                        "../user", "acme/..", "./x"};

    begin();
    struct github *github = client(AS_USER);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct github_repository repository;
        struct err err;
        CHECK_INT(github_get_repository(github, names[i], &repository, &err), ERR_INVALID);
    }
    json_t *const requests = github_control(stand_in, "GET", "requests", NULL);
    CHECK_INT(json_array_size(requests), 0);
    json_decref(requests);
    end(github);
}

TEST(renamed_repositories_are_read_and_not_written)
{
    begin();
    struct github *github = client(AS_USER);
    struct github_repository repository;
    struct err err;
    int64_t id;

    CHECK_OK(github_get_repository(github, "acme/old", &repository, &err), err);
    CHECK_STR(repository.full_name, REPO);
    github_repository_done(&repository);
    CHECK_INT(github_create_comment(github, "acme/old", 7, "hi", &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "renamed or moved (307): use its new name");
    end(github);
}

/* --- Comments */

TEST(comments_are_written_and_edited)
{
    static const char *const authors[] = {[AS_APP] = "draftd[bot]", [AS_USER] = "draftd-bot"};

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin();
        struct github *github = client((enum mode)mode);
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

        json_t *const state = repository_state();
        CHECK_INT(js_int(state, "issues.0.comments.0.id", 0), id);
        check_text(state, "issues.0.comments.0.user", authors[mode]);
        check_text(state, "issues.0.comments.0.history.0.body", MARKER "\n\xe2\x98\x83 \"queued\"");
        check_text(state, "issues.0.comments.0.body", MARKER " done");
        check_text(state, "issues.0.comments.0.reactions.0.content", "rocket");
        check_text(state, "issues.0.reactions.0.content", "eyes");
        CHECK_INT(json_array_size(js_at(state, "issues.0.reactions")), 1);
        json_decref(state);
        end(github);
    }
}

TEST(long_comments_are_cut)
{
    begin();
    struct github *github = client(AS_USER);
    struct strbuf body = STRBUF_INIT(1024 * 1024);
    struct err err;
    int64_t id;

    strbuf_add_str(&body, MARKER "\n```\n");
    for (int i = 0; i < 70000; i++)
        strbuf_add_str(&body, "\xf0\x9f\x91\x80");
    CHECK_OK(github_create_comment(github, REPO, 7, strbuf_str(&body), &id, &err), err);
    CHECK_OK(github_edit_comment(github, REPO, id, strbuf_str(&body), &err), err);
    json_t *const state = repository_state();
    const char *const kept = js_str(state, "issues.0.comments.0.body");
    CHECK(str_starts_with(kept, MARKER) && str_ends_with(kept, "\n```\n\xe2\x80\xa6"));
    CHECK(utf8_count(kept, strlen(kept)) > 65000);
    json_decref(state);
    strbuf_done(&body);
    end(github);
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
        begin();
        struct github *github = client(cases[i].mode);
        struct err err = {0};
        int64_t id = 0;

        write_comment(cases[i].user, MARKER " forged?", cases[i].app_id, 1);
        const int result = github_find_comment(github, REPO, 7, MARKER, &id, &err);
        if (result != cases[i].result)
            TEST_FAIL("case %zu: %d %s", i, result, err.msg);
        end(github);
    }
}

TEST(comments_are_found_on_later_pages)
{
    begin();
    struct github *github = client(AS_APP);
    struct err err;
    int64_t id;
    int64_t found;

    write_comment("mallory", MARKER " forged", 0, 3);
    write_comment("ann", "talk", 0, 230);
    CHECK_INT(github_find_comment(github, REPO, 7, MARKER, &found, &err), ERR_NOTFOUND);
    CHECK_INT(calls("issues/list-comments"), 3);
    CHECK_OK(github_create_comment(github, REPO, 7, MARKER " first", &id, &err), err);
    write_comment("draftd[bot]", MARKER " second", 12345, 1);
    CHECK_OK(github_find_comment(github, REPO, 7, MARKER, &found, &err), err);
    CHECK_INT(found, id);
    CHECK_INT(github_find_comment(github, REPO, 8, MARKER, &found, &err), ERR_NOTFOUND);
    end(github);
}

/* --- Pull requests */

/* A bare repository with the branches main and draftd/7-fix, which is one commit ahead; given to
 * the stand-in. */
static void
make_git_repository(void)
{
    static const char script[] =
        "set -e; cd \"$1\"; rm -rf w r.git; git init -q -b main w; git init -q --bare -b main "
        "r.git; cd w; "
        "git config user.name t; git config user.email t@example.org; "
        "git commit -q --allow-empty -m one; git push -q ../r.git main; "
        "git commit -q --allow-empty -m two; git push -q ../r.git main:draftd/7-fix";
    const char *const argv[] = {"sh", "-c", script, "sh", github_fixture_dir(stand_in), NULL};
    char *const path = str_printf("%s/r.git", github_fixture_dir(stand_in));

    CHECK_INT(child_run(argv), 0);
    control("POST", "setup",
            json_pack("{s:[{s:s, s:s}]}", "repositories", "full_name", REPO, "git_dir", path));
    free(path);
}

static const struct github_pull_new new_pull = {.title = "Fix \"it\"",
                                                .body = MARKER " body",
                                                .head = "draftd/7-fix",
                                                .base = "main",
                                                .draft = true};

TEST(pull_requests_are_opened_found_and_edited)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin();
        make_git_repository();
        struct github *github = client((enum mode)mode);
        struct github_pull pull;
        struct github_pull found;
        struct err err;

        CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &found, &err), ERR_NOTFOUND);
        CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
        CHECK_INT(pull.number, 8);
        CHECK_STR(pull.url, "https://github.com/" REPO "/pull/8");
        CHECK_STR(pull.body, MARKER " body");
        CHECK(pull.draft && pull.open && !pull.merged);
        CHECK_INT(strlen(pull.head_commit), 40);
        CHECK_OK(github_edit_pull(github, REPO, pull.number, "New", NULL, &err), err);
        CHECK_OK(github_edit_pull(github, REPO, pull.number, NULL, "text", &err), err);
        CHECK_OK(github_find_pull(github, REPO, "draftd/7-fix", &found, &err), err);
        CHECK_INT(found.number, 8);
        CHECK_STR(found.head_commit, pull.head_commit);
        CHECK_STR(found.body, "text");
        CHECK_INT(github_find_pull(github, REPO, "main", &pull, &err), ERR_NOTFOUND);
        json_t *const state = repository_state();
        check_text(state, "pulls.0.title", "New");
        CHECK(js_bool(state, "pulls.0.draft", false));
        json_decref(state);
        github_pull_done(&pull);
        github_pull_done(&found);
        end(github);
    }
}

TEST(an_open_pull_request_is_preferred_and_a_merged_one_told)
{
    begin();
    make_git_repository();
    struct github *github = client(AS_USER);
    struct github_pull pull;
    struct err err;

    for (int i = 0; i < 2; i++) {
        CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
        github_pull_done(&pull);
        control("PATCH", i ? "repos/" REPO "/pulls/9" : "repos/" REPO "/pulls/8",
                json_pack("{s:s, s:b}", "state", "closed", "merged", i));
    }
    CHECK_OK(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), err);
    CHECK_INT(pull.number, 9);
    CHECK(!pull.open && pull.merged);
    github_pull_done(&pull);
    control("PATCH", "repos/" REPO "/pulls/8", json_pack("{s:s}", "state", "open"));
    CHECK_OK(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), err);
    CHECK_INT(pull.number, 8);
    CHECK(pull.open && !pull.merged);
    github_pull_done(&pull);
    end(github);
}

TEST(pull_requests_of_forks_are_not_ours)
{
    begin();
    make_git_repository();
    struct github *github = client(AS_USER);
    struct github_pull pull;
    struct err err;

    CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
    github_pull_done(&pull);
    control("PATCH", "repos/" REPO "/pulls/8", json_pack("{s:i}", "head_repository", 7));
    CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), ERR_NOTFOUND);
    control("PATCH", "repos/" REPO "/pulls/8", json_pack("{s:n}", "head_repository"));
    CHECK_INT(github_find_pull(github, REPO, "draftd/7-fix", &pull, &err), ERR_NOTFOUND);
    end(github);
}

TEST(pull_requests_that_github_refuses)
{
    struct github_pull_new asked = new_pull;
    struct github_pull pull;
    struct err err;

    begin();
    make_git_repository();
    struct github *github = client(AS_APP);
    asked.head = "draftd/never-pushed";
    CHECK_INT(github_create_pull(github, REPO, &asked, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "head: invalid");
    asked.head = "main";
    CHECK_INT(github_create_pull(github, REPO, &asked, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "No commits between main and main");
    CHECK_OK(github_create_pull(github, REPO, &new_pull, &pull, &err), err);
    github_pull_done(&pull);
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "A pull request already exists for acme:draftd/7-fix.");
    control("POST", "setup",
            json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "drafts", 0));
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "Draft pull requests are not supported");
    control("POST", "setup",
            json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "archived", 1));
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "archived");
    end(github);
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
    begin();
    make_git_repository();
    struct github *github = client(AS_APP);
    CHECK_OK(github_create_pull(github, REPO, &asked, &pull, &err), err);
    CHECK_OK(github_edit_pull(github, REPO, pull.number, asked.title, asked.body, &err), err);
    github_pull_done(&pull);
    strbuf_done(&text);
    end(github);
}

/* --- Tokens of an App */

TEST(tokens_are_narrowed_and_shared)
{
    begin();
    struct github *one = client(AS_APP);
    struct github *two = client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(one, REPO, 7, "a", &id, &err), err);
    CHECK_OK(github_create_comment(two, "ACME/widget", 7, "b", &id, &err), err);
    CHECK_INT(calls("apps/create-installation-access-token"), 1);

    json_t *const state = github_control(stand_in, "GET", "state", NULL);
    const json_t *const token = json_array_get(js_at(state, "tokens"), 2); /* after the people's */
    check_text(json_object_get(token, "permissions"), "contents", "write");
    check_text(json_object_get(token, "permissions"), "pull_requests", "write");
    check_text(json_object_get(token, "permissions"), "issues", "write");
    check_text(json_object_get(token, "permissions"), "metadata", "read");
    CHECK_INT(json_object_size(json_object_get(token, "permissions")), 4);
    CHECK_INT(json_array_size(json_object_get(token, "repositories")), 1);
    json_decref(state);
    github_free(two);
    end(one);
}

TEST(a_refused_token_is_renewed_once)
{
    begin();
    struct github *github = client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(github, REPO, 7, "a", &id, &err), err);
    control("POST", "tokens/revoke", NULL);
    CHECK_OK(github_create_comment(github, REPO, 7, "b", &id, &err), err);
    CHECK_INT(calls("apps/create-installation-access-token"), 2);
    inject("/comments$", json_pack("{s:i, s:i}", "status", 401, "times", 5));
    CHECK_INT(github_create_comment(github, REPO, 7, "c", &id, &err), ERR_AUTH);
    CHECK_INT(calls("apps/create-installation-access-token"), 3);
    CHECK_INT(calls("fault"), 2);

    github_forget_token(github, REPO);
    control("DELETE", "faults", NULL);
    CHECK_OK(github_create_comment(github, REPO, 7, "d", &id, &err), err);
    CHECK_INT(calls("apps/create-installation-access-token"), 4);
    end(github);
}

TEST(a_token_that_soon_ends_is_not_used_again)
{
    begin();
    control("POST", "setup",
            json_pack("{s:{s:i, s:s, s:i}}", "app", "id", 12345, "public_key", app_public_key,
                      "token_minutes", 9));
    struct github *github = client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(github, REPO, 7, "a", &id, &err), err);
    CHECK_OK(github_create_comment(github, REPO, 7, "b", &id, &err), err);
    CHECK_INT(calls("apps/create-installation-access-token"), 2);
    end(github);
}

/* What asking for a token ends with, after `setup` changed the world. */
static void
check_token_refused(json_t *setup, int result, const char *words)
{
    struct err err;
    int64_t id;

    begin();
    control("POST", "setup", setup);
    struct github *github = client(AS_APP);
    CHECK_INT(github_create_comment(github, REPO, 7, "a", &id, &err), result);
    CHECK_CONTAINS(err.msg, words);
    end(github);
}

TEST(apps_that_cannot_have_a_token)
{
    begin(); /* makes the key */
    check_token_refused(
        json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "installed", 0),
        ERR_NOTFOUND, "the GitHub App is not installed on " REPO);
    check_token_refused(json_pack("{s:{s:i, s:s, s:b}}", "app", "id", 12345, "public_key",
                                  app_public_key, "suspended", 1),
                        ERR_AUTH, "suspended");
    check_token_refused(json_pack("{s:{s:i, s:s, s:{s:s}}}", "app", "id", 12345, "public_key",
                                  app_public_key, "permissions", "issues", "write"),
                        ERR_INVALID, "permissions requested are not granted");
    check_token_refused(
        json_pack("{s:{s:i, s:s}}", "app", "id", 54321, "public_key", app_public_key), ERR_AUTH,
        "401");
}

TEST(git_gets_the_same_token)
{
    begin();
    struct github *github = client(AS_APP);
    struct secret *password;
    struct secret *again;
    char *url;
    char *user;
    struct err err;

    CHECK_OK(github_git_access(github, REPO, &url, &user, &password, &err), err);
    CHECK(str_starts_with(url, github_fixture_url(stand_in)) &&
          str_ends_with(url, "/" REPO ".git"));
    CHECK_STR(user, "x-access-token");
    CHECK(str_starts_with(secret_reveal(password).ptr, "ghs_12345_"));
    CHECK(secret_reveal(password).len > 500);
    free(url);
    free(user);
    CHECK_OK(github_git_access(github, REPO, &url, &user, &again, &err), err);
    CHECK_STR(secret_reveal(again).ptr, secret_reveal(password).ptr);
    free(url);
    free(user);
    secret_free(password);
    secret_free(again);
    end(github);

    github = client(AS_USER);
    CHECK_OK(github_git_access(github, REPO, &url, &user, &password, &err), err);
    CHECK_STR(secret_reveal(password).ptr, "ghp_machine");
    free(url);
    free(user);
    secret_free(password);
    github_free(github);
}

/* --- Failures */

TEST(failures_have_their_codes)
{
    static const struct {
        const char *fault;
        int result;
        const char *words;
        int64_t least_ms, most_ms; /* of the wait after a rate limit */
    } cases[] = {
        {"{\"status\": 500}", ERR_REMOTE, "500", 0, 0},
        {"{\"status\": 502, \"body\": {\"x\": 1}}", ERR_REMOTE, "502: no reason given", 0, 0},
        {"{\"status\": 401}", ERR_AUTH, "refused the credential", 0, 0},
        {"{\"status\": 403, \"headers\": {\"X-Accepted-GitHub-Permissions\": \"issues=write\"}}",
         ERR_AUTH, "lacks issues=write", 0, 0},
        {"{\"status\": 404}", ERR_NOTFOUND, "404", 0, 0},
        {"{\"status\": 410}", ERR_NOTFOUND, "410", 0, 0},
        {"{\"status\": 422, \"body\": {\"message\": \"Nope\"}}", ERR_INVALID, "Nope", 0, 0},
        {"{\"close\": \"before\"}", ERR_REMOTE, "POST 127.0.0.1", 0, 0},
        {"{\"close\": \"half\"}", ERR_REMOTE, "POST 127.0.0.1", 0, 0},
        {"{\"status\": 200, \"body\": {}}", ERR_REMOTE, "does not name the comment", 0, 0},
        {"{\"rate_limit\": \"primary\", \"reset_in\": 90}", ERR_LIMIT, "rate limit exceeded", 80000,
         91000},
        {"{\"rate_limit\": \"primary\", \"status\": 429}", ERR_LIMIT, "429", 50000, 61000},
        {"{\"rate_limit\": \"secondary\", \"retry_after\": 17}", ERR_LIMIT, "secondary", 17000,
         17000},
        {"{\"rate_limit\": \"secondary\"}", ERR_LIMIT, "secondary", 60000, 60000},
        {"{\"close\": \"before\"}", ERR_REMOTE, "POST 127.0.0.1", 0, 0}, /* the wait is over */
    };

    begin();
    struct github *github = client(AS_USER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        json_t *fault;
        int64_t id;

        CHECK_OK(js_parse(bytes_of_str(cases[i].fault), &fault, &err), err);
        inject("/comments$", fault);
        const int result = github_create_comment(github, REPO, 7, "text", &id, &err);
        if (result != cases[i].result || !strstr(err.msg, cases[i].words))
            TEST_FAIL("%s: %d %s", cases[i].fault, result, err.msg);
        const int64_t wait_ms = github_retry_after_ms(github);
        CHECK(wait_ms >= cases[i].least_ms && wait_ms <= cases[i].most_ms);
        CHECK(!strstr(err.msg, "ghp_"));
    }
    struct err err;
    int64_t id;
    CHECK_OK(github_create_comment(github, REPO, 7, "text", &id, &err), err);
    CHECK_INT(github_retry_after_ms(github), 0);
    end(github);
}

TEST(limits_while_asking_for_a_token_are_told_as_well)
{
    begin();
    struct github *github = client(AS_APP);
    struct err err;
    int64_t id;

    inject("/access_tokens$", json_pack("{s:s, s:i}", "rate_limit", "secondary", "retry_after", 8));
    CHECK_INT(github_create_comment(github, REPO, 7, "a", &id, &err), ERR_LIMIT);
    CHECK_INT(github_retry_after_ms(github), 8000);
    end(github);
}

TEST(missing_permissions_are_named)
{
    struct secret *reader;
    struct secret *stranger;
    struct github_pull pull;
    struct err err;
    char *permission;

    begin();
    CHECK_OK(secret_new(bytes_of_str("ghp_reader"), &reader, &err), err);
    CHECK_OK(secret_new(bytes_of_str("ghp_unknown"), &stranger, &err), err);
    struct github *github = client_with(AS_USER, reader, NULL);
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "Resource not accessible by personal access token");
    CHECK_INT(github_permission(github, REPO, "ann", &permission, &err), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "push access");
    github_free(github);

    github = client_with(AS_USER, stranger, NULL);
    CHECK_INT(github_permission(github, REPO, "ann", &permission, &err), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "Bad credentials");
    secret_free(reader);
    secret_free(stranger);
    end(github);
}

static void *
raise_soon(void *stop)
{
    clock_sleep_ms(300);
    stop_raise(stop);
    return NULL;
}

TEST(a_stop_ends_a_call_that_hangs)
{
    struct stop *stop;
    pthread_t thread;
    struct err err;
    int64_t id;

    begin();
    CHECK_OK(stop_new(&stop, &err), err);
    struct github *github = client_with(AS_USER, user_token, stop);
    inject(NULL, json_pack("{s:b}", "hang", 1));
    CHECK_INT(pthread_create(&thread, NULL, raise_soon, stop), 0);
    CHECK_INT(github_create_comment(github, REPO, 7, "text", &id, &err), ERR_CANCELED);
    (void)pthread_join(thread, NULL);
    end(github);
    stop_free(stop);
}

TEST(an_untrusted_server_is_not_spoken_to)
{
    begin();
    const struct github_options options = {.api_url = github_fixture_url(stand_in),
                                           .git_url = github_fixture_url(stand_in),
                                           .token = user_token};
    struct github *github;
    char *login;
    struct err err;

    CHECK_OK(github_new(&options, tokens, &github, &err), err);
    CHECK_INT(github_login(github, &login, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "certificate is not trusted");
    end(github);
}

TEST(options_that_cannot_work_are_refused)
{
    const struct github_options cases[] = {
        {.api_url = "api.github.com", .token = user_token},
        {.api_url = "ftp://api.github.com", .token = user_token},
        {.api_url = "https://api.github.com/", .token = user_token},
        {.api_url = "https://api.github.com", .app_id = 1},
        {.api_url = "https://api.github.com"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct github *github;
        struct err err;
        CHECK_INT(github_new(&cases[i], tokens, &github, &err), ERR_INVALID);
    }
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    if (stand_in)
        github_fixture_free(stand_in);
    github_tokens_free(tokens);
    secret_free(app_key);
    secret_free(user_token);
    free(app_public_key);
    return failed;
}
