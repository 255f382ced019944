/* Getting the token of a call: which installation it is of, and what it is narrowed to. */
#include "integrations/github/github_app.h"
#include "integrations/github/github_internal.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

/* The App may not work there: for how long nobody knows. */
static int
note_absence(struct github *github, const char *repository, const char *why, struct err *err)
{
    (void)err_set(err, ERR_UNAVAILABLE,
                  "the GitHub App %s %.200s: work there pauses until it is %s", why, repository,
                  strstr(why, "suspended") ? "not any more" : "installed");
    github_tokens_note_absence(github->tokens, repository, err->msg, clock_now_ms());
    return err->code;
}

int
github_suspended(struct github *github, const char *holder, struct err *err)
{
    github_tokens_forget(github->tokens, holder);
    return note_absence(github, holder, "is suspended on", err);
}

/* *ret_id: the repository's, where GitHub redirected to it; else 0. */
static int
find_installation(struct github *github,
                  const char *repository,
                  json_t **ret_installation,
                  int64_t *ret_id,
                  struct err *err)
{
    auto_free char *path = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO(js_free) json_t *json = NULL;
    int result = github_tokens_check_absence(github->tokens, repository, clock_now_ms(), err);

    if (result == 0)
        result = github_repository_path(repository, "/installation", &path, err);
    if (result)
        return result;
    const struct github_call call = {.method = "GET", .url = path};
    result = github_exchange(github, &call, &answer, err);
    if (result == ERR_NOTFOUND)
        return note_absence(github, repository, "is not installed on, or was not given,", err);
    if (result == 0)
        result = github_parse(&answer, &json, err);
    if (result)
        return result;
    if (js_int(json, "id", 0) <= 0)
        return err_set(err, ERR_REMOTE, "GitHub's answer names no installation");
    if (js_str(json, "suspended_at"))
        return github_suspended(github, repository, err);
    *ret_installation = TAKE(json);
    *ret_id = github_redirect_id(github, answer.redirected_to);
    return 0;
}

/* What publishing needs, and what is asked for only where it was granted: GitHub refuses a token
 * that is to do more than the installation may. */
static json_t *
token_permissions(const json_t *granted)
{
    static const struct {
        const char *name;
        const char *most; /* the level that we have a use for */
    } wanted[] = {{"checks", "write"}, {"actions", "read"}, {"workflows", "write"}};

    json_t *const permissions =
        json_pack("{s:s, s:s, s:s, s:s}", "contents", "write", "pull_requests", "write", "issues",
                  "write", "metadata", "read");
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *const level = js_str(granted, wanted[i].name);
        const bool enough = str_equal(level, "write") || str_equal(level, "admin");

        if (level)
            (void)json_object_set_new(permissions, wanted[i].name,
                                      json_string(enough ? wanted[i].most : level));
    }
    return permissions;
}

/* A token is narrowed to one repository: by its id where it has another name now. */
static json_t *
token_request(const char *repository, int64_t id, const json_t *installation)
{
    const char *const slash = strchr(repository, '/');
    json_t *const permissions = token_permissions(js_at(installation, "permissions"));

    if (id != 0)
        return json_pack("{s:[I], s:o}", "repository_ids", id, "permissions", permissions);
    return json_pack("{s:[s], s:o}", "repositories", slash ? slash + 1 : "", "permissions",
                     permissions);
}

/* The answer names the repository that the token is for: by another name, if it moved. */
static int
note_name(struct github *github, const char *holder, const json_t *json, struct err *err)
{
    if (str_starts_with(holder, GITHUB_INSTALLATION))
        return 0;
    return github_note_move(github, holder, js_str(json, "repositories.0.full_name"), err);
}

/* Ask for a token as `body` says, and keep it for `holder`. */
static int
mint(struct github *github,
     const char *holder,
     int64_t installation,
     const json_t *body,
     struct secret **ret_token,
     struct err *err)
{
    auto_free char *path = str_printf("/app/installations/%" PRId64 "/access_tokens", installation);
    AUTO(js_free) json_t *json = NULL;
    AUTO(secret_free) struct secret *token = NULL;

    if (!path || !body)
        return err_set(err, ERR_NOMEM, "out of memory");
    const bool is_classic = github->classic && str_equal_nocase(github->classic, holder);
    const struct github_call call = {
        .method = "POST",
        .url = path,
        .body = body,
        .header = is_classic ? "X-GitHub-Stateless-S2S-Token: disabled" : NULL,
        .quiet = true,
    };
    int result = github_call(github, &call, &json, NULL, err);
    if (result)
        return err_wrap(err, "asking for a token for %s", holder);

