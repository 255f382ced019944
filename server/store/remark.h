/* Remarks: what people, or the forge's own checks, say about a task's draft or its issue once there
 * is a run: each is given to one round of one run, which answers it. What no run took yet is open.
 */
#pragma once

#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

enum remark_kind {
    REMARK_COMMENT, /* in the draft's or the issue's own thread */
    REMARK_REVIEW,  /* the text of a review */
    REMARK_LINE,    /* on a line of the change, in a thread of its own */
    REMARK_CI,      /* the forge's checks failed on the draft's head */
    REMARK_BASE,    /* the base branch is to be taken in */
};

const char *remark_kind_name(enum remark_kind kind);

struct remark {
    int64_t id;
    int64_t task;
    int64_t run;   /* 0: open */
    int64_t round; /* of that run, that it was given to */
    enum remark_kind kind;
    char *ref;           /* the platform's name for it, unique within the task: "line:123" */
    char *batch;         /* what belongs together: a review's id; or NULL */
    char *target;        /* where the answer goes, as the outbox knows it; NULL: nowhere */
    char *actor;         /* who said it */
    char *path;          /* REMARK_LINE: the file; or NULL */
    int64_t line;        /* 1 is the first; 0: the whole file, or no longer there */
    char *hunk;          /* what it stands at, as a unified diff; or NULL */
    char *text;          /* as it was written */
    char *agent;         /* the profile that is asked for with it; or NULL */
    char *branch;        /* the base branch that is asked for; or NULL */
    char *answer;        /* what the agent says it did about it; or NULL */
    int64_t draft;       /* the draft's number when it was said; 0: none */
    int64_t happened_ms; /* by the platform's clock; 0: not told */
    int64_t created_ms;
};

void remark_free(struct remark *remark);
AUTO_DEFINE(struct remark *, remark_free)

/* Insert an open remark from the fields of `remark` (id, run, round, answer and created_ms are set
 * here).  Errors: ERR_CONFLICT it is there already. */
MUST_CHECK int remark_insert(
    struct db *db, const struct remark *remark, int64_t now_ms, int64_t *ret_id, struct err *err);

/* Give the open remarks of a task to a round of a run, but those that ask for another agent or
 * branch than the run's; *ret_count of them. */
MUST_CHECK int remark_take(
    struct db *db, int64_t task, int64_t run, int64_t round, size_t *ret_count, struct err *err);

/* Give those that were said until then (0: all) to a run without a round, which was cancelled: they
 * are taken back with it. */
MUST_CHECK int
remark_take_back(struct db *db, int64_t task, int64_t run, int64_t until_ms, struct err *err);

/* Open those of a run again that it took: it ended without an answer to them. */
MUST_CHECK int remark_reopen(struct db *db, int64_t run, struct err *err);

/* Give those of a run to its first round once more: it begins anew, and what was said to them was
 * about what is not there any more. */
MUST_CHECK int remark_give_again(struct db *db, int64_t run, struct err *err);

MUST_CHECK int remark_set_answer(struct db *db, int64_t id, const char *answer, struct err *err);

/* What was found out about it: its text, and the name of what failed, by which the same failure is
 * known again. *ret_known: another remark of the task has that name. */
MUST_CHECK int remark_set_failure(struct db *db,
                                  int64_t id,
                                  const char *text,
                                  const char *failure,
                                  bool *ret_known,
                                  struct err *err);

/* How many remarks of this kind were made about one draft of a task, open or not. */
MUST_CHECK int remark_count_kind(struct db *db,
                                 int64_t task,
                                 int64_t draft,
                                 enum remark_kind kind,
                                 size_t *ret_count,
                                 struct err *err);

struct remark_list {
    struct remark **items;
    size_t count;
};

void remark_list_done(struct remark_list *list);

/* Those that a run took, oldest first. */
MUST_CHECK int
remark_list_of_run(struct db *db, int64_t run, struct remark_list *ret_list, struct err *err);

/* All of a task, oldest first. */
MUST_CHECK int
remark_list_of_task(struct db *db, int64_t task, struct remark_list *ret_list, struct err *err);
