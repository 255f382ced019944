/* Waiting, sending and receiving on a runner's connection. */
#include "sandbox/channel.h"

#include "server/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

static int
ended(struct err *err)
{
    return err_set(
        err, ERR_REMOTE,
        "the sandbox ended on its own: its memory may have run out, or its engine stopped");
}

/* Wait until the connection is ready, or something is wrong. */
static int
wait_for(struct channel *channel, short events, int64_t deadline_mono_ms, struct err *err)
{
    for (;;) {
        struct pollfd set[] = {
            {.fd = channel->fd, .events = events},
            {.fd = stop_fd(channel->stop), .events = POLLIN},
            {.fd = door_alarm_fd(channel->door), .events = POLLIN},
        };
        const int64_t left_ms = deadline_mono_ms - clock_mono_ms();
        if (stop_raised(channel->stop))
            return err_set(err, ERR_CANCELED, "canceled");
        if (door_flooded(channel->door))
            return err_set(err, ERR_REMOTE, "the sandbox flooded its door");
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "the sandbox's runner does not answer");
        const int ready = poll(set, 3, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return err_set_errno(err, ERR_IO, errno, "waiting for the sandbox");
        if (ready > 0 && set[0].revents)
            return 0;
    }
}

static int
send_all(struct channel *channel, struct bytes bytes, int64_t deadline_mono_ms, struct err *err)
{
    size_t done = 0;

    while (done < bytes.len) {
        const ssize_t n = send(channel->fd, bytes.ptr + done, bytes.len - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return ended(err);
        const int result = wait_for(channel, POLLOUT, deadline_mono_ms, err);
        if (result)
            return result;
    }
    return 0;
}

int
channel_send(struct channel *channel,
             enum frame_type type,
             struct bytes payload,
             int64_t deadline_mono_ms,
             struct err *err)
{
    unsigned char header[FRAME_HEADER_BYTES];

    frame_encode_header(type, payload.len, header);
    const int result = send_all(channel, bytes_of(header, sizeof(header)), deadline_mono_ms, err);
    return result ? result : send_all(channel, payload, deadline_mono_ms, err);
}

/* Read what is there behind what is not used up. */
static int
fill(struct channel *channel, struct err *err)
{
    channel->in_len -= channel->in_used;
    memmove(channel->in, channel->in + channel->in_used, channel->in_len);
    channel->in_used = 0;
    const ssize_t n =
        recv(channel->fd, channel->in + channel->in_len, sizeof(channel->in) - channel->in_len, 0);
    if (n > 0)
        channel->in_len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return ended(err);
    return 0;
}

int
channel_receive(struct channel *channel,
                int64_t deadline_mono_ms,
                struct frame *ret_frame,
                struct err *err)
{
    for (;;) {
        const ssize_t taken = frame_parse(
            bytes_of(channel->in + channel->in_used, channel->in_len - channel->in_used),
            ret_frame);
        if (taken < 0)
            return err_set(err, ERR_REMOTE, "the sandbox's runner does not keep to the protocol");
        if (taken > 0) {
            channel->in_used += (size_t)taken;
            return stop_raised(channel->stop) ? err_set(err, ERR_CANCELED, "canceled") : 0;
        }
        int result = wait_for(channel, POLLIN, deadline_mono_ms, err);
        if (!result)
            result = fill(channel, err);
        if (result)
            return result;
    }
}
