/* The loop of process 1: one connection, at most one step, and whatever earlier steps left running.
 *
 * Nothing here waits for a process that is to be judged: output, deadlines and the door are served
 * in one poll(). The only waits are for room on the connection, when nothing of the step runs any
 * more. */
#include "sandbox/runner/serve.h"

#include "sandbox/runner/disk.h"
#include "sandbox/runner/link.h"
#include "sandbox/runner/now.h"
#include "sandbox/runner/output.h"
#include "sandbox/runner/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAINS_MAX 64
#define LAST_READS_MAX 32 /* pieces taken after the end from a pipe that others still hold */
#define DISK_LAST_WALK_MS 2000
#define DISK_FREE_BYTES (UINT64_C(1) << 30) /* of the host, whatever sandboxes may still take */

enum state { STATE_IDLE, STATE_INPUT, STATE_RUNNING };

enum place { PLACE_LINK, PLACE_SIGNALS, PLACE_OUT, PLACE_ERR, PLACE_DRAINS };

struct runner {
    const char *workspace;
    struct link link;
    int signals;
    enum state state;

    /* the step */
    struct step step; /* its texts are in `payload` */
    unsigned char payload[LIMIT_FRAME_BYTES];
    int input; /* a file in memory, or -1 */
    uint64_t input_missing;
    struct processes keep; /* alive before it began */
    struct spawned child;
    bool reaped;
    int wait_status;
    bool timed_out;
    bool killed;
    bool out_of_disk;
    int64_t started_ms;
    int64_t end_ms; /* the next thing to do about its time: TERM, or KILL once timed out */
    uint64_t memory_kills;
    struct disk_watch *disk;
    int64_t disk_next_ms;
    struct output output;

    /* pipes that background processes still hold: read and thrown away */
    int drains[DRAINS_MAX];
    nfds_t drain_count;
};

/* How often a process of this container was killed for memory, where the kernel shows it. */
static uint64_t
memory_kills(void)
{
    static const char *const files[] = {
        "/sys/fs/cgroup/memory.events",             /* cgroup v2 */
        "/sys/fs/cgroup/memory/memory.oom_control", /* cgroup v1 */
    };
    char text[1024];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        auto_close const int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
            continue;
        text[n] = 0;
        const char *const line = strstr(text, "oom_kill ");
        if (line)
            return strtoull(line + strlen("oom_kill "), NULL, 10);
    }
    return 0;
}

/* Tell how the step ended; ready for the next one.  Returns 0, or -1 when the connection is over.
 */
static int
step_report(struct runner *runner, struct step_exit exit)
{
    unsigned char payload[STEP_EXIT_BYTES];

    processes_done(&runner->keep);
    disk_watch_free(runner->disk);
    runner->disk = NULL;
    if (runner->input >= 0)
        close(runner->input);
    runner->input = -1;
    runner->state = STATE_IDLE;
    step_exit_encode(&exit, payload);
    if (link_wait_room(&runner->link))
        return -1;
    link_queue(&runner->link, FRAME_EXIT, bytes_of(payload, sizeof(payload)));
    return link_send(&runner->link);
}

static int
step_not_started(struct runner *runner, int error_number)
{
    return step_report(
        runner, (struct step_exit){.end = STEP_NOT_STARTED, .status = (uint32_t)error_number});
}

static int
step_start(struct runner *runner)
{
    const struct step *const step = &runner->step;

    if (processes_list(&runner->keep))
        return step_not_started(runner, errno);
    if (step->disk_bytes > 0) {
        runner->disk = disk_watch_new(runner->workspace, "/proc",
                                      &(const struct disk_limits){
                                          .bytes = step->disk_bytes,
                                          .entries = disk_entries_for(step->disk_bytes),
                                          .free_bytes = DISK_FREE_BYTES,
                                      });
        if (!runner->disk)
            return step_not_started(runner, ENOMEM);
    }
    runner->reaped = runner->timed_out = runner->killed = runner->out_of_disk = false;
    runner->memory_kills = memory_kills();
    output_begin(&runner->output, step->max_output_bytes, step->raw);
    const int failed = processes_spawn(step, runner->input, &runner->child);
    if (failed)
        return step_not_started(runner, failed);
    runner->state = STATE_RUNNING;
    runner->started_ms = runner_now_ms();
    runner->end_ms = runner->started_ms + step->timeout_ms;
    runner->disk_next_ms = runner->disk ? runner->started_ms : INT64_MAX;
    return 0;
}

/* All of the step's input is here. */
static int
input_complete(struct runner *runner)
{
    if (runner->input >= 0 && lseek(runner->input, 0, SEEK_SET) < 0)
        return step_not_started(runner, errno);
    return step_start(runner);
}

