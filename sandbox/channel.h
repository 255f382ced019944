/* The host's end of a runner's connection: frames in both directions, with deadlines, woken by a
 * stop. */
#pragma once

#include "sandbox/door.h"
#include "sandbox/protocol.h"

#include <stdint.h>

struct channel {
    int fd; /* borrowed from the door; not blocking */
    const struct door *door;
    const struct stop *stop;
    size_t in_len;
    size_t in_used;
    char in[FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES];
};

/* Send one frame.
 * Errors: ERR_CANCELED; ERR_TIMEOUT; ERR_REMOTE the sandbox ended or flooded its door. */
MUST_CHECK int channel_send(struct channel *channel,
                            enum frame_type type,
                            struct bytes payload,
                            int64_t deadline_mono_ms,
                            struct err *err);

/* Wait for one frame, borrowed until the next call.   Errors: as channel_send(). */
MUST_CHECK int channel_receive(struct channel *channel,
                               int64_t deadline_mono_ms,
                               struct frame *ret_frame,
                               struct err *err);
