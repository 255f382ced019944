/* A first look at a hostile pack, before any library reads it: is it whole, and what would it
 * unpack to? A few bytes of delta can stand for terabytes, and libgit2 allocates what a pack
 * declares. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stdint.h>

struct repo_watch;

struct repo_scan_limits {
    uint32_t max_objects;
    uint64_t max_object_bytes;      /* of one, unpacked */
    uint64_t max_total_bytes;       /* of all, unpacked */
    const struct repo_watch *watch; /* or NULL */
};

/* Check that `pack` is one pack of version 2 (gitformat-pack(5)) and nothing else: each entry
 * inflates to exactly the size that it declares, each delta by offset starts from an earlier entry,
 * and neither an object nor all of them together are over the limits. Memory: 8 bytes per object.
 * The checksum and the objects' ids are the indexer's business. Errors: ERR_INVALID; ERR_LIMIT;
 * ERR_NOMEM; as repo_watch_check(). */
MUST_CHECK int
repo_scan_pack(struct bytes pack, const struct repo_scan_limits *limits, struct err *err);
