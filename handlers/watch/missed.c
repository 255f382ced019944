/* See missed.h. After GitHub's own example: by GUID, those of which no attempt was taken.
 *
 * Times are the platform's, so that a wrong clock of ours loses nothing; ours only bounds how far
 * the first look goes back. The mark stays before the first attempt of whatever is neither taken
 * nor stored, fresh or asked for in vain, and each look begins a little before it, for lists are
 * written behind time. How often each was asked for is known to this process alone: the next one
 * asks once more and begins with short pauses.
 *
 * Asking makes a new attempt, which the platform keeps as long as the first: a delivery of which
 * the first is not kept any more has had its time, or it would be asked for for ever. */
#include "handlers/watch/missed.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/watch/known.h"
#include "handlers/watch/platform_watch.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/delivery.h"
#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_MS (5 * MS_PER_MINUTE)
#define HOOKS_MS MS_PER_HOUR /* hooks come and go seldom, and finding them costs calls */
#define OVERLAP_MS (10 * MS_PER_MINUTE)
#define SETTLE_MS MS_PER_MINUTE /* it may still be on its way, or in the store's queue */
#define MOST_HOOKS 200          /* each is a call or more in each look */
#define MOST_SENT 9500          /* of one look: the newest */
#define MOST_ASKED 40           /* in one look: they all come back at once */

/* After having asked so often. */
static const int64_t rests_ms[] = {5 * MS_PER_MINUTE, 15 * MS_PER_MINUTE, MS_PER_HOUR,
                                   4 * MS_PER_HOUR};

struct hook {
    char *name;
    char *repository;
    int64_t id;
};

struct missed {
    struct app *app;
    struct hook *hooks;
    size_t hook_count;
    int64_t hooks_mono_ms; /* when they are to be found anew */
    struct known asked;    /* GUIDs */
    struct known resting;  /* of these, by the monotonic clock: not yet to be asked for again */
    struct known gone;     /* GUIDs: the platform cannot send them */
    char *fault;           /* why the hooks were not found the last time; or NULL */
};

/* An attempt, and, once grouped, its GUID's newest one. */
struct sent {
    int64_t id;
    char *guid;
    int64_t sent_ms;
    int64_t first_ms; /* of the oldest one's */
    bool whole;       /* the first of all is among them */
    bool ok;          /* one of them was taken */
};

struct look {
    const struct missed *missed;
    struct session *session;
    const struct watch_hook *hook;
    int64_t now_ms;
    int64_t now_mono_ms;
    int64_t mark_ms;
    int64_t reach_ms; /* where the mark would be if all were settled */
    struct sent *sent;
    size_t count;
    size_t room;
    bool full; /* there was more, further back */
    bool more; /* there is more to be asked for */
};

static void
look_done(struct look *look)
{
    for (size_t i = 0; i < look->count; i++)
        free(look->sent[i].guid);
    free(look->sent);
}

static void
forget_hooks(struct missed *missed)
{
    for (size_t i = 0; missed->hooks && i < missed->hook_count; i++) {
        free(missed->hooks[i].name);
        free(missed->hooks[i].repository);
    }
    free(TAKE(missed->hooks));
    missed->hook_count = 0;
}

int
missed_new(struct app *app, struct missed **ret_missed, struct err *err)
{
    struct missed *missed = calloc(1, sizeof(*missed));

    if (!missed)
        return err_set(err, ERR_NOMEM, "out of memory");
    missed->app = app;
    *ret_missed = missed;
    return 0;
}

void
missed_free(struct missed *missed)
{
    if (!missed)
        return;
    forget_hooks(missed);
    known_done(&missed->asked);
    known_done(&missed->resting);
    known_done(&missed->gone);
    free(missed->fault);
    free(missed);
}

/* ---- the hooks ---- */

static int
take_hook(void *ctx, const struct watch_hook *hook, struct err *err)
{
    struct missed *missed = ctx;

    if (missed->hook_count == MOST_HOOKS)
        return err_set(err, ERR_LIMIT, "there are more than %d hooks, and the others are not read",
                       MOST_HOOKS);
    struct hook *hooks = reallocarray(missed->hooks, missed->hook_count + 1, sizeof(*hooks));
    if (!hooks)
        return err_set(err, ERR_NOMEM, "out of memory");
    missed->hooks = hooks;
    hooks[missed->hook_count] = (struct hook){.id = hook->id};
    struct hook *mine = &hooks[missed->hook_count++];
    const int r = str_set(&mine->name, hook->name, err);
    return r ? r : str_set(&mine->repository, hook->repository, err);
}

