/* See dispatch.h. parse -> event -> policy -> one transaction: task or run, what is owed, delivery
 * done. */
#include "handlers/intake/dispatch.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/intake/event_apply.h"
#include "handlers/intake/inherited.h"
#include "handlers/intake/permissions.h"
#include "handlers/platform.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/limits.h"
#include "server/service.h"
#include "server/store/delivery.h"
#include "server/store/store.h"

#include <inttypes.h>
#include <stdlib.h>

#define BLOCKED_RETRY_MS (1 * MS_PER_SECOND)
#define MOST_FAULTS 10 /* a delivery that cannot even be decided about is set aside then */
#define SLOW_MS (1 * MS_PER_SECOND)
#define SILENCE_MS (5 * MS_PER_SECOND)

/* A platform that was waited for in vain is not asked again for a moment: one thread handles all
 * deliveries, and those that need no answer are not to wait for those that do. */
struct silence {
    const struct platform *platform; /* NULL: of none */
    int64_t until_mono_ms;
    struct err cause;
};

struct dispatcher {
    struct app *app;
    struct sessions sessions;
    struct silence silence; /* the latest */
    struct inherited inherited;
};

/* What became, or would become, of one delivery. */
struct verdict {
    enum delivery_state state;
    char *reason;
    bool deferred; /* not yet: a service was away */
    int64_t next_ms;
    bool applies; /* the event is to change something */
};

static void
verdict_done(struct verdict *verdict)
{
    free(verdict->reason);
}

/* One delivery in the handling. */
struct handling {
    struct dispatcher *dispatcher;
    struct delivery *delivery;
    struct event *event;
    struct verdict verdict;
    int64_t task;
    int64_t now_ms;
    char *in_vain;  /* written by apply(): why what was to change something changed nothing */
    bool blocked;   /* likewise: it waits for an earlier delivery, or for a run to end */
    bool rehearsed; /* apply() was tried and undone */
};

static void
handling_done(struct handling *handling)
{
    delivery_free(handling->delivery);
    event_free(handling->event);
    verdict_done(&handling->verdict);
    free(handling->in_vain);
}

int
dispatcher_new(struct app *app, struct dispatcher **ret_dispatcher, struct err *err)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));

    if (!dispatcher)
        return err_set(err, ERR_NOMEM, "out of memory");
    dispatcher->app = app;
    dispatcher->sessions = (struct sessions){.app = app, .stop = app->stop};
    *ret_dispatcher = dispatcher;
    return 0;
}

void
dispatcher_free(struct dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    sessions_done(&dispatcher->sessions);
    free(dispatcher);
}

static int
judge(struct handling *handling, enum delivery_state state, const char *reason, struct err *err)
{
    auto_free char *copy = str_printf("%s", reason);

    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    handling->verdict.state = state;
    handling->verdict.reason = TAKE(copy);
    return 0;
}

/* A service that policy needs is away, or said no for now: later, for a day. */
static int
postpone(struct handling *handling, const struct err *cause, int64_t wait_ms, struct err *err)
{
    const struct delivery *delivery = handling->delivery;

    if (delivery->state == DELIVERY_RECEIVED &&
        handling->now_ms - delivery->received_ms > RETRY_FOR_MS &&
        delivery->attempts >= RETRY_LEAST)
        return judge(handling, DELIVERY_IGNORED, cause->msg, err);
    const int r = judge(handling, DELIVERY_RECEIVED, cause->msg, err);
    if (r)
        return r;
    if (wait_ms <= 0)
        wait_ms = backoff_ms(delivery->attempts, RETRY_FIRST_MS, RETRY_MOST_MS);
    handling->verdict.deferred = true;
    handling->verdict.next_ms = handling->now_ms + wait_ms;
    return 0;
}

/* May the actor? *ret_session is the one that was asked, NULL when none was. */
static int
ask(struct dispatcher *dispatcher,
    const struct platform *platform,
    const struct event *event,
    int64_t now_ms,
    struct session **ret_session,
    bool *ret_allowed,
    struct err *err)
{
    struct silence *silence = &dispatcher->silence;
    const int64_t began_ms = clock_mono_ms();

    if (silence->platform == platform && began_ms < silence->until_mono_ms) {
        *err = silence->cause;
        return err->code;
    }
    int r = sessions_get(&dispatcher->sessions, platform, ret_session, err);
    if (!r)
        r = permissions_ask(dispatcher->app->permissions, *ret_session, event->repository,
                            event->actor, now_ms, ret_allowed, err);
    const int64_t ended_ms = clock_mono_ms();
    if (err_retryable(r) && ended_ms - began_ms >= SLOW_MS)
        *silence = (struct silence){
            .platform = platform, .until_mono_ms = ended_ms + SILENCE_MS, .cause = *err};
    return r;
}

