/* What may stand behind a mention on its line: a command, and options of the work that is asked.
 *
 *     @name [use AGENT] [on BRANCH] [COMMAND | : ] ...
 *
 * COMMAND is one of "cancel" ("stop"), "retry", "rebase", "status", "help", without case and with
 * nothing behind it. What does not fit is an instruction: "use the force" names no agent unless one
 * is called "the", and "on monday we" no branch, for a branch ends the line or has a colon. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

enum mention_command {
    MENTION_NONE, /* not mentioned */
    MENTION_WORK, /* what is said besides is the instruction */
    MENTION_CANCEL,
    MENTION_RETRY,
    MENTION_REBASE,
    MENTION_STATUS,
    MENTION_HELP,
};

#define COMMAND_NAME_BYTES 200U

struct command {
    enum mention_command command;    /* MENTION_WORK: none of the words */
    char agent[COMMAND_NAME_BYTES];  /* "": not said */
    char branch[COMMAND_NAME_BYTES]; /* likewise */
    size_t length;                   /* of what was read: an instruction begins behind it */
};

/* Is there an agent of this name? */
typedef bool command_is_agent_fn(void *ctx, const char *name);

/* Read the line behind a mention. `is_agent` may be NULL: there is none. */
struct command command_read(struct bytes line, command_is_agent_fn *is_agent, void *ctx);
