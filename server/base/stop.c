/* See stop.h. */
#include "server/base/stop.h"

#include "server/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct stop {
    atomic_bool raised;
    int fd; /* eventfd, never read: once readable it stays so */
};

int
stop_new(struct stop **ret_stop, struct err *err)
{
    AUTO(stop_free) struct stop *stop = malloc(sizeof(*stop));

    if (!stop)
        return err_set(err, ERR_NOMEM, "out of memory");
    atomic_init(&stop->raised, false);
    stop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop->fd < 0)
        return err_set_errno(err, ERR_IO, errno, "creating an eventfd");
    *ret_stop = TAKE(stop);
    return 0;
}

void
stop_free(struct stop *stop)
{
    if (!stop)
        return;
    if (stop->fd >= 0)
        close(stop->fd);
    free(stop);
}

void
stop_raise(struct stop *stop)
{
    const uint64_t one = 1;

    atomic_store(&stop->raised, true);
    const ssize_t written = write(stop->fd, &one, sizeof(one));
    (void)written; /* fails only when the counter is full: readable already */
}

bool
stop_raised(const struct stop *stop)
{
    return stop && atomic_load(&stop->raised);
}

int
stop_fd(const struct stop *stop)
{
    return stop ? stop->fd : -1;
}

bool
stop_wait_ms(const struct stop *stop, int64_t duration_ms)
{
    const int64_t deadline = clock_mono_ms() + duration_ms;

    while (!stop_raised(stop)) {
        const int64_t left = deadline - clock_mono_ms();
        struct pollfd wait = {.fd = stop_fd(stop), .events = POLLIN};

        if (left <= 0)
            return false;
        (void)poll(&wait, 1, left > INT_MAX ? INT_MAX : (int)left);
    }
    return true;
}
