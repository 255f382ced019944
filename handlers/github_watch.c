/* What GitHub can be asked afterwards (watch/platform_watch.h), and who else works on an issue. The
 * App's own hook is one; in machine-user mode each repository has its own, which is known by its
 * URL, and read by those alone who administer the repository. */
#include "handlers/github_session.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/report.h"
#include "handlers/watch/platform_watch.h"
#include "integrations/github/github_deliveries.h"
#include "integrations/github/github_issues.h"
#include "integrations/github/github_linked.h"
#include "integrations/github/github_pulls.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_DAYS 3
#define KEPT_BY_SERVER_DAYS 7

static int64_t
kept_ms(const struct settings *settings)
{
    return (github_is_server(settings->github.api_url) ? KEPT_BY_SERVER_DAYS : KEPT_DAYS) *
           MS_PER_DAY;
}

/* ---- the repositories that we are to serve and can see ---- */

struct repository_walk {
    struct session *session;
    watch_name_fn *each;
    void *ctx;
};

static int
visit_repository(void *ctx, const struct github_repository *repository, struct err *err)
{
    const struct repository_walk *walk = ctx;
    const struct session *session = walk->session;

    if (repository->archived ||
        !session->platform->serves(session->app->settings, repository->full_name))
        return 0;
    return walk->each(walk->ctx, repository->full_name, err);
}

/* One that was suspended or removed just now has nothing to show, and others have. */
static int
visit_installation(void *ctx, const struct github_installation *installation, struct err *err)
{
    const struct repository_walk *walk = ctx;
    struct err fault = {0};

    if (installation->suspended)
        return 0;
    const int r = github_each_repository(github_client(walk->session), installation->id,
                                         visit_repository, ctx, &fault);
    if (r && r != ERR_DENIED && r != ERR_NOTFOUND) {
        *err = fault;
        return r;
    }
    return 0;
}

static int
each_repository(struct session *session, watch_name_fn *each, void *ctx, struct err *err)
{
    struct repository_walk walk = {.session = session, .each = each, .ctx = ctx};
    struct github *client = github_client(session);

    if (session->app->settings->github.app_id)
        return github_each_installation(client, visit_installation, &walk, err);
    return github_each_repository(client, 0, visit_repository, &walk, err);
}

/* ---- deliveries ---- */

struct hook_walk {
    struct session *session;
    watch_hook_fn *each;
    void *ctx;
    size_t count;
};

/* A repository without a hook of its own may be served by its organisation's. */
static int
visit_hook_of(void *ctx, const char *repository, struct err *err)
{
    struct hook_walk *walk = ctx;
    const struct github_settings *settings = &walk->session->app->settings->github;
    struct watch_hook hook = {.name = repository, .repository = repository};
    struct err fault = {0};
    const int r = github_find_hook(github_client(walk->session), repository, settings->webhook_url,
                                   &hook.id, &fault);

    if (r == ERR_NOTFOUND || r == ERR_DENIED)
        return 0;
    if (r) {
        *err = fault;
        return r;
    }
    walk->count++;
    return walk->each(walk->ctx, &hook, err);
}

static int
each_hook(struct session *session, watch_hook_fn *each, void *ctx, struct err *err)
{
    const struct github_settings *settings = &session->app->settings->github;
    const struct watch_hook of_app = {.name = "app"};
    struct hook_walk walk = {.session = session, .each = each, .ctx = ctx};

    if (settings->app_id)
        return each(ctx, &of_app, err);
    if (!settings->webhook_url)
        return err_set(err, ERR_INVALID,
                       "github.webhook_url is not configured, so lost deliveries are not found");
    const int r = each_repository(session, visit_hook_of, &walk, err);
    if (!r && walk.count == 0)
        return err_set(err, ERR_NOTFOUND,
                       "no repository has a webhook to %.200s that draftd's account may read, so "
                       "lost deliveries are not found; it needs to administer webhooks",
                       settings->webhook_url);
    return r;
}

struct sent_walk {
    watch_sent_fn *each;
    void *ctx;
};

static int
visit_delivery(void *ctx, const struct github_delivery *delivery, struct err *err)
{
    const struct sent_walk *walk = ctx;
    const struct watch_sent sent = {.id = delivery->id,
                                    .guid = delivery->guid,
                                    .sent_ms = delivery->delivered_ms,
                                    .again = delivery->redelivery,
                                    .ok = delivery->ok};
    return walk->each(walk->ctx, &sent, err);
}

