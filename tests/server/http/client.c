/* See client.h. */
#include "tests/server/http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"

int
client_connect_from(uint32_t host, uint16_t port)
{
    const struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xFF000000U) + host),
    };
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && !bind(fd, (const struct sockaddr *)&from, sizeof(from)) &&
        !connect(fd, (const struct sockaddr *)&to, sizeof(to)))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int
client_connect(uint16_t port)
{
    return client_connect_from(INADDR_LOOPBACK & 0x00FFFFFFU, port);
}

bool
client_send(int fd, const void *bytes, size_t len)
{
    const char *next = bytes;

    while (len > 0) {
        const ssize_t put = send(fd, next, len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        next += put;
        len -= (size_t)put;
    }
    return true;
}

bool
client_send_str(int fd, const char *text)
{
    return client_send(fd, text, strlen(text));
}

char
client_pattern(size_t position)
{
    return (char)(position % 251 ^ position >> 8);
}

bool
client_post(int fd, const char *path, size_t len)
{
    char chunk[32768];
    size_t sent = 0;

    (void)snprintf(chunk, sizeof(chunk),
                   "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", path, len);
    if (!client_send_str(fd, chunk))
        return false;
    while (sent < len) {
        const size_t part = len - sent < sizeof(chunk) ? len - sent : sizeof(chunk);
        for (size_t i = 0; i < part; i++)
            chunk[i] = client_pattern(sent + i);
        if (!client_send(fd, chunk, part))
            return false;
        sent += part;
    }
    return true;
}

/* One more read into `buffer`, which stays terminated. */
static bool
read_more(int fd, int64_t until_ms, char *buffer, size_t size, size_t *len)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    const int64_t left_ms = until_ms - clock_mono_ms();

    if (*len + 1 >= size || left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) <= 0)
        return false;
    const ssize_t got = recv(fd, buffer + *len, size - 1 - *len, 0);
    if (got <= 0)
        return false;
    *len += (size_t)got;
    buffer[*len] = '\0';
    return true;
}

/* Only as far as this answer goes: what follows belongs to the next one. */
static bool
read_head(int fd, int64_t until_ms, struct reply *reply)
{
    size_t len = 0;

    while (!strstr(reply->head, "\r\n\r\n")) {
        char one[2] = "";
        size_t got = 0;
        if (len + 1 >= sizeof(reply->head) || !read_more(fd, until_ms, one, sizeof(one), &got))
            return false;
        reply->head[len++] = one[0];
        reply->head[len] = '\0';
    }
    return strncmp(reply->head, "HTTP/1.1 ", 9) == 0;
}

static bool
read_body(int fd, int64_t until_ms, struct reply *reply)
{
    const char *length = strcasestr(reply->head, "\r\nContent-Length: ");
    const size_t wanted = length ? strtoul(length + 18, NULL, 10) : 0;

    if (wanted >= sizeof(reply->body))
        return false;
    while (reply->body_bytes < wanted)
        if (!read_more(fd, until_ms, reply->body, wanted + 1, &reply->body_bytes))
            return false;
    return true;
}

bool
client_read(int fd, int timeout_ms, struct reply *ret_reply)
{
    const int64_t until_ms = clock_mono_ms() + timeout_ms;

    do {
        memset(ret_reply, 0, sizeof(*ret_reply));
        if (!read_head(fd, until_ms, ret_reply))
            return false;
        ret_reply->status = (int)strtol(ret_reply->head + 9, NULL, 10);
    } while (ret_reply->status < 200);
    if (read_body(fd, until_ms, ret_reply))
        return true;
    ret_reply->status = 0;
    return false;
}

bool
client_ask(int fd, const char *text, struct reply *ret_reply)
{
    return client_send_str(fd, text) && client_read(fd, 10000, ret_reply);
}

bool
client_sees_end(int fd, int timeout_ms)
{
    const int64_t until_ms = clock_mono_ms() + timeout_ms;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char buffer[4096];

    for (;;) {
        const int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) <= 0)
            return false;
        if (recv(fd, buffer, sizeof(buffer), 0) <= 0)
            return true;
    }
}

bool
reply_has(const struct reply *reply, const char *header_line)
{
    char line[256];

    (void)snprintf(line, sizeof(line), "\r\n%s\r\n", header_line);
    return strcasestr(reply->head, line) != NULL;
}
