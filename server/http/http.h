/* The HTTPS server: libmicrohttpd behind an event loop of our own.
 *
 * It collects a request's body up to its cap (in memory, or in an unnamed file when it is large),
 * feeds each piece to the route's handler as it arrives, and lets the handler answer later from any
 * thread. It knows nothing of what the routes mean. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_request;
struct http_exchange;

/* A request's head. Everything borrowed, for the handler's `begin` only.
 * NULL when absent; names are compared without case.  A header sent twice with different values:
 * the first. */
const char *http_request_header(const struct http_request *request, const char *name);
const char *http_request_peer(const struct http_request *request); /* "192.0.2.7" */

/* A complete body. Borrowed. */
struct http_body {
    struct bytes memory; /* all of it, when spool_fd is negative */
    int spool_fd;        /* an unnamed file that holds all of it, or -1 */
    int64_t bytes;
};

struct http_handler {
    /* The head is complete. *ret_state is handed to the others and to `drop` at the end. An error
     * answers at once with err_http_status() and a JSON body; nothing more of the request is read
     * than keeping the connection alive needs.  May be NULL: no state. */
    int (*begin)(void *ctx, const struct http_request *request, void **ret_state, struct err *err);
    /* A piece of the body.  May be NULL. */
    int (*data)(void *state, struct bytes piece, struct err *err);
    /* The body is complete: call http_answer() exactly once, now or later, from any thread. `body`
     * stays valid until the answer. */
    void (*finish)(void *ctx,
                   void *state,
                   const struct http_body *body,
                   struct http_exchange *exchange);
    /* The request is over, answered or not.  After a `finish` this is called only once the answer
     * was given, also when the client has gone away meanwhile.  May be NULL. */
    void (*drop)(void *state);
};

struct http_route {
    const char *method;
    const char *path; /* exact */
    const struct http_handler *handler;
    void *ctx;
    size_t max_body_bytes; /* 0: no body */
};

/* Answer. `body` is copied.   Thread: any. */
void http_answer(struct http_exchange *exchange,
                 unsigned status,
                 const char *content_type,
                 struct bytes body);

/* Answer with {"status":"TEXT"}. */
void http_answer_json_status(struct http_exchange *exchange, unsigned status, const char *text);

/* Answer with err_http_status() and {"error":"NAME","message":"TEXT"}. */
void http_answer_error(struct http_exchange *exchange, const struct err *error);

/* The server that the request came to. Borrowed, inside `finish` only. */
const struct http_server *http_exchange_server(const struct http_exchange *exchange);

struct http_options {
    const char *address;         /* numeric IPv4 or IPv6 */
    uint16_t port;               /* 0: any free one */
    const char *certificate_pem; /* contents; both NULL: plain HTTP */
    const char *key_pem;
    const char *spool_dir;      /* where large bodies go, as unnamed files */
    int64_t spool_bytes;        /* what they may take there: together, */
    int64_t spool_bytes_sender; /* those of one address (without limit behind a proxy), */
    int64_t spool_reserve;      /* and what must stay free; 0: the values of limits.h */
    const struct http_route *routes;
    size_t route_count;
    unsigned threads;                     /* 0: two */
    unsigned max_connections;             /* 0: LIMIT_CONNECTIONS */
    unsigned max_connections_per_address; /* 0: LIMIT_CONNECTIONS_PER_ADDRESS; loopback is exempt
                                             behind a proxy */
    bool behind_proxy;                    /* no limits per address: the proxy is one address */
    int64_t idle_ms, head_ms, body_ms;    /* 0: the values of limits.h */
};

/* Numbers since the start, and how things stand, for metrics. */
struct http_counters {
    uint64_t connections;
    uint64_t requests;
    uint64_t refused_connections;
    uint64_t refused_bodies; /* 503: they could not be kept */
    uint64_t timed_out;
    uint64_t pushed_out; /* closed for a newcomer's sake: they were slow, and places scarce */
    uint64_t open_connections;
    int64_t certificate_expires_ms; /* Unix time; 0: no TLS */
};

/* Listen and serve in threads of its own. Borrows the routes and what they point to.
 * Errors: ERR_CONFLICT the port is taken; ERR_INVALID address or certificate; ERR_IO. */
MUST_CHECK int http_server_start(const struct http_options *options,
                                 struct http_server **ret_server,
                                 struct err *err);

uint16_t http_server_port(const struct http_server *server);
void http_server_counters(const struct http_server *server, struct http_counters *ret_counters);

/* Stop accepting; wait until the requests in flight are answered, at most `drain_ms`; close and
 * free. What is unanswered then may still be answered: nothing is sent, but its `drop` is called.
 * Until that the routes' handlers and what they point to must stay.   `server` may be NULL. */
void http_server_stop(struct http_server *server, int64_t drain_ms);
