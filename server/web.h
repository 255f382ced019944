/* An HTTP client over libcurl, for the platforms' APIs and the container engine's socket.
 *
 * One `struct web` is one connection cache and belongs to one thread. TLS certificates are always
 * verified. Nothing of a request's headers or of a secret reaches an error message. Over TCP a
 * proxy is used where the environment names one (https_proxy, no_proxy). A request with a body that
 * may have been carried out is never sent again by itself. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/secret.h"
#include "server/base/stop.h"
#include "server/base/strbuf.h"

#include <stdint.h>

struct web;

struct web_options {
    const char *user_agent;
    const char *unix_socket; /* connect there whatever the URL's host says; NULL: TCP */
    const char *ca_file;     /* further trusted certificates in PEM; NULL: the system's only */
};

MUST_CHECK int web_new(const struct web_options *options, struct web **ret_web, struct err *err);
void web_free(struct web *web);
AUTO_DEFINE(struct web *, web_free)

struct web_request {
    const char *method; /* "GET", ... */
    const char *url;
    const char *const *headers;  /* "Name: value", NULL-terminated; or NULL */
    const struct secret *bearer; /* "Authorization: Bearer", for that host only; or NULL */
    struct bytes body;           /* sent when ptr is not NULL */
    const char *content_type;    /* of the body; NULL: application/json */
    int64_t timeout_ms;          /* for the whole exchange; 0: 30 seconds */
    size_t max_answer_bytes;     /* 0: LIMIT_ANSWER_BYTES */
    size_t keep_last_bytes;      /* of a body of any length only so much; 0: all of it */
    bool follow_redirects;       /* GET only: at most 3 */
    const struct stop *stop;     /* gives up when raised; or NULL */
};

/* The headers that clients of ours look at; NULL where absent. */
struct web_answer {
    long status;
    struct strbuf body;
    char *retry_after;
    char *link;
    char *location;
    char *etag;
    char *rate_remaining;       /* x-ratelimit-remaining */
    char *rate_reset;           /* x-ratelimit-reset */
    char *accepted_permissions; /* x-accepted-github-permissions */
    char *oauth_scopes;         /* x-oauth-scopes */
    char *redirected_to;        /* the last URL, where redirects were followed; else NULL */
    bool shortened;             /* `keep_last_bytes` left a beginning out */
};

void web_answer_done(struct web_answer *answer);

/* One exchange. Any HTTP status is success: the caller judges it.
 * Owns: *ret_answer is the caller's, web_answer_done().
 * Errors: ERR_UNAVAILABLE no connection; ERR_TIMEOUT; ERR_REMOTE broken answer; ERR_LIMIT answer
 * too large; ERR_CANCELED; ERR_INVALID the URL. */
MUST_CHECK int web_perform(struct web *web,
                           const struct web_request *request,
                           struct web_answer *ret_answer,
                           struct err *err);

/* Append `text` percent-encoded as one path segment or query value (RFC 3986, unreserved kept). */
void web_append_escaped(struct strbuf *buf, const char *text);
