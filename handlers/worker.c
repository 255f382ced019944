/* See worker.h. Policy on failures lives here: what is retried, how long, and what the thread is
 * told meanwhile. */
#include "handlers/worker.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/run/remarks.h"
#include "handlers/run/task_run.h"
#include "handlers/thread/announce.h"
#include "handlers/thread/live.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/service.h"
#include "server/store/remark.h"
#include "server/store/step.h"
#include "server/store/store.h"

#include <inttypes.h>
#include <stdlib.h>

#define FIRST_RETRY_MS (5 * MS_PER_SECOND)
#define MOST_RETRY_MS (5 * MS_PER_MINUTE)
#define TELL_AFTER_MS (5 * MS_PER_MINUTE) /* something is away: the thread is told */
#define MOST_TRIES 5 /* those, and those that ended with the process and left no word */

struct worker {
    struct app *app;
};

int
worker_new(struct app *app, struct worker **ret_worker, struct err *err)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return err_set(err, ERR_NOMEM, "out of memory");
    worker->app = app;
    *ret_worker = worker;
    return 0;
}

void
worker_free(struct worker *worker)
{
    free(worker);
}

struct claim_work {
    const struct app *app;
    struct run *run;
    struct task *task;
};

/* Whatever becomes of the run, it was told what was open when it began; one whose change is made
 * already cannot heed it. */
static int
take_remarks(struct db *db, const struct run *run, struct err *err)
{
    const int64_t round = run->round > 0 ? run->round : 1;
    size_t count;

    return run->stage < STAGE_EXPORT ? remark_take(db, run->task, run->id, round, &count, err) : 0;
}

static int
claim(struct db *db, void *ctx, struct err *err)
{
    struct claim_work *claimed = ctx;
    const int64_t now_ms = clock_now_ms();
    AUTO(run_free) struct run *run = NULL;
    auto_free int64_t *in_hands = NULL;
    size_t count = 0;
    int r = live_list(claimed->app->live, &in_hands, &count, err);

    if (!r)
        r = run_claim(db,
                      &(struct run_claim){.owner = claimed->app->owner,
                                          .now_ms = now_ms,
                                          .lease_until_ms = now_ms + LEASE_MS,
                                          .in_hands = in_hands,
                                          .in_hands_count = count},
                      &run, err);
    if (r)
        return r;
    task_free(TAKE(claimed->task)); /* of an earlier try whose commit failed */
    r = task_get(db, run->task, &claimed->task, err);
    if (r)
        return r;
    r = take_remarks(db, run, err);
    if (r)
        return r;
    run_free(claimed->run);
    claimed->run = TAKE(run);
    return 0;
}

static enum task_state
state_after(enum run_outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DRAFT:
        return TASK_DRAFTED;
    case OUTCOME_UNCHANGED:
        return TASK_UNCHANGED;
    case OUTCOME_HELD:
        return TASK_HELD;
    case OUTCOME_CANCELED:
        return TASK_CANCELED;
    case OUTCOME_NONE:
    case OUTCOME_FAILED:
        return TASK_FAILED;
    }
    return TASK_FAILED;
}

struct end_work {
    const struct work *work;
    int64_t now_ms;
};

/* Run, task and the last word to the thread: one transaction. */
static int
store_end(struct db *db, void *ctx, struct err *err)
{
    const struct end_work *end = ctx;
    const struct work *work = end->work;
    const struct ending *ending = &work->ending;
    int r = run_set_detail(db, work->lease, ending->detail, err);

    if (!r)
        r = run_finish(db, work->lease, ending->outcome, ending->reason, end->now_ms, err);
    if (!r)
        r = task_set_state(db, work->task->id, state_after(ending->outcome), ending->reason,
                           end->now_ms, err);
    if (!r)
        r = announce_status(
            db, work->app, work->task->id,
            &(struct announcement){.output = ending->output, .detail = ending->detail}, end->now_ms,
            err);
    return r ? r : remarks_close(db, work->app, work, end->now_ms, err);
}

