/* See exchange.h. The order of libmicrohttpd's calls: the request target; then the request itself
 * at the end of the head, for each piece of the body, at the end of the body, and again when the
 * connection was resumed; then the completion. */
#include "server/http/exchange.h"

#include <stdlib.h>

#include "server/base/log.h"
#include "server/http/head.h"
#include "server/http/mailbox.h"
#include "server/limits.h"

/* Up to this much of a refused body is read for the sake of keeping the connection. */
#define DISCARD_BYTES (64U * 1024)

struct http_request {
    struct MHD_Connection *connection;
    const char *peer;
};

const char *
http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *
http_request_peer(const struct http_request *request)
{
    return request->peer;
}

static struct http_conn *
conn_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void *
exchange_on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct loop *loop = cls;
    struct http_conn *conn = conn_of(connection);
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));

    if (!exchange)
        return NULL;
    exchange->mailbox = mailbox_ref(loop_mailbox(loop));
    exchange->loop = loop;
    exchange->conn = conn;
    exchange->connection = connection;
    exchange->target_bytes = strlen(target);
    exchange->spool = (struct spool)SPOOL_INIT(loop_shared(loop)->room, &conn->place.key);
    conn->exchange = exchange;
    if (conn->phase == CONN_IDLE)
        loop_enter_phase(loop, conn, CONN_HEAD);
    return exchange;
}

static void
exchange_free(struct http_exchange *exchange)
{
    if (exchange->begun && exchange->route->handler->drop)
        exchange->route->handler->drop(exchange->state);
    spool_done(&exchange->spool);
    answer_done(&exchange->answer);
    mailbox_unref(exchange->mailbox);
    free(exchange);
}

void
exchange_end(struct http_exchange *exchange)
{
    exchange->conn->exchange = NULL;
    /* The handler still holds it when the server was stopped before the answer. */
    if (exchange->finished && mailbox_abandon(exchange->mailbox, exchange))
        return;
    exchange_free(exchange);
}

static enum MHD_Result
send_answer(struct http_exchange *exchange)
{
    exchange->stage = EXCHANGE_SENT;
    spool_done(&exchange->spool); /* the client may take its time with the answer */
    loop_enter_phase(exchange->loop, exchange->conn, CONN_SENDING);
    return answer_send(&exchange->answer, exchange->connection, loop_stopping(exchange->loop))
               ? MHD_YES
               : MHD_NO;
}

static void
refuse(struct http_exchange *exchange, unsigned status, const char *name, const char *message)
{
    exchange->refused = true;
    spool_done(&exchange->spool); /* and with the rest of the body */
    answer_set_error(&exchange->answer, status, name, message);
}

static void
refuse_error(struct http_exchange *exchange, const struct err *error)
{
    refuse(exchange, (unsigned)err_http_status(error->code), err_name(error->code), error->msg);
}

static void
refuse_too_large(struct http_exchange *exchange)
{
    refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, err_name(ERR_LIMIT),
           "the body is larger than this path accepts");
}

/* Find the route and let its handler look at the head. */
static void
begin(struct http_exchange *exchange, const char *method, const char *path, const struct head *head)
{
    const struct http_shared *shared = loop_shared(exchange->loop);
    char allow[ROUTER_ALLOW_BYTES];
    const struct http_route *route =
        router_find(shared->routes, shared->route_count, method, path, allow);

    if (!route && !allow[0]) {
        refuse(exchange, MHD_HTTP_NOT_FOUND, err_name(ERR_NOTFOUND),
               "there is nothing at this path");
        return;
    }
    if (!route) {
        refuse(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
               "this path does not know the method; see the header Allow");
        memcpy(exchange->answer.allow, allow, sizeof(allow));
        return;
    }
    exchange->route = route;
    if (head->content_length > route->max_body_bytes || (head->chunked && !route->max_body_bytes)) {
        refuse_too_large(exchange);
        return;
    }
    if (!route->handler->begin)
        return;
    const struct http_request request = {
        .connection = exchange->connection,
        .peer = exchange->conn->peer,
    };
    struct err err = {.code = 0};
    if (route->handler->begin(route->ctx, &request, &exchange->state, &err))
        refuse_error(exchange, &err);
    else
        exchange->begun = true;
}

static enum MHD_Result
on_head(struct http_exchange *exchange, const char *method, const char *path, const char *version)
{
    struct head head;

    exchange->stage = EXCHANGE_BODY;
    atomic_fetch_add_explicit(&loop_shared(exchange->loop)->requests, 1, memory_order_relaxed);
    loop_enter_phase(exchange->loop, exchange->conn, CONN_BODY);
    head_read(exchange->connection, path, version, exchange->target_bytes, &head);
    exchange->expected_bytes = head.content_length;
    if (head.status) {
        refuse(exchange, head.status,
               head.status == 400 ? err_name(ERR_INVALID) : err_name(ERR_LIMIT), head.problem);
        exchange->unread = true;
        return send_answer(exchange);
    }
    begin(exchange, method, path, &head);
    if (!exchange->refused)
        return MHD_YES;

    /* Either read the little that comes, or answer now; libmicrohttpd then closes the connection.
     */
    const bool has_body = head.chunked || head.content_length > 0;
    if (!has_body || (head.content_length <= DISCARD_BYTES && !head.expects_continue))
        return MHD_YES;
    exchange->unread = true;
    return send_answer(exchange);
}

