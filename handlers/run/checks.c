/* See checks.h. */
#include "handlers/run/checks.h"

#include "handlers/app.h"
#include "handlers/settings/repo_settings.h"
#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/limits.h"
#include "server/store/store.h"

#include <signal.h>

/* What sh answers for a command that it cannot execute or find (POSIX, "Exit Status for Commands").
 */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127

/* Of a command whose process the kernel killed (128 + SIGKILL), most often for memory. */
#define EXIT_KILLED 137

bool
check_status_is_red(enum check_status status)
{
    switch (status) {
    case CHECK_FAILED:
    case CHECK_TIMED_OUT:
    case CHECK_COULD_NOT_RUN:
        return true;
    case CHECK_NOT_RUN:
    case CHECK_PASSED:
    case CHECK_FLAKY:
        return false;
    }
    return true;
}

bool
check_was_red(enum check_status baseline)
{
    return baseline == CHECK_FAILED;
}

enum check_verdict
checks_judge(enum check_status baseline, enum check_status proof)
{
    const bool red_before = check_was_red(baseline);

    switch (proof) {
    case CHECK_PASSED:
        return red_before ? CHECK_VERDICT_FIXED : CHECK_VERDICT_PASSED;
    case CHECK_FLAKY:
        return CHECK_VERDICT_FLAKY;
    case CHECK_FAILED:
        return red_before ? CHECK_VERDICT_RED_BEFORE : CHECK_VERDICT_FAILED;
    case CHECK_TIMED_OUT:
        return red_before ? CHECK_VERDICT_RED_BEFORE : CHECK_VERDICT_TIMED_OUT;
    case CHECK_NOT_RUN:
    case CHECK_COULD_NOT_RUN:
        return CHECK_VERDICT_COULD_NOT_RUN;
    }
    return CHECK_VERDICT_COULD_NOT_RUN;
}

enum run_verdict
checks_sum_up(const enum check_verdict *verdicts, size_t count)
{
    size_t green = 0;

    if (count == 0)
        return VERDICT_NO_CHECKS;
    for (size_t i = 0; i < count; i++) {
        switch (verdicts[i]) {
        case CHECK_VERDICT_PASSED:
        case CHECK_VERDICT_FIXED:
        case CHECK_VERDICT_FLAKY:
            green++;
            break;
        case CHECK_VERDICT_RED_BEFORE:
            break;
        case CHECK_VERDICT_NONE:
        case CHECK_VERDICT_FAILED:
        case CHECK_VERDICT_TIMED_OUT:
        case CHECK_VERDICT_COULD_NOT_RUN:
            return VERDICT_NOT_VERIFIED;
        }
    }
    return green > 0 ? VERDICT_VERIFIED : VERDICT_NOT_VERIFIED;
}

/* Was a check cut short by what it was given, rather than ended by what it found? */
static bool
ran_short(const struct work_step_result *result)
{
    return result->out_of_disk || result->out_of_memory ||
           (result->end == STEP_EXITED && result->status == EXIT_KILLED) ||
           (result->end == STEP_SIGNALED && result->status == SIGKILL);
}

/* A baseline that ran short says nothing of the commit: it is no excuse for what is red later. */
static enum check_status
status_of(const struct work_step_result *result, enum check_phase phase)
{
    const enum check_status red =
        phase == PHASE_BASELINE && ran_short(result) ? CHECK_COULD_NOT_RUN : CHECK_FAILED;

    switch (result->end) {
    case STEP_EXITED:
        if (result->status == EXIT_CANNOT_EXECUTE || result->status == EXIT_NOT_FOUND)
            return CHECK_COULD_NOT_RUN;
        return result->status == 0 ? CHECK_PASSED : red;
    case STEP_SIGNALED:
        return red;
    case STEP_TIMED_OUT:
        return CHECK_TIMED_OUT;
    case STEP_RUNNING:
    case STEP_CANCELED:
    case STEP_NOT_STARTED:
    case STEP_CUT_OFF:
    case STEP_DRAFTD_DIED:
        return CHECK_COULD_NOT_RUN;
    }
    return CHECK_COULD_NOT_RUN;
}

static int
run_once(struct work *work,
         struct sandbox *box,
         enum check_phase phase,
         int64_t round,
         const struct check_settings *check,
         struct check_execution *ret_execution,
         struct err *err)
{
    struct work_step_result result;
    const int r = work_execute(
        work, box,
        &(struct work_step){.role = phase == PHASE_PROOF ? ROLE_PROOF : ROLE_WORK,
                            .kind = phase == PHASE_BASELINE ? STEP_BASELINE : STEP_CHECK,
                            .round = round,
                            .name = check->name,
                            .command = check->run,
                            .timeout_ms = check->timeout_minutes * MS_PER_MINUTE},
        &result, err);

    if (r)
        return r;
    *ret_execution = (struct check_execution){
        .status = status_of(&result, phase),
        .exit_status = result.end == STEP_SIGNALED ? 128 + result.status : result.status,
        .duration_ms = result.duration_ms,
        .step = result.step,
    };
    return 0;
}

/* A red result is worth a second look: a test that is red now and green in a moment says nothing
 * about the change. What timed out, or cannot run at all, is not tried again. */
static int
run_with_second_look(struct work *work,
                     struct sandbox *box,
                     enum check_phase phase,
                     int64_t round,
                     const struct check_settings *check,
                     struct check_execution *ret_execution,
                     struct err *err)
{
    struct check_execution again;
    int r = run_once(work, box, phase, round, check, ret_execution, err);

