/* The inside of a sandbox, shared by the files of this folder that work on one. */
#pragma once

#include "sandbox/channel.h"
#include "sandbox/door.h"
#include "sandbox/engine.h"
#include "sandbox/sandbox.h"

/* Whom untrusted work runs as, inside. */
#define BOX_UID 1000
#define BOX_USER "1000:1000"

#define BOX_SOCKET SANDBOX_DOOR "/" PROTOCOL_SOCKET

/* Time for a step of ours (checking out, exporting), unless the sandbox's deadline comes first. */
#define BOX_OWN_STEP_MS (10 * MS_PER_MINUTE)

struct sandbox {
    struct engine *engine;
    struct door *door;
    char *container; /* id, or NULL */
    char *branch;    /* as checked out */
    char commit[65]; /* the same */
    char merged[65]; /* what sandbox_merge() took in; "" nothing */
    char files[65];  /* the work tree when it was last remembered or exported; "" before */
    char made[65];   /* the work tree as it was checked out; "" it takes a look to tell */
    bool touched;    /* something was done in it since, which may have changed files */
    char *setup;     /* what it differed in from the commit when it was remembered, as `git
                        diff-tree -r` tells; or NULL */
    uint64_t file_bytes;
    uint64_t disk_bytes; /* 0: the workspace limits itself */
    int64_t deadline_mono_ms;
    const struct stop *stop;
    int failed; /* ERR_*: the sandbox is of no use any more */
    struct hello hello;
    struct channel channel;
};

/* Open a sandbox as far as its runner's first word: without a work tree. `spec->objects_dir` may be
 * NULL. Owns and errors: as sandbox_open(). */
MUST_CHECK int box_open(const struct sandbox_host *host,
                        const struct sandbox_spec *spec,
                        struct sandbox **ret_sandbox,
                        struct err *err);

/* Execute one command of ours and append what it printed on standard output to `output` (as much as
 * fits; or NULL). Errors: as sandbox_execute(); ERR_INVALID the command failed: `doing` and the end
 * of what it printed are in the message; ERR_NOTFOUND it ended with the exit status `expected` (0:
 * none is expected). */
MUST_CHECK int box_execute_own(struct sandbox *sandbox,
                               const struct sandbox_command *command,
                               const char *doing,
                               int expected,
                               struct strbuf *output,
                               struct err *err);

/* As sandbox_execute(); `raw`: output over the cap is dropped without a line that says so. */
MUST_CHECK int box_execute(struct sandbox *sandbox,
                           const struct sandbox_command *command,
                           bool raw,
                           struct sandbox_result *ret_result,
                           struct err *err);
