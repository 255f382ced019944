/* See timer.h. */
#include "handlers/timer.h"

#include "handlers/app.h"
#include "handlers/live.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/limits.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <stdlib.h>

#define ORPHANS_EVERY_MS MS_PER_MINUTE
#define MAX_CANCELED 64

struct timer {
    struct app *app;
    int64_t renew_mono_ms;   /* when it is due next */
    int64_t orphans_mono_ms; /* likewise */
};

int
timer_new(struct app *app, struct timer **ret_timer, struct err *err)
{
    struct timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return err_set(err, ERR_NOMEM, "out of memory");
    timer->app = app;
    timer->orphans_mono_ms = clock_mono_ms() + ORPHANS_EVERY_MS;
    *ret_timer = timer;
    return 0;
}

void
timer_free(struct timer *timer)
{
    free(timer);
}

static int
renew(struct db *db, void *ctx, struct err *err)
{
    const struct app *app = ctx;
    return run_renew_all(db, app->owner, clock_now_ms() + LEASE_MS, err);
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

static int
remove_orphans(struct app *app, struct err *err)
{
    auto_free int64_t *runs = NULL;
    size_t count;
    size_t removed = 0;
    int r = live_list(app->live, &runs, &count, err);

    if (!r)
        r = sandbox_remove_orphans(&app->sandbox, runs, count, &removed, err);
    if (!r && removed > 0)
        log_warning("orphans_removed", kv_int("containers", (int64_t)removed));
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

    report("cancelling", stop_canceled(app, &error), &error);
    if (now_ms >= timer->renew_mono_ms) {
        report("renewing leases", store_transact(app->store, renew, app, &error), &error);
        timer->renew_mono_ms = now_ms + LEASE_RENEW_MS;
    }
    if (now_ms >= timer->orphans_mono_ms) {
        report("removing orphans", remove_orphans(app, &error), &error);
        timer->orphans_mono_ms = now_ms + ORPHANS_EVERY_MS;
    }
    return POLL_MS;
}
