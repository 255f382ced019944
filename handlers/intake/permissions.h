/* Who may have work done where, remembered for a few minutes: asking the platform each time would
 * be slow and eat its rate limit. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct permissions;
struct session;

MUST_CHECK int permissions_new(struct permissions **ret_permissions, struct err *err);
void permissions_free(struct permissions *permissions);
AUTO_DEFINE(struct permissions *, permissions_free)

/* May `actor` have work done in `repository`? Remembered 5 minutes when allowed, 30 seconds when
 * not. Errors: as the platform's may().   Thread: any, each with its own session. */
MUST_CHECK int permissions_ask(struct permissions *permissions,
                               struct session *session,
                               const char *repository,
                               const char *actor,
                               int64_t now_ms,
                               bool *ret_yes,
                               struct err *err);
