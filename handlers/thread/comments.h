/* What people said in a thread before a run, for its agent: the newest of it, within bounds. */
#pragma once

#include "server/base/err.h"
#include "server/limits.h"

#include <stddef.h>
#include <stdint.h>

struct comment {
    char *author;       /* NULL: not known */
    char *text;         /* as it was written, however long */
    int64_t written_ms; /* by the platform's clock; 0: not told */
};

/* Oldest first. {0}: none. */
struct comments {
    struct comment items[LIMIT_THREAD_COMMENTS];
    size_t count;
    size_t bytes;    /* of the texts, each counted up to LIMIT_COMMENT_BYTES */
    size_t left_out; /* older ones that found no room */
};

void comments_done(struct comments *comments);

/* Add a newer one. The oldest make room for it. One without text is passed over.
 * Borrows: nothing.   Errors: ERR_NOMEM. */
MUST_CHECK int comments_add(struct comments *comments,
                            const char *author,
                            const char *text,
                            int64_t written_ms,
                            struct err *err);

/* Take out what `author` wrote at that instant: it stands elsewhere. */
void comments_remove(struct comments *comments, const char *author, int64_t written_ms);
