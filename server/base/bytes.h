/* A borrowed run of bytes: what came from outside and is not (yet) text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *ptr; /* not terminated; may be NULL when len is 0 */
    size_t len;
};

static inline struct bytes
bytes_of(const void *ptr, size_t len)
{
    return (struct bytes){.ptr = ptr, .len = len};
}

static inline struct bytes
bytes_of_str(const char *text)
{
    return bytes_of(text, text ? strlen(text) : 0);
}

/* FNV-1a, for tables whose keys may be chosen by nobody to collide, or whose chains are short anyway. */
static inline uint64_t
bytes_hash(struct bytes bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Not for secrets or signatures: those are compared by crypto_equal(). */
static inline bool
bytes_equal_str(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.ptr, text, bytes.len) == 0);
}
