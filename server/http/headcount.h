/* Who may connect: a cap on all connections together and one on those of a single address.
 *
 * An IPv6 client is counted by its /64, which is what one customer of a provider gets. The last
 * eighth of the places is a reserve: whoever gets one of these is to push out another, so that
 * clients who only wait, however many, keep nobody out. */
#pragma once

#include "server/base/err.h"

#include <sys/socket.h>

#define HEADCOUNT_KEY_BYTES 16

struct headcount;

/* The address that a connection is counted under. */
struct headcount_key {
    unsigned char bytes[HEADCOUNT_KEY_BYTES];
};

/* `max_per_address` 0: no cap for one address.
 * Owns: *ret_headcount is the caller's, headcount_free().   Errors: ERR_NOMEM. */
MUST_CHECK int headcount_new(unsigned max_connections,
                             unsigned max_per_address,
                             struct headcount **ret_headcount,
                             struct err *err);
void headcount_free(struct headcount *headcount);
AUTO_DEFINE(struct headcount *, headcount_free)

/* How a newcomer fares. */
enum headcount_entry {
    HEADCOUNT_REFUSED, /* one too many: not counted */
    HEADCOUNT_ENTERED,
    HEADCOUNT_CROWDED,         /* entered; few places are left, */
    HEADCOUNT_ADDRESS_CROWDED, /* or few for its address */
};

/* Count one more connection from `address`.   Thread: any. */
enum headcount_entry headcount_enter(struct headcount *headcount,
                                     const struct sockaddr *address,
                                     struct headcount_key *ret_key);

/* The connection is closed.   Thread: any. */
void headcount_leave(struct headcount *headcount, const struct headcount_key *key);
