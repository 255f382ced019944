/* A sandbox: one container without network and without secrets, and the connection of its runner.
 *
 * The pipeline is plain sequential code: open, step, step, ..., close. What happens inside is told
 * by the runner over the door; the engine is asked to create, start and remove, nothing else. */
#pragma once

#include "sandbox/engine.h"
#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/stop.h"
#include "server/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

/* Places inside every sandbox. */
#define SANDBOX_WORKSPACE "/workspace"    /* the work tree */
#define SANDBOX_RUNNER "/draftd/runner"   /* process 1, read-only */
#define SANDBOX_DOOR "/draftd/door"       /* the directory with the socket */
#define SANDBOX_OBJECTS "/draftd/objects" /* the mirror's objects, read-only */
#define SANDBOX_EXCHANGE "/tmp/draftd"    /* prompt and summary */
#define SANDBOX_HOME "/tmp/home"

/* What all sandboxes of a process share. Filled in by the caller; everything is borrowed for as
 * long as sandboxes are opened with it. */
struct sandbox_host {
    const char *engine;      /* address */
    const char *runner_path; /* the draftd-runner executable on this machine */
    const char *doors_dir; /* a directory of ours for sockets; short, for sun_path has 108 bytes */
    const char *instance;  /* label of our containers */
    int64_t memory_mib;
    double cpus;
    int64_t processes;
    int64_t disk_mib; /* of the work tree */
    int64_t tmp_mib;
    bool workspace_in_memory; /* a tmpfs; else the engine's disk, watched by the runner */
    bool user_namespace;
    const struct stop *stop; /* ends the removal of orphans and the probe when raised; or NULL */
};

/* Try the host once at start: the engine answers, the image is there, and a container created as
 * ours are has every limit that was asked for (by inspection and from the inside). `report` gets
 * one line per limit that is refused or silently ignored ("memory: asked 4096 MiB, the engine set
 * none: ..."): the caller tells the operator. Errors: ERR_UNAVAILABLE no engine; ERR_NOTFOUND no
 * image; ERR_INVALID the sandbox does not work there; ERR_CANCELED. */
MUST_CHECK int sandbox_probe(const struct sandbox_host *host,
                             const char *image,
                             struct strbuf *report,
                             struct err *err);

typedef bool (*sandbox_is_live_fn)(void *ctx, int64_t run);

/* Remove all containers and door directories of this instance, except for those of live runs (NULL:
 * there are none). It is asked after they were listed, so that the sandbox of a run that began
 * meanwhile is safe. What cannot be removed does not keep the rest. *ret_removed counts containers.
 * Errors: the last one: ERR_UNAVAILABLE; ERR_IO; ERR_CANCELED. */
MUST_CHECK int sandbox_remove_orphans(const struct sandbox_host *host,
                                      sandbox_is_live_fn is_live,
                                      void *ctx,
                                      size_t *ret_removed,
                                      struct err *err);

struct sandbox;

struct sandbox_spec {
    const char *image;
    const char *role; /* "work" or "proof" */
    int64_t task;
    int64_t run;
    const char *objects_dir;  /* the mirror's objects directory on this machine */
    const char *commit;       /* what is checked out */
    const char *branch;       /* name of the local branch at that commit */
    const char *const *env;   /* further "NAME=value", NULL-terminated; or NULL */
    int64_t deadline_mono_ms; /* of the whole sandbox (clock_mono_ms), 0: none */
    const struct stop *stop;  /* ends every call with ERR_CANCELED when raised; or NULL */
};

/* Create, start, wait for the runner, check the commit out into the workspace (git init with the
 * mirror's objects as alternates: history costs nothing). Owns: *ret_sandbox is the caller's;
 * sandbox_close().   Thread: the caller's only. Errors: ERR_NOTFOUND image missing; ERR_UNAVAILABLE
 * engine away; ERR_TIMEOUT the runner never came up; ERR_INVALID the checkout failed (its output in
 * the message); ERR_CANCELED. */
MUST_CHECK int sandbox_open(const struct sandbox_host *host,
                            const struct sandbox_spec *spec,
                            struct sandbox **ret_sandbox,
                            struct err *err);

#define SANDBOX_IMAGE_BYTES 128

/* The id of the image that the sandbox was made of, as the engine tells it; "" when it does not.
 * Errors: ERR_UNAVAILABLE engine away; ERR_REMOTE the container is gone. */
MUST_CHECK int
sandbox_image(struct sandbox *sandbox, char ret_id[SANDBOX_IMAGE_BYTES], struct err *err);

/* Kill and remove the container and the door. Never fails for the caller: what could not be removed
 * is found by its label later. */
void sandbox_close(struct sandbox *sandbox);
AUTO_DEFINE(struct sandbox *, sandbox_close)

/* Sandboxes that are being closed; NULL: none. */
struct sandbox_closing;

