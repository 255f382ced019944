/* What must happen in time: leases of what is in hands are renewed, what was cancelled is told. */
#include "tests/handlers/world.h"

#include <inttypes.h>

#include "handlers/timer.h"
#include "server/limits.h"

#define LEASE "SELECT lease_until_ms FROM run WHERE id = "

static int
claim_in(struct db *db, void *ctx, struct err *err)
{
    const char *owner = ctx;
    AUTO(run_free) struct run *run = NULL;
    const int64_t now_ms = clock_now_ms();
    const struct run_claim claim = {
        .owner = owner, .now_ms = now_ms, .lease_until_ms = now_ms + 1000};
    return run_claim(db, &claim, &run, err);
}

/* The next run is claimed for a second only. */
static void
claim(struct world *w, const char *owner)
{
    struct err err;

    CHECK_OK(store_transact(w->app.store, claim_in, borrowed(owner), &err), err);
}

static const struct stop *
take_in_hands(struct world *w, int64_t run)
{
    const struct stop *stop = NULL;
    struct err err;

    CHECK_OK(live_add(w->app.live, run, &stop, &err), err);
    return stop;
}

static struct timer *
make_timer(struct world *w)
{
    struct timer *timer = NULL;
    struct err err;

    CHECK_OK(timer_new(&w->app, &timer, &err), err);
    return timer;
}

TEST(leases_of_what_is_in_hands_are_renewed)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_make_task(&w, "github", "github:acme/api#1");
    world_make_task(&w, "github", "github:acme/api#2");
    world_make_task(&w, "github", "github:acme/api#3");
    claim(&w, "ab12");
    claim(&w, "ab12"); /* its worker ended without a word: it is in nobody's hands */
    claim(&w, "other");
    (void)take_in_hands(&w, 1);
    (void)take_in_hands(&w, 3); /* and this one was lost to another process */
    const int64_t before_ms = clock_now_ms();
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK(world_int(&w, LEASE "1") >= before_ms + LEASE_MS);
    CHECK(world_int(&w, LEASE "2") < before_ms + LEASE_MS);
    CHECK(world_int(&w, LEASE "3") < before_ms + LEASE_MS);
    world_close(&w);
}

TEST(leases_are_not_renewed_at_every_turn)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_make_task(&w, "github", "github:acme/api#1");
    claim(&w, "ab12");
    (void)take_in_hands(&w, 1);
    CHECK_INT(timer_turn(timer), POLL_MS);
    world_exec(&w, "UPDATE run SET lease_until_ms = 7");
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK_INT(world_int(&w, LEASE "1"), 7);
    world_close(&w);
}

TEST(a_renewal_that_failed_is_tried_again_at_the_next_turn)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_make_task(&w, "github", "github:acme/api#1");
    claim(&w, "ab12");
    (void)take_in_hands(&w, 1);
    world_exec(&w, "UPDATE run SET lease_until_ms = 7;"
                   "CREATE TRIGGER stall BEFORE UPDATE ON run BEGIN"
                   " SELECT RAISE(ABORT, 'no space'); END");
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK_INT(world_int(&w, LEASE "1"), 7);
    world_exec(&w, "DROP TRIGGER stall");
    const int64_t before_ms = clock_now_ms();
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK(world_int(&w, LEASE "1") >= before_ms + LEASE_MS);
    world_close(&w);
}

TEST(what_was_cancelled_is_told_to_stop)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_make_task(&w, "github", "github:acme/api#1");
    world_make_task(&w, "github", "github:acme/api#2");
    claim(&w, "ab12");
    claim(&w, "ab12");
    const struct stop *first = take_in_hands(&w, 1);
    const struct stop *second = take_in_hands(&w, 2);
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK(!stop_raised(first) && !stop_raised(second));
    world_exec(&w, "UPDATE run SET cancel_requested = 'ann' WHERE id = 2");
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK(!stop_raised(first));
    CHECK(stop_raised(second));
    CHECK_INT(live_why(w.app.live, 2), LIVE_CANCELED);
    world_close(&w);
}

#define DAYS(count) ((count)*MS_PER_DAY)

/* Handled deliveries that were received some days ago. */
static void
store_deliveries(struct world *w, const char *where)
{
    static const int ages[] = {1, 29, 31, 89, 91};

    for (size_t i = 0; i < COUNT(ages); i++) {
        auto_free char *sql = str_printf(
            "INSERT INTO delivery (platform, delivery_id, event, received_ms, state, body_bytes)"
            " VALUES ('github', '%s%d', 'issues', %" PRId64 ", 1, 2);"
            "INSERT INTO delivery_body VALUES (last_insert_rowid(), 0, CAST('{}' AS BLOB))",
            where, ages[i], clock_now_ms() - DAYS(ages[i]));
        world_exec(w, sql);
    }
}

/* A busy machine may need more turns than one, with pauses. Returns their number. */
static int
remove_old(struct timer *timer)
{
    int turns = 1;

    while (timer_turn(timer) < POLL_MS) {
        CHECK(turns++ < 10000);
        clock_sleep_ms(50);
    }
    return turns;
}

