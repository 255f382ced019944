/* Encoding and strict decoding of the runner's frames. No allocation, no I/O. */
#include "sandbox/protocol.h"

#define STEP_FIXED_BYTES 56U
#define STEP_KEEP_BACKGROUND 1U
#define STEP_RAW 2U

#define EXIT_OUT_OF_DISK 1U
#define EXIT_OUT_OF_MEMORY 2U

#define HELLO_WORKSPACE_WRITABLE 1U
#define HELLO_TMP_WRITABLE 2U

/* Larger numbers are no sizes or durations of ours, and would invite overflow. */
#define NUMBER_MAX (UINT64_C(1) << 48)

static void
put_number(unsigned char *at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (unsigned char)(value >> (8 * (width - 1 - i)));
}

static uint64_t
get_number(const void *from, size_t width)
{
    const unsigned char *const at = from;
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++)
        value = value << 8 | at[i];
    return value;
}

static bool
type_known(unsigned char type)
{
    return (type >= FRAME_STEP && type <= FRAME_KILL) ||
           (type >= FRAME_HELLO && type <= FRAME_EXIT);
}

ssize_t
frame_parse(struct bytes input, struct frame *ret_frame)
{
    if (input.len < FRAME_HEADER_BYTES)
        return 0;
    const unsigned char type = (unsigned char)input.ptr[0];
    const uint64_t length = get_number(input.ptr + 4, 4);
    if (!type_known(type) || input.ptr[1] != 0 || get_number(input.ptr + 2, 2) != 0)
        return ERR_INVALID;
    if (length > LIMIT_FRAME_BYTES)
        return ERR_INVALID;
    if (input.len - FRAME_HEADER_BYTES < length)
        return 0;
    *ret_frame = (struct frame){
        .type = type,
        .payload = bytes_of(input.ptr + FRAME_HEADER_BYTES, length),
    };
    return (ssize_t)(FRAME_HEADER_BYTES + length);
}

void
frame_encode_header(enum frame_type type,
                    size_t payload_bytes,
                    unsigned char ret_header[FRAME_HEADER_BYTES])
{
    put_number(ret_header, 1, type);
    put_number(ret_header + 1, 3, 0);
    put_number(ret_header + 4, 4, payload_bytes);
}

void
hello_encode(const struct hello *hello, unsigned char ret_payload[HELLO_BYTES])
{
    put_number(ret_payload, 4, hello->version);
    put_number(ret_payload + 4, 4, hello->uid);
    put_number(ret_payload + 8, 4, hello->gid);
    put_number(ret_payload + 12, 4,
               (hello->workspace_writable ? HELLO_WORKSPACE_WRITABLE : 0U) |
                   (hello->tmp_writable ? HELLO_TMP_WRITABLE : 0U));
}

int
hello_decode(struct bytes payload, struct hello *ret_hello)
{
    if (payload.len != HELLO_BYTES)
        return ERR_INVALID;
    const uint64_t flags = get_number(payload.ptr + 12, 4);
    if (flags > (HELLO_WORKSPACE_WRITABLE | HELLO_TMP_WRITABLE))
        return ERR_INVALID;
    *ret_hello = (struct hello){
        .version = (uint32_t)get_number(payload.ptr, 4),
        .uid = (uint32_t)get_number(payload.ptr + 4, 4),
        .gid = (uint32_t)get_number(payload.ptr + 8, 4),
        .workspace_writable = flags & HELLO_WORKSPACE_WRITABLE,
        .tmp_writable = flags & HELLO_TMP_WRITABLE,
    };
    return 0;
}

/* Copy `text` and a NUL; returns what is behind it. */
static unsigned char *
put_text(unsigned char *at, struct bytes text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    at[text.len] = 0;
    return at + text.len + 1;
}

size_t
step_encode(const struct step *step, unsigned char *ret_payload, size_t size)
{
    const size_t room = size < LIMIT_FRAME_BYTES ? size : LIMIT_FRAME_BYTES;

    if (step->command.len > room || step->directory.len > room || step->env.len > room)
        return 0;
    const size_t needed =
        STEP_FIXED_BYTES + step->command.len + step->directory.len + step->env.len + 3;
    if (needed > room)
        return 0;
    put_number(ret_payload, 4,
               (step->keep_background ? STEP_KEEP_BACKGROUND : 0U) | (step->raw ? STEP_RAW : 0U));
    put_number(ret_payload + 4, 4, step->timeout_ms);
    put_number(ret_payload + 8, 4, step->grace_ms);
    put_number(ret_payload + 12, 8, step->max_output_bytes);
    put_number(ret_payload + 20, 8, step->input_bytes);
    put_number(ret_payload + 28, 8, step->file_bytes);
    put_number(ret_payload + 36, 8, step->disk_bytes);
    put_number(ret_payload + 44, 4, step->command.len);
    put_number(ret_payload + 48, 4, step->directory.len);
    put_number(ret_payload + 52, 4, step->env.len);
    unsigned char *at = put_text(ret_payload + STEP_FIXED_BYTES, step->command);
    at = put_text(at, step->directory);
    put_text(at, step->env);
    return needed;
}

