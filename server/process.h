/* The composition root's heart: everything that one process of draftd owns, built in order and
 * taken down in reverse. `draftd serve` and `draftd run` are two ways to use it. */
#pragma once

#include "handlers/app.h"
#include "server/base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct process;

struct process_options {
    const struct settings *settings; /* borrowed */
    const char *state_dir;           /* NULL: that of the settings */
    bool works; /* it claims runs: the only such process of its state_dir, by a lock */
};

/* Make the directories, take the lock, open the store.
 * Owns: *ret_process is the caller's, process_close().
 * Errors: ERR_CONFLICT another process works on this state_dir; ERR_IO; as store_open(). */
MUST_CHECK int
process_open(const struct process_options *options, struct process **ret_process, struct err *err);

/* Stop what process_start() started: no run is begun any more, those under way are given back. Then
 * close the store, which answers what it was handed until now, and release everything. */
void process_close(struct process *process);
AUTO_DEFINE(struct process *, process_close)

/* What the handlers share. Borrowed. */
struct app *process_app(struct process *process);

/* Is there an engine with the operator's image? What the sandbox host cannot do is logged.  Errors:
 * ERR_UNAVAILABLE, ERR_NOTFOUND, ERR_INVALID. */
MUST_CHECK int process_require_sandbox(struct process *process, struct err *err);

/* Take back the runs that an earlier process held. Before process_start(). */
MUST_CHECK int process_recover(struct process *process, struct err *err);

/* Make dispatcher, sender, timer and `workers` workers, not running yet: from then on the app is
 * only read, and other threads may start that do so. */
MUST_CHECK int process_prepare(struct process *process, int64_t workers, struct err *err);

/* Let them run. Nobody waits for the engine here: the workers begin once the containers of an
 * earlier process were looked for, which may take as long as an engine hangs; then the sandbox host
 * is tried, unless process_require_sandbox() has. An engine that is away is no error: runs wait for
 * it. */
MUST_CHECK int process_start(struct process *process, struct err *err);

/* And have the platforms asked for what was missed, now and from time to time: what a server does.
 * After process_start(). */
MUST_CHECK int process_watch(struct process *process, struct err *err);

/* Signals that end the process (SIGTERM, SIGINT, SIGHUP) are waited for, not handled: block them
 * before any other thread exists, and write their set for sigwait(). A closed pipe or a file size limit becomes an error of
 * the write. */
void process_block_signals(sigset_t *ret_signals);
