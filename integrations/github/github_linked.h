/* Who else works on an issue, which only GitHub's GraphQL API tells. Errors as in github.h. */
#pragma once

#include "integrations/github/github.h"

/* A pull request that closes an issue when it is merged; borrowed. */
struct github_linked_pull {
    int64_t number; /* may be of another repository: see the URL */
    const char *url;
    const char *author; /* login, of an App without "[bot]"; NULL: the account is gone */
    const char *body;   /* Markdown, as it was written; "": none */
    bool draft;
};

/* What is done with it. An error ends the walk. */
typedef int github_linked_fn(void *ctx, const struct github_linked_pull *pull, struct err *err);

/* Hand the open pull requests that would close an issue to `each`; the first ten.
 * Errors: those of `each`, too; ERR_INVALID a GitHub Enterprise Server too old to know. */
MUST_CHECK int github_each_linked_pull(struct github *github,
                                       const char *repository,
                                       int64_t issue,
                                       github_linked_fn *each,
                                       void *ctx,
                                       struct err *err);
