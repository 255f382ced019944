/* Deliveries that never arrived: what the platform could not hand to us, and nobody stored, is
 * asked for again, with growing pauses, until it was taken or the platform no longer keeps it. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct missed;
struct session;

/* Borrows: app.   Owns: *ret_missed is the caller's. */
MUST_CHECK int missed_new(struct app *app, struct missed **ret_missed, struct err *err);
void missed_free(struct missed *missed);
AUTO_DEFINE(struct missed *, missed_free)

/* Look through what the hooks of a platform sent since the last look, and log what goes wrong.
 * Returns after how many milliseconds to look again.   Thread: the session's. */
int64_t missed_look(struct missed *missed, struct session *session, int64_t now_mono_ms);
