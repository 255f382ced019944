/* See github_errors.h. */
#include "integrations/github/github_errors.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

#define MAX_WORDS_BYTES 400U
#define MAX_SAID_BYTES (64U * 1024)
#define LIMIT_DEFAULT_MS (60 * MS_PER_SECOND)
#define LIMIT_LONGEST_MS MS_PER_DAY

/* One entry of GitHub's `errors`: a string, or {resource, field, code, message}. */
static void
append_detail(struct strbuf *words, const json_t *detail)
{
    const char *const text = json_is_string(detail) ? json_string_value(detail) : NULL;
    const char *const message = js_str(detail, "message");
    const char *const field = js_str(detail, "field");
    const char *const code = js_str(detail, "code");

    if (text || message)
        strbuf_addf(words, "; %s", text ? text : message);
    else if (field && code)
        strbuf_addf(words, "; %s: %s", field, code);
}

/* GitHub's own words; "" when the answer holds none. */
static void
append_words(struct strbuf *words, struct bytes body)
{
    AUTO(js_free) json_t *json = NULL;
    struct err ignored;

    if (js_parse(body, &json, &ignored))
        return; /* a gateway's page */
    const char *const message = js_str(json, "message");
    const json_t *const details = js_at(json, "errors");

    strbuf_add_str(words, message ? message : "");
    for (size_t i = 0; i < json_array_size(details); i++)
        append_detail(words, json_array_get(details, i));
}

static bool
contains_nocase(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool
is_rate_limit(const struct web_answer *answer, const char *words)
{
    if (answer->status == 429)
        return true;
    return answer->status == 403 &&
           (answer->retry_after || str_equal(answer->rate_remaining, "0") ||
            contains_nocase(words, "rate limit"));
}

bool
github_is_primary_limit(const struct web_answer *answer)
{
    return !answer->retry_after && str_equal(answer->rate_remaining, "0");
}

static int64_t
clamp_wait(int64_t wait_ms)
{
    if (wait_ms < MS_PER_SECOND)
        return MS_PER_SECOND;
    return wait_ms > LIMIT_LONGEST_MS ? LIMIT_LONGEST_MS : wait_ms;
}

static int64_t
limit_wait(const struct web_answer *answer, int64_t now_ms)
{
    struct err ignored;
    uint64_t seconds;

    if (answer->retry_after && str_to_u64(answer->retry_after, &seconds, &ignored) == 0)
        return seconds > MS_PER_DAY ? LIMIT_LONGEST_MS
                                    : clamp_wait((int64_t)seconds * MS_PER_SECOND);
    if (str_equal(answer->rate_remaining, "0") && answer->rate_reset &&
        str_to_u64(answer->rate_reset, &seconds, &ignored) == 0 &&
        seconds < (uint64_t)INT64_MAX / MS_PER_SECOND)
        return clamp_wait((int64_t)seconds * MS_PER_SECOND - now_ms);
    return LIMIT_DEFAULT_MS;
}

static int
refuse_permission(const struct web_answer *answer, const char *words, struct err *err)
{
    if (answer->status == 401)
        return err_set(err, ERR_AUTH,
                       "GitHub refused the credential (401: %s): check the token or the App's key",
                       words);
    if (answer->accepted_permissions)
        return err_set(err, ERR_DENIED, "GitHub denied it (403: %s): the token lacks %s", words,
                       answer->accepted_permissions);
    return err_set(err, ERR_DENIED, "GitHub denied it (403: %s)", words);
}

int
github_check_answer(const struct web_answer *answer,
                    int64_t now_ms,
                    int64_t *ret_retry_after_ms,
                    struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf words_buf = STRBUF_INIT(MAX_SAID_BYTES);
    const long status = answer->status;

    *ret_retry_after_ms = 0;
    if (status >= 200 && status < 300)
        return 0;
    append_words(&words_buf, bytes_of(answer->body.ptr, answer->body.len));
    strbuf_truncate(&words_buf, utf8_cut(strbuf_str(&words_buf), words_buf.len, MAX_WORDS_BYTES));
    const char *const words = words_buf.len > 0 ? strbuf_str(&words_buf) : "no reason given";

    if (is_rate_limit(answer, words)) {
        *ret_retry_after_ms = limit_wait(answer, now_ms);
        return err_set(err, ERR_LIMIT, "GitHub limits the rate (%ld: %s)", status, words);
    }
    if (status == 401 || status == 403)
        return refuse_permission(answer, words, err);
    if (status == 404 || status == 410)
        return err_set(err, ERR_NOTFOUND,
                       "GitHub does not have it, or does not show it to this token (%ld: %s)",
                       status, words);
    if (status >= 300 && status < 400)
        return err_set(err, ERR_NOTFOUND,
                       "the repository was renamed or moved (%ld): use its new name", status);
    if (status >= 400 && status < 500)
        return err_set(err, ERR_INVALID, "GitHub refused it (%ld: %s)", status, words);
    return err_set(err, ERR_REMOTE, "GitHub failed (%ld: %s)", status, words);
}

bool
github_says(const struct web_answer *answer, const char *words)
{
    AUTO_DONE(strbuf_done) struct strbuf said = STRBUF_INIT(MAX_SAID_BYTES);

    append_words(&said, bytes_of(answer->body.ptr, answer->body.len));
    return contains_nocase(strbuf_str(&said), words);
}

/* What a type of GraphQL's errors means. Without a type the query itself was refused: a server may
 * be too old for it. */
static int
code_of_type(const char *type)
{
    static const struct {
        const char *type;
        int code;
    } table[] = {
        {"NOT_FOUND", ERR_NOTFOUND},         {"FORBIDDEN", ERR_DENIED},
        {"INSUFFICIENT_SCOPES", ERR_DENIED}, {"RATE_LIMITED", ERR_LIMIT},
        {"RATE_LIMIT", ERR_LIMIT},           {"MAX_NODE_LIMIT_EXCEEDED", ERR_INVALID},
    };

    if (!type)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (str_equal(type, table[i].type))
            return table[i].code;
    }
    return ERR_REMOTE;
}

