/* Connections that were answered before the client had sent all of its body.
 *
 * Closing one with unread data makes the kernel reset it, and the client may lose the answer. So
 * the rest is read and thrown away for a moment (RFC 9112, section 9.6). */
#pragma once

#include <poll.h>
#include <stdint.h>

#define LEFTOVERS_SLOTS 32

struct leftovers {
    struct {
        int fd;
        int64_t until_ms;
        uint64_t bytes;
    } slots[LEFTOVERS_SLOTS];

    unsigned count;
};

/* Keep the connection open through a descriptor of its own. Without a free slot nothing happens. */
void leftovers_add(struct leftovers *leftovers, int fd, int64_t now_ms);

/* Fill in what to poll; at most LEFTOVERS_SLOTS entries. Returns their number. */
unsigned leftovers_poll(const struct leftovers *leftovers, struct pollfd *ret_polls);

/* Read what has come; close what has ended or has lasted too long. */
void leftovers_run(struct leftovers *leftovers, int64_t now_ms);

/* Close all. */
void leftovers_done(struct leftovers *leftovers);
