/* `draftd cancel`, `retry` and `replay`: changes made in the store; a serving process sees them
 * within a moment. */
#include "handlers/app.h"
#include "handlers/intake/dispatch.h"
#include "handlers/intake/task_change.h"
#include "server/base/clock.h"
#include "server/base/env.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/limits.h"
#include "server/process.h"
#include "server/store/delivery.h"
#include "server/store/run.h"
#include "server/store/store.h"

#include <inttypes.h>
#include <stdio.h>

static const char cancel_usage[] = "usage: draftd cancel [--config FILE] TASK\n"
                                   "\n"
                                   "Stop a task that waits or runs. Its thread is told.\n"
                                   "\n" CLI_CONFIG_HELP;
static const char retry_usage[] =
    "usage: draftd retry [--config FILE] TASK\n"
    "\n"
    "Another run of a task that has ended, on the same branch and draft; on new ones when the draft\n"
    "was merged or closed.\n"
    "\n" CLI_CONFIG_HELP;
static const char replay_usage[] = "usage: draftd replay [--config FILE] [--dry-run] DELIVERY\n"
                                   "\n"
                                   "Handle a stored delivery again. DELIVERY is draftd's number "
                                   "(see draftd list --deliveries) or the\n"
                                   "platform's id.\n"
                                   "\n"
                                   "  --dry-run      only say what it would do\n" CLI_CONFIG_HELP;

struct change_options {
    struct cli cli;
    bool dry_run;
    const char *argument;
};

static int
read_options(int argc, char **argv, const char *usage, struct change_options *options)
{
    static const struct option known[] = {
        CLI_COMMON_OPTIONS,
        {.name = "dry-run", .has_arg = no_argument, .val = 'd'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == 'd' && usage == replay_usage)
            options->dry_run = true;
        else if (!cli_take_option(&options->cli, option))
            return cli_misused("%s does not know that option", argv[0]);
    }
    if (argc - optind != 1)
        return cli_misused("%s takes one %s", argv[0], usage == replay_usage ? "delivery" : "task");
    options->argument = argv[optind];
    return EXIT_DONE;
}

/* A process beside the serving one: it claims nothing, so it takes no lock. */
static int
open_process(const struct cli *cli, struct settings **ret_settings, struct process **ret_process)
{
    AUTO(settings_free) struct settings *settings = NULL;
    struct err error = {0};
    int status = cli_load_settings(cli, &settings);

    if (status)
        return status;
    auto_free char *path = str_printf("%s/draftd.db", settings->server.state_dir);
    if (!path)
        return cli_fail(&(struct err){.code = ERR_NOMEM, .msg = "out of memory"});
    status = cli_check_store(path, "serve");
    if (status)
        return status;
    if (process_open(&(struct process_options){.settings = settings}, ret_process, &error))
        return cli_fail(&error);
    *ret_settings = TAKE(settings);
    return EXIT_DONE;
}

typedef int (*change_fn)(struct db *db,
                         const struct app *app,
                         int64_t task,
                         const char *actor,
                         int64_t now_ms,
                         struct err *err);

struct change_work {
    change_fn change;
    const struct app *app;
    int64_t task;
    const char *actor;
};

static int
cancel(struct db *db,
       const struct app *app,
       int64_t task,
       const char *actor,
       int64_t now_ms,
       struct err *err)
{
    return task_cancel(db, app, task, &(struct run_cancel){.who = actor}, now_ms, err);
}

static int
retry(struct db *db,
      const struct app *app,
      int64_t task,
      const char *actor,
      int64_t now_ms,
      struct err *err)
{
    return task_retry(db, app, task, &(struct task_again){.actor = actor}, now_ms, err);
}

static int
apply(struct db *db, void *ctx, struct err *err)
{
    const struct change_work *work = ctx;
    return work->change(db, work->app, work->task, work->actor, clock_now_ms(), err);
}

static int
change_task(int argc, char **argv, const char *usage, change_fn change, const char *done)
{
    AUTO(settings_free) struct settings *settings = NULL;
    AUTO(process_close) struct process *process = NULL;
    struct change_options options = {0};
    struct err error = {0};
    const char *user = env_get("USER");
    int status = read_options(argc, argv, usage, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    struct change_work work = {.change = change, .actor = user ? user : "the operator"};
    if (!cli_read_id(options.argument, &work.task))
        return EXIT_USAGE;
    status = open_process(&options.cli, &settings, &process);
    if (status)
        return status;
    work.app = process_app(process);
    if (store_transact(work.app->store, apply, &work, &error))
        return cli_fail(&error);
    (void)printf("task %" PRId64 " %s\n", work.task, done);
    return EXIT_DONE;
}

int
cli_cancel(int argc, char **argv)
{
    return change_task(argc, argv, cancel_usage, cancel, "is asked to stop");
}

int
cli_retry(int argc, char **argv)
{
    return change_task(argc, argv, retry_usage, retry, "is queued again");
}

struct find_work {
    const char *name; /* our number or the platform's id */
    int64_t id;
};

/* Some platforms let the sender choose an id, and it may look like a number of ours. */
static int
find_delivery(struct db *db, void *ctx, struct err *err)
{
    struct find_work *find = ctx;
    AUTO(delivery_free) struct delivery *ours = NULL;
    AUTO(delivery_free) struct delivery *theirs = NULL;
    int64_t number;
    int r = str_to_i64(find->name, &number, NULL) ? 0 : delivery_get(db, number, &ours, err);

    if (!r || r == ERR_NOTFOUND)
        r = delivery_find(db, find->name, &theirs, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    if (!ours && !theirs)
        return err_set(err, ERR_NOTFOUND, "there is no delivery %.80s", find->name);
    if (ours && theirs && ours->id != theirs->id)
        return err_set(err, ERR_INVALID,
                       "%.80s is draftd's number of one delivery and the platform's id of delivery "
                       "%" PRId64 "; name it by its other name",
                       find->name, theirs->id);
    find->id = ours ? ours->id : theirs->id;
    return 0;
}

int
cli_replay(int argc, char **argv)
{
    AUTO(settings_free) struct settings *settings = NULL;
    AUTO(process_close) struct process *process = NULL;
    AUTO(dispatcher_free) struct dispatcher *dispatcher = NULL;
    AUTO_DONE(strbuf_done) struct strbuf said = STRBUF_INIT(LIMIT_REASON_BYTES * 2);
    struct change_options options = {0};
    struct err error = {0};
    int status = read_options(argc, argv, replay_usage, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = open_process(&options.cli, &settings, &process);
    if (status)
        return status;
    struct app *app = process_app(process);
    struct find_work find = {.name = options.argument};
    int r = store_read(app->store, find_delivery, &find, &error);
    if (!r)
        r = dispatcher_new(app, &dispatcher, &error);
    if (!r)
        r = dispatcher_replay(dispatcher, find.id, options.dry_run, &said, &error);
    if (r)
        return cli_fail(&error);
    cli_print_outside(strbuf_str(&said));
    return EXIT_DONE;
}
