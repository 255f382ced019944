/* See event_apply.h. */
#include "handlers/intake/event_apply.h"

#include "handlers/intake/ended_draft.h"
#include "handlers/intake/event.h"
#include "handlers/intake/follow_up.h"
#include "handlers/intake/loops.h"
#include "handlers/intake/notice.h"
#include "handlers/intake/task_change.h"
#include "server/base/str.h"
#include "server/store/run.h"
#include "server/store/task.h"
#include "server/store/withdrawal.h"

#include <inttypes.h>

/* Taken back is also what is told of later. */
static int
withdraw(
    struct db *db, const char *origin, const struct event *event, int64_t now_ms, struct err *err)
{
    return origin && event->happened_ms
               ? withdrawal_note(db, origin, event->happened_ms, event_ref(event), now_ms, err)
               : 0;
}

static int
cancel(struct db *db,
       const struct app *app,
       const struct task *task,
       const struct event *event,
       int64_t now_ms,
       struct err *err)
{
    const struct run_cancel cancel = {.who = event->actor, .happened_ms = event->happened_ms};
    int r = withdraw(db, task->origin, event, now_ms, err);

    if (!r)
        r = task_cancel(db, app, task->id, &cancel, now_ms, err);
    return r ? r : follow_up_queue(db, app, task->id, 0, now_ms, err);
}

/* What the event asks of a task that is there. */
static int
change_known(struct db *db,
             const struct app *app,
             const struct task *task,
             const struct event *event,
             int64_t now_ms,
             struct err *err)
{
    const struct task_again again = {.actor = event->actor,
                                     .instruction = event->instruction,
                                     .agent = event->agent,
                                     .branch = event->branch,
                                     .happened_ms = event->happened_ms,
                                     .ref = event_ref(event)};

    switch (event->kind) {
    case EVENT_START:
        return task_retry(db, app, task->id, &again, now_ms, err);
    case EVENT_CANCEL:
        return cancel(db, app, task, event, now_ms, err);
    case EVENT_REMARK:
        return follow_up_remark(db, app, task, event, now_ms, err);
    case EVENT_DRAFT:
        return follow_up_draft(db, app, task, event, now_ms, err);
    case EVENT_ASK:
        return follow_up_answer(db, app, task->platform, task, event, now_ms, err);
    case EVENT_IGNORED:
    case EVENT_NOTICE:
        break;
    }
    return err_set(err, ERR_INTERNAL, "an event that asks for nothing");
}

/* Only what is asked about an issue for the first time, or with new words, makes a task of it. */
static bool
starts_task(const struct event *event, const struct task *known)
{
    return event->kind == EVENT_START && event->origin &&
           (!known || event->command != MENTION_RETRY);
}

/* A wish that comes while a run is under way is said to that run. One that is to end hears nothing.
 */
static int
tell_live_run(struct db *db,
              const struct app *app,
              const struct task *task,
              const struct event *event,
              int64_t now_ms,
              struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    struct err fault;
    const int r = run_latest(db, task->id, &run, &fault);

    if (r || run->state == RUN_ENDED || run_is_ending(run) || !event_has_words(event))
        return ERR_CONFLICT; /* as err says already */
    return follow_up_remark(db, app, task, event, now_ms, err);
}

/* Who asks where there is no task, or for work on somebody else's pull request, is answered. */
static int
answer_stranger(struct db *db,
                const struct app *app,
                const char *platform,
                const struct event *event,
                int64_t now_ms,
                struct err *err)
{
    const bool asks = event->kind == EVENT_ASK;
    const bool wishes = event->kind == EVENT_REMARK && str_equal(event->trigger, "mention");

    if (!event->number || (!asks && !wishes))
        return ERR_NOTFOUND; /* as err says already */
    return follow_up_answer(db, app, platform, NULL, event, now_ms, err);
}

static int
check_not_withdrawn(struct db *db,
                    const struct task *task,
                    const struct event *event,
                    struct err *err)
{
    const bool wishes = event->kind == EVENT_START || event->kind == EVENT_REMARK;
    const char *origin = task ? task->origin : event->origin;
    int64_t withdrawn_ms = 0;

    if (!wishes || !origin || !event->happened_ms)
        return 0;
    const int r = withdrawal_last(db, origin, &withdrawn_ms, err);
    return !r && event->happened_ms < withdrawn_ms
               ? err_set(err, ERR_CONFLICT, "that was taken back since")
               : r;
}

/* An echo of ours is nothing new, and gets no answer that could be echoed again. Is it enough, the
 * thread is told. */
static int
check_loops(struct db *db,
            const struct app *app,
            const struct task *task,
            const struct event *event,
            int64_t now_ms,
            struct err *err)
{
    struct err fault = {0};
    bool echo = false;
    int r = loops_find_echo(db, app, task, event, &echo, err);

    if (!r && echo)
        return err_set(err, ERR_CONFLICT, "it only repeats what draftd said itself");
    if (!r)
        r = loops_check_work(db, task, event, now_ms, err);
    if (r != ERR_CONFLICT)
        return r;
    const int told = follow_up_decline(db, app, task, event, err->msg, now_ms, &fault);
    if (told)
        *err = fault;
    return told ? told : r;
}

/* Is it still to be done?  Errors: ERR_CONFLICT it is not. */
static int
check_is_wanted(struct db *db,
                const struct app *app,
                const struct task *task,
                const struct event *event,
                int64_t now_ms,
                struct err *err)
{
    int r = check_not_withdrawn(db, task, event, err);

    if (!r && task)
        r = follow_up_check_unheard(db, task, event, err);
    if (!r && task)
        r = check_loops(db, app, task, event, now_ms, err);
    if (!r && task)
        r = ended_draft_check(db, app, task, event, now_ms, err);
    return r;
}

/* Of a task that is not known: it may be about a draft that one had once, the wish may be told of
 * after its end, and who asks is answered. */
static int
note_stranger(struct db *db,
              const struct app *app,
              const char *platform,
              const struct event *event,
              int64_t now_ms,
              int64_t *ret_task,
              struct err *err)
{
    struct err fault = {0};
    const int heard = ended_draft_hear(db, app, platform, event, now_ms, ret_task, &fault);

    if (heard && heard != ERR_NOTFOUND)
        *err = fault;
    if (heard != ERR_NOTFOUND)
        return heard;
    if (event->kind != EVENT_CANCEL)
        return answer_stranger(db, app, platform, event, now_ms, err);
    const int r = withdraw(db, event->origin, event, now_ms, err);
    return r ? r : ERR_NOTFOUND; /* as err says already */
}

int
event_apply(struct db *db,
            struct app *app,
            const char *platform,
            const struct event *event,
            int64_t now_ms,
            int64_t *ret_task,
            struct err *err)
{
    AUTO(task_free) struct task *task = NULL;

    *ret_task = 0;
    int r = notice_name(db, platform, event, err);
    if (r)
        return r;
    if (event->kind == EVENT_NOTICE)
        return notice_take(db, app, platform, event, now_ms, err);
    r = follow_up_find(db, platform, event, &task, err);
    if (!r || r == ERR_NOTFOUND)
        r = check_is_wanted(db, app, task, event, now_ms, err);
    if (r)
        return r;
    if (starts_task(event, task)) {
        r = task_start(db, app, platform, event, now_ms, ret_task, err);
        return r == ERR_CONFLICT && task ? tell_live_run(db, app, task, event, now_ms, err) : r;
    }
    if (!task)
        return note_stranger(db, app, platform, event, now_ms, ret_task, err);
    *ret_task = task->id;
    return change_known(db, app, task, event, now_ms, err);
}