struct give_back_work {
    const struct work *work;
    struct run_return how;
    const char *waiting_for; /* to be told; or NULL */
    int64_t now_ms;
};

static int
store_give_back(struct db *db, void *ctx, struct err *err)
{
    const struct give_back_work *back = ctx;
    const struct work *work = back->work;
    int r = run_give_back(db, work->lease, &back->how, back->now_ms, err);

    if (!r && back->waiting_for)
        r = announce_status(db, work->app, work->task->id,
                            &(struct announcement){.waiting_for = back->waiting_for}, back->now_ms,
                            err);
    return r;
}

/* All that the run made is taken back, and what it was asked for stays: one transaction. */
static int
store_begin_anew(struct db *db, void *ctx, struct err *err)
{
    const struct give_back_work *back = ctx;
    const struct work *work = back->work;
    int r = run_rewind(db, work->lease, err);

    if (!r)
        r = check_remove(db, work->run->id, err);
    if (!r)
        r = remark_give_again(db, work->run->id, err);
    if (!r)
        r = run_give_back(db, work->lease, &back->how, back->now_ms, err);
    return r ? r
             : announce_status(db, work->app, work->task->id,
                               &(struct announcement){.detail = back->how.detail}, back->now_ms,
                               err);
}

/* For how long the platform said that it takes no calls. */
static int64_t
told_pause_ms(const struct work *work, const struct err *cause)
{
    const bool told =
        cause->code == ERR_LIMIT && work->session && work->session->platform->retry_after_ms;

    return told ? work->session->platform->retry_after_ms(work->session) : 0;
}

struct reload_work {
    int64_t id;
    struct run *run;
};

static int
reload(struct db *db, void *ctx, struct err *err)
{
    struct reload_work *again = ctx;
    return run_get(db, again->id, &again->run, err);
}

/* Something needed is away: later again, for a day. The longer it lasts the less often it is tried.
 * What was away before is not what is away now when the run went on in between. */
static int
wait_for(struct work *work, const struct err *cause, bool spent, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    struct reload_work again = {.id = work->run->id};
    int r = store_read(work->app->store, reload, &again, err);

    if (r)
        return r;
    run = again.run; /* since when it waits was moved if the clock was set meanwhile, but for what
                      * was written just then: nothing waits since before it was asked for */
    const int64_t now_ms = clock_now_ms();
    const bool lasts = run->waiting_since_ms && !work->spent;
    const int64_t noted_ms = lasts ? run->waiting_since_ms : now_ms;
    const int64_t since_ms = noted_ms > run->created_ms ? noted_ms : run->created_ms;
    const int64_t waited_ms = now_ms - since_ms;
    int64_t pause_ms = waited_ms / 4;

    if (waited_ms > RETRY_FOR_MS)
        return work_conclude(work, err, OUTCOME_FAILED, "gave up after a day: %s", cause->msg);
    if (pause_ms < FIRST_RETRY_MS)
        pause_ms = FIRST_RETRY_MS;
    if (pause_ms > MOST_RETRY_MS)
        pause_ms = MOST_RETRY_MS;
    if (pause_ms < told_pause_ms(work, cause))
        pause_ms = told_pause_ms(work, cause);
    r = store_transact(work->app->store, store_give_back,
                       &(struct give_back_work){
                           .work = work,
                           .how = {.not_before_ms = now_ms + pause_ms,
                                   .waiting_since_ms = since_ms,
                                   .spent = spent,
                                   .detail = cause->msg},
                           .waiting_for = waited_ms >= TELL_AFTER_MS ? cause->msg : NULL,
                           .now_ms = now_ms,
                       },
                       err);
    if (!r)
        log_warning("run_waits", kv_int("task", work->task->id), kv_int("run", work->run->id),
                    kv_int("for_ms", pause_ms), kv_str("reason", cause->msg));
    return r;
}

