/* What goes out to GitHub's threads, declared in github_session.h: reactions, the status comment,
 * answers. Each looks for its own earlier result first. */
#include "handlers/app.h"
#include "handlers/github_session.h"
#include "handlers/thread/report.h"
#include "integrations/github/github.h"
#include "integrations/github/github_reviews.h"
#include "server/base/str.h"
#include "server/store/outbox.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdio.h>

/* What a target names; 0 where it names none. */
struct place {
    int64_t pull;
    int64_t line; /* a comment on code */
    int64_t comment;
};

struct status_ref_work {
    int64_t task;
    char ref[24];
};

static int
store_status_ref(struct db *db, void *ctx, struct err *err)
{
    const struct status_ref_work *work = ctx;
    return task_set_status_ref(db, work->task, work->ref, err);
}

/* The comment of an earlier attempt, when there may have been one; else a new one. */
static int
find_or_create_status(struct session *session,
                      const struct outbox_message *message,
                      const struct task *task,
                      struct err *err)
{
    struct github *client = github_client(session);
    struct status_ref_work work = {.task = task->id};
    auto_free char *marker = NULL;
    int64_t comment = 0;
    int r = report_marker(task->id, session->app->instance, &marker, err);

    if (r)
        return r;
    r = message->attempts > 1
            ? github_find_comment(client, task->repository, task->number, marker, &comment, err)
            : ERR_NOTFOUND;
    if (!r)
        r = github_edit_comment(client, task->repository, comment, message->body, err);
    else if (r == ERR_NOTFOUND)
        r = github_create_comment(client, task->repository, task->number, message->body, &comment,
                                  err);
    if (r)
        return r;
    (void)snprintf(work.ref, sizeof(work.ref), "%" PRId64, comment);
    return store_transact(session->app->store, store_status_ref, &work, err);
}

static int
send_status(struct session *session,
            const struct outbox_message *message,
            const struct task *task,
            struct err *err)
{
    int64_t comment;

    if (task->status_ref && !str_to_i64(task->status_ref, &comment, err)) {
        const int r = github_edit_comment(github_client(session), task->repository, comment,
                                          message->body, err);
        if (r != ERR_NOTFOUND)
            return r;
        /* somebody deleted it: the last word still has to be said */
    }
    return find_or_create_status(session, message, task, err);
}

static int
read_target(const char *target, struct place *ret_place, struct err *err)
{
    const char *slash = target ? strchr(target, '/') : NULL;
    auto_free char *pull = NULL;
    struct place place = {0};
    int r = 0;

    if (target && str_starts_with(target, "pull:")) {
        r = str_to_i64(target + strlen("pull:"), &place.pull, err);
    } else if (slash && str_starts_with(target, "line:")) {
        target += strlen("line:");
        pull = str_printf("%.*s", (int)(slash - target), target);
        r = pull ? str_to_i64(pull, &place.pull, err) : err_set(err, ERR_NOMEM, "out of memory");
        if (!r)
            r = str_to_i64(slash + 1, &place.line, err);
    } else if (target) {
        r = str_to_i64(target, &place.comment, err);
    }
    if (!r)
        *ret_place = place;
    return r;
}

static int
react(struct session *session,
      const struct outbox_message *message,
      const struct task *task,
      struct err *err)
{
    struct github *client = github_client(session);
    struct place place = {0};
    const int r = read_target(message->target, &place, err);

    if (r)
        return r;
    return place.line ? github_react_to_review_comment(client, task->repository, place.line,
                                                       message->body, err)
                      : github_react(client, task->repository, task->number, place.comment,
                                     message->body, err);
}

/* Every comment of ours begins with a line that no other has. */
static int
find_marker(const struct outbox_message *message, char **ret_marker, struct err *err)
{
    *ret_marker = str_printf("%.*s", (int)strcspn(message->body, "\n"), message->body);
    return *ret_marker ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* In a thread of a review, unless an earlier try did it. */
static int
reply(struct session *session,
      const struct outbox_message *message,
      const struct task *task,
      const struct place *place,
      const char *marker,
      struct err *err)
{
    struct github *client = github_client(session);
    int64_t id;
    const int r = message->attempts > 1 ? github_find_reply(client, task->repository, place->pull,
                                                            place->line, marker, &id, err)
                                        : ERR_NOTFOUND;

    return r == ERR_NOTFOUND ? github_reply_to_thread(client, task->repository, place->pull,
                                                      place->line, message->body, &id, err)
                             : r;
}

static int
comment(struct session *session,
        const struct outbox_message *message,
        const struct task *task,
        struct err *err)
{
    struct github *client = github_client(session);
    auto_free char *marker = NULL;
    struct place place = {0};
    int64_t id;
    int r = read_target(message->target, &place, err);

    if (!r)
        r = find_marker(message, &marker, err);
    if (r)
        return r;
    if (place.line)
        return reply(session, message, task, &place, marker, err);
    const int64_t number = place.pull ? place.pull : task->number;
    r = message->attempts > 1
            ? github_find_comment(client, task->repository, number, marker, &id, err)
            : ERR_NOTFOUND;
    return r == ERR_NOTFOUND
               ? github_create_comment(client, task->repository, number, message->body, &id, err)
               : r;
}

int
github_send(struct session *session,
            const struct outbox_message *message,
            const struct task *task,
            struct err *err)
{
    switch (message->kind) {
    case OUTBOX_STATUS:
        return send_status(session, message, task, err);
    case OUTBOX_REACTION:
        return react(session, message, task, err);
    case OUTBOX_COMMENT:
        return comment(session, message, task, err);
    case OUTBOX_EVIDENCE:
        return github_send_evidence(session, message, task, err);
    }
    return err_set(err, ERR_INTERNAL, "unknown kind of message");
}
