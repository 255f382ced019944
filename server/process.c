/* See process.h. */
#include "server/process.h"

#include "handlers/github.h"
#include "handlers/intake/dispatch.h"
#include "handlers/intake/permissions.h"
#include "handlers/janitor.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/live.h"
#include "handlers/thread/sender.h"
#include "handlers/timer.h"
#include "handlers/watch/watcher.h"
#include "handlers/worker.h"
#include "integrations/git/repo.h"
#include "integrations/github/github.h"
#include "integrations/github/github_pacer.h"
#include "server/base/fs.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/instance.h"
#include "server/service.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MAX_WORKERS 64

struct process {
    struct app app;
    int lock_fd;
    /* what `app` borrows */
    char *instance;
    char *mirrors_dir;
    char *scratch_dir;
    char *doors_dir;
    char *runner_path;
    /* services and what they turn */
    struct dispatcher *dispatcher;
    struct sender *sender;
    struct timer *timer;
    struct service *timer_service;
    struct watcher *watcher;
    struct service *watcher_service;
    struct janitor *janitor;
    struct service *janitor_service;
    bool host_tried; /* and it works */
    struct worker *workers[MAX_WORKERS];
    struct service *worker_services[MAX_WORKERS + 1];
    size_t workers_started; /* the janitor's thread only */
};

/* The directory of this very program. */
static int
program_dir(char **ret_dir, struct err *err)
{
    auto_free char *path = realpath("/proc/self/exe", NULL);

    if (!path)
        return err_set(err, ERR_IO, "/proc/self/exe cannot be read; is /proc mounted?");
    *strrchr(path, '/') = '\0';
    *ret_dir = TAKE(path);
    return 0;
}

/* In a sandbox it runs as another user, and a build under umask 077 is for its owner alone. */
static int
check_runner(const char *path, struct err *err)
{
    struct stat facts;

    if (stat(path, &facts))
        return err_set_errno(err, ERR_IO, errno, "reading %s", path);
    if (!(facts.st_mode & S_IXOTH))
        return err_set(err, ERR_INVALID,
                       "%s is not executable for everybody, as it has to be inside of sandboxes; "
                       "run: chmod a+rx %s",
                       path, path);
    return 0;
}

/* The runner lies beside the program in the build's own tree, or where it is installed. */
static int
find_runner(char **ret_path, struct err *err)
{
    static const char *const places[] = {"sandbox/draftd-runner", "../libexec/draftd/draftd-runner",
                                         "draftd-runner"};
    auto_free char *dir = NULL;
    const int r = program_dir(&dir, err);

    if (r)
        return r;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        auto_free char *path = str_printf("%s/%s", dir, places[i]);
        if (!path)
            return err_set(err, ERR_NOMEM, "out of memory");
        auto_free char *real = realpath(path, NULL);
        if (!real)
            continue;
        const int checked = check_runner(real, err);
        if (!checked)
            *ret_path = TAKE(real);
        return checked;
    }
    return err_set(err, ERR_NOTFOUND, "draftd-runner is not beside %s; install it with draftd",
                   dir);
}

static int
make_dir(const char *state_dir, const char *name, char **ret_path, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", state_dir, name);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = fs_make_dirs(path, 0700, err);
    if (!r)
        *ret_path = TAKE(path);
    return r;
}

static int
open_directories(struct process *process, const char *state_dir, struct err *err)
{
    int r = fs_make_dirs(state_dir, 0700, err);

    if (!r)
        r = make_dir(state_dir, "mirrors", &process->mirrors_dir, err);
    if (!r)
        r = make_dir(state_dir, "scratch", &process->scratch_dir, err);
    if (!r)
        r = make_dir(state_dir, "doors", &process->doors_dir, err);
    return r;
}

static int
take_lock(struct process *process, const char *state_dir, struct err *err)
{
    auto_free char *path = str_printf("%s/work.lock", state_dir);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = fs_lock(path, &process->lock_fd, err);
    if (r == ERR_CONFLICT)
        return err_set(
            err, ERR_CONFLICT,
            "another draftd works in %s; stop it, or give this one a state_dir of its own",
            state_dir);
    return r;
}

