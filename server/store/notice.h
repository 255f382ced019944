/* What a platform says of itself changes many rows at once: a repository that has another name, a
 * service that is back. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct db;

/* The repository `from` is called `to` now: its tasks, and what is owed to their threads, go by the
 * new name, by which later deliveries ask for them, and so does what was taken back. A task whose
 * new origin has another task already keeps its own. Their runs are as before. */
MUST_CHECK int notice_moved(
    struct db *db, const char *platform, const char *from, const char *to, struct err *err);

/* What the platform's runs and messages waited for may be back: they are due at once. Runs that
 * wait for nothing are left alone. */
MUST_CHECK int notice_back(struct db *db, const char *platform, int64_t now_ms, struct err *err);
