/* See local.h. Signatures: the Standard Webhooks specification (webhook-id, webhook-timestamp
 * within 5 minutes, webhook-signature: "v1,BASE64" separated by spaces, any one of which will do).
 */
#include "handlers/local.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/http/http.h"
#include "server/store/delivery.h"
#include "server/store/draft.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdio.h>

#define TOLERANCE_SECONDS 300
#define MAX_ACTOR_BYTES 100U

static bool
is_configured(const struct settings *settings)
{
    return settings->local.present;
}

static void
signing_keys(const struct settings *settings, const struct secret *ret_keys[SIGNING_KEYS])
{
    ret_keys[0] = settings->local.key;
    ret_keys[1] = settings->local.key_old;
}

/* One "v1,BASE64" of the list; others are skipped, as the specification asks. */
static void
add_signature(struct bytes item, struct admission *admission)
{
    AUTO_DONE(strbuf_done) struct strbuf mac = STRBUF_INIT(SHA256_BYTES);

    if (admission->mac_count == ADMISSION_MACS || item.len < 3 || memcmp(item.ptr, "v1,", 3) != 0)
        return;
    if (base64_decode(bytes_of(item.ptr + 3, item.len - 3), &mac, NULL) || mac.len != SHA256_BYTES)
        return;
    memcpy(admission->macs[admission->mac_count++], mac.ptr, SHA256_BYTES);
}

static int
read_signatures(const char *list, struct admission *admission, struct err *err)
{
    while (*list) {
        const size_t len = strcspn(list, " ");
        add_signature(bytes_of(list, len), admission);
        list += len + (list[len] == ' ');
    }
    if (admission->mac_count == 0)
        return err_set(err, ERR_AUTH, "webhook-signature has no signature of the form v1,BASE64");
    return 0;
}

static int
check_timestamp(const char *timestamp, int64_t now_ms, struct err *err)
{
    uint64_t seconds;

    if (str_to_u64(timestamp, &seconds, err) || seconds > INT64_MAX / MS_PER_SECOND)
        return err_set(err, ERR_AUTH, "webhook-timestamp is not a number of seconds");
    const int64_t age = now_ms / MS_PER_SECOND - (int64_t)seconds;
    if (age > TOLERANCE_SECONDS || age < -TOLERANCE_SECONDS)
        return err_set(err, ERR_AUTH,
                       "webhook-timestamp is %" PRId64 " s off; sign anew, and check both clocks",
                       age);
    return 0;
}

/* The id becomes part of a task's origin, which is logged, listed and shown. */
static bool
is_visible(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

static int
admit(const struct http_request *request,
      int64_t now_ms,
      struct admission *ret_admission,
      struct err *err)
{
    const char *id = http_request_header(request, "webhook-id");
    const char *timestamp = http_request_header(request, "webhook-timestamp");
    const char *signatures = http_request_header(request, "webhook-signature");
    struct admission admission = {.event = "task"};

    if (!id || !timestamp || !signatures)
        return err_set(err, ERR_AUTH,
                       "webhook-id, webhook-timestamp and webhook-signature are needed (Standard "
                       "Webhooks)");
    if (!*id || strlen(id) > LIMIT_DELIVERY_ID_BYTES || !is_visible(id))
        return err_set(err, ERR_INVALID, "webhook-id must have 1 to %u visible ASCII characters",
                       LIMIT_DELIVERY_ID_BYTES);
    int r = check_timestamp(timestamp, now_ms, err);
    if (r)
        return r;
    r = read_signatures(signatures, &admission, err);
    if (r)
        return r;
    (void)snprintf(admission.delivery_id, sizeof(admission.delivery_id), "%s", id);
    const int len = snprintf(admission.prefix, sizeof(admission.prefix), "%s.%s.", id, timestamp);
    if (len < 0 || (size_t)len >= sizeof(admission.prefix))
        return err_set(err, ERR_AUTH, "webhook-timestamp is not a number of seconds");
    *ret_admission = admission;
    return 0;
}

static int
check_body(const json_t *json, struct err *err)
{
    const char *repository = js_str(json, "repository");
    const char *title = js_str(json, "title");
    const char *text = js_str(json, "text");
    const char *actor = js_str(json, "requested_by");

    if (!repository || !repository_name_is_sane(repository))
        return err_set(err, ERR_INVALID, "\"repository\" must be a string OWNER/NAME");
    if (!title || !title[strspn(title, " \t\r\n")] || strlen(title) > LIMIT_TITLE_BYTES)
        return err_set(err, ERR_INVALID,
                       "\"title\" must be a string of 1 to %u bytes, not all blank",
                       LIMIT_TITLE_BYTES);
    if (text && strlen(text) > LIMIT_TEXT_BYTES)
        return err_set(err, ERR_INVALID, "\"text\" has over %u bytes", LIMIT_TEXT_BYTES);
    if (actor && strlen(actor) > MAX_ACTOR_BYTES)
        return err_set(err, ERR_INVALID, "\"requested_by\" has over %u bytes", MAX_ACTOR_BYTES);
    return 0;
}

static int
fill_event(struct event *event, const json_t *json, const char *delivery_id, struct err *err)
{
    const char *repository = js_str(json, "repository");
    const char *actor = js_str(json, "requested_by");
    int r = check_body(json, err);

    if (r)
        return r;
    event->kind = EVENT_START;
    event->origin = str_printf("local:%s#%s", repository, delivery_id);
    if (!event->origin)
        return err_set(err, ERR_NOMEM, "out of memory");

    r = str_set(&event->trigger, "webhook", err);
    if (!r)
        r = str_set(&event->order_key, event->origin, err);
    if (!r)
        r = str_set(&event->repository, repository, err);
    if (!r)
        r = str_set(&event->title, js_str(json, "title"), err);
    if (!r)
        r = str_set(&event->text, js_str(json, "text"), err);
    if (!r)
        r = str_set(&event->actor, actor ? actor : "local", err);
    return r;
}

static int
read_delivery(const struct settings *settings,
              const struct delivery *delivery,
              struct bytes body,
              struct event **ret_event,
              struct err *err)
{
    (void)settings;
    AUTO(js_free) json_t *json = NULL;
    AUTO(event_free) struct event *event = calloc(1, sizeof(*event));
    int r = js_parse(body, &json, err);

    if (r)
        return r;
    if (!event)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = fill_event(event, json, delivery->delivery_id, err);
    if (r)
        return r;
    *ret_event = TAKE(event);
    return 0;
}

static const struct local_repository_settings *
find_repository(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->local.repository_count; i++)
        if (str_equal(settings->local.repositories[i].name, name))
            return &settings->local.repositories[i];
    return NULL;
}

