/* Making a call to GitHub: addresses, headers, tokens and their renewal. */
#include "integrations/github/github_app.h"
#include "integrations/github/github_errors.h"
#include "integrations/github/github_internal.h"
#include "integrations/github/github_pacer.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

#define LONGEST_PAUSE_MS (5 * MS_PER_SECOND) /* that a call waits for its turn */

/* One exchange with the credential at hand. */
static int
exchange(struct github *github,
         const struct github_call *call,
         const struct secret *bearer,
         struct web_answer *ret_answer,
         struct err *err)
{
    auto_free char *condition = call->etag ? str_printf("If-None-Match: %s", call->etag) : NULL;
    const char *const headers[] = {"Accept: application/vnd.github+json",
                                   "X-GitHub-Api-Version: 2022-11-28",
                                   call->header ? call->header : condition, NULL};
    auto_free char *url = call->url[0] == '/'
                              ? str_printf("%s%s", github->options.api_url, call->url)
                              : str_dup(call->url);
    auto_free char *body = NULL;

    if (!url || (call->etag && !condition))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (call->body) {
        const int result = js_dump(call->body, &body, err);
        if (result)
            return result;
    }
    const struct web_request request = {
        .method = call->method,
        .url = url,
        .headers = headers,
        .bearer = bearer,
        .body = bytes_of_str(body),
        .max_answer_bytes = GITHUB_PAGE_BYTES,
        .keep_last_bytes = call->keep_last_bytes,
        .follow_redirects = true,
        .timeout_ms = call->keep_last_bytes ? GITHUB_LOG_TIMEOUT_MS : GITHUB_TIMEOUT_MS,
        .stop = github->options.stop,
    };
    return web_perform(github->web, &request, ret_answer, err);
}

static enum github_pace
pace_of(const struct github_call *call)
{
    if (str_equal(call->method, "GET") || call->quiet)
        return GITHUB_READS;
    return str_equal(call->method, "POST") ? GITHUB_CREATES : GITHUB_CHANGES;
}

/* Wait until the call may be made; a long wait is the caller's. */
static int
wait_for_turn(struct github *github, const struct github_call *call, struct err *err)
{
    struct github_pacer *const pacer = github->options.pacer;
    int64_t wait_ms;

    while (pacer && (wait_ms = github_pacer_book(pacer, pace_of(call), clock_mono_ms())) > 0) {
        if (wait_ms > LONGEST_PAUSE_MS) {
            github->retry_after_ms = wait_ms;
            return err_set(err, ERR_LIMIT,
                           "calls to GitHub pause for %" PRId64 " s, to keep to its limits",
                           wait_ms / MS_PER_SECOND);
        }
        if (stop_wait_ms(github->options.stop, wait_ms))
            return err_set(err, ERR_CANCELED, "asked to stop");
    }
    return 0;
}

/* What an answer means for the calls to come: a secondary limit is the whole process's. */
static void
tell_pacer(struct github *github, const struct web_answer *answer, int result)
{
    struct github_pacer *const pacer = github->options.pacer;
    const bool is_told = answer->retry_after != NULL;

    if (pacer && result == 0)
        github_pacer_passed(pacer);
    else if (pacer && result == ERR_LIMIT && !github_is_primary_limit(answer))
        github->retry_after_ms =
            github_pacer_refused(pacer, is_told ? github->retry_after_ms : 0, clock_mono_ms());
}

/* As exchange(), in its turn, with what is not success made an error. */
static int
checked_exchange(struct github *github,
                 const struct github_call *call,
                 const struct secret *bearer,
                 struct web_answer *answer,
                 struct err *err)
{
    int result = wait_for_turn(github, call, err);

    if (result == 0)
        result = exchange(github, call, bearer, answer, err);
    if (result)
        return result;
    if (!call->etag || answer->status != GITHUB_UNCHANGED)
        result = github_check_answer(answer, clock_now_ms(), &github->retry_after_ms, err);
    tell_pacer(github, answer, result);
    return result;
}

int
github_parse(const struct web_answer *answer, json_t **ret_json, struct err *err)
{
    const int result = js_parse(bytes_of(answer->body.ptr, answer->body.len), ret_json, err);

    if (result == ERR_INVALID)
        return err_set(err, ERR_REMOTE, "GitHub's answer is not JSON");
    return result;
}

/* A call as the App itself. */
static int
exchange_as_app(struct github *github,
                const struct github_call *call,
                struct web_answer *answer,
                struct err *err)
{
    AUTO(secret_free) struct secret *token = NULL;
    const int result = github_app_sign(github->options.app_id, github->options.app_private_key,
                                       clock_now_ms(), &token, err);

    return result ? result : checked_exchange(github, call, token, answer, err);
}

