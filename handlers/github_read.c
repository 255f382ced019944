/* Reading GitHub's deliveries, declared in github.h: which of them ask for work, which ask to stop,
 * and why all others are none of our business. A pure function of bytes and settings. Pull requests
 * are in github_read_pull.c. */
#include "handlers/github.h"
#include "handlers/github_reading.h"
#include "handlers/intake/mention.h"
#include "handlers/thread/report.h"
#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>

/* ---- what all readers share ---- */

int
reading_ignore(struct reading *reading, struct err *err, const char *reason)
{
    reading->event->kind = EVENT_IGNORED;
    return str_set(&reading->event->reason, reason, err);
}

int
reading_set(struct reading *reading, enum event_kind kind, const char *trigger, struct err *err)
{
    reading->event->kind = kind;
    return str_set(&reading->event->trigger, trigger, err);
}

int
reading_remark(struct reading *reading,
               enum remark_kind kind,
               const char *name,
               int64_t id,
               const char *text,
               struct err *err)
{
    AUTO(remark_free) struct remark *remark = calloc(1, sizeof(*remark));

    if (!remark)
        return err_set(err, ERR_NOMEM, "out of memory");
    remark->kind = kind;
    remark->happened_ms = reading->event->happened_ms;
    remark->ref = str_printf("%s:%" PRId64, name, id);
    remark->text = str_dup(text ? text : "");
    if (!remark->ref || !remark->text)
        return err_set(err, ERR_NOMEM, "out of memory");
    remark_free(reading->event->remark);
    reading->event->remark = TAKE(remark);
    return 0;
}

int
reading_common(struct reading *reading, int64_t number, const char *happened, struct err *err)
{
    struct event *event = reading->event;
    const json_t *json = reading->json;
    const char *repository = js_str(json, "repository.full_name");
    const char *actor = js_str(json, "sender.login");

    if (!repository || !repository_name_is_sane(repository))
        return err_set(err, ERR_INVALID, "repository.full_name is not OWNER/NAME");
    if (!actor)
        return err_set(err, ERR_INVALID, "sender.login is missing");
    event->number = number;
    event->repository_id = js_int(json, "repository.id", 0);
    event->actor_is_bot = str_equal(js_str(json, "sender.type"), "Bot");
    event->happened_ms = clock_parse(js_str(json, happened), 0);
    event->order_key = str_printf("github:%s#%" PRId64, repository, number);
    if (!event->order_key)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = str_set(&event->repository, repository, err);
    return r ? r : str_set(&event->actor, actor, err);
}

static bool
is_agent(void *ctx, const char *name)
{
    const struct agents_settings *agents = ctx;

    for (size_t i = 0; i < agents->profile_count; i++)
        if (str_equal(agents->profiles[i].name, name))
            return true;
    return false;
}

int
reading_mention(struct reading *reading,
                const char *text,
                enum mention_command *ret_command,
                struct err *err)
{
    const struct mention_names names = {
        .bot = reading->settings->bot.name,
        .is_agent = is_agent,
        .ctx = (void *)(uintptr_t)&reading->settings->agents,
    };
    AUTO_DONE(mention_done) struct mention mention = {0};
    struct event *event = reading->event;
    const int r = mention_find(text, &names, &mention, err);

    if (r)
        return r;
    event->command = mention.command;
    event->instruction = TAKE(mention.instruction);
    event->agent = TAKE(mention.agent);
    event->branch = TAKE(mention.branch);
    *ret_command = mention.command;
    return 0;
}

bool
reading_is_our_own(const struct reading *reading, const char *text)
{
    const char *login = reading->settings->github.login;

    return (login && str_equal_nocase(reading->event->actor, login)) || report_is_ours(text);
}

/* ---- issues ---- */

static bool
is_open(const struct reading *reading)
{
    const char *state = js_str(reading->json, "issue.state");
    return !state || str_equal(state, "open");
}

/* By the event's own `label`, not by the issue's list: an issue opened with three labels sends
 * three such events, and each carries all of them. */
