/* The texts that people read: the status comment and the draft's title and body. Pure functions over what
 * the store knows; Markdown of GitHub's flavour. Everything from outside is escaped or fenced.
 *
 * Every part has its own share of the 60 000 bytes, so that whatever is long is cut where it stands and
 * no fence, table or folded part is left open. */
#pragma once

#include "integrations/git/repo.h"
#include "server/base/err.h"
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

#include <stdbool.h>
#include <stdint.h>

/* One line that ties a text to its task: "<!-- draftd:task=7 instance=ab12 -->"; "<!-- draftd:instance=ab12 -->"
 * where it is about none (0). Always the first line of what we post; meaningful only in texts written by ourselves.
 * Owns: *ret_marker is the caller's, free(). */
MUST_CHECK int report_marker(int64_t task, const char *instance, char **ret_marker, struct err *err);

/* Does this text begin with such a line, of whatever task and installation? `text` may be NULL. */
bool report_is_ours(const char *text);

struct report_input {
    const struct task *task;
    const struct run *run;                 /* the newest; or NULL */
    const struct check_result_list *checks;/* of that run; or NULL */
    const struct past_draft *past;         /* the newest that the task had before; or NULL */
    const char *instance;
    const char *bot_name;   /* "draftd": for "@draftd cancel" */
    const char *waiting_for;/* something that is away, in words; or NULL */
    const char *output;     /* the end of the output that explains a failure; or NULL */
    const char *detail;     /* more lines of ours, plain text (faults of .draftd.yml, guard hits); or NULL */
    int64_t rounds;         /* how many there may be; 0: not known */
    int64_t now_ms;
};

/* The status comment: one line of state with the stage reached, then what is known, then how to stop. At the end: the
 * last word, with link or cause, checks and last lines of output. At most 60 000 bytes.
 * Owns: *ret_text is the caller's, free(). */
MUST_CHECK int
report_status(const struct report_input *input, char **ret_text, struct err *err);

/* What an ordinary pull request that stands for a draft is known by, where there are none: how its
 * title begins, and words that its text holds. */
#define REPORT_ORDINARY_TITLE "[draft] "
#define REPORT_ORDINARY_WORDS "this is an ordinary pull request whose title says draft"

/* The draft's title: the task's title in one line, without words that a platform acts on, at most 210 bytes;
 * "Task 7" when there is none. */
MUST_CHECK int
report_draft_title(const struct task *task, bool ordinary, char **ret_title, struct err *err);

/* What a question in a thread is answered with. */
struct report_answer_input {
    const struct task *task; /* NULL: there is none where it was asked */
    const char *instance;
    const char *bot_name;
    const char *bot_label;
    const char *question; /* names what is answered, for the marker */
};

/* A comment of our own: its first line is a marker that no other of the task has.
 * Owns: *ret_text is the caller's, free(). */
MUST_CHECK int
report_help(const struct report_answer_input *input, char **ret_text, struct err *err);
MUST_CHECK int
report_status_answer(const struct report_answer_input *input, char **ret_text, struct err *err);

/* As above, to a wish for work on a pull request of somebody else. */
MUST_CHECK int
report_refusal(const struct report_answer_input *input, char **ret_text, struct err *err);

/* As above, to a mention on a draft that ended, which the task has or had: what became of it, and
 * where to ask. */
MUST_CHECK int report_ended(const struct report_answer_input *input,
                            const struct past_draft *ended,
                            char **ret_text,
                            struct err *err);

/* That what was asked is not done, and why.  Owns: as above. */
MUST_CHECK int report_decline(const struct report_answer_input *input,
                              const char *reason,
                              char **ret_text,
                              struct err *err);

/* What is said to a remark once its run has ended: what was done, and in which commit.
 * `run`: with outcome, verdict, reason, head_commit. Owns: as above. */
MUST_CHECK int report_remark_answer(const struct task *task,
                                    const struct run *run,
                                    const struct remark *remark,
                                    const char *instance,
                                    char **ret_text,
                                    struct err *err);

struct report_draft_input {
    const struct task *task;
    const struct run *run; /* with head_commit, verdict, summary, flags */
    const struct check_result_list *checks;
    const struct repo_diff *diff;
    const char *instance;
    const char *const *failed_outputs; /* of each check in `checks`, NULL where there is nothing to show; may be NULL */
    const char *setup_output; /* of setup where it failed on the proposed commit; or NULL */
    bool closes_issue; /* "Closes #N" where the origin is an issue of the same repository */
};

/* The draft's body for a reviewer in a hurry: what was asked (link, who), flags, verdict, a table of checks
 * (baseline, after, proof: exit status and duration), failing output folded, size of the diff by file, then,
 * apart and named as such, the agent's own summary; "Closes #N"; the marker. At most 60 000 bytes: the
 * longest parts are cut with a line that says so. */
MUST_CHECK int
report_draft_body(const struct report_draft_input *input, char **ret_body, struct err *err);

/* The evidence as it is said of the commit itself: a line, the verdict, and the table of checks
 * (NULL: none was run). At most 100, 5 000 and 20 000 bytes.
 * Owns: all are the caller's, free(). */
MUST_CHECK int report_evidence(const struct run *run,
                               const struct check_result_list *checks,
                               char **ret_title,
                               char **ret_summary,
                               char **ret_text,
                               struct err *err);
