/* What the files of the platform "github" share besides its deliveries. */
#pragma once

#include "handlers/platform.h"

struct github;

/* The client of a session of this platform.   Borrowed. */
struct github *github_client(struct session *session);

/* The platform's send(). Targets: NULL is the issue, or its own text; "pull:N" the thread of pull
 * request N; "line:N/ID" a comment on its code, or the thread that this began; a number alone a
 * comment in the thread of an issue or pull request. */
MUST_CHECK int github_send(struct session *session,
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
