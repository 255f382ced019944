/* See watcher.h. */
#include "handlers/watch/watcher.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/watch/drafts.h"
#include "handlers/watch/missed.h"
#include "handlers/watch/reconcile.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#include <stdlib.h>

/* What is looked after, each at its own times. */
enum concern { MISSED, DRAFTS, WISHES, KINDS };

/* One platform that can be asked. */
struct watched {
    const struct platform *platform; /* NULL: the last one was before */
    struct missed *missed;
    struct drafts drafts;
    struct reconcile *reconcile;
    int64_t due_mono_ms[KINDS];
};

struct watcher {
    struct app *app;
    struct sessions sessions;
    struct watched watched[PLATFORMS_MAX];
};

static int
add(struct watcher *watcher, const struct platform *platform, struct err *err)
{
    struct watched *watched = watcher->watched;

    while (watched->platform)
        watched++;
    watched->platform = platform;
    const int r = missed_new(watcher->app, &watched->missed, err);
    return r ? r : reconcile_new(watcher->app, &watched->reconcile, err);
}

int
watcher_new(struct app *app, struct watcher **ret_watcher, struct err *err)
{
    AUTO(watcher_free) struct watcher *watcher = calloc(1, sizeof(*watcher));
    int r = 0;

    if (!watcher)
        return err_set(err, ERR_NOMEM, "out of memory");
    watcher->app = app;
    watcher->sessions = (struct sessions){.app = app, .stop = app->stop};
    for (size_t i = 0; !r && platforms[i]; i++)
        if (platforms[i]->watch && platforms[i]->is_configured(app->settings))
            r = add(watcher, platforms[i], err);
    if (!r)
        *ret_watcher = TAKE(watcher);
    return r;
}

void
watcher_free(struct watcher *watcher)
{
    if (!watcher)
        return;
    for (size_t i = 0; i < PLATFORMS_MAX; i++) {
        missed_free(watcher->watched[i].missed);
        reconcile_free(watcher->watched[i].reconcile);
    }
    sessions_done(&watcher->sessions);
    free(watcher);
}

static int64_t
do_one(struct watched *watched, enum concern kind, struct session *session)
{
    switch (kind) {
    case MISSED:
        return missed_look(watched->missed, session, clock_mono_ms());
    case DRAFTS:
        return drafts_look(&watched->drafts, session->app, session);
    case WISHES:
        return reconcile_look(watched->reconcile, session);
    case KINDS:
        break;
    }
    return MS_PER_HOUR;
}

/* What is due now. Returns when the next thing is, by the monotonic clock. */
static int64_t
watch(struct watcher *watcher, struct watched *watched)
{
    struct session *session = NULL;
    struct err error = {0};
    int64_t next_ms = clock_mono_ms() + MS_PER_HOUR;

    if (sessions_get(&watcher->sessions, watched->platform, &session, &error)) {
        log_error("watch_failed", kv_str("platform", watched->platform->name),
                  kv_str("error", error.msg));
        return clock_mono_ms() + MS_PER_MINUTE;
    }
    for (int kind = 0; kind < KINDS && !stop_raised(watcher->app->stop); kind++) {
        if (clock_mono_ms() >= watched->due_mono_ms[kind]) {
            const int64_t pause_ms = do_one(watched, (enum concern)kind, session);
            watched->due_mono_ms[kind] = clock_mono_ms() + pause_ms;
        }
        if (watched->due_mono_ms[kind] < next_ms)
            next_ms = watched->due_mono_ms[kind];
    }
    return next_ms;
}

int64_t
watcher_turn(void *ctx)
{
    struct watcher *watcher = ctx;
    int64_t next_ms = clock_mono_ms() + MS_PER_HOUR;

    for (size_t i = 0; i < PLATFORMS_MAX && watcher->watched[i].platform; i++) {
        const int64_t due_ms = watch(watcher, &watcher->watched[i]);
        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    const int64_t pause_ms = next_ms - clock_mono_ms();
    return pause_ms > 0 ? pause_ms : 0;
}