    const char *const text = js_str(json, "token");
    const int64_t expires_ms = clock_parse(js_str(json, "expires_at"), 0);
    if (!text || expires_ms == 0)
        return err_set(err, ERR_REMOTE, "GitHub's answer holds no token");
    result = secret_new(bytes_of_str(text), &token, err);
    if (result == 0)
        result = note_name(github, holder, json, err);
    if (result == 0)
        result = github_tokens_put(github->tokens, holder, token, expires_ms, clock_now_ms(), err);
    if (result)
        return result;
    *ret_token = TAKE(token);
    return 0;
}

static int
mint_for_repository(struct github *github,
                    const char *repository,
                    struct secret **ret_token,
                    struct err *err)
{
    AUTO(js_free) json_t *installation = NULL;
    int64_t id = 0;
    const int result = find_installation(github, repository, &installation, &id, err);

    if (result)
        return result;
    AUTO(js_free) json_t *body = token_request(repository, id, installation);
    return mint(github, repository, js_int(installation, "id", 0), body, ret_token, err);
}

/* One that sees all repositories of the installation, and may do nothing there. */
static int
mint_for_installation(struct github *github,
                      const char *holder,
                      struct secret **ret_token,
                      struct err *err)
{
    AUTO(js_free) json_t *body = json_pack("{s:{s:s}}", "permissions", "metadata", "read");
    int64_t installation;
    const int result = str_to_i64(holder + strlen(GITHUB_INSTALLATION), &installation, err);

    return result ? result : mint(github, holder, installation, body, ret_token, err);
}

int
github_token(struct github *github, const char *holder, struct secret **ret_token, struct err *err)
{
    if (github->options.app_id == 0)
        return secret_copy(github->options.token, ret_token, err);
    const int result = github_tokens_get(github->tokens, holder, clock_now_ms(), ret_token, err);
    if (result != ERR_NOTFOUND)
        return result;
    if (str_starts_with(holder, GITHUB_INSTALLATION))
        return mint_for_installation(github, holder, ret_token, err);
    return mint_for_repository(github, holder, ret_token, err);
}

void
github_forget_token(struct github *github, const char *repository)
{
    github_tokens_forget(github->tokens, repository);
}

int
github_forget_stateless_token(struct github *github, const char *repository, struct err *err)
{
    github_forget_token(github, repository);
    return str_set(&github->classic, repository, err);
}

int
github_granted(struct github *github,
               const char *repository,
               const char *permission,
               char **ret_level,
               struct err *err)
{
    AUTO(js_free) json_t *installation = NULL;
    int64_t id;

    if (github->options.app_id == 0)
        return err_set(err, ERR_INVALID, "GitHub does not tell what a machine user's token may do");
    const int result = find_installation(github, repository, &installation, &id, err);
    if (result)
        return err_wrap(err, "what the App may do in %.200s", repository);
    const json_t *const granted = js_at(installation, "permissions");
    const char *const level = js_str(granted, permission);
    char *const copy = str_dup(level ? level : "none");
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_level = copy;
    return 0;
}

/* Is this one of the names in a list like "repo, workflow"? */
static bool
is_listed(const char *list, const char *name)
{
    static const char between[] = ", ";
    const size_t name_len = strlen(name);

    while (*list) {
        const size_t len = strcspn(list, between);
        if (len == name_len && strncmp(list, name, len) == 0)
            return true;
        list += len;
        list += strspn(list, between);
    }
    return false;
}

/* Any call tells. That of the repository itself is open to every kind of token. An empty list is
 * no classic token's that could do anything here: nothing is concluded from it. */
int
github_lacks_scope(struct github *github,
                   const char *repository,
                   const char *scope,
                   bool *ret_lacks,
                   struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    auto_free char *path = NULL;

    if (github->options.app_id != 0)
        return err_set(err, ERR_INVALID, "an App has permissions, not scopes");
    int result = github_repository_path(repository, "", &path, err);
    if (result)
        return result;
    const struct github_call call = {.method = "GET", .url = path, .repository = repository};
    result = github_exchange(github, &call, &answer, err);
    if (result)
        return err_wrap(err, "what the token may do in %.200s", repository);
    const char *const scopes = answer.oauth_scopes;
    *ret_lacks = scopes && *scopes && !is_listed(scopes, scope);
    return 0;
}
