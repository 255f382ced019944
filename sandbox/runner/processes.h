/* The processes of a sandbox, seen from process 1: starting a step's, and ending all that it left.
 */
#pragma once

#include "sandbox/protocol.h"

#include <sys/types.h>

/* Processes that were alive at some time, known again by number and start. */
struct process {
    pid_t pid;
    uint64_t start_ticks;
};

struct processes {
    struct process *items;
    size_t count;
    size_t capacity;
};

void processes_done(struct processes *set);

/* All processes but this one and zombies.  Returns 0, or -1 with `errno` set. */
MUST_CHECK int processes_list(struct processes *ret_set);

/* Send a signal to every process that is not in `keep`. */
void processes_signal(const struct processes *keep, int number);

/* Reap what ended. When `main_pid` is among it, *main_status is its wait status and *main_reaped
 * true. Returns false when there is no child left. */
bool processes_reap(pid_t main_pid, int *main_status, bool *main_reaped);

/* Kill every process that is not in `keep`, however fast they fork, and reap until they are gone,
 * as processes_reap(). */
void
processes_end(const struct processes *keep, pid_t main_pid, int *main_status, bool *main_reaped);

/* The pipes of a started step: the runner's ends, not blocking. */
struct spawned {
    pid_t pid;
    int out;
    int err;
};

/* Start the step's command with `input` (a file, or -1: nothing) as its standard input.
 * Returns 0, or errno. */
MUST_CHECK int processes_spawn(const struct step *step, int input, struct spawned *ret_spawned);
