/* Reading GitHub's deliveries, declared in github.h: which of them ask for work, which ask to stop,
 * and why all others are none of our business. A pure function of bytes and settings. */
#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/intake/mention.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/report.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"

#include <inttypes.h>

/* A delivery in the reading. */
struct reading {
    const struct settings *settings;
    const json_t *json;
    const char *action;
    struct event *event;
};

static int
ignore(struct reading *reading, struct err *err, const char *reason)
{
    reading->event->kind = EVENT_IGNORED;
    return str_set(&reading->event->reason, reason, err);
}

static int
start(struct reading *reading, const char *trigger, struct err *err)
{
    reading->event->kind = EVENT_START;
    return str_set(&reading->event->trigger, trigger, err);
}

static int
cancel(struct reading *reading, const char *trigger, struct err *err)
{
    reading->event->kind = EVENT_CANCEL;
    return str_set(&reading->event->trigger, trigger, err);
}

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
        return ignore(reading, err, "not the label that starts a task");
    if (str_equal(reading->action, "unlabeled"))
        return cancel(reading, "label", err);
    if (!is_open(reading))
        return ignore(reading, err, "the issue is closed");
    return start(reading, "label", err);
}

static int
read_assignment(struct reading *reading, struct err *err)
{
    const char *login = reading->settings->github.login;

    if (!login)
        return ignore(reading, err,
                      "github.login is not configured, so an assignment cannot be ours");
    if (!str_equal_nocase(js_str(reading->json, "assignee.login"), login))
        return ignore(reading, err, "assigned to somebody else");
    if (str_equal(reading->action, "unassigned"))
        return cancel(reading, "assignment", err);
    if (!is_open(reading))
        return ignore(reading, err, "the issue is closed");
    return start(reading, "assignment", err);
}

/* *ret_instruction (NULL: not wanted) is written where the mention asks for work. */
static int
read_mention(struct reading *reading, const char *text, char **ret_instruction, struct err *err)
{
    AUTO_DONE(mention_done) struct mention mention = {0};
    const int r = mention_find(text, reading->settings->bot.name, &mention, err);

    if (r)
        return r;
    switch (mention.command) {
    case MENTION_NONE:
        return ignore(reading, err, "the bot is not mentioned");
    case MENTION_CANCEL:
        return cancel(reading, "mention", err);
    case MENTION_WORK:
        break;
    }
    if (ret_instruction)
        *ret_instruction = TAKE(mention.instruction);
    return start(reading, "mention", err);
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
        return read_mention(reading, js_str(reading->json, "issue.body"), NULL, err);
    if (str_equal(action, "closed") || str_equal(action, "deleted") ||
        str_equal(action, "transferred"))
        return cancel(reading, action, err);
    return ignore(reading, err, "this action on an issue means nothing to draftd");
}

static int
read_comment(struct reading *reading, struct err *err)
{
    char id[24];
    int r;

    if (!str_equal(reading->action, "created"))
        return ignore(reading, err, "only new comments are read");
    if (js_at(reading->json, "issue.pull_request"))
        return ignore(reading, err, "comments on pull requests are not handled");
    if (js_str(reading->json, "comment.performed_via_github_app.slug"))
        return ignore(reading, err, "written by an App");
    (void)snprintf(id, sizeof(id), "%" PRId64, js_int(reading->json, "comment.id", 0));
    r = str_set(&reading->event->reaction_target, id, err);
    if (!r)
        r = read_mention(reading, js_str(reading->json, "comment.body"),
                         &reading->event->instruction, err);
    if (!r && reading->event->kind == EVENT_START && !is_open(reading))
        r = ignore(reading, err, "the issue is closed");
    return r;
}

/* Who, where and what: the fields that every issue event has. */
static int
read_issue_fields(struct reading *reading, struct err *err)
{
    struct event *event = reading->event;
    const json_t *json = reading->json;
    const char *repository = js_str(json, "repository.full_name");
    const char *actor = js_str(json, "sender.login");
    const char *title = js_str(json, "issue.title");
    const int64_t number = js_int(json, "issue.number", 0);

    if (!repository || !repository_name_is_sane(repository))
        return err_set(err, ERR_INVALID, "repository.full_name is not OWNER/NAME");
    if (number <= 0 || !title)
        return err_set(err, ERR_INVALID, "issue.number or issue.title is missing");
    if (!actor)
        return err_set(err, ERR_INVALID, "sender.login is missing");
    event->number = number;
    event->actor_is_bot = str_equal(js_str(json, "sender.type"), "Bot");
    event->happened_ms = clock_parse(js_str(json, "comment.created_at"),
                                     clock_parse(js_str(json, "issue.updated_at"), 0));
    event->origin = str_printf("github:%s#%" PRId64, repository, number);
    if (!event->origin)
        return err_set(err, ERR_NOMEM, "out of memory");

    int r = str_set(&event->order_key, event->origin, err);
    if (!r)
        r = str_set(&event->repository, repository, err);
    if (!r)
        r = str_set(&event->title, title, err);
    if (!r)
        r = str_set(&event->text, js_str(json, "issue.body"), err);
    if (!r)
        r = str_set(&event->url, js_str(json, "issue.html_url"), err);
    if (!r)
        r = str_set(&event->actor, actor, err);
    return r;
}

/* What draftd does itself comes back as events, too; answering them would never end. Its account is
 * known by name as a machine user; its comments are known by their first line in any case. */
static bool
is_our_own(const struct reading *reading)
{
    const char *login = reading->settings->github.login;

    return (login && str_equal_nocase(reading->event->actor, login)) ||
           report_is_ours(js_str(reading->json, "comment.body"));
}

static int
read_into(struct reading *reading, const char *event_name, struct err *err)
{
    const bool is_comment = str_equal(event_name, "issue_comment");

    if (!is_comment && !str_equal(event_name, "issues"))
        return ignore(reading, err, "draftd does not use events of this kind");
    if (!reading->action)
        return err_set(err, ERR_INVALID, "the payload has no \"action\"");
    const int r = read_issue_fields(reading, err);
    if (r)
        return r;
    if (is_our_own(reading))
        return ignore(reading, err, "draftd's own account did it");
    return is_comment ? read_comment(reading, err) : read_issues(reading, err);
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
