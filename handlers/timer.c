/* See timer.h. */
#include "handlers/timer.h"

#include "handlers/app.h"
#include "handlers/thread/live.h"
#include "handlers/upkeep.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/limits.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <stdlib.h>

#define MAX_CANCELED 64

struct timer {
    struct app *app;
    int64_t renew_mono_ms; /* when it is due next */
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

static void
report(const char *what, int code, const struct err *error)
{
    if (code)
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

    report("cancelling", stop_canceled(app, &error), &error);
    if (now_ms >= timer->renew_mono_ms) {
        const int r = renew_leases(app, &error);
        report("renewing leases", r, &error);
        if (!r)
            timer->renew_mono_ms = now_ms + LEASE_RENEW_MS;
    }
    report("removing what is old", upkeep_turn(&timer->upkeep, app, &pause_ms, &error), &error);
    return pause_ms < POLL_MS ? pause_ms : POLL_MS;
}
