/* The runs of this process: how each is told to stop, and why. */
#include "tests/harness/test.h"

#include <pthread.h>

#include "handlers/thread/live.h"

static const struct stop *
add(struct live *live, int64_t run)
{
    const struct stop *stop = NULL;
    struct err err;

    CHECK_OK(live_add(live, run, &stop, &err), err);
    return stop;
}

static struct live *
make(void)
{
    struct live *live = NULL;
    struct err err;

    CHECK_OK(live_new(&live, &err), err);
    return live;
}

TEST(one_run_is_stopped_and_no_other)
{
    AUTO(live_free) struct live *live = make();
    const struct stop *first = add(live, 1);
    const struct stop *second = add(live, 2);

    CHECK(!stop_raised(first) && !stop_raised(second));
    CHECK_INT(live_why(live, 1), LIVE_GOES_ON);
    live_stop(live, 2, LIVE_CANCELED);
    CHECK(!stop_raised(first));
    CHECK(stop_raised(second));
    CHECK_INT(live_why(live, 1), LIVE_GOES_ON);
    CHECK_INT(live_why(live, 2), LIVE_CANCELED);
}

TEST(the_first_reason_stays)
{
    AUTO(live_free) struct live *live = make();

    (void)add(live, 1);
    (void)add(live, 2);
    live_stop(live, 1, LIVE_CANCELED);
    live_stop_all(live);
    live_stop(live, 2, LIVE_CANCELED);
    CHECK_INT(live_why(live, 1), LIVE_CANCELED);
    CHECK_INT(live_why(live, 2), LIVE_SHUTDOWN);
}

TEST(what_comes_after_the_end_is_stopped_from_the_beginning)
{
    AUTO(live_free) struct live *live = make();

    live_stop_all(live);
    CHECK(stop_raised(add(live, 3)));
    CHECK_INT(live_why(live, 3), LIVE_SHUTDOWN);
}

TEST(unknown_runs_are_nobodys)
{
    AUTO(live_free) struct live *live = make();
    const struct stop *stop = add(live, 1);

    live_stop(live, 7, LIVE_CANCELED);
    live_remove(live, 7);
    CHECK(!stop_raised(stop));
    CHECK_INT(live_why(live, 7), LIVE_GOES_ON);
    live_remove(live, 1);
    live_stop(live, 1, LIVE_CANCELED);
    CHECK_INT(live_why(live, 1), LIVE_GOES_ON);
}

TEST(a_run_is_in_one_pair_of_hands)
{
    AUTO(live_free) struct live *live = make();
    const struct stop *first = add(live, 1);
    const struct stop *second = NULL;
    struct err err;

    CHECK(live_has(live, 1));
    CHECK_INT(live_add(live, 1, &second, &err), ERR_CONFLICT);
    live_stop(live, 1, LIVE_CANCELED);
    CHECK(stop_raised(first));
    live_remove(live, 1);
    CHECK(!live_has(live, 1));
    CHECK(!stop_raised(add(live, 1)));
}

TEST(a_run_is_in_one_pair_of_hands_only)
{
    AUTO(live_free) struct live *live = make();
    const struct stop *first = add(live, 1);
    const struct stop *second = NULL;
    struct err err;

    CHECK(live_has(live, 1) && !live_has(live, 2));
    CHECK_INT(live_add(live, 1, &second, &err), ERR_CONFLICT);
    CHECK(!second);
    CHECK(!stop_raised(first));
    live_remove(live, 1);
    CHECK(!live_has(live, 1));
    (void)add(live, 1);
    CHECK(live_has(live, 1));
}

TEST(the_list_has_each_run_once)
{
    AUTO(live_free) struct live *live = make();
    auto_free int64_t *none = NULL;
    auto_free int64_t *runs = NULL;
    size_t count = 9;
    struct err err;

    CHECK_OK(live_list(live, &none, &count, &err), err);
    CHECK_INT(count, 0);
    for (int64_t run = 1; run <= 5; run++)
        (void)add(live, run);
    live_remove(live, 1); /* the last of the chain */
    live_remove(live, 5); /* its first */
    live_remove(live, 3);
    CHECK_OK(live_list(live, &runs, &count, &err), err);
    CHECK_INT(count, 2);
    CHECK_INT(runs[0] + runs[1], 6);
    CHECK_INT(runs[0] * runs[1], 8);
}

/* Threads that work on runs of their own, while another stops them. */
static void *
come_and_go(void *ctx)
{
    struct live *live = ctx;
    static int64_t next; /* under no lock: each thread counts by itself */
    const int64_t base = __atomic_add_fetch(&next, 1000, __ATOMIC_RELAXED);

    for (int64_t i = 0; i < 300; i++) {
        const struct stop *stop = NULL;
        if (live_add(live, base + i, &stop, NULL))
            abort();
        live_stop(live, base + i, LIVE_CANCELED);
        if (!stop_raised(stop))
            abort();
        live_remove(live, base + i);
    }
    return NULL;
}

TEST(threads_share_it)
{
    AUTO(live_free) struct live *live = make();
    pthread_t threads[4];
    size_t count = 9;

    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, come_and_go, live), 0);
    for (int i = 0; i < 100; i++) {
        auto_free int64_t *runs = NULL;
        struct err err;
        CHECK_OK(live_list(live, &runs, &count, &err), err);
        for (size_t k = 0; k < count; k++)
            live_stop(live, runs[k], LIVE_SHUTDOWN);
    }
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    auto_free int64_t *left = NULL;
    CHECK_INT(live_list(live, &left, &count, NULL), 0);
    CHECK_INT(count, 0);
}

TEST_MAIN()
