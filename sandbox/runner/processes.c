/* Finding, ending and starting processes.
 *
 * Process 1 of a PID namespace may signal everything in it with one kill(-1), which the kernel does
 * under a lock that forks take as well: nothing escapes. Where earlier processes must live on,
 * /proc is read instead, and all is stopped before anything is killed, so that a fork bomb runs out
 * of room. */
#include "sandbox/runner/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_PASSES 200
#define REAP_MS 5000
#define REAP_PAUSE_MS 2
#define FD_COUNT                                                                                   \
    1024 /* more than the runner ever opens; close_range() is not everywhere allowed               \
          */

extern char **environ;

void
processes_done(struct processes *set)
{
    free(set->items);
    *set = (struct processes){0};
}

static int
processes_add(struct processes *set, struct process process)
{
    if (set->count == set->capacity) {
        const size_t capacity = set->capacity ? 2 * set->capacity : 64;
        struct process *const items = reallocarray(set->items, capacity, sizeof(*items));
        if (!items)
            return -1;
        set->items = items;
        set->capacity = capacity;
    }
    set->items[set->count++] = process;
    return 0;
}

static bool
processes_contain(const struct processes *set, struct process process)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].pid == process.pid && set->items[i].start_ticks == process.start_ticks)
            return true;
    }
    return false;
}

/* Skip `count` blank-separated fields. */
static const char *
skip_fields(const char *at, int count)
{
    while (at && count-- > 0) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at;
}

/* proc_pid_stat(5): the state is the first field behind the name in parentheses (which may contain
 * anything), the start the twentieth. */
static bool
process_read(pid_t pid, struct process *ret_process, char *ret_state)
{
    char path[32];
    char text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    auto_close const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *const name_end = strrchr(text, ')');
    if (!name_end || name_end[1] != ' ')
        return false;
    const char *const start = skip_fields(name_end + 2, 19);
    if (!start)
        return false;
    *ret_state = name_end[2];
    *ret_process = (struct process){.pid = pid, .start_ticks = strtoull(start, NULL, 10)};
    return true;
}

static void
close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* Call `visit` for every process but this one and zombies.  Returns 0, or -1. */
static int
processes_visit(int (*visit)(void *ctx, struct process process, char state), void *ctx)
{
    AUTO_DONE(close_dir) DIR *dir = opendir("/proc");
    const struct dirent *entry;

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct process process;
        char state;
        if (pid <= 0 || pid == getpid() || !process_read(pid, &process, &state))
            continue;
        if (state != 'Z' && state != 'X' && visit(ctx, process, state))
            return -1;
    }
    return 0;
}

static int
list_one(void *ctx, struct process process, char state)
{
    (void)state;
    return processes_add(ctx, process);
}

int
processes_list(struct processes *ret_set)
{
    struct processes set = {0};

    if (processes_visit(list_one, &set)) {
        processes_done(&set);
        return -1;
    }
    *ret_set = set;
    return 0;
}

struct sweep {
    const struct processes *keep;
    int number;
    size_t signalled;
};

/* Signal one process; those that are stopped already are not stopped again. */
static int
sweep_one(void *ctx, struct process process, char state)
{
    struct sweep *const sweep = ctx;

    if (processes_contain(sweep->keep, process))
        return 0;
    if (sweep->number == SIGSTOP && (state == 'T' || state == 't'))
        return 0;
    kill(process.pid, sweep->number);
    sweep->signalled++;
    return 0;
}

/* Returns how many were signalled. */
static size_t
sweep(const struct processes *keep, int number)
{
    struct sweep context = {.keep = keep, .number = number};

    /* an unreadable /proc leaves kill(-1): better the survivors end than the step lives on */
    if (processes_visit(sweep_one, &context))
        kill(-1, number);
    return context.signalled;
}

void
processes_signal(const struct processes *keep, int number)
{
    if (keep->count == 0)
        kill(-1, number);
    else
        sweep(keep, number);
}

