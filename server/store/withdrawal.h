/* What was taken back: of each origin when that happened last, by the platform's clock. What was
 * said before, and is told of after, is not done. It is known apart from tasks, because the one
 * that it is about may be told of later. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct db;

/* `ref`: the platform's name for the words that took it back, as remark.ref; NULL: there were none.
 * Errors: ERR_CONFLICT it was noted already, or a later one was. */
MUST_CHECK int withdrawal_note(struct db *db,
                               const char *origin,
                               int64_t happened_ms,
                               const char *ref,
                               int64_t now_ms,
                               struct err *err);

/* When what was asked about an origin was taken back last; 0: never. */
MUST_CHECK int
withdrawal_last(struct db *db, const char *origin, int64_t *ret_ms, struct err *err);
