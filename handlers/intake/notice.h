/* What a platform says of itself, carried out. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct event;

/* Keep what the repository of an event is called. Is it known by another name, then it moved, and
 * nobody said so: its tasks go by the new one.   Thread: inside a store function. */
MUST_CHECK int
notice_name(struct db *db, const char *platform, const struct event *event, struct err *err);

/* An EVENT_NOTICE: the tasks of a repository that moved go by its new name; where access is back,
 * what waits for it is tried at once.   Thread: inside a store function. */
MUST_CHECK int notice_take(struct db *db,
                           struct app *app,
                           const char *platform,
                           const struct event *event,
                           int64_t now_ms,
                           struct err *err);