/* What keeps us from watching is told when it is new, not every time. */
static void
tell_fault(struct missed *missed, const struct err *cause)
{
    if (missed->fault && str_equal(missed->fault, cause->msg))
        return;
    free(missed->fault);
    missed->fault = str_dup(cause->msg);
    log_warning("deliveries_not_watched", kv_str("reason", cause->msg));
}

static int
find_hooks(struct missed *missed, struct session *session, struct err *err)
{
    const int64_t now_ms = clock_mono_ms();

    if (missed->hooks && now_ms < missed->hooks_mono_ms)
        return 0;
    forget_hooks(missed);
    const int r = session->platform->watch->each_hook(session, take_hook, missed, err);
    const bool full = r == ERR_LIMIT && missed->hook_count == MOST_HOOKS;
    if (r && !full) {
        forget_hooks(missed);
        return r;
    }
    if (full)
        tell_fault(missed, err);
    else
        free(TAKE(missed->fault));
    missed->hooks_mono_ms = now_ms + HOOKS_MS;
    return 0;
}

/* ---- what was sent ---- */

static int
take_sent(void *ctx, const struct watch_sent *sent, struct err *err)
{
    struct look *look = ctx;

    if (look->count == MOST_SENT) {
        look->full = true;
        return err_set(err, ERR_LIMIT, "there is more than is looked through at once");
    }
    if (look->count == look->room) {
        const size_t room = look->room ? look->room * 2 : 64;
        struct sent *grown = reallocarray(look->sent, room, sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory");
        look->sent = grown;
        look->room = room;
    }
    struct sent *mine = &look->sent[look->count];
    *mine = (struct sent){.id = sent->id,
                          .sent_ms = sent->sent_ms,
                          .first_ms = sent->sent_ms,
                          .whole = !sent->again,
                          .ok = sent->ok};
    mine->guid = str_dup(sent->guid);
    if (!mine->guid)
        return err_set(err, ERR_NOMEM, "out of memory");
    look->count++;
    return 0;
}

/* By GUID, and the newest attempt first. */
static int
by_guid(const void *left, const void *right)
{
    const struct sent *a = left;
    const struct sent *b = right;
    const int order = strcmp(a->guid, b->guid);

    return order ? order : (a->id < b->id) - (a->id > b->id);
}

static int
by_time(const void *left, const void *right)
{
    const struct sent *a = left;
    const struct sent *b = right;

    return (a->sent_ms > b->sent_ms) - (a->sent_ms < b->sent_ms);
}

/* One entry for each GUID; oldest first, so that what is asked for comes in its order. */
static void
group(struct look *look)
{
    size_t kept = 0;

    if (look->count > 0)
        qsort(look->sent, look->count, sizeof(*look->sent), by_guid);
    for (size_t i = 0; i < look->count; i++) {
        struct sent *last = kept > 0 ? &look->sent[kept - 1] : NULL;
        if (last && str_equal(last->guid, look->sent[i].guid)) {
            last->ok |= look->sent[i].ok;
            last->whole |= look->sent[i].whole;
            if (last->first_ms > look->sent[i].first_ms)
                last->first_ms = look->sent[i].first_ms;
            free(look->sent[i].guid);
        } else {
            look->sent[kept++] = look->sent[i];
        }
    }
    look->count = kept;
    if (kept > 0)
        qsort(look->sent, kept, sizeof(*look->sent), by_time);
}

/* Leave the entries that `drop` does not want dropped. */
static int
filter(struct look *look,
       int (*drop)(void *ctx, const struct sent *sent, bool *ret_drop, struct err *err),
       void *ctx,
       struct err *err)
{
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; i < look->count; i++) {
        bool dropped = false;
        if (!r)
            r = drop(ctx, &look->sent[i], &dropped, err);
        if (dropped)
            free(look->sent[i].guid);
        else
            look->sent[kept++] = look->sent[i];
    }
    look->count = kept;
    return r;
}

