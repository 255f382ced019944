/* The request to stop: seen by all who look or wait. */
#include "server/base/clock.h"
#include "server/base/stop.h"
#include "tests/harness/test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

TEST(nothing_is_never_asked_to_stop)
{
    CHECK(!stop_raised(NULL));
    CHECK_INT(stop_fd(NULL), -1);
    CHECK(!stop_wait_ms(NULL, 1));
    stop_free(NULL);
}

TEST(raised_is_seen_and_stays)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err = {0};

    CHECK_OK(stop_new(&stop, &err), err);
    struct pollfd ready = {.fd = stop_fd(stop), .events = POLLIN};
    CHECK(!stop_raised(stop));
    CHECK_INT(poll(&ready, 1, 0), 0);
    stop_raise(stop);
    stop_raise(stop);
    CHECK(stop_raised(stop));
    for (int i = 0; i < 3; i++)
        CHECK_INT(poll(&ready, 1, 0), 1);
    CHECK(stop_wait_ms(stop, INT64_MAX / 2));
}

TEST(waiting_ends_with_the_time)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err = {0};
    const int64_t before = clock_mono_ms();

    CHECK_OK(stop_new(&stop, &err), err);
    CHECK(!stop_wait_ms(stop, 30));
    CHECK(clock_mono_ms() - before >= 30);
    CHECK(!stop_wait_ms(stop, 0));
    CHECK(!stop_wait_ms(stop, -5));
}

static void *
wait_long(void *ctx)
{
    return stop_wait_ms(ctx, MS_PER_MINUTE) ? ctx : NULL;
}

TEST(waiting_ends_for_all_threads_when_raised)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err = {0};
    pthread_t threads[4];
    const int64_t before = clock_mono_ms();

    CHECK_OK(stop_new(&stop, &err), err);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_long, stop) == 0);
    stop_raise(stop);
    for (int i = 0; i < 4; i++) {
        void *seen = NULL;
        CHECK(pthread_join(threads[i], &seen) == 0);
        CHECK(seen == stop);
    }
    CHECK(clock_mono_ms() - before < 30 * MS_PER_SECOND);
}

static struct stop *signalled; /* for the handler below */

static void
raise_on_signal(int number)
{
    (void)number;
    stop_raise(signalled);
}

TEST(a_signal_handler_may_raise)
{
    struct err err = {0};
    struct sigaction action = {.sa_handler = raise_on_signal};

    CHECK_OK(stop_new(&signalled, &err), err);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(stop_raised(signalled));
    stop_free(signalled);
}

TEST_MAIN()
