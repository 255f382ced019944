/* Drafts kept in the store, for platforms that have no pull requests of their own. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct db;

struct draft {
    int64_t number; /* the task's id */
    char *repository;
    char *branch;
    char *base_branch;
    char *head_commit;
    char *title;
    char *body; /* Markdown */
    int64_t created_ms;
    int64_t updated_ms;
};

void draft_free(struct draft *draft);
AUTO_DEFINE(struct draft *, draft_free)

/* Insert or replace the draft with this number (created_ms of an existing one is kept). */
MUST_CHECK int draft_put(struct db *db, const struct draft *draft, int64_t now_ms, struct err *err);

/* Errors: ERR_NOTFOUND. */
MUST_CHECK int draft_get(struct db *db, int64_t number, struct draft **ret_draft, struct err *err);
