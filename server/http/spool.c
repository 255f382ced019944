/* See spool.h. */
#include "server/http/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/fs.h"
#include "server/base/strbuf.h"
#include "server/limits.h"

#define FIRST_CAPACITY_BYTES (16U * 1024)

void
spool_done(struct spool *spool)
{
    free(spool->memory);
    if (spool->fd >= 0)
        close(spool->fd);
    if (spool->share)
        share_leave(spool->share, spool->taken_bytes);
    *spool = (struct spool)SPOOL_INIT(spool->room, spool->from);
}

/* A file without a name: nothing is left behind, whatever happens. */
static int
open_unnamed(const char *dir, int *ret_fd, struct err *err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

    /* What a file system without O_TMPFILE answers differs. */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        auto_free char *name = str_printf("%s/body-XXXXXX", dir);
        if (!name)
            return err_set(err, ERR_NOMEM, "out of memory");
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(name);
    }
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "creating a file in %s", dir);
    *ret_fd = fd;
    return 0;
}

static int
write_to_file(struct spool *spool, struct bytes piece, struct err *err)
{
    int rc = share_take(spool->share, (int64_t)piece.len, err);

    if (rc)
        return rc;
    spool->taken_bytes += (int64_t)piece.len;
    rc = fs_write_all(spool->fd, piece, err);
    return rc ? err_wrap(err, "keeping a body in %s", room_dir(spool->room)) : 0;
}

static int
move_to_file(struct spool *spool, struct err *err)
{
    int rc = room_enter(spool->room, spool->from, &spool->share, err);

    if (!rc)
        rc = open_unnamed(room_dir(spool->room), &spool->fd, err);
    if (!rc)
        rc = write_to_file(spool, bytes_of(spool->memory, (size_t)spool->bytes), err);
    if (rc)
        return rc;
    free(TAKE(spool->memory));
    spool->capacity = 0;
    return 0;
}

static int
grow(struct spool *spool, uint64_t expected_bytes, size_t needed, struct err *err)
{
    if (needed <= spool->capacity)
        return 0;

    size_t capacity = spool->capacity * 2;
    if (capacity < FIRST_CAPACITY_BYTES)
        capacity = FIRST_CAPACITY_BYTES;
    if (expected_bytes > 0)
        capacity = (size_t)expected_bytes;
    if (capacity < needed)
        capacity = needed;
    char *memory = realloc(spool->memory, capacity);
    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    spool->memory = memory;
    spool->capacity = capacity;
    return 0;
}

int
spool_append(struct spool *spool, uint64_t expected_bytes, struct bytes piece, struct err *err)
{
    const uint64_t needed = (uint64_t)spool->bytes + piece.len;
    int rc = 0;

    if (spool->fd < 0 && (needed > LIMIT_SPOOL_BYTES || expected_bytes > LIMIT_SPOOL_BYTES))
        rc = move_to_file(spool, err);
    if (rc)
        return rc;
    if (spool->fd >= 0) {
        rc = write_to_file(spool, piece, err);
        if (rc)
            return rc;
    } else {
        rc = grow(spool, expected_bytes, (size_t)needed, err);
        if (rc)
            return rc;
        memcpy(spool->memory + spool->bytes, piece.ptr, piece.len);
    }
    spool->bytes = (int64_t)needed;
    return 0;
}

struct http_body
spool_body(const struct spool *spool)
{
    if (spool->fd >= 0)
        (void)lseek(spool->fd, 0, SEEK_SET);
    return (struct http_body){
        .memory = bytes_of(spool->memory, spool->fd >= 0 ? 0 : (size_t)spool->bytes),
        .spool_fd = spool->fd,
        .bytes = spool->bytes,
    };
}
