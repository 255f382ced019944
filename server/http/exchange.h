/* One request and its answer: the steps from the request line to the end.
 *
 * All of it happens on the loop's thread, but for the answer itself, which may come from any. While
 * one is awaited the connection is suspended: it costs nothing and has no deadline. */
#pragma once

#include "server/http/answer.h"
#include "server/http/loop.h"
#include "server/http/spool.h"

#include <microhttpd.h>

enum exchange_stage {
    EXCHANGE_HEAD,
    EXCHANGE_BODY,
    EXCHANGE_AWAITED, /* suspended */
    EXCHANGE_SENT,
};

struct http_exchange {
    struct mailbox *mailbox;    /* a reference */
    struct http_exchange *next; /* under the mailbox's lock, as the three flags: */
    bool answered;
    bool awaited;
    bool abandoned;

    struct answer answer; /* whoever answers writes it before `answered` is set */

    struct loop *loop;
    struct http_conn *conn;
    struct MHD_Connection *connection;
    enum exchange_stage stage;
    size_t target_bytes;
    uint64_t expected_bytes; /* Content-Length, or 0 */
    const struct http_route *route;
    void *state;
    bool begun;    /* `state` is to be dropped */
    bool finished; /* the handler owes or has given the answer */
    bool refused;  /* `answer` is an error of ours: the rest of the body is thrown away */
    bool unread;   /* answered before the body's end */
    uint64_t discarded_bytes;
    struct spool spool;
    struct http_body body;
};

/* Callbacks for libmicrohttpd; the closure is the struct loop. */
void *exchange_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_on_request(void *cls,
                                    struct MHD_Connection *connection,
                                    const char *path,
                                    const char *method,
                                    const char *version,
                                    const char *upload,
                                    size_t *upload_bytes,
                                    void **request_cls);
void exchange_on_completed(void *cls,
                           struct MHD_Connection *connection,
                           void **request_cls,
                           enum MHD_RequestTerminationCode code);

/* The connection is over with the exchange or is gone. */
void exchange_end(struct http_exchange *exchange);
