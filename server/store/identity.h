/* The name of this installation: label of its containers, part of the markers in what it writes to
 * platforms. In the store, so that a copy of the store brings it along. */
#pragma once

#include "server/base/err.h"

struct db;

/* Owns: *ret_instance is the caller's, free().   Errors: ERR_NOTFOUND it has none yet. */
MUST_CHECK int identity_get(struct db *db, char **ret_instance, struct err *err);

/* Give it a name, unless it has one: that stays. */
MUST_CHECK int identity_put(struct db *db, const char *instance, struct err *err);
