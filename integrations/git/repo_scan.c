/* See repo_scan.h. */
#include "integrations/git/repo_scan.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "integrations/git/repo.h"

#define HEADER_BYTES 12
#define TRAILER_BYTES 20
#define DELTA_HEAD_BYTES 20 /* two sizes of at most 10 bytes each */
#define ENTRY_MIN_BYTES 9   /* one byte of head, eight of an empty zlib stream */
#define INFLATE_STEP (64 * 1024)

enum entry_type {
    ENTRY_COMMIT = 1,
    ENTRY_TREE = 2,
    ENTRY_BLOB = 3,
    ENTRY_TAG = 4,
    ENTRY_OFS_DELTA = 6,
    ENTRY_REF_DELTA = 7,
};

struct scan {
    const unsigned char *ptr;
    size_t end; /* of the entries: the trailer begins here */
    size_t at;
    uint64_t total;
    uint64_t *offsets; /* of the entries seen, ascending */
    uint32_t count;
    const struct repo_scan_limits *limits;
    unsigned char head[DELTA_HEAD_BYTES]; /* the first bytes of the entry inflated last */
    size_t head_len;
};

static int
malformed(const struct scan *scan, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "the pack is broken at byte %zu: object %u %s", scan->at,
                   scan->count, what);
}

