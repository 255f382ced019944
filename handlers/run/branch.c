/* See branch.h. */
#include "handlers/run/branch.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/run/commits.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_NAMES_TRIED 50
#define SUBJECT_BYTES 72
#define MAX_NAME_BYTES 128

int
branch_identity(const struct settings *settings, char **ret_identity, struct err *err)
{
    const char *name = settings->bot.name;
    char *identity = str_printf("%s <%s@localhost>", name, name);

    if (!identity)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_identity = identity;
    return 0;
}

int
branch_commit_message(const struct task *task, int64_t round, char **ret_message, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf message = STRBUF_INIT(LIMIT_TEXT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf title = STRBUF_INIT(SUBJECT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf asker = STRBUF_INIT(SUBJECT_BYTES);

    text_append_line(&title, task->title, SUBJECT_BYTES);
    text_append_line(&asker, task->requested_by, SUBJECT_BYTES);
    commits_append_plain(&message, strbuf_str(&title));
    if (round > 1)
        strbuf_addf(&message, " (round %" PRId64 ")", round);
    strbuf_add_str(&message, "\n\nRequested by ");
    commits_append_plain(&message, strbuf_str(&asker));
    if (task->url)
        strbuf_addf(&message, "\n%s", task->url);
    strbuf_add_char(&message, '\n');
    return strbuf_take(&message, ret_message, err);
}

int
branch_merge_message(const struct task *task, char **ret_message, struct err *err)
{
    *ret_message = str_printf("Merge branch '%s' into %s\n", task->base_branch, task->branch);
    return *ret_message ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int
call_with_remote(struct work *work, branch_remote_fn fn, void *ctx, struct err *err)
{
    AUTO_DONE(source_done) struct source source = {0};
    const int r =
        work->session->platform->source(work->session, work->task->repository, &source, err);

    if (r)
        return r;
    const struct repo_remote remote = {
        .url = source.url, .user = source.user, .password = source.password, .stop = work->stop};
    return fn(work, &remote, ctx, err);
}

int
branch_with_remote(struct work *work, branch_remote_fn fn, void *ctx, struct err *err)
{
    const struct platform *platform = work->session->platform;
    const int r = call_with_remote(work, fn, ctx, err);

    if ((r != ERR_AUTH && r != ERR_DENIED && r != ERR_NOTFOUND) || !platform->forget_source ||
        !platform->forget_source(work->session, work->task->repository, r))
        return r;
    return call_with_remote(work, fn, ctx, err);
}

/* "draftd/42-fix-the-thing", or with the task's own number where the origin has none; then "-2",
 * ... */
static int
compose_name(const struct work *work, int attempt, char **ret_name, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf name = STRBUF_INIT(MAX_NAME_BYTES);
    const struct task *task = work->task;

    strbuf_addf(&name, "draftd/%" PRId64 "-", task->number ? task->number : task->id);
    text_append_slug(&name, task->title);
    if (attempt > 1)
        strbuf_addf(&name, "-%d", attempt);
    return strbuf_take(&name, ret_name, err);
}

/* A name that the remote does not know: a branch that draftd did not make is never touched. */
static int
choose_name(struct work *work, const struct repo_remote *remote, char **ret_name, struct err *err)
{
    auto_free char *name = NULL;
    char commit[REPO_COMMIT_BYTES];
    int r = 0;

    for (int attempt = 1; !r && attempt <= MAX_NAMES_TRIED; attempt++) {
        free(TAKE(name));
        r = compose_name(work, attempt, &name, err);
        if (!r)
            r = repo_remote_branch(work->mirror, remote, name, commit, err);
    }
    if (!r)
        return err_set(err, ERR_CONFLICT,
                       "the repository has %d branches named as this task's would be; "
                       "remove old ones",
                       MAX_NAMES_TRIED);
    if (r != ERR_NOTFOUND)
        return r;
    *ret_name = TAKE(name);
    return 0;
}

struct branch_work {
    const struct work *work;
    const char *branch;
    const char *base_branch;
};

static int
store_branch(struct db *db, void *ctx, struct err *err)
{
    const struct branch_work *chosen = ctx;
    const struct work *work = chosen->work;
    const int r = run_set_base(db, work->lease, work->base, work->settings_commit, err);

    if (r)
        return r;
    return task_set_branch(db, work->task->id, chosen->branch, chosen->base_branch, err);
}

static int
remember(struct work *work, const char *branch, const char *base_branch, struct err *err)
{
    struct branch_work chosen = {.work = work, .branch = branch, .base_branch = base_branch};
    int r = store_transact(work->app->store, store_branch, &chosen, err);

    if (!r)
        r = str_set(&work->task->branch, branch, err);
    if (!r)
        r = str_set(&work->task->base_branch, base_branch, err);
    return r;
}

struct runs_work {
    int64_t task;
    struct run_list list;
};

static int
load_runs(struct db *db, void *ctx, struct err *err)
{
    struct runs_work *runs = ctx;
    return run_list(db, runs->task, &runs->list, err);
}

int
branch_holds(
    struct work *work, const char *commit, const char *old, bool *ret_holds, struct err *err)
{
    char common[REPO_COMMIT_BYTES];
    const int r = repo_merge_base(work->mirror, commit, old, common, err);

    *ret_holds = !r && str_equal(common, old);
    return r == ERR_NOTFOUND ? 0 : r;
}

int
branch_is_ours(struct work *work, const char *commit, bool *ret_ours, struct err *err)
{
    struct runs_work runs = {.task = work->task->id};
    bool ours = work->task->draft_number > 0;
    int r = ours ? 0 : store_read(work->app->store, load_runs, &runs, err);

    for (size_t i = 0; !r && !ours && i < runs.list.count; i++)
        if (runs.list.items[i]->head_commit)
            r = branch_holds(work, commit, runs.list.items[i]->head_commit, &ours, err);
    run_list_done(&runs.list);
    if (!r)
        *ret_ours = ours;
    return r;
}

/* The task's own branch, where an earlier run pushed it and people may have gone on; else the base.
 */
static int
choose_start(struct work *work,
             const struct repo_remote *remote,
             const char *base_branch,
             struct err *err)
{
    auto_free char *branch = NULL;
    auto_free char *fetched = NULL;
    bool ours = work->task->branch != NULL;
    int r =
        ours ? repo_fetch(work->mirror, remote, work->task->branch, &fetched, work->base, err) : 0;

    if (!r && ours)
        r = branch_is_ours(work, work->base, &ours, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    if (ours) {
        r = str_set(&branch, work->task->branch, err);
    } else {
        (void)snprintf(work->base, sizeof(work->base), "%s", work->trunk);
        r = choose_name(work, remote, &branch, err);
    }
    return r ? r : remember(work, branch, base_branch, err);
}

/* Which branch the draft is to lead to: an open draft stays where it is, whatever the settings say
 * now. NULL: the default one. */
static const char *
choose_base(const struct work *work)
{
    if (work->task->draft_state == DRAFT_OPEN && work->task->base_branch)
        return work->task->base_branch;
    return work->run->branch ? work->run->branch : work->settings->branch;
}

/* The branch that is asked for, or that the repository names in its settings, which are on the
 * default branch. */
static int
fetch_base(struct work *work,
           const struct repo_remote *remote,
           const char *default_branch,
           char **ret_branch,
           struct err *err)
{
    const char *wanted = choose_base(work);

    if (work->run->branch && !str_equal(wanted, work->run->branch))
        return work_conclude(work, err, OUTCOME_FAILED,
                             "the open draft leads to \"%s\": close it to have the work done on "
                             "\"%s\"",
                             wanted, work->run->branch);
    (void)snprintf(work->trunk, sizeof(work->trunk), "%s", work->settings_commit);
    if (!wanted || str_equal(wanted, default_branch))
        return str_set(ret_branch, default_branch, err);
    const int r = repo_fetch(work->mirror, remote, wanted, ret_branch, work->trunk, err);
    return r == ERR_NOTFOUND
               ? work_conclude(work, err, OUTCOME_FAILED,
                               "%s names the branch \"%s\", which is not there; no "
                               "agent was run",
                               work->run->branch ? "the request" : REPO_SETTINGS_FILE, wanted)
               : r;
}

/* Is anything asked but to take in the base branch? */
static bool
asks_for_more(const struct work *work)
{
    for (size_t i = 0; i < work->remarks.count; i++)
        if (work->remarks.items[i]->kind != REMARK_BASE)
            return true;
    return work->remarks.count == 0;
}

/* The base branch is taken in where that is asked and there is something to take. */
static int
choose_merge(struct work *work, struct err *err)
{
    bool wanted = false;
    bool has = false;

    for (size_t i = 0; i < work->remarks.count; i++)
        wanted |= work->remarks.items[i]->kind == REMARK_BASE;
    if (!wanted)
        return 0;
    const int r = branch_holds(work, work->base, work->trunk, &has, err);
    if (r)
        return r;
    if (!has)
        (void)snprintf(work->merged, sizeof(work->merged), "%s", work->trunk);
    else if (!asks_for_more(work))
        return work_conclude(work, err, OUTCOME_UNCHANGED, "the branch has all of \"%s\" already",
                             work->task->base_branch);
    return 0;
}

static int
fetch(struct work *work, const struct repo_remote *remote, void *ctx, struct err *err)
{
    (void)ctx;
    auto_free char *default_branch = NULL;
    auto_free char *base_branch = NULL;
    int r = repo_fetch(work->mirror, remote, NULL, &default_branch, work->settings_commit, err);

    if (!r)
        r = work_load_settings(work, err);
    if (!r && work_goes_on(work))
        r = fetch_base(work, remote, default_branch, &base_branch, err);
    if (r || !work_goes_on(work))
        return r;
    (void)snprintf(work->base, sizeof(work->base), "%s", work->trunk);
    r = choose_start(work, remote, base_branch, err);
    if (!r)
        r = choose_merge(work, err);
    return r || !work_goes_on(work) ? r : work_find_origin(work, err);
}

int
branch_fetch(struct work *work, struct err *err)
{
    const int r = branch_with_remote(work, fetch, NULL, err);

    if (r == ERR_NOTFOUND || r == ERR_DENIED)
        return work_conclude(work, err, OUTCOME_FAILED, "%s", err->msg);
    return r;
}
