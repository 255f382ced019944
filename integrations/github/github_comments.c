/* Comments and reactions on GitHub's issues and pull requests. */
#include "integrations/github/github.h"

#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Send {"body": ...}, of a length that GitHub takes. `rest` is NULL when there was no memory for
 * it.
 */
static int
send_body(struct github *github,
          const char *method,
          const char *repository,
          const char *rest,
          const char *body,
          json_t **ret_json,
          struct err *err)
{
    auto_free char *fitted = NULL;
    const int result = github_fit_body(body, GITHUB_BODY_CHARS, &fitted, err);

    if (result)
        return result;
    AUTO(js_free) json_t *object = json_pack("{s:s}", "body", fitted);
    if (!rest || !object)
        return err_set(err, ERR_NOMEM, "out of memory");
    return github_call_repository(github, method, repository, rest, object, ret_json, err);
}

int
github_create_comment(struct github *github,
                      const char *repository,
                      int64_t issue,
                      const char *body,
                      int64_t *ret_id,
                      struct err *err)
{
    auto_free char *rest = str_printf("/issues/%" PRId64 "/comments", issue);
    AUTO(js_free) json_t *json = NULL;

    if (send_body(github, "POST", repository, rest, body, &json, err))
        return err_wrap(err, "commenting on %.200s#%" PRId64, repository, issue);
    const int64_t id = js_int(json, "id", 0);
    if (id <= 0)
        return err_set(err, ERR_REMOTE, "GitHub's answer does not name the comment");
    *ret_id = id;
    return 0;
}

int
github_edit_comment(struct github *github,
                    const char *repository,
                    int64_t comment,
                    const char *body,
                    struct err *err)
{
    auto_free char *rest = str_printf("/issues/comments/%" PRId64, comment);
    AUTO(js_free) json_t *json = NULL;

    if (send_body(github, "PATCH", repository, rest, body, &json, err))
        return err_wrap(err, "editing comment %" PRId64 " of %.200s", comment, repository);
    return 0;
}

/* --- Reading */

/* What is done with a comment; *ret_enough: no other is wanted. */
typedef int visit_fn(void *ctx, const json_t *comment, bool *ret_enough, struct err *err);

/* Read the page at *url; *url becomes the next page's, or NULL. */
static int
read_page(
    struct github *github, const char *repository, char **url, json_t **ret_page, struct err *err)
{
    const struct github_call call = {.method = "GET", .url = *url, .repository = repository};
    char *next = NULL;
    const int result = github_call(github, &call, ret_page, &next, err);

    if (result)
        return result;
    free(*url);
    *url = next;
    return 0;
}

/* Visit the comments at *url and on the pages behind it. */
static int
walk_pages(struct github *github,
           const char *repository,
           char **url,
           visit_fn *visit,
           void *ctx,
           struct err *err)
{
    bool enough = false;
    int result = 0;

    for (int count = 0; result == 0 && *url && !enough; count++) {
        AUTO(js_free) json_t *page = NULL;

        if (count == GITHUB_PAGES)
            return err_set(err, ERR_REMOTE, "there are too many to look through");
        result = read_page(github, repository, url, &page, err);
        for (size_t i = 0; result == 0 && !enough && i < json_array_size(page); i++)
            result = visit(ctx, json_array_get(page, i), &enough, err);
    }
    return result;
}

/* Visit an issue's comments, oldest first. */
static int
walk_comments(struct github *github,
              const char *repository,
              int64_t issue,
              visit_fn *visit,
              void *ctx,
              struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    auto_free char *url = NULL;
    int result = github_append_repository(&path, repository, err);

    strbuf_addf(&path, "/issues/%" PRId64 "/comments?per_page=%d", issue, GITHUB_PAGE_SIZE);
    if (result == 0)
        result = strbuf_take(&path, &url, err);
    if (result == 0)
        result = walk_pages(github, repository, &url, visit, ctx, err);
    if (result)
        return err_wrap(err, "reading the comments of %.200s#%" PRId64, repository, issue);
    return 0;
}

/* What github_each_comment() was asked for. */
struct reading {
    github_comment_fn *each;
    void *ctx;
};

static int
hand_over(void *ctx, const json_t *comment, bool *ret_enough, struct err *err)
{
    const struct reading *const reading = ctx;
    const char *const body = js_str(comment, "body");

    *ret_enough = false;
    return reading->each(reading->ctx,
                         &(struct github_comment){
                             .author = js_str(comment, "user.login"),
                             .by_program = str_equal(js_str(comment, "user.type"), "Bot") ||
                                           js_at(comment, "performed_via_github_app.id"),
                             .created_ms = clock_parse(js_str(comment, "created_at"), 0),
                             .body = body ? body : "",
                         },
                         err);
}

int
github_each_comment(struct github *github,
                    const char *repository,
                    int64_t issue,
                    github_comment_fn *each,
                    void *ctx,
                    struct err *err)
{
    struct reading reading = {.each = each, .ctx = ctx};

    return walk_comments(github, repository, issue, hand_over, &reading, err);
}

/* Did we write it?  Anybody can copy a marker into a comment of theirs. */
static int
is_ours(struct github *github, const json_t *comment, bool *ret_ours, struct err *err)
{
    const int64_t app_id = github->options.app_id;
    const char *const author = js_str(comment, "user.login");
    auto_free char *login = NULL;

    if (app_id != 0 && js_int(comment, "performed_via_github_app.id", 0) == app_id) {
        *ret_ours = true;
        return 0;
    }
    const int result = github_login(github, &login, err);
    if (result == 0)
        *ret_ours = author && str_equal_nocase(author, login);
    return result;
}

/* What github_find_comment() was asked for. */
struct search {
    struct github *github;
    const char *marker;
    int64_t id; /* 0: not found yet */
};

static int
look_at(void *ctx, const json_t *comment, bool *ret_enough, struct err *err)
{
    struct search *const search = ctx;
    const char *const body = js_str(comment, "body");

    if (!body || !strstr(body, search->marker))
        return 0;
    const int result = is_ours(search->github, comment, ret_enough, err);
    if (result == 0 && *ret_enough)
        search->id = js_int(comment, "id", 0);
    return result;
}

int
github_find_comment(struct github *github,
                    const char *repository,
                    int64_t issue,
                    const char *marker,
                    int64_t *ret_id,
                    struct err *err)
{
    struct search search = {.github = github, .marker = marker};
    const int result = walk_comments(github, repository, issue, look_at, &search, err);

    if (result)
        return result;
    if (search.id == 0)
        return err_set(err, ERR_NOTFOUND, "%.200s#%" PRId64 " has no such comment", repository,
                       issue);
    *ret_id = search.id;
    return 0;
}

int
github_react(struct github *github,
             const char *repository,
             int64_t issue,
             int64_t comment,
             const char *content,
             struct err *err)
{
    auto_free char *rest = comment ? str_printf("/issues/comments/%" PRId64 "/reactions", comment)
                                   : str_printf("/issues/%" PRId64 "/reactions", issue);
    AUTO(js_free) json_t *object = json_pack("{s:s}", "content", content);
    AUTO(js_free) json_t *json = NULL;

    if (!rest || !object)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_call_repository(github, "POST", repository, rest, object, &json, err))
        return err_wrap(err, "reacting on %.200s#%" PRId64, repository, issue);
    return 0;
}
