/* Start and stop of the HTTP server: the listening socket and what its loops share. See http.h. */
#include "server/http/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "server/base/clock.h"
#include "server/http/certificate.h"
#include "server/http/loop.h"
#include "server/http/room.h"
#include "server/limits.h"

#define DEFAULT_THREADS 2
#define MAX_THREADS 16
#define BACKLOG 1024
#define MAX_TICK_MS 1000
#define MIN_TICK_MS 20

struct http_server {
    struct http_shared shared;
    struct loop *loops[MAX_THREADS];
    unsigned loop_count;
    uint16_t port;
};

static int
bind_socket(const struct addrinfo *info,
            const struct http_options *options,
            int *ret_fd,
            struct err *err)
{
    const int on = 1;
    const int off = 0;
    auto_close int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "creating a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG)) {
        *ret_fd = TAKE_FD(fd);
        return 0;
    }
    switch (errno) {
    case EADDRINUSE:
        return err_set(err, ERR_CONFLICT,
                       "port %u of %s is taken: stop the other program, or choose another port",
                       options->port, options->address);
    case EADDRNOTAVAIL:
        return err_set(err, ERR_INVALID, "%s is not an address of this machine", options->address);
    case EACCES:
        return err_set(err, ERR_IO,
                       "port %u may not be opened by this user: choose one above 1023, or grant "
                       "CAP_NET_BIND_SERVICE",
                       options->port);
    default:
        return err_set_errno(err, ERR_IO, errno, "listening on port %u of %s", options->port,
                             options->address);
    }
}

static int
open_listener(const struct http_options *options, int *ret_fd, struct err *err)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    struct addrinfo *info = NULL;
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", options->port);
    if (!options->address || getaddrinfo(options->address, port, &hints, &info))
        return err_set(err, ERR_INVALID, "\"%s\" is not a numeric IPv4 or IPv6 address",
                       options->address ? options->address : "");
    const int rc = bind_socket(info, options, ret_fd, err);
    freeaddrinfo(info);
    return rc;
}

static uint16_t
bound_port(int fd)
{
    struct sockaddr_in6 address = {.sin6_family = AF_UNSPEC};
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len))
        return 0;
    /* The port is at the same place in both families. */
    return ntohs(address.sin6_port);
}

static int64_t
or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static void
set_deadlines(struct http_shared *shared, const struct http_options *options)
{
    const int64_t idle_ms = or_default(options->idle_ms, LIMIT_IDLE_SECONDS * MS_PER_SECOND);
    const int64_t head_ms = or_default(options->head_ms, LIMIT_HEAD_MS);
    const int64_t body_ms = or_default(options->body_ms, LIMIT_BODY_MS);
    int64_t tick_ms = MAX_TICK_MS;

    shared->deadline_ms[CONN_IDLE] = idle_ms;
    shared->deadline_ms[CONN_HEAD] = head_ms;
    shared->deadline_ms[CONN_BODY] = body_ms;
    shared->deadline_ms[CONN_SENDING] = body_ms;
    for (int i = 0; i < CONN_PHASES; i++)
        if (shared->deadline_ms[i] > 0 && shared->deadline_ms[i] / 4 < tick_ms)
            tick_ms = shared->deadline_ms[i] / 4;
    shared->tick_ms = tick_ms < MIN_TICK_MS ? MIN_TICK_MS : tick_ms;
}

static int
make_room(struct http_shared *shared, const struct http_options *options, struct err *err)
{
    struct room_limits limits = {
        .dir = options->spool_dir,
        .max_bytes = or_default(options->spool_bytes, LIMIT_SPOOL_ALL_BYTES),
        .max_bytes_per_address = or_default(options->spool_bytes_sender, LIMIT_SPOOL_SENDER_BYTES),
        .reserve_bytes = or_default(options->spool_reserve, LIMIT_SPOOL_RESERVE_BYTES),
    };

    if (options->behind_proxy)
        limits.max_bytes_per_address = 0;
    return room_new(&limits, &shared->room, err);
}

static int
prepare(struct http_server *server,
        const struct http_options *options,
        unsigned max_connections,
        struct err *err)
{
    struct http_shared *shared = &server->shared;
    unsigned per_address = LIMIT_CONNECTIONS_PER_ADDRESS;

    if (options->max_connections_per_address > 0)
        per_address = options->max_connections_per_address;
    if (options->behind_proxy)
        per_address = 0;
    shared->server = server;
    shared->listen_fd = -1;
    shared->routes = options->routes;
    shared->route_count = options->route_count;
    set_deadlines(shared, options);
    if (!options->certificate_pem != !options->key_pem)
        return err_set(err, ERR_INVALID, "a certificate and its key are needed, or neither");
    if (options->certificate_pem) {
        int rc = certificate_check(options->certificate_pem, options->key_pem, err);
        if (!rc)
            rc = certificate_expires_ms(options->certificate_pem, &shared->certificate_expires_ms,
                                        err);
        if (rc)
            return rc;
    }
    int rc = make_room(shared, options, err);
    if (!rc)
        rc = line_new(&shared->line, err);
    if (rc)
        return rc;
    return headcount_new(max_connections, per_address, &shared->headcount, err);
}

static int
start(struct http_server *server,
      const struct http_options *options,
      unsigned max_connections,
      struct err *err)
{
    unsigned threads = options->threads > 0 ? options->threads : DEFAULT_THREADS;

    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    int rc = open_listener(options, &server->shared.listen_fd, err);
    if (rc)
        return rc;
    server->port = bound_port(server->shared.listen_fd);
    for (unsigned i = 0; i < threads; i++) {
        rc = loop_start(&server->shared, max_connections, options->certificate_pem,
                        options->key_pem, &server->loops[i], err);
        if (rc)
            return rc;
        server->loop_count++;
    }
    return 0;
}

int
http_server_start(const struct http_options *options,
                  struct http_server **ret_server,
                  struct err *err)
{
    const unsigned max_connections =
        options->max_connections > 0 ? options->max_connections : LIMIT_CONNECTIONS;
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = prepare(server, options, max_connections, err);
    if (!rc)
        rc = start(server, options, max_connections, err);
    if (rc) {
        http_server_stop(server, 0);
        return rc;
    }
    *ret_server = server;
    return 0;
}

uint16_t
http_server_port(const struct http_server *server)
{
    return server->port;
}

void
http_server_counters(const struct http_server *server, struct http_counters *ret_counters)
{
    const struct http_shared *shared = &server->shared;

    *ret_counters = (struct http_counters){
        .connections = atomic_load(&shared->connections),
        .requests = atomic_load(&shared->requests),
        .refused_connections = atomic_load(&shared->refused_connections),
        .refused_bodies = atomic_load(&shared->refused_bodies),
        .timed_out = atomic_load(&shared->timed_out),
        .pushed_out = atomic_load(&shared->pushed_out),
        .open_connections = atomic_load(&shared->open_connections),
        .certificate_expires_ms = shared->certificate_expires_ms,
    };
}

void
http_server_stop(struct http_server *server, int64_t drain_ms)
{
    if (!server)
        return;
    struct http_shared *shared = &server->shared;

    atomic_store(&shared->drain_until_ms, clock_mono_ms() + drain_ms);
    atomic_store(&shared->stopping, true);
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_wake(server->loops[i]);
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_join(server->loops[i]);
    if (shared->listen_fd >= 0)
        close(shared->listen_fd);
    headcount_free(shared->headcount);
    line_free(shared->line);
    room_unref(shared->room);
    free(server);
}
