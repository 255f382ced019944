/* `draftd backup`: a copy of the store, which a serving process need not know of. */
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/instance.h"
#include "server/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char usage[] = "usage: draftd backup [--config FILE] NEW_FILE\n"
                            "\n"
                            "Copy all that draftd knows to NEW_FILE, while it serves. To go on "
                            "from it one day: stop draftd,\n"
                            "remove draftd.db, draftd.db-wal and draftd.db-shm from the state "
                            "directory, copy the file there\n"
                            "as draftd.db, start draftd.\n"
                            "\n" CLI_CONFIG_HELP;

struct backup_options {
    struct cli cli;
    const char *file;
};

static int
read_options(int argc, char **argv, struct backup_options *options)
{
    static const struct option known[] = {CLI_COMMON_OPTIONS, {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (!cli_take_option(&options->cli, option))
            return cli_misused("backup does not know that option");
    }
    if (argc - optind != 1 || !argv[optind][0])
        return cli_misused("backup takes one file to write");
    options->file = argv[optind];
    return EXIT_DONE;
}

/* Its name has to be in a store that was made before names were. */
static int
back_up(const struct settings *settings, struct store *store, const char *file, struct err *err)
{
    auto_free char *instance = NULL;
    const int r = instance_load(store, settings->server.state_dir, &instance, err);

    return r ? r : store_backup(store, file, err);
}

int
cli_backup(int argc, char **argv)
{
    AUTO(settings_free) struct settings *settings = NULL;
    AUTO(store_close) struct store *store = NULL;
    struct backup_options options = {0};
    struct err error = {0};
    struct stat facts = {0};
    int status = read_options(argc, argv, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = cli_load_settings(&options.cli, &settings);
    if (!status)
        status = cli_open_store(&options.cli, &store);
    if (status)
        return status;
    if (back_up(settings, store, options.file, &error))
        return cli_fail(&error);
    if (!stat(options.file, &facts))
        (void)printf("%s: %lld KiB\n", options.file, (long long)(facts.st_size + 1023) / 1024);
    return EXIT_DONE;
}