static int
each_sent(struct session *session,
          const struct watch_hook *hook,
          int64_t since_ms,
          watch_sent_fn *each,
          void *ctx,
          struct err *err)
{
    const struct github_hook theirs = {.repository = hook->repository, .id = hook->id};
    struct sent_walk walk = {.each = each, .ctx = ctx};

    return github_each_delivery(github_client(session), &theirs, since_ms, visit_delivery, &walk,
                                err);
}

static int
send_again(struct session *session, const struct watch_hook *hook, int64_t id, struct err *err)
{
    const struct github_hook theirs = {.repository = hook->repository, .id = hook->id};
    return github_redeliver(github_client(session), &theirs, id, err);
}

/* ---- drafts ---- */

static void
read_draft(const struct github_pull_state *state, struct watch_draft *draft)
{
    draft->open = state->open;
    draft->merged = state->merged;
    draft->ended_ms = state->merged_ms ? state->merged_ms : state->closed_ms;
    draft->conflicts_known = state->mergeable != GITHUB_MERGEABLE_UNKNOWN;
    draft->conflicts = state->mergeable == GITHUB_CONFLICTS;
}

/* What GitHub is still finding out is asked for anew. */
static int
look_at_draft(struct session *session,
              const struct task *task,
              const char *seen,
              struct watch_draft *ret_draft,
              struct err *err)
{
    AUTO_DONE(github_seen_done) struct github_seen etag = {0};
    AUTO_DONE(github_pull_state_done) struct github_pull_state state = {0};
    struct watch_draft draft = {0};
    bool changed = true;
    int r = str_set(&etag.etag, seen, err);

    if (!r)
        r = github_get_pull(github_client(session), task->repository, task->draft_number, &etag,
                            &changed, &state, err);
    if (r)
        return r;
    draft.unchanged = !changed;
    if (changed)
        read_draft(&state, &draft);
    if (changed && draft.conflicts_known)
        draft.seen = TAKE(etag.etag);
    *ret_draft = draft;
    return 0;
}

/* ---- wishes ---- */

static int64_t
horizon_ms(const struct settings *settings)
{
    return settings->github.reconcile_days * MS_PER_DAY;
}

struct wish_walk {
    const char *repository;
    const char *trigger;
    watch_event_fn *each;
    void *ctx;
};

static int
fill_wish(struct event *event,
          const struct wish_walk *walk,
          const struct github_issue *issue,
          struct err *err)
{
    int r = str_set(&event->trigger, walk->trigger, err);

    event->kind = EVENT_START;
    event->happened_ms = issue->updated_ms;
    event->number = issue->number;
    event->origin = str_printf("github:%s#%" PRId64, walk->repository, issue->number);
    if (!r && !event->origin)
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (!r)
        r = str_set(&event->order_key, event->origin, err);
    if (!r)
        r = str_set(&event->repository, walk->repository, err);
    if (!r)
        r = str_set(&event->title, issue->title, err);
    if (!r)
        r = str_set(&event->text, issue->body, err);
    return r ? r : str_set(&event->url, issue->url, err);
}

static int
visit_issue(void *ctx, const struct github_issue *issue, struct err *err)
{
    const struct wish_walk *walk = ctx;
    AUTO(event_free) struct event *event = calloc(1, sizeof(*event));

    if (!event)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = fill_wish(event, walk, issue, err);
    return r ? r : walk->each(walk->ctx, event, err);
}

/* An App cannot be assigned to anything. */
static int
each_wish(struct session *session,
          const char *repository,
          int64_t since_ms,
          watch_event_fn *each,
          void *ctx,
          struct err *err)
{
    const struct settings *settings = session->app->settings;
    const char *login = settings->github.login;
    const struct github_issue_filter labeled = {.label = settings->bot.label, .since_ms = since_ms};
    const struct github_issue_filter assigned = {.assignee = login, .since_ms = since_ms};
    struct wish_walk walk = {
        .repository = repository, .trigger = "label", .each = each, .ctx = ctx};
    int r =
        github_each_issue(github_client(session), repository, &labeled, visit_issue, &walk, err);

    if (r || !login || settings->github.app_id)
        return r;
    walk.trigger = "assignment";
    return github_each_issue(github_client(session), repository, &assigned, visit_issue, &walk,
                             err);
}

struct asker_search {
    struct event *event;
    const char *label;
    const char *login; /* ours; or NULL */
};