#define IDS "SELECT group_concat(delivery_id) FROM delivery"
#define PAYLOADS                                                                                   \
    "SELECT group_concat(delivery_id) FROM delivery WHERE id IN (SELECT delivery FROM "            \
    "delivery_body)"

TEST(payloads_are_kept_as_configured_and_ids_for_90_days)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    store_deliveries(&w, "a");
    remove_old(timer);
    CHECK_STORED(&w, PAYLOADS, "a1,a29");
    CHECK_STORED(&w, IDS, "a1,a29,a31,a89");
    store_deliveries(&w, "b"); /* looked for again in an hour only */
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK_STORED(&w, PAYLOADS, "a1,a29,b1,b29,b31,b89,b91");
    world_close(&w);
}

/* Payloads that are kept for longer keep their ids. */
TEST(a_setting_says_how_long)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    w.settings.keep.payloads_days = 365;
    store_deliveries(&w, "a");
    remove_old(timer);
    CHECK_STORED(&w, PAYLOADS, "a1,a29,a31,a89,a91");
    CHECK_STORED(&w, IDS, "a1,a29,a31,a89,a91");
    world_close(&w);
}

/* As if the clock was set since it was noted last. */
#define SET_CLOCK_BY(ms) "UPDATE host_clock SET offset_ms = offset_ms - (" #ms ")"

TEST(what_waits_goes_with_a_clock_that_is_set)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    CHECK_INT(timer_turn(timer), POLL_MS);
    world_make_task(&w, "github", "github:acme/api#1");
    world_exec(&w, "UPDATE run SET not_before_ms = 5000; " SET_CLOCK_BY(3600000));
    AUTO(timer_free) struct timer *next = make_timer(&w); /* of the process after it */
    CHECK_INT(timer_turn(next), POLL_MS);
    const int64_t moved_ms = world_int(&w, "SELECT not_before_ms FROM run");
    CHECK(moved_ms > 3604000 && moved_ms < 3606000);
    CHECK_INT(timer_turn(next), POLL_MS);
    CHECK_INT(world_int(&w, "SELECT not_before_ms FROM run"), moved_ms);
    world_close(&w);
}

TEST(what_was_put_off_by_a_wrong_clock_is_due)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_make_task(&w, "github", "github:acme/api#1");
    world_exec(&w, "UPDATE run SET not_before_ms = 9000000000000");
    CHECK_INT(timer_turn(timer), POLL_MS);
    CHECK_INT(world_int(&w, "SELECT not_before_ms FROM run"), 1);
    world_close(&w);
}

TEST(nothing_is_removed_by_a_clock_that_was_just_set)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    CHECK_INT(timer_turn(timer), POLL_MS);
    store_deliveries(&w, "a");
    world_exec(&w, SET_CLOCK_BY(86400000));
    AUTO(timer_free) struct timer *next = make_timer(&w);
    CHECK_INT(timer_turn(next), POLL_MS);
    AUTO(timer_free) struct timer *third = make_timer(&w); /* sees no jump, and knows of it */
    CHECK_INT(timer_turn(third), POLL_MS);
    CHECK_STORED(&w, IDS, "a1,a29,a31,a89,a91");
    world_exec(&w, "UPDATE host_clock SET jumped_mono_ms = jumped_mono_ms - 3600001");
    AUTO(timer_free) struct timer *last = make_timer(&w);
    (void)timer_turn(last);
    CHECK_STORED(&w, IDS, "a1,a29,a31,a89");
    world_close(&w);
}

/* More than fits into one batch: the next one is due soon, until all is gone. */
TEST(much_is_removed_in_many_turns)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    world_exec(&w, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                   " INSERT INTO delivery (platform, delivery_id, event, received_ms, state,"
                   " body_bytes) SELECT 'p', i, 'e', 1, 1, 8000 FROM n;"
                   "INSERT INTO delivery_body SELECT id, 0, zeroblob(8000) FROM delivery");
    const int turns = remove_old(timer);
    printf("# %d turns\n", turns);
    CHECK(turns > 3);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM delivery"), 0);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM delivery_body"), 0);
    world_close(&w);
}

/* It goes on with its other work meanwhile. */
TEST(a_removal_that_failed_is_tried_again_later)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    store_deliveries(&w, "a");
    world_exec(&w, "CREATE TRIGGER stall BEFORE DELETE ON delivery_body BEGIN"
                   " SELECT RAISE(ABORT, 'no space'); END");
    CHECK_INT(timer_turn(timer), POLL_MS);
    world_exec(&w, "DROP TRIGGER stall");
    CHECK_INT(timer_turn(timer), POLL_MS); /* not at once */
    CHECK_STORED(&w, IDS, "a1,a29,a31,a89,a91");
    world_close(&w);
}

TEST(a_timer_with_nothing_to_do_does_nothing)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(timer_free) struct timer *timer = make_timer(&w);
    for (int i = 0; i < 3; i++)
        CHECK_INT(timer_turn(timer), POLL_MS);
    world_close(&w);
}

TEST_MAIN()
