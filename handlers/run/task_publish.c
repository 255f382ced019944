/* The last stage of a run, declared in task_run.h: the branch, then the draft. Each step finds its
 * own earlier result first, so that a run taken up again ends with one branch and one draft. */
#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/run/branch.h"
#include "handlers/run/checks.h"
#include "handlers/run/task_run.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/thread/evidence.h"
#include "handlers/thread/report.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

/* The branch is not where it was expected. It may have been pushed by an earlier try of this run,
 * and people went on from that; else what they pushed is where the run has to start from. */
static int
look_again(struct work *work, const struct repo_remote *remote, bool *ret_pushed, struct err *err)
{
    auto_free char *fetched = NULL;
    char now[REPO_COMMIT_BYTES];
    bool ours = false;
    int r = repo_fetch(work->mirror, remote, work->task->branch, &fetched, now, err);

    if (!r)
        r = branch_holds(work, now, work->head, ret_pushed, err);
    if (!r)
        r = branch_is_ours(work, now, &ours, err);
    if (!r)
        work->overtaken = ours && !*ret_pushed && !str_equal(now, work->base);
    return r == ERR_NOTFOUND ? 0 : r;
}

/* The branch may be absent, where this run started from, or already where it belongs; anything else
 * is somebody's work. */
static int
push_branch(struct work *work, const struct repo_remote *remote, void *ctx, struct err *err)
{
    (void)ctx;
    struct err refusal = {0};
    bool pushed = false;
    char now[REPO_COMMIT_BYTES];
    const char *branch = work->task->branch;
    bool ours = false;
    int r = repo_remote_branch(work->mirror, remote, branch, now, err);

    if (!r)
        r = branch_is_ours(work, now, &ours, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    r = repo_push(work->mirror, remote, branch, work->head, ours ? work->base : NULL, &refusal);
    if (r == ERR_CONFLICT) {
        const int looked = look_again(work, remote, &pushed, err);
        if (looked || pushed)
            return looked;
    }
    if (r)
        *err = refusal;
    return r;
}

/* All that the draft shows besides the task. */
struct evidence {
    struct run *run;
    struct check_result_list checks;
    struct repo_diff diff;
    char **failed_outputs;
    char *setup_output;
};

static void
evidence_done(struct evidence *evidence)
{
    for (size_t i = 0; evidence->failed_outputs && i < evidence->checks.count; i++)
        free(evidence->failed_outputs[i]);
    free(evidence->failed_outputs);
    free(evidence->setup_output);
    run_free(evidence->run);
    check_result_list_done(&evidence->checks);
    repo_diff_done(&evidence->diff);
}

struct evidence_work {
    int64_t run;
    struct evidence *evidence;
};

static int
load_evidence(struct db *db, void *ctx, struct err *err)
{
    const struct evidence_work *load = ctx;
    const int r = run_get(db, load->run, &load->evidence->run, err);
    return r ? r : check_list(db, load->run, &load->evidence->checks, err);
}

/* The guard looked at the run's own part; what people put on the branch may be more than that. */
static int
compare(struct work *work, struct repo_diff *ret_diff, struct err *err)
{
    const struct repo_diff_options options = {
        .watch = {.stop = work->stop, .deadline_ms = clock_mono_ms() + LIMIT_GUARD_MS}};
    const int r = repo_diff(work->mirror, work->origin, work->head, &options, ret_diff, err);

    return r == ERR_TIMEOUT
               ? err_set(err, ERR_INVALID, "the branch's change is too expensive to look through")
               : r;
}

struct step_work {
    int64_t id;
    struct step *step;
};

static int
load_step(struct db *db, void *ctx, struct err *err)
{
    struct step_work *load = ctx;
    return step_get(db, load->id, &load->step, err);
}

/* The output that explains a check which is red in the proof: its own, or that of a setup which
 * failed before any check, once for all of them. */
static int
gather_output(struct work *work, struct evidence *evidence, size_t check, struct err *err)
{
    const struct check_execution *proof = &evidence->checks.items[check].phases[PHASE_PROOF];
    AUTO(step_free) struct step *step = NULL;
    struct step_work load = {.id = proof->step};

    if (!check_status_is_red(proof->status) || proof->step == 0)
        return 0;
    const int r = store_read(work->app->store, load_step, &load, err);
    if (r)
        return r;
    step = load.step;
    if (step->kind != STEP_SETUP)
        return work_step_tail(work, step->id, &evidence->failed_outputs[check], err);
    return evidence->setup_output ? 0
                                  : work_step_tail(work, step->id, &evidence->setup_output, err);
}

static int
gather_evidence(struct work *work, struct evidence *evidence, struct err *err)
{
    struct evidence_work load = {.run = work->run->id, .evidence = evidence};
    int r = store_read(work->app->store, load_evidence, &load, err);

    if (!r)
        r = compare(work, &evidence->diff, err);
    if (r)
        return r;
    evidence->failed_outputs = calloc(evidence->checks.count + 1, sizeof(char *));
    if (!evidence->failed_outputs)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !r && i < evidence->checks.count; i++)
        r = gather_output(work, evidence, i, err);
    return r;
}

