/* See task_run.h. */
#include "handlers/run/task_run.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/run/push_check.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/report.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (1024 * 1024)

/* A run taken up again after its export goes on from the commit that it made, with the settings
 * that it began with: what became of them since is the next run's. */
static int
resume(struct work *work, struct err *err)
{
    AUTO(js_free) json_t *flags = NULL;
    const struct run *run = work->run;
    int r;

    (void)snprintf(work->base, sizeof(work->base), "%s", run->base_commit);
    (void)snprintf(work->head, sizeof(work->head), "%s", run->head_commit);
    r = str_set(&work->summary, run->summary, err);
    if (!r && run->flags)
        r = js_parse(bytes_of_str(run->flags), &flags, err);
    for (size_t i = 0; !r && i < json_array_size(flags); i++)
        r = work_flag(work, err, "%s", json_string_value(json_array_get(flags, i)));
    if (!r)
        r = work_open_mirror(work, err);
    if (!r)
        r = repo_resolve(work->mirror, work->task->base_branch, work->trunk, err);
    if (!r)
        r = work_find_origin(work, err);
    (void)snprintf(work->settings_commit, sizeof(work->settings_commit), "%s",
                   run->settings_commit ? run->settings_commit : work->origin);
    return r ? r : work_load_settings(work, err);
}

/* What an agent makes is not to be lost, and paid for again, for want of room to keep it. */
static int
check_room(const struct work *work, struct err *err)
{
    const char *dir = work->app->settings->server.state_dir;
    const int64_t free_bytes = fs_free_bytes(dir);

    if (free_bytes >= LIMIT_RUN_ROOM_BYTES)
        return 0;
    return err_set(err, ERR_UNAVAILABLE,
                   "the disk of %s is almost full: %" PRId64 " MiB are free, and a run needs %d",
                   dir, free_bytes / MIB, LIMIT_RUN_ROOM_BYTES / MIB);
}

int
task_run(struct work *work, struct err *err)
{
    const bool exported = work->run->head_commit && work->run->stage >= STAGE_PROOF;
    int r = exported ? 0 : check_room(work, err);

    if (!r)
        r = exported ? resume(work, err) : task_make_change(work, err);
    if (!r && work_goes_on(work))
        r = push_check(work, err);
    if (!r && work_goes_on(work) && work->run->stage < STAGE_PUBLISH)
        r = task_prove(work, err);
    if (!r && work_goes_on(work))
        r = task_publish(work, err);
    sandbox_await_closed(&work->closing); /* a run that has ended has left nothing behind */
    return r;
}
