/* The proof, declared in task_run.h: setup and all checks on the exact commit, in a fresh sandbox
 * that the agent never touched. */
#include "handlers/app.h"
#include "handlers/run/checks.h"
#include "handlers/run/task_run.h"
#include "handlers/settings/repo_settings.h"
#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

struct results_work {
    int64_t run;
    struct check_result_list *list;
};

static int
load_results(struct db *db, void *ctx, struct err *err)
{
    const struct results_work *load = ctx;
    return check_list(db, load->run, load->list, err);
}

/* What the baseline said of each check, read back: the run may have been taken up by another
 * process. */
static int
load_baseline(struct work *work, struct check_execution *baseline, struct err *err)
{
    AUTO_DONE(check_result_list_done) struct check_result_list list = {0};
    struct results_work load = {.run = work->run->id, .list = &list};
    const int r = store_read(work->app->store, load_results, &load, err);

    if (r)
        return r;
    for (size_t i = 0; i < work->settings->check_count; i++)
        for (size_t k = 0; k < list.count; k++)
            if (strcmp(list.items[k].name, work->settings->checks[i].name) == 0)
                baseline[i] = list.items[k].phases[PHASE_BASELINE];
    return 0;
}

static int
run_proof(struct work *work,
          struct sandbox *box,
          const struct check_execution *baseline,
          struct check_execution *proof,
          struct err *err)
{
    struct work_step_result failed;
    auto_free char *how = NULL;
    int r = work_setup(work, box, ROLE_PROOF, &failed, err);

    if (r)
        return r;
    if (failed.step == 0)
        return checks_run(work, box, PHASE_PROOF, 0, baseline, proof, err);

    r = checks_give_up(work, PHASE_PROOF, failed.step, proof, err);
    if (!r)
        r = work_describe_end(&failed, &how, err);
    return r ? r : work_flag(work, err, "setup fails on the proposed commit: %s", how);
}

/* A proof that does not come to its end in time, or whose sandbox is lost with every try, proves
 * nothing; the change is there all the same. */
static int
open_and_run(struct work *work,
             const struct check_execution *baseline,
             struct check_execution *proof,
             struct err *err)
{
    AUTO(sandbox_close) struct sandbox *box = NULL;
    struct err fault = {0};
    int r = work_open_sandbox(work, ROLE_PROOF, work->head, &box, &fault);

    if (!r && work_goes_on(work))
        r = run_proof(work, box, baseline, proof, &fault);
    if (box)
        sandbox_close_aside(TAKE(box), &work->closing);
    if (r == ERR_TIMEOUT || (r == ERR_REMOTE && work->run->attempts >= WORK_TRIES)) {
        r = checks_give_up(work, PHASE_PROOF, 0, proof, err);
        return r ? r : work_flag(work, err, "the proof was cut off: %s", fault.msg);
    }
    if (r)
        *err = fault;
    return r;
}

struct verdict_work {
    struct work *work;
    const enum check_verdict *verdicts;
    enum run_verdict verdict;
    const char *flags;
};

static int
store_verdicts(struct db *db, void *ctx, struct err *err)
{
    const struct verdict_work *judged = ctx;
    const struct work *work = judged->work;
    int r = run_set_head(db, work->lease, work->head, work->summary, judged->flags, err);

    for (size_t i = 0; !r && i < work->settings->check_count; i++)
        r = check_set_verdict(db, work->run->id, work->settings->checks[i].name,
                              judged->verdicts[i], err);
    return r ? r : run_set_verdict(db, work->lease, judged->verdict, err);
}

static int
judge(struct work *work,
      const struct check_execution *baseline,
      const struct check_execution *proof,
      struct err *err)
{
    const size_t count = work->settings->check_count;
    auto_free enum check_verdict *verdicts = calloc(count + 1, sizeof(*verdicts));
    auto_free char *flags = NULL;

    if (!verdicts)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        verdicts[i] = checks_judge(baseline[i].status, proof[i].status);
    int r = work_flags_json(work, &flags, err);
    if (r)
        return r;
    struct verdict_work judged = {.work = work,
                                  .verdicts = verdicts,
                                  .verdict = checks_sum_up(verdicts, count),
                                  .flags = flags};
    r = store_transact(work->app->store, store_verdicts, &judged, err);
    if (!r)
        work->run->verdict = judged.verdict;
    return r;
}

int
task_prove(struct work *work, struct err *err)
{
    const size_t count = work->settings->check_count;
    auto_free struct check_execution *baseline = calloc(count + 1, sizeof(*baseline));
    auto_free struct check_execution *proof = calloc(count + 1, sizeof(*proof));
    int r;

    if (!baseline || !proof)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (count > 0) {
        r = load_baseline(work, baseline, err);
        if (!r)
            r = open_and_run(work, baseline, proof, err);
        if (r || !work_goes_on(work))
            return r;
    }
    r = judge(work, baseline, proof, err);
    return r ? r : work_progress(work, STAGE_PUBLISH, work->run->round, err);
}
