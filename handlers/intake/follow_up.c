/* See follow_up.h. */
#include "handlers/intake/follow_up.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/intake/loops.h"
#include "handlers/intake/task_change.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/announce.h"
#include "handlers/thread/report.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/store/outbox.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <string.h>

#define SETTLE_MS (10 * MS_PER_SECOND) /* a review's comments come one by one */
#define MOST_CI_RUNS 2                 /* for one draft */

static const struct announcement nothing_to_add = {0};

int
follow_up_find(struct db *db,
               const char *platform,
               const struct event *event,
               struct task **ret_task,
               struct err *err)
{
    int r;

    if (event->origin)
        return task_find(db, event->origin, ret_task, err);
    r = event->draft
            ? task_find_draft(db, platform, event->repository, event->draft, ret_task, err)
            : task_find_branch(db, platform, event->repository, event->head_branch, ret_task, err);
    return r == ERR_NOTFOUND
               ? err_set(err, r, "no task of draftd has this %s", event->draft ? "draft" : "branch")
               : r;
}

int
follow_up_check_unheard(struct db *db,
                        const struct task *task,
                        const struct event *event,
                        struct err *err)
{
    const char *ref = event_ref(event);
    bool heard = false;
    const int r = ref ? run_heard(db, task->id, ref, &heard, err) : 0;

    return !r && heard
               ? err_set(err, ERR_CONFLICT, "task %" PRId64 " knows %s already", task->id, ref)
               : r;
}

/* ---- remarks ---- */

/* The checks' own failure is mended where draftd caused it, and not for ever. */
static int
check_ci(struct db *db, const struct task *task, const struct remark *remark, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    size_t count = 0;
    int r = run_latest(db, task->id, &run, err);

    if (r)
        return r;
    if (!task->follow_ci)
        return err_set(err, ERR_CONFLICT, "the repository does not want red checks followed");
    if (!run->head_commit || !str_ends_with(remark->ref, run->head_commit))
        return err_set(err, ERR_CONFLICT, "the checks are not of draftd's newest commit");
    r = remark_count_kind(db, task->id, task->draft_number, REMARK_CI, &count, err);
    if (!r && count >= MOST_CI_RUNS)
        r = err_set(err, ERR_CONFLICT, "the draft had %d runs for red checks already",
                    MOST_CI_RUNS);
    return r;
}

static int
check_remark(struct db *db, const struct task *task, const struct remark *remark, struct err *err)
{
    if (draft_state_is_ended(task->draft_state))
        return err_set(err, ERR_CONFLICT, "the draft of task %" PRId64 " was %s", task->id,
                       draft_state_name(task->draft_state));
    if (remark->kind == REMARK_BASE && !task->branch)
        return err_set(err, ERR_CONFLICT, "task %" PRId64 " has no branch yet", task->id);
    return remark->kind == REMARK_CI ? check_ci(db, task, remark, err) : 0;
}

static int
insert(struct db *db,
       const struct task *task,
       const struct event *event,
       int64_t now_ms,
       struct err *err)
{
    struct remark remark = *event->remark;
    int64_t id;

    remark.task = task->id;
    remark.draft = task->draft_number;
    remark.actor = event->actor;
    remark.agent = event->agent;
    remark.branch = event->branch;
    return remark_insert(db, &remark, now_ms, &id, err);
}

/* What a run for this remark is called. */
static const char *
trigger_of(enum remark_kind kind)
{
    switch (kind) {
    case REMARK_CI:
        return "ci";
    case REMARK_BASE:
        return "rebase";
    case REMARK_COMMENT:
        return "mention";
    case REMARK_REVIEW:
    case REMARK_LINE:
        return "review";
    }
    return "review";
}

/* The agent that was chosen once stays the task's until somebody chooses another. */
static int
queue_for(struct db *db,
          const struct remark *remark,
          const struct run *last,
          int64_t not_before_ms,
          int64_t now_ms,
          struct err *err)
{
    int64_t run;
    const int r = task_set_state(db, remark->task, TASK_QUEUED, NULL, now_ms, err);

    return r ? r
             : run_insert(db,
                          &(struct run_new){.task = remark->task,
                                            .trigger_kind = trigger_of(remark->kind),
                                            .trigger_actor = remark->actor,
                                            .trigger_ms = remark->happened_ms,
                                            .agent = remark->agent ? remark->agent : last->agent,
                                            .branch = remark->branch,
                                            .not_before_ms = not_before_ms},
                          now_ms, &run, err);
}

int
follow_up_queue(struct db *db,
                const struct app *app,
                int64_t task,
                int64_t not_before_ms,
                int64_t now_ms,
                struct err *err)
{
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    AUTO(run_free) struct run *last = NULL;
    int r = run_latest(db, task, &last, err);

    if (!r && last->state == RUN_ENDED) /* else it sees what is open by itself */
        r = remark_list_of_task(db, task, &list, err);
    for (size_t i = 0; !r && i < list.count; i++) {
        if (list.items[i]->run != 0)
            continue;
        r = queue_for(db, list.items[i], last, not_before_ms, now_ms, err);
        return r ? r : announce_status(db, app, task, &nothing_to_add, now_ms, err);
    }
    return r;
}

/* What is said while a run ends is heard after it. */
static int
check_no_end(struct db *db, int64_t task, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    const int r = run_latest(db, task, &run, err);

    return !r && run_is_ending(run)
               ? err_set(err, ERR_UNAVAILABLE, "task %" PRId64 " is being cancelled", task)
               : r;
}

int
follow_up_remark(struct db *db,
                 const struct app *app,
                 const struct task *task,
                 const struct event *event,
                 int64_t now_ms,
                 struct err *err)
{
    const enum remark_kind kind = event->remark->kind;
    const bool settles = kind == REMARK_REVIEW || kind == REMARK_LINE;
    int r = check_remark(db, task, event->remark, err);

