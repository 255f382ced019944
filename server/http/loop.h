/* One thread of the server: an event loop of our own around a libmicrohttpd daemon.
 *
 * libmicrohttpd's own epoll thread stops for good when 128 connections upload at once (it asks for
 * more events, without a timeout, before it handles any).  Here it only ever polls with a timeout
 * of zero, after poll() on its descriptor has said that there is something to do. */
#pragma once

#include "server/base/err.h"
#include "server/http/headcount.h"
#include "server/http/http.h"
#include "server/http/line.h"

#include <stdatomic.h>

struct MHD_Connection;
struct loop;
struct mailbox;
struct room;

/* What a connection waits for; each has its own deadline. */
enum conn_phase {
    CONN_HEAD,    /* a request's head: since it was accepted, or since the first byte */
    CONN_BODY,    /* the body's end */
    CONN_ANSWER,  /* us: no deadline */
    CONN_SENDING, /* the client to take the answer */
    CONN_IDLE,    /* the next request */
    CONN_PHASES,
};

/* One client connection. Belongs to its loop's thread. */
struct http_conn {
    struct http_conn *prev;
    struct http_conn *next;
    struct MHD_Connection *connection;
    struct http_exchange *exchange; /* the request in progress, or NULL */
    struct line_place place; /* its descriptor is borrowed from libmicrohttpd */
    enum conn_phase phase;
    int64_t since_ms;
    uint64_t idle_bytes; /* received when it was first seen idle; 0: not yet seen */
    bool closing;
    char peer[48];
};

/* What all loops of a server share. Only the atomics change after the start. */
struct http_shared {
    const struct http_server *server;
    const struct http_route *routes;
    size_t route_count;
    struct room *room;
    int listen_fd;
    struct headcount *headcount;
    struct line *line;
    int64_t deadline_ms[CONN_PHASES]; /* 0: none */
    int64_t tick_ms;
    int64_t certificate_expires_ms; /* 0: no TLS */
    atomic_bool stopping;
    atomic_int_fast64_t drain_until_ms;
    atomic_uint_fast64_t connections;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t refused_connections;
    atomic_uint_fast64_t refused_bodies;
    atomic_uint_fast64_t timed_out;
    atomic_uint_fast64_t pushed_out;
    atomic_uint_fast64_t open_connections;
};

/* Start a thread that serves `shared` (borrowed). `certificate_pem` NULL: plain HTTP.
 * Owns: *ret_loop is the caller's, loop_join().   Errors: ERR_INVALID GnuTLS refuses the pair;
 * ERR_IO, ERR_NOMEM. */
MUST_CHECK int loop_start(struct http_shared *shared,
                          unsigned max_connections,
                          const char *certificate_pem,
                          const char *key_pem,
                          struct loop **ret_loop,
                          struct err *err);

/* Make the loop see that `stopping` is set. */
void loop_wake(struct loop *loop);

/* Wait for the loop's end and free it. */
void loop_join(struct loop *loop);

/* For requests, on the loop's thread: */
struct http_shared *loop_shared(struct loop *loop);
struct mailbox *loop_mailbox(struct loop *loop);
bool loop_stopping(const struct loop *loop);
void loop_enter_phase(const struct loop *loop, struct http_conn *conn, enum conn_phase phase);

/* This turn of the loop was of use: the next one need not wait. */
void loop_saw_progress(struct loop *loop);

/* The connection will be closed with some of its request unread: do it gently. */
void loop_linger(struct loop *loop, const struct http_conn *conn);