int
github_check_graphql(const struct web_answer *answer,
                     const json_t *json,
                     int64_t now_ms,
                     int64_t *ret_retry_after_ms,
                     struct err *err)
{
    const json_t *const first = js_at(json, "errors.0");
    const char *const message = js_str(first, "message");

    *ret_retry_after_ms = 0;
    if (!first)
        return 0;
    const int code = code_of_type(js_str(first, "type"));
    if (code == ERR_LIMIT)
        *ret_retry_after_ms = limit_wait(answer, now_ms);
    return err_set(err, code, "GitHub refused the query: %.400s",
                   message ? message : "(no reason)");
}

/* Does one parameter list ("; rel=\"next\"; title=x", up to the comma) name this relation? */
static bool
has_relation_next(const char *parameters, size_t len)
{
    static const char quoted[] = "rel=\"next\"";
    static const char bare[] = "rel=next";

    return memmem(parameters, len, quoted, strlen(quoted)) ||
           memmem(parameters, len, bare, strlen(bare));
}

int
github_next_page(const char *link, const char *origin, char **ret_url, struct err *err)
{
    const size_t origin_len = strlen(origin);

    for (const char *at = link; at && (at = strchr(at, '<'));) {
        const char *const start = at + 1;
        const char *const end = strchr(start, '>');
        if (!end)
            break;
        const char *const comma = strchrnul(end, ',');
        at = comma;
        if (!has_relation_next(end, (size_t)(comma - end)))
            continue;
        if (strncmp(start, origin, origin_len) != 0 || start[origin_len] != '/')
            return err_set(err, ERR_REMOTE, "GitHub's next page is on another host");
        *ret_url = strndup(start, (size_t)(end - start));
        return *ret_url ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_url = NULL;
    return 0;
}
