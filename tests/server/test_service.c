/* Services: turns on time, at once when woken, and an end that waits for the turn under way. */
#include "tests/harness/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "server/base/clock.h"
#include "server/service.h"

#define LONG_MS MS_PER_HOUR

/* What the turns of a service do, and have done. */
struct work {
    atomic_int turns;
    atomic_int under_way;
    int64_t pause_ms;
    int64_t takes_ms;
    int at_once; /* so many turns ask for another at once */
};

static int64_t
turn(void *ctx)
{
    struct work *work = ctx;

    if (atomic_fetch_add(&work->under_way, 1) != 0)
        abort(); /* one thread, one turn at a time */
    clock_sleep_ms(work->takes_ms);
    const int done = atomic_fetch_add(&work->turns, 1) + 1;
    atomic_fetch_sub(&work->under_way, 1);
    return done < work->at_once ? 0 : work->pause_ms;
}

static struct service *
make(struct work *work, const struct stop *stop)
{
    struct service *service = NULL;
    struct err err;

    CHECK_OK(service_new("tested", turn, work, stop, &service, &err), err);
    return service;
}

static void
start(struct service *service)
{
    struct err err;

    CHECK_OK(service_start(service, &err), err);
}

static bool
reaches(struct work *work, int turns)
{
    for (int i = 0; i < 4000 && atomic_load(&work->turns) < turns; i++)
        clock_sleep_ms(5);
    return atomic_load(&work->turns) >= turns;
}

TEST(the_first_turn_is_due_at_once_and_the_next_after_its_pause)
{
    struct work work = {.pause_ms = 20};
    AUTO(service_free) struct service *service = make(&work, NULL);

    const int64_t before_ms = clock_mono_ms();
    start(service);
    CHECK(reaches(&work, 6));
    CHECK(clock_mono_ms() - before_ms >= 5 * 20);
}

TEST(a_service_that_sleeps_is_woken)
{
    struct work work = {.pause_ms = LONG_MS};
    AUTO(service_free) struct service *service = make(&work, NULL);

    start(service);
    CHECK(reaches(&work, 1));
    for (int i = 2; i < 20; i++) {
        service_wake(service);
        CHECK(reaches(&work, i));
    }
    clock_sleep_ms(50);
    CHECK_INT(work.turns, 19);
}

TEST(being_woken_twice_is_being_woken_once)
{
    struct work work = {.pause_ms = LONG_MS, .takes_ms = 100};
    AUTO(service_free) struct service *service = make(&work, NULL);

    service_wake(service); /* before the start: its first turn comes anyway, and then one more */
    service_wake(service);
    start(service);
    CHECK(reaches(&work, 2));
    clock_sleep_ms(150);
    CHECK_INT(work.turns, 2);
    service_end(service);
    CHECK_INT(work.turns, 2);
}

TEST(zero_asks_for_the_next_turn_at_once)
{
    struct work work = {.pause_ms = LONG_MS, .at_once = 1000};
    AUTO(service_free) struct service *service = make(&work, NULL);

    start(service);
    CHECK(reaches(&work, 1000));
    clock_sleep_ms(20);
    CHECK_INT(work.turns, 1000);
}

TEST(the_end_waits_for_the_turn_under_way)
{
    struct work work = {.pause_ms = LONG_MS, .takes_ms = 200};
    AUTO(service_free) struct service *service = make(&work, NULL);

    start(service);
    while (atomic_load(&work.under_way) == 0)
        clock_sleep_ms(1);
    service_end(service);
    CHECK_INT(work.under_way, 0);
    CHECK_INT(work.turns, 1);
    service_wake(service); /* in vain */
    service_end(service);
    clock_sleep_ms(30);
    CHECK_INT(work.turns, 1);
}

/* A service that is always busy ends all the same. */
TEST(the_end_comes_between_turns_without_a_pause)
{
    struct work work = {.at_once = INT32_MAX};
    AUTO(service_free) struct service *service = make(&work, NULL);

    start(service);
    CHECK(reaches(&work, 100));
    service_end(service);
    const int turns = atomic_load(&work.turns);
    clock_sleep_ms(20);
    CHECK_INT(work.turns, turns);
}

TEST(a_stop_ends_it_as_well)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct work work = {.pause_ms = LONG_MS};
    struct err err;

    CHECK_OK(stop_new(&stop, &err), err);
    AUTO(service_free) struct service *service = make(&work, stop);
    start(service);
    CHECK(reaches(&work, 1));
    stop_raise(stop);
    clock_sleep_ms(50);
    service_wake(service); /* in vain */
    clock_sleep_ms(50);
    service_end(service);
    CHECK_INT(work.turns, 1);
}

TEST(what_is_stopped_before_the_start_takes_no_turn)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct work work = {.pause_ms = 1};
    struct err err;

    CHECK_OK(stop_new(&stop, &err), err);
    AUTO(service_free) struct service *service = make(&work, stop);
    stop_raise(stop);
    start(service);
    clock_sleep_ms(50);
    service_end(service);
    CHECK_INT(work.turns, 0);
}

TEST(what_was_never_started_is_freed)
{
    struct work work = {0};
    struct service *service = make(&work, NULL);

    service_wake(service);
    service_end(service);
    service_free(service);
    service_free(NULL);
    service_end(NULL);
    service_wake(NULL);
    CHECK_INT(work.turns, 0);
}

struct waker {
    struct service *service;
    atomic_bool enough;
};

static void *
wake_often(void *ctx)
{
    struct waker *waker = ctx;

    while (!atomic_load(&waker->enough))
        service_wake(waker->service);
    return NULL;
}

TEST(any_thread_may_wake_it_also_while_it_ends)
{
    struct work work = {.pause_ms = LONG_MS};
    AUTO(service_free) struct service *service = make(&work, NULL);
    struct waker waker = {.service = service};
    pthread_t threads[4];

    start(service);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, wake_often, &waker), 0);
    const bool reached = reaches(&work, 20);
    service_end(service);
    atomic_store(&waker.enough, true);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(reached);
}

/* No wake is lost between the end of a turn and the sleep behind it. */
TEST(no_wake_is_lost)
{
    struct work work = {.pause_ms = LONG_MS};
    AUTO(service_free) struct service *service = make(&work, NULL);

    start(service);
    CHECK(reaches(&work, 1));
    for (int i = 1; i <= 2000; i++) {
        service_wake(service);
        while (atomic_load(&work.turns) <= i) {
        }
    }
    CHECK_INT(work.turns, 2001);
}

TEST(waiting_doubles_up_to_its_most)
{
    CHECK_INT(backoff_ms(0, 2000, 600000), 2000);
    CHECK_INT(backoff_ms(1, 2000, 600000), 4000);
    CHECK_INT(backoff_ms(8, 2000, 600000), 512000);
    CHECK_INT(backoff_ms(9, 2000, 600000), 600000);
    CHECK_INT(backoff_ms(INT64_MAX, 2000, 600000), 600000);
    CHECK_INT(backoff_ms(-1, 2000, 600000), 2000);
    CHECK_INT(backoff_ms(5, 2000, 1000), 1000);
}

TEST_MAIN()
