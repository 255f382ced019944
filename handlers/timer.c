/* See timer.h. */
#include "handlers/timer.h"

#include "handlers/app.h"
#include "handlers/thread/live.h"
#include "handlers/upkeep.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/log.h"
#include "server/base/strbuf.h"
#include "server/limits.h"
#include "server/store/host_clock.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <stdlib.h>

#define MAX_CANCELED 64
#define LONGEST_WAIT_MS (RETRY_MOST_MS + 2 * MS_PER_MINUTE) /* with what is added to spread it */
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_BYTES 128

struct timer {
    struct app *app;
    int64_t renew_mono_ms; /* when it is due next */
    bool clock_noted;
    int64_t offset_ms; /* of the wall clock, when it was noted */
    struct upkeep upkeep;
};

int
timer_new(struct app *app, struct timer **ret_timer, struct err *err)
{
    struct timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return err_set(err, ERR_NOMEM, "out of memory");
    timer->app = app;
    *ret_timer = timer;
    return 0;
}

void
timer_free(struct timer *timer)
{
    free(timer);
}

struct renew_work {
    const struct app *app;
    int64_t *runs;
    size_t count;
};

static int
renew(struct db *db, void *ctx, struct err *err)
{
    const struct renew_work *work = ctx;
    return run_renew(db, work->app->owner, work->runs, work->count, clock_now_ms() + LEASE_MS, err);
}

/* Only of what is in hands: a run whose end could not be stored is to be taken up again. */
static int
renew_leases(struct app *app, struct err *err)
{
    auto_free int64_t *runs = NULL;
    size_t count;
    const int r = live_list(app->live, &runs, &count, err);

    if (r || count == 0)
        return r;
    struct renew_work work = {.app = app, .runs = runs, .count = count};
    return store_transact(app->store, renew, &work, err);
}

struct canceled_work {
    const struct app *app;
    int64_t runs[MAX_CANCELED];
    size_t count;
};

static int
load_canceled(struct db *db, void *ctx, struct err *err)
{
    struct canceled_work *canceled = ctx;
    return run_list_canceled(db, canceled->app->owner, canceled->runs, MAX_CANCELED,
                             &canceled->count, err);
}

static int
stop_canceled(struct app *app, struct err *err)
{
    struct canceled_work canceled = {.app = app};
    const int r = store_read(app->store, load_canceled, &canceled, err);

    for (size_t i = 0; !r && i < canceled.count; i++)
        live_stop(app->live, canceled.runs[i], LIVE_CANCELED);
    return r;
}

struct clock_work {
    struct host_clock now;
    struct host_clock_jump jump;
};

static int
follow(struct db *db, void *ctx, struct err *err)
{
    struct clock_work *work = ctx;
    return host_clock_follow(db, &work->now, &work->jump, err);
}

/* What waits by the wall clock goes with it when that is set. */
static int
follow_clock(struct timer *timer, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf boot = STRBUF_INIT(BOOT_BYTES);
    const int64_t mono_ms = clock_mono_ms();
    const int64_t offset_ms = clock_now_ms() - mono_ms;
    struct clock_work work = {.now = {.offset_ms = offset_ms, .mono_ms = mono_ms}};

    if (timer->clock_noted && llabs(offset_ms - timer->offset_ms) < HOST_CLOCK_JUMP_MS)
        return 0;
    int r = fs_read_file(BOOT_FILE, &boot, err);
    if (r)
        return r;
    work.now.boot = strbuf_str(&boot);
    r = store_transact(timer->app->store, follow, &work, err);
    if (r)
        return r;
    timer->clock_noted = true;
    timer->offset_ms = offset_ms;
    if (work.jump.at_mono_ms)
        upkeep_put_off(&timer->upkeep, work.jump.at_mono_ms);
    if (work.jump.by_ms)
        log_warning("clock_jumped", kv_int("by_ms", work.jump.by_ms));
    return 0;
}

struct stuck_work {
    int64_t latest_ms;
    bool found;
};

static int
find_stuck(struct db *db, void *ctx, struct err *err)
{
    struct stuck_work *work = ctx;
    return host_clock_find_stuck(db, work->latest_ms, &work->found, err);
}

static int
free_stuck(struct db *db, void *ctx, struct err *err)
{
    const struct stuck_work *work = ctx;
    return host_clock_free_stuck(db, work->latest_ms, err);
}

/* What was written just when the clock was set, or by one that is right again, could wait for days.
 * What GitHub told to wait longer is told again. */
static int
free_what_is_stuck(struct app *app, struct err *err)
{
    struct stuck_work work = {.latest_ms = clock_now_ms() + LONGEST_WAIT_MS};
    const int r = store_read(app->store, find_stuck, &work, err);

    return r || !work.found ? r : store_transact(app->store, free_stuck, &work, err);
}

static void
report(const struct app *app, const char *what, int code, const struct err *error)
{
    if (code && !store_is_damaged(app->store)) /* that is told once */
        log_error("timer_failed", kv_str("what", what), kv_str("error", error->msg));
}

int64_t
timer_turn(void *ctx)
{
    struct timer *timer = ctx;
    struct app *app = timer->app;
    struct err error = {0};
    const int64_t now_ms = clock_mono_ms();
    int64_t pause_ms = POLL_MS;

    const int clock = follow_clock(timer, &error);
    report(app, "following the clock", clock, &error);
    report(app, "cancelling", stop_canceled(app, &error), &error);
    if (now_ms >= timer->renew_mono_ms) {
        const int r = renew_leases(app, &error);
        report(app, "renewing leases", r, &error);
        if (!r)
            timer->renew_mono_ms = now_ms + LEASE_RENEW_MS;
        report(app, "looking for what is stuck", free_what_is_stuck(app, &error), &error);
    }
    if (!clock) /* else what looks old may not be */
        report(app, "removing what is old", upkeep_turn(&timer->upkeep, app, &pause_ms, &error),
               &error);
    return pause_ms < POLL_MS ? pause_ms : POLL_MS;
}