static int
conclude_canceled(struct work *work, struct err *err)
{
    struct reload_work again = {.id = work->run->id};
    const int r = store_read(work->app->store, reload, &again, err);

    if (r)
        return r;
    run_free(work->run);
    work->run = again.run;
    return work_conclude(work, err, OUTCOME_CANCELED, "cancelled by %s",
                         again.run->cancel_requested ? again.run->cancel_requested : "somebody");
}

static int
stopped(struct work *work, struct err *err)
{
    const int64_t now_ms = clock_now_ms();

    if (live_why(work->app->live, work->run->id) == LIVE_CANCELED)
        return conclude_canceled(work, err);
    const struct run_return how = {
        .not_before_ms = now_ms,
        .waiting_since_ms = work->spent ? 0 : work->run->waiting_since_ms,
    };
    const int r =
        store_transact(work->app->store, store_give_back,
                       &(struct give_back_work){.work = work, .how = how, .now_ms = now_ms}, err);
    if (!r)
        log_info("run_given_back", kv_int("task", work->task->id), kv_int("run", work->run->id));
    return r;
}

/* People went on with the branch while the run worked: it starts from there, with the same words
 * and remarks. */
static int
begin_anew(struct work *work, const struct err *cause, struct err *err)
{
    const int64_t now_ms = clock_now_ms();
    auto_free char *why = str_printf(
        "The branch was pushed to meanwhile: begun anew from there, try %" PRId64 " of at most %d",
        work->run->attempts + 1, WORK_TRIES);

    if (!why)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = store_transact(
        work->app->store, store_begin_anew,
        &(struct give_back_work){.work = work,
                                 .how = {.not_before_ms = now_ms, .spent = true, .detail = why},
                                 .now_ms = now_ms},
        err);
    if (!r)
        log_info("run_begins_anew", kv_int("task", work->task->id), kv_int("run", work->run->id),
                 kv_int("tries", work->run->attempts), kv_str("reason", cause->msg));
    return r;
}

/* What to do about a pipeline that did not reach an ending of its own. */
static int
handle_failure(struct work *work, const struct err *cause, struct err *err)
{
    if (stop_raised(work->stop))
        return stopped(work, err);
    if (work->overtaken && work->run->attempts < WORK_TRIES)
        return begin_anew(work, cause, err);
    const enum run_stage stage = work->run->stage;
    const bool in_sandbox = stage != STAGE_FETCH && stage != STAGE_PUBLISH;
    const bool spent = in_sandbox && (work->spent || cause->code == ERR_REMOTE);

    if (cause->code == ERR_TIMEOUT && in_sandbox)
        return work_conclude(work, err, OUTCOME_FAILED, "ran out of time: %s", cause->msg);
    if (spent && work->run->attempts >= WORK_TRIES)
        return work_conclude(work, err, OUTCOME_FAILED, "gave up after %" PRId64 " tries: %s",
                             work->run->attempts, cause->msg);
    if (err_may_pass(cause->code))
        return wait_for(work, cause, spent, err);
    return work_conclude(work, err, OUTCOME_FAILED, "%s", cause->msg);
}

/* What ends the process, time and again, is not to be repeated forever. */
static int
conclude_deadly(struct work *work, struct err *err)
{
    if (work->run->attempts <= MOST_TRIES)
        return 0;
    if (work->run->cancel_requested)
        return conclude_canceled(work, err);
    return work_conclude(work, err, OUTCOME_FAILED,
                         "gave up after %d tries: the last one ended without a word, together with "
                         "draftd; the host's log may tell why",
                         MOST_TRIES);
}

/* Its lease passes and the run is taken up again, or another worker has it already. `reason`: why
 * it was to end or to wait. */
static void
log_not_ended(const struct work *work, const char *reason, const struct err *error)
{
    log_error("run_not_ended", kv_int("task", work->task->id), kv_int("run", work->run->id),
              kv_int("again_within_ms", LEASE_MS), kv_str("reason", reason),
              kv_str("error", error->msg));
}

