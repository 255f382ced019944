/* Tasks: one piece of work bound to one origin and one repository, owning one branch and at most
 * one draft. There is one task per origin; asking again makes a new run of it. */
#pragma once

#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

enum task_state {
    TASK_QUEUED,    /* a run waits for a worker */
    TASK_RUNNING,   /* a worker holds its run */
    TASK_DRAFTED,   /* ended: a draft is open */
    TASK_UNCHANGED, /* ended: nothing to change */
    TASK_HELD,      /* ended: the guard held the change back */
    TASK_FAILED,    /* ended: see reason */
    TASK_CANCELED,  /* ended: somebody asked to stop */
};

#define TASK_STATE_COUNT 7

const char *task_state_name(enum task_state state);
bool task_state_is_live(enum task_state state);

/* May a task go from one state to another? Read from one table. */
bool task_state_allows(enum task_state from, enum task_state to);

/* What became of a task's draft. */
enum draft_state {
    DRAFT_NONE,
    DRAFT_OPEN,
    DRAFT_MERGED,
    DRAFT_CLOSED, /* without being merged */
};

const char *draft_state_name(enum draft_state state);

/* Merged or closed. */
bool draft_state_is_ended(enum draft_state state);

struct task {
    int64_t id;
    char *platform;   /* whose origin it is: "github" */
    char *origin;     /* unique: "github:acme/api#42" */
    char *thread;     /* what messages about it are ordered by; usually the origin */
    char *repository; /* "acme/api" */
    int64_t number;   /* issue number; 0: none */
    char *title;
    char *text;         /* what was asked, as received */
    char *url;          /* of the origin, or NULL */
    char *requested_by; /* login or name */
    enum task_state state;
    char *branch;         /* NULL until the first run chose it */
    char *base_branch;    /* NULL until then */
    int64_t draft_number; /* 0: none */
    char *draft_url;      /* NULL: none */
    enum draft_state draft_state;
    int64_t draft_opened_ms;
    int64_t draft_ended_ms; /* when it was merged or closed, by the platform's clock */
    bool draft_conflicts; /* with its base branch, when it was last looked at */
    char *draft_seen;     /* what the platform knows that look by; NULL: it tells anew */
    bool follow_ci;         /* red checks of the forge start a run, as the repository says */
    char *status_ref;     /* the platform's id of the status comment; NULL: none yet */
    char *reason;         /* the last word in one line, or NULL */
    int64_t created_ms;
    int64_t updated_ms;
};

void task_free(struct task *task);
AUTO_DEFINE(struct task *, task_free)

/* Insert a task in TASK_QUEUED from the fields of `task` (id, state and times are set here).
 * Errors: ERR_CONFLICT the origin has a task. */
MUST_CHECK int task_insert(
    struct db *db, const struct task *task, int64_t now_ms, int64_t *ret_id, struct err *err);

MUST_CHECK int task_get(struct db *db, int64_t id, struct task **ret_task, struct err *err);
MUST_CHECK int
task_find(struct db *db, const char *origin, struct task **ret_task, struct err *err);

/* The task whose draft has this number, or whose branch has this name.  Errors: ERR_NOTFOUND. */
MUST_CHECK int task_find_draft(struct db *db,
                               const char *platform,
                               const char *repository,
                               int64_t draft_number,
                               struct task **ret_task,
                               struct err *err);
MUST_CHECK int task_find_branch(struct db *db,
                                const char *platform,
                                const char *repository,
                                const char *branch,
                                struct task **ret_task,
                                struct err *err);

/* Errors: ERR_CONFLICT the table does not allow it; ERR_NOTFOUND. */
MUST_CHECK int task_set_state(struct db *db,
                              int64_t id,
                              enum task_state state,
                              const char *reason,
                              int64_t now_ms,
                              struct err *err);

/* Replace what was asked (a new trigger may carry an edited title and text). */
MUST_CHECK int task_set_request(struct db *db,
                                int64_t id,
                                const char *title,
                                const char *text,
                                const char *requested_by,
                                int64_t now_ms,
                                struct err *err);

MUST_CHECK int task_set_branch(
    struct db *db, int64_t id, const char *branch, const char *base_branch, struct err *err);

/* The task has this draft, which is open. When it was opened is kept while it is the same one;
 * another one that it had is kept as a past draft. */
MUST_CHECK int task_set_draft(struct db *db,
                              int64_t id,
                              int64_t draft_number,
                              const char *draft_url,
                              int64_t now_ms,
                              struct err *err);

/* It was merged or closed, or is open again (`ended_ms` 0). */
MUST_CHECK int task_set_draft_state(
    struct db *db, int64_t id, enum draft_state state, int64_t ended_ms, struct err *err);

/* Let go of an ended draft, which is kept as a past one, and its branch: what is asked next begins
 * anew. */
MUST_CHECK int task_leave_draft(struct db *db, int64_t id, struct err *err);

/* How the open draft was found. What is set or moved on above forgets it. */
MUST_CHECK int task_set_draft_seen(
    struct db *db, int64_t id, bool conflicts, const char *seen, struct err *err);

MUST_CHECK int task_set_follow_ci(struct db *db, int64_t id, bool follow, struct err *err);
MUST_CHECK int
task_set_status_ref(struct db *db, int64_t id, const char *status_ref, struct err *err);

struct task_list {
    struct task **items;
    size_t count;
};

void task_list_done(struct task_list *list);

/* The newest `limit` tasks, newest first; only live ones when `live_only`. */
MUST_CHECK int
task_list(struct db *db, bool live_only, size_t limit, struct task_list *ret_list, struct err *err);

/* The newest `limit` tasks older than task `below` whose draft is open, newest first. */
MUST_CHECK int task_list_open_drafts(
    struct db *db, int64_t below, size_t limit, struct task_list *ret_list, struct err *err);
