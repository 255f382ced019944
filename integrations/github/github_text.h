/* GitHub's limits on texts, kept: pure functions. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stddef.h>

#define GITHUB_BODY_CHARS                                                                          \
    65536U /* of a comment, an issue or a pull request; characters, not bytes */
#define GITHUB_TITLE_CHARS 256U
#define GITHUB_CHECK_CHARS 65535U     /* of a check run's summary, and of its text */
#define GITHUB_DESCRIPTION_CHARS 140U /* of a commit status */

/* `body` as GitHub takes it: bytes that are not UTF-8 become U+FFFD, and what is over `max_chars`
 * (200 or more) is cut, ending in "..."; a code fence that the cut leaves open is closed before
 * that. Whatever must survive, such as a hidden marker, belongs at the beginning. Owns: *ret_text
 * is the caller's, free(). */
MUST_CHECK int
github_fit_body(const char *body, size_t max_chars, char **ret_text, struct err *err);

/* `line` as GitHub takes a title: as above, on one line, at most `max_chars`. */
MUST_CHECK int
github_fit_line(const char *line, size_t max_chars, char **ret_text, struct err *err);

/* The end of `text` as valid UTF-8 of at most `max_bytes`: other bytes, and U+0000, become U+FFFD.
 * Owns: *ret_text is the caller's, free(). */
MUST_CHECK int
github_clean_text(struct bytes text, size_t max_bytes, char **ret_text, struct err *err);
