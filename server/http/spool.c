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
    *spool = (struct spool)SPOOL_INIT;
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
move_to_file(struct spool *spool, const char *dir, struct err *err)
{
    auto_close int fd = -1;

    int rc = open_unnamed(dir, &fd, err);
    if (rc)
        return rc;
    rc = fs_write_all(fd, bytes_of(spool->memory, (size_t)spool->bytes), err);
    if (rc)
        return err_wrap(err, "keeping a body in %s", dir);
    free(TAKE(spool->memory));
    spool->capacity = 0;
    spool->fd = TAKE_FD(fd);
    return 0;
}

static int
make_room(struct spool *spool, uint64_t expected_bytes, size_t needed, struct err *err)
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
spool_append(struct spool *spool,
             const char *dir,
             uint64_t expected_bytes,
             struct bytes piece,
             struct err *err)
{
    const uint64_t needed = (uint64_t)spool->bytes + piece.len;
    int rc = 0;

    if (spool->fd < 0 && (needed > LIMIT_SPOOL_BYTES || expected_bytes > LIMIT_SPOOL_BYTES))
        rc = move_to_file(spool, dir, err);
    if (rc)
        return rc;
    if (spool->fd >= 0) {
        rc = fs_write_all(spool->fd, piece, err);
        if (rc)
            return err_wrap(err, "keeping a body in %s", dir);
    } else {
        rc = make_room(spool, expected_bytes, (size_t)needed, err);
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
