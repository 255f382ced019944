/* Drafts that a task had before the one that it has: what is asked after one was merged or closed
 * begins anew, and the record of what was stays. */
#pragma once

#include "server/store/task.h"

struct past_draft {
    int64_t id;
    int64_t task;
    int64_t number;
    char *url;              /* or NULL */
    char *branch;           /* or NULL */
    char *base_branch;      /* or NULL */
    enum draft_state state; /* DRAFT_NONE: it ended, and nobody heard how */
    int64_t opened_ms;
    int64_t ended_ms;    /* by the platform's clock; 0: not told */
    int64_t last_run;    /* the number of the last run on it */
    int64_t last_remark; /* the id of the last remark that the task had then; 0: none */
};

void past_draft_free(struct past_draft *past);
AUTO_DEFINE(struct past_draft *, past_draft_free)

const char *past_draft_state_name(const struct past_draft *past);

/* Keep the draft that a task has, if any, unless it is `next`, which it is about to have (0: none).
 */
MUST_CHECK int past_draft_keep(struct db *db, int64_t task, int64_t next, struct err *err);

/* It was found to be merged or closed, or was opened again (`ended_ms` 0). */
MUST_CHECK int past_draft_set_state(
    struct db *db, int64_t id, enum draft_state state, int64_t ended_ms, struct err *err);

/* The one that a task had last.  Errors: ERR_NOTFOUND. */
MUST_CHECK int
past_draft_latest(struct db *db, int64_t task, struct past_draft **ret_past, struct err *err);

/* The one with this number, whichever task had it.  Errors: ERR_NOTFOUND. */
MUST_CHECK int past_draft_find(struct db *db,
                               const char *platform,
                               const char *repository,
                               int64_t number,
                               struct past_draft **ret_past,
                               struct err *err);

struct past_draft_list {
    struct past_draft **items;
    size_t count;
};

void past_draft_list_done(struct past_draft_list *list);

/* All of a task, oldest first. */
MUST_CHECK int
past_draft_list(struct db *db, int64_t task, struct past_draft_list *ret_list, struct err *err);
