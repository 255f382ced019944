/* See loop.h. */
#include "server/http/loop.h"

#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/http/exchange.h"
#include "server/http/leftovers.h"
#include "server/http/mailbox.h"
#include "server/limits.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Room for the head and its bookkeeping (see MAX_FIELDS in head.c), and then still for reading the
 * body through, half of it at a time: a usual delivery comes in one piece. No more than that:
 * libmicrohttpd clears all of it after each request. */
#define CONNECTION_MEMORY_BYTES (LIMIT_REQUEST_HEAD_BYTES + 16U * 1024)

#define ACCEPTS_PER_TURN 8
#define ACCEPT_PAUSE_MS 100

/* While so many who were pushed out have not gone yet, newcomers wait in the kernel's queue: the
 * reserve is not used up before its places are made. */
#define MOST_LEAVING 8
#define LEAVING_PAUSE_MS 1

/* A connection whose unread bytes make no whole chunk header keeps libmicrohttpd asking to be run
 * again at once. After so many turns without any progress they come more slowly. (A large body
 * over TLS keeps it asking, too, once for each record, but every turn brings a piece of it.) */
#define IDLE_TURNS 64
#define IDLE_TURN_MS 5

enum { POLL_EVENTS, POLL_MAILBOX, POLL_LISTEN, POLL_LEFTOVERS };

struct loop {
    struct http_shared *shared;
    struct MHD_Daemon *daemon;
    struct mailbox *mailbox;
    pthread_t thread;
    int events_fd; /* the daemon's epoll descriptor; borrowed */
    struct http_conn *conns;
    struct http_conn *arriving; /* being handed to libmicrohttpd */
    struct leftovers leftovers;
    int64_t now_ms;
    int64_t next_tick_ms;
    int64_t accept_after_ms;
    unsigned idle_turns;
    bool progress;
    bool draining;
};

struct http_shared *
loop_shared(struct loop *loop)
{
    return loop->shared;
}

struct mailbox *
loop_mailbox(struct loop *loop)
{
    return loop->mailbox;
}

bool
loop_stopping(const struct loop *loop)
{
    return atomic_load(&loop->shared->stopping);
}

void
loop_enter_phase(const struct loop *loop, struct http_conn *conn, enum conn_phase phase)
{
    conn->phase = phase;
    conn->since_ms = loop->now_ms;
    conn->idle_bytes = 0;
    if (phase == CONN_ANSWER)
        line_leave(loop->shared->line, &conn->place);
    else
        line_wait(loop->shared->line, &conn->place);
}

void
loop_saw_progress(struct loop *loop)
{
    loop->progress = true;
}

void
loop_linger(struct loop *loop, const struct http_conn *conn)
{
    leftovers_add(&loop->leftovers, conn->place.fd, loop->now_ms);
}

/* Connections */

static void
conn_link(struct loop *loop, struct http_conn *conn)
{
    conn->next = loop->conns;
    if (conn->next)
        conn->next->prev = conn;
    loop->conns = conn;
    atomic_fetch_add(&loop->shared->open_connections, 1);
}

static void
conn_unlink(struct loop *loop, struct http_conn *conn)
{
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        loop->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    atomic_fetch_sub(&loop->shared->open_connections, 1);
}

static void
conn_free(struct loop *loop, struct http_conn *conn)
{
    headcount_leave(loop->shared->headcount, &conn->place.key);
    free(conn);
}

/* libmicrohttpd tells of a connection's begin and end. */
static void
on_connection(void *cls,
              struct MHD_Connection *connection,
              void **socket_cls,
              enum MHD_ConnectionNotificationCode code)
{
    struct loop *loop = cls;

    loop->progress = true;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct http_conn *conn = TAKE(loop->arriving);
        conn->connection = connection;
        conn_link(loop, conn);
        loop_enter_phase(loop, conn, CONN_HEAD);
        *socket_cls = conn;
        return;
    }
    struct http_conn *conn = TAKE(*socket_cls);
    /* Without a completion before: it does not tell of a connection that it cannot poll. */
    if (conn->exchange)
        exchange_end(conn->exchange);
    line_leave(loop->shared->line, &conn->place); /* before the descriptor is closed */
    conn_unlink(loop, conn);
    conn_free(loop, conn);
}

/* Places are scarce: one more is needed. */
static void
push_out(struct loop *loop, const struct headcount_key *key)
{
    if (line_push_out(loop->shared->line, key))
        atomic_fetch_add(&loop->shared->pushed_out, 1);
}

static void
print_peer(const struct sockaddr_storage *address, socklen_t len, char *peer, size_t size)
{
    static const char mapped[] = "::ffff:";

    if (getnameinfo((const struct sockaddr *)address, len, peer, (socklen_t)size, NULL, 0,
                    NI_NUMERICHOST))
        (void)snprintf(peer, size, "unknown");
    if (str_starts_with(peer, mapped))
        memmove(peer, peer + strlen(mapped), strlen(peer) - strlen(mapped) + 1);
}

