/* The runner's frames: round trips, and everything that must be refused. */
#include "sandbox/protocol.h"

#include "server/limits.h"
#include "tests/harness/test.h"

static struct step
example_step(void)
{
    return (struct step){
        .keep_background = true,
        .raw = true,
        .timeout_ms = 600000,
        .grace_ms = 5000,
        .max_output_bytes = UINT64_C(1) << 40,
        .input_bytes = 12,
        .file_bytes = 1 << 20,
        .disk_bytes = 1 << 30,
        .command = bytes_of_str("make test"),
        .directory = bytes_of_str("/workspace"),
        .env = bytes_of("A=1\0B=\0", 7),
    };
}

TEST(frames_are_found_whole_and_in_part)
{
    unsigned char wire[FRAME_HEADER_BYTES + 5];
    struct frame frame;

    frame_encode_header(FRAME_STDOUT, 5, wire);
    memcpy(wire + FRAME_HEADER_BYTES, "hello", 5);
    for (size_t len = 0; len < sizeof(wire); len++)
        CHECK_INT(frame_parse(bytes_of(wire, len), &frame), 0);
    CHECK_INT(frame_parse(bytes_of(wire, sizeof(wire)), &frame), sizeof(wire));
    CHECK_INT(frame.type, FRAME_STDOUT);
    CHECK(bytes_equal_str(frame.payload, "hello"));
}

TEST(nonsense_is_no_frame)
{
    static const unsigned char bad[][FRAME_HEADER_BYTES] = {
        {0, 0, 0, 0, 0, 0, 0, 0},                 /* type 0 */
        {5, 0, 0, 0, 0, 0, 0, 0},                 /* unknown */
        {15, 0, 0, 0, 0, 0, 0, 0},                /* unknown */
        {20, 0, 0, 0, 0, 0, 0, 0},                /* unknown */
        {'H', 'T', 'T', 'P', '/', '1', '.', '1'}, /* another protocol */
        {17, 1, 0, 0, 0, 0, 0, 0},                /* a flag */
        {17, 0, 0, 1, 0, 0, 0, 0},                /* reserved */
        {17, 0, 0, 0, 0, 1, 0, 1},                /* one byte over the limit */
        {17, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},    /* far over */
    };
    struct frame frame;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(frame_parse(bytes_of(bad[i], sizeof(bad[i])), &frame), ERR_INVALID);
    const unsigned char largest[] = {17, 0, 0, 0, 0, 1, 0, 0};
    CHECK_INT(frame_parse(bytes_of(largest, sizeof(largest)), &frame), 0);
}

TEST(a_step_comes_out_as_it_went_in)
{
    static unsigned char payload[LIMIT_FRAME_BYTES];
    const struct step step = example_step();
    struct step back;
    const size_t size = step_encode(&step, payload, sizeof(payload));

    CHECK(size > 0);
    CHECK_INT(step_decode(bytes_of(payload, size), &back), 0);
    CHECK(back.keep_background && back.raw);
    CHECK_INT(back.timeout_ms, step.timeout_ms);
    CHECK_INT(back.grace_ms, step.grace_ms);
    CHECK_INT(back.max_output_bytes, step.max_output_bytes);
    CHECK_INT(back.input_bytes, 12);
    CHECK_INT(back.file_bytes, 1 << 20);
    CHECK_INT(back.disk_bytes, 1 << 30);
    CHECK_STR(back.command.ptr, "make test");
    CHECK_STR(back.directory.ptr, "/workspace");
    CHECK_INT(back.env.len, 7);
    CHECK(memcmp(back.env.ptr, "A=1\0B=\0", 7) == 0);
}

TEST(a_step_that_does_not_fit_is_not_encoded)
{
    static char command[LIMIT_FRAME_BYTES];
    static unsigned char payload[LIMIT_FRAME_BYTES + 100];
    struct step step = example_step();

    memset(command, 'x', sizeof(command));
    CHECK_INT(step_encode(&step, payload, 20), 0);
    step.command = bytes_of(command, sizeof(command));
    CHECK_INT(step_encode(&step, payload, sizeof(payload)), 0);
    step.command = bytes_of(command, sizeof(command) - 100);
    CHECK(step_encode(&step, payload, sizeof(payload)) > 0);
}

