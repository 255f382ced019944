/* The clients that keep us waiting, for the rest of a request or to take their answer, in a line:
 * first whoever does so the longest. Places are scarce sometimes, and then the first one's is
 * needed by a newcomer, who may be honest: slow clients, however many, only take turns so.
 *
 * It is one line for all loops, since a loop may have none but honest clients. */
#pragma once

#include "server/base/err.h"
#include "server/http/headcount.h"

struct line;

/* A client's place in the line: belongs to its connection. {0} and fd and key: not in it. */
struct line_place {
    int fd; /* borrowed: open until line_leave() */
    struct headcount_key key;
    struct line_place *prev; /* under the line's lock, as those that follow */
    struct line_place *next;
    bool waits;
    bool out;     /* pushed out: in no line any more */
    bool leaving; /* and not gone yet */
};

/* Owns: *ret_line is the caller's, line_free().   Errors: ERR_NOMEM. */
MUST_CHECK int line_new(struct line **ret_line, struct err *err);
void line_free(struct line *line);

/* The client begins to keep us waiting, for something new: it goes to the line's end. Thread: any.
 */
void line_wait(struct line *line, struct line_place *place);

/* It waits for us, or is gone.   Thread: any. */
void line_leave(struct line *line, struct line_place *place);

/* Shut down the connection of the first one, or of the first one with this key; its own loop sees
 * that and closes it. False: there is none.   Thread: any. */
bool line_push_out(struct line *line, const struct headcount_key *key);

/* How many were pushed out and still have their places.   Thread: any. */
unsigned line_leaving(struct line *line);