    if (r || ret_execution->status != CHECK_FAILED)
        return r;
    r = run_once(work, box, phase, round, check, &again, err);
    if (r)
        return r;
    if (again.status == CHECK_PASSED)
        ret_execution->status = CHECK_FLAKY;
    return 0;
}

struct record_work {
    int64_t run;
    const struct check_settings *check;
    enum check_phase phase;
    const struct check_execution *execution;
    const char *baseline_key; /* keep it as a baseline as well; or NULL */
    int64_t now_ms;
};

static int
store_execution(struct db *db, void *ctx, struct err *err)
{
    const struct record_work *record = ctx;
    const int r = check_record(db, record->run, record->check->name, record->check->run,
                               record->phase, record->execution, err);

    if (r || !record->baseline_key)
        return r;
    return baseline_put(db, record->baseline_key, record->check->name, record->execution,
                        record->now_ms, err);
}

static int
record_execution(struct work *work,
                 const struct check_settings *check,
                 enum check_phase phase,
                 const struct check_execution *execution,
                 const char *baseline_key,
                 struct err *err)
{
    struct record_work record = {
        .run = work->run->id,
        .check = check,
        .phase = phase,
        .execution = execution,
        .baseline_key = baseline_key,
        .now_ms = clock_now_ms(),
    };
    return store_transact(work->app->store, store_execution, &record, err);
}

/* What a baseline depends on: commit, image (a name may be given to another one), setup and the
 * check itself, hashed. */
static int
baseline_key(const struct work *work,
             const struct check_settings *check,
             char ret_key[SHA256_HEX_BYTES],
             struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_CONFIG_BYTES);

    strbuf_addf(&text, "%s\n%s\n%s\n%s\n", work->task->repository, work->origin, work->image,
                work->image_id);
    for (size_t i = 0; i < work->settings->setup.count; i++)
        strbuf_addf(&text, "%s%c", work->settings->setup.items[i], '\0');
    strbuf_addf(&text, "\n%s\n%s\n%lld", check->name, check->run,
                (long long)check->timeout_minutes);
    if (!strbuf_ok(&text))
        return err_set(err, ERR_INVALID, "the setup commands are too long");
    return crypto_sha256_hex(bytes_of(text.ptr, text.len), ret_key, err);
}

struct kept_work {
    const char *key;
    const char *check;
    struct check_execution execution;
};

static int
load_kept(struct db *db, void *ctx, struct err *err)
{
    struct kept_work *kept = ctx;
    return baseline_get(db, kept->key, kept->check, &kept->execution, err);
}

int
checks_load_baseline(struct work *work,
                     struct check_execution *executions,
                     bool *ret_complete,
                     struct err *err)
{
    *ret_complete = true;
    for (size_t i = 0; i < work->settings->check_count; i++) {
        const struct check_settings *check = &work->settings->checks[i];
        char key[SHA256_HEX_BYTES];
        struct kept_work kept = {.key = key, .check = check->name};
        int r = baseline_key(work, check, key, err);

        if (!r)
            r = store_read(work->app->store, load_kept, &kept, err);
        if (r == ERR_NOTFOUND) {
            *ret_complete = false;
            continue;
        }
        executions[i] = kept.execution;
        executions[i].step = 0; /* of another run */
        if (!r)
            r = record_execution(work, check, PHASE_BASELINE, &executions[i], NULL, err);
        if (r)
            return r;
    }
    return 0;
}

int
checks_measure_baseline(struct work *work,
                        struct sandbox *box,
                        struct check_execution *executions,
                        struct err *err)
{
    for (size_t i = 0; i < work->settings->check_count; i++) {
        const struct check_settings *check = &work->settings->checks[i];
        char key[SHA256_HEX_BYTES];

        if (executions[i].status != CHECK_NOT_RUN)
            continue;
        int r = run_with_second_look(work, box, PHASE_BASELINE, 0, check, &executions[i], err);
        if (!r)
            r = baseline_key(work, check, key, err);
        if (!r)
            r = record_execution(work, check, PHASE_BASELINE, &executions[i],
                                 executions[i].status == CHECK_PASSED ? key : NULL, err);
        if (r)
            return r;
    }
    return 0;
}

int
checks_run(struct work *work,
           struct sandbox *box,
           enum check_phase phase,
           int64_t round,
           const struct check_execution *baseline,
           struct check_execution *executions,
           struct err *err)
{
    for (size_t i = 0; i < work->settings->check_count; i++) {
        const struct check_settings *check = &work->settings->checks[i];
        const bool expected_red = check_was_red(baseline[i].status);
        int r = expected_red
                    ? run_once(work, box, phase, round, check, &executions[i], err)
                    : run_with_second_look(work, box, phase, round, check, &executions[i], err);
        if (!r)
            r = record_execution(work, check, phase, &executions[i], NULL, err);
        if (r)
            return r;
    }
    return 0;
}

int
checks_forget(struct work *work, enum check_phase phase, struct err *err)
{
    const struct check_execution none = {.status = CHECK_NOT_RUN};

    for (size_t i = 0; i < work->settings->check_count; i++) {
        const int r = record_execution(work, &work->settings->checks[i], phase, &none, NULL, err);
        if (r)
            return r;
    }
    return 0;
}

int
checks_give_up(struct work *work,
               enum check_phase phase,
               int64_t step,
               struct check_execution *executions,
               struct err *err)
{
    for (size_t i = 0; i < work->settings->check_count; i++) {
        if (executions[i].status != CHECK_NOT_RUN)
            continue;
        executions[i] = (struct check_execution){.status = CHECK_COULD_NOT_RUN, .step = step};
        const int r =
            record_execution(work, &work->settings->checks[i], phase, &executions[i], NULL, err);
        if (r)
            return r;
    }
    return 0;
}
