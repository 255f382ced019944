/* Reading what GitHub tells about pull requests, declared in github_reading.h: comments and reviews
 * are remarks on a draft, the end of a pull request is a draft's end, and checks of GitHub's that
 * fail on a branch of ours are remarks, too. Whether the pull request is one of ours the store
 * knows. */
#include "handlers/github_reading.h"
#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>

static int
set_number(char **slot, const char *prefix, int64_t id, struct err *err)
{
    char *text = str_printf("%s%" PRId64, prefix, id);

    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    free(*slot);
    *slot = text;
    return 0;
}

/* What a mention, or the lack of one, makes of something that is said about a draft. `by_itself`:
 * it is a remark without a mention, too. */
static int
follow_command(struct reading *reading,
               enum mention_command command,
               bool by_itself,
               struct err *err)
{
    switch (command) {
    case MENTION_NONE:
        return by_itself ? reading_set(reading, EVENT_REMARK, "review", err)
                         : reading_ignore(reading, err, "the bot is not mentioned");
    case MENTION_CANCEL:
        return reading_set(reading, EVENT_CANCEL, "mention", err);
    case MENTION_STATUS:
    case MENTION_HELP:
        return reading_set(reading, EVENT_ASK, "mention", err);
    case MENTION_RETRY:
        return reading_set(reading, EVENT_START, "retry", err);
    case MENTION_REBASE:
        reading->event->remark->kind = REMARK_BASE;
        return reading_set(reading, EVENT_REMARK, "rebase", err);
    case MENTION_WORK:
        return reading_set(reading, EVENT_REMARK, by_itself ? "review" : "mention", err);
    }
    return err_set(err, ERR_INTERNAL, "unknown command");
}

/* Where a mention is, what it says is the remark; elsewhere all of the text. */
static int
read_remark(struct reading *reading,
            enum remark_kind kind,
            const char *name,
            int64_t id,
            const char *body,
            enum mention_command *ret_command,
            struct err *err)
{
    const int r = reading_mention(reading, body, ret_command, err);
    const char *text = *ret_command == MENTION_NONE ? body : reading->event->instruction;

    return r ? r : reading_remark(reading, kind, name, id, text, err);
}

int
reading_pull_comment(struct reading *reading, struct err *err)
{
    enum mention_command command = MENTION_NONE;
    int r = read_remark(reading, REMARK_COMMENT, "comment", js_int(reading->json, "comment.id", 0),
                        js_str(reading->json, "comment.body"), &command, err);

    if (!r)
        r = set_number(&reading->event->remark->target, "pull:", reading->event->draft, err);
    return r ? r : follow_command(reading, command, false, err);
}

/* The text of a review; its comments come as events of their own. An approval asks for nothing. */
static int
read_review(struct reading *reading, struct err *err)
{
    const json_t *json = reading->json;
    const int64_t id = js_int(json, "review.id", 0);
    const char *body = js_str(json, "review.body");
    enum mention_command command = MENTION_NONE;

    if (!str_equal(reading->action, "submitted"))
        return reading_ignore(reading, err, "only new reviews are read");
    if (!body || !*body)
        return reading_ignore(reading, err, "the review has no text of its own");
    int r = read_remark(reading, REMARK_REVIEW, "review", id, body, &command, err);
    if (!r)
        r = set_number(&reading->event->remark->batch, "review:", id, err);
    if (!r)
        r = set_number(&reading->event->remark->target, "pull:", reading->event->draft, err);
    if (r)
        return r;
    if (command == MENTION_NONE && str_equal_nocase(js_str(json, "review.state"), "approved"))
        return reading_ignore(reading, err, "the review approves and mentions nobody");
    return follow_command(reading, command, true, err);
}

/* "line:PULL/COMMENT" */
static int
set_line(char **slot, int64_t pull, int64_t comment, struct err *err)
{
    char *text = str_printf("line:%" PRId64 "/%" PRId64, pull, comment);

    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    free(*slot);
    *slot = text;
    return 0;
}

/* Where a comment stands: in the change as it is now, or as it was when that was written. */
static int
read_place(struct remark *remark, int64_t pull, const json_t *comment, struct err *err)
{
    const int64_t id = js_int(comment, "id", 0);
    int r;

    remark->line = js_int(comment, "line", js_int(comment, "original_line", 0));
    r = set_line(&remark->target, pull, js_int(comment, "in_reply_to_id", id), err);
    if (!r)
        r = set_number(&remark->batch, "review:", js_int(comment, "pull_request_review_id", 0),
                       err);
    if (!r)
        r = str_set(&remark->path, js_str(comment, "path"), err);
    if (!r)
        r = str_set(&remark->hunk, js_str(comment, "diff_hunk"), err);
    return r;
}