static void
take_connection(struct loop *loop, int fd, const struct sockaddr_storage *address, socklen_t len)
{
    struct http_shared *shared = loop->shared;
    struct http_conn *conn = calloc(1, sizeof(*conn));
    const enum headcount_entry entry =
        conn
            ? headcount_enter(shared->headcount, (const struct sockaddr *)address, &conn->place.key)
            : HEADCOUNT_REFUSED;

    if (entry == HEADCOUNT_REFUSED) {
        atomic_fetch_add(&shared->refused_connections, 1);
        free(conn);
        close(fd);
        return;
    }
    if (entry != HEADCOUNT_ENTERED)
        push_out(loop, entry == HEADCOUNT_ADDRESS_CROWDED ? &conn->place.key : NULL);
    conn->place.fd = fd;
    print_peer(address, len, conn->peer, sizeof(conn->peer));
    atomic_fetch_add(&shared->connections, 1);
    loop->arriving = conn;
    (void)MHD_add_connection(loop->daemon, fd, (const struct sockaddr *)address, len);
    /* Still there: it has failed, and has closed the descriptor. */
    if (loop->arriving)
        conn_free(loop, TAKE(loop->arriving));
}

/* A few at a time, so that the other loops get their share. */
static void
accept_connections(struct loop *loop)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        if (line_leaving(loop->shared->line) >= MOST_LEAVING) {
            loop->accept_after_ms = loop->now_ms + LEAVING_PAUSE_MS;
            return;
        }
        const int fd = accept4(loop->shared->listen_fd, (struct sockaddr *)&address, &len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            loop->accept_after_ms = loop->now_ms + ACCEPT_PAUSE_MS;
        if (fd < 0)
            return;
        take_connection(loop, fd, &address, len);
    }
}

/* Deadlines */

/* Every byte that ever came on the connection; 0 when the kernel does not tell. */
static uint64_t
received_bytes(const struct http_conn *conn)
{
    struct tcp_info info = {.tcpi_bytes_received = 0};
    socklen_t len = sizeof(info);

    if (getsockopt(conn->place.fd, IPPROTO_TCP, TCP_INFO, &info, &len))
        return 0;
    return info.tcpi_bytes_received;
}

