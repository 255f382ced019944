/* Steps: one command in, its output and its end out. Files inside are written and read as steps of
 * the runner's own executable. */
#include "sandbox/box.h"
#include "server/base/clock.h"
#include "server/base/redact.h"
#include "server/base/str.h"

#include <string.h>

/* How long a step says nothing before its output's receiver is told. */
#define SILENCE_MS 250

/* The runner's own time to end a step and to say so, on top of the step's. */
#define REPORT_MS (15 * MS_PER_SECOND)

/* What a runner may say beyond the cap that it was given. */
#define EXCESS_BYTES (PROTOCOL_TAIL_BYTES + PROTOCOL_GAP_BYTES)

#define QUOTED_BYTES 400U /* of a failed command's output, in an error */
#define SHOWN_BYTES (16U * 1024)
#define ENV_BYTES (32U * 1024)
#define PATH_BYTES 8192U

/* A step on its way. */
struct execution {
    const struct sandbox_command *command;
    uint64_t may_come; /* output bytes that the runner may still send */
    bool refused;      /* the caller wants no more output */
    int64_t dropped_bytes;
};

static int
encode_env(const char *const *env, struct strbuf *buf, struct err *err)
{
    for (size_t i = 0; env && env[i]; i++)
        strbuf_add(buf, env[i], strlen(env[i]) + 1);
    return strbuf_ok(buf)
               ? 0
               : err_set(err, ERR_INVALID, "a step's environment has over %u bytes", ENV_BYTES);
}

static int
send_step(struct sandbox *sandbox, const struct step *step, int64_t deadline_ms, struct err *err)
{
    auto_free unsigned char *payload = malloc(LIMIT_FRAME_BYTES);

    if (!payload)
        return err_set(err, ERR_NOMEM, "out of memory");
    const size_t size = step_encode(step, payload, LIMIT_FRAME_BYTES);
    if (size == 0)
        return err_set(err, ERR_INVALID,
                       "a step's command and environment have over %u bytes together",
                       LIMIT_FRAME_BYTES);
    return channel_send(&sandbox->channel, FRAME_STEP, bytes_of(payload, size), deadline_ms, err);
}

static int
send_input(struct sandbox *sandbox, struct bytes input, int64_t deadline_ms, struct err *err)
{
    for (size_t done = 0; done < input.len;) {
        const size_t left = input.len - done;
        const size_t part = left < LIMIT_FRAME_BYTES ? left : LIMIT_FRAME_BYTES;
        const int result = channel_send(&sandbox->channel, FRAME_INPUT,
                                        bytes_of(input.ptr + done, part), deadline_ms, err);
        if (result)
            return result;
        done += part;
    }
    return 0;
}

static int
take_output(struct execution *execution, const struct frame *frame, struct err *err)
{
    const struct sandbox_command *const command = execution->command;

    if (frame->payload.len > execution->may_come)
        return err_set(err, ERR_REMOTE, "the sandbox's runner sends more output than it may");
    execution->may_come -= frame->payload.len;
    if (!execution->refused && command->output)
        execution->refused =
            command->output(command->output_ctx, frame->type == FRAME_STDERR, frame->payload);
    else
        execution->dropped_bytes += command->output ? (int64_t)frame->payload.len : 0;
    return 0;
}

/* The next frame. While the step is silent, who gathers its output is told so now and then. */
static int
next_frame(struct sandbox *sandbox,
           const struct execution *execution,
           int64_t deadline_ms,
           struct frame *ret_frame,
           struct err *err)
{
    const struct sandbox_command *const command = execution->command;

    for (;;) {
        const int64_t pause_ms = clock_mono_ms() + SILENCE_MS;
        const bool last = pause_ms >= deadline_ms || !command->output || execution->refused;
        const int result =
            channel_receive(&sandbox->channel, last ? deadline_ms : pause_ms, ret_frame, err);
        if (result != ERR_TIMEOUT || last)
            return result;
        (void)command->output(command->output_ctx, false, (struct bytes){0});
    }
}

/* Receive until the step is over. */
static int
receive_until_exit(struct sandbox *sandbox,
                   struct execution *execution,
                   int64_t deadline_ms,
                   struct step_exit *ret_exit,
                   struct err *err)
{
    for (;;) {
        struct frame frame;
        int result = next_frame(sandbox, execution, deadline_ms, &frame, err);
        if (result)
            return result;
        if (frame.type == FRAME_EXIT && step_exit_decode(frame.payload, ret_exit) == 0)
            return 0;
        if (frame.type != FRAME_STDOUT && frame.type != FRAME_STDERR)
            return err_set(err, ERR_REMOTE, "the sandbox's runner does not keep to the protocol");
        result = take_output(execution, &frame, err);
        if (result)
            return result;
    }
}

