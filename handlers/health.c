/* See health.h. Whether the store takes writes is found out by writing. One answer is good for a
 * moment, and all who ask meanwhile wait for the same one: nobody can make the disk flush at
 * will. */
#include "handlers/health.h"

#include "handlers/app.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/strbuf.h"
#include "server/metrics.h"
#include "server/store/store.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_METRICS_BYTES 65536
#define KEPT_MS MS_PER_SECOND

/* Who asked for readiness, from begin to drop. */
struct asker {
    struct http_exchange *exchange;
    struct asker *next; /* under lock */
};

struct health {
    struct app *app;
    pthread_mutex_t lock;
    bool asking;                /* under lock: the store owes an answer */
    struct asker *askers;       /* under lock: who waits for it */
    bool ready;                 /* under lock: the answer before */
    int64_t kept_until_mono_ms; /* under lock */
};

int
health_new(struct app *app, struct health **ret_health, struct err *err)
{
    struct health *health = calloc(1, sizeof(*health));

    if (!health)
        return err_set(err, ERR_NOMEM, "out of memory");
    health->app = app;
    health->ready = true; /* it was opened */
    pthread_mutex_init(&health->lock, NULL);
    *ret_health = health;
    return 0;
}

void
health_free(struct health *health)
{
    if (!health)
        return;
    pthread_mutex_destroy(&health->lock);
    free(health);
}

static void
answer_health(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    (void)ctx;
    (void)state;
    (void)body;
    http_answer_json_status(exchange, 200, "ok");
}

static int
begin_readiness(void *ctx, const struct http_request *request, void **ret_state, struct err *err)
{
    struct asker *asker = calloc(1, sizeof(*asker));

    (void)ctx;
    (void)request;
    if (!asker)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_state = asker;
    return 0;
}

static void
tell(struct http_exchange *exchange, bool ready)
{
    static const struct err not_ready = {.code = ERR_UNAVAILABLE,
                                         .msg = "the store takes no writes; the log tells why"};

    if (ready)
        http_answer_json_status(exchange, 200, "ready");
    else
        http_answer_error(exchange, &not_ready);
}

/* The writer's word, from its own thread: no receiving thread waits for a disk. */
static void
store_answered(void *ctx, int code, const struct err *error)
{
    struct health *health = ctx;
    const bool ready = code == 0;
    struct asker *next;

    pthread_mutex_lock(&health->lock);
    struct asker *asker = TAKE(health->askers);
    const bool changed = ready != health->ready;
    health->asking = false;
    health->ready = ready;
    health->kept_until_mono_ms = clock_mono_ms() + KEPT_MS;
    pthread_mutex_unlock(&health->lock);
    if (changed && ready)
        log_info("store_ready");
    else if (changed)
        log_error("store_not_ready", kv_str("error", error->msg));
    for (; asker; asker = next) {
        next = asker->next; /* with its answer it is gone */
        tell(asker->exchange, ready);
    }
}

static void
answer_readiness(void *ctx,
                 void *state,
                 const struct http_body *body,
                 struct http_exchange *exchange)
{
    struct health *health = ctx;
    struct asker *asker = state;

    (void)body;
    asker->exchange = exchange;
    pthread_mutex_lock(&health->lock);
    const bool known = clock_mono_ms() < health->kept_until_mono_ms;
    const bool ask = !known && !health->asking;
    const bool ready = health->ready;
    if (!known) {
        asker->next = health->askers;
        health->askers = asker;
        health->asking = true;
    }
    pthread_mutex_unlock(&health->lock);
    if (known)
        tell(exchange, ready);
    else if (ask)
        store_submit(health->app->store, store_ping, store_answered, health);
}

static void
drop_asker(void *state)
{
    free(state);
}

/* What the server counts by itself. */
static void
append_http(struct strbuf *text, const struct http_server *server)
{
    struct http_counters counters;

    http_server_counters(server, &counters);
    const struct metric_value values[] = {
        {.name = "draftd_http_connections_total",
         .help = "Connections accepted.",
         .value = counters.connections},
        {.name = "draftd_http_connections_refused_total",
         .help = "Connections closed at once because there were too many.",
         .value = counters.refused_connections},
        {.name = "draftd_http_connections_open",
         .help = "Connections that are open.",
         .may_fall = true,
         .value = counters.open_connections},
        {.name = "draftd_http_requests_total",
         .help = "Requests whose head was read.",
         .value = counters.requests},
        {.name = "draftd_http_bodies_refused_total",
         .help = "Requests answered 503 because there was no room for their body.",
         .value = counters.refused_bodies},
        {.name = "draftd_http_timeouts_total",
         .help = "Connections closed because the client was too slow.",
         .value = counters.timed_out},
        {.name = "draftd_http_connections_pushed_out_total",
         .help = "Connections closed to make room for others because the client was the slowest.",
         .value = counters.pushed_out},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        metrics_append_value(text, &values[i]);
    if (counters.certificate_expires_ms > 0)
        metrics_append_value(
            text, &(struct metric_value){
                      .name = "draftd_tls_certificate_expires_timestamp_seconds",
                      .help = "When the TLS certificate ends to be valid, in Unix time.",
                      .may_fall = true,
                      .value = (uint64_t)(counters.certificate_expires_ms / MS_PER_SECOND)});
}

static void
answer_metrics(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(MAX_METRICS_BYTES);

    (void)ctx;
    (void)state;
    (void)body;
    metrics_append(&text);
    append_http(&text, http_exchange_server(exchange));
    http_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                bytes_of(strbuf_str(&text), text.len));
}

static const struct http_handler health_handler = {.finish = answer_health};
static const struct http_handler readiness_handler = {
    .begin = begin_readiness,
    .finish = answer_readiness,
    .drop = drop_asker,
};
static const struct http_handler metrics_handler = {.finish = answer_metrics};

void
health_routes(struct health *health, struct http_route routes[HEALTH_ROUTE_COUNT])
{
    routes[0] = (struct http_route){
        .method = "GET", .path = "/healthz", .handler = &health_handler, .ctx = health};
    routes[1] = (struct http_route){
        .method = "GET", .path = "/readyz", .handler = &readiness_handler, .ctx = health};
    routes[2] = (struct http_route){
        .method = "GET", .path = "/metrics", .handler = &metrics_handler, .ctx = health};
}
