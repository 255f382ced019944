/* What a step prints, capped: the first part is handed on as it comes, of the rest the end is kept.
 */
#pragma once

#include "sandbox/protocol.h"
#include "sandbox/runner/link.h"

struct output {
    uint64_t allowed;                        /* what may still be handed on as it comes */
    uint64_t held;                           /* what came after that */
    uint64_t dropped;                        /* what was not handed on in the end */
    bool raw;                                /* no tail */
    unsigned char tail[PROTOCOL_TAIL_BYTES]; /* the last of what is held: a ring */
};

void output_begin(struct output *output, uint64_t allowed, bool raw);

/* Take one piece of at most LIMIT_FRAME_BYTES. The link must have room for a frame. */
void
output_take(struct output *output, struct link *link, enum frame_type type, struct bytes piece);

/* Hand on how much was left out and the tail.  Returns 0, or -1 when the connection is over. */
MUST_CHECK int output_finish(struct output *output, struct link *link);