/* Say how it ended, in the words of sandbox.h. */
static int
conclude(const struct step_exit *exit,
         int64_t dropped_bytes,
         struct sandbox_result *ret_result,
         struct err *err)
{
    static const enum sandbox_end ends[] = {
        [STEP_EXITED] = SANDBOX_EXITED,
        [STEP_SIGNALED] = SANDBOX_SIGNALED,
        [STEP_TIMED_OUT] = SANDBOX_TIMED_OUT,
    };

    if (exit->end == STEP_NOT_STARTED)
        return err_set_errno(err, ERR_REMOTE, (int)exit->status,
                             "the sandbox's runner could not start the command");
    *ret_result = (struct sandbox_result){
        .end = ends[exit->end],
        .status = (int)exit->status,
        .duration_ms = (int64_t)exit->duration_ms,
        .dropped_bytes = (int64_t)exit->dropped_bytes + dropped_bytes,
        .out_of_disk = exit->out_of_disk,
        .out_of_memory = exit->out_of_memory,
    };
    return 0;
}

/* The command's time, cut by the sandbox's own.  Errors: ERR_TIMEOUT nothing is left. */
static int
step_time(const struct sandbox *sandbox,
          const struct sandbox_command *command,
          int64_t *ret_timeout_ms,
          struct err *err)
{
    int64_t timeout_ms = command->timeout_ms > 0 ? command->timeout_ms : MS_PER_DAY;

    if (timeout_ms > MS_PER_DAY)
        timeout_ms = MS_PER_DAY;
    if (sandbox->deadline_mono_ms) {
        const int64_t left_ms = sandbox->deadline_mono_ms - clock_mono_ms();
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "the time for the whole run is over");
        if (left_ms < timeout_ms)
            timeout_ms = left_ms;
    }
    *ret_timeout_ms = timeout_ms;
    return 0;
}

/* Send the step and see it through. */
static int
carry_out(struct sandbox *sandbox,
          const struct step *step,
          struct execution *execution,
          struct sandbox_result *ret_result,
          struct err *err)
{
    const int64_t deadline_ms = clock_mono_ms() + step->timeout_ms + step->grace_ms + REPORT_MS;
    struct step_exit exit;

    int result = send_step(sandbox, step, deadline_ms, err);
    if (!result)
        result = send_input(sandbox, execution->command->input, deadline_ms, err);
    if (!result)
        result = receive_until_exit(sandbox, execution, deadline_ms, &exit, err);
    if (result && result != ERR_INVALID && result != ERR_NOMEM) {
        /* The runner may be in the middle of a step: nothing more can be asked of it but to end
         * that. */
        const int unheard = channel_send(&sandbox->channel, FRAME_KILL, (struct bytes){0}, 0, NULL);
        (void)unheard;
        sandbox->failed = result;
    }
    if (result)
        return result;
    return conclude(&exit, execution->dropped_bytes, ret_result, err);
}

int
box_execute(struct sandbox *sandbox,
            const struct sandbox_command *command,
            bool raw,
            struct sandbox_result *ret_result,
            struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf env = STRBUF_INIT(ENV_BYTES);
    const size_t most =
        command->max_output_bytes ? command->max_output_bytes : LIMIT_STEP_KEPT_BYTES;
    struct execution execution = {
        .command = command,
        .may_come = (uint64_t)most + (raw ? 0 : EXCESS_BYTES),
    };
    struct sandbox_result ended;
    int64_t timeout_ms = 0;

    if (sandbox->failed)
        return err_set(err, sandbox->failed, "the sandbox failed earlier");
    int result = step_time(sandbox, command, &timeout_ms, err);
    if (!result)
        result = encode_env(command->env, &env, err);
    if (result)
        return result;
    const struct step step = {
        .keep_background = command->keep_background,
        .raw = raw,
        .timeout_ms = (uint32_t)timeout_ms,
        .grace_ms = LIMIT_STEP_GRACE_MS,
        .max_output_bytes = most,
        .input_bytes = command->input.len,
        .file_bytes = sandbox->file_bytes,
        .disk_bytes = sandbox->disk_bytes,
        .command = bytes_of_str(command->command),
        .directory = bytes_of_str(SANDBOX_WORKSPACE),
        .env = bytes_of(env.ptr, env.len),
    };
    result = carry_out(sandbox, &step, &execution, &ended, err);
    if (result)
        return result;
    if (ended.end == SANDBOX_TIMED_OUT && sandbox->deadline_mono_ms &&
        clock_mono_ms() >= sandbox->deadline_mono_ms)
        return err_set(err, ERR_TIMEOUT, "the time for the whole run is over");
    *ret_result = ended;
    return 0;
}

bool
sandbox_is_lost(const struct sandbox *sandbox)
{
    return sandbox->failed != 0;
}

int
sandbox_execute(struct sandbox *sandbox,
                const struct sandbox_command *command,
                struct sandbox_result *ret_result,
                struct err *err)
{
    sandbox->touched = true;
    return box_execute(sandbox, command, false, ret_result, err);
}

