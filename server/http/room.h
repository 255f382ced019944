/* The room on disk for bodies that are too large for memory: a cap for all of them, one for those
 * of a single address, and free space that they leave alone.
 *
 * Nobody knows who sends a body until its signature can be checked, at its end. So whatever is
 * sent, it must neither fill the disk that the store lies on nor crowd all others out. */
#pragma once

#include "server/base/err.h"
#include "server/http/headcount.h"

#include <stdint.h>

struct room;
struct share;

struct room_limits {
    const char *dir; /* where the files go. Copied. */
    int64_t max_bytes;
    int64_t max_bytes_per_address; /* 0: no cap for one address */
    int64_t reserve_bytes;         /* of the disk, left to others */
};

/* It stays until the last share was left.
 * Owns: *ret_room is the caller's, room_unref().   Errors: ERR_NOMEM. */
MUST_CHECK int room_new(const struct room_limits *limits, struct room **ret_room, struct err *err);
void room_unref(struct room *room);

/* Borrowed. */
const char *room_dir(const struct room *room);

/* Before the first byte from an address.
 * Owns: *ret_share is the caller's, share_leave().   Errors: ERR_NOMEM.   Thread: any. */
MUST_CHECK int room_enter(struct room *room,
                          const struct headcount_key *key,
                          struct share **ret_share,
                          struct err *err);

/* May so many bytes more be written?   Errors: ERR_UNAVAILABLE not now.   Thread: any. */
MUST_CHECK int share_take(struct share *share, int64_t bytes, struct err *err);

/* The file is gone, for which so many bytes were taken.   Thread: any. */
void share_leave(struct share *share, int64_t bytes);