static int
read_label(struct reading *reading, struct err *err)
{
    const char *label = js_str(reading->json, "label.name");

    if (!str_equal_nocase(label, reading->settings->bot.label))
        return reading_ignore(reading, err, "not the label that starts a task");
    if (str_equal(reading->action, "unlabeled"))
        return reading_set(reading, EVENT_CANCEL, "label", err);
    if (!is_open(reading))
        return reading_ignore(reading, err, "the issue is closed");
    return reading_set(reading, EVENT_START, "label", err);
}

static int
read_assignment(struct reading *reading, struct err *err)
{
    const char *login = reading->settings->github.login;

    if (!login)
        return reading_ignore(reading, err,
                              "github.login is not configured, so an assignment cannot be ours");
    if (!str_equal_nocase(js_str(reading->json, "assignee.login"), login))
        return reading_ignore(reading, err, "assigned to somebody else");
    if (str_equal(reading->action, "unassigned"))
        return reading_set(reading, EVENT_CANCEL, "assignment", err);
    if (!is_open(reading))
        return reading_ignore(reading, err, "the issue is closed");
    return reading_set(reading, EVENT_START, "assignment", err);
}

/* What a mention in an issue's thread comes to. */
static int
follow_mention(struct reading *reading, enum mention_command command, struct err *err)
{
    switch (command) {
    case MENTION_NONE:
        return reading_ignore(reading, err, "the bot is not mentioned");
    case MENTION_CANCEL:
        return reading_set(reading, EVENT_CANCEL, "mention", err);
    case MENTION_STATUS:
    case MENTION_HELP:
        return reading_set(reading, EVENT_ASK, "mention", err);
    case MENTION_WORK:
    case MENTION_RETRY:
    case MENTION_REBASE:
        break;
    }
    if (!is_open(reading))
        return reading_ignore(reading, err, "the issue is closed");
    if (command == MENTION_REBASE)
        return reading_set(reading, EVENT_REMARK, "rebase", err);
    return reading_set(reading, EVENT_START, command == MENTION_RETRY ? "retry" : "mention", err);
}

/* The issue's own text is what is asked, whatever of it stands beside the mention. */
static int
read_opened(struct reading *reading, struct err *err)
{
    enum mention_command command = MENTION_NONE;
    int r = reading_mention(reading, js_str(reading->json, "issue.body"), &command, err);

    if (!r)
        r = str_set(&reading->event->instruction, NULL, err);
    if (!r && command == MENTION_REBASE)
        return reading_ignore(reading, err, "a new issue has no branch to rebase");
    return r ? r : follow_mention(reading, command, err);
}

static int
read_issues(struct reading *reading, struct err *err)
{
    const char *action = reading->action;

    if (str_equal(action, "labeled") || str_equal(action, "unlabeled"))
        return read_label(reading, err);
    if (str_equal(action, "assigned") || str_equal(action, "unassigned"))
        return read_assignment(reading, err);
    if (str_equal(action, "opened"))
        return read_opened(reading, err);
    if (str_equal(action, "closed") || str_equal(action, "deleted") ||
        str_equal(action, "transferred"))
        return reading_set(reading, EVENT_CANCEL, action, err);
    return reading_ignore(reading, err, "this action on an issue means nothing to draftd");
}

/* In case a run is under way, what is said is a remark to it as well. */
static int
read_comment(struct reading *reading, struct err *err)
{
    const int64_t id = js_int(reading->json, "comment.id", 0);
    const char *body = js_str(reading->json, "comment.body");
    enum mention_command command = MENTION_NONE;

    if (!str_equal(reading->action, "created"))
        return reading_ignore(reading, err, "only new comments are read");
    if (js_str(reading->json, "comment.performed_via_github_app.slug"))
        return reading_ignore(reading, err, "written by an App");
    reading->event->reaction_target = str_printf("%" PRId64, id);
    if (!reading->event->reaction_target)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (js_at(reading->json, "issue.pull_request"))
        return reading_pull_comment(reading, err);
    int r = reading_mention(reading, body, &command, err);
    if (!r)
        r = reading_remark(reading, command == MENTION_REBASE ? REMARK_BASE : REMARK_COMMENT,
                           "comment", id, reading->event->instruction, err);
    return r ? r : follow_mention(reading, command, err);
}

