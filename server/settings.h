/* The part of the operator's file that belongs to the runtime itself. */
#pragma once

#include "server/config/bind.h"

#include <stdint.h>

struct listen_settings {
    char *address;     /* numeric IPv4 or IPv6; default every IPv4 address */
    int64_t port;      /* 8443; 0: any free one */
    char *certificate; /* file; NULL with key: a self-signed pair */
    char *key;
    bool http; /* plain HTTP, behind a TLS proxy */
};

struct server_settings {
    struct listen_settings listen;
    char *state_dir; /* absolute; default $STATE_DIRECTORY, /var/lib/draftd or ~/.local/state/draftd
                      */
    char *store;     /* "sqlite" */
    int64_t workers; /* 4 */
    char *log_level; /* "debug", "info", "warning", "error" */
};

/* The keys of `struct server_settings`, to be included in a larger section (BIND_INLINE). */
extern const struct bind_section server_settings_section;

/* Check what the table cannot, and fill in what depends on this machine. Names of files that are
 * not absolute become those that secret_path() finds. `root` is the tree that was bound. Errors:
 * ERR_NOMEM; faults are told and no error. */
MUST_CHECK int server_settings_finish(struct server_settings *settings,
                                      const struct tree_node *root,
                                      const char *base_dir,
                                      struct faults *faults,
                                      struct err *err);