static bool
is_fresh(const struct look *look, const struct sent *sent)
{
    return sent->sent_ms > look->now_ms - SETTLE_MS;
}

static void
find_reach(struct look *look)
{
    look->reach_ms = look->mark_ms;
    for (size_t i = 0; i < look->count; i++)
        if (look->sent[i].sent_ms > look->reach_ms &&
            (look->sent[i].ok || !is_fresh(look, &look->sent[i])))
            look->reach_ms = look->sent[i].sent_ms;
}

/* The next look begins there: before the first that was not settled by this one. */
static void
move_mark(struct look *look)
{
    int64_t mark_ms = look->reach_ms;

    for (size_t i = 0; i < look->count; i++)
        if (!look->sent[i].ok && look->sent[i].first_ms < mark_ms)
            mark_ms = look->sent[i].first_ms;
    look->mark_ms = mark_ms > look->mark_ms ? mark_ms : look->mark_ms;
}

/* Taken, or there is no use in asking. Where the list was cut off, the first attempt may be there
 * all the same. */
static int
is_settled(void *ctx, const struct sent *sent, bool *ret_drop, struct err *err)
{
    const struct look *look = ctx;

    (void)err;
    *ret_drop =
        sent->ok || (!sent->whole && !look->full) || known_has(&look->missed->gone, sent->guid);
    return 0;
}

struct storing {
    struct db *db;
    const char *platform;
};

static int
is_stored(void *ctx, const struct sent *sent, bool *ret_drop, struct err *err)
{
    const struct storing *storing = ctx;
    AUTO(delivery_free) struct delivery *delivery = NULL;
    const int r = delivery_find(storing->db, sent->guid, &delivery, err);

    if (r == ERR_NOTFOUND)
        return 0;
    *ret_drop = !r && str_equal(delivery->platform, storing->platform);
    return r;
}

static int
drop_stored(struct db *db, void *ctx, struct err *err)
{
    struct look *look = ctx;
    struct storing storing = {.db = db, .platform = look->session->platform->name};

    return filter(look, is_stored, &storing, err);
}

static int
load_mark(struct db *db, void *ctx, struct err *err)
{
    struct look *look = ctx;
    return delivery_mark_get(db, look->session->platform->name, look->hook->name, &look->mark_ms,
                             err);
}

static int
store_mark(struct db *db, void *ctx, struct err *err)
{
    const struct look *look = ctx;
    return delivery_mark_set(db, look->session->platform->name, look->hook->name, look->mark_ms,
                             err);
}

/* What is not settled, oldest first. */
static int
find_missed(struct look *look, struct err *err)
{
    const struct platform *platform = look->session->platform;
    const struct app *app = look->missed->app;
    const int64_t oldest_ms = look->now_ms - platform->watch->kept_ms(app->settings);
    const int64_t from_ms = look->mark_ms - OVERLAP_MS;
    int r = platform->watch->each_sent(
        look->session, look->hook, from_ms > oldest_ms ? from_ms : oldest_ms, take_sent, look, err);

    if (r && !look->full)
        return r;
    if (look->full)
        log_warning("deliveries_too_many", kv_str("hook", look->hook->name),
                    kv_int("looked_at", MOST_SENT));
    group(look);
    find_reach(look);
    r = filter(look, is_settled, look, err);
    return r ? r : store_read(app->store, drop_stored, look, err);
}

static int
let_rest(struct missed *missed, const struct look *look, const char *guid, struct err *err)
{
    const size_t most = sizeof(rests_ms) / sizeof(rests_ms[0]);
    const int64_t kept_ms = look->session->platform->watch->kept_ms(missed->app->settings);
    const int r = known_add(&missed->asked, guid, look->now_ms + kept_ms, err);

    if (r)
        return r;
    const size_t times = (size_t)known_times(&missed->asked, guid);
    return known_add(&missed->resting, guid,
                     look->now_mono_ms + rests_ms[(times < most ? times : most) - 1], err);
}

