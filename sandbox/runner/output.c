/* The cap on a step's output and the ring that keeps its end. */
#include "sandbox/runner/output.h"

#include <stdio.h>

void
output_begin(struct output *output, uint64_t allowed, bool raw)
{
    output->allowed = allowed;
    output->held = 0;
    output->dropped = 0;
    output->raw = raw;
}

/* Keep the piece in the ring, over what is oldest there. */
static void
hold(struct output *output, struct bytes piece)
{
    for (size_t done = 0; done < piece.len;) {
        const size_t at = (size_t)((output->held + done) % PROTOCOL_TAIL_BYTES);
        size_t part = PROTOCOL_TAIL_BYTES - at;
        if (part > piece.len - done)
            part = piece.len - done;
        memcpy(output->tail + at, piece.ptr + done, part);
        done += part;
    }
    output->held += piece.len;
}

void
output_take(struct output *output, struct link *link, enum frame_type type, struct bytes piece)
{
    const size_t now = piece.len < output->allowed ? piece.len : (size_t)output->allowed;

    if (now > 0)
        link_queue(link, type, bytes_of(piece.ptr, now));
    output->allowed -= now;
    hold(output, bytes_of(piece.ptr + now, piece.len - now));
}

int
output_finish(struct output *output, struct link *link)
{
    if (output->raw) {
        output->dropped = output->held;
        return 0;
    }
    const size_t kept =
        output->held < PROTOCOL_TAIL_BYTES ? (size_t)output->held : PROTOCOL_TAIL_BYTES;
    output->dropped = output->held - kept;
    if (kept == 0)
        return 0;
    if (output->dropped > 0) {
        char line[PROTOCOL_GAP_BYTES];
        const int len = snprintf(line, sizeof(line), "\n[... %llu bytes of output left out ...]\n",
                                 (unsigned long long)output->dropped);
        if (link_wait_room(link))
            return -1;
        link_queue(link, FRAME_STDOUT, bytes_of(line, (size_t)len));
    }
    const size_t start = output->dropped > 0 ? (size_t)(output->held % PROTOCOL_TAIL_BYTES) : 0;
    if (link_wait_room(link))
        return -1;
    link_queue(link, FRAME_STDOUT, bytes_of(output->tail + start, kept - start));
    if (start == 0)
        return 0;
    if (link_wait_room(link))
        return -1;
    link_queue(link, FRAME_STDOUT, bytes_of(output->tail, start));
    return 0;
}