/* The last one who did it counts: whoever took it back was before. */
static int
visit_issue_event(void *ctx, const struct github_issue_event *done, struct err *err)
{
    const struct asker_search *search = ctx;
    struct event *event = search->event;
    const bool labeled = str_equal(event->trigger, "label") && str_equal(done->event, "labeled") &&
                         str_equal_nocase(done->label, search->label);
    const bool assigned = str_equal(event->trigger, "assignment") &&
                          str_equal(done->event, "assigned") &&
                          str_equal_nocase(done->assignee, search->login);

    if (!labeled && !assigned)
        return 0;
    event->actor_is_bot = done->by_program;
    event->happened_ms = done->created_ms;
    return str_set(&event->actor, done->actor, err);
}

/* Did draftd speak there? Then it knew the issue, under another name of the repository, or in
 * another store. */
static int
check_silence(struct session *session, const struct event *event, struct err *err)
{
    int64_t comment;
    const int r = github_find_comment(github_client(session), event->repository, event->number,
                                      "<!-- draftd:task=", &comment, err);

    if (r == ERR_NOTFOUND)
        return 0;
    return r ? r : err_set(err, ERR_CONFLICT, "draftd has answered there already");
}

static int
find_asker(struct session *session, struct event *event, struct err *err)
{
    const struct settings *settings = session->app->settings;
    struct asker_search search = {
        .event = event, .label = settings->bot.label, .login = settings->github.login};
    int r = github_each_issue_event(github_client(session), event->repository, event->number,
                                    visit_issue_event, &search, err);

    if (r)
        return r;
    if (!event->actor)
        return err_set(err, ERR_NOTFOUND, "GitHub does not tell who asked");
    if (str_equal_nocase(event->actor, search.login))
        return err_set(err, ERR_NOTFOUND, "draftd's own account did it");
    return check_silence(session, event, err);
}

const struct platform_watch github_watch = {
    .kept_ms = kept_ms,
    .each_hook = each_hook,
    .each_sent = each_sent,
    .send_again = send_again,
    .look_at_draft = look_at_draft,
    .horizon_ms = horizon_ms,
    .each_repository = each_repository,
    .each_wish = each_wish,
    .find_asker = find_asker,
};

/* ---- who else works on an issue ---- */

struct rival_search {
    const struct task *task;
    const char *login; /* ours, as GitHub's GraphQL API writes it: an App's without "[bot]" */
    const char *instance;
    char *url;
    char *author;
};

/* An App that has a machine user for assignments opens drafts under its own name, and a store that
 * was restored does not know all of them: our marker stands in each. */
static bool
is_our_own(const struct rival_search *search, const struct github_linked_pull *pull)
{
    auto_free char *ours = str_printf(" instance=%s -->", search->instance);
    const char *marker = report_is_ours(pull->body) && ours ? strstr(pull->body, ours) : NULL;

    return str_equal_nocase(pull->author, search->login) ||
           str_equal_nocase(pull->url, search->task->draft_url) ||
           (marker && !memchr(pull->body, '\n', (size_t)(marker - pull->body)));
}

static int
visit_linked(void *ctx, const struct github_linked_pull *pull, struct err *err)
{
    struct rival_search *search = ctx;

    if (search->url || is_our_own(search, pull))
        return 0;
    const int r = str_set(&search->author, pull->author, err);
    return r ? r : str_set(&search->url, pull->url, err);
}

static void
rival_search_done(struct rival_search *search)
{
    free(search->url);
    free(search->author);
}

int
github_find_rival(struct session *session,
                  const struct task *task,
                  char **ret_url,
                  char **ret_author,
                  struct err *err)
{
    static const char bot[] = "[bot]";
    auto_free char *login = NULL;
    AUTO_DONE(rival_search_done)
    struct rival_search search = {.task = task, .instance = session->app->instance};
    int r = github_login(github_client(session), &login, err);

    if (r)
        return r;
    if (str_ends_with(login, bot))
        login[strlen(login) - strlen(bot)] = '\0';
    search.login = login;
    r = github_each_linked_pull(github_client(session), task->repository, task->number,
                                visit_linked, &search, err);
    if (r)
        return r;
    if (!search.url)
        return err_set(err, ERR_NOTFOUND, "nobody else works on it");
    *ret_url = TAKE(search.url);
    *ret_author = TAKE(search.author);
    return 0;
}
