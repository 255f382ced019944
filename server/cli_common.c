/* See cli_common.h. */
#include "server/cli_common.h"

#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/limits.h"
#include "server/store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
cli_take_option(struct cli *cli, int option)
{
    switch (option) {
    case 'c':
        cli->config = optarg;
        return true;
    case 'j':
        cli->json = true;
        return true;
    case 'u':
        cli->run = true;
        return true;
    default:
        return false;
    }
}

int
cli_fail(const struct err *error)
{
    (void)fprintf(stderr, "draftd: %s\n", error->msg);
    switch (error->code) {
    case ERR_INVALID:
        return EXIT_USAGE;
    case ERR_NOTFOUND:
    case ERR_UNAVAILABLE:
        return EXIT_MISSING;
    default:
        return EXIT_WORK_FAILED;
    }
}

int
cli_misused(const char *format, ...)
{
    va_list args;

    (void)fputs("draftd: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputs("; see `draftd help`\n", stderr);
    return EXIT_USAGE;
}

int
cli_load_settings(const struct cli *cli, struct settings **ret_settings)
{
    AUTO_DONE(strbuf_done) struct strbuf faults = STRBUF_INIT(LIMIT_CONFIG_BYTES);
    struct err error = {0};
    const int r =
        settings_load(cli->config ? cli->config : CLI_CONFIG_FILE, &faults, ret_settings, &error);

    (void)fputs(strbuf_str(&faults), stderr);
    if (r == ERR_INVALID && faults.len > 0)
        return EXIT_USAGE;
    return r ? cli_fail(&error) : EXIT_DONE;
}

char *
cli_run_state_dir(void)
{
    const char *state_home = env_get("XDG_STATE_HOME");
    const char *home = env_get("HOME");

    if (state_home)
        return str_printf("%s/draftd/run", state_home);
    return str_printf("%s/.local/state/draftd/run", home ? home : "/tmp");
}

int
cli_check_store(const char *path, const char *made_by)
{
    struct err error = {0};

    if (fs_exists(path))
        return EXIT_DONE;
    (void)err_set(&error, ERR_NOTFOUND, "there is no store at %s; has `draftd %s` run yet?", path,
                  made_by);
    return cli_fail(&error);
}

int
cli_open_store(const struct cli *cli, struct store **ret_store)
{
    AUTO(settings_free) struct settings *settings = NULL;
    auto_free char *run_dir = NULL;
    struct err error = {0};
    const int loaded = cli->run ? EXIT_DONE : cli_load_settings(cli, &settings);

    if (loaded != EXIT_DONE)
        return loaded;
    if (cli->run)
        run_dir = cli_run_state_dir();
    const char *dir = cli->run ? run_dir : settings->server.state_dir;
    auto_free char *path = dir ? str_printf("%s/draftd.db", dir) : NULL;
    if (!path)
        return cli_fail(&(struct err){.code = ERR_NOMEM, .msg = "out of memory"});
    const int there = cli_check_store(path, cli->run ? "run" : "serve");
    if (there != EXIT_DONE)
        return there;
    return store_open(path, ret_store, &error) ? cli_fail(&error) : EXIT_DONE;
}

bool
cli_read_id(const char *text, int64_t *ret_id)
{
    struct err error = {0};

    if (!str_to_i64(text, ret_id, &error) && *ret_id > 0)
        return true;
    (void)cli_misused("'%s' is not a number of a task or delivery", text);
    return false;
}

/* Characters that change the direction of the text after them: U+061C, U+200E, U+200F, U+202A to
 * U+202E, U+2066 to U+2069. The length of one; 0: it is none. */
static size_t
turns_text(const char *text)
{
    static const char *const marks[] = {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
                                        "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_starts_with(text, marks[i]))
            return strlen(marks[i]);
    return 0;
}

/* Control characters: of ASCII, U+0080 to U+009F, which terminals obey as well, and those that turn
 * text around. Writes how many bytes it takes. */
static bool
is_control(const char *text, size_t *ret_bytes)
{
    const unsigned char first = (unsigned char)text[0];
    const unsigned char second = first ? (unsigned char)text[1] : 0;
    const size_t mark = turns_text(text);

    *ret_bytes = first == 0xC2 && second >= 0x80 && second <= 0x9F ? 2 : 1;
    if (mark > 0)
        *ret_bytes = mark;
    return first < 0x20 || first == 0x7F || *ret_bytes > 1;
}

static void
print_visible(const char *text, const char *allowed)
{
    size_t bytes = 1;

    for (const char *p = text; p && *p; p += bytes) {
        const bool hidden = is_control(p, &bytes) && !strchr(allowed, *p);
        (void)putchar(hidden ? '?' : *p);
    }
}

void
cli_print_outside(const char *text)
{
    print_visible(text, "\n\t");
}

void
cli_print_words(const char *name)
{
    for (const char *p = name; *p; p++)
        (void)putchar(*p == '_' ? ' ' : *p);
}

void
cli_print_line(const char *text)
{
    print_visible(text, "");
}
