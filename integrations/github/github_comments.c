/* Comments and reactions on GitHub's issues and pull requests. */
#include "integrations/github/github.h"

#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

    if (github_send_body(github, "POST", repository, rest, body, &json, err))
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

    if (github_send_body(github, "PATCH", repository, rest, body, &json, err))
        return err_wrap(err, "editing comment %" PRId64 " of %.200s", comment, repository);
    return 0;
}

/* --- Reading */

/* Visit an issue's comments, oldest first. */
static int
walk_comments(struct github *github,
              const char *repository,
              int64_t issue,
              github_visit_fn *visit,
              void *ctx,
              struct err *err)
{
    auto_free char *path =
        str_printf("/issues/%" PRId64 "/comments?per_page=%d", issue, GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, visit, ctx, err))
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
                             .by_program = github_by_program(comment),
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

int
github_find_comment(struct github *github,
                    const char *repository,
                    int64_t issue,
                    const char *marker,
                    int64_t *ret_id,
                    struct err *err)
{
    struct github_search search = {.github = github, .marker = marker};
    const int result = walk_comments(github, repository, issue, github_look_for, &search, err);

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