/* Who, where and what: the fields that every event of an issue, or of a pull request's thread, has.
 */
static int
read_issue_fields(struct reading *reading, struct err *err)
{
    struct event *event = reading->event;
    const json_t *json = reading->json;
    const char *title = js_str(json, "issue.title");
    const int64_t number = js_int(json, "issue.number", 0);
    const bool is_comment = js_at(json, "comment.created_at");
    int r = reading_common(reading, number, is_comment ? "comment.created_at" : "issue.updated_at",
                           err);

    if (r)
        return r;
    if (number <= 0 || !title)
        return err_set(err, ERR_INVALID, "issue.number or issue.title is missing");
    if (js_at(json, "issue.pull_request"))
        event->draft = number;
    else
        r = str_set(&event->origin, event->order_key, err);
    if (!r)
        r = str_set(&event->title, title, err);
    if (!r)
        r = str_set(&event->text, js_str(json, "issue.body"), err);
    if (!r)
        r = str_set(&event->url, js_str(json, "issue.html_url"), err);
    return r;
}

static int
read_issue_event(struct reading *reading, bool is_comment, struct err *err)
{
    const int r = read_issue_fields(reading, err);

    if (r)
        return r;
    if (reading_is_our_own(reading, js_str(reading->json, "comment.body")))
        return reading_ignore(reading, err, "draftd's own account did it");
    return is_comment ? read_comment(reading, err) : read_issues(reading, err);
}

static int
read_into(struct reading *reading, const char *event_name, struct err *err)
{
    const bool is_comment = str_equal(event_name, "issue_comment");
    const bool is_issue = str_equal(event_name, "issues");
    const bool is_pull = str_equal(event_name, "pull_request") ||
                         str_equal(event_name, "pull_request_review") ||
                         str_equal(event_name, "pull_request_review_comment");
    const bool is_checks =
        str_equal(event_name, "check_suite") || str_equal(event_name, "workflow_run");

    const bool is_notice = str_equal(event_name, "repository") ||
                           str_equal(event_name, "installation") ||
                           str_equal(event_name, "installation_repositories");

    if (!is_comment && !is_issue && !is_pull && !is_checks && !is_notice)
        return reading_ignore(reading, err, "draftd does not use events of this kind");
    if (!reading->action)
        return err_set(err, ERR_INVALID, "the payload has no \"action\"");
    if (is_notice)
        return reading_notice(reading, event_name, err);
    if (is_pull)
        return reading_pull(reading, event_name, err);
    if (is_checks)
        return reading_checks(reading, event_name, err);
    return read_issue_event(reading, is_comment, err);
}

/* As GitHub sends what nobody chose another content type for. */
static bool
is_form(struct bytes body)
{
    static const char start[] = "payload=";
    const size_t len = sizeof(start) - 1;

    return body.len > len && bytes_equal_str(bytes_of(body.ptr, len), start);
}

int
github_read_event(const struct settings *settings,
                  const char *event_name,
                  struct bytes body,
                  struct event **ret_event,
                  struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    AUTO(event_free) struct event *event = calloc(1, sizeof(*event));
    int r = js_parse(body, &json, err);

    if (r == ERR_INVALID && is_form(body))
        return err_set(err, ERR_INVALID,
                       "sent as a form, not as JSON: choose the content type application/json in "
                       "the webhook's settings");
    if (r)
        return r;
    if (!event)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "the payload is not a JSON object");
    struct reading reading = {
        .settings = settings, .json = json, .action = js_str(json, "action"), .event = event};
    r = read_into(&reading, event_name, err);
    if (r)
        return r;
    *ret_event = TAKE(event);
    return 0;
}
