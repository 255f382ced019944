/* `draftd list`: the tasks, or the deliveries and what became of them; newest first. */
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/cli_json.h"
#include "server/store/delivery.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_LIMIT 50
#define TITLE_BYTES 60

static const char usage[] =
    "usage: draftd list [--config FILE | --run] [--json] [--live | --deliveries] [--limit N]\n"
    "\n"
    "The tasks, newest first.\n"
    "\n"
    "  --live         only tasks that wait or run\n"
    "  --deliveries   instead of tasks: what platforms sent, and what became of it\n"
    "  --limit N      at most N (default 50)\n" CLI_JSON_HELP CLI_RUN_HELP CLI_CONFIG_HELP;

struct list_work {
    bool live_only;
    bool wants_deliveries;
    uint64_t limit;
    struct task_list tasks;
    struct delivery_list deliveries;
};

static void
list_work_done(struct list_work *list)
{
    task_list_done(&list->tasks);
    delivery_list_done(&list->deliveries);
}

static int
load(struct db *db, void *ctx, struct err *err)
{
    struct list_work *list = ctx;
    return list->wants_deliveries ? delivery_list(db, list->limit, &list->deliveries, err)
                                  : task_list(db, list->live_only, list->limit, &list->tasks, err);
}

static int
print_json(const struct list_work *list)
{
    AUTO(js_free) json_t *array = json_array();

    for (size_t i = 0; i < list->tasks.count; i++)
        if (json_array_append_new(array, cli_task_json(list->tasks.items[i])))
            return EXIT_WORK_FAILED;
    for (size_t i = 0; i < list->deliveries.count; i++)
        if (json_array_append_new(array, cli_delivery_json(list->deliveries.items[i])))
            return EXIT_WORK_FAILED;
    return cli_print_json(array);
}

static void
print_table(const struct task_list *tasks)
{
    (void)printf("%-6s %-10s %-24s %-24s %s\n", "TASK", "STATE", "UPDATED", "REPOSITORY", "TITLE");
    for (size_t i = 0; i < tasks->count; i++) {
        const struct task *task = tasks->items[i];
        const size_t len = strlen(task->title);
        char when[CLOCK_TEXT_BYTES];
        auto_free char *title = strndup(task->title, utf8_cut(task->title, len, TITLE_BYTES));

        (void)printf("%-6" PRId64 " %-10s %-24s %-24s ", task->id, task_state_name(task->state),
                     clock_format(task->updated_ms, when), task->repository);
        cli_print_line(title);
        (void)putchar('\n');
    }
}

static void
print_deliveries(const struct delivery_list *deliveries)
{
    (void)printf("%-8s %-9s %-24s %-9s %-14s %-6s %s\n", "DELIVERY", "STATE", "RECEIVED",
                 "PLATFORM", "EVENT", "TASK", "REASON");
    for (size_t i = 0; i < deliveries->count; i++) {
        const struct delivery *delivery = deliveries->items[i];
        char when[CLOCK_TEXT_BYTES];
        char task[24] = "-";

        if (delivery->task)
            (void)snprintf(task, sizeof(task), "%" PRId64, delivery->task);
        (void)printf("%-8" PRId64 " %-9s %-24s %-9s %-14s ", delivery->id,
                     delivery_state_name(delivery->state),
                     clock_format(delivery->received_ms, when), delivery->platform,
                     delivery->event);
        (void)printf(delivery->reason ? "%-6s " : "%s", task);
        cli_print_line(delivery->reason ? delivery->reason : "");
        (void)putchar('\n');
    }
}

static int
read_options(int argc, char **argv, struct cli *cli, struct list_work *list)
{
    static const struct option known[] = {
        CLI_COMMON_OPTIONS,
        CLI_RUN_OPTION,
        CLI_JSON_OPTION,
        {.name = "live", .has_arg = no_argument, .val = 'l'},
        {.name = "deliveries", .has_arg = no_argument, .val = 'd'},
        {.name = "limit", .has_arg = required_argument, .val = 'n'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == 'l')
            list->live_only = true;
        else if (option == 'd')
            list->wants_deliveries = true;
        else if (option == 'n' && str_to_u64(optarg, &list->limit, NULL))
            return cli_misused("--limit takes a number, not '%s'", optarg);
        else if (option != 'n' && !cli_take_option(cli, option))
            return cli_misused("list does not know that option");
    }
    if (optind < argc)
        return cli_misused("list takes no argument, found '%s'", argv[optind]);
    if (list->live_only && list->wants_deliveries)
        return cli_misused("--live is about tasks, --deliveries about deliveries");
    return EXIT_DONE;
}

int
cli_list(int argc, char **argv)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO_DONE(list_work_done) struct list_work list = {.limit = DEFAULT_LIMIT};
    struct cli cli = {0};
    struct err error = {0};
    int status = read_options(argc, argv, &cli, &list);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = cli_open_store(&cli, &store);
    if (status)
        return status;
    if (store_read(store, load, &list, &error))
        return cli_fail(&error);
    if (cli.json)
        return print_json(&list);
    if (list.wants_deliveries)
        print_deliveries(&list.deliveries);
    else
        print_table(&list.tasks);
    return EXIT_DONE;
}