static bool
serves(const struct settings *settings, const char *repository)
{
    return find_repository(settings, repository) != NULL;
}

static int
open_session(struct app *app,
             const struct stop *stop,
             struct session **ret_session,
             struct err *err)
{
    (void)stop;
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return err_set(err, ERR_NOMEM, "out of memory");
    session->platform = &local_platform;
    session->app = app;
    *ret_session = session;
    return 0;
}

static void
close_session(struct session *session)
{
    free(session);
}

/* Whoever holds the secret may. */
static int
may(struct session *session,
    const char *repository,
    const char *actor,
    bool *ret_yes,
    struct err *err)
{
    (void)session;
    (void)repository;
    (void)actor;
    (void)err;
    *ret_yes = true;
    return 0;
}

static int
find_source(struct session *session,
            const char *repository,
            struct source *ret_source,
            struct err *err)
{
    const struct local_repository_settings *found =
        find_repository(session->app->settings, repository);
    struct source source = {0};

    if (!found)
        return err_set(err, ERR_NOTFOUND, "the configuration has no local repository %s",
                       repository);
    const int r = str_set(&source.url, found->path, err);
    if (r)
        return r;
    *ret_source = source;
    return 0;
}

struct put_draft_work {
    struct draft draft;
    int64_t now_ms;
};

static int
store_draft(struct db *db, void *ctx, struct err *err)
{
    const struct put_draft_work *work = ctx;
    return draft_put(db, &work->draft, work->now_ms, err);
}

/* A borrowed text as a field of a record that is only read. */
static char *
borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int
put_draft(struct session *session,
          const struct task *task,
          const struct draft_request *request,
          struct draft_made *ret_made,
          struct err *err)
{
    struct put_draft_work work = {
        .draft = {.number = task->id,
                  .repository = task->repository,
                  .branch = borrow(request->branch),
                  .base_branch = borrow(request->base_branch),
                  .head_commit = borrow(request->head_commit),
                  .title = borrow(request->title),
                  .body = borrow(request->body)},
        .now_ms = clock_now_ms(),
    };
    const int r = store_transact(session->app->store, store_draft, &work, err);

    if (r)
        return r;
    *ret_made = (struct draft_made){.number = task->id};
    return 0;
}

const struct platform local_platform = {
    .name = "local",
    .path = "/webhooks/local",
    .is_configured = is_configured,
    .signing_keys = signing_keys,
    .admit = admit,
    .read = read_delivery,
    .serves = serves,
    .open = open_session,
    .close = close_session,
    .may = may,
    .source = find_source,
    .put_draft = put_draft,
};