static int
take_step(struct runner *runner, struct bytes payload)
{
    if (runner->state != STATE_IDLE || payload.len > sizeof(runner->payload))
        return -1;
    memcpy(runner->payload, payload.ptr, payload.len);
    if (step_decode(bytes_of(runner->payload, payload.len), &runner->step))
        return -1;
    runner->input_missing = runner->step.input_bytes;
    if (runner->input_missing == 0)
        return input_complete(runner);
    runner->input = memfd_create("input", MFD_CLOEXEC);
    runner->state = STATE_INPUT;
    return 0;
}

static int
take_input(struct runner *runner, struct bytes payload)
{
    if (runner->state != STATE_INPUT || payload.len > runner->input_missing)
        return -1;
    for (size_t done = 0; runner->input >= 0 && done < payload.len;) {
        const ssize_t n = write(runner->input, payload.ptr + done, payload.len - done);
        if (n < 0) {
            close(runner->input);
            runner->input = -1;
            break;
        }
        done += (size_t)n;
    }
    runner->input_missing -= payload.len;
    if (runner->input_missing > 0)
        return 0;
    return runner->input < 0 ? step_not_started(runner, ENOSPC) : input_complete(runner);
}

static int
take_frames(struct runner *runner)
{
    struct frame frame;
    int found;
    int result = 0;

    while (result == 0 && (found = link_next(&runner->link, &frame)) != 0) {
        if (found < 0)
            return -1;
        if (frame.type == FRAME_STEP)
            result = take_step(runner, frame.payload);
        else if (frame.type == FRAME_INPUT)
            result = take_input(runner, frame.payload);
        else if (frame.type == FRAME_KILL)
            runner->killed = true;
        else
            return -1;
    }
    return result;
}