static void
pause_ms(long ms)
{
    nanosleep(&(const struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

bool
processes_reap(pid_t main_pid, int *main_status, bool *main_reaped)
{
    for (;;) {
        int status;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return pid == 0;
        if (pid == main_pid) {
            *main_status = status;
            *main_reaped = true;
        }
    }
}

void
processes_end(const struct processes *keep, pid_t main_pid, int *main_status, bool *main_reaped)
{
    if (keep->count == 0) {
        kill(-1, SIGKILL);
    } else {
        int passes = 0;
        while (sweep(keep, SIGSTOP) > 0 && ++passes < STOP_PASSES)
            pause_ms(1);
    }
    /* A process that sleeps in the kernel can outlast any signal: the wait is bounded. */
    for (int waited = 0; waited < REAP_MS; waited += REAP_PAUSE_MS) {
        const bool children = processes_reap(main_pid, main_status, main_reaped);
        if (keep->count == 0 ? !children : sweep(keep, SIGKILL) == 0)
            break;
        pause_ms(REAP_PAUSE_MS);
    }
    processes_reap(main_pid, main_status, main_reaped);
}

/* Do two "NAME=value" entries have the same name? */
static bool
same_name(const char *a, const char *b)
{
    const size_t len = strcspn(a, "=");

    return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* Put `entry` where one of the same name is, or at the end. */
static void
env_put(char **env, size_t *count, char *entry)
{
    for (size_t i = 0; i < *count; i++) {
        if (same_name(entry, env[i])) {
            env[i] = entry;
            return;
        }
    }
    env[(*count)++] = entry;
}

/* The container's environment with the step's on top.  Owns: the array only. */
static char **
env_new(struct bytes additions)
{
    size_t most = 1;
    size_t count = 0;

    for (char **entry = environ; *entry; entry++)
        most++;
    for (size_t i = 0; i < additions.len; i++)
        most += additions.ptr[i] == 0;
    char **const env = calloc(most, sizeof(*env));
    if (!env)
        return NULL;
    for (char **entry = environ; *entry; entry++)
        env_put(env, &count, *entry);
    for (size_t at = 0; at < additions.len; at += strlen(additions.ptr + at) + 1)
        env_put(env, &count, (char *)(uintptr_t)(additions.ptr + at));
    return env;
}

static void
limit(int resource, rlim_t value)
{
    setrlimit(resource, &(const struct rlimit){.rlim_cur = value, .rlim_max = value});
}

/* Let the kernel's memory killer choose a step's process before process 1. */
static void
prefer_for_memory_kill(void)
{
    auto_close const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "500", 3) != 3)
        return;
}

static _Noreturn void
child_fail(const char *what)
{
    dprintf(STDERR_FILENO, "draftd-runner: %s: errno %d\n", what, errno);
    _exit(126);
}

static _Noreturn void
child_run(const struct step *step, char **env, int input, int out, int err)
{
    sigset_t none;

    if (dup2(input, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0)
        _exit(126);
    /* The door's connection goes before this process may be looked into by its like. */
    for (int fd = STDERR_FILENO + 1; fd < FD_COUNT; fd++)
        close(fd);
    prctl(PR_SET_DUMPABLE, 1);
    prefer_for_memory_kill();
    setsid();
    (void)signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    limit(RLIMIT_CORE, 0);
    if (step->file_bytes > 0)
        limit(RLIMIT_FSIZE, step->file_bytes);
    if (chdir(step->directory.ptr))
        child_fail(step->directory.ptr);
    const char *const argv[] = {"sh", "-c", step->command.ptr, NULL};
    execve("/bin/sh", (char *const *)(uintptr_t)argv, env);
    child_fail("/bin/sh");
}

int
processes_spawn(const struct step *step, int input, struct spawned *ret_spawned)
{
    int out[2];
    int err[2];

    auto_free char **env = env_new(step->env);
    if (!env)
        return ENOMEM;
    auto_close const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || pipe2(out, O_CLOEXEC))
        return errno;
    auto_close int out_read = out[0];
    auto_close const int out_write = out[1];
    if (pipe2(err, O_CLOEXEC))
        return errno;
    auto_close int err_read = err[0];
    auto_close const int err_write = err[1];
    /* only the runner's ends: the step's own must block as pipes do */
    if (fcntl(out_read, F_SETFL, O_NONBLOCK) || fcntl(err_read, F_SETFL, O_NONBLOCK))
        return errno;
    const pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0)
        child_run(step, env, input >= 0 ? input : null, out_write, err_write);
    *ret_spawned = (struct spawned){.pid = pid, .out = TAKE_FD(out_read), .err = TAKE_FD(err_read)};
    return 0;
}
