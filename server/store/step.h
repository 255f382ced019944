/* Steps: what was executed in a sandbox, and what it printed, in segments readable by offset; check
 * results, which are the evidence; and baselines kept for the next task on the same commit. */
#pragma once

#include "server/base/err.h"
#include "server/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct db;

enum step_kind { STEP_SETUP, STEP_BASELINE, STEP_AGENT, STEP_CHECK, STEP_INTERNAL };

enum step_role { ROLE_WORK, ROLE_PROOF };

enum step_end {
    STEP_RUNNING,
    STEP_EXITED,   /* status is the exit status */
    STEP_SIGNALED, /* status is the signal */
    STEP_TIMED_OUT,
    STEP_CANCELED,
    STEP_NOT_STARTED, /* the command could not be executed, or the sandbox was lost before */
    STEP_CUT_OFF,     /* the sandbox was lost while it ran */
    STEP_DRAFTD_DIED, /* draftd did, while it ran: how long it did is not known */
};

const char *step_kind_name(enum step_kind kind);
const char *step_role_name(enum step_role role);
const char *step_end_name(enum step_end end);

struct step {
    int64_t id;
    int64_t run;
    enum step_role role;
    enum step_kind kind;
    int64_t round;
    char *name; /* "test", "setup 1", the agent's profile */
    char *command;
    int64_t started_ms;
    int64_t duration_ms;
    enum step_end end;
    int64_t status;
    int64_t output_bytes;  /* kept */
    int64_t dropped_bytes; /* printed, not kept */
    bool output_removed;   /* it was kept, and is not any more */
};

void step_free(struct step *step);
AUTO_DEFINE(struct step *, step_free)

/* Insert as running; id, end, duration and sizes of `step` are ignored. */
MUST_CHECK int
step_insert(struct db *db, const struct step *step, int64_t *ret_id, struct err *err);

/* Add a segment of output behind what is there. */
MUST_CHECK int step_append(struct db *db, int64_t step, struct bytes output, struct err *err);

MUST_CHECK int step_finish(struct db *db,
                           int64_t step,
                           enum step_end end,
                           int64_t status,
                           int64_t duration_ms,
                           int64_t dropped_bytes,
                           struct err *err);

/* End those steps of a run that are left running: whoever would have told how they ended is gone.
 */
MUST_CHECK int step_end_left(struct db *db, int64_t run, struct err *err);

MUST_CHECK int step_get(struct db *db, int64_t id, struct step **ret_step, struct err *err);

struct step_list {
    struct step **items;
    size_t count;
};

void step_list_done(struct step_list *list);

/* All steps of a run in order. */
MUST_CHECK int step_list(struct db *db, int64_t run, struct step_list *ret_list, struct err *err);

/* Append output from byte `offset` on to `buf`, at most `max` bytes. */
MUST_CHECK int step_read(
    struct db *db, int64_t step, int64_t offset, size_t max, struct strbuf *buf, struct err *err);

/* Append the last `max` bytes of the output to `buf`. */
MUST_CHECK int
step_read_tail(struct db *db, int64_t step, size_t max, struct strbuf *buf, struct err *err);

/* How one execution of a check went. */
enum check_status {
    CHECK_NOT_RUN,
    CHECK_PASSED,
    CHECK_FAILED,
    CHECK_FLAKY, /* red, then green on one more try of the same commit */
    CHECK_TIMED_OUT,
    CHECK_COULD_NOT_RUN,
};

/* What is said of a check in the end. */
enum check_verdict {
    CHECK_VERDICT_NONE,
    CHECK_VERDICT_PASSED,
    CHECK_VERDICT_FAILED,
    CHECK_VERDICT_RED_BEFORE, /* red, and red in the baseline as well */
    CHECK_VERDICT_FIXED,      /* red in the baseline, green now */
    CHECK_VERDICT_FLAKY,
    CHECK_VERDICT_TIMED_OUT,
    CHECK_VERDICT_COULD_NOT_RUN,
};

const char *check_status_name(enum check_status status);
const char *check_verdict_name(enum check_verdict verdict);

enum check_phase { PHASE_BASELINE, PHASE_AFTER, PHASE_PROOF };

#define CHECK_PHASE_COUNT 3

struct check_execution {
    enum check_status status;
    int64_t exit_status; /* of the last try */
    int64_t duration_ms;
    int64_t step; /* whose output explains it; 0 for a baseline that was kept from another run */
};

struct check_result {
    char *name;
    char *command;
    struct check_execution phases[CHECK_PHASE_COUNT];
    enum check_verdict verdict;
};

struct check_result_list {
    struct check_result *items;
    size_t count;
};

void check_result_list_done(struct check_result_list *list);

/* Record one execution of a check of a run; the row is made when it is the first. */
MUST_CHECK int check_record(struct db *db,
                            int64_t run,
                            const char *name,
                            const char *command,
                            enum check_phase phase,
                            const struct check_execution *execution,
                            struct err *err);
MUST_CHECK int check_set_verdict(
    struct db *db, int64_t run, const char *name, enum check_verdict verdict, struct err *err);

/* Remove all results of a run: what they were about is not there any more. */
MUST_CHECK int check_remove(struct db *db, int64_t run, struct err *err);

/* All results of a run, in the order in which they were first recorded. */
MUST_CHECK int
check_list(struct db *db, int64_t run, struct check_result_list *ret_list, struct err *err);

/* The baseline of a check kept under `key` (a hash of commit, image and configuration).
 * Errors: ERR_NOTFOUND. */
MUST_CHECK int baseline_get(struct db *db,
                            const char *key,
                            const char *check,
                            struct check_execution *ret_execution,
                            struct err *err);
MUST_CHECK int baseline_put(struct db *db,
                            const char *key,
                            const char *check,
                            const struct check_execution *execution,
                            int64_t now_ms,
                            struct err *err);
