/* The program: finds the command and calls it. */
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"

#include <curl/curl.h>
#include <git2.h>
#include <jansson.h>
#include <locale.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <yaml.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static int cli_version(int argc, char **argv);
static int cli_help(int argc, char **argv);

static const struct command commands[] = {
    {"serve", cli_serve, "receive webhooks, run tasks, publish drafts"},
    {"run", cli_run, "one task on a local checkout, without a server; leaves a branch"},
    {"list", cli_list, "the tasks, newest first"},
    {"show", cli_show, "one task: state, checks, draft, what is owed to its thread"},
    {"logs", cli_logs, "what a task's steps printed; -f follows"},
    {"cancel", cli_cancel, "stop a task"},
    {"retry", cli_retry, "another run of an ended task"},
    {"replay", cli_replay, "handle a stored delivery again; --dry-run only says what it would do"},
    {"backup", cli_backup, "a copy of all that draftd knows, made while it serves"},
    {"version", cli_version, "the versions of draftd and of what it stands on"},
    {"help", cli_help, "this text"},
};

static int
cli_version(int argc, char **argv)
{
    int major = 0;
    int minor = 0;
    int revision = 0;

    if (argc > 1 && str_equal(argv[1], "--help")) {
        (void)puts("usage: draftd version\n\nThe versions of draftd and of what it stands on.");
        return EXIT_DONE;
    }
    if (argc > 1)
        return cli_misused("version takes no argument, found '%s'", argv[1]);
    (void)git_libgit2_version(&major, &minor, &revision);
    (void)printf("draftd %s\nlibgit2 %d.%d.%d\nlibcurl %s\nsqlite %s\nlibmicrohttpd %s\n"
                 "jansson %s\nlibyaml %s\nopenssl %s\n",
                 DRAFTD_VERSION, major, minor, revision,
                 curl_version_info(CURLVERSION_NOW)->version, sqlite3_libversion(),
                 MHD_get_version(), jansson_version_str(), yaml_get_version_string(),
                 OpenSSL_version(OPENSSL_VERSION_STRING));
    return EXIT_DONE;
}

static int
cli_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)puts("usage: draftd COMMAND [OPTION]...\n\nTurns tickets into draft pull requests.\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        (void)printf("  %-8s %s\n", commands[i].name, commands[i].help);
    (void)puts(
        "\nEvery command explains itself with --help. Exit status: 0 done; 1 the work failed; 2 "
        "wrong usage\nor configuration; 3 something needed is not there.");
    return EXIT_DONE;
}

int
main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    if (argc < 2) {
        (void)cli_help(argc, argv);
        return EXIT_USAGE;
    }
    if (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))
        return cli_help(argc, argv);
    if (str_equal(argv[1], "--version"))
        return cli_version(argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_equal(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    return cli_misused("there is no command '%s'", argv[1]);
}
