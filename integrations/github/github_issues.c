/* See github_issues.h. */
#include "integrations/github/github_issues.h"

#include "integrations/github/github_internal.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

/* --- Issues */

/* "&since=2026-11-21T05:00:00Z": whole seconds, as in GitHub's own examples. */
static void
append_since(struct strbuf *path, int64_t since_ms)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(since_ms, text);
    strbuf_addf(path, "&since=%.*sZ", (int)strcspn(text, ".Z"), text);
}

static void
append_parameter(struct strbuf *path, const char *name, const char *value)
{
    strbuf_addf(path, "&%s=", name);
    web_append_escaped(path, value);
}

/* What github_each_issue() was asked for. */
struct issue_reading {
    github_issue_fn *each;
    void *ctx;
};

static int
hand_over_issue(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct issue_reading *const reading = ctx;

    *ret_enough = false;
    if (js_at(item, "pull_request"))
        return 0;
    return reading->each(reading->ctx,
                         &(struct github_issue){
                             .number = js_int(item, "number", 0),
                             .url = github_text_at(item, "html_url"),
                             .title = github_text_at(item, "title"),
                             .body = github_text_at(item, "body"),
                             .author = js_str(item, "user.login"),
                             .by_program = github_by_program(item),
                             .created_ms = clock_parse(js_str(item, "created_at"), 0),
                             .updated_ms = clock_parse(js_str(item, "updated_at"), 0),
                         },
                         err);
}

int
github_each_issue(struct github *github,
                  const char *repository,
                  const struct github_issue_filter *filter,
                  github_issue_fn *each,
                  void *ctx,
                  struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    struct issue_reading reading = {.each = each, .ctx = ctx};

    strbuf_addf(&path, "/issues?state=open&sort=created&direction=asc&per_page=%d",
                GITHUB_PAGE_SIZE);
    if (filter->label)
        append_parameter(&path, "labels", filter->label);
    if (filter->assignee)
        append_parameter(&path, "assignee", filter->assignee);
    if (filter->since_ms > 0)
        append_since(&path, filter->since_ms);
    if (!strbuf_ok(&path))
        return err_set(err, path.failed, "the path of a call to GitHub is too long");
    const struct github_list list = {.repository = repository, .path = strbuf_str(&path)};
    if (github_walk(github, &list, hand_over_issue, &reading, err))
        return err_wrap(err, "reading the issues of %.200s", repository);
    return 0;
}

/* --- What was done to one */

/* What github_each_issue_event() was asked for. */
struct event_reading {
    github_issue_event_fn *each;
    void *ctx;
};

/* Who assigned is told apart: the actor of an assignment is who was assigned. */
static int
hand_over_event(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct event_reading *const reading = ctx;
    const char *const assignee = js_str(item, "assignee.login");
    const json_t *const actor = js_at(item, assignee ? "assigner" : "actor");

    *ret_enough = false;
    return reading->each(reading->ctx,
                         &(struct github_issue_event){
                             .event = github_text_at(item, "event"),
                             .actor = js_str(actor, "login"),
                             .by_program = str_equal(js_str(actor, "type"), "Bot") ||
                                           js_at(item, "performed_via_github_app.id"),
                             .label = js_str(item, "label.name"),
                             .assignee = assignee,
                             .created_ms = clock_parse(js_str(item, "created_at"), 0),
                         },
                         err);
}

int
github_each_issue_event(struct github *github,
                        const char *repository,
                        int64_t issue,
                        github_issue_event_fn *each,
                        void *ctx,
                        struct err *err)
{
    auto_free char *path =
        str_printf("/issues/%" PRId64 "/events?per_page=%d", issue, GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path};
    struct event_reading reading = {.each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over_event, &reading, err))
        return err_wrap(err, "reading what was done to %.200s#%" PRId64, repository, issue);
    return 0;
}

/* --- Installations */

/* What github_each_installation() was asked for. */
struct installation_reading {
    github_installation_fn *each;
    void *ctx;
};

static int
hand_over_installation(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct installation_reading *const reading = ctx;

    *ret_enough = false;
    return reading->each(reading->ctx,
                         &(struct github_installation){
                             .id = js_int(item, "id", 0),
                             .account = github_text_at(item, "account.login"),
                             .suspended = js_str(item, "suspended_at") != NULL,
                         },
                         err);
}

int
github_each_installation(struct github *github,
                         github_installation_fn *each,
                         void *ctx,
                         struct err *err)
{
    auto_free char *path = str_printf("/app/installations?per_page=%d", GITHUB_PAGE_SIZE);
    const struct github_list list = {.path = path};
    struct installation_reading reading = {.each = each, .ctx = ctx};

    if (github->options.app_id == 0)
        return err_set(err, ERR_INVALID, "a machine user has no installations");
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over_installation, &reading, err))
        return err_wrap(err, "reading where the GitHub App is installed");
    return 0;
}

/* --- Repositories */

/* What github_each_repository() was asked for. */
struct repository_reading {
    github_repository_fn *each;
    void *ctx;
};

static int
hand_over_repository(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct repository_reading *const reading = ctx;
    const char *const full_name = js_str(item, "full_name");

    *ret_enough = false;
    if (!full_name)
        return err_set(err, ERR_REMOTE, "GitHub's answer is not a list of repositories");
    return reading->each(reading->ctx,
                         &(struct github_repository){
                             .id = js_int(item, "id", 0),
                             .full_name = full_name,
                             .archived = js_bool(item, "archived", false),
                         },
                         err);
}

int
github_each_repository(struct github *github,
                       int64_t installation,
                       github_repository_fn *each,
                       void *ctx,
                       struct err *err)
{
    const bool is_app = github->options.app_id != 0;
    auto_free char *path = str_printf(
        "%s?per_page=%d", is_app ? "/installation/repositories" : "/user/repos", GITHUB_PAGE_SIZE);
    const struct github_list list = {
        .path = path, .installation = installation, .member = is_app ? "repositories" : NULL};
    struct repository_reading reading = {.each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over_repository, &reading, err))
        return err_wrap(err, "reading which repositories there are");
    return 0;
}
