/* See task_change.h. */
#include "handlers/intake/task_change.h"

#include "handlers/intake/event.h"
#include "handlers/thread/announce.h"
#include "server/base/clock.h"
#include "server/base/strbuf.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct announcement nothing_to_add = {0};

static int
insert_task(struct db *db,
            const char *platform,
            const struct event *event,
            int64_t now_ms,
            int64_t *ret_task,
            struct err *err)
{
    const struct task task = {
        .platform = (char *)(uintptr_t)platform,
        .origin = event->origin,
        .thread = event->origin,
        .repository = event->repository,
        .number = event->number,
        .title = event->title,
        .text = event->text,
        .url = event->url,
        .requested_by = event->actor,
    };
    return task_insert(db, &task, now_ms, ret_task, err);
}

/* Is a wish the one that this ended run was about? By the platform's clock until it was taken back.
 * What is said in words is known by its name (run_heard), and was not heard yet. A label has none:
 * it is ours, which is finer than the platform's clock, until the run ended; if ours was wrong
 * then, the wish that began the run is still known, and one that is newer is still heard. */
static bool
is_settled(const struct run *run, const struct event *event, int64_t now_ms)
{
    const int64_t happened_ms = event->happened_ms;

    if (run->cancel_ms)
        return happened_ms < run->cancel_ms;
    if (event_has_words(event))
        return false;
    if (happened_ms <= run->trigger_ms)
        return true;
    return run->finished_ms <= now_ms &&
           happened_ms < run->finished_ms / MS_PER_SECOND * MS_PER_SECOND;
}

/* Does the event ask for something that the task's last run has not seen? The platforms' order is
 * not guaranteed, and their clocks tell seconds. ERR_UNAVAILABLE: not before that run has ended. */
static int
check_is_new(struct db *db,
             const struct task *task,
             const struct event *event,
             int64_t now_ms,
             struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    const int r = run_latest(db, task->id, &run, err);

    if (r)
        return r;
    const bool ends = run_is_ending(run);
    if (run->state != RUN_ENDED && !ends)
        return err_set(err, ERR_CONFLICT, "task %" PRId64 " is under way", task->id);
    if (event->happened_ms &&
        (ends ? event->happened_ms < run->cancel_ms : is_settled(run, event, now_ms)))
        return err_set(err, ERR_CONFLICT, "task %" PRId64 " ended after this happened", task->id);
    return ends ? err_set(err, ERR_UNAVAILABLE, "task %" PRId64 " is being cancelled", task->id)
                : 0;
}

/* A draft that was merged or closed is history: what is asked now begins anew. */
static int
leave_ended_draft(struct db *db, const struct task *task, struct err *err)
{
    return draft_state_is_ended(task->draft_state) ? task_leave_draft(db, task->id, err) : 0;
}

static int
restart_task(struct db *db,
             const struct task *task,
             const struct event *event,
             int64_t now_ms,
             struct err *err)
{
    int r = check_is_new(db, task, event, now_ms, err);

    if (!r)
        r = task_set_request(db, task->id, event->title, event->text, event->actor, now_ms, err);
    if (!r)
        r = leave_ended_draft(db, task, err);
    if (!r)
        r = task_set_state(db, task->id, TASK_QUEUED, NULL, now_ms, err);
    return r;
}

static const char * or (const char *text, const char *other)
{
    return text ? text : other;
}

int
task_start(struct db *db,
           const struct app *app,
           const char *platform,
           const struct event *event,
           int64_t now_ms,
           int64_t *ret_task,
           struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    AUTO(run_free) struct run *last = NULL;
    int64_t id = 0;
    int64_t run;
    int r = task_find(db, event->origin, &task, err);

    if (r && r != ERR_NOTFOUND)
        return r;
    if (task) {
        id = task->id;
        r = restart_task(db, task, event, now_ms, err);
        if (!r)
            r = run_latest(db, id, &last, err);
    } else {
        r = insert_task(db, platform, event, now_ms, &id, err);
    }
    if (r)
        return r;

    r = run_insert(db,
                   &(struct run_new){.task = id,
                                     .trigger_kind = event->trigger,
                                     .trigger_actor = event->actor,
                                     .trigger_ms = event->happened_ms,
                                     .trigger_ref = event_ref(event),
                                     .instruction = event->instruction,
                                     .agent = or (event->agent, last ? last->agent : NULL),
                                     .branch = event->branch},
                   now_ms, &run, err);
    if (!r)
        r = announce_seen(db, id, event->reaction_target, now_ms, err);
    if (!r)
        r = announce_status(db, app, id, &nothing_to_add, now_ms, err);
    if (r)
        return r;
    *ret_task = id;
    return 0;
}

int
task_retry(struct db *db,
           const struct app *app,
           int64_t id,
           const struct task_again *again,
           int64_t now_ms,
           struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    AUTO(run_free) struct run *last = NULL;
    int64_t run;
    int r = task_get(db, id, &task, err);

    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no task %" PRId64, id);
    if (!r)
        r = run_latest(db, id, &last, err);
    if (r)
        return r;
    if (run_is_ending(last))
        return err_set(err, ERR_UNAVAILABLE, "task %" PRId64 " is being cancelled", id);
    if (task_state_is_live(task->state))
        return err_set(err, ERR_CONFLICT, "task %" PRId64 " is under way", id);
    r = leave_ended_draft(db, task, err);
    if (!r && last->outcome != OUTCOME_DRAFT)
        r = remark_reopen(db, last->id, err);
    if (!r)
        r = task_set_state(db, id, TASK_QUEUED, NULL, now_ms, err);
    if (!r)
        r = run_insert(db,
                       &(struct run_new){.task = id,
                                         .trigger_kind = "retry",
                                         .trigger_actor = again->actor,
                                         .trigger_ms = again->happened_ms,
                                         .trigger_ref = again->ref,
                                         .instruction = or (again->instruction, last->instruction),
                                         .agent = or (again->agent, last->agent),
                                         .branch = or (again->branch, last->branch)},
                       now_ms, &run, err);
    if (!r)
        r = announce_status(db, app, id, &nothing_to_add, now_ms, err);
    return r;
}

int
task_cancel(struct db *db,
            const struct app *app,
            int64_t id,
            const struct run_cancel *cancel,
            int64_t now_ms,
            struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    bool ended;
    int r = run_latest(db, id, &run, err);

    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no task %" PRId64, id);
    if (!r)
        r = run_request_cancel(db, id, cancel, now_ms, &ended, err);
    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "nothing of task %" PRId64 " is under way", id);
    if (!r)
        r = remark_take_back(db, id, run->id, cancel->happened_ms, err);
    if (r)
        return r;
    if (!ended)
        return 0; /* its worker sees it and ends the run */

    auto_free char *reason = str_printf("cancelled by %s before it began", cancel->who);
    if (!reason)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = task_set_state(db, id, TASK_CANCELED, reason, now_ms, err);
    if (!r)
        r = announce_status(db, app, id, &nothing_to_add, now_ms, err);
    return r;
}