static void
end_run(struct work *work)
{
    struct err error = {0};
    struct end_work end = {.work = work, .now_ms = clock_now_ms()};
    const int r = store_transact(work->app->store, store_end, &end, &error);

    if (r) {
        log_not_ended(work, work->ending.reason, &error);
        return;
    }
    metric_count(METRIC_RUNS_ENDED);
    log_info("run_ended", kv_int("task", work->task->id), kv_int("run", work->run->id),
             kv_str("outcome", run_outcome_name(work->ending.outcome)),
             kv_str("verdict", run_verdict_name(work->run->verdict)),
             kv_str("reason", work->ending.reason));
    service_wake(work->app->sender);
}

static int
check_lease(struct db *db, void *ctx, struct err *err)
{
    const struct work *work = ctx;
    return run_check_lease(db, work->lease, err);
}

/* Other things conflict too: the store knows whether the run is still ours. */
static bool
lost_lease(struct work *work, const struct err *cause)
{
    return cause->code == ERR_CONFLICT &&
           store_read(work->app->store, check_lease, work, NULL) == ERR_CONFLICT;
}

static int
open_session(struct work *work, struct sessions *sessions, struct err *err)
{
    const struct platform *platform = platform_find(work->task->platform);

    if (!platform)
        return err_set(err, ERR_INVALID, "this program knows no platform %s", work->task->platform);
    return sessions_get(sessions, platform, &work->session, err);
}

static void
run_pipeline(struct worker *worker, struct work *work)
{
    struct sessions sessions = {.app = worker->app, .stop = work->stop};
    struct err cause = {0};
    struct err error = {0};
    int r = conclude_deadly(work, &cause);

    if (!r && work_goes_on(work))
        r = open_session(work, &sessions, &cause);
    if (!r && work_goes_on(work))
        r = task_run(work, &cause);
    if (r && lost_lease(work, &cause)) {
        log_warning("run_lost", kv_int("task", work->task->id), kv_int("run", work->run->id),
                    kv_str("reason", cause.msg));
    } else if (r && handle_failure(work, &cause, &error)) {
        log_not_ended(work, cause.msg, &error);
    }
    if (!work_goes_on(work))
        end_run(work);
    sessions_done(&sessions);
}

static int
take_run(struct work *work, struct err *err)
{
    struct claim_work claimed = {.app = work->app};
    int r = store_transact(work->app->store, claim, &claimed, err);

    work->run = claimed.run;
    work->task = claimed.task;
    if (r)
        return r;
    work->lease = (struct run_lease){.run = work->run->id, .number = work->run->lease_number};
    r = live_add(work->app->live, work->run->id, &work->stop, err);
    if (!r)
        return 0;
    const int64_t now_ms = clock_now_ms();
    const int kept = store_transact(
        work->app->store, store_give_back,
        &(struct give_back_work){.work = work,
                                 .how = {.not_before_ms = now_ms + MS_PER_SECOND,
                                         .waiting_since_ms = work->run->waiting_since_ms},
                                 .now_ms = now_ms},
        NULL);
    (void)kept; /* until its lease passes */
    return r;
}

int64_t
worker_turn(void *ctx)
{
    struct worker *worker = ctx;
    struct app *app = worker->app;
    AUTO_DONE(work_done) struct work work = {.app = app};
    struct err error = {0};
    const int r = take_run(&work, &error);

    if (r == ERR_NOTFOUND)
        return POLL_MS;
    if (r) {
        if (!store_is_damaged(app->store)) /* that is told once */
            log_error("claim_failed", kv_str("error", error.msg));
        return MS_PER_SECOND;
    }
    const int64_t run = work.run->id;
    metric_count(METRIC_RUNS_CLAIMED);
    log_info("run_claimed", kv_int("task", work.task->id), kv_int("run", run),
             kv_int("attempt", work.run->attempts), kv_str("repository", work.task->repository));
    run_pipeline(worker, &work);
    live_remove(app->live, run);
    return 0;
}