/* Close a sandbox on a thread of its own, for an engine takes its time to remove a container. What
 * runs inside ends no later than with sandbox_close().   Owns: takes `sandbox`; what is added to
 * *list is the caller's, sandbox_await_closed(). */
void sandbox_close_aside(struct sandbox *sandbox, struct sandbox_closing **list);

/* Wait until all of them are closed; the list is empty then. */
void sandbox_await_closed(struct sandbox_closing **list);

/* Receives output as it comes; without bytes when a step was silent for a moment, so that what was
 * gathered can be handed on. Return non-zero to drop the rest of this step's output. */
typedef int (*sandbox_output_fn)(void *ctx, bool is_stderr, struct bytes output);

struct sandbox_command {
    const char *command;    /* given to sh -c, in the workspace */
    const char *const *env; /* further "NAME=value", NULL-terminated; or NULL */
    int64_t timeout_ms;
    struct bytes input;       /* standard input; empty: /dev/null */
    bool keep_background;     /* processes left behind live on (setup may start a service) */
    size_t max_output_bytes;  /* what is handed on: the first part as it comes, the rest as a tail;
                                 0:  LIMIT_STEP_KEPT_BYTES */
    sandbox_output_fn output; /* or NULL */
    void *output_ctx;
};

enum sandbox_end { SANDBOX_EXITED, SANDBOX_SIGNALED, SANDBOX_TIMED_OUT };

struct sandbox_result {
    enum sandbox_end end;
    int status; /* exit status, or signal */
    int64_t duration_ms;
    int64_t dropped_bytes; /* output that was not handed on */
    bool out_of_disk;      /* the work tree's limit was reached */
    bool out_of_memory;    /* a process was killed for memory, where this can be told */
};

/* Execute one command.  A command that fails is a result, not an error.
 * Errors: ERR_CANCELED; ERR_TIMEOUT the sandbox's own deadline; ERR_REMOTE the sandbox ended or
 * talked nonsense; ERR_INVALID over a limit of the protocol. */
MUST_CHECK int sandbox_execute(struct sandbox *sandbox,
                               const struct sandbox_command *command,
                               struct sandbox_result *ret_result,
                               struct err *err);

/* Write a file inside (parents are made). `path` is absolute. */
MUST_CHECK int sandbox_write_file(struct sandbox *sandbox,
                                  const char *path,
                                  struct bytes contents,
                                  struct err *err);

/* Is the sandbox of no use any more? What runs when that happens is cut off. */
bool sandbox_is_lost(const struct sandbox *sandbox);

/* Append at most `max` bytes of a file inside to `buf`.  Errors: ERR_NOTFOUND. */
MUST_CHECK int sandbox_read_file(
    struct sandbox *sandbox, const char *path, size_t max, struct strbuf *buf, struct err *err);

struct sandbox_export {
    char commit[65]; /* the head, as the sandbox says: hexadecimal, to be verified by the caller */
    char left_out[512]; /* what git said of files that it could not take; "" when it took all */
    int64_t pack_bytes;
};

/* Remember the work tree as it is (all files that are not ignored), so that what setup left there
 * is not taken for the agent's work: later exports leave out every path whose content is as
 * remembered, and the work tree can be put back. Not before the first call: then it is as if the
 * commit's own files had been remembered.
 * Errors: as sandbox_execute(); ERR_LIMIT too many files; ERR_INVALID git could not do it. */
MUST_CHECK int sandbox_remember(struct sandbox *sandbox, struct err *err);

/* Make one commit (author `identity`, "Name <mail>"; message `message`) of what is not committed,
 * then write the objects between `base` and the head as one pack to the file descriptor. The head's
 * tree is that of `base` (the commit that was checked out), and in it all paths that differ from
 * what was remembered, as they are now: added, changed or deleted. A path that setup changed and
 * the agent went on with is in it as a whole. Ignored files are not. Errors: ERR_NOTFOUND the head is the base and nothing was changed; ERR_LIMIT over
 * LIMIT_PACK_BYTES; ERR_INVALID what the sandbox answered is no commit. The pack is hostile until
 * verified. */
MUST_CHECK int sandbox_export(struct sandbox *sandbox,
                              const char *base,
                              const char *identity,
                              const char *message,
                              int pack_fd,
                              struct sandbox_export *ret_export,
                              struct err *err);

/* Put the work tree's files back as they were when last remembered or exported (those that are not
 * ignored; ignored files and empty directories stay), with the branch at `commit`. Without either,
 * or when that state was lost inside, the files become those of `commit`. */
MUST_CHECK int sandbox_reset(struct sandbox *sandbox, const char *commit, struct err *err);

/* Merge a commit of the mirror into the work tree, without a commit: what is exported next has it as
 * a parent. *ret_conflicts: the paths in which both sides stand, each on a line; "" none; the
 * caller's, free().   Errors: ERR_INVALID it cannot be merged into these files. */
MUST_CHECK int sandbox_merge(struct sandbox *sandbox,
                             const char *commit,
                             char **ret_conflicts,
                             struct err *err);
