/* What hangs together in one process: built by the composition root, passed down explicitly.
 * Everything here is set before threads start and then only read, unless a field says otherwise. */
#pragma once

#include "sandbox/sandbox.h"
#include "server/base/stop.h"

#include <stdint.h>

struct github_pacer;
struct github_tokens;
struct live;
struct permissions;
struct service;
struct settings;
struct store;

/* What `draftd run` sets from its command line, over the repository's own file. */
struct run_overrides {
    const char *agent;         /* profile; or NULL */
    const char *const *checks; /* commands, NULL-terminated; or NULL: the repository's */
};

struct app {
    const struct settings *settings;
    struct store *store;
    const char *instance; /* this installation: label of its containers, part of its markers */
    const char *owner;    /* of leases */
    const char *mirrors_dir;
    const char *scratch_dir; /* for packs in transit */
    struct sandbox_host sandbox;
    struct github_tokens *tokens;    /* locks itself */
    struct github_pacer *pacer; /* locks itself; NULL: GitHub sets no such limits */
    struct permissions *permissions; /* locks itself */
    struct live *live;               /* locks itself */
    struct stop *stop;               /* the process is to end */
    struct service *dispatcher;      /* to be woken; NULL in a process without one */
    struct service *sender;          /* likewise */
    struct service **workers;        /* likewise; ended by NULL; NULL where there are none */
    struct run_overrides overrides;
};

/* Something was queued: let those who may have work look now instead of at their next poll. Thread:
 * any. */
void app_wake(const struct app *app);
