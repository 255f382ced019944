/* Any bytes as what a runner, or a host, says: frames are within the input, what is decoded and
 * encoded again is what it was, and texts are ended inside of their payload. */
#include "sandbox/protocol.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
check_hello(struct bytes payload)
{
    unsigned char again[HELLO_BYTES];
    struct hello hello;

    if (hello_decode(payload, &hello))
        return;
    hello_encode(&hello, again);
    ALWAYS(payload.len == HELLO_BYTES && memcmp(again, payload.ptr, HELLO_BYTES) == 0);
}

static void
check_exit(struct bytes payload)
{
    unsigned char again[STEP_EXIT_BYTES];
    struct step_exit exit;

    if (step_exit_decode(payload, &exit))
        return;
    ALWAYS(exit.end <= STEP_NOT_STARTED);
    step_exit_encode(&exit, again);
    ALWAYS(payload.len == STEP_EXIT_BYTES && memcmp(again, payload.ptr, STEP_EXIT_BYTES) == 0);
}

/* A text of the payload, and the NUL behind it. */
static void
check_text(struct bytes payload, struct bytes text)
{
    ALWAYS(text.ptr >= payload.ptr && text.ptr + text.len < payload.ptr + payload.len);
    ALWAYS(text.ptr[text.len] == '\0');
}

static void
check_step(struct bytes payload)
{
    static unsigned char again[LIMIT_FRAME_BYTES];
    struct step step;

    if (step_decode(payload, &step))
        return;
    check_text(payload, step.command);
    check_text(payload, step.directory);
    ALWAYS(strlen(step.command.ptr) == step.command.len);
    ALWAYS(step.env.len == 0 || step.env.ptr[step.env.len - 1] == '\0');
    const size_t size = step_encode(&step, again, sizeof(again));
    ALWAYS(size == payload.len && memcmp(again, payload.ptr, size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size);
    struct frame frame;
    ssize_t taken;

    while ((taken = frame_parse(rest, &frame)) > 0) {
        ALWAYS((size_t)taken <= rest.len &&
               frame.payload.len + FRAME_HEADER_BYTES == (size_t)taken);
        check_hello(frame.payload);
        check_exit(frame.payload);
        check_step(frame.payload);
        rest = bytes_of(rest.ptr + taken, rest.len - (size_t)taken);
    }
    return 0;
}