static int
compare_offsets(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Little-endian groups of seven bits, the top bit set on all but the last; `shift` bits are there
 * already. */
static bool
take_size(const unsigned char *ptr, size_t len, size_t *at, unsigned shift, uint64_t *value)
{
    for (; *at < len && shift < 57; shift += 7) {
        const unsigned char byte = ptr[(*at)++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The distance back to the base: big-endian groups of seven bits, each step adding one. */
static bool
take_base(struct scan *scan, uint64_t start)
{
    uint64_t distance = 0;
    uint64_t base;
    bool more = true;

    for (unsigned i = 0; more; i++) {
        if (scan->at >= scan->end || i == 8)
            return false;
        const unsigned char byte = scan->ptr[scan->at++];
        distance = (i ? (distance + 1) << 7 : 0) | (byte & 0x7f);
        more = byte & 0x80;
    }
    if (distance == 0 || distance > start)
        return false;
    base = start - distance;
    return bsearch(&base, scan->offsets, scan->count, sizeof base, compare_offsets) != NULL;
}

/* Inflate the entry's data, keeping only its first bytes. */
static int
inflate_entry(struct scan *scan, z_stream *z, uint64_t size, struct err *err)
{
    unsigned char out[INFLATE_STEP];
    const size_t room = scan->end - scan->at;
    const uInt given = (uInt)(room > UINT_MAX / 2 ? UINT_MAX / 2 : room);
    uint64_t got = 0;
    int status = Z_OK;

    scan->head_len = 0;
    z->next_in = (Bytef *)(uintptr_t)(scan->ptr + scan->at); /* zlib's own lack of const */
    z->avail_in = given;
    while (status == Z_OK) {
        z->next_out = out;
        z->avail_out = sizeof out;
        status = inflate(z, Z_NO_FLUSH);
        const size_t n = sizeof out - z->avail_out;
        if (got < sizeof scan->head) {
            const size_t left = sizeof scan->head - (size_t)got;
            memcpy(scan->head + got, out, n < left ? n : left);
            scan->head_len += n < left ? n : left;
        }
        got += n;
        if (got > size)
            return malformed(scan, "is larger than it says", err);
    }
    if (status != Z_STREAM_END || got != size)
        return malformed(scan, "does not inflate to what it says", err);
    scan->at += given - z->avail_in;
    return 0;
}

/* The size of what a delta makes is in its first bytes, behind the size of its base. */
static int
delta_size(struct scan *scan, uint64_t *ret_size, struct err *err)
{
    uint64_t base = 0;
    uint64_t size = 0;
    size_t at = 0;

    if (!take_size(scan->head, scan->head_len, &at, 0, &base) ||
        !take_size(scan->head, scan->head_len, &at, 0, &size))
        return malformed(scan, "is a delta without sizes", err);
    if (base > scan->limits->max_object_bytes)
        return err_set(err, ERR_LIMIT, "a delta in the pack claims a base of %ju bytes", base);
    *ret_size = size;
    return 0;
}

static int
check_size(const struct scan *scan, uint64_t size, struct err *err)
{
    if (size > scan->limits->max_object_bytes)
        return err_set(err, ERR_LIMIT, "the pack holds an object of %ju bytes; the limit is %ju",
                       size, scan->limits->max_object_bytes);
    return 0;
}

/* Type and size, and what a delta has to say of its base, before the data begins. */
static int
scan_head(struct scan *scan, unsigned *ret_type, uint64_t *ret_size, struct err *err)
{
    const size_t start = scan->at;
    const unsigned char first = scan->at < scan->end ? scan->ptr[scan->at++] : 0;
    const unsigned type = first >> 4 & 7;
    uint64_t size = first & 0x0f;

    if ((first & 0x80) && !take_size(scan->ptr, scan->end, &scan->at, 4, &size))
        return malformed(scan, "has no proper size", err);
    if (type == ENTRY_OFS_DELTA && !take_base(scan, start))
        return malformed(scan, "is a delta without a base before it", err);
    if (type == ENTRY_REF_DELTA) {
        if (scan->end - scan->at < TRAILER_BYTES)
            return malformed(scan, "is cut short", err);
        scan->at += TRAILER_BYTES; /* an object id has the trailer's length */
    }
    if (type == 0 || type == 5)
        return malformed(scan, "is cut short or of no known type", err);
    *ret_type = type;
    *ret_size = size;
    return check_size(scan, size, err);
}

static int
scan_entry(struct scan *scan, z_stream *z, struct err *err)
{
    const size_t start = scan->at;
    unsigned type = 0;
    uint64_t size = 0;
    int r = scan_head(scan, &type, &size, err);

    r = r ? r : inflate_entry(scan, z, size, err);
    if (!r && (type == ENTRY_OFS_DELTA || type == ENTRY_REF_DELTA)) {
        r = delta_size(scan, &size, err);
        r = r ? r : check_size(scan, size, err);
    }
    if (r)
        return r;
    scan->total += size;
    if (scan->total > scan->limits->max_total_bytes)
        return err_set(err, ERR_LIMIT, "the pack unpacks to more than %ju bytes",
                       scan->limits->max_total_bytes);
    scan->offsets[scan->count++] = start;
    return 0;
}

static int
scan_entries(struct scan *scan, uint32_t count, struct err *err)
{
    z_stream z = {0};
    int r = 0;

    if (inflateInit(&z) != Z_OK)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (!r && scan->count < count) {
        r = repo_watch_check(scan->limits->watch, err);
        r = r ? err_wrap(err, "unpacking") : scan_entry(scan, &z, err);
        if (!r && inflateReset(&z) != Z_OK)
            r = err_set(err, ERR_INTERNAL, "zlib cannot be reset");
    }
    inflateEnd(&z);
    if (!r && scan->at != scan->end)
        r = err_set(err, ERR_INVALID, "%zu bytes follow the pack's last object",
                    scan->end - scan->at);
    return r;
}

static uint32_t
big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int
repo_scan_pack(struct bytes pack, const struct repo_scan_limits *limits, struct err *err)
{
    auto_free uint64_t *offsets = NULL;
    struct scan scan = {
        .ptr = (const unsigned char *)pack.ptr, .at = HEADER_BYTES, .limits = limits};

    if (pack.len < HEADER_BYTES + TRAILER_BYTES || memcmp(pack.ptr, "PACK", 4) != 0 ||
        big_endian(scan.ptr + 4) != 2)
        return err_set(err, ERR_INVALID, "what was handed out is not a git pack of version 2");
    const uint32_t count = big_endian(scan.ptr + 8);
    if (count > limits->max_objects)
        return err_set(err, ERR_LIMIT, "the pack holds %u objects; the limit is %u", count,
                       limits->max_objects);
    if (count > pack.len / ENTRY_MIN_BYTES)
        return err_set(err, ERR_INVALID, "the pack is too short for its %u objects", count);
    offsets = calloc((size_t)count + 1, sizeof *offsets);
    if (!offsets)
        return err_set(err, ERR_NOMEM, "out of memory");
    scan.offsets = offsets;
    scan.end = pack.len - TRAILER_BYTES;
    return scan_entries(&scan, count, err);
}
