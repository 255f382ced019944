/* For tests of the group commit: a gate that holds the writer until a batch has queued up, and
 * submissions that note their answers. */
#pragma once

#include <pthread.h>

#include "tests/server/store/fixture.h"

/* A job that keeps the writer busy until the test opens the gate. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached;
    bool open;
    int done; /* calls of count_done() */
    int failed;
};

static inline void
gate_init(struct gate *gate)
{
    *gate = (struct gate){.open = false};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static inline int
wait_at_gate(struct db *db, void *ctx, struct err *err)
{
    struct gate *gate = ctx;

    (void)db;
    (void)err;
    pthread_mutex_lock(&gate->lock);
    gate->reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static inline void
gate_await_writer(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->reached)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static inline void
gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline void
gate_note(struct gate *gate, int code)
{
    pthread_mutex_lock(&gate->lock);
    gate->done++;
    gate->failed += code != 0;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline void
gate_await(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->done < count)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static inline void
gate_done(void *ctx, int code, const struct err *err)
{
    (void)err;
    gate_note(ctx, code);
}

struct submission {
    struct insertion insertion; /* first: the function's context */
    store_fn job;              /* fixture_insert, unless the test wants another */
    struct gate *gate;
    char delivery_id[32];
    int code;
    char message[ERR_MESSAGE_BYTES];
};

static inline void
submission_done(void *ctx, int code, const struct err *err)
{
    struct submission *submission = ctx;

    submission->code = code;
    if (code)
        memcpy(submission->message, err->msg, sizeof(err->msg));
    gate_note(submission->gate, code);
}

static inline struct submission *
make_submissions(size_t count, struct gate *gate)
{
    struct submission *submissions = calloc(count, sizeof(*submissions));

    CHECK(submissions);
    for (size_t i = 0; i < count; i++) {
        struct submission *submission = &submissions[i];
        (void)snprintf(submission->delivery_id, sizeof(submission->delivery_id), "d%zu", i);
        submission->job = fixture_insert;
        submission->insertion.delivery_id = submission->delivery_id;
        submission->insertion.body = "{}";
        submission->gate = gate;
        submission->code = 1;
    }
    return submissions;
}

/* Queue them up while the writer waits at the gate. */
static inline void
queue_at_gate(struct store *store, struct gate *gate, struct submission *submissions, size_t count)
{
    store_submit(store, wait_at_gate, gate_done, gate);
    gate_await_writer(gate);
    for (size_t i = 0; i < count; i++)
        store_submit(store, submissions[i].job, submission_done, &submissions[i]);
}

/* Let them through; each was answered on return. */
static inline void
pass_gate(struct gate *gate, size_t count)
{
    gate_open(gate);
    gate_await(gate, (int)count + 1);
}
