/* See drafts.h. */
#include "handlers/watch/drafts.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/intake/follow_up.h"
#include "handlers/platform.h"
#include "handlers/thread/announce.h"
#include "handlers/watch/platform_watch.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <stdlib.h>

#define SWEEP_MS (10 * MS_PER_MINUTE)
#define PORTION 20
#define PORTION_MS (10 * MS_PER_SECOND) /* two calls a second, and most of them cost nothing */
#define MOST_FAILURES 3 /* one after the other: then it is not the draft's own fault */

struct portion {
    const struct drafts *drafts;
    struct task_list list;
};

static void
portion_done(struct portion *portion)
{
    task_list_done(&portion->list);
}

static int
load(struct db *db, void *ctx, struct err *err)
{
    struct portion *portion = ctx;
    const int64_t below = portion->drafts->below;

    return task_list_open_drafts(db, below ? below : INT64_MAX, PORTION, &portion->list, err);
}

/* What was found of one draft. */
struct finding {
    const struct app *app;
    const struct task *looked_at;
    struct watch_draft draft;
    bool ended; /* and that was news */
};

static void
finding_done(struct finding *finding)
{
    free(finding->draft.seen);
}

static int
record_end(struct db *db,
           struct finding *finding,
           const struct task *task,
           int64_t now_ms,
           struct err *err)
{
    const struct watch_draft *draft = &finding->draft;
    const struct event event = {
        .kind = EVENT_DRAFT,
        .draft_state = draft->merged ? DRAFT_MERGED : DRAFT_CLOSED,
        .happened_ms = draft->ended_ms,
    };
    const int r = follow_up_draft(db, finding->app, task, &event, now_ms, err);

    finding->ended = !r;
    return r;
}

/* While a run is under way its own words stand there; what it leaves is said at its end. The last
 * words of a run without a draft would lose what they quote. */
static int
record_conflicts(struct db *db,
                 const struct finding *finding,
                 const struct task *task,
                 int64_t now_ms,
                 struct err *err)
{
    const struct watch_draft *draft = &finding->draft;
    const bool conflicts = draft->conflicts_known ? draft->conflicts : task->draft_conflicts;
    const bool news = conflicts != task->draft_conflicts;
    int r = 0;

    if (news || !str_equal(draft->seen, task->draft_seen))
        r = task_set_draft_seen(db, task->id, conflicts, draft->seen, err);
    if (!r && news && task->state == TASK_DRAFTED)
        r = announce_status(db, finding->app, task->id, &(struct announcement){0}, now_ms, err);
    return r;
}

/* Unless it moved on since it was looked at. */
static int
record(struct db *db, void *ctx, struct err *err)
{
    struct finding *finding = ctx;
    const struct task *before = finding->looked_at;
    AUTO(task_free) struct task *task = NULL;
    const int64_t now_ms = clock_now_ms();
    const int r = task_get(db, before->id, &task, err);

    finding->ended = false;
    if (r)
        return r;
    if (task->draft_state != DRAFT_OPEN || task->draft_number != before->draft_number ||
        !str_equal(task->draft_seen, before->draft_seen))
        return 0;
    return finding->draft.open ? record_conflicts(db, finding, task, now_ms, err)
                               : record_end(db, finding, task, now_ms, err);
}

static int
look_at(const struct app *app, struct session *session, const struct task *task, struct err *err)
{
    AUTO_DONE(finding_done) struct finding finding = {.app = app, .looked_at = task};
    int r = session->platform->watch->look_at_draft(session, task, task->draft_seen, &finding.draft,
                                                    err);

    if (r || finding.draft.unchanged)
        return r;
    r = store_transact(app->store, record, &finding, err);
    if (!r && finding.ended)
        log_info("draft_end_found", kv_int("task", task->id), kv_int("draft", task->draft_number),
                 kv_bool("merged", finding.draft.merged));
    return r;
}

/* Does what failed concern all drafts alike? One that is gone is nothing but gone. */
static bool
stops_sweep(struct drafts *drafts, int code)
{
    const bool gone = code == ERR_NOTFOUND || code == ERR_DENIED;

    drafts->failures = code && !gone ? drafts->failures + 1 : 0;
    return code == ERR_LIMIT || code == ERR_CANCELED || drafts->failures >= MOST_FAILURES;
}

static int
look_at_portion(struct drafts *drafts,
                struct app *app,
                struct session *session,
                const struct task_list *list,
                struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < list->count && !stop_raised(app->stop); i++) {
        const struct task *task = list->items[i];
        struct err fault = {0};
        const bool ours = str_equal(task->platform, session->platform->name);
        r = ours ? look_at(app, session, task, &fault) : 0;
        if (r && r != ERR_CANCELED)
            log_warning("draft_not_read", kv_int("task", task->id), kv_str("reason", fault.msg));
        if (stops_sweep(drafts, r)) {
            *err = fault;
            return r;
        }
        drafts->below = task->id;
    }
    return 0;
}

int64_t
drafts_look(struct drafts *drafts, struct app *app, struct session *session)
{
    const struct platform *platform = session->platform;
    AUTO_DONE(portion_done) struct portion portion = {.drafts = drafts};
    struct err error = {0};

    if (!drafts->below)
        drafts->began_ms = clock_mono_ms();
    int r = store_read(app->store, load, &portion, &error);
    if (r)
        log_warning("drafts_not_read", kv_str("reason", error.msg));
    if (!r)
        r = look_at_portion(drafts, app, session, &portion.list, &error);
    const int64_t limit_ms =
        r == ERR_LIMIT && platform->retry_after_ms ? platform->retry_after_ms(session) : 0;
    if (r) {
        drafts->failures = 0;
        return limit_ms > 0 ? limit_ms : MS_PER_MINUTE;
    }
    if (portion.list.count == PORTION)
        return PORTION_MS;
    drafts->below = 0;
    const int64_t left_ms = drafts->began_ms + SWEEP_MS - clock_mono_ms();
    return left_ms > 0 ? left_ms : 0;
}
