/* The scripted HTTP server: one thread, a few connections, poll(). */
#include "tests/harness/fake_http.h"

#include "server/base/cleanup.h"
#include "server/base/clock.h"
#include "server/base/stop.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CONNECTIONS 8
#define MAX_REQUESTS 64
#define MAX_REQUEST_BYTES (4U * 1024 * 1024)
#define WRONG "HTTP/1.1 500 Unscripted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

struct connection {
    int fd;
    struct strbuf in;
};

struct fake_http {
    const struct fake_exchange *script;
    size_t count;
    size_t played;
    char *requests[MAX_REQUESTS];
    size_t request_count;
    size_t accepted;
    char *mistake;
    char *url;
    char *unix_path;
    int listener;
    struct stop *stop;
    pthread_t thread;
    bool running;
    struct connection connections[MAX_CONNECTIONS];
};

static void
die(const char *what)
{
    perror(what);
    exit(99);
}

static void
note_mistake(struct fake_http *fake, char *text)
{
    if (fake->mistake)
        free(text);
    else
        fake->mistake = text;
}

/* The length of the first whole request in `in`, or 0 when more is to come. */
static size_t
request_length(const struct strbuf *in)
{
    const char *const head_end = in->len ? strstr(in->ptr, "\r\n\r\n") : NULL;
    const char *const field = head_end ? strcasestr(in->ptr, "\r\nContent-Length:") : NULL;
    size_t length;

    if (!head_end)
        return 0;
    length = (size_t)(head_end - in->ptr) + 4;
    if (field && field < head_end)
        length += strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    return in->len >= length ? length : 0;
}

static bool
send_all(int fd, const char *ptr, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, ptr, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        ptr += sent;
        len -= (size_t)sent;
    }
    return true;
}

static void
send_reply(const struct fake_http *fake, int fd, const struct fake_exchange *exchange)
{
    static const char filler[16384] = {[0 ... 16383] = 'x'};
    const char *const reply = exchange->reply ? exchange->reply : "";

    if (exchange->byte_delay_ms == 0) {
        (void)send_all(fd, reply, strlen(reply));
    } else {
        for (const char *at = reply; *at && send_all(fd, at, 1); at++) {
            if (stop_wait_ms(fake->stop, exchange->byte_delay_ms))
                return;
        }
    }
    for (size_t left = exchange->filler_bytes; left > 0;) {
        const size_t piece = left < sizeof(filler) ? left : sizeof(filler);
        if (!send_all(fd, filler, piece))
            return; /* the client had enough */
        left -= piece;
    }
}

static void
drop(struct connection *connection, enum fake_then how)
{
    const struct linger abort_now = {.l_onoff = 1, .l_linger = 0};

    if (how == FAKE_RESET)
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
    close(connection->fd);
    connection->fd = -1;
    strbuf_reset(&connection->in);
}

static void
play(struct fake_http *fake, struct connection *connection, size_t length)
{
    char *const request = strndup(connection->in.ptr, length);
    const struct fake_exchange *exchange = NULL;

    connection->in.len -= length;
    memmove(connection->in.ptr, connection->in.ptr + length, connection->in.len + 1);
    if (!request || fake->request_count == MAX_REQUESTS)
        die("keeping a request");
    fake->requests[fake->request_count++] = request;

    if (fake->played < fake->count)
        exchange = &fake->script[fake->played++];
    if (!exchange || (exchange->expect && !str_starts_with(request, exchange->expect))) {
        note_mistake(fake, str_printf("expected %s, got %.60s",
                                      exchange ? exchange->expect : "nothing", request));
        (void)send_all(connection->fd, WRONG, strlen(WRONG));
        drop(connection, FAKE_CLOSE);
        return;
    }
    send_reply(fake, connection->fd, exchange);
    if (exchange->then == FAKE_CLOSE || exchange->then == FAKE_RESET)
        drop(connection, exchange->then);
}

static void
receive(struct fake_http *fake, struct connection *connection)
{
    char piece[16384];
    const ssize_t got = recv(connection->fd, piece, sizeof(piece), 0);

    if (got <= 0) {
        drop(connection, FAKE_CLOSE);
        return;
    }
    strbuf_add(&connection->in, piece, (size_t)got);
    if (!strbuf_ok(&connection->in))
        die("a request that is too large");
    for (;;) {
        const size_t length = connection->fd >= 0 ? request_length(&connection->in) : 0;
        if (length == 0)
            return;
        play(fake, connection, length);
    }
}

