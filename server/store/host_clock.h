/* The host's wall clock may be set while work waits: what was put off for some seconds must not
 * wait for hours then, nor be given up for having waited a day. Whoever owns the store's work tells
 * it how far the wall clock is ahead of the one that never jumps, and what waits is moved along. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"

struct db;

/* By less the clock is only kept right. */
#define HOST_CLOCK_JUMP_MS 2000

struct host_clock {
    const char *boot;  /* names what the other clock counts from */
    int64_t offset_ms; /* the wall clock less the one that never jumps */
    int64_t mono_ms;   /* the latter */
};

struct host_clock_jump {
    int64_t by_ms; /* since it was noted last; 0: it did not, or nothing is known */
    int64_t
        at_mono_ms; /* when the last jump was noted, by this process or an earlier one; 0: none */
};

/* Note how the clocks stand, and move what waits by as much as the wall clock jumped since it was
 * noted last. */
MUST_CHECK int host_clock_follow(struct db *db,
                                 const struct host_clock *now,
                                 struct host_clock_jump *ret_jump,
                                 struct err *err);

/* Nothing waits longer than until `latest_ms`: what says so was written by a clock that was wrong,
 * and is due now. *ret_found: there is something like that. The first only looks. */
MUST_CHECK int
host_clock_find_stuck(struct db *db, int64_t latest_ms, bool *ret_found, struct err *err);
MUST_CHECK int host_clock_free_stuck(struct db *db, int64_t latest_ms, struct err *err);