static int
open_store(struct process *process, const char *state_dir, struct err *err)
{
    auto_free char *path = str_printf("%s/draftd.db", state_dir);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    return store_open(path, &process->app.store, err);
}

static void
fill_app(struct process *process, const struct settings *settings)
{
    const struct sandbox_settings *sandbox = &settings->sandbox;
    struct app *app = &process->app;
    const bool fits = sandbox->disk_mib <= sandbox->memory_mib / 2;

    app->settings = settings;
    app->instance = process->instance;
    app->owner = process->instance;
    app->mirrors_dir = process->mirrors_dir;
    app->scratch_dir = process->scratch_dir;
    app->sandbox = (struct sandbox_host){
        .engine = sandbox->engine,
        .runner_path = process->runner_path,
        .doors_dir = process->doors_dir,
        .instance = process->instance,
        .memory_mib = sandbox->memory_mib,
        .cpus = sandbox->cpus,
        .processes = sandbox->processes,
        .disk_mib = sandbox->disk_mib,
        .tmp_mib = sandbox->tmp_mib,
        .workspace_in_memory = str_equal(sandbox->workspace, "memory") ||
                               (str_equal(sandbox->workspace, "auto") && fits),
        .user_namespace = str_equal(sandbox->user_namespace, "auto"),
        .stop = app->stop,
    };
}

/* A mirror's objects are read inside sandboxes by another user; what is private lies in directories
 * that only we may enter, whatever the umask. And each connection, spool and sandbox takes
 * descriptors. */
