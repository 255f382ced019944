/* Does somebody only answer what we say, over and over? Platforms tell which actors are bots, and
 * those start nothing; a program that works under a person's account is not told apart. So what it
 * could do for ever is bounded, by what people hardly reach. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct db;
struct event;
struct task;

/* *ret_echo: the event says, outside of quotes, what we said in the thread ourselves, and hardly
 * anything else: a bridge to another place, or a bot that repeats. */
MUST_CHECK int loops_find_echo(struct db *db,
                               const struct app *app,
                               const struct task *task,
                               const struct event *event,
                               bool *ret_echo,
                               struct err *err);

/* Is more work to be done for it?
 * Errors: ERR_CONFLICT it is enough; in words for the record and for the thread. */
MUST_CHECK int loops_check_work(struct db *db,
                                const struct task *task,
                                const struct event *event,
                                int64_t now_ms,
                                struct err *err);

/* Is one more comment to be made in a thread? `task`: 0 where there is none.  Errors: as above. */
MUST_CHECK int loops_check_answers(
    struct db *db, int64_t task, const char *thread, int64_t now_ms, struct err *err);
