/* `draftd logs`: what the steps of a task's newest run printed, or of an earlier one; with -f also
 * what they are printing. Read through the store and nowhere else, so it works beside a serving
 * process and after it. */
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/limits.h"
#include "server/log_follow.h"
#include "server/store/store.h"

#include <inttypes.h>
#include <stdio.h>

static const char usage[] =
    "usage: draftd logs [--config FILE | --run] [-f|--follow] [--run-number N] TASK\n"
    "\n"
    "What the steps of a task's newest run printed.\n"
    "\n"
    "  -f, --follow   go on until the task (or that run) ends; the exit status then says how\n"
    "  --run-number N\n"
    "                 its run N, as draftd show numbers them, instead of the newest\n" CLI_RUN_HELP
        CLI_CONFIG_HELP;

struct logs_options {
    struct cli cli;
    bool follow;
    int64_t task;
    int64_t run_number; /* 0: the newest */
};

static int
read_options(int argc, char **argv, struct logs_options *options)
{
    static const struct option known[] = {
        CLI_COMMON_OPTIONS,
        CLI_RUN_OPTION,
        {.name = "follow", .has_arg = no_argument, .val = 'f'},
        {.name = "run-number", .has_arg = required_argument, .val = 'n'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "f", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == 'f')
            options->follow = true;
        else if (option == 'n' &&
                 (str_to_i64(optarg, &options->run_number, NULL) || options->run_number <= 0))
            return cli_misused("--run-number takes the number of a run, not '%s'", optarg);
        else if (option != 'n' && !cli_take_option(&options->cli, option))
            return cli_misused("logs does not know that option");
    }
    if (argc - optind != 1)
        return cli_misused("logs takes one task");
    return cli_read_id(argv[optind], &options->task) ? EXIT_DONE : EXIT_USAGE;
}

int
cli_logs(int argc, char **argv)
{
    AUTO(store_close) struct store *store = NULL;
    struct log_follow follow;
    struct logs_options options = {0};
    struct err error = {0};
    int status = read_options(argc, argv, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = cli_open_store(&options.cli, &store);
    if (status)
        return status;
    log_follow_init(&follow, store, options.task, cli_print_outside);
    follow.number = options.run_number;
    do {
        if (log_follow_turn(&follow, &error))
            return cli_fail(&error);
        (void)fflush(stdout);
        if (!options.follow || follow.ended)
            break;
        clock_sleep_ms(POLL_MS / 2);
    } while (true);
    return !options.follow || follow.succeeded ? EXIT_DONE : EXIT_WORK_FAILED;
}
