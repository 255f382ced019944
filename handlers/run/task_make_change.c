/* The first half of a run, declared in task_run.h: from the base commit to a commit that the guard
 * let pass. */
#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/run/agent.h"
#include "handlers/run/branch.h"
#include "handlers/run/checks.h"
#include "handlers/run/commits.h"
#include "handlers/run/guard.h"
#include "handlers/run/remarks.h"
#include "handlers/run/rival.h"
#include "handlers/run/task_run.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COMMITS 500
#define MAX_TREE_ENTRIES 200000

/* What the rounds hand from one to the next. */
struct rounds {
    struct check_execution *baseline; /* one for each check */
    struct check_execution *after;
    int64_t count;
    char commit[REPO_COMMIT_BYTES]; /* the agent's newest; "" before the first */
    char left_out[512];             /* what of its files could not be committed; or "" */
    int pack_fd;                    /* of that commit */
    int spare_fd;                   /* for the next: what cuts off its export leaves this one */
};

static void
rounds_done(struct rounds *rounds)
{
    free(rounds->baseline);
    free(rounds->after);
    cleanup_close(&rounds->pack_fd);
    cleanup_close(&rounds->spare_fd);
}

/* Set-up on the base commit is not the agent's business: when it fails, nothing is run. */
static int
set_up(struct work *work, struct sandbox *box, struct err *err)
{
    struct work_step_result failed;
    auto_free char *how = NULL;
    int r = work_progress(work, STAGE_SETUP, 0, err);

    if (!r)
        r = work_setup(work, box, ROLE_WORK, &failed, err);
    if (r || failed.step == 0)
        return r;
    r = work_describe_end(&failed, &how, err);
    if (!r)
        r = work_step_tail(work, failed.step, &work->ending.output, err);
    return r ? r
             : work_conclude(work, err, OUTCOME_FAILED,
                             "setup fails on the base commit (%s); no agent was run", how);
}

/* A run that starts from the task's own branch measures the origin in a sandbox of its own. When
 * setup fails there, nothing is known to have been red. */
static int
measure_at_origin(struct work *work, struct rounds *rounds, struct err *err)
{
    AUTO(sandbox_close) struct sandbox *box = NULL;
    struct work_step_result failed;
    int r = work_open_sandbox(work, ROLE_WORK, work->origin, &box, err);

    if (r || !work_goes_on(work))
        return r;
    r = work_setup(work, box, ROLE_WORK, &failed, err);
    if (r || failed.step != 0)
        return r;
    r = checks_measure_baseline(work, box, rounds->baseline, err);
    sandbox_close_aside(TAKE(box), &work->closing);
    return r;
}

static int
take_baseline(struct work *work, struct sandbox *box, struct rounds *rounds, struct err *err)
{
    bool complete;
    int r;

    if (work->settings->check_count == 0)
        return 0;
    r = work_progress(work, STAGE_BASELINE, 0, err);
    if (!r)
        r = checks_load_baseline(work, rounds->baseline, &complete, err);
    if (r || complete)
        return r;
    if (strcmp(work->origin, work->base) != 0)
        return measure_at_origin(work, rounds, err);
    return checks_measure_baseline(work, box, rounds->baseline, err);
}

/* What setup leaves in the work tree is not the agent's doing, but its checks may need it: it is
 * remembered, to be put back after the baseline and to be left out of the change. */
static int
remember_setup(struct work *work, struct sandbox *box, struct err *err)
{
    const int r = sandbox_remember(box, err);

    return r == ERR_LIMIT ? work_conclude(work, err, OUTCOME_FAILED, "%s", err->msg) : r;
}

/* What cannot be merged into these files is for people. */
static int
merge_base_branch(struct work *work, struct sandbox *box, struct err *err)
{
    struct err fault = {0};
    const int r = sandbox_merge(box, work->merged, &work->conflicts, &fault);

    if (r == ERR_INVALID)
        return work_conclude(work, err, OUTCOME_FAILED, "\"%s\" cannot be merged: %s",
                             work->task->base_branch, fault.msg);
    if (r)
        *err = fault;
    return r;
}

/* From setup to where the agent begins: in the files that setup left, whatever was run there
 * since. */
static int
prepare(struct work *work, struct sandbox *box, struct rounds *rounds, struct err *err)
{
    int r = set_up(work, box, err);

    if (!r && work_goes_on(work))
        r = remember_setup(work, box, err);
    if (!r && work_goes_on(work))
        r = take_baseline(work, box, rounds, err);
    if (!r && work_goes_on(work))
        r = sandbox_reset(box, work->base, err);
    if (!r && work_goes_on(work) && work->merged[0])
        r = merge_base_branch(work, box, err);
    return r;
}

