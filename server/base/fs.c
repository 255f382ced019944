/* See fs.h. */
#include "server/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define READ_CHUNK_BYTES 65536

int
fs_read_file(const char *path, struct strbuf *buf, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    auto_free char *chunk = malloc(READ_CHUNK_BYTES);

    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, errno, "reading %s",
                             path);
    if (!chunk)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (;;) {
        const ssize_t got = read(fd, chunk, READ_CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, ERR_IO, errno, "reading %s", path);
        if (got == 0)
            return 0;
        strbuf_add(buf, chunk, (size_t)got);
        if (!strbuf_ok(buf))
            return err_set(err, buf->failed, "%s is larger than %zu bytes", path, buf->max);
    }
}

int
fs_write_all(int fd, struct bytes contents, struct err *err)
{
    while (contents.len > 0) {
        const ssize_t put = write(fd, contents.ptr, contents.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set_errno(err, ERR_IO, errno, "writing");
        contents = bytes_of(contents.ptr + put, contents.len - (size_t)put);
    }
    return 0;
}

int
fs_sync_parent(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *parent =
        slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

    if (!parent)
        return err_set(err, ERR_NOMEM, "out of memory");
    auto_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, errno, "flushing %s", parent);
    return 0;
}

static int
write_and_sync(int fd, struct bytes contents, mode_t mode, const char *path, struct err *err)
{
    const int r = fs_write_all(fd, contents, err);

    if (r)
        return err_wrap(err, "%s", path);
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return err_set_errno(err, ERR_IO, errno, "writing %s", path);
    return 0;
}

int
fs_write_file(const char *path, struct bytes contents, mode_t mode, struct err *err)
{
    auto_free char *temporary = str_printf("%s.XXXXXX", path);

    if (!temporary)
        return err_set(err, ERR_NOMEM, "out of memory");
    auto_close int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "creating a file beside %s", path);

    int r = write_and_sync(fd, contents, mode, path, err);
    if (!r && rename(temporary, path) < 0)
        r = err_set_errno(err, ERR_IO, errno, "renaming to %s", path);
    if (r) {
        (void)unlink(temporary);
        return r;
    }
    return fs_sync_parent(path, err);
}

int
fs_make_dirs(const char *path, mode_t mode, struct err *err)
{
    auto_free char *prefix = strdup(path);
    struct stat facts;

    if (!prefix)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (char *p = prefix + 1;; p++) {
        if (*p && *p != '/')
            continue;
        const char saved = *p;
        *p = '\0';
        if (mkdir(prefix, mode) < 0 && errno != EEXIST)
            return err_set_errno(err, ERR_IO, errno, "making the directory %s", prefix);
        *p = saved;
        if (!saved)
            break;
    }
    if (stat(path, &facts) < 0 || !S_ISDIR(facts.st_mode))
        return err_set(err, ERR_IO, "%s is there, but no directory", path);
    return 0;
}

int
fs_remove_tree(const char *path, struct err *err)
{
    char *roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree;
    FTSENT *entry;
    int r = 0;

    if (!fs_exists(path))
        return 0;
    tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (!tree)
        return err_set_errno(err, ERR_IO, errno, "removing %s", path);
    while ((entry = fts_read(tree))) {
        if (entry->fts_info == FTS_D)
            continue;
        const bool is_dir = entry->fts_info == FTS_DP;
        if ((is_dir ? rmdir(entry->fts_accpath) : unlink(entry->fts_accpath)) < 0 &&
            errno != ENOENT && r == 0)
            r = err_set_errno(err, ERR_IO, errno, "removing %s", entry->fts_path);
    }
    (void)fts_close(tree);
    return r;
}

int
fs_make_temp_dir(const char *parent, const char *prefix, char **ret_path, struct err *err)
{
    auto_free char *path = str_printf("%s/%sXXXXXX", parent, prefix);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!mkdtemp(path))
        return err_set_errno(err, ERR_IO, errno, "making a directory below %s", parent);
    *ret_path = TAKE(path);
    return 0;
}

bool
fs_exists(const char *path)
{
    struct stat ignored;
    return lstat(path, &ignored) == 0;
}

int64_t
fs_free_bytes(const char *path)
{
    struct statvfs facts;

    if (statvfs(path, &facts) < 0)
        return INT64_MAX;
    return (int64_t)facts.f_bavail * (int64_t)facts.f_frsize;
}

int
fs_lock(const char *path, int *ret_fd, struct err *err)
{
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "opening %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_CONFLICT, "%s is held by another process", path)
                   : err_set_errno(err, ERR_IO, errno, "locking %s", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