static void
prepare_process(void)
{
    struct rlimit files;

    (void)umask(022);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int
process_open(const struct process_options *options, struct process **ret_process, struct err *err)
{
    AUTO(process_close) struct process *process = calloc(1, sizeof(*process));
    const struct settings *settings = options->settings;
    const char *state_dir = options->state_dir ? options->state_dir : settings->server.state_dir;

    if (!process)
        return err_set(err, ERR_NOMEM, "out of memory");
    process->lock_fd = -1;
    prepare_process();
    int r = open_directories(process, state_dir, err);
    if (!r && options->works)
        r = take_lock(process, state_dir, err);
    if (!r && options->works)
        r = find_runner(&process->runner_path, err);
    if (!r && options->works) /* it reads all certificates of the system */
        r = repo_init(settings->github.ca_file, err);
    if (!r)
        r = stop_new(&process->app.stop, err);
    if (!r)
        r = open_store(process, state_dir, err);
    if (!r)
        r = instance_load(process->app.store, state_dir, &process->instance, err);
    if (!r)
        r = github_tokens_new(&process->app.tokens, err);
    if (!r)
        r = github_new_pacer(settings, &process->app.pacer, err);
    if (!r)
        r = permissions_new(&process->app.permissions, err);
    if (!r)
        r = live_new(&process->app.live, err);
    if (r)
        return r;
    fill_app(process, settings);
    *ret_process = TAKE(process);
    return 0;
}

static void
stop_services(struct process *process)
{
    struct app *app = &process->app;

    if (app->live)
        live_stop_all(app->live);
    if (app->stop)
        stop_raise(app->stop);
    service_end(process->janitor_service); /* first: it starts the workers */
    for (size_t i = 0; i < MAX_WORKERS; i++)
        service_end(process->worker_services[i]);
    service_end(process->timer_service);
    service_end(process->watcher_service);
    service_end(app->dispatcher);
    service_end(app->sender);
}

void
process_close(struct process *process)
{
    struct app *app = &process->app;

    stop_services(process);
    /* Its writer may still have requests to answer, and wakes the dispatcher then. */
    store_close(TAKE(app->store));
    for (size_t i = 0; i < MAX_WORKERS; i++) {
        service_free(process->worker_services[i]);
        worker_free(process->workers[i]);
    }
    service_free(process->timer_service);
    service_free(process->watcher_service);
    service_free(process->janitor_service);
    janitor_free(process->janitor);
    service_free(app->dispatcher);
    service_free(app->sender);
    dispatcher_free(process->dispatcher);
    sender_free(process->sender);
    timer_free(process->timer);
    watcher_free(process->watcher);
    live_free(app->live);
    permissions_free(app->permissions);
    github_tokens_free(app->tokens);
    github_pacer_free(app->pacer);
    stop_free(app->stop);
    cleanup_close(&process->lock_fd);
    free(process->instance);
    free(process->mirrors_dir);
    free(process->scratch_dir);
    free(process->doors_dir);
    free(process->runner_path);
    free(process);
}

struct app *
process_app(struct process *process)
{
    return &process->app;
}

static int
release_leases(struct db *db, void *ctx, struct err *err)
{
    const struct app *app = ctx;
    return run_release_all(db, app->owner, err);
}

int
process_require_sandbox(struct process *process, struct err *err)
{
    const int r = janitor_try_host(&process->app, err);

    process->host_tried = !r;
    return r;
}

int
process_recover(struct process *process, struct err *err)
{
    return store_transact(process->app.store, release_leases, &process->app, err);
}

/* What is not started now is in a minute. */
static void
start_workers(struct process *process)
{
    struct err error = {0};

    for (; process->worker_services[process->workers_started]; process->workers_started++) {
        if (service_start(process->worker_services[process->workers_started], &error)) {
            log_error("worker_not_started", kv_str("error", error.msg));
            return;
        }
    }
}

/* The workers begin once it has looked for what an earlier process left behind. */
static int64_t
janitor_service_turn(void *ctx)
{
    struct process *process = ctx;
    const int64_t pause_ms = janitor_turn(process->janitor);

    start_workers(process);
    return pause_ms;
}

int
process_prepare(struct process *process, int64_t workers, struct err *err)
{
    const size_t count = workers < MAX_WORKERS ? (size_t)workers : MAX_WORKERS;
    struct app *app = &process->app;
    int r = dispatcher_new(app, &process->dispatcher, err);

    if (!r)
        r = sender_new(app, &process->sender, err);
    if (!r)
        r = timer_new(app, &process->timer, err);
    if (!r)
        r = service_new("dispatcher", dispatcher_turn, process->dispatcher, app->stop,
                        &app->dispatcher, err);
    if (!r)
        r = service_new("sender", sender_turn, process->sender, app->stop, &app->sender, err);
    if (!r)
        r = service_new("timer", timer_turn, process->timer, app->stop, &process->timer_service,
                        err);
    if (!r)
        r = janitor_new(app, process->host_tried, &process->janitor, err);
    if (!r)
        r = service_new("janitor", janitor_service_turn, process, app->stop,
                        &process->janitor_service, err);
    for (size_t i = 0; !r && i < count; i++) {
        r = worker_new(app, &process->workers[i], err);
        if (!r)
            r = service_new("worker", worker_turn, process->workers[i], app->stop,
                            &process->worker_services[i], err);
    }
    app->workers = process->worker_services;
    return r;
}

int
process_start(struct process *process, struct err *err)
{
    struct app *app = &process->app;
    int r = service_start(app->sender, err);

    if (!r)
        r = service_start(process->timer_service, err);
    if (!r)
        r = service_start(app->dispatcher, err);
    if (!r)
        r = service_start(process->janitor_service, err);
    return r;
}

int
process_watch(struct process *process, struct err *err)
{
    struct app *app = &process->app;
    int r = watcher_new(app, &process->watcher, err);

    if (!r)
        r = service_new("watcher", watcher_turn, process->watcher, app->stop,
                        &process->watcher_service, err);
    return r ? r : service_start(process->watcher_service, err);
}

static bool
is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void
process_block_signals(sigset_t *ret_signals)
{
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)sigaddset(ret_signals, SIGINT);
    if (!is_ignored(SIGHUP)) /* as nohup asks: it may outlive its terminal */
        (void)sigaddset(ret_signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}
