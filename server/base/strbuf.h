/* A growing text buffer with a maximum. Appends never report failure: they stick, and the one check
 * at the end tells. The caps in use are listed in server/limits.h. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

struct strbuf {
    char *ptr; /* always terminated once anything was appended */
    size_t len;
    size_t capacity;
    size_t max;    /* largest len allowed */
    int failed;    /* 0, ERR_LIMIT or ERR_NOMEM: nothing is appended after it */
};

#define STRBUF_INIT(max_len)                                                                       \
    {                                                                                              \
        .max = (max_len)                                                                           \
    }

/* Free what the buffer holds; safe on {0}. */
void strbuf_done(struct strbuf *buf);

/* Forget the contents and the failure, keep the memory and the maximum. */
void strbuf_reset(struct strbuf *buf);

void strbuf_add(struct strbuf *buf, const void *ptr, size_t len);
void strbuf_add_str(struct strbuf *buf, const char *text);
void strbuf_add_bytes(struct strbuf *buf, struct bytes bytes);
void strbuf_add_char(struct strbuf *buf, char c);

/* Add a name that programs read ("not_run") as people write it ("not run"). */
void strbuf_add_words(struct strbuf *buf, const char *name);
void strbuf_addf(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Cut the contents to `len` bytes (no-op when shorter). */
void strbuf_truncate(struct strbuf *buf, size_t len);

/* Did every append fit? */
bool strbuf_ok(const struct strbuf *buf);

/* The contents as a terminated string, "" when empty. Borrowed, until the next append. */
const char *strbuf_str(const struct strbuf *buf);

/* Move the contents out; the buffer is empty afterwards.
 * Owns: *ret_text is the caller's, free().   Errors: ERR_LIMIT, ERR_NOMEM from any earlier append. */
MUST_CHECK int strbuf_take(struct strbuf *buf, char **ret_text, struct err *err);

/* printf into fresh memory.  Owns: the caller's, free().  NULL when out of memory. */
MUST_CHECK char *str_printf(const char *format, ...) PRINTF_LIKE(1, 2);
