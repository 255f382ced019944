/* Runs: one pass of a task through the pipeline, claimed by a worker under a lease with a number.
 * Whoever changes a claimed run must still hold that number: that is the fencing. */
#pragma once

#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

enum run_state { RUN_QUEUED, RUN_RUNNING, RUN_ENDED };

/* Where a run is; what was reached is kept, so that a run taken up again goes on from there. */
enum run_stage {
    STAGE_FETCH,    /* the mirror is brought up to date */
    STAGE_SETUP,    /* the work sandbox is made ready */
    STAGE_BASELINE, /* what was red already */
    STAGE_AGENT,
    STAGE_CHECK,   /* after the agent, in the work sandbox */
    STAGE_EXPORT,  /* objects out, verified, guarded: head_commit is set after it */
    STAGE_PROOF,   /* the exact commit, in a fresh sandbox */
    STAGE_PUBLISH, /* branch, draft */
    STAGE_END,
};

enum run_outcome {
    OUTCOME_NONE,
    OUTCOME_DRAFT,
    OUTCOME_UNCHANGED,
    OUTCOME_HELD,
    OUTCOME_FAILED,
    OUTCOME_CANCELED,
};

enum run_verdict {
    VERDICT_NONE,
    VERDICT_VERIFIED,
    VERDICT_NOT_VERIFIED,
    VERDICT_NO_CHECKS,
};

const char *run_state_name(enum run_state state);
const char *run_stage_name(enum run_stage stage);
const char *run_outcome_name(enum run_outcome outcome);
const char *run_verdict_name(enum run_verdict verdict);

struct run {
    int64_t id;
    int64_t task;
    int64_t number;     /* 1, 2, ... within its task */
    char *trigger_kind; /* "label", "assignment", "mention", "review", "ci", "rebase",
                           "retry", "command" */
    char *trigger_actor;
    int64_t trigger_ms; /* when it happened, by the platform's clock; 0: not told */
    char *instruction;  /* what whoever asked said besides, or NULL */
    char *agent;        /* the profile that was asked for, or NULL */
    char *branch;       /* the base branch that was asked for, or NULL */
    enum run_state state;
    enum run_stage stage;
    int64_t round;     /* 0 before the first */
    char *lease_owner; /* NULL: nobody */
    int64_t lease_number;
    int64_t lease_until_ms;
    int64_t not_before_ms;
    int64_t attempts;         /* tries that count: claimed, and not given back unspent */
    int64_t waiting_since_ms; /* since when something needed is away; 0: it is not */
    char *cancel_requested;   /* who asked to stop, or NULL */
    int64_t cancel_ms;        /* when that happened, by the platform's clock; 0: not told */
    char *base_commit;
    char *settings_commit; /* where the repository's settings were read; NULL: in an older store */
    char *head_commit;     /* NULL until exported */
    enum run_outcome outcome;
    enum run_verdict verdict;
    char *reason;  /* one line */
    char *detail;  /* lines that explain it, or what the run waits for; or NULL */
    char *summary; /* the agent's own words, or NULL */
    char *rival;   /* URL of somebody else's open work on the same, found at the start; or NULL */
    char *flags;   /* JSON array of strings: what a reviewer should see first; or NULL */
    int64_t created_ms;
    int64_t started_ms;
    int64_t finished_ms;
};

/* Was it asked to stop, and is not over yet? It does not hear what is said now. */
bool run_is_ending(const struct run *run);

void run_free(struct run *run);
AUTO_DEFINE(struct run *, run_free)

struct run_new {
    int64_t task;
    const char *trigger_kind;
    const char *trigger_actor;
    int64_t trigger_ms;
    const char *trigger_ref; /* the platform's name for what was said, as remark.ref; or NULL */
    const char *instruction;
    const char *agent;
    const char *branch;
    int64_t not_before_ms; /* 0: at once */
};

/* Queue a run of a task that has none live; it gets the next number.
 * Errors: ERR_CONFLICT a run of the task is queued or running. */
MUST_CHECK int run_insert(
    struct db *db, const struct run_new *run, int64_t now_ms, int64_t *ret_id, struct err *err);

/* Was what the platform calls `ref` heard already: did it begin a run of the task, or is it one of
 * its remarks? */
MUST_CHECK int
run_heard(struct db *db, int64_t task, const char *ref, bool *ret_heard, struct err *err);

MUST_CHECK int run_get(struct db *db, int64_t id, struct run **ret_run, struct err *err);

/* The task's newest run.  Errors: ERR_NOTFOUND. */
MUST_CHECK int run_latest(struct db *db, int64_t task, struct run **ret_run, struct err *err);

/* The task's run of that number.  Errors: ERR_NOTFOUND. */
MUST_CHECK int
run_find(struct db *db, int64_t task, int64_t number, struct run **ret_run, struct err *err);

struct run_list {
    struct run **items;
    size_t count;
};

void run_list_done(struct run_list *list);

/* All runs of a task, oldest first. */
MUST_CHECK int run_list(struct db *db, int64_t task, struct run_list *ret_list, struct err *err);