static bool
newly_red(const struct rounds *rounds, size_t check)
{
    return check_status_is_red(rounds->after[check].status) &&
           !check_was_red(rounds->baseline[check].status);
}

static bool
any_newly_red(const struct work *work, const struct rounds *rounds)
{
    for (size_t i = 0; i < work->settings->check_count; i++)
        if (newly_red(rounds, i))
            return true;
    return false;
}

/* What the agent made, as one pack; its checks then run on exactly that. */
static int
export_change(struct work *work, struct sandbox *box, struct rounds *rounds, struct err *err)
{
    struct sandbox_export export;
    auto_free char *identity = NULL;
    auto_free char *message = NULL;
    int r = branch_identity(work->app->settings, &identity, err);

    if (!r)
        r = work->merged[0] && work->run->round <= 1
                ? branch_merge_message(work->task, &message, err)
                : branch_commit_message(work->task, work->run->round, &message, err);
    if (r)
        return r;
    const int fd = rounds->spare_fd;
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set(err, ERR_IO, "emptying the file for the pack failed");
    r = sandbox_export(box, work->base, identity, message, fd, &export, err);
    if (r == ERR_NOTFOUND) {
        rounds->commit[0] = '\0';
        return 0;
    }
    if (r == ERR_LIMIT)
        return work_conclude(work, err, OUTCOME_HELD, "the change was refused: %s", err->msg);
    if (r)
        return r;
    rounds->spare_fd = rounds->pack_fd;
    rounds->pack_fd = fd;
    (void)snprintf(rounds->commit, sizeof(rounds->commit), "%s", export.commit);
    (void)snprintf(rounds->left_out, sizeof(rounds->left_out), "%s", export.left_out);
    return 0;
}

/* What the agent says of its work; after each round, for the next may be cut off. */
static int
read_words(struct work *work, struct sandbox *box, struct err *err)
{
    auto_free char *summary = NULL;
    auto_free char *answers = NULL;
    int r = agent_read_summary(box, &summary, err);

    if (!r)
        r = agent_read_answers(box, &answers, err);
    if (r)
        return r;
    free(work->summary);
    work->summary = TAKE(summary);
    return answers ? remarks_set_answers(work, answers, err) : 0;
}

/* Is there something for the agent to mend, or something new to answer? */
static int
look_for_more(
    struct work *work, const struct rounds *rounds, int64_t round, bool *ret_again, struct err *err)
{
    bool new = false;
    int r = 0;

    if (round < rounds->count)
        r = remarks_take(work, round + 1, &new, err);
    *ret_again = round < rounds->count && (new || any_newly_red(work, rounds));
    return r;
}

/* An agent that fails, or runs out of memory, and leaves nothing is a failure; one that just leaves
 * nothing says that nothing is needed. What the checks said of an earlier round's change is not
 * true of what is there now. */
static int
conclude_unchanged(struct work *work, const struct work_step_result *agent, struct err *err)
{
    auto_free char *how = NULL;
    int r = checks_forget(work, PHASE_AFTER, err);

    if (r)
        return r;
    if (agent->end == STEP_EXITED && agent->status == 0 && agent->out_of_memory)
        return work_conclude(work, err, OUTCOME_FAILED,
                             "the agent changed nothing, and something that it ran was killed for "
                             "want of memory");
    if (agent->end == STEP_EXITED && agent->status == 0)
        return work_conclude(work, err, OUTCOME_UNCHANGED, "the agent changed nothing");
    r = work_describe_end(agent, &how, err);
    if (!r)
        r = work_step_tail(work, agent->step, &work->ending.output, err);
    return r ? r
             : work_conclude(work, err, OUTCOME_FAILED, "the agent failed and changed nothing (%s)",
                             how);
}

/* A base branch that merged without a conflict, and nothing else asked: the checks say whether
 * there is anything to do. */
static bool
needs_agent(const struct work *work, int64_t round)
{
    if (round > 1 || !work->conflicts || work->conflicts[0])
        return true;
    for (size_t i = 0; i < work->remarks.count; i++)
        if (work->remarks.items[i]->kind != REMARK_BASE)
            return true;
    return false;
}

/* One round: agent, export, checks. *ret_again: there is something for the agent to mend. */
static int
one_round(struct work *work,
          struct sandbox *box,
          struct rounds *rounds,
          int64_t round,
          bool *ret_again,
          struct err *err)
{
    struct work_step_result result = {.end = STEP_EXITED};
    int r = work_progress(work, STAGE_AGENT, round, err);

