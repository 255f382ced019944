/* See webhook.h. The way of one request: begin (head: which signatures would do), data (each piece
 * into the HMAC), finish (compare, then hand to the store's writer), stored (durable: answer). */
#include "handlers/intake/webhook.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/metrics.h"
#include "server/service.h"
#include "server/store/delivery.h"
#include "server/store/store.h"

#include <stdlib.h>

#define MAX_REFUSED_LINES_A_MINUTE 20

struct route_context {
    struct app *app;
    const struct platform *platform;
    struct hmac_key *keys[SIGNING_KEYS]; /* NULL behind the last */
};

struct webhooks {
    struct route_context contexts[PLATFORMS_MAX];
    struct http_route routes[PLATFORMS_MAX];
    size_t count;
};

/* One request under way. */
struct receipt {
    const struct route_context *route;
    char *peer; /* who sends it: an address that can be blocked */
    struct admission admission;
    struct hmac *hmacs[SIGNING_KEYS]; /* one for each key of the route */
    bool by_old;                      /* signed with the secret that is being replaced */
    struct delivery_new delivery; /* what the writer stores */
    int64_t id;
    struct http_exchange *exchange;
};

static void
receipt_free(struct receipt *receipt)
{
    if (!receipt)
        return;
    for (size_t i = 0; i < SIGNING_KEYS; i++)
        hmac_free(receipt->hmacs[i]);
    free(receipt->peer);
    free(receipt);
}

AUTO_DEFINE(struct receipt *, receipt_free)

/* Anybody can cause these lines: a few a minute tell the operator as much as all of them. */
static void
count_refused(const struct receipt *receipt, const char *reason)
{
    static struct log_limit limit; /* log_limited() locks it */
    int64_t suppressed;

    metric_count(METRIC_DELIVERIES_REFUSED);
    if (log_limited(&limit, MAX_REFUSED_LINES_A_MINUTE, &suppressed))
        log_warning("delivery_refused", kv_str("platform", receipt->route->platform->name),
                    kv_str("from", receipt->peer), kv_str("reason", reason),
                    kv_int("not_logged", suppressed));
}

static int
hash(const struct receipt *receipt, struct bytes piece, struct err *err)
{
    int r = 0;

    for (size_t i = 0; !r && i < SIGNING_KEYS && receipt->hmacs[i]; i++)
        r = hmac_update(receipt->hmacs[i], piece, err);
    return r;
}

static int
begin(void *ctx, const struct http_request *request, void **ret_state, struct err *err)
{
    const struct route_context *route = ctx;
    AUTO(receipt_free) struct receipt *receipt = calloc(1, sizeof(*receipt));

    if (!receipt)
        return err_set(err, ERR_NOMEM, "out of memory");
    receipt->route = route;
    int r = str_set(&receipt->peer, http_request_peer(request), err);
    if (r)
        return r;
    r = route->platform->admit(request, clock_now_ms(), &receipt->admission, err);
    if (r) {
        count_refused(receipt, err->msg);
        return r;
    }
    for (size_t i = 0; !r && i < SIGNING_KEYS && route->keys[i]; i++)
        r = hmac_new(route->keys[i], &receipt->hmacs[i], err);
    if (!r)
        r = hash(receipt, bytes_of_str(receipt->admission.prefix), err);
    if (r)
        return r;
    *ret_state = TAKE(receipt);
    return 0;
}

static int
data(void *state, struct bytes piece, struct err *err)
{
    return hash(state, piece, err);
}

/* All keys and candidates are compared in full: the time taken tells nothing. */
static int
check_signature(struct receipt *receipt, struct err *err)
{
    unsigned char mac[SHA256_BYTES];
    bool matches[SIGNING_KEYS] = {false};

    for (size_t key = 0; key < SIGNING_KEYS && receipt->hmacs[key]; key++) {
        const int r = hmac_finish(receipt->hmacs[key], mac, err);
        if (r)
            return r;
        for (size_t i = 0; i < receipt->admission.mac_count; i++)
            matches[key] |= crypto_equal(mac, receipt->admission.macs[i], sizeof(mac));
    }
    receipt->by_old = matches[1] && !matches[0];
    if (!matches[0] && !matches[1])
        return err_set(err, ERR_AUTH,
                       "the signature does not fit the body; compare the webhook's secret with the "
                       "configured one");
    return 0;
}

