/* The name of this installation, made at its first start. */
#pragma once

#include "server/base/err.h"

struct store;

/* The name that the store has, or gets now. Programs up to 0.1.0 kept it in the file `instance` of
 * the state directory: it is taken from there, and the file removed.
 * Owns: *ret_instance is the caller's, free(). */
MUST_CHECK int
instance_load(struct store *store, const char *state_dir, char **ret_instance, struct err *err);
