/* The part of the operator's file that belongs to the runtime itself. */
#pragma once

#include "server/config/bind.h"

#include <stdint.h>

struct listen_settings {
    char *address;
    int64_t port;
    char *certificate; /* file; NULL with key: a self-signed pair */
    char *key;
    bool http; /* plain HTTP, behind a TLS proxy */
};

struct server_settings {
    struct listen_settings listen;
    char *state_dir;
    char *store; /* "sqlite" */
    int64_t workers;
    char *log_level; /* "debug", "info", "warning", "error" */
};

/* The keys of `struct server_settings`, to be included in a larger section. */
extern const struct bind_key server_settings_keys[];
extern const size_t server_settings_key_count;
