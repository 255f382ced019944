/* Answers on their way from any thread to the loop that owns the connection.
 *
 * It outlives its loop for as long as somebody still owes an answer. All of libmicrohttpd is left
 * to the loop's own thread: others only put an exchange here and wake it. */
#pragma once

#include "server/base/err.h"

struct http_exchange;
struct mailbox;

/* Owns: *ret_mailbox is the caller's, mailbox_unref().   Errors: ERR_NOMEM, ERR_IO. */
MUST_CHECK int mailbox_new(struct mailbox **ret_mailbox, struct err *err);
struct mailbox *mailbox_ref(struct mailbox *mailbox);
void mailbox_unref(struct mailbox *mailbox);

/* Readable when the loop has something to look at. Borrowed: for poll() only. */
int mailbox_fd(const struct mailbox *mailbox);

/* Make the descriptor readable, or not any more. */
void mailbox_wake(struct mailbox *mailbox);
void mailbox_clear(struct mailbox *mailbox);

/* The loop will wait for the exchange's answer. False: it is there already. */
bool mailbox_await(struct mailbox *mailbox, struct http_exchange *exchange);

/* The exchange has its answer. True: nobody waits for it any more, the exchange is the caller's. */
bool mailbox_put(struct mailbox *mailbox, struct http_exchange *exchange);

/* The exchanges that were waited for and are answered now, oldest first, linked by `next`. */
struct http_exchange *mailbox_take(struct mailbox *mailbox);

/* The connection is gone. True: the answer is still owed, and whoever gives it owns the exchange.
 */
bool mailbox_abandon(struct mailbox *mailbox, struct http_exchange *exchange);
