/* Steps of a run, declared in work.h: executed in a sandbox, recorded in the store with what they
 * print as they print it. */
#include "handlers/app.h"
#include "handlers/run/work.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define FLUSH_BYTES (32U * 1024)
#define FLUSH_MS 300
#define TAIL_LINES 80

/* Output on its way into the store, gathered a little so that a chatty step does not cost a commit
 * a line. */
struct recorder {
    struct store *store;
    int64_t step;
    struct strbuf pending;
    int64_t flushed_mono_ms;
    struct err error; /* the first failure; the step goes on, its log is cut */
};

static int
append_segment(struct db *db, void *ctx, struct err *err)
{
    const struct recorder *recorder = ctx;
    return step_append(db, recorder->step, bytes_of(recorder->pending.ptr, recorder->pending.len),
                       err);
}

static void
flush(struct recorder *recorder)
{
    if (recorder->pending.len == 0 || recorder->error.code)
        return;
    const int r = store_transact(recorder->store, append_segment, recorder, &recorder->error);
    (void)r; /* kept in recorder->error */
    strbuf_reset(&recorder->pending);
    recorder->flushed_mono_ms = clock_mono_ms();
}

/* Also called without bytes now and then while a step is silent, so that nothing lies here for
 * long. */
static int
record(void *ctx, bool is_stderr, struct bytes output)
{
    struct recorder *recorder = ctx;

    (void)is_stderr; /* people read both as one stream */
    strbuf_add_bytes(&recorder->pending, output);
    if (recorder->pending.len >= FLUSH_BYTES ||
        clock_mono_ms() - recorder->flushed_mono_ms >= FLUSH_MS)
        flush(recorder);
    return recorder->error.code;
}

struct begin_work {
    struct step step;
    int64_t id;
};

static int
insert_step(struct db *db, void *ctx, struct err *err)
{
    struct begin_work *begin = ctx;
    return step_insert(db, &begin->step, &begin->id, err);
}

static int
begin_step(struct work *work, const struct work_step *step, int64_t *ret_id, struct err *err)
{
    struct begin_work begin = {
        .step = {.run = work->run->id,
                 .role = step->role,
                 .kind = step->kind,
                 .round = step->round,
                 .name = (char *)(uintptr_t)step->name,
                 .command = (char *)(uintptr_t)step->command,
                 .started_ms = clock_now_ms()},
    };
    const int r = store_transact(work->app->store, insert_step, &begin, err);

    if (r)
        return r;
    *ret_id = begin.id;
    return 0;
}

struct finish_work {
    const struct work_step_result *result;
    int64_t dropped_bytes;
};

static int
finish_step(struct db *db, void *ctx, struct err *err)
{
    const struct finish_work *finish = ctx;
    const struct work_step_result *result = finish->result;
    return step_finish(db, result->step, result->end, result->status, result->duration_ms,
                       finish->dropped_bytes, err);
}

static enum step_end
step_end_of(const struct sandbox_result *result)
{
    switch (result->end) {
    case SANDBOX_EXITED:
        return STEP_EXITED;
    case SANDBOX_SIGNALED:
        return STEP_SIGNALED;
    case SANDBOX_TIMED_OUT:
        return STEP_TIMED_OUT;
    }
    return STEP_NOT_STARTED;
}

/* How a step ended whose sandbox says nothing of it. */
static enum step_end
step_end_without_result(int execution, bool lost)
{
    if (execution == ERR_CANCELED)
        return STEP_CANCELED;
    if (execution == ERR_TIMEOUT)
        return STEP_TIMED_OUT;
    return lost ? STEP_CUT_OFF : STEP_NOT_STARTED;
}

/* The step's row gets its end whatever happened; an error of the sandbox is the caller's to handle.
 * `lost`: so was the sandbox, meanwhile. */
static int
conclude_step(struct work *work,
              int execution,
              bool lost,
              const struct sandbox_result *sandboxed,
              struct work_step_result *result,
              struct err *err)
{
    struct finish_work finish = {.result = result, .dropped_bytes = sandboxed->dropped_bytes};
    struct err store_error = {0};

    if (execution) {
        result->end = step_end_without_result(execution, lost);
    } else {
        result->end = step_end_of(sandboxed);
        result->status = sandboxed->status;
        result->duration_ms = sandboxed->duration_ms;
        result->out_of_disk = sandboxed->out_of_disk;
        result->out_of_memory = sandboxed->out_of_memory;
    }
    const int stored = store_transact(work->app->store, finish_step, &finish, &store_error);
    if (execution)
        return execution;
    if (stored)
        *err = store_error;
    return stored;
}

