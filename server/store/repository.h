/* What repositories are called: a platform's own id for one stays when its name changes, so that a
 * new name is recognised even where nobody told of the change. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct db;

/* What was told of a repository. */
struct repository_name {
    const char *platform;
    int64_t id; /* the platform's */
    const char *name;
    int64_t told_ms; /* by the platform's clock; 0: not told */
};

/* Keep the name, unless something newer is known of the repository or of the name: what was told
 * late changes nothing. A name belongs to the id that had it last.
 * *ret_former: what the repository was called before (the caller's, free()); NULL: the same, it was
 * not known, or nothing was kept. */
MUST_CHECK int repository_keep_name(struct db *db,
                                    const struct repository_name *told,
                                    char **ret_former,
                                    struct err *err);