/* Take one piece from a pipe of the step.  Returns false when there was none. */
static bool
take_output(struct runner *runner, int *fd, enum frame_type type)
{
    static char piece[LIMIT_FRAME_BYTES];

    if (*fd < 0)
        return false;
    const ssize_t n = read(*fd, piece, sizeof(piece));
    if (n > 0) {
        output_take(&runner->output, &runner->link, type, bytes_of(piece, (size_t)n));
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
    return false;
}

/* Take what the pipe still holds, then let go of it.  Returns 0, or -1 when the connection is over.
 */
static int
last_output(struct runner *runner, int *fd, enum frame_type type)
{
    for (int i = 0; i < LAST_READS_MAX; i++) {
        if (link_wait_room(&runner->link))
            return -1;
        if (!take_output(runner, fd, type))
            break;
    }
    if (*fd < 0)
        return 0;
    if (runner->step.keep_background && runner->drain_count < DRAINS_MAX)
        runner->drains[runner->drain_count++] = *fd;
    else
        close(*fd);
    *fd = -1;
    return 0;
}

/* Look at the disk for the last time, and say which limit was passed.  Returns 0, or -1 when the
 * connection is over. */
static int
last_look(struct runner *runner)
{
    char line[PROTOCOL_GAP_BYTES];

    if (!runner->disk) {
        runner->out_of_disk = disk_full(runner->workspace);
        return 0;
    }
    runner->out_of_disk = runner->out_of_disk || disk_watch_finish(runner->disk, DISK_LAST_WALK_MS);
    if (!runner->out_of_disk || runner->step.raw)
        return 0;
    const int len = snprintf(line, sizeof(line), "[%s]\n", disk_watch_reason(runner->disk));
    if (link_wait_room(&runner->link))
        return -1;
    output_take(&runner->output, &runner->link, FRAME_STDERR, bytes_of(line, (size_t)len));
    return 0;
}

/* The main process ended, or must: end the rest, and report. */
static int
step_finish(struct runner *runner)
{
    const bool ended_by_us = runner->timed_out || runner->killed || runner->out_of_disk;

    if (ended_by_us || !runner->step.keep_background)
        processes_end(&runner->keep, runner->child.pid, &runner->wait_status, &runner->reaped);
    if (!runner->reaped)
        runner->wait_status = SIGKILL;
    const int64_t ended_ms = runner_now_ms();
    if (last_output(runner, &runner->child.out, FRAME_STDOUT) ||
        last_output(runner, &runner->child.err, FRAME_STDERR) || last_look(runner) ||
        output_finish(&runner->output, &runner->link))
        return -1;
    const bool exited = WIFEXITED(runner->wait_status);
    struct step_exit exit = {
        .end = exited ? STEP_EXITED : STEP_SIGNALED,
        .status =
            (uint32_t)(exited ? WEXITSTATUS(runner->wait_status) : WTERMSIG(runner->wait_status)),
        .out_of_disk = runner->out_of_disk,
        .out_of_memory = memory_kills() > runner->memory_kills,
        .duration_ms = (uint64_t)(ended_ms - runner->started_ms),
        .dropped_bytes = runner->output.dropped,
    };
    if (runner->timed_out)
        exit.end = STEP_TIMED_OUT;
    exit.out_of_disk |= exit.end == STEP_SIGNALED && exit.status == SIGXFSZ;
    return step_report(runner, exit);
}

/* What is due now for the step that runs. */
static int
step_tend(struct runner *runner)
{
    const int64_t now_ms = runner_now_ms();

    if (now_ms >= runner->disk_next_ms)
        runner->out_of_disk |= disk_watch_step(runner->disk, now_ms, &runner->disk_next_ms);
    if (runner->reaped || runner->killed || runner->out_of_disk)
        return step_finish(runner);
    if (now_ms < runner->end_ms)
        return 0;
    if (runner->timed_out)
        return step_finish(runner);
    runner->timed_out = true;
    runner->end_ms = now_ms + runner->step.grace_ms;
    processes_signal(&runner->keep, SIGTERM);
    return 0;
}

static void
take_signals(struct runner *runner)
{
    struct signalfd_siginfo info;

    while (read(runner->signals, &info, sizeof(info)) > 0)
        continue;
    processes_reap(runner->state == STATE_RUNNING ? runner->child.pid : -1, &runner->wait_status,
                   &runner->reaped);
}

static void
empty_drains(struct runner *runner, const struct pollfd *polled)
{
    static char waste[LIMIT_FRAME_BYTES];
    nfds_t kept = 0;

    for (nfds_t i = 0; i < runner->drain_count; i++) {
        const int fd = runner->drains[i];
        const ssize_t n = polled[i].revents ? read(fd, waste, sizeof(waste)) : 1;
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
            runner->drains[kept++] = fd;
        else
            close(fd);
    }
    runner->drain_count = kept;
}

static int
poll_timeout(const struct runner *runner)
{
    if (runner->state != STATE_RUNNING)
        return -1;
    const int64_t next_ms =
        runner->disk_next_ms < runner->end_ms ? runner->disk_next_ms : runner->end_ms;
    const int64_t left_ms = next_ms - runner_now_ms();
    if (left_ms <= 0)
        return 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* Wait for something and deal with it.  Returns 0, or -1 when the connection is over. */
static int
turn(struct runner *runner)
{
    struct link *const link = &runner->link;
    struct pollfd set[PLACE_DRAINS + DRAINS_MAX];
    const bool running = runner->state == STATE_RUNNING && link_has_room(link);

    set[PLACE_LINK] = (struct pollfd){
        .fd = link->fd,
        .events = (short)(POLLIN | (link->out_len > 0 ? POLLOUT : 0)),
    };
    set[PLACE_SIGNALS] = (struct pollfd){.fd = runner->signals, .events = POLLIN};
    set[PLACE_OUT] = (struct pollfd){.fd = running ? runner->child.out : -1, .events = POLLIN};
    set[PLACE_ERR] = (struct pollfd){.fd = running ? runner->child.err : -1, .events = POLLIN};
    for (nfds_t i = 0; i < runner->drain_count; i++)
        set[PLACE_DRAINS + i] = (struct pollfd){.fd = runner->drains[i], .events = POLLIN};
    if (poll(set, PLACE_DRAINS + runner->drain_count, poll_timeout(runner)) < 0)
        return errno == EINTR ? 0 : -1;

    if (set[PLACE_OUT].revents)
        take_output(runner, &runner->child.out, FRAME_STDOUT);
    if (set[PLACE_ERR].revents && link_has_room(link))
        take_output(runner, &runner->child.err, FRAME_STDERR);
    empty_drains(runner, set + PLACE_DRAINS);
    if (set[PLACE_SIGNALS].revents)
        take_signals(runner);
    if (set[PLACE_LINK].revents & (POLLIN | POLLHUP | POLLERR) &&
        (link_receive(link) || take_frames(runner)))
        return -1;
    if (runner->state == STATE_RUNNING && step_tend(runner))
        return -1;
    return link_send(link);
}

static int
say_hello(struct runner *runner)
{
    unsigned char payload[HELLO_BYTES];

    hello_encode(
        &(const struct hello){
            .version = PROTOCOL_VERSION,
            .uid = getuid(),
            .gid = getgid(),
            .workspace_writable = access(runner->workspace, W_OK | X_OK) == 0,
            .tmp_writable = access("/tmp", W_OK | X_OK) == 0,
        },
        payload);
    link_queue(&runner->link, FRAME_HELLO, bytes_of(payload, sizeof(payload)));
    return link_send(&runner->link);
}

int
serve(const char *socket_path, const char *workspace)
{
    static struct runner runner; /* too large for the stack */
    sigset_t child_signal;

    /* It kills all it can see: anywhere but in a container of its own that would be everything. */
    if (getpid() != 1) {
        dprintf(STDERR_FILENO, "draftd-runner: serves as process 1 of a container only\n");
        return 2;
    }
    prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, NULL);
    runner.workspace = workspace;
    runner.input = -1;
    runner.signals = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runner.signals < 0 || link_open(&runner.link, socket_path)) {
        dprintf(STDERR_FILENO, "draftd-runner: %s: errno %d\n", socket_path, errno);
        return 1;
    }
    int failed = say_hello(&runner) || take_frames(&runner);
    while (!failed)
        failed = turn(&runner);
    kill(-1, SIGKILL);
    return 0;
}
