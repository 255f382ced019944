/* See writer.h.
 *
 * The jobs that queue up while one commit is flushed are the next batch: nobody waits for company.
 * Each job runs in a part of the transaction that is undone by itself when the job fails. When the
 * batch as a whole cannot be committed, each job is tried once more in a transaction of its own, so
 * that one that is too large for a nearly full disk does not take the others with it. No answer is
 * given before the commit: even "it is there already" may rest on a job of the same batch. */
#include "server/store/writer.h"

#include <pthread.h>

#include "server/base/str.h"
#include "server/store/sqlite/checkpoint.h"
#include "server/store/sqlite/damage.h"
#include "server/store/sqlite/sqlite.h"

#define QUEUE_JOBS                                                                                 \
    4096 /* submitted and not begun; those who wait for their answer are not counted */

/* What so many usual deliveries change fits the writer's cache; and the first of a longer queue
 * need not wait for the last. */
#define BATCH_JOBS 200

struct job {
    struct job *next;
    store_fn fn;
    store_done_fn done;
    void *ctx;
    void *done_ctx;
    bool submitted; /* on the heap, and counted */
    int code;
    struct err err;
};

struct writer {
    char *path;
    struct sqlite *sqlite; /* the thread's own; NULL after a failure, until it was opened again */
    struct damage *damage;
    struct checkpointer *checkpointer;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;    /* there is work, or it is time to stop */
    struct job *first;      /* under lock */
    struct job **last;      /* under lock */
    size_t submitted_count; /* under lock */
    bool stop;              /* under lock */
};

/* A caller that waits for its job. */
struct waiter {
    struct writer *writer;
    pthread_cond_t answered;
    struct err *err;
    int code;
    bool done; /* under writer->lock */
};

static void
fail_jobs(struct job *jobs, const struct err *cause)
{
    for (struct job *job = jobs; job; job = job->next) {
        job->code = cause->code;
        job->err = *cause;
    }
}

/* The error of a transaction that SQLite took away while `job` ran: the job saw the cause, mostly.
 */
static int
lose(const struct job *job, struct err *err)
{
    if (job->code == ERR_UNAVAILABLE || job->code == ERR_NOMEM) {
        *err = job->err;
        return job->code;
    }
    return err_set(err, ERR_UNAVAILABLE,
                   "the store undid the transaction after an error: try again");
}

/* Run one job inside the open transaction. Its own failure is noted in it and undone.
 * Errors: the transaction as a whole is gone. */
static int
run_job(struct sqlite *sqlite, struct job *job, struct err *err)
{
    const int code = sqlite_part_begin(sqlite, err);
    if (code)
        return code;

    job->err = (struct err){0};
    job->code = job->fn(&sqlite->db, job->ctx, &job->err);
    if (sqlite_release_all(sqlite) > 0 && !job->code)
        job->code = err_set(&job->err, ERR_INTERNAL, "a store function left a statement open");
    if (job->code && !job->err.code)
        (void)err_set(&job->err, job->code, "a store function failed without saying why");
    if (sqlite_is_lost(sqlite))
        return lose(job, err);
    return job->code ? sqlite_part_undo(sqlite, err) : sqlite_part_keep(sqlite, err);
}

/* After a failure the connection is not trusted any more: the next transaction opens a new one. */
static int
drop_connection(struct writer *writer, int code)
{
    if (writer->sqlite)
        sqlite_rollback(writer->sqlite);
    sqlite_close(TAKE(writer->sqlite));
    return code;
}

static int
begin(struct writer *writer, struct err *err)
{
    int code = damage_refuse(writer->damage, err);

    if (code)
        return code;
    checkpointer_pass(writer->checkpointer);
    if (!writer->sqlite)
        code = sqlite_reopen(writer->path, CONNECTION_WRITER, writer->damage, &writer->sqlite, err);
    /* The connection is kept: should the file come back, it is the right one. */
    if (!code && sqlite_is_moved(writer->sqlite))
        return err_set(err, ERR_UNAVAILABLE,
                       "the store %s was moved or removed: put it back, or restart draftd",
                       writer->path);
    if (!code)
        code = sqlite_begin(writer->sqlite, err);
    return code ? drop_connection(writer, code) : 0;
}

/* Run `jobs` in the transaction begun, and commit it. */
static int
finish(struct writer *writer, struct job *jobs, struct err *err)
{
    int code = 0;

    for (struct job *job = jobs; job && !code; job = job->next)
        code = run_job(writer->sqlite, job, err);
    if (!code)
        code = sqlite_commit(writer->sqlite, err);
    if (code)
        return drop_connection(writer, code);

    checkpointer_note(writer->checkpointer, writer->sqlite->log_pages);
    return 0;
}

/* Try each job in a transaction of its own. When not even a beginning can be made, the rest fail
 * alike. */
