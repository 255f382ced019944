/* See health.h. */
#include "handlers/health.h"

#include "handlers/app.h"
#include "server/base/strbuf.h"
#include "server/metrics.h"
#include "server/store/store.h"

#define MAX_METRICS_BYTES 65536

static void
answer_health(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    (void)ctx;
    (void)state;
    (void)body;
    http_answer_json_status(exchange, 200, "ok");
}

static int
nothing(struct db *db, void *ctx, struct err *err)
{
    (void)db;
    (void)ctx;
    (void)err;
    return 0;
}

/* The writer's word, from its own thread: no receiving thread waits for a disk. */
static void
store_answered(void *ctx, int code, const struct err *error)
{
    struct http_exchange *exchange = ctx;

    if (code)
        http_answer_error(exchange, error);
    else
        http_answer_json_status(exchange, 200, "ready");
}

static void
answer_readiness(void *ctx,
                 void *state,
                 const struct http_body *body,
                 struct http_exchange *exchange)
{
    const struct app *app = ctx;

    (void)state;
    (void)body;
    store_submit(app->store, nothing, store_answered, exchange);
}

static void
answer_metrics(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(MAX_METRICS_BYTES);

    (void)ctx;
    (void)state;
    (void)body;
    metrics_append(&text);
    http_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                bytes_of(strbuf_str(&text), text.len));
}

static const struct http_handler health_handler = {.finish = answer_health};
static const struct http_handler readiness_handler = {.finish = answer_readiness};
static const struct http_handler metrics_handler = {.finish = answer_metrics};

void
health_routes(struct app *app, struct http_route routes[HEALTH_ROUTE_COUNT])
{
    routes[0] = (struct http_route){
        .method = "GET", .path = "/healthz", .handler = &health_handler, .ctx = app};
    routes[1] = (struct http_route){
        .method = "GET", .path = "/readyz", .handler = &readiness_handler, .ctx = app};
    routes[2] = (struct http_route){
        .method = "GET", .path = "/metrics", .handler = &metrics_handler, .ctx = app};
}
