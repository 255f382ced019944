/* Finding things in text that look like credentials: for log lines, for output that is posted to a
 * platform, and for the guard on a diff. One list of patterns serves all three. */
#pragma once

#include "server/base/strbuf.h"

/* Look for the first credential in `text` at or after `from`.
 * Returns its kind ("GitHub token", "private key", ...), or NULL when there is none; writes where
 * it begins and how long it is. The kind may be shown; the match may not. */
const char *redact_find(struct bytes text, size_t from, size_t *ret_start, size_t *ret_len);

/* Append `text` to `buf` with every credential replaced by "[redacted]". */
void redact_append(struct strbuf *buf, struct bytes text);
