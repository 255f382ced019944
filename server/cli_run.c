/* `draftd run`: one task on a local checkout, without a server: the same pipeline, a store of its
 * own beside the user's other state, one worker. It leaves a branch in the checkout. */
#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/intake/task_change.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/text.h"
#include "integrations/git/repo.h"
#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/cli_result.h"
#include "server/limits.h"
#include "server/log_follow.h"
#include "server/process.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_CHECKS 32
#define TITLE_BYTES 72
#define FAILURE_BYTES 8192U
#define FAILURE_LINES 40
#define FAILURES_BYTES (1024U * 1024)

static const char usage[] =
    "usage: draftd run [--config FILE] [--repo DIR] [--agent NAME] [--check CMD]... TEXT\n"
    "\n"
    "Have an agent do what TEXT says in the repository at DIR, run the checks, and leave the "
    "result as a\n"
    "branch. The working tree and the branch that is checked out are not touched.\n"
    "\n"
    "  --repo DIR     a git repository (default: this directory)\n"
    "  --agent NAME   the agent profile of the configuration (default: its default)\n"
    "  --check CMD    a check instead of those of .draftd.yml; may be given several times\n"
    "  --config FILE  where agents and the sandbox are configured (default " CLI_CONFIG_FILE ")\n";

struct run_options {
    struct cli cli;
    const char *repo;
    const char *agent;
    const char *checks[MAX_CHECKS + 1];
    size_t check_count;
    const char *text;
};

static int
read_options(int argc, char **argv, struct run_options *options)
{
    static const struct option known[] = {
        CLI_COMMON_OPTIONS,
        {.name = "repo", .has_arg = required_argument, .val = 'r'},
        {.name = "agent", .has_arg = required_argument, .val = 'a'},
        {.name = "check", .has_arg = required_argument, .val = 'k'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == 'r')
            options->repo = optarg;
        else if (option == 'a')
            options->agent = optarg;
        else if (option == 'k' && options->check_count < MAX_CHECKS)
            options->checks[options->check_count++] = optarg;
        else if (option == 'k')
            return cli_misused("run takes at most %d checks", MAX_CHECKS);
        else if (!cli_take_option(&options->cli, option))
            return cli_misused("run does not know that option");
    }
    if (argc - optind != 1 || !*argv[optind])
        return cli_misused("run takes one text: what is to be done");
    options->text = argv[optind];
    return EXIT_DONE;
}

/* Called after its directory; a hash of the path keeps mirrors of namesakes apart. */
static int
name_repository(const char *path, char **ret_name, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf name = STRBUF_INIT(LIMIT_REPOSITORY_NAME_BYTES);
    char hash[SHA256_HEX_BYTES];
    const int r = crypto_sha256_hex(bytes_of_str(path), hash, err);

    if (r)
        return r;
    strbuf_add_str(&name, "local/");
    text_append_slug(&name, strrchr(path, '/') + 1);
    strbuf_addf(&name, "-%.8s", hash);
    return strbuf_take(&name, ret_name, err);
}

/* The repository becomes the one that the platform "local" serves. */
static int
serve_repository(struct settings *settings, const char *dir, char **ret_name, struct err *err)
{
    auto_free char *path = realpath(dir, NULL);
    auto_free char *name = NULL;
    struct local_repository_settings *repository;

    if (!path)
        return err_set(err, ERR_NOTFOUND, "there is no directory %s", dir);
    AUTO(repo_free) struct repo *repo = NULL;
    int r = repo_open(path, &repo, err);
    if (!r)
        r = name_repository(path, &name, err);
    if (r)
        return r;
    repository = calloc(1, sizeof(*repository));
    if (!repository)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < settings->local.repository_count; i++) {
        free(settings->local.repositories[i].name);
        free(settings->local.repositories[i].path);
    }
    free(settings->local.repositories);
    settings->local.repositories = repository;
    settings->local.repository_count = 1;
    repository->path = TAKE(path);
    r = str_set(&repository->name, name, err);
    if (!r)
        *ret_name = TAKE(name);
    return r;
}

struct start_work {
    const struct app *app;
    struct event event;
    int64_t task;
};

/* What is live there was left by a process that was killed, for only one works on that store. It
 * would be done before this task, and with this command line's repository, agent and checks. */
