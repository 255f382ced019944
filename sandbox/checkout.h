/* The work tree of a sandbox: made from the mirror's objects, and put back. */
#pragma once

#include "sandbox/sandbox.h"

#include <stdbool.h>

/* Is `text` a full object name (SHA-1 or SHA-256) in lower-case hexadecimal? */
bool checkout_is_object_name(const char *text);

/* The option that makes `git init` use the hash of object names such as `commit`. */
const char *checkout_init_format(const char *commit);

/* Can the specification's commit and branch be checked out at all?   Errors: ERR_INVALID. */
MUST_CHECK int checkout_validate(const struct sandbox_spec *spec, struct err *err);

/* Make the work tree at the specification's commit, on its branch.   Errors: as sandbox_open(). */
MUST_CHECK int
checkout_make(struct sandbox *sandbox, const struct sandbox_spec *spec, struct err *err);
