/* See announce.h. */
#include "handlers/thread/announce.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/report.h"
#include "server/store/outbox.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

/* The sign on the message that asked: GitHub's name of the eyes. */
#define SEEN "eyes"

static bool
has_thread(const struct task *task)
{
    const struct platform *platform = platform_find(task->platform);
    return platform && platform->send;
}

static int
render(struct db *db,
       const struct app *app,
       const struct task *task,
       const struct announcement *announcement,
       int64_t now_ms,
       char **ret_text,
       struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    AUTO_DONE(check_result_list_done) struct check_result_list checks = {0};
    int r = run_latest(db, task->id, &run, err);

    if (r && r != ERR_NOTFOUND)
        return r;
    r = run ? check_list(db, run->id, &checks, err) : 0;
    if (r)
        return r;

    const struct report_input input = {
        .task = task,
        .run = run,
        .checks = run ? &checks : NULL,
        .instance = app->instance,
        .bot_name = app->settings->bot.name,
        .waiting_for = announcement->waiting_for,
        .output = announcement->output,
        .detail = announcement->detail,
        .rounds = announcement->rounds,
        .now_ms = now_ms,
    };
    return report_status(&input, ret_text, err);
}

int
announce_status(struct db *db,
                const struct app *app,
                int64_t task_id,
                const struct announcement *announcement,
                int64_t now_ms,
                struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    auto_free char *text = NULL;
    int r = task_get(db, task_id, &task, err);

    if (r)
        return r;
    if (!has_thread(task))
        return 0;
    r = render(db, app, task, announcement, now_ms, &text, err);
    if (r)
        return r;
    return outbox_put(db,
                      &(struct outbox_new){.platform = task->platform,
                                           .thread = task->thread,
                                           .kind = OUTBOX_STATUS,
                                           .task = task->id,
                                           .body = text},
                      now_ms, err);
}

int
announce_seen(struct db *db, int64_t task_id, const char *target, int64_t now_ms, struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    const int r = task_get(db, task_id, &task, err);

    if (r)
        return r;
    if (!has_thread(task))
        return 0;
    return outbox_put(db,
                      &(struct outbox_new){.platform = task->platform,
                                           .thread = task->thread,
                                           .kind = OUTBOX_REACTION,
                                           .task = task->id,
                                           .target = target,
                                           .body = SEEN},
                      now_ms, err);
}
