/* The GitHub client itself: who we are, what people may do, repositories, git's credential. */
#include "integrations/github/github.h"

#include "integrations/github/github_internal.h"

#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

/* "https://host:port" of a URL. */
static char *
origin_of(const char *url)
{
    const char *const host = strstr(url, "://");
    const char *const end = host ? strchrnul(host + 3, '/') : NULL;

    return end ? strndup(url, (size_t)(end - url)) : NULL;
}

static int
check_options(const struct github_options *options, struct err *err)
{
    if (!str_starts_with(options->api_url, "https://") &&
        !str_starts_with(options->api_url, "http://"))
        return err_set(err, ERR_INVALID, "github.api_url is not a URL: %s", options->api_url);
    if (str_ends_with(options->api_url, "/"))
        return err_set(err, ERR_INVALID, "github.api_url must not end with '/'");
    if (options->app_id != 0 && !options->app_private_key)
        return err_set(err, ERR_INVALID, "github.app needs its private key");
    if (options->app_id == 0 && !options->token)
        return err_set(err, ERR_INVALID, "github needs an App or a token");
    return 0;
}

int
github_new(const struct github_options *options,
           struct github_tokens *tokens,
           struct github **ret_github,
           struct err *err)
{
    const struct web_options web_options = {.ca_file = options->ca_file};
    AUTO(github_free) struct github *github = NULL;
    int result = check_options(options, err);

    if (result)
        return result;
    github = calloc(1, sizeof(*github));
    if (!github)
        return err_set(err, ERR_NOMEM, "out of memory");
    github->options = *options;
    github->tokens = tokens;
    github->origin = origin_of(options->api_url);
    if (!github->origin)
        return err_set(err, ERR_NOMEM, "out of memory");
    result = str_set(&github->login, options->login, err);
    if (result == 0)
        result = web_new(&web_options, &github->web, err);
    if (result)
        return result;
    *ret_github = TAKE(github);
    return 0;
}

void
github_free(struct github *github)
{
    if (!github)
        return;
    web_free(github->web);
    free(github->origin);
    free(github->login);
    free(github->moved_from);
    free(github->moved_to);
    free(github->classic);
    free(github);
}

bool
github_is_server(const char *api_url)
{
    auto_free char *origin = origin_of(api_url);

    /* GitHub's own: with data residency, "https://api.SUBDOMAIN.ghe.com" */
    return !origin ||
           (!str_equal(origin, "https://api.github.com") &&
            !(str_starts_with(origin, "https://api.") && str_ends_with(origin, ".ghe.com")));
}

int64_t
github_retry_after_ms(const struct github *github)
{
    return github->retry_after_ms;
}

/* Ask GitHub who we are. */
static int
ask_login(struct github *github, char **ret_login, struct err *err)
{
    const bool is_app = github->options.app_id != 0;
    const struct github_call call = {.method = "GET", .url = is_app ? "/app" : "/user"};
    AUTO(js_free) json_t *json = NULL;
    const int result = github_call(github, &call, &json, NULL, err);

    if (result)
        return err_wrap(err, "asking GitHub who draftd is");
    const char *const name = js_str(json, is_app ? "slug" : "login");
    if (!name)
        return err_set(err, ERR_REMOTE, "GitHub's answer does not say who draftd is");
    *ret_login = is_app ? str_printf("%s[bot]", name) : str_dup(name);
    return *ret_login ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int
github_login(struct github *github, char **ret_login, struct err *err)
{
    if (!github->login) {
        const int result = ask_login(github, &github->login, err);
        if (result)
            return result;
    }
    char *const copy = str_dup(github->login);
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_login = copy;
    return 0;
}

int
github_permission(struct github *github,
                  const char *repository,
                  const char *login,
                  char **ret_permission,
                  struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf rest = STRBUF_INIT(GITHUB_PATH_BYTES);
    AUTO(js_free) json_t *json = NULL;
    int result;

    strbuf_add_str(&rest, "/collaborators/");
    result = github_append_segment(&rest, login, err);
    strbuf_add_str(&rest, "/permission");
    if (result == 0)
        result =
            github_call_repository(github, "GET", repository, strbuf_str(&rest), NULL, &json, err);
    if (result)
        return err_wrap(err, "what %.100s may do in %.200s", login, repository);
    const char *const permission = js_str(json, "permission");
    if (!permission)
        return err_set(err, ERR_REMOTE, "GitHub's answer names no permission");
    char *const copy = str_dup(permission);
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_permission = copy;
    return 0;
}

int
github_git_access(struct github *github,
                  const char *repository,
                  char **ret_url,
                  char **ret_user,
                  struct secret **ret_password,
                  struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    AUTO(secret_free) struct secret *token = NULL;
    int result = github_append_repository(&path, repository, err);

    if (result)
        return result;
    github->retry_after_ms = 0;
    result = github_token(github, repository, &token, err);
    if (result)
        return err_wrap(err, "git access to %.200s", repository);
    auto_free char *url =
        str_printf("%s%s.git", github->options.git_url, strbuf_str(&path) + strlen("/repos"));
    auto_free char *user = str_dup("x-access-token"); /* with any kind of token */
    if (!strbuf_ok(&path) || !url || !user)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_url = TAKE(url);
    *ret_user = TAKE(user);
    *ret_password = TAKE(token);
    return 0;
}
