/* See work.h. What concludes, flags and records a run; its steps are in work_step.c. */
#include "handlers/run/work.h"

#include "handlers/app.h"
#include "handlers/moved.h"
#include "handlers/platform.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/thread/announce.h"
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/redact.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/service.h"
#include "server/store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define RAW_BYTES (LIMIT_TEXT_BYTES / 2) /* of what becomes a line: none is as long */

void
work_done(struct work *work)
{
    sandbox_await_closed(&work->closing);
    task_free(work->task);
    run_free(work->run);
    repo_free(work->mirror);
    repo_settings_free(work->settings);
    comments_done(&work->thread);
    remark_list_done(&work->remarks);
    free(work->summary);
    free(work->conflicts);
    for (size_t i = 0; i < work->flag_count; i++)
        free(work->flags[i]);
    free(work->flags);
    free(work->ending.reason);
    free(work->ending.output);
    free(work->ending.detail);
    *work = (struct work){0};
}

/* One line that can be stored and shown: what goes into it may be any bytes of a sandbox, a file's
 * name in what git says of it among them. */
PRINTF_LIKE(1, 0)
static int
compose_line(const char *format, va_list args, char **ret_line, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf redacted = STRBUF_INIT(LIMIT_TEXT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(LIMIT_REASON_BYTES);
    auto_free char *raw = NULL;
    const int len = vasprintf(&raw, format, args);

    if (len < 0) {
        raw = NULL;
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    const size_t seen = (size_t)len < RAW_BYTES ? (size_t)len : RAW_BYTES;
    redact_append(&redacted, bytes_of(raw, seen));
    text_append_line(&line, strbuf_str(&redacted), LIMIT_REASON_BYTES);
    return strbuf_take(&line, ret_line, err);
}

int
work_conclude(struct work *work, struct err *err, enum run_outcome outcome, const char *format, ...)
{
    char *reason = NULL;
    va_list args;

    if (!work_goes_on(work))
        return 0;
    va_start(args, format);
    const int r = compose_line(format, args, &reason, err);
    va_end(args);
    if (r)
        return r;
    work->ending.outcome = outcome;
    work->ending.reason = reason;
    return 0;
}

int
work_flag(struct work *work, struct err *err, const char *format, ...)
{
    auto_free char *text = NULL;
    va_list args;

    va_start(args, format);
    const int r = compose_line(format, args, &text, err);
    va_end(args);
    if (r)
        return r;
    char **grown = reallocarray(work->flags, work->flag_count + 1, sizeof(*grown));
    if (!grown)
        return err_set(err, ERR_NOMEM, "out of memory");
    work->flags = grown;
    work->flags[work->flag_count++] = TAKE(text);
    return 0;
}

int
work_flags_json(const struct work *work, char **ret_json, struct err *err)
{
    AUTO(js_free) json_t *list = json_array();

    for (size_t i = 0; i < work->flag_count; i++)
        if (json_array_append_new(list, json_string(work->flags[i])))
            return err_set(err, ERR_NOMEM, "out of memory");
    return js_dump(list, ret_json, err);
}

int64_t
work_count_rounds(const struct work *work)
{
    const struct run_settings *bounds = &work->app->settings->runs;
    const struct repo_settings *settings = work->settings;

    if (!settings)
        return 0;
    const int64_t wanted = settings->rounds ? settings->rounds : bounds->rounds;
    if (settings->check_count == 0)
        return 1;
    return wanted < bounds->max_rounds ? wanted : bounds->max_rounds;
}

struct progress_work {
    const struct work *work;
    enum run_stage stage;
    int64_t round;
    int64_t now_ms;
};

static int
store_progress(struct db *db, void *ctx, struct err *err)
{
    const struct progress_work *progress = ctx;
    const struct work *work = progress->work;
    const int r = run_set_stage(db, work->lease, progress->stage, progress->round, err);

    /* tried again after something was away: news only once it gets further than that */
    if (r || (work->run->waiting_since_ms && !work->spent))
        return r;
    const struct announcement news = {
        .rounds = work_count_rounds(work),
        .detail = work->run->waiting_since_ms ? NULL : work->run->detail, /* why it began anew */
    };
    return announce_status(db, work->app, work->task->id, &news, progress->now_ms, err);
}

int
work_progress(struct work *work, enum run_stage stage, int64_t round, struct err *err)
{
    struct progress_work progress = {
        .work = work, .stage = stage, .round = round, .now_ms = clock_now_ms()};
    const int r = store_transact(work->app->store, store_progress, &progress, err);

    if (r)
        return r;
    work->run->stage = stage;
    work->run->round = round;
    service_wake(work->app->sender);
    return 0;
}

int
work_open_mirror(struct work *work, struct err *err)
{
    auto_free char *path = str_printf("%s/%s/%s.git", work->app->mirrors_dir, work->task->platform,
                                      work->task->repository);
    auto_free char *parent = path ? strndup(path, (size_t)(strrchr(path, '/') - path)) : NULL;

    if (!parent)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = fs_make_dirs(parent, 0700, err);
    return r ? r : repo_open_mirror(path, &work->mirror, err);
}

int
work_follow_move(struct work *work, bool *ret_moved, struct err *err)
{
    const struct platform *platform = work->session->platform;
    auto_free char *name = NULL;
    const int r = moved_follow(work->session, work->task->repository, &name, err);

    *ret_moved = name != NULL;
    if (r || !name)
        return r;
    if (!platform->serves(work->app->settings, name))
        return work_conclude(work, err, OUTCOME_FAILED,
                             "the repository is called %s now, which is not in the configuration",
                             name);
    return str_set(&work->task->repository, name, err);
}

int
work_find_origin(struct work *work, struct err *err)
{
    const char *tip = work->head[0] ? work->head : work->base;
    int r = 0;

    if (work->merged[0])
        (void)snprintf(work->origin, sizeof(work->origin), "%s", work->merged);
    else
        r = repo_merge_base(work->mirror, work->trunk, tip, work->origin, err);
    if (r != ERR_NOTFOUND)
        return r;
    (void)snprintf(work->origin, sizeof(work->origin), "%s", work->base);
    return 0;
}

/* The command line of `draftd run` may name checks of its own. */
static int
override_checks(struct work *work, struct err *err)
{
    const char *const *commands = work->app->overrides.checks;
    struct repo_settings *settings = work->settings;
    size_t count = 0;

    if (!commands)
        return 0;
    while (commands[count])
        count++;
    struct check_settings *checks = calloc(count + 1, sizeof(*checks));
    if (!checks)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < settings->check_count; i++) {
        free(settings->checks[i].name);
        free(settings->checks[i].run);
    }
    free(settings->checks);
    settings->checks = checks;
    settings->check_count = count;
    for (size_t i = 0; i < count; i++) {
        struct check_settings *check = &checks[i];
        check->name = str_printf("check %zu", i + 1);
        check->run = str_dup(commands[i]);
        check->timeout_minutes = 30;
        if (!check->name || !check->run)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

int
work_choose_agent(struct work *work, struct err *err)
{
    const struct app *app = work->app;
    const char *asked = work->run->agent ? work->run->agent : work->settings->agent;
    const char *name = app->overrides.agent ? app->overrides.agent : asked;

    work->agent = settings_agent(app->settings, name);
    if (work->agent)
        return 0;
    return work_conclude(work, err, OUTCOME_FAILED,
                         name ? "the agent profile \"%s\" is not in the operator's configuration"
                              : "no agent is configured: add one under agents.profiles%s",
                         name ? name : "");
}

int
work_load_settings(struct work *work, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(LIMIT_CONFIG_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf faults = STRBUF_INIT(LIMIT_OUTPUT_TAIL_BYTES);
    struct err fault = {0};
    int r =
        repo_read_file(work->mirror, work->settings_commit, REPO_SETTINGS_FILE, &contents, &fault);

    if (r == ERR_LIMIT || r == ERR_INVALID)
        return work_conclude(work, err, OUTCOME_FAILED, "%s", fault.msg);
    if (r && r != ERR_NOTFOUND) {
        *err = fault;
        return r;
    }
    repo_settings_free(TAKE(work->settings));
    r = repo_settings_parse(bytes_of(strbuf_str(&contents), contents.len), &faults, &work->settings,
                            &fault);
    if (r == ERR_INVALID) {
        r = str_set(&work->ending.detail, strbuf_str(&faults), err);
        return r ? r
                 : work_conclude(work, err, OUTCOME_FAILED, "%s has faults; no agent was run",
                                 REPO_SETTINGS_FILE);
    }
    if (r) {
        *err = fault;
        return r;
    }
    work->image =
        work->settings->image ? work->settings->image : work->app->settings->sandbox.image;
    return override_checks(work, err);
}

int
work_open_sandbox(struct work *work,
                  enum step_role role,
                  const char *commit,
                  struct sandbox **ret_box,
                  struct err *err)
{
    char task_env[48];
    const char *const env[] = {task_env, "CI=true", NULL};
    const int64_t timeout_ms = work->app->settings->sandbox.timeout_minutes * MS_PER_MINUTE;

    (void)snprintf(task_env, sizeof(task_env), "DRAFTD_TASK=%lld", (long long)work->task->id);
    const struct sandbox_spec spec = {
        .image = work->image,
        .role = step_role_name(role),
        .task = work->task->id,
        .run = work->run->id,
        .objects_dir = repo_objects_dir(work->mirror),
        .commit = commit,
        .branch = work->task->branch,
        .env = env,
        .deadline_mono_ms = clock_mono_ms() + timeout_ms,
        .stop = work->stop,
    };
    const int r = sandbox_open(&work->app->sandbox, &spec, ret_box, err);
    if (r == ERR_NOTFOUND || r == ERR_INVALID)
        return work_conclude(work, err, OUTCOME_FAILED, "%s", err->msg);
    work->spent = work->spent || r == 0;
    return r || role != ROLE_WORK ? r : sandbox_image(*ret_box, work->image_id, err);
}