    *ret_again = false;
    if (!r && needs_agent(work, round))
        r = agent_run(work, box,
                      &(struct agent_round){.round = round,
                                            .rounds = rounds->count,
                                            .baseline = rounds->baseline,
                                            .after = round > 1 ? rounds->after : NULL},
                      &result, err);
    if (!r)
        r = export_change(work, box, rounds, err);
    if (r || !work_goes_on(work))
        return r;
    if (!rounds->commit[0])
        return conclude_unchanged(work, &result, err);
    r = read_words(work, box, err);
    if (!r && work->settings->check_count > 0)
        r = work_progress(work, STAGE_CHECK, round, err);
    if (!r)
        r = checks_run(work, box, PHASE_AFTER, round, rounds->baseline, rounds->after, err);
    if (!r)
        r = look_for_more(work, rounds, round, ret_again, err);
    return r || !*ret_again ? r : sandbox_reset(box, rounds->commit, err);
}

/* Did the sandbox end, or come to where nothing can be done in it? */
static bool
cut_off(int code)
{
    return code == ERR_TIMEOUT || code == ERR_REMOTE || code == ERR_INVALID;
}

/* What ends a round does not take back what an earlier one delivered, or this one before its
 * checks: that goes on to the proof. */
static int
work_rounds(struct work *work, struct sandbox *box, struct rounds *rounds, struct err *err)
{
    struct err fault = {0};
    bool again = true;
    int64_t round = 0;
    int r = 0;

    while (!r && again && work_goes_on(work) && round < rounds->count)
        r = one_round(work, box, rounds, ++round, &again, &fault);
    if (cut_off(r) && rounds->commit[0])
        return work_flag(work, err, "round %" PRId64 " was cut off: %s", round, fault.msg);
    if (r)
        *err = fault;
    return r;
}

static int
flag_hits(struct work *work, const struct guard_report *report, struct err *err)
{
    for (size_t i = 0; i < report->count; i++) {
        const int r = work_flag(work, err, "%s", report->items[i].text);
        if (r)
            return r;
    }
    return 0;
}

static struct repo_watch
watch_for(const struct work *work, int64_t duration_ms)
{
    return (struct repo_watch){.stop = work->stop, .deadline_ms = clock_mono_ms() + duration_ms};
}

/* What earlier runs and people put on the branch is not this run's to hold back, but a reviewer
 * should still see it first. Where the base branch was merged in, all of it is looked at together.
 */
static int
flag_earlier_change(struct work *work, struct err *err)
{
    AUTO_DONE(guard_report_done) struct guard_report report = {0};
    const struct guard_input input = {.repo = work->mirror,
                                      .base = work->origin,
                                      .commit = work->base,
                                      .settings = &work->settings->guard,
                                      .watch = watch_for(work, LIMIT_GUARD_MS)};

    if (strcmp(work->origin, work->base) == 0 || work->merged[0])
        return 0;
    const int r = guard_check(&input, &report, err);
    return r ? r : flag_hits(work, &report, err);
}

/* Flags go to the top of the draft; a change that is held back ends here. `view` sees it. */
static int
guard(struct work *work, struct repo *view, struct err *err)
{
    AUTO_DONE(guard_report_done) struct guard_report report = {0};
    AUTO_DONE(strbuf_done) struct strbuf hits = STRBUF_INIT(LIMIT_TEXT_BYTES);
    int r = flag_earlier_change(work, err);
    const struct guard_input input = {.repo = view,
                                      .base = work->base,
                                      .merged = work_merged(work),
                                      .commit = work->head,
                                      .settings = &work->settings->guard,
                                      .watch = watch_for(work, LIMIT_GUARD_MS)};

    if (!r)
        r = guard_check(&input, &report, err);
    if (r)
        return r;
    if (report.complete && report.diff.count == 0)
        return work_conclude(work, err, OUTCOME_UNCHANGED,
                             "the agent's commits change nothing in the end");
    r = flag_hits(work, &report, err);
    if (r || !report.held)
        return r;
    for (size_t i = 0; i < report.count; i++)
        strbuf_addf(&hits, "%s\n", report.items[i].text);
    r = strbuf_take(&hits, &work->ending.detail, err);
    return r ? r
             : work_conclude(work, err, OUTCOME_HELD,
                             "the change was held back by the guard; nothing was pushed");
}

struct head_work {
    struct work *work;
    const char *flags;
};

static int
store_head(struct db *db, void *ctx, struct err *err)
{
    const struct head_work *head = ctx;
    const struct work *work = head->work;
    return run_set_head(db, work->lease, work->head, work->summary, head->flags, err);
}

