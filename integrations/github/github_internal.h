/* What the files of the GitHub client share: the client itself and the one way to make a call. */
#pragma once

#include "integrations/github/github.h"
#include "server/base/js.h"
#include "server/base/strbuf.h"
#include "server/web.h"

#define GITHUB_PATH_BYTES 4096U
#define GITHUB_PAGE_SIZE 100                   /* the largest that GitHub gives */
#define GITHUB_PAGES 100                       /* then it is enough */
#define GITHUB_TIMEOUT_MS (15 * MS_PER_SECOND) /* GitHub itself gives up a request after 10 s */
#define GITHUB_LOG_TIMEOUT_MS MS_PER_MINUTE
#define GITHUB_PAGE_BYTES (64U * 1024 * 1024) /* a hundred comments of the longest, escaped */

#define GITHUB_UNCHANGED 304 /* the status, when an ETag was sent */

struct github {
    struct github_options options;
    struct github_tokens *tokens;
    struct web *web;
    char *origin; /* "https://api.github.com": where credentials may go */
    char *login;  /* once known */
    int64_t retry_after_ms;
    bool drafts_refused;
    char *moved_from; /* the last repository that was found to have another name; or NULL */
    char *moved_to;
    char *classic; /* the repository whose tokens are to be of the classic format; or NULL */
};

struct github_call {
    const char *method;
    const char *url;        /* whole, or beginning with '/': below the API's URL */
    const char *repository; /* whose token; NULL: as the App itself, or as the machine user */
    int64_t installation;   /* whose token, without a repository; or 0 */
    const json_t *body;     /* or NULL */
    const char
        *etag; /* of the answer that is known: the same again is told by status 304; or NULL */
    const char *header;     /* one more, "Name: value"; or NULL */
    bool quiet;             /* it is a POST, and yet changes nothing that limits are for */
    size_t keep_last_bytes; /* of the answer, which may be of any length; 0: all, up to a page */
};

/* One call: the token found or made, the answer judged; a token that is refused is renewed, once.
 * `answer`, empty before, is filled in on failure too, with what came.   Owns: it is the caller's,
 * web_answer_done().   Errors: as in github.h. */
MUST_CHECK int github_exchange(struct github *github,
                               const struct github_call *call,
                               struct web_answer *answer,
                               struct err *err);

/* The answer as JSON.  Owns: *ret_json is the caller's, json_decref().   Errors: ERR_REMOTE. */
MUST_CHECK int github_parse(const struct web_answer *answer, json_t **ret_json, struct err *err);

/* As github_exchange(), for an answer that is JSON.  `ret_next` (may be NULL): the next page's URL,
 * or NULL. Owns: *ret_json (json_decref()) and *ret_next (free()) are the caller's.   Errors: as in
 * github.h. */
MUST_CHECK int github_call(struct github *github,
                           const struct github_call *call,
                           json_t **ret_json,
                           char **ret_next,
                           struct err *err);

/* Names an installation, by its id, where otherwise a repository is named: none has a space. */
#define GITHUB_INSTALLATION "installation "

/* A token for a repository or an installation: the machine user's, one that is kept, or a fresh
 * one. Owns: *ret_token is the caller's, secret_free(). */
MUST_CHECK int
github_token(struct github *github, const char *holder, struct secret **ret_token, struct err *err);

/* GitHub said that the installation is suspended.   Returns ERR_UNAVAILABLE. */
int github_suspended(struct github *github, const char *holder, struct err *err);

/* Append "/repos/OWNER/NAME", escaped.  Errors: ERR_INVALID `repository` is not OWNER/NAME. */
MUST_CHECK int
github_append_repository(struct strbuf *path, const char *repository, struct err *err);

/* Append one path segment, escaped.  Errors: ERR_INVALID it is empty, "." or "..", which a URL
 * would lose. */
MUST_CHECK int github_append_segment(struct strbuf *path, const char *segment, struct err *err);

/* "/repos/OWNER/NAME" and `rest`.  Owns: *ret_path is the caller's, free().  Errors: as above;
 * ERR_LIMIT too long. */
MUST_CHECK int
github_repository_path(const char *repository, const char *rest, char **ret_path, struct err *err);

/* Make a call about a repository.  `rest`: the path after "/repos/OWNER/NAME". As github_call(). */
MUST_CHECK int github_call_repository(struct github *github,
                                      const char *method,
                                      const char *repository,
                                      const char *rest,
                                      const json_t *body,
                                      json_t **ret_json,
                                      struct err *err);

/* --- Repositories that moved (github_moved.c) */

/* The id in the address that GitHub redirects to, "API/repositories/ID/..."; 0: that is none. */
int64_t github_redirect_id(const struct github *github, const char *url);

/* Keep it that `repository` has another name now, unless `full_name` is the same. */
MUST_CHECK int github_note_move(struct github *github,
                                const char *repository,
                                const char *full_name,
                                struct err *err);

/* --- What comments of issues and of reviews have in common (github_shared.c) */

/* Send {"body": ...}, of a length that GitHub takes. `rest`: as github_call_repository(); NULL when
 * there was no memory for it. */
MUST_CHECK int github_send_body(struct github *github,
                                const char *method,
                                const char *repository,
                                const char *rest,
                                const char *body,
                                json_t **ret_json,
                                struct err *err);

/* The string at `path`, "" when it is not told. Borrowed from the tree. */
const char *github_text_at(const json_t *json, const char *path);

/* Was this comment written by a bot, or by an App on somebody's behalf? */
bool github_by_program(const json_t *comment);

/* Did we write this comment?  Anybody can copy a marker into a comment of theirs. */
MUST_CHECK int
github_is_ours(struct github *github, const json_t *comment, bool *ret_ours, struct err *err);

/* A search for the oldest comment of ours with a marker: github_look_for() as a github_visit_fn,
 * with this as its context. */
struct github_search {
    struct github *github;
    const char *marker;
    int64_t thread; /* only answers in this thread of a review; 0: whatever the list has */
    int64_t id;     /* of what was found; 0: nothing yet */
};

MUST_CHECK int github_look_for(void *ctx, const json_t *comment, bool *ret_enough, struct err *err);

/* What is done with an item of a list. *ret_enough, false before: no other is wanted. */
typedef int github_visit_fn(void *ctx, const json_t *item, bool *ret_enough, struct err *err);

struct github_list {
    const char *repository; /* whose token; NULL: as github_call() */
    const char *path;       /* with its query; below the repository where one is given */
    int64_t installation;   /* whose token, without a repository; or 0 */
    const char *member;     /* which holds the items of a page; NULL: the page itself is the list */
};

/* Visit the items of a list, page by page, in GitHub's order.  Errors: those of `visit`, too. */
MUST_CHECK int github_walk(struct github *github,
                           const struct github_list *list,
                           github_visit_fn *visit,
                           void *ctx,
                           struct err *err);
