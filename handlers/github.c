/* See github.h. What goes out is in github_send.c and github_publish.c. Signatures: GitHub's documentation "Validating webhook deliveries". */
#include "handlers/github.h"

#include "handlers/app.h"
#include "handlers/github_session.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/comments.h"
#include "handlers/thread/report.h"
#include "integrations/github/github.h"
#include "integrations/github/github_pacer.h"
#include "server/base/str.h"
#include "server/http/http.h"
#include "server/store/delivery.h"
#include "server/store/outbox.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdio.h>

static bool
is_configured(const struct settings *settings)
{
    return settings->github.present;
}

static void
signing_keys(const struct settings *settings, const struct secret *ret_keys[SIGNING_KEYS])
{
    ret_keys[0] = settings->github.webhook_secret;
    ret_keys[1] = settings->github.webhook_secret_old;
}

static bool
is_token(const char *text, size_t longest)
{
    const size_t len = strlen(text);

    if (len == 0 || len > longest)
        return false;
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static int
admit(const struct http_request *request,
      int64_t now_ms,
      struct admission *ret_admission,
      struct err *err)
{
    (void)now_ms; /* GitHub signs no time: replays are caught by the delivery id */
    const char *signature = http_request_header(request, "X-Hub-Signature-256");
    const char *delivery = http_request_header(request, "X-GitHub-Delivery");
    const char *event = http_request_header(request, "X-GitHub-Event");
    struct admission admission = {.mac_count = 1};

    if (!signature || !str_starts_with(signature, "sha256="))
        return err_set(err, ERR_AUTH,
                       "X-Hub-Signature-256 is missing; set a secret in the webhook's settings");
    if (hex_decode(bytes_of_str(signature + strlen("sha256=")), admission.macs[0], SHA256_BYTES,
                   err))
        return err_set(err, ERR_AUTH,
                       "X-Hub-Signature-256 is not sha256= and 64 hexadecimal digits");
    if (!delivery || !is_token(delivery, LIMIT_DELIVERY_ID_BYTES))
        return err_set(err, ERR_INVALID, "X-GitHub-Delivery is missing or not an id");
    if (!event || !is_token(event, LIMIT_EVENT_NAME_BYTES))
        return err_set(err, ERR_INVALID, "X-GitHub-Event is missing or not a name");
    (void)snprintf(admission.delivery_id, sizeof(admission.delivery_id), "%s", delivery);
    (void)snprintf(admission.event, sizeof(admission.event), "%s", event);
    *ret_admission = admission;
    return 0;
}

static int
read_delivery(const struct settings *settings,
              const struct delivery *delivery,
              struct bytes body,
              struct event **ret_event,
              struct err *err)
{
    return github_read_event(settings, delivery->event, body, ret_event, err);
}

static bool
serves(const struct settings *settings, const char *repository)
{
    const struct string_list *patterns = &settings->github.repositories;

    for (size_t i = 0; i < patterns->count; i++)
        if (str_matches_glob(repository, patterns->items[i]))
            return true;
    return false;
}

static int
open_session(struct app *app,
             const struct stop *stop,
             struct session **ret_session,
             struct err *err)
{
    const struct github_settings *settings = &app->settings->github;
    const struct github_options options = {
        .api_url = settings->api_url,
        .git_url = settings->git_url,
        .ca_file = settings->ca_file,
        .app_id = settings->app_id,
        .app_private_key = settings->app_private_key,
        .token = settings->token,
        .login = settings->login,
        .stop = stop,
        .pacer = app->pacer,
    };
    auto_free struct github_session *session = calloc(1, sizeof(*session));

    if (!session)
        return err_set(err, ERR_NOMEM, "out of memory");
    session->base = (struct session){.platform = &github_platform, .app = app};
    const int r = github_new(&options, app->tokens, &session->client, err);
    if (r)
        return r;
    *ret_session = &TAKE(session)->base;
    return 0;
}

int
github_new_pacer(const struct settings *settings, struct github_pacer **ret_pacer, struct err *err)
{
    if (is_configured(settings) && !github_is_server(settings->github.api_url))
        return github_pacer_new(ret_pacer, err);
    *ret_pacer = NULL;
    return 0;
}

struct github *
github_client(struct session *session)
{
    return ((struct github_session *)session)->client;
}

static void
close_session(struct session *session)
{
    github_free(github_client(session));
    free(session);
}

/* GitHub folds "maintain" into write and "triage" into read. Somebody unknown may not. */
static int
may(struct session *session,
    const char *repository,
    const char *actor,
    bool *ret_yes,
    struct err *err)
{
    auto_free char *permission = NULL;
    const int r = github_permission(github_client(session), repository, actor, &permission, err);

    if (r == ERR_NOTFOUND) {
        *ret_yes = false;
        return 0;
    }
    if (r)
        return r;
    *ret_yes = str_equal(permission, "admin") || str_equal(permission, "write");
    return 0;
}

static int
find_source(struct session *session,
            const char *repository,
            struct source *ret_source,
            struct err *err)
{
    struct source source = {0};
    const int r = github_git_access(github_client(session), repository, &source.url, &source.user,
                                    &source.password, err);

    if (r)
        return r;
    *ret_source = source;
    return 0;
}

/* An installation token can be revoked at any time, and a permission given after it was minted. And
 * git was seen to answer 404 to tokens of the new, stateless format, for what the classic one sees. */
static bool
forget_source(struct session *session, const char *repository, int refusal)
{
    struct github *client = github_client(session);
    struct err ignored;

    if (session->app->settings->github.app_id == 0)
        return false;
    if (refusal == ERR_NOTFOUND)
        return github_forget_stateless_token(client, repository, &ignored) == 0;
    github_forget_token(client, repository);
    return true;
}

struct thread_reading {
    const char *login; /* ours, by which alone a machine user is told from people; or NULL */
    struct comments comments;
};

static void
thread_reading_done(struct thread_reading *reading)
{
    comments_done(&reading->comments);
}

static int
take_comment(void *ctx, const struct github_comment *comment, struct err *err)
{
    struct thread_reading *reading = ctx;
    const bool by_us = reading->login && str_equal_nocase(comment->author, reading->login);

    if (comment->by_program || by_us || report_is_ours(comment->body))
        return 0;
    return comments_add(&reading->comments, comment->author, comment->body, comment->created_ms,
                        err);
}

static int
read_thread(struct session *session,
            const struct task *task,
            struct comments *ret_comments,
            struct err *err)
{
    const struct github_settings *settings = &session->app->settings->github;
    AUTO_DONE(thread_reading_done) struct thread_reading reading = {0};
    auto_free char *login = NULL;
    int r = 0;

    if (settings->app_id == 0 || settings->login)
        r = github_login(github_client(session), &login, err);
    reading.login = login;
    if (!r)
        r = github_each_comment(github_client(session), task->repository, task->number, take_comment,
                                &reading, err);
    if (r)
        return r;
    *ret_comments = TAKE_STRUCT(reading.comments);
    return 0;
}

/* GitHub guards workflows apart from other files: they run with the repository's secrets. */
static bool
is_special_path(const char *path)
{
    return str_starts_with(path, ".github/workflows/");
}

/* What a machine user's token may do is told of classic ones only. */
static int
may_token_push_special(struct github *client,
                       const char *repository,
                       char **ret_why,
                       struct err *err)
{
    bool lacks = false;
    const int r = github_lacks_scope(client, repository, "workflow", &lacks, err);

    if (r || !lacks)
        return r;
    return str_set(ret_why,
                   "which the token may not without the scope workflow; give it that where it was "
                   "made (Personal access tokens, classic), and ask again",
                   err);
}

static int
may_push_special(struct session *session, const char *repository, char **ret_why, struct err *err)
{
    struct github *client = github_client(session);
    auto_free char *level = NULL;

    if (session->app->settings->github.app_id == 0)
        return may_token_push_special(client, repository, ret_why, err);
    const int r = github_granted(client, repository, "workflows", &level, err);
    if (r || str_equal(level, "write") || str_equal(level, "admin"))
        return r;
    return str_set(ret_why,
                   "which the GitHub App may not without the permission Workflows: read and write; "
                   "give it that where it was made, accept that where it is installed, and ask "
                   "again",
                   err);
}

/* "refusing to allow a Personal Access Token to create or update workflow `PATH` without `workflow`
 * scope"; of an App: "without `workflows` permission". */
static const char *
advise(const char *refusal)
{
    if (!strstr(refusal, "without `workflow"))
        return NULL;
    return "the credential may not change workflows; give a classic token the scope workflow, a "
           "fine-grained one or the GitHub App the permission Workflows: read and write";
}

static void
forget_absence(struct app *app)
{
    github_tokens_forget_absences(app->tokens);
}

static const char *
moved_to(struct session *session, const char *repository)
{
    return github_moved_to(github_client(session), repository);
}

static int64_t
retry_after_ms(struct session *session)
{
    return github_retry_after_ms(github_client(session));
}

const struct platform github_platform = {
    .name = "github",
    .path = "/webhooks/github",
    .is_configured = is_configured,
    .signing_keys = signing_keys,
    .admit = admit,
    .read = read_delivery,
    .serves = serves,
    .open = open_session,
    .close = close_session,
    .may = may,
    .source = find_source,
    .forget_source = forget_source,
    .read_thread = read_thread,
    .read_failures = github_read_failures,
    .send = github_send,
    .moved_to = moved_to,
    .forget_absence = forget_absence,
    .retry_after_ms = retry_after_ms,
    .put_draft = github_put_draft,
    .is_special_path = is_special_path,
    .may_push_special = may_push_special,
    .advise = advise,
    .find_rival = github_find_rival,
    .watch = &github_watch,
    .closes_issue = true,
};
