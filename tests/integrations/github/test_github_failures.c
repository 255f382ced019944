/* Where the GitHub client's calls fail: tokens that end or are refused, rate limits, broken
 * answers, missing permissions. Against the stand-in; not even then may a request break GitHub's
 * rules. */
#include "integrations/github/github.h"

#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#include <pthread.h>

static void
check_text(const json_t *state, const char *path, const char *expected)
{
    const char *const text = js_str(state, path);

    if (!text || strcmp(text, expected) != 0)
        TEST_FAIL("%s is %.200s", path, text ? text : "(none)");
}

static const struct github_pull_new new_pull = {
    .title = "Fix", .body = MARKER " body", .head = "draftd/7-fix", .base = "main", .draft = true};

/* --- Tokens of an App */

TEST(tokens_are_narrowed_and_shared)
{
    world_begin();
    struct github *one = world_client(AS_APP);
    struct github *two = world_client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(one, REPO, 7, "a", &id, &err), err);
    CHECK_OK(github_create_comment(two, "ACME/widget", 7, "b", &id, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 1);

    json_t *const state = github_control(world_stand_in(), "GET", "state", NULL);
    const json_t *const token = json_array_get(js_at(state, "tokens"), 2); /* after the people's */
    check_text(json_object_get(token, "permissions"), "contents", "write");
    check_text(json_object_get(token, "permissions"), "pull_requests", "write");
    check_text(json_object_get(token, "permissions"), "issues", "write");
    check_text(json_object_get(token, "permissions"), "metadata", "read");
    CHECK_INT(json_object_size(json_object_get(token, "permissions")), 4);
    CHECK_INT(json_array_size(json_object_get(token, "repositories")), 1);
    json_decref(state);
    github_free(two);
    CHECK_INT(world_end(one), 0);
}

TEST(tokens_hold_what_was_granted_and_is_of_use)
{
    world_begin();
    world_grant(json_pack("{s:s, s:s, s:s, s:s}", "checks", "read", "actions", "write", "workflows",
                          "write", "secrets", "write"));
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(github, REPO, 7, "a", &id, &err), err);
    json_t *const state = github_control(world_stand_in(), "GET", "state", NULL);
    const json_t *const permissions = js_at(state, "tokens.2.permissions");
    check_text(permissions, "checks", "read");
    check_text(permissions, "actions", "read");
    check_text(permissions, "workflows", "write");
    check_text(permissions, "contents", "write");
    CHECK_INT(json_object_size(permissions), 7);
    json_decref(state);
    CHECK_INT(world_end(github), 0);
}

static void
check_granted(struct github *github, const char *permission, const char *expected)
{
    auto_free char *level = NULL;
    struct err err;

    CHECK_OK(github_granted(github, REPO, permission, &level, &err), err);
    CHECK_STR(level, expected);
}

