/* The tables, and how a store of an older program becomes one of this program. */
#pragma once

#include "server/base/err.h"

struct sqlite;

/* Bring the store up to date in one transaction. Several processes may do it at the same time.
 * Errors: ERR_INVALID not a store of ours, or written by a newer program (nothing is changed then);
 * ERR_IO; ERR_UNAVAILABLE locked. */
MUST_CHECK int migrations_run(struct sqlite *sqlite, struct err *err);
