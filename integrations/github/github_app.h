/* How a GitHub App proves who it is: the JSON web token it signs, and the cache of the installation
 * tokens that GitHub gives for it. No network here. */
#pragma once

#include "integrations/github/github.h"
#include "server/base/secret.h"

#include <stdint.h>

/* The JSON web token of App `app_id` at `now_ms` (Unix): valid from a minute ago, for clocks that
 * differ, until nine minutes from now. GitHub allows ten.
 * Owns: *ret_token is the caller's, secret_free().   Errors: ERR_INVALID not an RSA key in PEM. */
MUST_CHECK int github_app_sign(int64_t app_id,
                               const struct secret *private_key,
                               int64_t now_ms,
                               struct secret **ret_token,
                               struct err *err);

/* A copy of the token that is kept for a repository and good for ten minutes more.
 * Owns: *ret_token is the caller's, secret_free().   Errors: ERR_NOTFOUND; ERR_NOMEM.   Thread:
 * any. */
MUST_CHECK int github_tokens_get(struct github_tokens *tokens,
                                 const char *repository,
                                 int64_t now_ms,
                                 struct secret **ret_token,
                                 struct err *err);

/* Keep a copy of a token, in place of the one before; what has ended by `now_ms` is dropped.
 * Thread: any. */
MUST_CHECK int github_tokens_put(struct github_tokens *tokens,
                                 const char *repository,
                                 const struct secret *token,
                                 int64_t expires_ms,
                                 int64_t now_ms,
                                 struct err *err);

/* Thread: any. */
void github_tokens_forget(struct github_tokens *tokens, const char *repository);

/* GitHub said that there is no installation for a repository, or that it is suspended: it is not
 * asked again for a minute, which doubles each time up to a quarter of an hour.   Thread: any. */
void github_tokens_note_absence(struct github_tokens *tokens,
                                const char *repository,
                                const char *why,
                                int64_t now_ms);

/* Is it worth asking?   Errors: ERR_UNAVAILABLE not yet, with the reason.   Thread: any. */
MUST_CHECK int github_tokens_check_absence(struct github_tokens *tokens,
                                           const char *repository,
                                           int64_t now_ms,
                                           struct err *err);
