/* Keeps the calls of a process below GitHub's secondary limits: a second between calls that change
 * something (which is less than the 80 new things a minute, too), 500 new things an hour, and
 * silence when GitHub says that it was too much. It reads no clock and never sleeps. Source:
 * docs.github.com/rest, "Rate limits" and "Best practices". */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct github_pacer;

/* Owns: *ret_pacer is the caller's, github_pacer_free().   Errors: ERR_NOMEM. */
MUST_CHECK int github_pacer_new(struct github_pacer **ret_pacer, struct err *err);
void github_pacer_free(struct github_pacer *pacer);
AUTO_DEFINE(struct github_pacer *, github_pacer_free)

enum github_pace {
    GITHUB_READS,
    GITHUB_CHANGES, /* what is there */
    GITHUB_CREATES, /* what people are told of: comments, pull requests, ... */
};

/* May a call be made at `now_ms` (of a clock that never jumps, the same for all calls)?  Returns 0
 * and counts it; or after how many milliseconds it is worth asking again.   Thread: any. */
int64_t github_pacer_book(struct github_pacer *pacer, enum github_pace pace, int64_t now_ms);

/* GitHub refused a call for its secondary limit, and told how long to wait (`told_ms`; 0: it did
 * not: a minute, which doubles each time up to an hour). Returns the wait; no call is let through
 * until it is over.   Thread: any. */
int64_t github_pacer_refused(struct github_pacer *pacer, int64_t told_ms, int64_t now_ms);

/* GitHub carried a call out: the next wait that it does not tell is a minute again.   Thread: any.
 */
void github_pacer_passed(struct github_pacer *pacer);