/* The call with a token of its own; a refused one is renewed once. */
static int
exchange_with_token(struct github *github,
                    const struct github_call *call,
                    struct web_answer *answer,
                    struct err *err)
{
    const bool renewable = github->options.app_id != 0;
    auto_free char *holder = call->repository
                                 ? str_dup(call->repository)
                                 : str_printf(GITHUB_INSTALLATION "%" PRId64, call->installation);

    if (!holder)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (int attempt = 0;; attempt++) {
        AUTO(secret_free) struct secret *token = NULL;
        int result = github_token(github, holder, &token, err);
        if (result)
            return result;
        result = checked_exchange(github, call, token, answer, err);
        if (result == ERR_DENIED && renewable && github_says(answer, "has been suspended"))
            return github_suspended(github, holder, err);
        if (result != ERR_AUTH || !renewable || attempt > 0)
            return result;
        github_tokens_forget(github->tokens, holder);
        web_answer_done(answer);
        *answer = (struct web_answer){0};
    }
}

/* Where the answer tells of another address, ask for the repository's name there. */
static int
follow_move(struct github *github,
            const struct github_call *call,
            const struct web_answer *answer,
            struct err *err)
{
    const char *const there = answer->redirected_to ? answer->redirected_to : answer->location;
    const int64_t id = call->repository ? github_redirect_id(github, there) : 0;
    AUTO_DONE(web_answer_done) struct web_answer named = {0};
    AUTO(js_free) json_t *json = NULL;

    if (id == 0 || github_moved_to(github, call->repository))
        return 0;
    auto_free char *path = str_printf("/repositories/%" PRId64, id);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct github_call ask = {.method = "GET", .url = path, .repository = call->repository};
    int result = exchange_with_token(github, &ask, &named, err);
    if (result == 0)
        result = github_parse(&named, &json, err);
    if (result)
        return err_wrap(err, "asking for the new name of %.200s", call->repository);
    return github_note_move(github, call->repository, js_str(json, "full_name"), err);
}

int
github_exchange(struct github *github,
                const struct github_call *call,
                struct web_answer *answer,
                struct err *err)
{
    struct err moving;
    int result;

    github->retry_after_ms = 0;
    if (!call->repository && call->installation == 0 && github->options.app_id != 0)
        return exchange_as_app(github, call, answer, err);
    result = exchange_with_token(github, call, answer, err);
    if (result == 0)
        result = follow_move(github, call, answer, err);
    else if (result == ERR_NOTFOUND)
        (void)follow_move(github, call, answer, &moving); /* the first failure is what is told */
    return result;
}

int
github_call(struct github *github,
            const struct github_call *call,
            json_t **ret_json,
            char **ret_next,
            struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO(js_free) json_t *json = NULL;
    int result = github_exchange(github, call, &answer, err);

    if (result == 0)
        result = github_parse(&answer, &json, err);
    if (result == 0 && ret_next)
        result = github_next_page(answer.link, github->origin, ret_next, err);
    if (result)
        return result;
    *ret_json = TAKE(json);
    return 0;
}

int
github_append_segment(struct strbuf *path, const char *segment, struct err *err)
{
    if (!*segment || str_equal(segment, ".") || str_equal(segment, ".."))
        return err_set(err, ERR_INVALID, "'%s' is not a name", segment);
    web_append_escaped(path, segment);
    return 0;
}

int
github_append_repository(struct strbuf *path, const char *repository, struct err *err)
{
    const char *const slash = strchr(repository, '/');
    auto_free char *owner = NULL;

    if (!slash || strchr(slash + 1, '/'))
        return err_set(err, ERR_INVALID, "'%.100s' is not a repository: expected OWNER/NAME",
                       repository);
    owner = strndup(repository, (size_t)(slash - repository));
    if (!owner)
        return err_set(err, ERR_NOMEM, "out of memory");
    strbuf_add_str(path, "/repos/");
    if (github_append_segment(path, owner, err))
        return err_wrap(err, "repository '%.100s'", repository);
    strbuf_add_char(path, '/');
    if (github_append_segment(path, slash + 1, err))
        return err_wrap(err, "repository '%.100s'", repository);
    return 0;
}

int
github_repository_path(const char *repository, const char *rest, char **ret_path, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    const int result = github_append_repository(&path, repository, err);

    if (result)
        return result;
    strbuf_add_str(&path, rest);
    if (!strbuf_ok(&path))
        return err_set(err, path.failed, "the path of a call to GitHub is too long");
    return strbuf_take(&path, ret_path, err);
}

int
github_call_repository(struct github *github,
                       const char *method,
                       const char *repository,
                       const char *rest,
                       const json_t *body,
                       json_t **ret_json,
                       struct err *err)
{
    auto_free char *path = NULL;
    const int result = github_repository_path(repository, rest, &path, err);

    if (result)
        return result;
    const struct github_call call = {
        .method = method, .url = path, .repository = repository, .body = body};
    return github_call(github, &call, ret_json, NULL, err);
}
