/* The wire format between the runner (process 1 of a sandbox) and the door (its host).
 *
 * The runner asks for the upgrade of an HTTP connection; from the door's 101 on both sides send
 * frames: type u8, flags u8, reserved u16 (zero), length u32, then that many bytes of payload.
 * Numbers are big-endian. Pure functions on bytes, compiled into both sides; either side treats the
 * other as hostile. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/limits.h" /* LIMIT_FRAME_BYTES */

#include <stdint.h>
#include <sys/types.h>

#define PROTOCOL_PATH "/runner"
#define PROTOCOL_NAME "draftd-runner/1"
#define PROTOCOL_VERSION 1U
#define PROTOCOL_SOCKET "socket" /* name of the door's socket in its directory */

#define PROTOCOL_NOT_FOUND 44 /* exit status of the runner's `get`: no such file */

#define FRAME_HEADER_BYTES 8U

/* What stays of a step's output after its cap: the end. */
#define PROTOCOL_TAIL_BYTES (64U * 1024)

/* The line between a step's first output and that end is shorter than this. */
#define PROTOCOL_GAP_BYTES 128U

enum frame_type {
    /* from the host */
    FRAME_STEP = 1,  /* struct step */
    FRAME_INPUT = 2, /* standard input of the step just sent; exactly step.input_bytes in all */
    FRAME_KILL = 3,  /* end the step at once */
    /* from the runner */
    FRAME_HELLO = 16,  /* struct hello, first and once */
    FRAME_STDOUT = 17, /* what the step printed */
    FRAME_STDERR = 18,
    FRAME_EXIT = 19, /* struct step_exit: the step is over and nothing of it is left behind */
};

struct frame {
    enum frame_type type;
    struct bytes payload; /* borrowed from the input */
};

/* Look for one frame at the beginning of `input`.
 * Returns the bytes that it takes; 0 when it is not all there yet.
 * Errors: ERR_INVALID an unknown type, a reserved bit, or a payload over LIMIT_FRAME_BYTES. */
ssize_t frame_parse(struct bytes input, struct frame *ret_frame);

void frame_encode_header(enum frame_type type,
                         size_t payload_bytes,
                         unsigned char ret_header[FRAME_HEADER_BYTES]);

/* The runner's first word. */
struct hello {
    uint32_t version;
    uint32_t uid;
    uint32_t gid;
    bool workspace_writable;
    bool tmp_writable;
};

#define HELLO_BYTES 16U

void hello_encode(const struct hello *hello, unsigned char ret_payload[HELLO_BYTES]);

/* Errors: ERR_INVALID. */
MUST_CHECK int hello_decode(struct bytes payload, struct hello *ret_hello);

/* One command to execute. */
struct step {
    bool keep_background; /* processes left behind live on */
    bool raw;             /* output over the cap is dropped without a word: it is not text */
    uint32_t timeout_ms;
    uint32_t grace_ms;         /* from TERM to KILL */
    uint64_t max_output_bytes; /* handed on as it comes */
    uint64_t input_bytes;      /* in INPUT frames that follow */
    uint64_t file_bytes;       /* largest file that it may write; 0: no limit */
    uint64_t disk_bytes;       /* the workspace's limit, watched by the runner; 0: not watched */
    struct bytes command;      /* for sh -c; no NUL */
    struct bytes directory;    /* no NUL */
    struct bytes env;          /* "NAME=value\0" repeated */
};

/* The payload of a STEP frame.
 * Returns its size; 0 when it does not fit into `size` bytes. */
size_t step_encode(const struct step *step, unsigned char *ret_payload, size_t size);

/* The texts are borrowed from the payload and are followed by a NUL there, so that they can be used
 * as strings.   Errors: ERR_INVALID. */
MUST_CHECK int step_decode(struct bytes payload, struct step *ret_step);

enum step_end {
    STEP_EXITED = 0,
    STEP_SIGNALED = 1,
    STEP_TIMED_OUT = 2,
    STEP_NOT_STARTED = 3, /* status: errno */
};

/* How a step ended. */
struct step_exit {
    enum step_end end;
    bool out_of_disk;
    bool out_of_memory;
    uint32_t status; /* exit status, signal or errno */
    uint64_t duration_ms;
    uint64_t dropped_bytes; /* printed and not handed on */
};

#define STEP_EXIT_BYTES 24U

void step_exit_encode(const struct step_exit *exit, unsigned char ret_payload[STEP_EXIT_BYTES]);

/* Errors: ERR_INVALID. */
MUST_CHECK int step_exit_decode(struct bytes payload, struct step_exit *ret_exit);