/* Out of the sandbox, verified, guarded, kept. What is held back is not kept: later sandboxes of
 * the repository see the mirror's objects. */
static int
accept_change(struct work *work, const struct rounds *rounds, struct err *err)
{
    const struct repo_import_limits limits = {
        .max_commits = MAX_COMMITS,
        .max_blob_bytes = LIMIT_CHANGE_BLOB_BYTES,
        .max_files = MAX_TREE_ENTRIES,
        .allow_submodules = work->settings->guard.allow_submodules,
        .merged = work_merged(work),
        .watch = watch_for(work, LIMIT_IMPORT_MS),
    };
    auto_free char *ref =
        str_printf("refs/draftd/%" PRId64 "/%" PRId64, work->task->id, work->run->number);
    auto_free char *flags = NULL;
    AUTO(repo_import_free) struct repo_import *import = NULL;
    struct err fault = {0};

    if (!ref)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = repo_import_open(work->mirror, rounds->pack_fd, work->base, rounds->commit, &limits,
                             &import, &fault);
    if (r == ERR_INVALID || r == ERR_LIMIT || r == ERR_TIMEOUT)
        return work_conclude(work, err, OUTCOME_HELD, "the change was refused: %s", fault.msg);
    if (r) {
        *err = fault;
        return r;
    }
    (void)snprintf(work->head, sizeof(work->head), "%s", rounds->commit);
    if (rounds->left_out[0])
        r = work_flag(work, err, "files that git could not take are missing: %s", rounds->left_out);
    if (!r)
        r = guard(work, repo_import_view(import), err);
    if (!r && work_goes_on(work))
        r = commits_flag(work, repo_import_view(import), err);
    if (!r && work_goes_on(work))
        r = repo_import_accept(import, ref, err);
    if (!r)
        r = work_flags_json(work, &flags, err);
    if (r || !work_goes_on(work))
        return r;
    struct head_work head = {.work = work, .flags = flags};
    r = store_transact(work->app->store, store_head, &head, err);
    return r ? r : work_progress(work, STAGE_PROOF, work->run->round, err);
}

/* A file without a name. */
static int
make_file(const struct work *work, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/pack-XXXXXX", work->app->scratch_dir);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "making a file below %s", work->app->scratch_dir);
    (void)unlink(path);
    *ret_fd = fd;
    return 0;
}

static int
rounds_init(struct rounds *rounds, const struct work *work, struct err *err)
{
    const size_t checks = work->settings->check_count + 1;

    rounds->count = work_count_rounds(work);
    rounds->baseline = calloc(checks, sizeof(*rounds->baseline));
    rounds->after = calloc(checks, sizeof(*rounds->after));
    if (!rounds->baseline || !rounds->after)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = make_file(work, &rounds->pack_fd, err);
    return r ? r : make_file(work, &rounds->spare_fd, err);
}

static int
fetch(struct work *work, struct err *err)
{
    bool moved;
    int r = work_progress(work, STAGE_FETCH, 0, err);

    if (!r)
        r = rival_check(work, err);
    if (!r && work_goes_on(work))
        r = work_open_mirror(work, err);
    if (!r && work_goes_on(work))
        r = remarks_load(work, err);
    if (!r && work_goes_on(work))
        r = branch_fetch(work, err);
    if (!r && work_goes_on(work))
        r = remarks_read_failures(work, err);
    if (!r && work_goes_on(work))
        r = work_choose_agent(work, err);
    if (!r && work_goes_on(work))
        r = agent_read_thread(work, err);
    if (!r && work_goes_on(work))
        r = work_follow_move(work, &moved, err);
    return r;
}

int
task_make_change(struct work *work, struct err *err)
{
    AUTO_DONE(rounds_done) struct rounds rounds = {.pack_fd = -1, .spare_fd = -1};
    AUTO(sandbox_close) struct sandbox *box = NULL;
    int r = fetch(work, err);

    if (r || !work_goes_on(work))
        return r;
    r = rounds_init(&rounds, work, err);
    if (!r)
        r = work_open_sandbox(work, ROLE_WORK, work->base, &box, err);
    if (!r && work_goes_on(work))
        r = prepare(work, box, &rounds, err);
    if (!r && work_goes_on(work))
        r = work_rounds(work, box, &rounds, err);
    if (r || !work_goes_on(work))
        return r;

    r = work_progress(work, STAGE_EXPORT, work->run->round, err);
    /* whatever still runs in there has had its time */
    sandbox_close_aside(TAKE(box), &work->closing);
    return r ? r : accept_change(work, &rounds, err);
}
