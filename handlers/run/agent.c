/* See agent.h. */
#include "handlers/run/agent.h"

#include "handlers/platform.h"
#include "handlers/run/checks.h"
#include "handlers/run/prompt.h"
#include "handlers/settings/repo_settings.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/redact.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROMPT_FILE SANDBOX_EXCHANGE "/prompt.md"
#define SUMMARY_FILE SANDBOX_EXCHANGE "/summary.md"
#define ANSWERS_FILE SANDBOX_EXCHANGE "/answers.md"
#define MANY_HIDDEN 8

/* Would asking again answer the same? */
static bool
is_final(int code)
{
    return code == ERR_AUTH || code == ERR_DENIED || code == ERR_NOTFOUND || code == ERR_INVALID;
}

int
agent_read_thread(struct work *work, struct err *err)
{
    const struct platform *platform = work->session->platform;
    const struct run *run = work->run;
    struct err fault = {0};

    if (!platform->read_thread)
        return 0;
    const int r = platform->read_thread(work->session, work->task, &work->thread, &fault);
    if (is_final(r)) {
        log_warning("thread_not_read", kv_int("task", work->task->id), kv_int("run", run->id),
                    kv_str("reason", fault.msg));
        return 0;
    }
    if (r) {
        *err = fault;
        return r;
    }
    /* what was said when it was called is told as such */
    if (run->instruction)
        comments_remove(&work->thread, run->trigger_actor, run->trigger_ms);
    return 0;
}

/* The parts of a prompt that have to be put together. Lists are NULL-terminated. */
struct material {
    char **checks;
    const char **red_before;
    struct prompt_failure *failures;
    size_t failure_count;
};

static void
material_done(struct material *material)
{
    for (size_t i = 0; material->checks && material->checks[i]; i++)
        free(material->checks[i]);
    free(material->checks);
    free(material->red_before);
    for (size_t i = 0; i < material->failure_count; i++) {
        free((char *)(uintptr_t)material->failures[i].how);
        free((char *)(uintptr_t)material->failures[i].output);
    }
    free(material->failures);
}

static int
describe_execution(const struct check_execution *execution, char **ret_text, struct err *err)
{
    const struct work_step_result result = {
        .end = execution->status == CHECK_TIMED_OUT ? STEP_TIMED_OUT : STEP_EXITED,
        .status = (int)execution->exit_status,
        .duration_ms = execution->duration_ms,
    };
    return work_describe_end(&result, ret_text, err);
}

static int
add_failure(struct work *work,
            struct material *material,
            const struct check_settings *check,
            const struct check_execution *execution,
            struct err *err)
{
    auto_free char *how = NULL;
    auto_free char *output = NULL;
    int r = describe_execution(execution, &how, err);

    if (!r)
        r = work_step_tail(work, execution->step, &output, err);
    if (r)
        return r;
    material->failures[material->failure_count++] = (struct prompt_failure){
        .check = check->name,
        .command = check->run,
        .how = TAKE(how),
        .output = TAKE(output),
    };
    return 0;
}

static int
gather(struct work *work,
       const struct agent_round *round,
       struct material *material,
       struct err *err)
{
    const struct repo_settings *settings = work->settings;
    const size_t count = settings->check_count;
    size_t red = 0;

    material->checks = calloc(count + 1, sizeof(*material->checks));
    material->red_before = calloc(count + 1, sizeof(*material->red_before));
    material->failures = calloc(count + 1, sizeof(*material->failures));
    if (!material->checks || !material->red_before || !material->failures)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct check_settings *check = &settings->checks[i];
        const bool red_before = check_was_red(round->baseline[i].status);

        material->checks[i] = str_printf("%s: %s", check->name, check->run);
        if (!material->checks[i])
            return err_set(err, ERR_NOMEM, "out of memory");
        if (red_before)
            material->red_before[red++] = check->name;
        if (red_before || !round->after || !check_status_is_red(round->after[i].status))
            continue;
        const int r = add_failure(work, material, check, &round->after[i], err);
        if (r)
            return r;
    }
    return 0;
}

/* A few come along with what is pasted; more are a message to somebody, and who asked may not know
 * of it. */
static int
flag_hidden(struct work *work, const struct prompt_input *input, struct err *err)
{
    const size_t count = input->round == 1 ? prompt_count_hidden(input) : 0;

    return count < MANY_HIDDEN
               ? 0
               : work_flag(work, err,
                           "what was asked holds %zu characters that people do not see, in HTML "
                           "comments or invisible; the agent was not given them",
                           count);
}