TEST(every_cut_and_every_extension_of_a_step_is_refused)
{
    unsigned char payload[200] = {0};
    const struct step step = example_step();
    const size_t size = step_encode(&step, payload, sizeof(payload));
    struct step back;

    for (size_t len = 0; len < size; len++)
        CHECK_INT(step_decode(bytes_of(payload, len), &back), ERR_INVALID);
    CHECK_INT(step_decode(bytes_of(payload, size + 1), &back), ERR_INVALID);
}

/* Encode the example with one field changed and answer what decoding says. */
static int
decode_changed(struct step step)
{
    unsigned char payload[300];
    struct step back;
    const size_t size = step_encode(&step, payload, sizeof(payload));

    CHECK(size > 0);
    return step_decode(bytes_of(payload, size), &back);
}

TEST(what_no_host_would_say_is_refused)
{
    struct step step = example_step();
    step.command = bytes_of("a\0b", 3);
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step = example_step();
    step.directory = bytes_of("a\0b", 3);
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step = example_step();
    step.env = bytes_of_str("A=1"); /* not terminated */
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step.env = bytes_of("A\0", 2);
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step.env = bytes_of("=1\0", 3);
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step.env = bytes_of("\0", 1);
    CHECK_INT(decode_changed(step), ERR_INVALID);
    step = example_step();
    step.disk_bytes = UINT64_MAX;
    CHECK_INT(decode_changed(step), ERR_INVALID);
    CHECK_INT(decode_changed(example_step()), 0);
}

TEST(any_byte_of_a_step_may_be_wrong)
{
    unsigned char payload[200];
    const struct step step = example_step();
    const size_t size = step_encode(&step, payload, sizeof(payload));

    /* what is accepted must be text within the payload */
    for (size_t i = 0; i < size; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct step back;
            payload[i] ^= (unsigned char)flip;
            if (step_decode(bytes_of(payload, size), &back) == 0)
                CHECK(strlen(back.command.ptr) == back.command.len &&
                      strlen(back.directory.ptr) == back.directory.len);
            payload[i] ^= (unsigned char)flip;
        }
    }
}

TEST(hello_and_exit_come_out_as_they_went_in)
{
    unsigned char hello_wire[HELLO_BYTES];
    unsigned char exit_wire[STEP_EXIT_BYTES];
    struct hello hello;
    struct step_exit exit;

    hello_encode(&(const struct hello){.version = 1, .uid = 1000, .gid = 7, .tmp_writable = true},
                 hello_wire);
    CHECK_INT(hello_decode(bytes_of(hello_wire, HELLO_BYTES), &hello), 0);
    CHECK(hello.version == 1 && hello.uid == 1000 && hello.gid == 7);
    CHECK(hello.tmp_writable && !hello.workspace_writable);
    CHECK_INT(hello_decode(bytes_of(hello_wire, HELLO_BYTES - 1), &hello), ERR_INVALID);
    hello_wire[HELLO_BYTES - 1] = 0xff;
    CHECK_INT(hello_decode(bytes_of(hello_wire, HELLO_BYTES), &hello), ERR_INVALID);

    step_exit_encode(&(const struct step_exit){.end = STEP_SIGNALED,
                                               .status = 9,
                                               .out_of_memory = true,
                                               .duration_ms = 5,
                                               .dropped_bytes = 77},
                     exit_wire);
    CHECK_INT(step_exit_decode(bytes_of(exit_wire, STEP_EXIT_BYTES), &exit), 0);
    CHECK(exit.end == STEP_SIGNALED && exit.status == 9 && exit.out_of_memory);
    CHECK(!exit.out_of_disk && exit.duration_ms == 5 && exit.dropped_bytes == 77);
    CHECK_INT(step_exit_decode(bytes_of(exit_wire, STEP_EXIT_BYTES + 1), &exit), ERR_INVALID);
    exit_wire[1] = 4; /* no such end */
    CHECK_INT(step_exit_decode(bytes_of(exit_wire, STEP_EXIT_BYTES), &exit), ERR_INVALID);
    exit_wire[1] = 1;
    exit_wire[8] = 0xff; /* a duration of ages */
    CHECK_INT(step_exit_decode(bytes_of(exit_wire, STEP_EXIT_BYTES), &exit), ERR_INVALID);
}

TEST_MAIN()