static int
insert(struct db *db, void *ctx, struct err *err)
{
    struct receipt *receipt = ctx;
    return delivery_insert(db, &receipt->delivery, &receipt->id, err);
}

/* The writer's word: durable, known already, or not stored. */
static void
stored(void *ctx, int code, const struct err *error)
{
    struct receipt *receipt = ctx;
    const struct app *app = receipt->route->app;

    if (code == ERR_CONFLICT) {
        metric_count(METRIC_DELIVERIES_DUPLICATE);
        http_answer_json_status(receipt->exchange, 200, "duplicate");
        return;
    }
    if (code) {
        metric_count(METRIC_DELIVERIES_NOT_STORED);
        log_error("delivery_not_stored", kv_str("platform", receipt->route->platform->name),
                  kv_str("delivery", receipt->admission.delivery_id), kv_str("error", error->msg));
        http_answer_error(
            receipt->exchange,
            &(struct err){.code = ERR_UNAVAILABLE,
                          .msg = "the store cannot take it now; deliver again later"});
        return;
    }
    log_info("delivery_stored", kv_str("platform", receipt->route->platform->name),
             kv_str("delivery", receipt->admission.delivery_id),
             kv_str("kind", receipt->admission.event), kv_int("id", receipt->id),
             kv_bool("old_secret", receipt->by_old));
    metric_count(METRIC_DELIVERIES_STORED);
    http_answer_json_status(receipt->exchange, 202, "accepted");
    service_wake(app->dispatcher);
}

static void
finish(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    const struct route_context *route = ctx;
    struct receipt *receipt = state;
    struct err error = {0};

    if (check_signature(receipt, &error)) {
        count_refused(receipt, error.msg);
        http_answer_error(exchange, &error);
        return;
    }
    receipt->exchange = exchange;
    receipt->delivery = (struct delivery_new){
        .platform = route->platform->name,
        .delivery_id = receipt->admission.delivery_id,
        .event = receipt->admission.event,
        .received_ms = clock_now_ms(),
        .memory = body->memory,
        .spool_fd = body->spool_fd,
        .spool_bytes = body->bytes,
    };
    store_submit(route->app->store, insert, stored, receipt);
}

static void
drop(void *state)
{
    receipt_free(state);
}

static const struct http_handler handler = {
    .begin = begin,
    .data = data,
    .finish = finish,
    .drop = drop,
};

static int
add_route(struct webhooks *webhooks,
          struct app *app,
          const struct platform *platform,
          struct err *err)
{
    struct route_context *context = &webhooks->contexts[webhooks->count];
    const struct secret *keys[SIGNING_KEYS];
    int r = 0;

    platform->signing_keys(app->settings, keys);
    for (size_t i = 0; !r && i < SIGNING_KEYS && keys[i]; i++)
        r = hmac_key_new(secret_reveal(keys[i]), &context->keys[i], err);
    if (r)
        return r;
    context->app = app;
    context->platform = platform;
    webhooks->routes[webhooks->count++] = (struct http_route){
        .method = "POST",
        .path = platform->path,
        .handler = &handler,
        .ctx = context,
        .max_body_bytes = LIMIT_BODY_BYTES,
    };
    return 0;
}

int
webhooks_new(struct app *app, struct webhooks **ret_webhooks, struct err *err)
{
    AUTO(webhooks_free) struct webhooks *webhooks = calloc(1, sizeof(*webhooks));

    if (!webhooks)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; platforms[i]; i++) {
        if (!platforms[i]->is_configured(app->settings))
            continue;
        const int r = add_route(webhooks, app, platforms[i], err);
        if (r)
            return r;
    }
    *ret_webhooks = TAKE(webhooks);
    return 0;
}

void
webhooks_free(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    for (size_t i = 0; i < PLATFORMS_MAX; i++)
        for (size_t key = 0; key < SIGNING_KEYS; key++)
            hmac_key_free(webhooks->contexts[i].keys[key]);
    free(webhooks);
}

const struct http_route *
webhooks_routes(const struct webhooks *webhooks, size_t *ret_count)
{
    *ret_count = webhooks->count;
    return webhooks->routes;
}