/* Take `length` bytes and their NUL off the front of *rest. */
static int
take_text(struct bytes *rest, uint64_t length, struct bytes *ret_text)
{
    if (rest->len == 0 || length > rest->len - 1 || rest->ptr[length] != 0)
        return ERR_INVALID;
    *ret_text = bytes_of(rest->ptr, length);
    *rest = bytes_of(rest->ptr + length + 1, rest->len - length - 1);
    return 0;
}

static bool
has_nul(struct bytes text)
{
    return text.len > 0 && memchr(text.ptr, 0, text.len);
}

/* Every entry is NAME=value and ends with a NUL. */
static bool
env_valid(struct bytes env)
{
    size_t start = 0;

    while (start < env.len) {
        const char *const entry = env.ptr + start;
        const char *const end = memchr(entry, 0, env.len - start);
        if (!end || entry[0] == '=' || !memchr(entry, '=', (size_t)(end - entry)))
            return false;
        start += (size_t)(end - entry) + 1;
    }
    return true;
}

static bool
step_sane(const struct step *step)
{
    return step->max_output_bytes <= NUMBER_MAX && step->input_bytes <= NUMBER_MAX &&
           step->file_bytes <= NUMBER_MAX && step->disk_bytes <= NUMBER_MAX &&
           !has_nul(step->command) && !has_nul(step->directory) && env_valid(step->env);
}

int
step_decode(struct bytes payload, struct step *ret_step)
{
    if (payload.len < STEP_FIXED_BYTES || payload.len > LIMIT_FRAME_BYTES)
        return ERR_INVALID;
    const char *const at = payload.ptr;
    const uint64_t flags = get_number(at, 4);
    if (flags > (STEP_KEEP_BACKGROUND | STEP_RAW))
        return ERR_INVALID;
    struct step step = {
        .keep_background = flags & STEP_KEEP_BACKGROUND,
        .raw = flags & STEP_RAW,
        .timeout_ms = (uint32_t)get_number(at + 4, 4),
        .grace_ms = (uint32_t)get_number(at + 8, 4),
        .max_output_bytes = get_number(at + 12, 8),
        .input_bytes = get_number(at + 20, 8),
        .file_bytes = get_number(at + 28, 8),
        .disk_bytes = get_number(at + 36, 8),
    };
    struct bytes rest = bytes_of(at + STEP_FIXED_BYTES, payload.len - STEP_FIXED_BYTES);
    if (take_text(&rest, get_number(at + 44, 4), &step.command) ||
        take_text(&rest, get_number(at + 48, 4), &step.directory) ||
        take_text(&rest, get_number(at + 52, 4), &step.env))
        return ERR_INVALID;
    if (rest.len != 0 || !step_sane(&step))
        return ERR_INVALID;
    *ret_step = step;
    return 0;
}

void
step_exit_encode(const struct step_exit *exit, unsigned char ret_payload[STEP_EXIT_BYTES])
{
    put_number(ret_payload, 2, exit->end);
    put_number(ret_payload + 2, 2,
               (exit->out_of_disk ? EXIT_OUT_OF_DISK : 0U) |
                   (exit->out_of_memory ? EXIT_OUT_OF_MEMORY : 0U));
    put_number(ret_payload + 4, 4, exit->status);
    put_number(ret_payload + 8, 8, exit->duration_ms);
    put_number(ret_payload + 16, 8, exit->dropped_bytes);
}

int
step_exit_decode(struct bytes payload, struct step_exit *ret_exit)
{
    if (payload.len != STEP_EXIT_BYTES)
        return ERR_INVALID;
    const uint64_t end = get_number(payload.ptr, 2);
    const uint64_t flags = get_number(payload.ptr + 2, 2);
    const uint64_t status = get_number(payload.ptr + 4, 4);
    const uint64_t duration_ms = get_number(payload.ptr + 8, 8);
    const uint64_t dropped_bytes = get_number(payload.ptr + 16, 8);
    if (end > STEP_NOT_STARTED || flags > (EXIT_OUT_OF_DISK | EXIT_OUT_OF_MEMORY) ||
        status > UINT16_MAX || duration_ms > NUMBER_MAX || dropped_bytes > NUMBER_MAX)
        return ERR_INVALID;
    *ret_exit = (struct step_exit){
        .end = (enum step_end)end,
        .out_of_disk = flags & EXIT_OUT_OF_DISK,
        .out_of_memory = flags & EXIT_OUT_OF_MEMORY,
        .status = (uint32_t)status,
        .duration_ms = duration_ms,
        .dropped_bytes = dropped_bytes,
    };
    return 0;
}
