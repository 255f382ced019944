/* Deliveries that were there already when this process began: handling one of them may be what
 * ended the process before. It is noted before such a one is handled, so that none ends every
 * process that is started. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct delivery;
struct store;

/* {0} at first. */
struct inherited {
    bool known;
    int64_t last; /* the youngest of them, by id */
};

/* Before the delivery is handled. *ret_why: why it is not to be (static text); NULL: it is. */
MUST_CHECK int inherited_begin(struct inherited *inherited,
                               struct store *store,
                               const struct delivery *delivery,
                               const char **ret_why,
                               struct err *err);

/* The process is to end before it was handled: that was not its doing. */
void inherited_give_back(const struct inherited *inherited,
                         struct store *store,
                         const struct delivery *delivery);
