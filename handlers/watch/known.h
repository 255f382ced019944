/* A set of names, each with the time when it may be forgotten: what was done and is not to be done
 * again until then, or never while the process lives. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_name {
    char *name;
    int64_t until_ms;
    int times; /* that it was added */
};

/* {0} at first. */
struct known {
    struct known_name *names; /* in order */
    size_t count;
};

void known_done(struct known *known);

bool known_has(const struct known *known, const char *name);

/* How often it was added since it was last forgotten. */
int known_times(const struct known *known, const char *name);

/* Add a name, or keep the one that is there for longer. */
MUST_CHECK int known_add(struct known *known, const char *name, int64_t until_ms, struct err *err);

/* Forget those whose time is over. */
void known_forget(struct known *known, int64_t now_ms);