TEST(what_was_granted_is_told)
{
    char *level;
    struct err err;

    world_begin();
    world_grant(json_pack("{s:s, s:s}", "actions", "read", "workflows", "write"));
    struct github *github = world_client(AS_APP);
    check_granted(github, "actions", "read");
    check_granted(github, "workflows", "write");
    check_granted(github, "checks", "none");
    CHECK_INT(github_granted(github, "acme/unknown", "checks", &level, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "what the App may do in acme/unknown");
    CHECK_INT(world_end(github), 0);
    github = world_client(AS_USER);
    CHECK_INT(github_granted(github, REPO, "checks", &level, &err), ERR_INVALID);
    CHECK_INT(world_end(github), 0);
}

static bool
lacks_workflow(const char *scopes)
{
    bool lacks = false;
    struct err err;

    world_begin();
    if (scopes)
        world_control("POST", "setup",
                      json_pack("{s:[{s:s,s:s,s:s}]}", "tokens", "token", "ghp_machine", "login",
                                "draftd-bot", "scopes", scopes));
    struct github *github = world_client(AS_USER);
    CHECK_OK(github_lacks_scope(github, REPO, "workflow", &lacks, &err), err);
    CHECK_INT(world_end(github), 0);
    return lacks;
}

TEST(the_scopes_of_a_classic_token_are_told)
{
    bool lacks;
    struct err err;

    CHECK(lacks_workflow("repo"));
    CHECK(lacks_workflow("repo, workflows, admin:workflow"));
    CHECK(!lacks_workflow("repo, workflow"));
    CHECK(!lacks_workflow("workflow,repo"));
    CHECK(!lacks_workflow("")); /* not told of what could push */
    CHECK(!lacks_workflow(NULL));
    world_begin();
    struct github *github = world_client(AS_USER);
    CHECK_INT(github_lacks_scope(github, "acme/unknown", "workflow", &lacks, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "what the token may do in acme/unknown");
    CHECK_INT(world_end(github), 0);
    github = world_client(AS_APP);
    CHECK_INT(github_lacks_scope(github, REPO, "workflow", &lacks, &err), ERR_INVALID);
    CHECK_INT(world_end(github), 0);
}

TEST(a_refused_token_is_renewed_once)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(github, REPO, 7, "a", &id, &err), err);
    world_control("POST", "tokens/revoke", NULL);
    CHECK_OK(github_create_comment(github, REPO, 7, "b", &id, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 2);
    world_inject("/comments$", json_pack("{s:i, s:i}", "status", 401, "times", 5));
    CHECK_INT(github_create_comment(github, REPO, 7, "c", &id, &err), ERR_AUTH);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 3);
    CHECK_INT(world_calls("fault"), 2);

    github_forget_token(github, REPO);
    world_control("DELETE", "faults", NULL);
    CHECK_OK(github_create_comment(github, REPO, 7, "d", &id, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 4);
    CHECK_INT(world_end(github), 0);
}

TEST(a_token_that_soon_ends_is_not_used_again)
{
    world_begin();
    world_control("POST", "setup",
                  json_pack("{s:{s:i, s:s, s:i}}", "app", "id", 12345, "public_key",
                            world_app_public_key(), "token_minutes", 9));
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_OK(github_create_comment(github, REPO, 7, "a", &id, &err), err);
    CHECK_OK(github_create_comment(github, REPO, 7, "b", &id, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 2);
    CHECK_INT(world_end(github), 0);
}

/* What asking for a token ends with, after `setup` changed the world. */
static void
check_token_refused(json_t *setup, int result, const char *words)
{
    struct err err;
    int64_t id;

    world_begin();
    world_control("POST", "setup", setup);
    struct github *github = world_client(AS_APP);
    CHECK_INT(github_create_comment(github, REPO, 7, "a", &id, &err), result);
    CHECK_CONTAINS(err.msg, words);
    CHECK_INT(world_end(github), 0);
}

TEST(apps_that_cannot_have_a_token)
{
    world_begin(); /* makes the key */
    check_token_refused(
        json_pack("{s:[{s:s, s:b}]}", "repositories", "full_name", REPO, "installed", 0),
        ERR_UNAVAILABLE, "the GitHub App is not installed on, or was not given, " REPO);
    check_token_refused(json_pack("{s:{s:i, s:s, s:b}}", "app", "id", 12345, "public_key",
                                  world_app_public_key(), "suspended", 1),
                        ERR_UNAVAILABLE, "is suspended on " REPO);
    check_token_refused(json_pack("{s:{s:i, s:s, s:{s:s}}}", "app", "id", 12345, "public_key",
                                  world_app_public_key(), "permissions", "issues", "write"),
                        ERR_INVALID, "permissions requested are not granted");
    check_token_refused(
        json_pack("{s:{s:i, s:s}}", "app", "id", 54321, "public_key", world_app_public_key()),
        ERR_AUTH, "401");
}

TEST(git_gets_the_same_token)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    struct secret *password;
    struct secret *again;
    char *url;
    char *user;
    struct err err;

    CHECK_OK(github_git_access(github, REPO, &url, &user, &password, &err), err);
    CHECK(str_starts_with(url, github_fixture_url(world_stand_in())) &&
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
    CHECK_INT(world_end(github), 0);

    github = world_client(AS_USER);
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
         ERR_DENIED, "lacks issues=write", 0, 0},
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

    world_begin();
    struct github *github = world_client(AS_USER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        json_t *fault;
        int64_t id;

        CHECK_OK(js_parse(bytes_of_str(cases[i].fault), &fault, &err), err);
        world_inject("/comments$", fault);
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
    CHECK_INT(world_end(github), 0);
}

TEST(limits_while_asking_for_a_token_are_told_as_well)
{
    world_begin();
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;

    world_inject("/access_tokens$",
                 json_pack("{s:s, s:i}", "rate_limit", "secondary", "retry_after", 8));
    CHECK_INT(github_create_comment(github, REPO, 7, "a", &id, &err), ERR_LIMIT);
    CHECK_INT(github_retry_after_ms(github), 8000);
    CHECK_INT(world_end(github), 0);
}

TEST(missing_permissions_are_named)
{
    struct secret *reader;
    struct secret *stranger;
    struct github_pull pull;
    struct err err;
    char *permission;

    world_begin();
    CHECK_OK(secret_new(bytes_of_str("ghp_reader"), &reader, &err), err);
    CHECK_OK(secret_new(bytes_of_str("ghp_unknown"), &stranger, &err), err);
    struct github *github = world_client_with(AS_USER, reader, NULL);
    CHECK_INT(github_create_pull(github, REPO, &new_pull, &pull, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "Resource not accessible by personal access token");
    CHECK_INT(github_permission(github, REPO, "ann", &permission, &err), ERR_DENIED);
    CHECK_CONTAINS(err.msg, "push access");
    github_free(github);

    github = world_client_with(AS_USER, stranger, NULL);
    CHECK_INT(github_permission(github, REPO, "ann", &permission, &err), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "Bad credentials");
    secret_free(reader);
    secret_free(stranger);
    CHECK_INT(world_end(github), 0);
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

    world_begin();
    CHECK_OK(stop_new(&stop, &err), err);
    struct github *github = world_client_with(AS_USER, world_user_token(), stop);
    world_inject(NULL, json_pack("{s:b}", "hang", 1));
    CHECK_INT(pthread_create(&thread, NULL, raise_soon, stop), 0);
    CHECK_INT(github_create_comment(github, REPO, 7, "text", &id, &err), ERR_CANCELED);
    (void)pthread_join(thread, NULL);
    CHECK_INT(world_end(github), 0);
    stop_free(stop);
}

TEST(an_untrusted_server_is_not_spoken_to)
{
    world_begin();
    const struct github_options options = {.api_url = github_fixture_url(world_stand_in()),
                                           .git_url = github_fixture_url(world_stand_in()),
                                           .token = world_user_token()};
    struct github *github;
    char *login;
    struct err err;

    CHECK_OK(github_new(&options, world_tokens(), &github, &err), err);
    CHECK_INT(github_login(github, &login, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "certificate is not trusted");
    CHECK_INT(world_end(github), 0);
}

TEST(options_that_cannot_work_are_refused)
{
    const struct github_options cases[] = {
        {.api_url = "api.github.com", .token = world_user_token()},
        {.api_url = "ftp://api.github.com", .token = world_user_token()},
        {.api_url = "https://api.github.com/", .token = world_user_token()},
        {.api_url = "https://api.github.com", .app_id = 1},
        {.api_url = "https://api.github.com"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct github *github;
        struct err err;
        CHECK_INT(github_new(&cases[i], world_tokens(), &github, &err), ERR_INVALID);
    }
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