static int
start_task(struct db *db, void *ctx, struct err *err)
{
    struct start_work *start = ctx;
    const int64_t now_ms = clock_now_ms();
    const int r = run_cancel_all(db, "given up: a later draftd run began", now_ms, err);

    return r ? r : task_start(db, start->app, "local", &start->event, now_ms, &start->task, err);
}

static int
queue_task(const struct app *app,
           const char *repository,
           const char *text,
           int64_t *ret_task,
           struct err *err)
{
    const char *user = env_get("USER");
    auto_free char *title = strndup(text, utf8_cut(text, strcspn(text, "\n"), TITLE_BYTES));
    auto_free char *origin =
        str_printf("local:%s#run-%" PRId64 "-%d", repository, clock_now_ms(), (int)getpid());
    auto_free char *name = str_dup(repository);
    auto_free char *copy = str_dup(text);
    auto_free char *actor = str_dup(user ? user : "you");
    char trigger[] = "command";

    if (!title || !origin || !name || !copy || !actor)
        return err_set(err, ERR_NOMEM, "out of memory");
    struct start_work start = {
        .app = app,
        .event = {.kind = EVENT_START,
                  .trigger = trigger,
                  .origin = origin,
                  .repository = name,
                  .title = title,
                  .text = copy,
                  .actor = actor,
                  .happened_ms = clock_now_ms()},
    };
    const int r = store_transact(app->store, start_task, &start, err);
    if (!r)
        *ret_task = start.task;
    return r;
}

/* A signal cancels the task; the pipeline then ends by itself. */
struct interrupt {
    const struct app *app;
    int64_t task;
};

static int
cancel(struct db *db, void *ctx, struct err *err)
{
    const struct interrupt *interrupt = ctx;
    const int r = task_cancel(db, interrupt->app, interrupt->task,
                              &(struct run_cancel){.who = "you"}, clock_now_ms(), err);

    return r == ERR_NOTFOUND ? 0 : r; /* it ended meanwhile: its result stands */
}

static bool
interrupted(const sigset_t *signals)
{
    const struct timespec at_once = {0};
    return sigtimedwait(signals, NULL, &at_once) > 0;
}

/* On a terminal what the steps print is shown as it comes; in a pipe the outcome is,
 * and the end of what failed. */
static int
follow(struct app *app, int64_t task, const sigset_t *signals, struct err *err)
{
    const bool shows = isatty(STDOUT_FILENO);
    struct interrupt interrupt = {.app = app, .task = task};
    struct log_follow follow;

    log_follow_init(&follow, app->store, task, shows ? cli_print_outside : NULL);
    while (!follow.ended) {
        const int r = log_follow_turn(&follow, err);
        if (r)
            return r;
        (void)fflush(stdout);
        if (interrupted(signals) && store_transact(app->store, cancel, &interrupt, err))
            return err->code;
        clock_sleep_ms(POLL_MS / 5);
    }
    return 0;
}

struct result_work {
    int64_t id;
    struct task *task;
    struct run *run;
    struct check_result_list checks;
    struct strbuf failures; /* what failed steps printed last */
};

static void
result_work_done(struct result_work *result)
{
    task_free(result->task);
    run_free(result->run);
    check_result_list_done(&result->checks);
    strbuf_done(&result->failures);
}

/* Was it executed again, or is its failure no news? */
static bool
is_settled(const struct step_list *steps, size_t at)
{
    const struct step *step = steps->items[at];

    if (step->kind == STEP_BASELINE || step->end == STEP_CANCELED || step->end == STEP_RUNNING ||
        (step->end == STEP_EXITED && step->status == 0))
        return true;
    for (size_t i = at + 1; i < steps->count; i++)
        if (steps->items[i]->kind == step->kind && str_equal(steps->items[i]->name, step->name))
            return true;
    return false;
}

