/* See github_world.h. */
#include "tests/integrations/github/github_world.h"

#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/child.h"
#include "tests/integrations/github/github_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define APP_ID 12345

static struct github_fixture *stand_in;
static struct github_tokens *tokens;
static struct secret *app_key;
static struct secret *user_token;
static char *app_public_key;

/* The world is a precondition: without it there is no test. */
static void
require(int result, const struct err *err)
{
    if (result == 0)
        return;
    printf("Bail out! the world cannot be made: %s\n", err->msg);
    exit(99);
}

static void
require_run(const char *const *argv)
{
    struct err err;

    if (child_run(argv) != 0)
        require(err_set(&err, ERR_INTERNAL, "%s failed", argv[0]), &err);
}

static void
make_app_key(void)
{
    auto_free char *key = str_printf("%s/app.pem", github_fixture_dir(stand_in));
    auto_free char *public_key = str_printf("%s/app.pub", github_fixture_dir(stand_in));
    const char *const generate[] = {"openssl", "genrsa", "-out", key, "2048", NULL};
    const char *const publish[] = {"openssl", "pkey", "-in",      key,
                                   "-pubout", "-out", public_key, NULL};
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(8192);
    struct err err;

    require_run(generate);
    require_run(publish);
    require(fs_read_file(public_key, &text, &err), &err);
    require(strbuf_take(&text, &app_public_key, &err), &err);
    require(secret_load(key, NULL, &app_key, &err), &err);
    require(secret_new(bytes_of_str("ghp_machine"), &user_token, &err), &err);
}

void
world_begin(void)
{
    struct err err;

    if (!stand_in) {
        stand_in = github_fixture_new();
        make_app_key();
    }
    github_tokens_free(tokens);
    tokens = NULL;
    require(github_tokens_new(&tokens, &err), &err);
    world_control("POST", "reset", NULL);
    world_control("POST", "setup",
                  json_pack("{s:{s:i,s:s}, s:[{s:s,s:s},{s:s,s:s}],"
                            " s:[{s:s,s:b,s:{s:s,s:s,s:s},s:[s],s:[{s:i,s:s}]}]}",
                            "app", "id", APP_ID, "public_key", app_public_key, "tokens", "token",
                            "ghp_machine", "login", "draftd-bot", "token", "ghp_reader", "login",
                            "reader", "repositories", "full_name", REPO, "private", 1,
                            "collaborators", "ann", "maintain", "draftd-bot", "write", "reader",
                            "read", "renamed_from", "acme/old", "issues", "number", 7, "title",
                            "It is broken"));
}

void
world_done(void)
{
    if (stand_in)
        github_fixture_free(stand_in);
    github_tokens_free(tokens);
    secret_free(app_key);
    secret_free(user_token);
    free(app_public_key);
}

struct github_fixture *
world_stand_in(void)
{
    return stand_in;
}

const char *
world_app_public_key(void)
{
    return app_public_key;
}

struct github_tokens *
world_tokens(void)
{
    return tokens;
}

const struct secret *
world_user_token(void)
{
    return user_token;
}

static struct github *
new_client(enum mode mode,
           const char *api_url,
           const struct secret *token,
           const struct stop *stop,
           struct github_pacer *pacer)
{
    const struct github_options options = {
        .api_url = api_url,
        .git_url = github_fixture_url(stand_in),
        .ca_file = github_fixture_ca(stand_in),
        .app_id = mode == AS_APP ? APP_ID : 0,
        .app_private_key = mode == AS_APP ? app_key : NULL,
        .token = token,
        .stop = stop,
        .pacer = pacer,
    };
    struct github *github = NULL;
    struct err err;

    require(github_new(&options, tokens, &github, &err), &err);
    return github;
}

struct github *
world_client_with(enum mode mode, const struct secret *token, const struct stop *stop)
{
    return new_client(mode, github_fixture_url(stand_in), token, stop, NULL);
}

struct github *
world_paced_client(enum mode mode, struct github_pacer *pacer, const struct stop *stop)
{
    return new_client(mode, github_fixture_url(stand_in), user_token, stop, pacer);
}

struct github *
world_server_client(enum mode mode)
{
    static char url[128]; /* borrowed by the client */

    snprintf(url, sizeof(url), "%s/api/v3", github_fixture_url(stand_in));
    return new_client(mode, url, user_token, NULL, NULL);
}

struct github *
world_client(enum mode mode)
{
    return world_client_with(mode, user_token, NULL);
}

size_t
world_end(struct github *github)
{
    json_t *const violations = github_control(stand_in, "GET", "violations", NULL);
    const size_t count = json_array_size(violations);

    for (size_t i = 0; i < count; i++) {
        const json_t *const one = json_array_get(violations, i);
        printf("# %s %s: %s\n", js_str(one, "method"), js_str(one, "url"), js_str(one, "reason"));
    }
    json_decref(violations);
    github_free(github);
    return count;
}

int64_t
world_calls(const char *operation)
{
    json_t *const counts = github_control(stand_in, "GET", "counts", NULL);
    const int64_t total = js_int(json_object_get(counts, operation), "total", 0);

    json_decref(counts);
    return total;
}

void
world_control(const char *method, const char *path, json_t *body)
{
    github_control_do(stand_in, method, path, body);
}

void
world_grant(json_t *more)
{
    json_t *const permissions =
        json_pack("{s:s, s:s, s:s, s:s}", "contents", "write", "pull_requests", "write", "issues",
                  "write", "metadata", "read");

    json_object_update(permissions, more);
    json_decref(more);
    world_control("POST", "setup",
                  json_pack("{s:{s:i, s:s, s:o}}", "app", "id", APP_ID, "public_key",
                            app_public_key, "permissions", permissions));
}

json_t *
world_post(const char *path, json_t *body)
{
    auto_free char *whole = str_printf("repos/" REPO "/%s", path);

    return github_control(stand_in, "POST", whole ? whole : "", body);
}

json_t *
world_repository(void)
{
    return github_control(stand_in, "GET", "repos/" REPO, NULL);
}

void
world_inject(const char *path, json_t *fault)
{
    if (path)
        json_object_set_new(fault, "path", json_string(path));
    world_control("POST", "faults", fault);
}

void
world_add_git(void)
{
    static const char script[] =
        "set -e; cd \"$1\"; rm -rf w r.git; git init -q -b main w; git init -q --bare -b main "
        "r.git; cd w; "
        "git config user.name t; git config user.email t@example.org; "
        "git commit -q --allow-empty -m one; git push -q ../r.git main; "
        "git commit -q --allow-empty -m two; git push -q ../r.git main:draftd/7-fix";
    const char *const argv[] = {"sh", "-c", script, "sh", github_fixture_dir(stand_in), NULL};
    auto_free char *path = str_printf("%s/r.git", github_fixture_dir(stand_in));

    require_run(argv);
    world_control(
        "POST", "setup",
        json_pack("{s:[{s:s, s:s}]}", "repositories", "full_name", REPO, "git_dir", path));
}