/* What the platform says is no longer there is settled by that. */
static int
ask_again(struct missed *missed, const struct look *look, struct sent *sent, struct err *err)
{
    const struct platform *platform = look->session->platform;
    struct err fault = {0};
    const int r = platform->watch->send_again(look->session, look->hook, sent->id, &fault);

    if (r && r != ERR_NOTFOUND && r != ERR_INVALID) {
        *err = fault;
        return r;
    }
    if (!r) {
        log_info("delivery_asked_for", kv_str("platform", platform->name),
                 kv_str("delivery", sent->guid), kv_str("hook", look->hook->name));
        return let_rest(missed, look, sent->guid, err);
    }
    log_warning("delivery_not_asked_for", kv_str("delivery", sent->guid),
                kv_str("reason", fault.msg));
    sent->ok = true;
    return known_add(&missed->gone, sent->guid,
                     look->now_ms + platform->watch->kept_ms(missed->app->settings), err);
}

static int
ask_for_all(struct missed *missed, struct look *look, struct err *err)
{
    int asked = 0;
    int r = 0;

    for (size_t i = 0; !r && i < look->count; i++) {
        struct sent *sent = &look->sent[i];
        if (is_fresh(look, sent) || known_has(&missed->resting, sent->guid))
            continue;
        look->more = asked++ == MOST_ASKED;
        if (look->more)
            return 0;
        r = stop_raised(missed->app->stop) ? err_set(err, ERR_CANCELED, "the process is to end")
                                           : ask_again(missed, look, sent, err);
    }
    return r;
}

static int
look_at(struct missed *missed,
        struct session *session,
        const struct watch_hook *hook,
        int64_t now_mono_ms,
        bool *ret_more,
        struct err *err)
{
    AUTO_DONE(look_done)
    struct look look = {.missed = missed,
                        .session = session,
                        .hook = hook,
                        .now_ms = clock_now_ms(),
                        .now_mono_ms = now_mono_ms};
    int r = store_read(missed->app->store, load_mark, &look, err);
    const int64_t mark_ms = look.mark_ms;

    if (!r)
        r = find_missed(&look, err);
    if (!r)
        r = ask_for_all(missed, &look, err);
    if (!r)
        move_mark(&look);
    *ret_more |= look.more;
    if (r || look.more || look.mark_ms == mark_ms)
        return r;
    return store_transact(missed->app->store, store_mark, &look, err);
}

/* One hook that cannot be read does not keep the others from being; a limit is one for all. */
static int
look_at_all(struct missed *missed,
            struct session *session,
            int64_t now_mono_ms,
            bool *ret_more,
            struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < missed->hook_count && r != ERR_LIMIT && r != ERR_CANCELED; i++) {
        const struct hook *hook = &missed->hooks[i];
        const struct watch_hook known = {
            .name = hook->name, .repository = hook->repository, .id = hook->id};
        r = look_at(missed, session, &known, now_mono_ms, ret_more, err);
        if (r == ERR_NOTFOUND || r == ERR_DENIED)
            missed->hooks_mono_ms = 0; /* it may have been made anew */
        if (r && r != ERR_CANCELED)
            log_warning("deliveries_not_read", kv_str("platform", session->platform->name),
                        kv_str("hook", hook->name), kv_str("reason", err->msg));
    }
    return r;
}

int64_t
missed_look(struct missed *missed, struct session *session, int64_t now_mono_ms)
{
    const struct platform *platform = session->platform;
    struct err error = {0};
    bool more = false;
    int r = find_hooks(missed, session, &error);

    known_forget(&missed->asked, clock_now_ms());
    known_forget(&missed->gone, clock_now_ms());
    known_forget(&missed->resting, now_mono_ms);
    if (r && r != ERR_CANCELED)
        tell_fault(missed, &error);
    if (!r)
        r = look_at_all(missed, session, now_mono_ms, &more, &error);
    const int64_t limit_ms =
        r == ERR_LIMIT && platform->retry_after_ms ? platform->retry_after_ms(session) : 0;
    if (limit_ms > 0)
        return limit_ms;
    if (!missed->hooks && (r == ERR_NOTFOUND || r == ERR_INVALID))
        return HOOKS_MS;
    return more ? MS_PER_MINUTE : PAUSE_MS;
}
