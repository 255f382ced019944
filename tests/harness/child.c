/* Programs beside a test, by posix_spawn. */
#include "tests/harness/child.h"

#include "server/base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS (60 * MS_PER_SECOND)
#define LINE_BYTES 4096

extern char **environ;

struct child {
    pid_t pid;
    int input;  /* our end of its standard input */
    int output; /* our end of its standard output, kept open so that it may go on printing */
    char line[LINE_BYTES];
};

/* `input`, `output`: what becomes its descriptors 0 and 1; -1: as ours. */
static pid_t
spawn(const char *const *argv, int input, int output)
{
    posix_spawn_file_actions_t actions;
    char **const words = (char **)(uintptr_t)argv; /* posix_spawn() does not write to them */
    pid_t pid = -1;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    if (input >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (output >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ) != 0)
        pid = -1;
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* Read lines until one contains `ready`. */
static int
wait_for_line(struct child *child, const char *ready)
{
    const int64_t deadline = clock_mono_ms() + READY_MS;
    size_t len = 0;

    for (;;) {
        struct pollfd polled = {.fd = child->output, .events = POLLIN};
        const int64_t left = deadline - clock_mono_ms();

        if (left <= 0 || len == LINE_BYTES - 1 || poll(&polled, 1, (int)left) < 0)
            return -1;
        const ssize_t got = polled.revents ? read(child->output, child->line + len, 1) : -1;
        if (got != 1)
            return -1;
        child->line[len + 1] = '\0';
        if (child->line[len] != '\n') {
            len++;
            continue;
        }
        child->line[len] = '\0';
        if (strstr(child->line, ready))
            return 0;
        len = 0;
    }
}

struct child *
child_start(const char *const *argv, const char *ready)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    struct child *const child = calloc(1, sizeof(*child));

    if (!child || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        abort();
    child->input = in[1];
    child->output = out[0];
    child->pid = spawn(argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (child->pid > 0 && wait_for_line(child, ready) == 0)
        return child;
    child_free(child);
    return NULL;
}

const char *
child_line(const struct child *child)
{
    return child->line;
}

void
child_free(struct child *child)
{
    int status;

    close(child->input);
    close(child->output);
    if (child->pid > 0) {
        (void)kill(child->pid, SIGTERM);
        (void)waitpid(child->pid, &status, 0);
    }
    free(child);
}

int
child_run(const char *const *argv)
{
    const pid_t pid = spawn(argv, -1, -1);
    int status;

    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
