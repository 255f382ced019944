/* See sender.h. */
#include "handlers/thread/sender.h"

#include "handlers/app.h"
#include "handlers/moved.h"
#include "handlers/platform.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/service.h"
#include "server/store/outbox.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <stdlib.h>
#include <string.h>

struct sender {
    struct app *app;
    struct sessions sessions;
};

int
sender_new(struct app *app, struct sender **ret_sender, struct err *err)
{
    struct sender *sender = calloc(1, sizeof(*sender));

    if (!sender)
        return err_set(err, ERR_NOMEM, "out of memory");
    sender->app = app;
    sender->sessions = (struct sessions){.app = app, .stop = app->stop};
    *ret_sender = sender;
    return 0;
}

void
sender_free(struct sender *sender)
{
    if (!sender)
        return;
    sessions_done(&sender->sessions);
    free(sender);
}

/* One message in the sending, and what came of it. */
struct sending {
    struct outbox_message *message;
    struct task *task;
    int result;
    struct err error;
    bool moved;      /* the repository: it failed for its old name, perhaps */
    int64_t next_ms; /* of the next try, after a failure that may pass */
};

static void
sending_done(struct sending *sending)
{
    outbox_message_free(sending->message);
    task_free(sending->task);
}

/* Of a message about none: what its thread, "PLATFORM:REPOSITORY#NUMBER", says of one. */
static int
task_of_thread(const struct outbox_message *message, struct task **ret_task, struct err *err)
{
    const char *repository = message->thread + strcspn(message->thread, ":");
    const char *number = strrchr(message->thread, '#');
    AUTO(task_free) struct task *task = calloc(1, sizeof(*task));

    if (!*repository || !number || number < repository)
        return err_set(err, ERR_INTERNAL, "the thread '%.100s' has no number", message->thread);
    if (!task)
        return err_set(err, ERR_NOMEM, "out of memory");
    task->repository = str_printf("%.*s", (int)(number - repository - 1), repository + 1);
    int r = task->repository ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (!r)
        r = str_to_i64(number + 1, &task->number, err);
    if (!r)
        *ret_task = TAKE(task);
    return r;
}

static int
take_next(struct db *db, void *ctx, struct err *err)
{
    struct sending *sending = ctx;

    outbox_message_free(TAKE(sending->message)); /* of an earlier try whose commit failed */
    task_free(TAKE(sending->task));
    const int r = outbox_next(db, clock_now_ms(), &sending->message, err);
    if (r)
        return r;
    return sending->message->task ? task_get(db, sending->message->task, &sending->task, err)
                                  : task_of_thread(sending->message, &sending->task, err);
}

static int
store_result(struct db *db, void *ctx, struct err *err)
{
    const struct sending *sending = ctx;
    const struct outbox_message *message = sending->message;

    if (!sending->result)
        return outbox_sent(db, message->id, message->body, err);
    if (sending->next_ms)
        return outbox_retry(db, message->id, sending->error.msg, sending->next_ms, err);
    return outbox_fail(db, message->id, message->body, sending->error.msg, err);
}

static int
send_one(struct sender *sender, struct sending *sending)
{
    const struct platform *platform = platform_find(sending->message->platform);
    struct session *session;

    if (!platform || !platform->send)
        return err_set(&sending->error, ERR_INVALID, "the platform %s takes no messages",
                       sending->message->platform);
    auto_free char *name = NULL;
    struct err fault;
    int r = sessions_get(&sender->sessions, platform, &session, &sending->error);

    if (r)
        return r;
    r = platform->send(session, sending->message, sending->task, &sending->error);
    if (moved_follow(session, sending->task->repository, &name, &fault))
        log_error("move_not_stored", kv_str("error", fault.msg));
    sending->moved = name != NULL;
    return r;
}

/* Failures that may pass are tried again for a day, a refused credential among them, which the
 * operator renews; the others are told in the log and by `draftd show`. */
static void
plan_retry(struct sender *sender, struct sending *sending)
{
    const struct outbox_message *message = sending->message;
    const struct platform *platform = platform_find(message->platform);
    const int64_t now_ms = clock_now_ms();
    struct session *session;
    int64_t wait_ms = backoff_ms(message->attempts - 1, RETRY_FIRST_MS, RETRY_MOST_MS);

    if (sending->result == ERR_NOTFOUND && sending->moved)
        sending->next_ms = now_ms;
    if (!err_may_pass(sending->result) ||
        (now_ms - message->created_ms > RETRY_FOR_MS && message->attempts >= RETRY_LEAST))
        return;
    if (sending->result == ERR_LIMIT && platform->retry_after_ms &&
        !sessions_get(&sender->sessions, platform, &session, NULL) &&
        platform->retry_after_ms(session) > wait_ms)
        wait_ms = platform->retry_after_ms(session);
    sending->next_ms = now_ms + wait_ms;
}

static void
log_result(const struct sending *sending)
{
    const struct outbox_message *message = sending->message;

    if (!sending->result)
        log_debug("message_sent", kv_int("task", message->task), kv_int("message", message->id));
    else
        LOG_AT(sending->next_ms ? LOG_WARNING : LOG_ERROR,
               sending->next_ms ? "message_delayed" : "message_failed",
               kv_int("task", message->task), kv_int("message", message->id),
               kv_int("attempt", message->attempts), kv_str("error", sending->error.msg));
}

int64_t
sender_turn(void *ctx)
{
    struct sender *sender = ctx;
    AUTO_DONE(sending_done) struct sending sending = {0};
    struct err error = {0};
    int r = store_transact(sender->app->store, take_next, &sending, &error);

    if (r == ERR_NOTFOUND)
        return POLL_MS;
    if (!r) {
        sending.result = send_one(sender, &sending);
        if (sending.result)
            plan_retry(sender, &sending);
        metric_count(sending.result ? METRIC_MESSAGES_FAILED : METRIC_MESSAGES_SENT);
        log_result(&sending);
        r = store_transact(sender->app->store, store_result, &sending, &error);
    }
    if (r) {
        if (!store_is_damaged(sender->app->store)) /* that is told once */
            log_error("outbox_failed", kv_str("error", error.msg));
        return MS_PER_SECOND;
    }
    return 0;
}
