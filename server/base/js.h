/* JSON through jansson: strict parsing, paths into a tree, and text out of it.
 *
 * A path names members and array places with dots: "issue.labels.0.name". A getter answers its
 * default for anything absent or of another type: what a platform may omit is not an error. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/strbuf.h"

#include <jansson.h>
#include <stdint.h>

/* Parse one JSON value (RFC 8259), strictly: duplicate members, trailing text, invalid UTF-8,
 * nesting over 64 and more than a million values are refused, the latter two before a tree is
 * built. The character U+0000, which no text of ours can hold, becomes U+FFFD: whoever writes one
 * into a comment makes nothing unreadable. Owns: *ret_json is the caller's, json_decref(). Errors:
 * ERR_INVALID with line and column. */
MUST_CHECK int js_parse(struct bytes text, json_t **ret_json, struct err *err);

static inline void
js_free(json_t *json)
{
    json_decref(json);
}
AUTO_DEFINE(json_t *, js_free)

/* The value at `path`, or NULL. Borrowed. */
const json_t *js_at(const json_t *json, const char *path);

/* The string at `path`; NULL when absent or not a string. Borrowed from the tree. */
const char *js_str(const json_t *json, const char *path);

/* The integer at `path`; `otherwise` when absent or not an integer. */
int64_t js_int(const json_t *json, const char *path, int64_t otherwise);

bool js_bool(const json_t *json, const char *path, bool otherwise);

/* Append the tree as compact JSON text. Sticky as every append. */
void js_append(struct strbuf *buf, const json_t *json);

/* The tree as compact JSON text.  Owns: the caller's, free().  Errors: ERR_NOMEM, also when `json`
 * is NULL because building it ran out of memory. */
MUST_CHECK int js_dump(const json_t *json, char **ret_text, struct err *err);
