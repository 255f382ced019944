/* POST /webhooks/<platform>: verify the signature over the raw bytes as they arrive, store, then
 * answer. Nothing is parsed here, and nothing unverified is stored. */
#pragma once

#include "server/base/err.h"
#include "server/http/http.h"

#include <stddef.h>

struct app;
struct webhooks;

/* Make the routes of all configured platforms.
 * Owns: *ret_webhooks is the caller's, webhooks_free().   Borrows: app. */
MUST_CHECK int webhooks_new(struct app *app, struct webhooks **ret_webhooks, struct err *err);
void webhooks_free(struct webhooks *webhooks);
AUTO_DEFINE(struct webhooks *, webhooks_free)

/* Borrowed, valid as long as `webhooks`. */
const struct http_route *webhooks_routes(const struct webhooks *webhooks, size_t *ret_count);