/* Leaving or closing something needs no permission of ours: the platform gave it already. And what
 * the platform's own checks say nobody says. */
static bool
needs_permission(const struct event *event)
{
    switch (event->kind) {
    case EVENT_IGNORED:
    case EVENT_DRAFT:
    case EVENT_NOTICE:
        return false;
    case EVENT_CANCEL:
        return str_equal(event->trigger, "mention");
    case EVENT_REMARK:
        return event->remark->kind != REMARK_CI;
    case EVENT_START:
    case EVENT_ASK:
        return true;
    }
    return true;
}

/* Ask whether the actor may. What goes wrong is the operator's to mend, or passes, and loses no
 * task. */
static int
judge_actor(struct handling *handling, const struct platform *platform, struct err *err)
{
    const struct event *event = handling->event;
    struct session *session = NULL;
    struct err cause = {0};
    bool allowed = false;

    if (!needs_permission(event)) {
        handling->verdict.applies = true;
        return 0;
    }
    const int r =
        ask(handling->dispatcher, platform, event, handling->now_ms, &session, &allowed, &cause);
    if (r == ERR_CANCELED)
        return err_set(err, r, "%s", cause.msg);
    if (r == ERR_LIMIT && session && platform->retry_after_ms)
        return postpone(handling, &cause, platform->retry_after_ms(session), err);
    if (r == ERR_INVALID)
        return judge(handling, DELIVERY_IGNORED, cause.msg, err);
    if (r)
        return postpone(handling, &cause, 0, err);
    if (!allowed)
        return judge(handling, DELIVERY_IGNORED,
                     "who asked has no write permission on the repository that draftd could see",
                     err);
    handling->verdict.applies = true;
    return 0;
}

static int
judge_event(struct handling *handling, const struct platform *platform, struct err *err)
{
    const struct event *event = handling->event;

    if (event->kind == EVENT_IGNORED)
        return judge(handling, DELIVERY_IGNORED, event->reason, err);
    if (event->kind != EVENT_NOTICE &&
        !platform->serves(handling->dispatcher->app->settings, event->repository))
        return judge(handling, DELIVERY_IGNORED, "the repository is not in the configuration", err);
    if (event->actor_is_bot && event->kind != EVENT_CANCEL && needs_permission(event))
        return judge(handling, DELIVERY_IGNORED, "bots start nothing", err);
    return judge_actor(handling, platform, err);
}

struct body_work {
    int64_t delivery;
    struct strbuf *buf;
};

static int
load_body(struct db *db, void *ctx, struct err *err)
{
    const struct body_work *work = ctx;
    return delivery_body(db, work->delivery, work->buf, err);
}

/* Read the delivery into an event and decide; nothing is changed yet. */
static int
consider(struct handling *handling, struct err *err)
{
    const struct delivery *delivery = handling->delivery;
    const struct platform *platform = platform_find(delivery->platform);
    AUTO_DONE(strbuf_done) struct strbuf body = STRBUF_INIT(LIMIT_BODY_BYTES);
    struct body_work work = {.delivery = delivery->id, .buf = &body};
    struct err fault = {0};

    if (!platform)
        return judge(handling, DELIVERY_BAD, "this program knows no such platform", err);
    int r = store_read(handling->dispatcher->app->store, load_body, &work, err);
    if (r)
        return r;
    r = platform->read(handling->dispatcher->app->settings, delivery,
                       bytes_of(strbuf_str(&body), body.len), &handling->event, &fault);
    if (r == ERR_INVALID)
        return judge(handling, DELIVERY_BAD, fault.msg, err);
    if (r) {
        *err = fault;
        return r;
    }
    return judge_event(handling, platform, err);
}

/* Policy let it pass, and there is nothing to do. What it did when it was handled before stays on
 * record. */
static int
finish_in_vain(struct db *db, struct handling *handling, const char *reason, struct err *err)
{
    const int r = str_set(&handling->in_vain, reason, err);

    if (r || handling->delivery->state == DELIVERY_DONE)
        return r;
    return delivery_finish(db, handling->delivery->id, DELIVERY_IGNORED, handling->in_vain, 0, err);
}

/* Policy decided that nothing is to be done. */
static int
finish_undone(struct db *db, const struct handling *handling, struct err *err)
{
    if (handling->delivery->state == DELIVERY_DONE)
        return 0;
    return delivery_finish(db, handling->delivery->id, handling->verdict.state,
                           handling->verdict.reason, 0, err);
}

