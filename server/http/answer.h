/* An answer: filled in by whoever decides it, sent by the loop's thread. */
#pragma once

#include "server/base/bytes.h"
#include "server/http/router.h"

struct MHD_Connection;

struct answer {
    unsigned status; /* 0: none yet */
    char content_type[96];
    char allow[ROUTER_ALLOW_BYTES]; /* empty: no Allow header */
    char *body;
    size_t body_bytes;
};

void answer_done(struct answer *answer);

/* Fill in. Never fails: without memory it becomes a 503 without a body. */
void
answer_set(struct answer *answer, unsigned status, const char *content_type, struct bytes body);

/* {"status":TEXT} */
void answer_set_status(struct answer *answer, unsigned status, const char *text);

/* {"error":NAME,"message":TEXT} */
void
answer_set_error(struct answer *answer, unsigned status, const char *name, const char *message);

/* Hand the answer to libmicrohttpd; its body moves there. A 503 says when to try again. False: the
 * connection must be closed. Thread: the loop's. */
bool answer_send(struct answer *answer, struct MHD_Connection *connection, bool close_after);