static int
read_line_comment(struct reading *reading, struct err *err)
{
    const json_t *comment = js_at(reading->json, "comment");
    const int64_t id = js_int(comment, "id", 0);
    enum mention_command command = MENTION_NONE;

    if (!str_equal(reading->action, "created"))
        return reading_ignore(reading, err, "only new comments are read");
    if (js_str(comment, "performed_via_github_app.slug"))
        return reading_ignore(reading, err, "written by an App");
    int r = read_remark(reading, REMARK_LINE, "line", id, js_str(comment, "body"), &command, err);
    if (!r)
        r = read_place(reading->event->remark, reading->event->draft, comment, err);
    if (!r)
        r = set_line(&reading->event->reaction_target, reading->event->draft, id, err);
    return r ? r : follow_command(reading, command, true, err);
}

/* The end of a pull request, or its second beginning. */
static int
read_state(struct reading *reading, struct err *err)
{
    struct event *event = reading->event;

    if (str_equal(reading->action, "closed"))
        event->draft_state =
            json_is_true(js_at(reading->json, "pull_request.merged")) ? DRAFT_MERGED : DRAFT_CLOSED;
    else if (str_equal(reading->action, "reopened"))
        event->draft_state = DRAFT_OPEN;
    else
        return reading_ignore(reading, err,
                              "this action on a pull request means nothing to draftd");
    return reading_set(reading, EVENT_DRAFT, reading->action, err);
}

int
reading_pull(struct reading *reading, const char *event_name, struct err *err)
{
    const bool is_review = str_equal(event_name, "pull_request_review");
    const bool is_line = str_equal(event_name, "pull_request_review_comment");
    const json_t *json = reading->json;
    const int64_t number = js_int(json, "pull_request.number", 0);
    const char *happened = is_review ? "review.submitted_at"
                           : is_line ? "comment.created_at"
                                     : "pull_request.updated_at";
    const char *body = js_str(json, is_review ? "review.body" : "comment.body");
    const int r = reading_common(reading, number, happened, err);

    if (r)
        return r;
    if (number <= 0)
        return err_set(err, ERR_INVALID, "pull_request.number is missing");
    reading->event->draft = number;
    if (!is_review && !is_line)
        return read_state(reading, err);
    if (reading_is_our_own(reading, body))
        return reading_ignore(reading, err, "draftd's own account did it");
    return is_review ? read_review(reading, err) : read_line_comment(reading, err);
}

static bool
is_red(const char *conclusion)
{
    return str_equal(conclusion, "failure") || str_equal(conclusion, "timed_out") ||
           str_equal(conclusion, "startup_failure");
}

/* One remark for each head, whatever fails there: what failed is asked for when a run takes it.
 * Whoever pushed did not say this. */
static int
read_red(struct reading *reading,
         int64_t suite,
         const char *app,
         const char *branch,
         const char *head,
         struct err *err)
{
    struct event *event = reading->event;
    int r = reading_remark(reading, REMARK_CI, "ci", 0, "", err);

    if (r)
        return r;
    free(event->remark->ref);
    event->remark->ref = str_printf("ci:%s", head);
    if (!event->remark->ref)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = str_set(&event->head_branch, branch, err);
    if (!r)
        r = set_number(&event->remark->batch, "suite:", suite, err);
    if (!r)
        r = str_set(&event->actor, app, err);
    return r ? r : reading_set(reading, EVENT_REMARK, "ci", err);
}

int
reading_checks(struct reading *reading, const char *event_name, struct err *err)
{
    const json_t *part = js_at(reading->json, event_name);
    const int64_t app_id = reading->settings->github.app_id;
    const char *branch = js_str(part, "head_branch");
    const char *head = js_str(part, "head_sha");
    const int r = reading_common(reading, 0, "check_suite.updated_at", err);

    if (r)
        return r;
    if (!str_equal(reading->action, "completed"))
        return reading_ignore(reading, err, "only checks that ended are read");
    if (!is_red(js_str(part, "conclusion")))
        return reading_ignore(reading, err, "no check failed");
    if (app_id != 0 && js_int(part, "app.id", 0) == app_id)
        return reading_ignore(reading, err, "draftd's own check run");
    if (!branch || !head)
        return reading_ignore(reading, err, "the checks are of no branch");
    const bool is_suite = str_equal(event_name, "check_suite");
    const char *app = is_suite ? js_str(part, "app.slug") : NULL;
    return read_red(reading, js_int(part, is_suite ? "id" : "check_suite_id", 0),
                    app ? app : "github-actions", branch, head, err);
}
