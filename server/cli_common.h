/* What the commands share: options, settings, errors to standard error. */
#pragma once

#include "handlers/settings/settings.h"
#include "server/base/err.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

#define CLI_CONFIG_FILE "/etc/draftd/draftd.yml"

/* Every command knows these; a command adds its own behind them. */
#define CLI_COMMON_OPTIONS                                                                         \
    {.name = "config", .has_arg = required_argument, .val = 'c'},                                  \
    {                                                                                              \
        .name = "help", .has_arg = no_argument, .val = 'h'                                         \
    }
#define CLI_CONFIG_HELP                                                                            \
    "  --config FILE  the server's configuration (default " CLI_CONFIG_FILE ")\n"

/* Of listings. */
#define CLI_JSON_OPTION                                                                            \
    {                                                                                              \
        .name = "json", .has_arg = no_argument, .val = 'j'                                         \
    }
#define CLI_JSON_HELP "  --json         for machines\n"

/* Of those that only look into the store. */
#define CLI_RUN_OPTION                                                                             \
    {                                                                                              \
        .name = "run", .has_arg = no_argument, .val = 'u'                                          \
    }
#define CLI_RUN_HELP "  --run          the tasks of `draftd run`, not the server's\n"

struct cli {
    const char *config; /* NULL: CLI_CONFIG_FILE */
    bool json;
    bool run; /* the store of `draftd run` */
};

/* Take in a common option. Returns false when `option` is not one. */
bool cli_take_option(struct cli *cli, int option);

/* Load the settings; faults go to standard error.  Returns EXIT_DONE, EXIT_USAGE or EXIT_MISSING.
 * Owns: *ret_settings is the caller's. */
int cli_load_settings(const struct cli *cli, struct settings **ret_settings);

/* Where `draftd run` keeps its state: beside the user's other state, not the server's.
 * Returns NULL when out of memory.  Owns: the caller's, free(). */
char *cli_run_state_dir(void);

/* EXIT_DONE when there is a store at `path`; else it is said that there is none, and which command
 * makes it. */
int cli_check_store(const char *path, const char *made_by);

/* Open the store that the settings name, or that of `draftd run`; it must exist.
 * Owns: *ret_store is the caller's. */
int cli_open_store(const struct cli *cli, struct store **ret_store);

/* Print "draftd: MESSAGE" to standard error; returns the exit status that fits the error. */
int cli_fail(const struct err *error);

/* Print a line of usage to standard error; returns EXIT_USAGE. */
int cli_misused(const char *format, ...) PRINTF_LIKE(1, 2);

/* Read an id from the command line; complains itself. */
bool cli_read_id(const char *text, int64_t *ret_id);

/* Print text that came from outside to a terminal or a pipe: escape sequences and control
 * characters other than line end and tab are shown as '?'. */
void cli_print_outside(const char *text);

/* Print a name that programs read ("not_run") as people write it ("not run"). */
void cli_print_words(const char *name);

/* As cli_print_outside(), for what is to stay in its line of a listing: line ends and tabs are
 * shown as '?' as well. */
void cli_print_line(const char *text);