static int
write_prompt(struct work *work,
             struct sandbox *box,
             const struct agent_round *round,
             struct err *err)
{
    AUTO_DONE(material_done) struct material material = {0};
    AUTO_DONE(strbuf_done) struct strbuf agents_file = STRBUF_INIT(LIMIT_TEXT_BYTES);
    auto_free char *prompt = NULL;
    int r = gather(work, round, &material, err);

    if (r)
        return r;
    const int has_agents_file =
        repo_read_file(work->mirror, work->base, "AGENTS.md", &agents_file, NULL);
    const struct prompt_input input = {
        .repository = work->task->repository,
        .title = work->task->title,
        .text = work->task->text,
        .thread = &work->thread,
        .instruction = work->run->instruction,
        .remarks = &work->remarks,
        .conflicts = round->round == 1 ? work->conflicts : NULL,
        .requested_by = work->task->requested_by,
        .url = work->task->url,
        .has_agents_file = has_agents_file == 0 || has_agents_file == ERR_LIMIT,
        .checks = (const char *const *)material.checks,
        .red_before = material.red_before,
        .protect = (const char *const *)work->settings->guard.protect.items,
        .round = (int)round->round,
        .rounds = (int)round->rounds,
        .failures = material.failures,
        .failure_count = material.failure_count,
    };
    r = flag_hidden(work, &input, err);
    if (!r)
        r = prompt_write(&input, &prompt, err);
    return r ? r : sandbox_write_file(box, PROMPT_FILE, bytes_of_str(prompt), err);
}

static int
flag_result(struct work *work,
            const struct agent_round *round,
            const struct work_step_result *result,
            struct err *err)
{
    auto_free char *how = NULL;

    if (result->end == STEP_EXITED && result->status == 0)
        return result->out_of_memory
                   ? work_flag(work, err,
                               "something that the agent ran was killed for want of memory in "
                               "round %" PRId64,
                               round->round)
                   : 0;
    const int r = work_describe_end(result, &how, err);
    return r ? r
             : work_flag(work, err, "the agent did not end well in round %" PRId64 ": %s",
                         round->round, how);
}

int
agent_run(struct work *work,
          struct sandbox *box,
          const struct agent_round *round,
          struct work_step_result *ret_result,
          struct err *err)
{
    char round_env[32];
    const char *const env[] = {
        "DRAFTD_PROMPT_FILE=" PROMPT_FILE,
        "DRAFTD_SUMMARY_FILE=" SUMMARY_FILE,
        "DRAFTD_ANSWERS_FILE=" ANSWERS_FILE,
        round_env,
        NULL,
    };
    int r = write_prompt(work, box, round, err);

    if (r)
        return r;
    (void)snprintf(round_env, sizeof(round_env), "DRAFTD_ROUND=%" PRId64, round->round);
    r = work_execute(
        work, box,
        &(struct work_step){.role = ROLE_WORK,
                            .kind = STEP_AGENT,
                            .round = round->round,
                            .name = work->agent->name,
                            .command = work->agent->command,
                            .env = env,
                            .timeout_ms = work->agent->timeout_minutes * MS_PER_MINUTE},
        ret_result, err);
    return r ? r : flag_result(work, round, ret_result, err);
}

/* A file of words for people, cleaned and without credentials. */
static int
read_words(struct sandbox *box, const char *path, char **ret_words, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf raw = STRBUF_INIT(LIMIT_SUMMARY_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(4 * LIMIT_SUMMARY_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf shown = STRBUF_INIT(8 * LIMIT_SUMMARY_BYTES);
    const int r = sandbox_read_file(box, path, LIMIT_SUMMARY_BYTES, &raw, err);

    /* a directory in its place, or one that cannot be read, is no reason to lose the change */
    if (r == ERR_NOTFOUND || r == ERR_INVALID || (!r && raw.len == 0)) {
        *ret_words = NULL;
        return 0;
    }
    if (r)
        return r;
    /* cleaned first: no invisible character in a credential is to hide it from what looks for it */
    text_append_clean(&clean, bytes_of(raw.ptr, raw.len));
    redact_append(&shown, bytes_of(strbuf_str(&clean), clean.len));
    return strbuf_take(&shown, ret_words, err);
}

int
agent_read_summary(struct sandbox *box, char **ret_summary, struct err *err)
{
    return read_words(box, SUMMARY_FILE, ret_summary, err);
}

int
agent_read_answers(struct sandbox *box, char **ret_answers, struct err *err)
{
    return read_words(box, ANSWERS_FILE, ret_answers, err);
}
