/* What GitHub's answers mean: statuses, rate limits, the words of its errors. Pure functions. */
#pragma once

#include "server/base/err.h"
#include "server/base/js.h"
#include "server/web.h"

#include <stdbool.h>
#include <stdint.h>

/* 0 for an answer of success (2xx); otherwise `err` filled in with GitHub's own words and the code
 * that github.h promises. After ERR_LIMIT *ret_retry_after_ms says how long the limit
 * lasts from `now_ms` (Unix) on, by retry-after, else by x-ratelimit-reset, else a minute;
 * otherwise it is set to 0. Source: docs.github.com/rest, "Rate limits" and "Troubleshooting". */
MUST_CHECK int github_check_answer(const struct web_answer *answer,
                                   int64_t now_ms,
                                   int64_t *ret_retry_after_ms,
                                   struct err *err);

/* Is this limit (ERR_LIMIT) the hourly one of an account, and not one on how a process behaves? */
bool github_is_primary_limit(const struct web_answer *answer);

/* Does the answer's message, or one of its errors, hold these words? */
bool github_says(const struct web_answer *answer, const char *words);

/* As github_check_answer(), for an answer of the GraphQL API (`json` is its body), whose errors
 * come with status 200: ERR_NOTFOUND, ERR_DENIED, ERR_LIMIT, ERR_INVALID the query, ERR_REMOTE. */
MUST_CHECK int github_check_graphql(const struct web_answer *answer,
                                    const json_t *json,
                                    int64_t now_ms,
                                    int64_t *ret_retry_after_ms,
                                    struct err *err);

/* The URL of the next page out of a Link header (RFC 8288), into a fresh string; NULL when there is
 * none or it does not begin with `origin` ("https://host"), where the credential may go. Owns:
 * *ret_url is the caller's, free(). */
MUST_CHECK int
github_next_page(const char *link, const char *origin, char **ret_url, struct err *err);
