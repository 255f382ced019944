/* The sender: delivers what the outbox owes, in order per thread, with retries. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct sender;

/* Borrows: app.   Owns: *ret_sender is the caller's. */
MUST_CHECK int sender_new(struct app *app, struct sender **ret_sender, struct err *err);
void sender_free(struct sender *sender);
AUTO_DEFINE(struct sender *, sender_free)

/* A turn of its service: at most one message. `ctx` is the sender. */
int64_t sender_turn(void *ctx);
