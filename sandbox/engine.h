/* What starts sandboxes, behind one table. A new engine is one file and one line in engine.c.
 *
 * An engine creates, starts and removes containers and tells what it did with the limits that were
 * asked for. It never waits for a container's end: the runner's own connection tells. Every call
 * takes a `struct web`, which belongs to the calling thread. */
#pragma once

#include "server/base/err.h"
#include "server/base/stop.h"

#include <stddef.h>
#include <stdint.h>

struct engine;

/* Labels by which containers of ours are found after a crash. */
#define ENGINE_LABEL_INSTANCE "draftd.instance"
#define ENGINE_LABEL_TASK "draftd.task"
#define ENGINE_LABEL_RUN "draftd.run"
#define ENGINE_LABEL_ROLE "draftd.role"

struct engine_bind {
    const char *source; /* on the engine's host */
    const char *target;
    bool writable;
};

struct container_spec {
    const char *name;
    const char *image;
    const char *const *command; /* argv, NULL-terminated */
    const char *const *env;     /* "NAME=value", NULL-terminated */
    const char *user;           /* "1000:1000" */
    const struct engine_bind *binds;
    size_t bind_count;
    const char *instance;
    int64_t task;
    int64_t run;
    const char *role;
    int64_t memory_mib;
    double cpus;
    int64_t processes;
    int64_t workspace_mib; /* /workspace: a tmpfs of this size; 0: a volume on the engine's disk */
    int64_t tmp_mib;       /* /tmp: a tmpfs */
    bool user_namespace;   /* map ids where the engine offers it */
};

/* What the engine really made of a container, by inspection. */
struct container_facts {
    int64_t memory_bytes;
    int64_t processes;
    double cpus;
    bool no_network;
    bool no_new_privileges;
    bool read_only_root;
    bool user_namespace;
    int64_t pid;     /* of process 1, as seen by the host; 0: not running */
    char image[128]; /* id of the image that it was made of; "" when the engine does not tell */
};

struct container_found {
    char *id;
    char *instance;
    int64_t run;
    bool running;
};

struct container_list {
    struct container_found *items;
    size_t count;
};

void container_list_done(struct container_list *list);

/* `address`: "unix:///run/podman/podman.sock" (any Docker-compatible API).
 * Owns: *ret_engine is the caller's, engine_free().   Errors: ERR_INVALID the address.
 * Thread: one engine belongs to one thread. */
MUST_CHECK int engine_new(const char *address, struct engine **ret_engine, struct err *err);
void engine_free(struct engine *engine);
AUTO_DEFINE(struct engine *, engine_free)

/* Give up create and start when `stop` is raised; remove is always carried out. NULL: never. */
void engine_heed(struct engine *engine, const struct stop *stop);

/* Errors: ERR_NOTFOUND the image is missing (named in the message); ERR_UNAVAILABLE; ERR_INVALID
 * the engine refuses the specification (its words in the message). Owns: *ret_id is the caller's,
 * free(). */
MUST_CHECK int engine_create(struct engine *engine,
                             const struct container_spec *spec,
                             char **ret_id,
                             struct err *err);
MUST_CHECK int engine_start(struct engine *engine, const char *id, struct err *err);

/* Kill and remove, with its volumes. Nothing there is success. */
MUST_CHECK int engine_remove(struct engine *engine, const char *id, struct err *err);

MUST_CHECK int engine_inspect(struct engine *engine,
                              const char *id,
                              struct container_facts *ret_facts,
                              struct err *err);

/* The containers whose label says `instance`. */
MUST_CHECK int engine_list(struct engine *engine,
                           const char *instance,
                           struct container_list *ret_list,
                           struct err *err);
