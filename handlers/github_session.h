/* What the files of the platform "github" share besides its deliveries. */
#pragma once

#include "handlers/platform.h"

struct github;

struct github_session {
    struct session base;
    struct github *client;
    bool evidence_denied; /* which was logged */
};

/* The client of a session of this platform.   Borrowed. */
struct github *github_client(struct session *session);

/* The platform's read_failures(): `batch` is "suite:ID". */
MUST_CHECK int github_read_failures(struct session *session,
                                    const struct task *task,
                                    const char *batch,
                                    char **ret_text,
                                    struct err *err);

/* The platform's send(). Targets: NULL is the issue, or its own text; "pull:N" the thread of pull
 * request N; "line:N/ID" a comment on its code, or the thread that this began; a number alone a
 * comment in the thread of an issue or pull request. */
MUST_CHECK int github_send(struct session *session,
                           const struct outbox_message *message,
                           const struct task *task,
                           struct err *err);

/* The platform's put_draft(). */
MUST_CHECK int github_put_draft(struct session *session,
                                const struct task *task,
                                const struct draft_request *request,
                                struct draft_made *ret_made,
                                struct err *err);

/* What is said of a commit: a check run of the App; a commit status of a machine user, who can make
 * no check runs. Without the permission for it nothing is said, which is logged once. */
MUST_CHECK int github_send_evidence(struct session *session,
                                    const struct outbox_message *message,
                                    const struct task *task,
                                    struct err *err);

/* What the platform can be asked afterwards. */
extern const struct platform_watch github_watch;

/* The platform's find_rival(). */
MUST_CHECK int github_find_rival(struct session *session,
                                 const struct task *task,
                                 char **ret_url,
                                 char **ret_author,
                                 struct err *err);