    if (!r)
        r = check_no_end(db, task->id, err);
    if (!r)
        r = insert(db, task, event, now_ms, err);
    if (!r && event->reaction_target)
        r = announce_seen(db, task->id, event->reaction_target, now_ms, err);
    return r ? r
             : follow_up_queue(db, app, task->id, settles ? now_ms + SETTLE_MS : 0, now_ms, err);
}

/* ---- the end of a draft ---- */

static int
stop_work(
    struct db *db, const struct app *app, const struct task *task, int64_t now_ms, struct err *err)
{
    auto_free char *who =
        str_printf("whoever %s the draft", task->draft_state == DRAFT_MERGED ? "merged" : "closed");
    const struct run_cancel cancel = {.who = who};

    if (!who)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = task_cancel(db, app, task->id, &cancel, now_ms, err);
    return r == ERR_NOTFOUND ? 0 : r;
}

int
follow_up_draft(struct db *db,
                const struct app *app,
                const struct task *task,
                const struct event *event,
                int64_t now_ms,
                struct err *err)
{
    const bool ends = event->draft_state != DRAFT_OPEN;
    const int64_t ended_ms = event->happened_ms ? event->happened_ms : now_ms;
    struct task changed = *task;
    int r;

    if (task->draft_state == event->draft_state)
        return err_set(err, ERR_CONFLICT, "that is known");
    changed.draft_state = event->draft_state;
    r = task_set_draft_state(db, task->id, event->draft_state, ends ? ended_ms : 0, err);
    if (!r && ends)
        r = stop_work(db, app, &changed, now_ms, err);
    return r ? r : announce_status(db, app, task->id, &nothing_to_add, now_ms, err);
}

/* ---- questions ---- */

/* An answer begins with a line that names its question: asked in another delivery, it is known. */
static int
check_unanswered(struct db *db, int64_t task, const char *text, struct err *err)
{
    bool put = false;
    const int r = outbox_was_put(db, task, OUTBOX_COMMENT, bytes_of(text, strcspn(text, "\n") + 1),
                                 &put, err);

    return !r && put ? err_set(err, ERR_CONFLICT, "that was answered already") : r;
}

/* A review has nothing to put a sign on. */
static struct report_answer_input
make_input(const struct app *app, const struct task *task, const struct event *event)
{
    return (struct report_answer_input){
        .task = task,
        .instance = app->instance,
        .bot_name = app->settings->bot.name,
        .bot_label = app->settings->bot.label,
        .question = event->reaction_target ? event->reaction_target : event_ref(event),
    };
}

static int
make_answer(const struct app *app,
            const struct task *task,
            const struct event *event,
            char **ret_text,
            struct err *err)
{
    const struct report_answer_input input = make_input(app, task, event);

    if (event->kind != EVENT_ASK)
        return report_refusal(&input, ret_text, err);
    return event->command == MENTION_HELP ? report_help(&input, ret_text, err)
                                          : report_status_answer(&input, ret_text, err);
}

/* Owe a comment where the event happened. `task`: NULL where there is none. */
static int
owe_comment(struct db *db,
            const char *platform,
            const struct task *task,
            const struct event *event,
            const char *text,
            int64_t now_ms,
            struct err *err)
{
    const int64_t id = task ? task->id : 0;
    auto_free char *target = event->draft ? str_printf("pull:%" PRId64, event->draft) : NULL;
    auto_free char *thread =
        task ? str_dup(task->thread)
             : str_printf("%s:%s#%" PRId64, platform, event->repository, event->number);

    if (!thread || (event->draft && !target))
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = check_unanswered(db, id, text, err);
    if (!r)
        r = loops_check_answers(db, id, thread, now_ms, err);
    if (r)
        return r;
    return outbox_put(db,
                      &(struct outbox_new){.platform = platform,
                                           .thread = thread,
                                           .kind = OUTBOX_COMMENT,
                                           .task = id,
                                           .target = target,
                                           .body = text},
                      now_ms, err);
}

int
follow_up_decline(struct db *db,
                  const struct app *app,
                  const struct task *task,
                  const struct event *event,
                  const char *reason,
                  int64_t now_ms,
                  struct err *err)
{
    const struct platform *platform = platform_find(task->platform);
    AUTO(run_free) struct run *run = NULL;
    auto_free char *name = NULL;
    auto_free char *text = NULL;
    int r = run_latest(db, task->id, &run, err);

    if (r || !platform || !platform->send)
        return r;
    name = str_printf("run%" PRId64, run->number);
    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct report_answer_input input = {
        .task = task, .instance = app->instance, .question = name};
    r = report_decline(&input, reason, &text, err);
    if (!r)
        r = owe_comment(db, task->platform, task, event, text, now_ms, err);
    return r == ERR_CONFLICT ? 0 : r;
}

int
follow_up_answer(struct db *db,
                 const struct app *app,
                 const char *platform,
                 const struct task *task,
                 const struct event *event,
                 int64_t now_ms,
                 struct err *err)
{
    auto_free char *text = NULL;
    const int r = make_answer(app, task, event, &text, err);

    return r ? r : owe_comment(db, platform, task, event, text, now_ms, err);
}

int
follow_up_say_ended(struct db *db,
                    const struct app *app,
                    const struct task *task,
                    const struct past_draft *ended,
                    const struct event *event,
                    int64_t now_ms,
                    struct err *err)
{
    const struct report_answer_input input = make_input(app, task, event);
    auto_free char *text = NULL;
    const int r = report_ended(&input, ended, &text, err);

    return r ? r : owe_comment(db, task->platform, task, event, text, now_ms, err);
}
