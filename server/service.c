/* See service.h. */
#include "server/service.h"

#include "server/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

struct service {
    const char *name;
    pthread_t thread;
    bool started;
    service_turn_fn turn;
    void *ctx;
    const struct stop *stop;
    int wake_fd; /* eventfd: written to wake, read by the thread */
    atomic_bool ending;
};

static bool
should_end(const struct service *service)
{
    return atomic_load(&service->ending) || stop_raised(service->stop);
}

/* Sleep until woken, stopped or `duration_ms` have passed. */
static void
rest(const struct service *service, int64_t duration_ms)
{
    struct pollfd waits[] = {{.fd = service->wake_fd, .events = POLLIN},
                             {.fd = stop_fd(service->stop), .events = POLLIN}};
    uint64_t ignored;

    (void)poll(waits, 2, duration_ms > INT32_MAX ? INT32_MAX : (int)duration_ms);
    if (waits[0].revents & POLLIN) {
        const ssize_t got = read(service->wake_fd, &ignored, sizeof(ignored));
        (void)got; /* non-blocking: whether there was something does not matter */
    }
}

static void *
run(void *ptr)
{
    const struct service *service = ptr;

    while (!should_end(service)) {
        const int64_t pause_ms = service->turn(service->ctx);
        if (pause_ms > 0 && !should_end(service))
            rest(service, pause_ms);
    }
    return NULL;
}

int
service_new(const char *name,
            service_turn_fn turn,
            void *ctx,
            const struct stop *stop,
            struct service **ret_service,
            struct err *err)
{
    auto_free struct service *service = calloc(1, sizeof(*service));

    if (!service)
        return err_set(err, ERR_NOMEM, "out of memory");
    service->name = name;
    service->turn = turn;
    service->ctx = ctx;
    service->stop = stop;
    service->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service->wake_fd < 0)
        return err_set_errno(err, ERR_NOMEM, errno, "making the service %s", name);
    *ret_service = TAKE(service);
    return 0;
}

int
service_start(struct service *service, struct err *err)
{
    const int code = pthread_create(&service->thread, NULL, run, service);

    if (code)
        return err_set_errno(err, ERR_NOMEM, code, "starting the service %s", service->name);
    service->started = true;
    (void)pthread_setname_np(service->thread, service->name);
    return 0;
}

void
service_wake(struct service *service)
{
    const uint64_t one = 1;

    if (!service)
        return;
    const ssize_t written = write(service->wake_fd, &one, sizeof(one));
    (void)written; /* fails only when it is readable already */
}

void
service_end(struct service *service)
{
    if (!service || !service->started)
        return;
    atomic_store(&service->ending, true);
    service_wake(service);
    (void)pthread_join(service->thread, NULL);
    service->started = false;
}

void
service_free(struct service *service)
{
    if (!service)
        return;
    service_end(service);
    close(service->wake_fd);
    free(service);
}

int64_t
backoff_ms(int64_t attempts, int64_t first_ms, int64_t most_ms)
{
    int64_t wait_ms = first_ms;

    for (int64_t i = 0; i < attempts && wait_ms < most_ms; i++)
        wait_ms *= 2;
    return wait_ms < most_ms ? wait_ms : most_ms;
}
