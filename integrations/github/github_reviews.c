/* See github_reviews.h. */
#include "integrations/github/github_reviews.h"

#include "integrations/github/github_internal.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

/* What github_each_review_comment() was asked for. */
struct reading {
    github_review_comment_fn *each;
    void *ctx;
};

/* The line that a hunk ends with. The comments of one review come without `line`, whatever the
 * description of the call says; the hunk is always there. 0: that is none. */
static int64_t
last_line_of_hunk(const char *hunk)
{
    const char *const added = strstr(hunk, " +");
    const char *body = strchr(hunk, '\n');
    long long old_line = 0;
    long long new_line = 0;
    bool is_removed = false;

    if (!str_starts_with(hunk, "@@ -") || !added || !body)
        return 0;
    old_line = strtoll(hunk + strlen("@@ -"), NULL, 10) - 1;
    new_line = strtoll(added + strlen(" +"), NULL, 10) - 1;
    for (; body; body = strchr(body + 1, '\n')) {
        const char mark = body[1];

        is_removed =
            mark == '-' || (mark == '\\' && is_removed); /* "\ No newline at end of file" */
        old_line += mark == ' ' || mark == '-';
        new_line += mark == ' ' || mark == '+';
    }
    const long long line = is_removed ? old_line : new_line;
    return line > 0 ? line : 0;
}

static int
hand_over(void *ctx, const json_t *comment, bool *ret_enough, struct err *err)
{
    const struct reading *const reading = ctx;
    const char *const hunk = github_text_at(comment, "diff_hunk");
    const bool about_file = str_equal(js_str(comment, "subject_type"), "file");

    *ret_enough = false;
    return reading->each(reading->ctx,
                         &(struct github_review_comment){
                             .id = js_int(comment, "id", 0),
                             .in_reply_to_id = js_int(comment, "in_reply_to_id", 0),
                             .review = js_int(comment, "pull_request_review_id", 0),
                             .author = js_str(comment, "user.login"),
                             .by_program = github_by_program(comment),
                             .path = github_text_at(comment, "path"),
                             .line = js_int(comment, "line", 0),
                             .original_line = js_int(comment, "original_line",
                                                     about_file ? 0 : last_line_of_hunk(hunk)),
                             .diff_hunk = hunk,
                             .body = github_text_at(comment, "body"),
                             .created_ms = clock_parse(js_str(comment, "created_at"), 0),
                         },
                         err);
}

int
github_each_review_comment(struct github *github,
                           const char *repository,
                           int64_t pull,
                           int64_t review,
                           github_review_comment_fn *each,
                           void *ctx,
                           struct err *err)
{
    auto_free char *path = str_printf("/pulls/%" PRId64 "/reviews/%" PRId64 "/comments?per_page=%d",
                                      pull, review, GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path};
    struct reading reading = {.each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over, &reading, err))
        return err_wrap(err, "reading review %" PRId64 " of %.200s#%" PRId64, review, repository,
                        pull);
    return 0;
}

int
github_reply_to_thread(struct github *github,
                       const char *repository,
                       int64_t pull,
                       int64_t thread,
                       const char *body,
                       int64_t *ret_id,
                       struct err *err)
{
    auto_free char *rest =
        str_printf("/pulls/%" PRId64 "/comments/%" PRId64 "/replies", pull, thread);
    AUTO(js_free) json_t *json = NULL;

    if (github_send_body(github, "POST", repository, rest, body, &json, err))
        return err_wrap(err, "answering on the code of %.200s#%" PRId64, repository, pull);
    const int64_t id = js_int(json, "id", 0);
    if (id <= 0)
        return err_set(err, ERR_REMOTE, "GitHub's answer does not name the comment");
    *ret_id = id;
    return 0;
}

int
github_find_reply(struct github *github,
                  const char *repository,
                  int64_t pull,
                  int64_t thread,
                  const char *marker,
                  int64_t *ret_id,
                  struct err *err)
{
    auto_free char *path =
        str_printf("/pulls/%" PRId64 "/comments?per_page=%d&sort=created", pull, GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path};
    struct github_search search = {.github = github, .thread = thread, .marker = marker};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, github_look_for, &search, err))
        return err_wrap(err, "reading the comments on the code of %.200s#%" PRId64, repository,
                        pull);
    if (search.id == 0)
        return err_set(err, ERR_NOTFOUND, "%.200s#%" PRId64 " has no such answer", repository,
                       pull);
    *ret_id = search.id;
    return 0;
}

int
github_react_to_review_comment(struct github *github,
                               const char *repository,
                               int64_t comment,
                               const char *content,
                               struct err *err)
{
    auto_free char *rest = str_printf("/pulls/comments/%" PRId64 "/reactions", comment);
    AUTO(js_free) json_t *object = json_pack("{s:s}", "content", content);
    AUTO(js_free) json_t *json = NULL;

    if (!rest || !object)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_call_repository(github, "POST", repository, rest, object, &json, err))
        return err_wrap(err, "reacting on a comment on the code of %.200s", repository);
    return 0;
}