static int
load_failures(struct db *db, struct result_work *result, struct err *err)
{
    AUTO_DONE(step_list_done) struct step_list steps = {0};
    int r = step_list(db, result->run->id, &steps, err);

    strbuf_reset(&result->failures); /* of an earlier try */
    for (size_t i = 0; !r && i < steps.count; i++) {
        AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(FAILURE_BYTES);
        if (is_settled(&steps, i))
            continue;
        log_append_heading(&result->failures, steps.items[i]);
        r = step_read_tail(db, steps.items[i]->id, FAILURE_BYTES, &output, err);
        text_append_tail(&result->failures, bytes_of(output.ptr, output.len), FAILURE_LINES,
                         FAILURE_BYTES);
        if (output.len > 0)
            strbuf_add_char(&result->failures, '\n');
        log_append_end(&result->failures, steps.items[i]);
    }
    return r;
}

static int
load_result(struct db *db, void *ctx, struct err *err)
{
    struct result_work *result = ctx;
    int r = task_get(db, result->id, &result->task, err);

    if (!r)
        r = run_latest(db, result->id, &result->run, err);
    if (!r)
        r = check_list(db, result->run->id, &result->checks, err);
    return r ? r : load_failures(db, result, err);
}

/* A terminal has seen it as it came. */
static void
print_failures(const struct result_work *result)
{
    if (result->failures.len == 0 || isatty(STDOUT_FILENO))
        return;
    cli_print_outside(strbuf_str(&result->failures));
    (void)printf("\n`draftd logs --run %" PRId64 "` shows all of it\n", result->id);
}

static int
print_result(const struct app *app, int64_t id)
{
    AUTO_DONE(result_work_done)
    struct result_work result = {.id = id, .failures = STRBUF_INIT(FAILURES_BYTES)};
    struct err error = {0};

    if (store_read(app->store, load_result, &result, &error))
        return cli_fail(&error);
    const struct task *task = result.task;
    const struct run *run = result.run;
    const bool drafted = task->state == TASK_DRAFTED;
    (void)printf("%s: ", task_state_name(task->state));
    cli_print_outside(task->reason);
    (void)putchar('\n');
    if (drafted) {
        cli_print_field("branch", task->branch);
        cli_print_field("commit", run->head_commit);
        (void)printf("%-14s ", "verdict");
        cli_print_words(run_verdict_name(run->verdict));
        (void)putchar('\n');
    }
    cli_print_findings(run);
    cli_print_checks(&result.checks);
    print_failures(&result);
    return drafted && run->verdict != VERDICT_NOT_VERIFIED ? EXIT_DONE : EXIT_WORK_FAILED;
}

static int
run_task(const struct run_options *options, struct settings *settings, const sigset_t *signals)
{
    AUTO(process_close) struct process *process = NULL;
    auto_free char *dir = cli_run_state_dir();
    auto_free char *repository = NULL;
    struct err error = {0};
    int64_t task = 0;

    if (!dir)
        return cli_fail(&(struct err){.code = ERR_NOMEM, .msg = "out of memory"});
    int r = process_open(
        &(struct process_options){.settings = settings, .state_dir = dir, .works = true}, &process,
        &error);
    if (!r)
        r = serve_repository(settings, options->repo, &repository, &error);
    if (r)
        return cli_fail(&error);
    struct app *app = process_app(process);
    app->overrides = (struct run_overrides){
        .agent = options->agent, .checks = options->check_count ? options->checks : NULL};
    r = process_require_sandbox(process, &error);
    if (!r)
        r = queue_task(app, repository, options->text, &task, &error);
    if (!r)
        r = process_prepare(process, 1, &error);
    if (!r)
        r = process_start(process, &error);
    if (!r)
        r = follow(app, task, signals, &error);
    return r ? cli_fail(&error) : print_result(app, task);
}

/* Without --config a missing file is no fault: the defaults may do. */
static int
load_settings(const struct cli *cli, struct settings **ret_settings)
{
    struct err error = {0};

    if (cli->config || fs_exists(CLI_CONFIG_FILE))
        return cli_load_settings(cli, ret_settings);
    return settings_default(ret_settings, &error) ? cli_fail(&error) : EXIT_DONE;
}

int
cli_run(int argc, char **argv)
{
    AUTO(settings_free) struct settings *settings = NULL;
    struct run_options options = {.repo = ".", .text = ""};
    sigset_t signals;
    int status = read_options(argc, argv, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = load_settings(&options.cli, &settings);
    if (status)
        return status;
    log_set_level(LOG_WARNING);
    process_block_signals(&signals);
    return run_task(&options, settings, &signals);
}
