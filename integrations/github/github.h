/* GitHub's REST API (version 2022-11-28): the calls that draftd makes, as an App or as a machine
 * user. A client only: no policy, no words of its own. Facts: docs.github.com/rest. */
#pragma once

#include "server/base/err.h"
#include "server/base/secret.h"
#include "server/base/stop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct github;
struct github_pacer;

struct github_options {
    const char *api_url; /* "https://api.github.com"; of a server: "https://HOST/api/v3" */
    const char *git_url; /* "https://github.com" */
    const char *ca_file; /* further trusted certificates; or NULL */
    int64_t app_id;      /* 0: machine user */
    const struct secret *app_private_key; /* PEM; App mode */
    const struct secret *token;           /* machine user mode */
    const char *login; /* "draftd-bot" or "slug[bot]"; NULL: asked from the API when needed */
    const struct stop *stop;
    struct github_pacer
        *pacer; /* shared by the process (github_pacer.h); NULL: calls are not paced */
};

/* Is this the API of a GitHub Enterprise Server? Such have no limits unless their operator set
 * some, and keep deliveries for seven days instead of three. */
bool github_is_server(const char *api_url);

/* Installation tokens are shared between the clients of a process through this cache; it locks
 * itself. */
struct github_tokens;
MUST_CHECK int github_tokens_new(struct github_tokens **ret_tokens, struct err *err);
void github_tokens_free(struct github_tokens *tokens);
AUTO_DEFINE(struct github_tokens *, github_tokens_free)

/* Installations that were suspended or gone may be back: ask GitHub again at once.   Thread: any. */
void github_tokens_forget_absences(struct github_tokens *tokens);

/* Borrows: everything in `options`, and `tokens`, for the client's life.   Thread: one. */
MUST_CHECK int github_new(const struct github_options *options,
                          struct github_tokens *tokens,
                          struct github **ret_github,
                          struct err *err);
void github_free(struct github *github);
AUTO_DEFINE(struct github *, github_free)

/* Errors of every call below: ERR_AUTH 401, once a fresh token was refused too; ERR_DENIED 403 (the
 * missing permission named where GitHub names it); ERR_NOTFOUND 404, 410;
 * ERR_INVALID 422 and other 4xx, with GitHub's words; ERR_REMOTE 5xx, a broken answer; ERR_LIMIT a
 * rate limit, or our own pace: github_retry_after_ms() tells how long; ERR_UNAVAILABLE,
 * also while the App's installation there is suspended or gone; ERR_TIMEOUT. */

/* After ERR_LIMIT: milliseconds until the limit is over; otherwise 0. */
int64_t github_retry_after_ms(const struct github *github);

/* The login that our comments are written by (App: "slug[bot]").  Owns: the caller's, free(). */
MUST_CHECK int github_login(struct github *github, char **ret_login, struct err *err);

/* Ask for a fresh token for a repository although one is cached (after a refusal). */
void github_forget_token(struct github *github, const char *repository);

/* The same, and take tokens of the classic format for this repository from now on: git servers were
 * seen to answer 404 to narrowed tokens of the new one.   Errors: ERR_NOMEM. */
MUST_CHECK int
github_forget_stateless_token(struct github *github, const char *repository, struct err *err);

/* How far the App was granted a permission, such as "workflows", where the repository is: "none",
 * "read", "write" or "admin" into a fresh string.   Errors: ERR_INVALID in machine-user mode, where
 * nobody tells. */
MUST_CHECK int github_granted(struct github *github,
                              const char *repository,
                              const char *permission,
                              char **ret_level,
                              struct err *err);

/* Does GitHub say that the machine user's token is without an OAuth scope, such as "workflow"?  Of
 * a fine-grained token it tells no scopes: false then.   Errors: ERR_INVALID as an App. */
MUST_CHECK int github_lacks_scope(struct github *github,
                                  const char *repository,
                                  const char *scope,
                                  bool *ret_lacks,
                                  struct err *err);

