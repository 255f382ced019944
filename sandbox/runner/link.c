/* Connecting, the upgrade handshake, and the two buffers of frames. */
#include "sandbox/runner/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char request[] = "GET " PROTOCOL_PATH " HTTP/1.1\r\n"
                              "Host: door\r\n"
                              "Connection: Upgrade\r\n"
                              "Upgrade: " PROTOCOL_NAME "\r\n"
                              "\r\n";
static const char accepted[] = "HTTP/1.1 101 ";

static int
connect_to(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(socket_path);

    if (len >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, socket_path, len + 1);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        return -1;
    return TAKE_FD(fd);
}

/* Read the answer's head; what follows it stays in the buffer.  Returns 0, or -1. */
static int
receive_head(struct link *link)
{
    const unsigned char *end = NULL;

    while (!end) {
        if (link->in_len == LINK_IN_BYTES)
            return -1;
        const ssize_t n = read(link->fd, link->in + link->in_len, LINK_IN_BYTES - link->in_len);
        if (n <= 0)
            return -1;
        link->in_len += (size_t)n;
        end = memmem(link->in, link->in_len, "\r\n\r\n", 4);
    }
    if (link->in_len < sizeof(accepted) || memcmp(link->in, accepted, sizeof(accepted) - 1) != 0)
        return -1;
    link->in_used = (size_t)(end - link->in) + 4;
    return 0;
}

int
link_open(struct link *link, const char *socket_path)
{
    link->fd = connect_to(socket_path);
    if (link->fd < 0)
        return -1;
    if (write(link->fd, request, sizeof(request) - 1) != (ssize_t)sizeof(request) - 1)
        return -1;
    if (receive_head(link)) {
        errno = EPROTO;
        return -1;
    }
    return fcntl(link->fd, F_SETFL, O_NONBLOCK);
}

/* Drop what was taken from the front of the input. */
static void
compact(struct link *link)
{
    link->in_len -= link->in_used;
    memmove(link->in, link->in + link->in_used, link->in_len);
    link->in_used = 0;
}

int
link_receive(struct link *link)
{
    compact(link);
    if (link->in_len == LINK_IN_BYTES)
        return 0;
    const ssize_t n = read(link->fd, link->in + link->in_len, LINK_IN_BYTES - link->in_len);
    if (n == 0)
        return -1;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    link->in_len += (size_t)n;
    return 0;
}

int
link_next(struct link *link, struct frame *ret_frame)
{
    const ssize_t taken =
        frame_parse(bytes_of(link->in + link->in_used, link->in_len - link->in_used), ret_frame);

    if (taken <= 0)
        return taken < 0 ? -1 : 0;
    link->in_used += (size_t)taken;
    return 1;
}

bool
link_has_room(const struct link *link)
{
    return LINK_OUT_BYTES - link->out_len >= FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES;
}

void
link_queue(struct link *link, enum frame_type type, struct bytes payload)
{
    if (link->out_start > 0) {
        memmove(link->out, link->out + link->out_start, link->out_len);
        link->out_start = 0;
    }
    frame_encode_header(type, payload.len, link->out + link->out_len);
    link->out_len += FRAME_HEADER_BYTES;
    if (payload.len > 0)
        memcpy(link->out + link->out_len, payload.ptr, payload.len);
    link->out_len += payload.len;
}

int
link_send(struct link *link)
{
    while (link->out_len > 0) {
        const ssize_t n = write(link->fd, link->out + link->out_start, link->out_len);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        link->out_start += (size_t)n;
        link->out_len -= (size_t)n;
    }
    return 0;
}

int
link_wait_room(struct link *link)
{
    while (!link_has_room(link)) {
        struct pollfd pollfd = {.fd = link->fd, .events = POLLOUT};
        if (poll(&pollfd, 1, -1) < 0 && errno != EINTR)
            return -1;
        if (link_send(link))
            return -1;
    }
    return 0;
}
