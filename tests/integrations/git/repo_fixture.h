/* What the repo tests share: a directory of their own, and git's command line in it. */
#pragma once

#include "tests/harness/test.h"
#include "tests/integrations/git/pack_fixture.h"

#include <stdarg.h>
#include <sys/wait.h>

#include "integrations/git/repo.h"

static char fixture_dir[128];

UNUSED static void
fixture_remove(void)
{
    if (fs_remove_tree(fixture_dir, NULL))
        printf("# %s is left\n", fixture_dir);
}

/* Run a shell command inside the fixture's directory; its output is discarded. Returns its exit
 * status. */
UNUSED PRINTF_LIKE(1, 2) static int fixture_try(const char *format, ...)
{
    char command[8192];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (chdir(fixture_dir) || !freopen("log", "a", stderr) || !freopen("log", "a", stdout))
            _exit(126);
        execl("/bin/sh", "sh", "-euc", command, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define RUN(...)                                                                                   \
    do {                                                                                           \
        if (fixture_try(__VA_ARGS__) != 0)                                                         \
            TEST_FAIL("command failed; see %s/log", fixture_dir);                                  \
    } while (0)

/* Once per test program. */
UNUSED static void
fixture_begin(void)
{
    struct err err;

    if (fixture_dir[0])
        return;
    const char *parent = getenv("TMPDIR");
    snprintf(fixture_dir, sizeof fixture_dir, "%s/draftd-repo-XXXXXX", parent ? parent : P_tmpdir);
    if (!mkdtemp(fixture_dir))
        abort();
    atexit(fixture_remove);
    char own_config[sizeof fixture_dir + 16];
    snprintf(own_config, sizeof own_config, "%s/.gitconfig", fixture_dir);
    setenv("HOME", fixture_dir, 1);
    setenv("GIT_CONFIG_GLOBAL", own_config, 1); /* one of the caller's would be written to */
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_AUTHOR_NAME", "Ada", 1);
    setenv("GIT_AUTHOR_EMAIL", "ada@example.org", 1);
    setenv("GIT_COMMITTER_NAME", "Ada", 1);
    setenv("GIT_COMMITTER_EMAIL", "ada@example.org", 1);
    setenv("GIT_AUTHOR_DATE", "1700000000 +0000", 1);
    setenv("GIT_COMMITTER_DATE", "1700000000 +0000", 1);
    if (repo_init(NULL, &err))
        abort();
}

/* `name` inside the directory. Not for two at a time of the same `slot`. */
UNUSED static const char *
fixture_path(int slot, const char *name)
{
    static char paths[8][256];

    snprintf(paths[slot], sizeof paths[slot], "%s/%s", fixture_dir, name);
    return paths[slot];
}

/* The text of a small file in the directory, without its last line end. */
UNUSED static const char *
fixture_text(const char *name)
{
    static struct strbuf buf = STRBUF_INIT(1U << 20);
    static struct err err;

    strbuf_reset(&buf);
    if (fs_read_file(fixture_path(7, name), &buf, &err))
        return err.msg;
    if (buf.len > 0 && buf.ptr[buf.len - 1] == '\n')
        strbuf_truncate(&buf, buf.len - 1);
    return strbuf_str(&buf);
}
