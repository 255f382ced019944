/* What an engine implements. The members mean what engine.h says of the functions of the same
 * names. */
#pragma once

#include "sandbox/engine.h"

struct engine_driver {
    const char *scheme; /* of the addresses that it serves, with "://" */
    int (*open)(const char *address, void **ret_state, struct err *err);
    void (*close)(void *state);
    void (*heed)(void *state, const struct stop *stop);
    int (*create)(void *state, const struct container_spec *spec, char **ret_id, struct err *err);
    int (*start)(void *state, const char *id, struct err *err);
    int (*remove)(void *state, const char *id, struct err *err);
    int (*inspect)(void *state, const char *id, struct container_facts *ret_facts, struct err *err);
    int (*list)(void *state,
                const char *instance,
                struct container_list *ret_list,
                struct err *err);
};
