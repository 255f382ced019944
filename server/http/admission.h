/* Who may connect: a cap on all connections together and one on those of a single address.
 *
 * An IPv6 client is counted by its /64, which is what one customer of a provider gets. */
#pragma once

#include "server/base/err.h"

#include <sys/socket.h>

#define ADMISSION_KEY_BYTES 16

struct admission;

/* The address that a connection is counted under. */
struct admission_key {
    unsigned char bytes[ADMISSION_KEY_BYTES];
};

/* `max_per_address` 0: no cap for one address.
 * Owns: *ret_admission is the caller's, admission_free().   Errors: ERR_NOMEM. */
MUST_CHECK int admission_new(unsigned max_connections,
                             unsigned max_per_address,
                             struct admission **ret_admission,
                             struct err *err);
void admission_free(struct admission *admission);
AUTO_DEFINE(struct admission *, admission_free)

/* Count one more connection from `address`. False: it is one too many, and is not counted.
 * Thread: any. */
bool admission_enter(struct admission *admission,
                     const struct sockaddr *address,
                     struct admission_key *ret_key);

/* The connection is closed.   Thread: any. */
void admission_leave(struct admission *admission, const struct admission_key *key);
