/* The runner's connection to the door: an upgraded HTTP connection that carries frames. */
#pragma once

#include "sandbox/protocol.h"

#include <stdint.h>

#define LINK_IN_BYTES (FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES)
#define LINK_OUT_BYTES (4 * (FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES))

struct link {
    int fd;
    size_t in_len;
    size_t in_used; /* of in_len, what frames returned so far have taken */
    size_t out_start;
    size_t out_len;
    unsigned char in[LINK_IN_BYTES];
    unsigned char out[LINK_OUT_BYTES];
};

/* Connect to the door and have the connection upgraded.  Returns 0, or -1 with `errno` set. */
MUST_CHECK int link_open(struct link *link, const char *socket_path);

/* Read what is there.  Returns 0, or -1 when the connection is over. */
MUST_CHECK int link_receive(struct link *link);

/* The next frame, borrowed until the next call.  Returns 1; 0 none yet; -1 nonsense. */
int link_next(struct link *link, struct frame *ret_frame);

/* Is there room for a frame with a payload of LIMIT_FRAME_BYTES? */
bool link_has_room(const struct link *link);

/* Queue a frame; there must be room. */
void link_queue(struct link *link, enum frame_type type, struct bytes payload);

/* Send what is queued, as far as it goes without waiting.  Returns 0, or -1 as link_receive(). */
MUST_CHECK int link_send(struct link *link);

/* Wait until there is room.  Returns 0, or -1 as link_receive(). */
MUST_CHECK int link_wait_room(struct link *link);