struct run_claim {
    const char *owner;
    int64_t now_ms;
    int64_t lease_until_ms;
    const int64_t *in_hands; /* runs that somebody of the owner's works on: not to be claimed */
    size_t in_hands_count;
};

/* Claim the oldest run that is queued and due, or whose lease has passed: it gets the next lease
 * number, its task becomes TASK_RUNNING, and its steps that were left running end. A lease passes
 * by the wall clock, also while its holder works on: after a suspend, or when the clock was set.
 * Owns: *ret_run is the caller's.
 * Errors: ERR_NOTFOUND nothing to do. */
MUST_CHECK int
run_claim(struct db *db, const struct run_claim *claim, struct run **ret_run, struct err *err);

/* Who holds a run, as proven by every function below: ERR_CONFLICT when the lease was lost. */
struct run_lease {
    int64_t run;
    int64_t number;
};

/* Errors: ERR_CONFLICT the lease is not held any more. */
MUST_CHECK int run_check_lease(struct db *db, struct run_lease lease, struct err *err);

/* Prolong the leases of `owner` on those of `runs` that it still holds. The others pass: a run that
 * no worker has in hands any more is to be taken up again. */
MUST_CHECK int run_renew(struct db *db,
                         const char *owner,
                         const int64_t *runs,
                         size_t count,
                         int64_t lease_until_ms,
                         struct err *err);

/* At start: no run is held by `owner` any more (its earlier process is gone); their steps end. */
MUST_CHECK int run_release_all(struct db *db, const char *owner, struct err *err);

/* End all that is queued or running as cancelled, tasks too: nobody works on any of it any more,
 * and nobody shall. No thread is told. */
MUST_CHECK int run_cancel_all(struct db *db, const char *reason, int64_t now_ms, struct err *err);

/* How a run goes back to the queue. */
struct run_return {
    int64_t not_before_ms;
    int64_t waiting_since_ms; /* since when something needed is away; 0: it is not */
    bool spent;               /* something of the run was executed: the try counts */
    const char *detail;       /* what is away, or NULL */
};

/* Give a run back to the queue; the task becomes TASK_QUEUED. A run that somebody cancelled
 * meanwhile is due at once, so that it ends. */
MUST_CHECK int run_give_back(struct db *db,
                             struct run_lease lease,
                             const struct run_return *how,
                             int64_t now_ms,
                             struct err *err);

/* Take back all that a run has reached, so that it begins anew: what it was asked for stays. Its
 * checks and remarks have functions of their own for that. */
MUST_CHECK int run_rewind(struct db *db, struct run_lease lease, struct err *err);

MUST_CHECK int run_set_stage(
    struct db *db, struct run_lease lease, enum run_stage stage, int64_t round, struct err *err);

/* Where the run starts from, and where it read the repository's settings. */
MUST_CHECK int run_set_base(struct db *db,
                            struct run_lease lease,
                            const char *base_commit,
                            const char *settings_commit,
                            struct err *err);

/* After the export: what will be proven and published. */
MUST_CHECK int run_set_head(struct db *db,
                            struct run_lease lease,
                            const char *head_commit,
                            const char *summary,
                            const char *flags,
                            struct err *err);
MUST_CHECK int
run_set_verdict(struct db *db, struct run_lease lease, enum run_verdict verdict, struct err *err);

/* What explains how it ends: the guard's hits, the faults of settings; NULL: nothing does. */
MUST_CHECK int
run_set_detail(struct db *db, struct run_lease lease, const char *detail, struct err *err);

/* Somebody else's work was found, which the thread is told of. */
MUST_CHECK int
run_set_rival(struct db *db, struct run_lease lease, const char *rival, struct err *err);

/* Was the task's thread told of somebody else's work by a run that has ended? */
MUST_CHECK int
run_told_of_rival(struct db *db, int64_t task, bool *ret_told, struct err *err);

/* End the run. The task's own state is the caller's to set, in the same transaction. */
MUST_CHECK int run_finish(struct db *db,
                          struct run_lease lease,
                          enum run_outcome outcome,
                          const char *reason,
                          int64_t now_ms,
                          struct err *err);

struct run_cancel {
    const char *who;
    int64_t happened_ms; /* by the platform's clock; 0: not told */
};

/* Ask the task's live run to stop. A queued run ends at once (*ret_ended), a running one when its
 * worker sees it. The first who asked stays on record.
 * Errors: ERR_NOTFOUND no live run; ERR_CONFLICT what began it happened after the cancellation. */
MUST_CHECK int run_request_cancel(struct db *db,
                                  int64_t task,
                                  const struct run_cancel *cancel,
                                  int64_t now_ms,
                                  bool *ret_ended,
                                  struct err *err);

/* Ids of the runs held by `owner` that were asked to stop, at most `max`; *ret_count of them. */
MUST_CHECK int run_list_canceled(struct db *db,
                                 const char *owner,
                                 int64_t *ret_ids,
                                 size_t max,
                                 size_t *ret_count,
                                 struct err *err);
