/* See ended_draft.h. */
#include "handlers/intake/ended_draft.h"

#include "handlers/intake/event.h"
#include "handlers/intake/follow_up.h"
#include "server/store/past_draft.h"

#include <inttypes.h>

int
ended_draft_check(struct db *db,
                  const struct app *app,
                  const struct task *task,
                  const struct event *event,
                  int64_t now_ms,
                  struct err *err)
{
    const struct past_draft draft = {
        .number = task->draft_number, .url = task->draft_url, .state = task->draft_state};

    /* What else asks for work begins anew. */
    if (!draft_state_is_ended(task->draft_state) || event->kind != EVENT_REMARK ||
        event->command == MENTION_NONE)
        return 0;
    const int r = follow_up_say_ended(db, app, task, &draft, event, now_ms, err);
    return r ? r
             : err_set(err, ERR_CONFLICT, "the draft of task %" PRId64 " was %s", task->id,
                       draft_state_name(task->draft_state));
}

/* ---- of the past ---- */

static int
note_state(struct db *db,
           const struct past_draft *past,
           const struct event *event,
           int64_t now_ms,
           struct err *err)
{
    const int64_t ended_ms = event->happened_ms ? event->happened_ms : now_ms;

    return past->state == event->draft_state
               ? err_set(err, ERR_CONFLICT, "that is known")
               : past_draft_set_state(db, past->id, event->draft_state,
                                      event->draft_state == DRAFT_OPEN ? 0 : ended_ms, err);
}

static int
answer(struct db *db,
       const struct app *app,
       const struct task *task,
       const struct past_draft *past,
       const struct event *event,
       int64_t now_ms,
       struct err *err)
{
    if (event->command == MENTION_NONE)
        return err_set(err, ERR_CONFLICT, "task %" PRId64 " has draft %" PRId64 " no more: %s",
                       task->id, past->number, past_draft_state_name(past));
    /* It may have been said while the task had this draft. */
    const int r = follow_up_check_unheard(db, task, event, err);
    if (r)
        return r;
    return event->command == MENTION_HELP
               ? follow_up_answer(db, app, task->platform, task, event, now_ms, err)
               : follow_up_say_ended(db, app, task, past, event, now_ms, err);
}

int
ended_draft_hear(struct db *db,
                 const struct app *app,
                 const char *platform,
                 const struct event *event,
                 int64_t now_ms,
                 int64_t *ret_task,
                 struct err *err)
{
    AUTO(past_draft_free) struct past_draft *past = NULL;
    AUTO(task_free) struct task *task = NULL;
    int r = event->draft
                ? past_draft_find(db, platform, event->repository, event->draft, &past, err)
                : ERR_NOTFOUND;

    if (!r)
        r = task_get(db, past->task, &task, err);
    if (!r)
        r = event->kind == EVENT_DRAFT ? note_state(db, past, event, now_ms, err)
                                       : answer(db, app, task, past, event, now_ms, err);
    if (!r)
        *ret_task = task->id;
    return r;
}
