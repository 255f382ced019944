/* Where open drafts stand, looked at from time to time: what was merged or closed while nobody
 * heard is recorded, and conflicts with the base branch are told, and taken back. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct session;

/* {0} at first. */
struct drafts {
    int64_t below;    /* the task that was looked at last; 0: a new sweep begins */
    int64_t began_ms; /* when this sweep did, by the monotonic clock */
    int64_t failures; /* one after the other */
};

/* Look at the next drafts of a sweep, newest first, and log what goes wrong. Returns after how many
 * milliseconds to go on.   Thread: the session's. */
int64_t drafts_look(struct drafts *drafts, struct app *app, struct session *session);
