/* Small functions on text: numbers, prefixes, UTF-8. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stdint.h>

/* Read all of `text` as a decimal number without sign.
 * Errors: ERR_INVALID when empty, not all digits, or beyond 64 bits. */
MUST_CHECK int str_to_u64(const char *text, uint64_t *ret_value, struct err *err);

/* As str_to_u64(), with an optional leading '-'. */
MUST_CHECK int str_to_i64(const char *text, int64_t *ret_value, struct err *err);

bool str_equal(const char *a, const char *b);        /* NULL equals only NULL */
bool str_equal_nocase(const char *a, const char *b); /* ASCII letters only */
bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);

/* Does `text` match `pattern`, in which '*' stands for any run of characters without '/', and "**"
 * for any run of characters? ("acme/" followed by '*' matches acme/api; ".github/" followed by "**"
 * matches all below that folder.) */
bool str_matches_glob(const char *text, const char *pattern);

/* A copy.  Owns: the caller's, free().  NULL when out of memory or when `text` is NULL. */
MUST_CHECK char *str_dup(const char *text);

/* Replace *slot by a copy of `text` (NULL clears it). The old text is freed.
 * Errors: ERR_NOMEM (the slot is left as it was). */
MUST_CHECK int str_set(char **slot, const char *text, struct err *err);

/* The largest length not above `max` at which `text` (of `len` bytes) can be cut without splitting
 * a UTF-8 character. */
size_t utf8_cut(const char *text, size_t len, size_t max);

/* The number of UTF-8 characters in `text`; each invalid byte counts as one. */
size_t utf8_count(const char *text, size_t len);

/* Decode the character at `text` (of `len` > 0 bytes): returns its size in bytes and writes the
 * code point, or returns 1 and writes U+FFFD when the bytes are not UTF-8 (RFC 3629). */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret_code_point);