static int
put_draft(struct work *work, bool ordinary, struct draft_made *ret_made, struct err *err)
{
    AUTO_DONE(evidence_done) struct evidence evidence = {0};
    const struct platform *platform = work->session->platform;
    auto_free char *title = NULL;
    auto_free char *body = NULL;
    int r = gather_evidence(work, &evidence, err);

    if (!r)
        r = report_draft_title(work->task, ordinary, &title, err);
    if (!r)
        r = report_draft_body(
            &(struct report_draft_input){
                .task = work->task,
                .run = evidence.run,
                .checks = &evidence.checks,
                .diff = &evidence.diff,
                .instance = work->app->instance,
                .failed_outputs = (const char *const *)evidence.failed_outputs,
                .setup_output = evidence.setup_output,
                .closes_issue = platform->closes_issue,
            },
            &body, err);
    if (r)
        return r;
    return platform->put_draft(work->session, work->task,
                               &(struct draft_request){.title = title,
                                                       .body = body,
                                                       .branch = work->task->branch,
                                                       .base_branch = work->task->base_branch,
                                                       .head_commit = work->head,
                                                       .ordinary = ordinary},
                               ret_made, err);
}

static int
store_flags(struct db *db, void *ctx, struct err *err)
{
    const struct work *work = ctx;
    auto_free char *flags = NULL;
    const int r = work_flags_json(work, &flags, err);
    return r ? r : run_set_head(db, work->lease, work->head, work->summary, flags, err);
}

/* Said first of all: it can be merged by a click. A run taken up again has said it. */
static int
flag_ordinary(struct work *work, struct err *err)
{
    for (size_t i = 0; i < work->flag_count; i++)
        if (strstr(work->flags[i], REPORT_ORDINARY_WORDS))
            return 0;
    const int r = work_flag(work, err,
                            "drafts are not supported in this repository: " REPORT_ORDINARY_WORDS
                            ", until somebody takes that off");
    if (r)
        return r;
    char *flag = work->flags[work->flag_count - 1];
    memmove(work->flags + 1, work->flags, (work->flag_count - 1) * sizeof(*work->flags));
    work->flags[0] = flag;
    return store_transact(work->app->store, store_flags, work, err);
}

/* Writing is not carried out under an old name. */
static int
put_draft_anywhere(struct work *work, struct draft_made *ret_made, struct err *err)
{
    struct err first = {0};
    bool moved = false;
    int r = put_draft(work, false, ret_made, &first);
    const int followed = work_follow_move(work, &moved, err);

    if (followed)
        return followed;
    if (r == ERR_NOTFOUND && moved && work_goes_on(work))
        return put_draft(work, false, ret_made, err);
    if (r)
        *err = first;
    return r;
}

static int
open_draft(struct work *work, struct draft_made *ret_made, struct err *err)
{
    int r = put_draft_anywhere(work, ret_made, err);

    if (r || !ret_made->refused)
        return r;
    *ret_made = (struct draft_made){0};
    r = flag_ordinary(work, err);
    return r ? r : put_draft(work, true, ret_made, err);
}

struct draft_work {
    const struct work *work;
    int64_t number;
    const char *url;
    int64_t now_ms;
};

/* Only the holder of the lease may say that there is a draft, and what was found out about it. */
static int
store_draft(struct db *db, void *ctx, struct err *err)
{
    const struct draft_work *draft = ctx;
    const struct work *work = draft->work;
    AUTO(task_free) struct task *task = NULL;
    AUTO(run_free) struct run *run = NULL;
    int r = run_check_lease(db, work->lease, err);

    if (!r)
        r = task_set_follow_ci(db, work->task->id, work->settings->follow_ci, err);
    if (!r)
        r = task_set_draft(db, work->task->id, draft->number, draft->url, draft->now_ms, err);
    if (!r)
        r = task_get(db, work->task->id, &task, err);
    if (!r)
        r = run_get(db, work->run->id, &run, err);
    return r ? r : evidence_owe(db, work->app, task, run, draft->now_ms, err);
}

static int
conclude_refused(struct work *work, struct err *err)
{
    const struct platform *platform = work->session->platform;
    const char *advice = platform->advise ? platform->advise(err->msg) : NULL;

    return work_conclude(work, err, OUTCOME_FAILED, "%s%sthe branch could not be pushed: %s",
                         advice ? advice : "", advice ? ": " : "", err->msg);
}

int
task_publish(struct work *work, struct err *err)
{
    AUTO_DONE(draft_made_done) struct draft_made made = {0};
    int r = work_progress(work, STAGE_PUBLISH, work->run->round, err);

    if (r)
        return r;
    r = branch_with_remote(work, push_branch, NULL, err);
    if (work->overtaken)
        return err_wrap(err, "the branch could not be pushed");
    if (r == ERR_CONFLICT || r == ERR_INVALID || r == ERR_DENIED)
        return conclude_refused(work, err);
    if (r)
        return err_wrap(err, "pushing the branch");
    r = open_draft(work, &made, err);
    if (r)
        return err_wrap(err, "opening the draft");
    if (!work_goes_on(work))
        return 0;
    struct draft_work draft = {
        .work = work, .number = made.number, .url = made.url, .now_ms = clock_now_ms()};
    r = store_transact(work->app->store, store_draft, &draft, err);
    return r ? r : work_conclude(work, err, OUTCOME_DRAFT, "a draft is open");
}