/* What a command of ours prints. */
struct own_output {
    struct strbuf *wanted; /* standard output; or NULL */
    struct strbuf shown;   /* both streams, for an error's message */
};

static void
add_what_fits(struct strbuf *buf, struct bytes bytes)
{
    const size_t room = buf->max - buf->len;

    strbuf_add(buf, bytes.ptr, bytes.len < room ? bytes.len : room);
}

static int
collect(void *ctx, bool is_stderr, struct bytes output)
{
    struct own_output *const own = ctx;

    if (!is_stderr && own->wanted)
        add_what_fits(own->wanted, output);
    add_what_fits(&own->shown, output);
    return 0;
}

/* What an operator can do about it; "" when the output tells as much as is known. */
static const char *
likely_cause(const struct sandbox_result *result)
{
    if (result->out_of_disk)
        return " (the disk limit was reached)";
    /* As shells tell that a command cannot be executed, or is not found. */
    if (result->end == SANDBOX_EXITED && (result->status == 126 || result->status == 127))
        return " (the image needs a POSIX shell, git and their usual companions)";
    return "";
}

/* The end of a failed command's output, fit for an error. */
static int
own_failed(const char *doing,
           const struct sandbox_result *result,
           const struct strbuf *output,
           struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf shown = STRBUF_INIT(4 * QUOTED_BYTES);
    const size_t skip = output->len > QUOTED_BYTES ? output->len - QUOTED_BYTES : 0;

    redact_append(&shown, bytes_of(strbuf_str(output) + skip, output->len - skip));
    return err_set(err, ERR_INVALID, "%s: %s %d%s: %s", doing,
                   result->end == SANDBOX_EXITED ? "exit status" : "ended by signal",
                   result->status, likely_cause(result), strbuf_str(&shown));
}

int
box_execute_own(struct sandbox *sandbox,
                const struct sandbox_command *command,
                const char *doing,
                int expected,
                struct strbuf *output,
                struct err *err)
{
    struct own_output own = {.wanted = output, .shown = STRBUF_INIT(SHOWN_BYTES)};
    struct sandbox_command step = *command;
    struct sandbox_result ended;

    step.timeout_ms = BOX_OWN_STEP_MS;
    step.output = collect;
    step.output_ctx = &own;
    int result = box_execute(sandbox, &step, false, &ended, err);
    if (result)
        result = err_wrap(err, "%s", doing);
    else if (ended.end == SANDBOX_EXITED && expected && ended.status == expected)
        result = err_set(err, ERR_NOTFOUND, "%s: there is none", doing);
    else if (ended.end != SANDBOX_EXITED || ended.status != 0)
        result = own_failed(doing, &ended, &own.shown, err);
    strbuf_done(&own.shown);
    return result;
}

/* "PROGRAM VERB 'path'": a step of the runner's executable. */
static int
file_command(struct strbuf *command, const char *verb, const char *path, struct err *err)
{
    if (path[0] != '/')
        return err_set(err, ERR_INVALID, "%s: not an absolute path in the sandbox", path);
    strbuf_addf(command, "exec " SANDBOX_RUNNER " %s '", verb);
    for (const char *at = path; *at; at++) {
        if (*at == '\'')
            strbuf_add_str(command, "'\\''");
        else
            strbuf_add_char(command, *at);
    }
    strbuf_add_char(command, '\'');
    return strbuf_ok(command) ? 0 : err_set(err, ERR_INVALID, "a path in the sandbox is too long");
}

int
sandbox_write_file(struct sandbox *sandbox,
                   const char *path,
                   struct bytes contents,
                   struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf command = STRBUF_INIT(PATH_BYTES);
    const int result = file_command(&command, "put", path, err);

    if (result)
        return result;
    sandbox->touched = true;
    return box_execute_own(
        sandbox,
        &(const struct sandbox_command){.command = strbuf_str(&command), .input = contents},
        "writing a file in the sandbox", 0, NULL, err);
}

int
sandbox_read_file(
    struct sandbox *sandbox, const char *path, size_t max, struct strbuf *buf, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf command = STRBUF_INIT(PATH_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(max);
    int result = file_command(&command, "get", path, err);

    if (result)
        return result;
    strbuf_addf(&command, " %zu", max);
    const struct sandbox_command step = {
        .command = strbuf_str(&command),
        .max_output_bytes = max > SHOWN_BYTES ? max : SHOWN_BYTES,
    };
    result = box_execute_own(sandbox, &step, "reading a file in the sandbox", PROTOCOL_NOT_FOUND,
                             &output, err);
    if (result == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "%s: no such file in the sandbox", path);
    if (result)
        return result;
    strbuf_add(buf, output.ptr, output.len);
    return strbuf_ok(buf) ? 0 : err_set(err, buf->failed, "%s: too large", path);
}