static bool
has_unread_bytes(const struct http_conn *conn)
{
    int bytes = 0;

    return ioctl(conn->place.fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* libmicrohttpd owns the descriptor: it sees the end and cleans up. */
static void
close_conn(struct http_conn *conn)
{
    conn->closing = true;
    (void)shutdown(conn->place.fd, SHUT_RDWR);
}

static void
tick_conn(struct loop *loop, struct http_conn *conn)
{
    if (conn->closing)
        return;
    if (conn->phase == CONN_IDLE) {
        const uint64_t bytes = received_bytes(conn);
        if (conn->idle_bytes > 0 && bytes > conn->idle_bytes)
            loop_enter_phase(loop, conn, CONN_HEAD);
        else
            conn->idle_bytes = bytes;
    }
    const int64_t deadline_ms = loop->shared->deadline_ms[conn->phase];
    if (deadline_ms == 0 || loop->now_ms - conn->since_ms < deadline_ms)
        return;
    atomic_fetch_add(&loop->shared->timed_out, 1);
    close_conn(conn);
}

static void
tick(struct loop *loop)
{
    loop->next_tick_ms = loop->now_ms + loop->shared->tick_ms;
    for (struct http_conn *conn = loop->conns; conn; conn = conn->next)
        tick_conn(loop, conn);
}

/* The loop */

static int
poll_timeout_ms(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;

    if (MHD_get_timeout(loop->daemon, &wanted_ms) == MHD_YES && wanted_ms == 0) {
        loop->idle_turns = loop->progress ? 0 : loop->idle_turns + 1;
        return loop->idle_turns > IDLE_TURNS ? IDLE_TURN_MS : 0;
    }
    loop->idle_turns = 0;
    int64_t until_ms = INT64_MAX;
    if (loop->conns || loop->leftovers.count > 0 || loop->draining)
        until_ms = loop->next_tick_ms;
    if (loop->accept_after_ms > loop->now_ms && loop->accept_after_ms < until_ms)
        until_ms = loop->accept_after_ms;
    if (until_ms == INT64_MAX)
        return -1;
    return until_ms > loop->now_ms ? (int)(until_ms - loop->now_ms) : 0;
}

static void
wait_for_events(struct loop *loop)
{
    struct pollfd polls[POLL_LEFTOVERS + LEFTOVERS_SLOTS];
    const bool accepting = !loop->draining && loop->accept_after_ms <= loop->now_ms;

    polls[POLL_EVENTS] = (struct pollfd){.fd = loop->events_fd, .events = POLLIN};
    polls[POLL_MAILBOX] = (struct pollfd){.fd = mailbox_fd(loop->mailbox), .events = POLLIN};
    polls[POLL_LISTEN] =
        (struct pollfd){.fd = accepting ? loop->shared->listen_fd : -1, .events = POLLIN};
    const unsigned lingering = leftovers_poll(&loop->leftovers, &polls[POLL_LEFTOVERS]);

    const int timeout_ms = poll_timeout_ms(loop);
    const int ready = poll(polls, POLL_LEFTOVERS + lingering, timeout_ms);
    loop->now_ms = clock_mono_ms();
    loop->progress = false;
    if (ready <= 0)
        return;
    if (polls[POLL_MAILBOX].revents)
        mailbox_clear(loop->mailbox);
    if (polls[POLL_LISTEN].revents)
        accept_connections(loop);
}

static void
resume_answered(struct loop *loop)
{
    struct http_exchange *exchange = mailbox_take(loop->mailbox);

    while (exchange) {
        struct http_exchange *next = exchange->next;
        MHD_resume_connection(exchange->connection);
        exchange = next;
        loop->progress = true;
    }
}

static void
turn(struct loop *loop)
{
    resume_answered(loop);
    (void)MHD_run(loop->daemon);
    leftovers_run(&loop->leftovers, loop->now_ms);
    if (loop->now_ms >= loop->next_tick_ms)
        tick(loop);
}

/* No new connections; those that ask for nothing are closed, the others with their answer. */
static void
begin_drain(struct loop *loop)
{
    loop->draining = true;
    for (struct http_conn *conn = loop->conns; conn; conn = conn->next) {
        const bool resting = conn->phase == CONN_IDLE || conn->phase == CONN_HEAD;
        if (resting && !conn->exchange && !has_unread_bytes(conn))
            close_conn(conn);
    }
}

static bool
is_done(struct loop *loop)
{
    if (!atomic_load(&loop->shared->stopping))
        return false;
    if (!loop->draining)
        begin_drain(loop);
    return !loop->conns || loop->now_ms >= atomic_load(&loop->shared->drain_until_ms);
}

/* libmicrohttpd refuses to stop with suspended connections. */
static void
resume_all(struct loop *loop)
{
    resume_answered(loop);
    for (struct http_conn *conn = loop->conns; conn; conn = conn->next)
        if (conn->exchange && conn->exchange->stage == EXCHANGE_AWAITED)
            MHD_resume_connection(conn->connection);
}

static void *
run(void *arg)
{
    struct loop *loop = arg;

    loop->now_ms = clock_mono_ms();
    loop->next_tick_ms = loop->now_ms + loop->shared->tick_ms;
    while (!is_done(loop)) {
        wait_for_events(loop);
        turn(loop);
    }
    resume_all(loop);
    MHD_stop_daemon(TAKE(loop->daemon));
    leftovers_done(&loop->leftovers);
    return NULL;
}

/* Start and end */

/* Routes are compared with the target as it was sent: nothing is decoded. */
static size_t
keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static int
start_daemon(struct loop *loop,
             unsigned max_connections,
             const char *certificate_pem,
             const char *key_pem,
             struct err *err)
{
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                           (certificate_pem ? MHD_USE_TLS : 0U);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };

    loop->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_on_request, loop, MHD_OPTION_URI_LOG_CALLBACK,
        exchange_on_target, loop, MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, loop,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, max_connections, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, certificate_pem ? tls : &tls[3], MHD_OPTION_END);
    if (!loop->daemon && certificate_pem)
        return err_set(err, ERR_INVALID, "GnuTLS does not accept the certificate and its key");
    if (!loop->daemon)
        return err_set_errno(err, ERR_IO, errno, "starting libmicrohttpd");
    loop->events_fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return 0;
}

/* Signals are for the thread that waits for them. */
static int
start_thread(struct loop *loop, struct err *err)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&loop->thread, NULL, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return err_set_errno(err, ERR_NOMEM, failure, "starting a thread");
    (void)pthread_setname_np(loop->thread, "http");
    return 0;
}

static void
loop_free(struct loop *loop)
{
    if (loop->daemon)
        MHD_stop_daemon(loop->daemon);
    mailbox_unref(loop->mailbox);
    free(loop);
}

int
loop_start(struct http_shared *shared,
           unsigned max_connections,
           const char *certificate_pem,
           const char *key_pem,
           struct loop **ret_loop,
           struct err *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return err_set(err, ERR_NOMEM, "out of memory");
    loop->shared = shared;
    int rc = mailbox_new(&loop->mailbox, err);
    if (!rc)
        rc = start_daemon(loop, max_connections, certificate_pem, key_pem, err);
    if (!rc)
        rc = start_thread(loop, err);
    if (rc) {
        loop_free(loop);
        return rc;
    }
    *ret_loop = loop;
    return 0;
}

void
loop_wake(struct loop *loop)
{
    mailbox_wake(loop->mailbox);
}

void
loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
    loop_free(loop);
}