static void
accept_one(struct fake_http *fake)
{
    const int fd = accept(fake->listener, NULL, NULL);

    if (fd < 0)
        return;
    fake->accepted++;
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (fake->connections[i].fd < 0) {
            fake->connections[i].fd = fd;
            return;
        }
    }
    die("too many connections");
}

static void *
serve(void *context)
{
    struct fake_http *const fake = context;
    struct pollfd polled[MAX_CONNECTIONS + 2];

    while (!stop_raised(fake->stop)) {
        polled[0] = (struct pollfd){.fd = stop_fd(fake->stop), .events = POLLIN};
        polled[1] = (struct pollfd){.fd = fake->listener, .events = POLLIN};
        for (size_t i = 0; i < MAX_CONNECTIONS; i++)
            polled[i + 2] = (struct pollfd){.fd = fake->connections[i].fd, .events = POLLIN};
        if (poll(polled, MAX_CONNECTIONS + 2, -1) < 0)
            continue;
        for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
            if (polled[i + 2].revents && fake->connections[i].fd >= 0)
                receive(fake, &fake->connections[i]);
        }
        if (polled[1].revents)
            accept_one(fake);
    }
    return NULL;
}

static void
listen_unix(struct fake_http *fake, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        die("the socket's path is too long");
    memcpy(address.sun_path, path, strlen(path) + 1);
    fake->unix_path = str_dup(path);
    fake->url = str_dup("http://localhost");
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->listener < 0 ||
        bind(fake->listener, (const struct sockaddr *)&address, sizeof(address)) != 0)
        die("listening on a Unix socket");
}

static void
listen_tcp(struct fake_http *fake)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->listener < 0 ||
        bind(fake->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fake->listener, (struct sockaddr *)&address, &len) != 0)
        die("listening on 127.0.0.1");
    fake->url = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
}

struct fake_http *
fake_http_new(const char *unix_path, const struct fake_exchange *script, size_t count)
{
    struct fake_http *const fake = calloc(1, sizeof(*fake));
    struct err err;

    if (!fake || stop_new(&fake->stop, &err) != 0)
        die("out of memory");
    fake->script = script;
    fake->count = count;
    for (size_t i = 0; i < MAX_CONNECTIONS; i++)
        fake->connections[i] = (struct connection){.fd = -1, .in = STRBUF_INIT(MAX_REQUEST_BYTES)};
    if (unix_path)
        listen_unix(fake, unix_path);
    else
        listen_tcp(fake);
    if (!fake->url || listen(fake->listener, MAX_CONNECTIONS) != 0)
        die("listening");
    if (pthread_create(&fake->thread, NULL, serve, fake) != 0)
        die("starting a thread");
    fake->running = true;
    return fake;
}

const char *
fake_http_mistake(struct fake_http *fake)
{
    if (fake->running) {
        stop_raise(fake->stop);
        (void)pthread_join(fake->thread, NULL);
        fake->running = false;
        if (fake->played < fake->count)
            note_mistake(fake,
                         str_printf("%zu of %zu exchanges took place", fake->played, fake->count));
    }
    return fake->mistake;
}

void
fake_http_free(struct fake_http *fake)
{
    (void)fake_http_mistake(fake);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (fake->connections[i].fd >= 0)
            close(fake->connections[i].fd);
        strbuf_done(&fake->connections[i].in);
    }
    for (size_t i = 0; i < fake->request_count; i++)
        free(fake->requests[i]);
    close(fake->listener);
    if (fake->unix_path)
        (void)unlink(fake->unix_path);
    stop_free(fake->stop);
    free(fake->unix_path);
    free(fake->mistake);
    free(fake->url);
    free(fake);
}

const char *
fake_http_url(const struct fake_http *fake)
{
    return fake->url;
}

const char *
fake_http_request(const struct fake_http *fake, size_t index)
{
    return index < fake->request_count ? fake->requests[index] : NULL;
}

size_t
fake_http_connections(const struct fake_http *fake)
{
    return fake->accepted;
}
