/* Comments and reactions on GitHub's issues and pull requests. */
#include "integrations/github.h"

#include "integrations/github_internal.h"
#include "integrations/github_text.h"

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

/* The first of a page's comments that is ours and holds `marker`; *ret_id is 0 when there is none.
 */
static int
search_page(
    struct github *github, const json_t *page, const char *marker, int64_t *ret_id, struct err *err)
{
    *ret_id = 0;
    for (size_t i = 0; i < json_array_size(page); i++) {
        const json_t *const comment = json_array_get(page, i);
        const char *const body = js_str(comment, "body");
        bool ours = false;

        if (!body || !strstr(body, marker))
            continue;
        const int result = is_ours(github, comment, &ours, err);
        if (result)
            return result;
        if (ours) {
            *ret_id = js_int(comment, "id", 0);
            return 0;
        }
    }
    return 0;
}

/* Search the page at *url; *url becomes the next page's, or NULL. */
static int
search_at(struct github *github,
          const char *repository,
          const char *marker,
          char **url,
          int64_t *ret_id,
          struct err *err)
{
    const struct github_call call = {.method = "GET", .url = *url, .repository = repository};
    AUTO(js_free) json_t *page = NULL;
    char *next = NULL;
    const int result = github_call(github, &call, &page, &next, err);

    if (result)
        return result;
    free(*url);
    *url = next;
    return search_page(github, page, marker, ret_id, err);
}

int
github_find_comment(struct github *github,
                    const char *repository,
                    int64_t issue,
                    const char *marker,
                    int64_t *ret_id,
                    struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    auto_free char *url = NULL;
    int64_t id = 0;
    int result = github_append_repository(&path, repository, err);

    strbuf_addf(&path, "/issues/%" PRId64 "/comments?per_page=%d", issue, GITHUB_PAGE_SIZE);
    if (result == 0)
        result = strbuf_take(&path, &url, err);
    for (int page = 0; result == 0 && url && id == 0; page++) {
        if (page == GITHUB_PAGES)
            return err_set(err, ERR_REMOTE,
                           "%.200s#%" PRId64 " has too many comments to look through", repository,
                           issue);
        result = search_at(github, repository, marker, &url, &id, err);
    }
    if (result)
        return err_wrap(err, "reading the comments of %.200s#%" PRId64, repository, issue);
    if (id == 0)
        return err_set(err, ERR_NOTFOUND, "%.200s#%" PRId64 " has no such comment", repository,
                       issue);
    *ret_id = id;
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
