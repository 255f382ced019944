/* Comments on the code of a pull request: the threads of GitHub's reviews. Errors as in github.h.
 */
#pragma once

#include "integrations/github/github.h"

/* A comment on code as it is read; borrowed. */
struct github_review_comment {
    int64_t id;
    int64_t in_reply_to_id; /* the comment that began the thread; 0: this one did */
    int64_t review;         /* 0: not told */
    const char *author;     /* login; NULL: not told */
    bool by_program;        /* by a bot, or by an App on somebody's behalf */
    const char *path;       /* of the file; "" when not told */
    int64_t line;           /* in the head of today; 0: gone from it, or about the whole file */
    int64_t original_line;  /* in the commit that was commented on; 0: about the whole file */
    const char *diff_hunk;  /* ends with the line that was commented on; "" when there is none */
    const char *body;       /* Markdown, as it was written */
    int64_t created_ms;     /* 0: not told */
};

/* What is done with a comment. An error ends the walk. */
typedef int
github_review_comment_fn(void *ctx, const struct github_review_comment *comment, struct err *err);

/* Hand the comments of one review to `each`, in GitHub's order. Its own text is not among them.
 * Errors: those of `each`, too. */
MUST_CHECK int github_each_review_comment(struct github *github,
                                          const char *repository,
                                          int64_t pull,
                                          int64_t review,
                                          github_review_comment_fn *each,
                                          void *ctx,
                                          struct err *err);

/* Answer in a thread. `thread`: the comment that began it (in_reply_to_id of the others); GitHub
 * takes no other. A body that is too long is cut as github_create_comment() does. */
MUST_CHECK int github_reply_to_thread(struct github *github,
                                      const char *repository,
                                      int64_t pull,
                                      int64_t thread,
                                      const char *body,
                                      int64_t *ret_id,
                                      struct err *err);

/* Find the oldest answer in a thread written by ourselves that contains `marker`; pages through all
 * comments on the pull request's code.  Errors: ERR_NOTFOUND. */
MUST_CHECK int github_find_reply(struct github *github,
                                 const char *repository,
                                 int64_t pull,
                                 int64_t thread,
                                 const char *marker,
                                 int64_t *ret_id,
                                 struct err *err);

/* `content`: "eyes", ...: on a comment on code. */
MUST_CHECK int github_react_to_review_comment(struct github *github,
                                              const char *repository,
                                              int64_t comment,
                                              const char *content,
                                              struct err *err);
