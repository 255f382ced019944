/* How every fallible function of the project reports failure.
 *
 * A fallible function returns 0, or a negative ERR_* code with the caller's `struct err` filled in.
 * It does not write its `ret_` outputs on failure. The struct lives on the caller's stack, so
 * reporting never allocates. Set at the origin with err_set(), add context on the way up with
 * err_wrap(); log or return, never both. */
#pragma once

#include "server/base/cleanup.h"

#include <stdbool.h>

enum {
    ERR_NOMEM = -1,
    ERR_IO = -2,           /* this machine's files, pipes or disk */
    ERR_INVALID = -3,      /* bad input; the message says what to do */
    ERR_AUTH = -4,         /* wrong signature, refused credential */
    ERR_NOTFOUND = -5,     /* a result, not a fault */
    ERR_CONFLICT = -6,     /* it exists already, or someone else holds it */
    ERR_LIMIT = -7,        /* over a cap */
    ERR_TIMEOUT = -8,      /* a deadline passed */
    ERR_CANCELED = -9,     /* someone asked to stop */
    ERR_REMOTE = -10,      /* another service failed; worth retrying */
    ERR_UNAVAILABLE = -11, /* store, engine or network is away; worth retrying */
    ERR_INTERNAL = -12,    /* a defect of ours */
    ERR_DENIED = -13,      /* known who asks, and that may not be done */
};

#define ERR_MESSAGE_BYTES 512

struct err {
    int code; /* 0 or ERR_* */
    char msg[ERR_MESSAGE_BYTES];
};

/* Fill in `err` and return `code`. The message is cut at a character boundary; control characters
 * are replaced, so that it may be logged. `err` may be NULL. */
#define err_set(err, code, ...) err_negative(err_record((err), (code), __VA_ARGS__))

/* err_set() with the text of `error_number` (errno) appended. ENOMEM and ENOSPC are not special:
 * the caller chooses the code. */
#define err_set_errno(err, code, error_number, ...)                                                \
    err_negative(err_record_errno((err), (code), (error_number), __VA_ARGS__))

/* Put "CONTEXT: " before the message and return the code that `err` holds. */
#define err_wrap(err, ...) err_negative(err_prefix((err), __VA_ARGS__))

/* What the three above are made of: macros, so that compilers and analyzers see that a failure is
 * never 0, and do not follow paths on which it is. */
int err_record(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);
int err_record_errno(struct err *err, int code, int error_number, const char *format, ...)
    PRINTF_LIKE(4, 5);
int err_prefix(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#ifdef __clang_analyzer__
#define err_negative(code) ((void)(code), (int)ERR_INTERNAL) /* clang's looks into few calls */
#else
static inline int
err_negative(int code)
{
    return code < 0 ? code : ERR_INTERNAL;
}
#endif

/* Is the same call worth another try later? */
bool err_retryable(int code);

/* May it succeed on another day, as it stands? What err_retryable() says, and besides what the
 * operator mends (a full disk, a credential that ran out), a limit that is renewed, want of memory, an
 * interrupted call. */
bool err_may_pass(int code);

/* The HTTP status that tells a client about `code`. */
int err_http_status(int code);

/* "timeout", "not_found", ...: the code's name for logs and JSON. */
const char *err_name(int code);
