/* What the files that read GitHub's deliveries share: one delivery in the reading. */
#pragma once

#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/js.h"

struct reading {
    const struct settings *settings;
    const json_t *json;
    const char *action;
    struct event *event;
};

/* What the event comes to. The words are copied.   Errors: ERR_NOMEM. */
MUST_CHECK int reading_ignore(struct reading *reading, struct err *err, const char *reason);
MUST_CHECK int
reading_set(struct reading *reading, enum event_kind kind, const char *trigger, struct err *err);

/* A remark of this kind; ref is "`name`:`id`". */
MUST_CHECK int reading_remark(struct reading *reading,
                              enum remark_kind kind,
                              const char *name,
                              int64_t id,
                              const char *text,
                              struct err *err);

/* Repository, actor and order key, which every event has. `happened`: the path of its time;
 * `number` as event.number. */
MUST_CHECK int
reading_common(struct reading *reading, int64_t number, const char *happened, struct err *err);

/* Find a mention in `text` and note what it says besides; *ret_command. */
MUST_CHECK int reading_mention(struct reading *reading,
                               const char *text,
                               enum mention_command *ret_command,
                               struct err *err);

/* Did draftd do or write it itself? Answering that would never end. Its account is known by name as
 * a machine user; its texts are known by their first line in any case. */
bool reading_is_our_own(const struct reading *reading, const char *text);

/* A comment in the thread of a pull request: what it comes to. */
MUST_CHECK int reading_pull_comment(struct reading *reading, struct err *err);

/* The events pull_request, pull_request_review and pull_request_review_comment. */
MUST_CHECK int reading_pull(struct reading *reading, const char *event_name, struct err *err);

/* The events check_suite and workflow_run. */
MUST_CHECK int reading_checks(struct reading *reading, const char *event_name, struct err *err);

/* "repository", "installation" and "installation_repositories": what GitHub says of itself. */
MUST_CHECK int reading_notice(struct reading *reading, const char *event_name, struct err *err);