/* Not now. One that is handled again by hand is received again, as of now. */
static int
defer(
    struct db *db, struct handling *handling, const char *reason, int64_t next_ms, struct err *err)
{
    const struct delivery *delivery = handling->delivery;
    const char *order_key = handling->event ? handling->event->order_key : NULL;
    const int r = delivery->state == DELIVERY_RECEIVED
                      ? 0
                      : delivery_reopen(db, delivery->id, handling->now_ms, err);

    return r ? r : delivery_defer(db, delivery->id, order_key, reason, next_ms, err);
}

static int
defer_blocked(struct db *db, struct handling *handling, const char *reason, struct err *err)
{
    const int r = str_set(&handling->in_vain, reason, err);

    if (r)
        return r;
    handling->blocked = true;
    return defer(db, handling, handling->in_vain, handling->now_ms + BLOCKED_RETRY_MS, err);
}

/* Since it was read, was it handled by another process (replay beside serve)? */
static int
check_unchanged(struct db *db, struct handling *handling, bool *ret_unchanged, struct err *err)
{
    AUTO(delivery_free) struct delivery *now = NULL;
    const int r = delivery_get(db, handling->delivery->id, &now, err);

    if (r)
        return r;
    *ret_unchanged = now->state == handling->delivery->state;
    return *ret_unchanged ? 0 : str_set(&handling->in_vain, "it was handled meanwhile", err);
}

/* Order is kept per issue: while an earlier delivery about it waits, later ones wait too. */
static int
apply(struct db *db, void *ctx, struct err *err)
{
    struct handling *handling = ctx;
    const struct verdict *verdict = &handling->verdict;
    const int64_t id = handling->delivery->id;
    const struct event *event = handling->event;
    bool blocked = false;
    bool unchanged = false;

    free(TAKE(handling->in_vain)); /* of an earlier try whose commit failed */
    handling->task = 0;
    handling->blocked = false;
    int r = check_unchanged(db, handling, &unchanged, err);
    if (r || !unchanged)
        return r;
    if (event && event->order_key)
        r = delivery_is_blocked(db, id, event->order_key, &blocked, err);
    if (r)
        return r;
    if (verdict->deferred)
        return defer(db, handling, verdict->reason, verdict->next_ms, err);
    if (!event || !verdict->applies)
        return finish_undone(db, handling, err);
    if (blocked)
        return defer_blocked(db, handling, "an earlier delivery about the same thing waits", err);
    r = event_apply(db, handling->dispatcher->app, handling->delivery->platform, event,
                    handling->now_ms, &handling->task, err);
    if (r == ERR_UNAVAILABLE)
        return defer_blocked(db, handling, err->msg, err);
    if (r == ERR_CONFLICT || r == ERR_NOTFOUND)
        return finish_in_vain(db, handling, err->msg, err);
    return r ? r : delivery_finish(db, id, DELIVERY_DONE, NULL, handling->task, err);
}

static void
log_handled(const struct handling *handling)
{
    const struct verdict *verdict = &handling->verdict;
    const char *in_vain = handling->in_vain;

    if (verdict->deferred)
        log_warning("delivery_deferred", kv_str("platform", handling->delivery->platform),
                    kv_str("delivery", handling->delivery->delivery_id),
                    kv_str("kind", handling->delivery->event), kv_str("reason", verdict->reason));
    else
        log_info(handling->blocked ? "delivery_deferred" : "delivery_handled",
                 kv_str("platform", handling->delivery->platform),
                 kv_str("delivery", handling->delivery->delivery_id),
                 kv_str("kind", handling->delivery->event),
                 kv_bool("applied", verdict->applies && !in_vain), kv_int("task", handling->task),
                 kv_str("reason", in_vain ? in_vain : verdict->reason));
}

static int
load_next(struct db *db, void *ctx, struct err *err)
{
    struct handling *handling = ctx;
    return delivery_next(db, handling->now_ms, &handling->delivery, err);
}

/* Deciding itself failed. It must not hold up the others: put off, in the end set aside. Where the
 * store is away this fails too, and nothing is counted. */
