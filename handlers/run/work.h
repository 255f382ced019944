/* One run in the hands of a worker: what all stages of the pipeline share. */
#pragma once

#include "handlers/thread/comments.h"
#include "integrations/git/repo.h"
#include "sandbox/sandbox.h"
#include "server/base/err.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

#include <stddef.h>
#include <stdint.h>

struct agent_profile;
struct app;
struct check_settings;
struct repo_settings;
struct session;

/* How often something of a run may be executed; each try may run the agent anew, and its failure
 * may be the change's own doing. Beginning anew because of what people pushed is a try, too. */
#define WORK_TRIES 3

/* How the run ended, once it has. */
struct ending {
    enum run_outcome outcome; /* OUTCOME_NONE: it goes on */
    char *reason;             /* one line */
    char *output;             /* the end of the output that explains it; or NULL */
    char *detail;             /* further lines of plain text; or NULL */
};

struct work {
    struct app *app;
    struct session *session; /* of the task's platform, this thread's */
    struct task *task;
    struct run *run;
    struct run_lease lease;
    const struct stop *stop; /* raised when the run is to end */
    struct repo *mirror;
    struct repo_settings *settings; /* the repository's own */
    const struct agent_profile *agent;
    const char *image;
    char image_id[SANDBOX_IMAGE_BYTES];      /* what the image's name meant */
    char settings_commit[REPO_COMMIT_BYTES]; /* where the repository's settings are read: the
                                                default branch's head */
    char trunk[REPO_COMMIT_BYTES];           /* the base branch's head */
    char origin[REPO_COMMIT_BYTES]; /* where the draft leaves the base branch: baseline, guard and
                                       diff go from there, so that no earlier run's fault counts as
                                       "was red before" */
    char base[REPO_COMMIT_BYTES];   /* where this run starts: at the origin, or at the task's own
                                       branch */
    char merged[REPO_COMMIT_BYTES]; /* what of the base branch this run takes in; "" nothing */
    char *conflicts;                /* the paths that are in conflict with it, each on a line; NULL:
                                       nothing was merged yet */
    char head[REPO_COMMIT_BYTES];   /* what it made; "" until exported */
    struct comments thread;         /* what people said before the first round */
    struct remark_list remarks;     /* what this run is to answer */
    char *summary;                  /* the agent's; or NULL */
    char **flags;                   /* for the top of the draft */
    size_t flag_count;
    struct sandbox_closing *closing; /* this run's, when it needs them no more */
    bool spent;                      /* something was executed: this try counts */
    bool overtaken;                  /* people pushed to the branch meanwhile */
    struct ending ending;
};

void work_done(struct work *work);

static inline bool
work_goes_on(const struct work *work)
{
    return work->ending.outcome == OUTCOME_NONE;
}

/* Conclude the run. The first conclusion stays. What is composed becomes one line without invalid
 * or invisible characters and credentials.  Returns 0, or ERR_NOMEM. */
MUST_CHECK int
work_conclude(struct work *work, struct err *err, enum run_outcome outcome, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Note something that a reviewer should see first, composed as above.  Errors: ERR_NOMEM. */
MUST_CHECK int work_flag(struct work *work, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The flags as a JSON array, as run.flags keeps them.  Owns: *ret_json is the caller's, free(). */
MUST_CHECK int work_flags_json(const struct work *work, char **ret_json, struct err *err);

/* How many rounds the run may have, as the repository asks within the operator's bounds; 0 before
 * its settings were read. */
int64_t work_count_rounds(const struct work *work);

/* Record that a stage was reached, and owe the thread a new status, unless the run has waited and
 * nothing was executed since.
 * Errors: ERR_CONFLICT the lease was lost. */
MUST_CHECK int
work_progress(struct work *work, enum run_stage stage, int64_t round, struct err *err);

/* Go on under the repository's new name, if the platform told of one; one that is not served
 * concludes the run. */
MUST_CHECK int work_follow_move(struct work *work, bool *ret_moved, struct err *err);

/* What is merged in, or NULL. */
static inline const char *
work_merged(const struct work *work)
{
    return work->merged[0] ? work->merged : NULL;
}

/* Find the origin of the draft from trunk and head, or base while there is no head. */
MUST_CHECK int work_find_origin(struct work *work, struct err *err);

/* Open the mirror; read the repository's settings at `work->settings_commit`, anew when they were
 * read before. Faults in them conclude the run. */
MUST_CHECK int work_open_mirror(struct work *work, struct err *err);
MUST_CHECK int work_load_settings(struct work *work, struct err *err);

/* Choose the agent's profile by settings and command line. One that is not there concludes the run.
 */
MUST_CHECK int work_choose_agent(struct work *work, struct err *err);

/* Open a sandbox of the run. A missing image concludes it (*ret_box stays NULL). */
MUST_CHECK int work_open_sandbox(struct work *work,
                                 enum step_role role,
                                 const char *commit,
                                 struct sandbox **ret_box,
                                 struct err *err);

/* One command in a sandbox, recorded with what it prints. */
struct work_step {
    enum step_role role;
    enum step_kind kind;
    int64_t round;
    const char *name;
    const char *command;
    const char *const *env; /* further "NAME=value", NULL-terminated; or NULL */
    int64_t timeout_ms;
    bool keep_background;
};

struct work_step_result {
    int64_t step; /* its id in the store */
    enum step_end end;
    int status;
    int64_t duration_ms;
    bool out_of_disk;
    bool out_of_memory;
};

MUST_CHECK int work_execute(struct work *work,
                            struct sandbox *box,
                            const struct work_step *step,
                            struct work_step_result *ret_result,
                            struct err *err);

/* The end of what a step printed, cleaned for people and agents.  Owns: the caller's, free(). */
MUST_CHECK int work_step_tail(struct work *work, int64_t step, char **ret_tail, struct err *err);

/* How a step ended, in words: "exit status 1", "killed by signal 9", "timed out after 10 min 0 s".
 * Owns: the caller's, free(). */
MUST_CHECK int
work_describe_end(const struct work_step_result *result, char **ret_text, struct err *err);

/* Run the setup commands in order; the first that fails ends it. *ret_failed is its result, with
 * step 0 when all succeeded. */
MUST_CHECK int work_setup(struct work *work,
                          struct sandbox *box,
                          enum step_role role,
                          struct work_step_result *ret_failed,
                          struct err *err);