int
work_execute(struct work *work,
             struct sandbox *box,
             const struct work_step *step,
             struct work_step_result *ret_result,
             struct err *err)
{
    struct work_step_result result = {0};
    struct sandbox_result sandboxed = {0};
    int r = begin_step(work, step, &result.step, err);

    if (r)
        return r;
    struct recorder recorder = {.store = work->app->store,
                                .step = result.step,
                                .pending = STRBUF_INIT(FLUSH_BYTES + LIMIT_FRAME_BYTES)};
    const bool was_lost = sandbox_is_lost(box);
    const int64_t begun_ms = clock_mono_ms();
    r = sandbox_execute(box,
                        &(struct sandbox_command){.command = step->command,
                                                  .env = step->env,
                                                  .timeout_ms = step->timeout_ms,
                                                  .keep_background = step->keep_background,
                                                  .output = record,
                                                  .output_ctx = &recorder},
                        &sandboxed, err);
    flush(&recorder);
    strbuf_done(&recorder.pending);
    result.duration_ms = clock_mono_ms() - begun_ms;
    r = conclude_step(work, r, !was_lost && sandbox_is_lost(box), &sandboxed, &result, err);
    if (r)
        return r;
    if (recorder.error.code) {
        *err = recorder.error;
        return recorder.error.code;
    }
    *ret_result = result;
    return 0;
}

struct tail_work {
    int64_t step;
    struct strbuf *output;
};

static int
read_tail(struct db *db, void *ctx, struct err *err)
{
    const struct tail_work *tail = ctx;
    return step_read_tail(db, tail->step, LIMIT_OUTPUT_TAIL_BYTES, tail->output, err);
}

int
work_step_tail(struct work *work, int64_t step, char **ret_tail, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(LIMIT_OUTPUT_TAIL_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(4 * LIMIT_OUTPUT_TAIL_BYTES);
    struct tail_work tail = {.step = step, .output = &output};
    const int r = store_read(work->app->store, read_tail, &tail, err);

    if (r)
        return r;
    text_append_tail(&clean, bytes_of(strbuf_str(&output), output.len), TAIL_LINES,
                     LIMIT_OUTPUT_TAIL_BYTES);
    return strbuf_take(&clean, ret_tail, err);
}

int
work_describe_end(const struct work_step_result *result, char **ret_text, struct err *err)
{
    char duration[CLOCK_TEXT_BYTES];
    const char *because = result->out_of_disk     ? " (the disk limit was reached)"
                          : result->out_of_memory ? " (out of memory)"
                                                  : "";
    char *text = NULL;

    switch (result->end) {
    case STEP_EXITED:
        text = str_printf("exit status %d%s", result->status, because);
        break;
    case STEP_SIGNALED:
        text = str_printf("killed by signal %d%s", result->status, because);
        break;
    case STEP_TIMED_OUT:
        text =
            str_printf("timed out after %s", clock_format_duration(result->duration_ms, duration));
        break;
    case STEP_CANCELED:
        text = str_dup("cancelled");
        break;
    case STEP_RUNNING:
    case STEP_NOT_STARTED:
        text = str_dup("it could not be started");
        break;
    case STEP_CUT_OFF:
    case STEP_DRAFTD_DIED:
        text = str_dup("its sandbox was lost");
        break;
    }
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_text = text;
    return 0;
}

int
work_setup(struct work *work,
           struct sandbox *box,
           enum step_role role,
           struct work_step_result *ret_failed,
           struct err *err)
{
    const struct repo_settings *settings = work->settings;

    *ret_failed = (struct work_step_result){0};
    for (size_t i = 0; i < settings->setup.count; i++) {
        struct work_step_result result;
        char name[32];

        (void)snprintf(name, sizeof(name), "setup %zu", i + 1);
        const int r = work_execute(
            work, box,
            &(struct work_step){.role = role,
                                .kind = STEP_SETUP,
                                .name = name,
                                .command = settings->setup.items[i],
                                .timeout_ms = settings->setup_timeout_minutes * MS_PER_MINUTE,
                                .keep_background = true},
            &result, err);
        if (r)
            return r;
        if (result.end != STEP_EXITED || result.status != 0) {
            *ret_failed = result;
            return 0;
        }
    }
    return 0;
}