static int
set_aside(struct handling *handling, const struct err *cause)
{
    const bool lasts = handling->delivery->attempts >= MOST_FAULTS;
    struct verdict *verdict = &handling->verdict;
    struct err error = {0};

    verdict_done(verdict);
    *verdict =
        (struct verdict){.deferred = !lasts,
                         .next_ms = handling->now_ms + backoff_ms(handling->delivery->attempts,
                                                                  RETRY_FIRST_MS, RETRY_MOST_MS)};
    int r = judge(handling, lasts ? DELIVERY_BAD : DELIVERY_RECEIVED, cause->msg, &error);
    if (!r)
        r = store_transact(handling->dispatcher->app->store, apply, handling, &error);
    if (r && !store_is_damaged(handling->dispatcher->app->store))
        log_error("dispatch_failed", kv_str("error", error.msg));
    return r;
}

/* What ended the process whenever it was handled is only told of. */
static int
consider_next(struct handling *handling, struct err *err)
{
    struct dispatcher *dispatcher = handling->dispatcher;
    const char *why;
    const int r = inherited_begin(&dispatcher->inherited, dispatcher->app->store,
                                  handling->delivery, &why, err);

    if (r)
        return r;
    return why ? judge(handling, DELIVERY_BAD, why, err) : consider(handling, err);
}

int64_t
dispatcher_turn(void *ctx)
{
    struct dispatcher *dispatcher = ctx;
    AUTO_DONE(handling_done)
    struct handling handling = {.dispatcher = dispatcher, .now_ms = clock_now_ms()};
    struct err error = {0};
    int r = store_read(dispatcher->app->store, load_next, &handling, &error);

    if (r == ERR_NOTFOUND)
        return POLL_MS;
    if (!r)
        r = consider_next(&handling, &error);
    if (!r)
        r = store_transact(dispatcher->app->store, apply, &handling, &error);
    if (r == ERR_CANCELED) {
        inherited_give_back(&dispatcher->inherited, dispatcher->app->store, handling.delivery);
        return MS_PER_SECOND; /* the process ends; the next one handles it */
    }
    if (r) {
        if (!store_is_damaged(dispatcher->app->store)) /* that is told once */
            log_error("dispatch_failed", kv_str("error", error.msg));
        if (!handling.delivery || set_aside(&handling, &error))
            return MS_PER_SECOND;
    }
    log_handled(&handling);
    app_wake(dispatcher->app);
    return 0;
}

static int
load_one(struct db *db, void *ctx, struct err *err)
{
    struct handling *handling = ctx;
    return delivery_get(db, handling->task, &handling->delivery, err);
}

static void
say(const struct handling *handling, bool dry_run, struct strbuf *said)
{
    const struct verdict *verdict = &handling->verdict;

    if (handling->in_vain)
        strbuf_addf(said, "%s: %s\n",
                    handling->blocked ? "waits" : delivery_state_name(DELIVERY_IGNORED),
                    handling->in_vain);
    else if (!verdict->applies)
        strbuf_addf(said, "%s: %s\n",
                    verdict->deferred ? "waits" : delivery_state_name(verdict->state),
                    verdict->reason);
    else
        strbuf_addf(said, "%s%s %s for %s\n", dry_run ? "would " : "",
                    event_kind_verb(handling->event->kind, !dry_run), handling->event->order_key,
                    handling->event->actor);
}

/* As apply(), and then undone: only the whole of it tells what would come of it. That a serving
 * process handled the delivery just now is nothing to tell. */
static int
rehearse(struct db *db, void *ctx, struct err *err)
{
    struct handling *handling = ctx;
    AUTO(delivery_free) struct delivery *now = NULL;
    int r = delivery_get(db, handling->delivery->id, &now, err);

    if (!r) {
        handling->delivery->state = now->state;
        r = apply(db, handling, err);
    }
    handling->rehearsed = !r;
    return r ? r : err_set(err, ERR_CANCELED, "it was only tried");
}

static int
apply_or_rehearse(struct handling *handling, bool dry_run, struct err *err)
{
    struct store *store = handling->dispatcher->app->store;
    const int r = store_transact(store, dry_run ? rehearse : apply, handling, err);

    return handling->rehearsed ? 0 : r;
}

int
dispatcher_replay(struct dispatcher *dispatcher,
                  int64_t delivery,
                  bool dry_run,
                  struct strbuf *said,
                  struct err *err)
{
    AUTO_DONE(handling_done)
    struct handling handling = {
        .dispatcher = dispatcher, .now_ms = clock_now_ms(), .task = delivery};
    int r = store_read(dispatcher->app->store, load_one, &handling, err);

    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no delivery %" PRId64, delivery);
    if (r)
        return r;
    handling.task = 0;
    r = consider(&handling, err);
    if (!r)
        r = apply_or_rehearse(&handling, dry_run, err);
    if (!r)
        say(&handling, dry_run, said);
    return r;
}