/* The new name of a repository that GitHub said was renamed or transferred, in a call of this
 * client; NULL: not that we know. Reading calls were answered all the same; writing ones,
 * ERR_NOTFOUND, were not carried out. Borrowed, until the next call. */
const char *github_moved_to(const struct github *github, const char *repository);

/* What an actor may do in a repository: "admin", "write", "read" or "none" into a fresh string. */
MUST_CHECK int github_permission(struct github *github,
                                 const char *repository,
                                 const char *login,
                                 char **ret_permission,
                                 struct err *err);

/* Comments of an issue or pull request. A body over 65,536 characters is cut at its end, so a
 * marker belongs at the beginning; the same goes for pull requests, whose titles are cut to 256. */
MUST_CHECK int github_create_comment(struct github *github,
                                     const char *repository,
                                     int64_t issue,
                                     const char *body,
                                     int64_t *ret_id,
                                     struct err *err);
MUST_CHECK int github_edit_comment(struct github *github,
                                   const char *repository,
                                   int64_t comment,
                                   const char *body,
                                   struct err *err);

/* A comment as it is read; borrowed. */
struct github_comment {
    const char *author; /* login; NULL: not told */
    bool by_program;    /* by a bot, or by an App on somebody's behalf */
    int64_t created_ms; /* 0: not told */
    const char *body;   /* Markdown, as it was written */
};

/* What is done with a comment. An error ends the walk. */
typedef int github_comment_fn(void *ctx, const struct github_comment *comment, struct err *err);

/* Hand all comments of an issue or pull request to `each`, oldest first.
 * Errors: those of `each`, too. */
MUST_CHECK int github_each_comment(struct github *github,
                                   const char *repository,
                                   int64_t issue,
                                   github_comment_fn *each,
                                   void *ctx,
                                   struct err *err);

/* Find the oldest comment written by ourselves that contains `marker`; pages through all.
 * Errors: ERR_NOTFOUND. */
MUST_CHECK int github_find_comment(struct github *github,
                                   const char *repository,
                                   int64_t issue,
                                   const char *marker,
                                   int64_t *ret_id,
                                   struct err *err);

/* `content`: "eyes", ... On the issue, or on one of its comments when `comment` is not 0. */
MUST_CHECK int github_react(struct github *github,
                            const char *repository,
                            int64_t issue,
                            int64_t comment,
                            const char *content,
                            struct err *err);

struct github_pull {
    int64_t number;
    char *url; /* html_url */
    char *title;
    char *body;
    bool draft;
};

void github_pull_done(struct github_pull *pull);

/* The newest open pull request from a branch of the same repository.
 * Errors: ERR_NOTFOUND. */
MUST_CHECK int github_find_pull(struct github *github,
                                const char *repository,
                                const char *branch,
                                struct github_pull *ret_pull,
                                struct err *err);

struct github_pull_new {
    const char *title;
    const char *body;
    const char *head;
    const char *base;
    bool draft;
};

/* Errors: ERR_CONFLICT the branch has an open pull request already (github_find_pull());
 * ERR_INVALID also where drafts are not supported, which github_drafts_refused() tells. */
MUST_CHECK int github_create_pull(struct github *github,
                                  const char *repository,
                                  const struct github_pull_new *pull,
                                  struct github_pull *ret_pull,
                                  struct err *err);

/* Did the last github_create_pull() fail because the repository supports no drafts? */
bool github_drafts_refused(const struct github *github);

/* `title`, `body`: NULL leaves what is there. */
MUST_CHECK int github_edit_pull(struct github *github,
                                const char *repository,
                                int64_t number,
                                const char *title,
                                const char *body,
                                struct err *err);

/* What git needs to fetch from and push to a repository.
 * Owns: all three are the caller's: free(), free(), secret_free(). */
MUST_CHECK int github_git_access(struct github *github,
                                 const char *repository,
                                 char **ret_url,
                                 char **ret_user,
                                 struct secret **ret_password,
                                 struct err *err);
