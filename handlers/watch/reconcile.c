/* See reconcile.h. A wish goes the way of a delivery: the same policy about who may, the same start
 * of a task; only that a task that is there, in whatever state, is left alone. */
#include "handlers/watch/reconcile.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/intake/permissions.h"
#include "handlers/intake/task_change.h"
#include "handlers/platform.h"
#include "handlers/watch/known.h"
#include "handlers/watch/platform_watch.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/delivery.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdlib.h>

#define PAUSE_MS MS_PER_HOUR
#define RETRY_MS (10 * MS_PER_MINUTE)
#define MOST_FAILURES 3 /* of repositories, one after the other */
#define MOST_STARTED 50 /* in one look */

struct reconcile {
    struct app *app;
    struct known refused; /* wishes that were looked at, as they stood: nothing to do */
};

struct look {
    struct reconcile *reconcile;
    struct session *session;
    int64_t now_ms;
    int64_t since_ms;
    int started;
    int failures;
};

int
reconcile_new(struct app *app, struct reconcile **ret_reconcile, struct err *err)
{
    struct reconcile *reconcile = calloc(1, sizeof(*reconcile));

    if (!reconcile)
        return err_set(err, ERR_NOMEM, "out of memory");
    reconcile->app = app;
    *ret_reconcile = reconcile;
    return 0;
}

void
reconcile_free(struct reconcile *reconcile)
{
    if (!reconcile)
        return;
    known_done(&reconcile->refused);
    free(reconcile);
}

/* ---- what is known ---- */

struct knowing {
    const struct look *look;
    const struct event *event;
    int64_t task; /* that was started; 0: none */
    bool known;
};

/* Is there a task, or a delivery about it that still waits to be handled? */
static int
is_known_in(struct db *db, void *ctx, struct err *err)
{
    struct knowing *knowing = ctx;
    AUTO(task_free) struct task *task = NULL;
    bool waits = false;
    int r = task_find(db, knowing->event->origin, &task, err);

    if (r && r != ERR_NOTFOUND)
        return r;
    r = delivery_is_blocked(db, INT64_MAX, knowing->event->order_key, &waits, err);
    knowing->known = task || waits;
    return r;
}

static int
start_in(struct db *db, void *ctx, struct err *err)
{
    struct knowing *knowing = ctx;
    const struct look *look = knowing->look;
    const int r = is_known_in(db, ctx, err);

    knowing->task = 0;
    if (r || knowing->known)
        return r;
    return task_start(db, look->reconcile->app, look->session->platform->name, knowing->event,
                      look->now_ms, &knowing->task, err);
}

/* ---- whether it is to be done ---- */

/* Nothing to do, and not to be looked at again as it is, while it is not older than the horizon. */
static int
refuse(struct look *look,
       const struct event *event,
       const char *name,
       const char *why,
       struct err *err)
{
    log_info("wish_left_alone", kv_str("origin", event->origin), kv_str("reason", why));
    return known_add(&look->reconcile->refused, name,
                     look->now_ms + (look->now_ms - look->since_ms), err);
}

/* Who asked, when, and may they? *ret_why: why it is nothing to do; NULL: it is to be done. */
static int
judge(struct look *look, struct event *event, const char **ret_why, struct err *err)
{
    const struct platform *platform = look->session->platform;
    bool allowed = false;
    int r = platform->watch->find_asker(look->session, event, err);

    *ret_why = NULL;
    if (r == ERR_NOTFOUND || r == ERR_CONFLICT) {
        *ret_why = err->msg;
        return 0;
    }
    if (r)
        return r;
    if (event->actor_is_bot)
        *ret_why = "bots start nothing";
    else if (event->happened_ms < look->since_ms)
        *ret_why = "it was asked for too long ago";
    if (*ret_why)
        return 0;
    r = permissions_ask(look->reconcile->app->permissions, look->session, event->repository,
                        event->actor, look->now_ms, &allowed, err);
    if (!r && !allowed)
        *ret_why = "who asked has no write permission on the repository that draftd could see";
    return r;
}

static int
start(struct look *look, const struct event *event, struct err *err)
{
    struct app *app = look->reconcile->app;
    struct knowing knowing = {.look = look, .event = event};
    const int r = store_transact(app->store, start_in, &knowing, err);

    if (r || !knowing.task)
        return r;
    look->started++;
    log_info("wish_found", kv_int("task", knowing.task), kv_str("origin", event->origin),
             kv_str("trigger", event->trigger), kv_str("actor", event->actor));
    app_wake(app);
    return 0;
}

static int
visit_wish(void *ctx, struct event *event, struct err *err)
{
    struct look *look = ctx;
    struct app *app = look->reconcile->app;
    struct knowing knowing = {.look = look, .event = event};
    auto_free char *name = str_printf("%s@%" PRId64, event->origin, event->happened_ms);
    const char *why = NULL;

    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (stop_raised(app->stop))
        return err_set(err, ERR_CANCELED, "the process is to end");
    if (look->started >= MOST_STARTED || known_has(&look->reconcile->refused, name))
        return 0;
    int r = store_read(app->store, is_known_in, &knowing, err);
    if (r || knowing.known)
        return r;
    struct err cause = {0};
    r = judge(look, event, &why, &cause);
    if (r) {
        *err = cause;
        return r;
    }
    return why ? refuse(look, event, name, why, err) : start(look, event, err);
}

/* ---- the repositories ---- */

static int
visit_repository(void *ctx, const char *repository, struct err *err)
{
    struct look *look = ctx;
    const struct platform *platform = look->session->platform;
    struct err fault = {0};
    const int r = platform->watch->each_wish(look->session, repository, look->since_ms, visit_wish,
                                             look, &fault);

    look->failures = r ? look->failures + 1 : 0;
    if (r && r != ERR_CANCELED)
        log_warning("wishes_not_read", kv_str("repository", repository),
                    kv_str("reason", fault.msg));
    if (r != ERR_CANCELED && r != ERR_LIMIT && look->failures < MOST_FAILURES)
        return 0;
    *err = fault;
    return r;
}

int64_t
reconcile_look(struct reconcile *reconcile, struct session *session)
{
    const struct platform *platform = session->platform;
    const int64_t now_ms = clock_now_ms();
    const int64_t horizon_ms = platform->watch->horizon_ms(reconcile->app->settings);
    struct look look = {.reconcile = reconcile,
                        .session = session,
                        .now_ms = now_ms,
                        .since_ms = now_ms - horizon_ms};
    struct err error = {0};

    if (horizon_ms <= 0)
        return PAUSE_MS;
    known_forget(&reconcile->refused, now_ms);
    const int r = platform->watch->each_repository(session, visit_repository, &look, &error);
    const int64_t limit_ms =
        r == ERR_LIMIT && platform->retry_after_ms ? platform->retry_after_ms(session) : 0;
    if (r && r != ERR_CANCELED)
        log_warning("repositories_not_looked_through", kv_str("reason", error.msg));
    if (limit_ms > 0)
        return limit_ms;
    return r || look.failures || look.started >= MOST_STARTED ? RETRY_MS : PAUSE_MS;
}