static void
commit_one_by_one(struct writer *writer, struct job *jobs)
{
    for (struct job *job = jobs; job; job = job->next) {
        struct err err = {0};
        if (begin(writer, &err)) {
            fail_jobs(job, &err);
            return;
        }
        struct job *rest = TAKE(job->next);
        if (finish(writer, job, &err))
            fail_jobs(job, &err);
        job->next = rest;
    }
}

static void
commit_batch(struct writer *writer, struct job *jobs)
{
    struct err err = {0};

    if (begin(writer, &err)) {
        fail_jobs(jobs, &err);
        return;
    }
    if (!finish(writer, jobs, &err))
        return;
    if (jobs->next)
        commit_one_by_one(writer, jobs);
    else
        fail_jobs(jobs, &err);
}

static void
answer(struct job *jobs)
{
    struct job *next;

    for (struct job *job = jobs; job; job = next) {
        next = job->next; /* a waiting caller's job is gone once it was answered */
        const bool submitted = job->submitted;
        job->done(job->done_ctx, job->code, &job->err);
        if (submitted)
            free(job);
    }
}

/* What is queued, after waiting for the first; NULL: stopped, and nothing is left. */
static struct job *
take_batch(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (!writer->first && !writer->stop)
        pthread_cond_wait(&writer->wake, &writer->lock);
    struct job *jobs = writer->first;
    struct job **rest = &jobs;
    for (size_t i = 0; *rest && i < BATCH_JOBS; i++) {
        writer->submitted_count -= (*rest)->submitted;
        rest = &(*rest)->next;
    }
    writer->first = TAKE(*rest);
    if (!writer->first)
        writer->last = &writer->first;
    pthread_mutex_unlock(&writer->lock);
    return jobs;
}

static void *
work(void *argument)
{
    struct writer *writer = argument;
    struct job *jobs;

    while ((jobs = take_batch(writer))) {
        commit_batch(writer, jobs);
        answer(jobs);
    }
    return NULL;
}

static void
release(struct writer *writer)
{
    sqlite_close(writer->sqlite);
    free(writer->path);
    free(writer);
}

int
writer_new(const char *path,
           struct sqlite *sqlite,
           struct checkpointer *checkpointer,
           struct writer **ret_writer,
           struct err *err)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer) {
        sqlite_close(sqlite);
        return err_set(err, ERR_NOMEM, "out of memory");
    }

    writer->sqlite = sqlite;
    writer->damage = sqlite->damage;
    writer->checkpointer = checkpointer;
    writer->last = &writer->first;
    writer->path = str_dup(path);
    if (!writer->path) {
        release(writer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }

    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, NULL);
    const int failed = pthread_create(&writer->thread, NULL, work, writer);
    if (failed) {
        release(writer);
        return err_set_errno(err, ERR_UNAVAILABLE, failed, "starting the store's writer thread");
    }
    *ret_writer = writer;
    return 0;
}

void
writer_free(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    release(writer);
}

/* Put a job at the end of the queue. Answers NULL, or why it was not taken. */
static const char *
push(struct writer *writer, struct job *job)
{
    const char *refusal = NULL;

    pthread_mutex_lock(&writer->lock);
    if (writer->stop) {
        refusal = "the store is being closed";
    } else if (job->submitted && writer->submitted_count >= QUEUE_JOBS) {
        refusal = "too many changes wait for the store: try again later";
    } else {
        *writer->last = job;
        writer->last = &job->next;
        writer->submitted_count += job->submitted;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
    return refusal;
}

static void
wake_waiter(void *context, int code, const struct err *err)
{
    struct waiter *waiter = context;
    struct writer *writer = waiter->writer;

    if (code && waiter->err)
        *waiter->err = *err;
    pthread_mutex_lock(&writer->lock);
    waiter->code = code;
    waiter->done = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&writer->lock);
}

int
writer_transact(struct writer *writer, store_fn fn, void *ctx, struct err *err)
{
    struct waiter waiter = {.writer = writer, .answered = PTHREAD_COND_INITIALIZER, .err = err};
    struct job job = {.fn = fn, .done = wake_waiter, .ctx = ctx, .done_ctx = &waiter};

    if (pthread_equal(writer->thread, pthread_self()))
        return err_set(err, ERR_INTERNAL, "a store function waits for another store function");
    const char *refusal = push(writer, &job);
    if (refusal)
        return err_set(err, ERR_UNAVAILABLE, "%s", refusal);

    pthread_mutex_lock(&writer->lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.answered, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_destroy(&waiter.answered);
    return waiter.code;
}

void
writer_submit(struct writer *writer, store_fn fn, store_done_fn done, void *ctx)
{
    struct err err = {0};
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        done(ctx, err_set(&err, ERR_NOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct job){.fn = fn, .done = done, .ctx = ctx, .done_ctx = ctx, .submitted = true};
    const char *refusal = push(writer, job);
    if (refusal) {
        free(job);
        done(ctx, err_set(&err, ERR_UNAVAILABLE, "%s", refusal), &err);
    }
}