/* libmicrohttpd takes no answer between a body's first byte and its last: a refused body is read to
 * its end without being kept. What has no announced end is cut off some time. */
static bool
discard(struct http_exchange *exchange, size_t bytes)
{
    const size_t max_body = exchange->route ? exchange->route->max_body_bytes : 0;

    exchange->discarded_bytes += bytes;
    return exchange->expected_bytes > 0 || exchange->discarded_bytes <= max_body + DISCARD_BYTES;
}

static enum MHD_Result
on_data(struct http_exchange *exchange, struct bytes piece)
{
    const struct http_route *route = exchange->route;
    struct err err = {.code = 0};

    loop_saw_progress(exchange->loop);
    if (exchange->refused)
        return discard(exchange, piece.len) ? MHD_YES : MHD_NO;
    if ((uint64_t)exchange->spool.bytes + piece.len > route->max_body_bytes) {
        refuse_too_large(exchange);
        return MHD_YES;
    }
    if (spool_append(&exchange->spool, exchange->expected_bytes, piece, &err)) {
        log_debug("http_body_not_kept", kv_str("error", err.msg));
        refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, err_name(ERR_UNAVAILABLE),
               "the body cannot be kept at the moment; try again later");
        atomic_fetch_add(&loop_shared(exchange->loop)->refused_bodies, 1);
        return MHD_YES;
    }
    if (route->handler->data && route->handler->data(exchange->state, piece, &err))
        refuse_error(exchange, &err);
    return MHD_YES;
}

static enum MHD_Result
on_end(struct http_exchange *exchange)
{
    if (exchange->refused)
        return send_answer(exchange);

    exchange->body = spool_body(&exchange->spool);
    exchange->finished = true;
    loop_enter_phase(exchange->loop, exchange->conn, CONN_ANSWER);
    exchange->route->handler->finish(exchange->route->ctx, exchange->state, &exchange->body,
                                     exchange);
    if (!mailbox_await(exchange->mailbox, exchange))
        return send_answer(exchange);
    exchange->stage = EXCHANGE_AWAITED;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

enum MHD_Result
exchange_on_request(void *cls, /* NOLINT(readability-function-size): libmicrohttpd's type */
                    struct MHD_Connection *connection,
                    const char *path,
                    const char *method,
                    const char *version,
                    const char *upload,
                    size_t *upload_bytes,
                    void **request_cls)
{
    struct http_exchange *exchange = *request_cls;

    (void)cls;
    (void)connection;
    if (!exchange)
        return MHD_NO; /* out of memory at the request line */
    switch (exchange->stage) {
    case EXCHANGE_HEAD:
        return on_head(exchange, method, path, version);
    case EXCHANGE_BODY:
        if (*upload_bytes == 0)
            return on_end(exchange);
        {
            const struct bytes piece = bytes_of(upload, *upload_bytes);
            *upload_bytes = 0;
            return on_data(exchange, piece);
        }
    case EXCHANGE_AWAITED:
        return send_answer(exchange);
    case EXCHANGE_SENT:
        return MHD_YES;
    }
    return MHD_NO;
}

void
exchange_on_completed(void *cls,
                      struct MHD_Connection *connection,
                      void **request_cls,
                      enum MHD_RequestTerminationCode code)
{
    struct loop *loop = cls;
    struct http_conn *conn = conn_of(connection);
    struct http_exchange *exchange = *request_cls;

    *request_cls = NULL;
    loop_enter_phase(loop, conn, CONN_IDLE);
    if (!exchange)
        return;
    if (exchange->unread && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        loop_linger(loop, conn);
    exchange_end(exchange);
}

static void
deliver(struct http_exchange *exchange)
{
    if (mailbox_put(exchange->mailbox, exchange))
        exchange_free(exchange);
}

void
http_answer(struct http_exchange *exchange,
            unsigned status,
            const char *content_type,
            struct bytes body)
{
    answer_set(&exchange->answer, status, content_type, body);
    deliver(exchange);
}

void
http_answer_json_status(struct http_exchange *exchange, unsigned status, const char *text)
{
    answer_set_status(&exchange->answer, status, text);
    deliver(exchange);
}

void
http_answer_error(struct http_exchange *exchange, const struct err *error)
{
    answer_set_error(&exchange->answer, (unsigned)err_http_status(error->code),
                     err_name(error->code), error->msg);
    deliver(exchange);
}

const struct http_server *
http_exchange_server(const struct http_exchange *exchange)
{
    return loop_shared(exchange->loop)->server;
}
