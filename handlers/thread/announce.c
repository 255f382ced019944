/* See announce.h. */
#include "handlers/thread/announce.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/report.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/store/outbox.h"
#include "server/store/past_draft.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

#include <string.h>

/* The sign on the message that asked: GitHub's name of the eyes. */
#define SEEN "eyes"
#define HIDDEN_BYTES 65536U

static bool
has_thread(const struct task *task)
{
    const struct platform *platform = platform_find(task->platform);
    return platform && platform->send;
}

/* Every `place` in the text by its name. */
static int
hide(char **text, const char *place, const char *name, struct err *err)
{
    if (!*text || !place || strlen(place) < 2 || !strstr(*text, place))
        return 0;
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(HIDDEN_BYTES);
    char *hidden = NULL;
    const char *rest = *text;

    for (const char *at; (at = strstr(rest, place)); rest = at + strlen(place)) {
        strbuf_add(&buf, rest, (size_t)(at - rest));
        strbuf_add_str(&buf, name);
    }
    strbuf_add_str(&buf, rest);
    const int r = strbuf_take(&buf, &hidden, err);
    if (r)
        return r;
    free(*text);
    *text = hidden;
    return 0;
}

/* Threads may be public, and messages of errors name files for the operator. */
static int
hide_places(char **text, const struct app *app, struct err *err)
{
    const int r = hide(text, app->settings->server.state_dir, "state_dir", err);
    return r ? r : hide(text, app->sandbox.engine, "its socket", err);
}

static int
render(struct db *db,
       const struct app *app,
       struct task *task,
       const struct announcement *announcement,
       int64_t now_ms,
       char **ret_text,
       struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    AUTO_DONE(check_result_list_done) struct check_result_list checks = {0};
    AUTO(past_draft_free) struct past_draft *past = NULL;
    auto_free char *waiting_for = NULL;
    int r = run_latest(db, task->id, &run, err);

    if (!r || r == ERR_NOTFOUND)
        r = past_draft_latest(db, task->id, &past, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    r = run ? check_list(db, run->id, &checks, err) : 0;
    if (!r)
        r = str_set(&waiting_for, announcement->waiting_for, err);
    if (!r)
        r = hide_places(&waiting_for, app, err);
    if (!r)
        r = hide_places(&task->reason, app, err);
    if (!r && run)
        r = hide_places(&run->reason, app, err);
    if (r)
        return r;

    const struct report_input input = {
        .task = task,
        .run = run,
        .checks = run ? &checks : NULL,
        .past = past,
        .instance = app->instance,
        .bot_name = app->settings->bot.name,
        .waiting_for = waiting_for,
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
