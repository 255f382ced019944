/* See leftovers.h. */
#include "server/http/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/limits.h"

#define KEEP_MS 2000
#define READ_BYTES (16U * 1024)
#define READS_PER_TURN 8

void
leftovers_add(struct leftovers *leftovers, int fd, int64_t now_ms)
{
    if (leftovers->count == LEFTOVERS_SLOTS)
        return;

    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return;
    leftovers->slots[leftovers->count].fd = copy;
    leftovers->slots[leftovers->count].until_ms = now_ms + KEEP_MS;
    leftovers->slots[leftovers->count].bytes = 0;
    leftovers->count++;
}

unsigned
leftovers_poll(const struct leftovers *leftovers, struct pollfd *ret_polls)
{
    for (unsigned i = 0; i < leftovers->count; i++)
        ret_polls[i] = (struct pollfd){.fd = leftovers->slots[i].fd, .events = POLLIN};
    return leftovers->count;
}

/* Throw away what is there. True: nothing more will come. */
static bool
discard(int fd, uint64_t *bytes)
{
    char buffer[READ_BYTES];

    for (int i = 0; i < READS_PER_TURN; i++) {
        const ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (got < 0)
            return errno != EAGAIN && errno != EINTR;
        if (got == 0)
            return true;
        *bytes += (uint64_t)got;
    }
    return false;
}

void
leftovers_run(struct leftovers *leftovers, int64_t now_ms)
{
    for (unsigned i = leftovers->count; i-- > 0;) {
        /* TLS closes its own layer only; the end of our side must be told here. */
        (void)shutdown(leftovers->slots[i].fd, SHUT_WR);
        if (!discard(leftovers->slots[i].fd, &leftovers->slots[i].bytes) &&
            now_ms < leftovers->slots[i].until_ms && leftovers->slots[i].bytes < LIMIT_BODY_BYTES)
            continue;
        close(leftovers->slots[i].fd);
        leftovers->slots[i] = leftovers->slots[--leftovers->count];
    }
}

void
leftovers_done(struct leftovers *leftovers)
{
    for (unsigned i = 0; i < leftovers->count; i++)
        close(leftovers->slots[i].fd);
    leftovers->count = 0;
}
