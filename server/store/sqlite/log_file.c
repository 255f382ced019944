/* See log_file.h, and https://www.sqlite.org/vfs.html. All files but the log are the layer below's
 * own: nothing stands between SQLite and them. */
#include "server/store/sqlite/log_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* Some ten deliveries. SQLite's own layer for files cannot write 128 KiB or more at once. */
#define GATHER_BYTES ((size_t)127 * 1024)

/* An open log. The file of the layer below lies behind it. */
struct log_file {
    sqlite3_file base;
    char *gathered; /* NULL until something is written */
    size_t used;
    sqlite3_int64 start; /* where the first gathered byte belongs */
};

#define FILE_BYTES ((sizeof(struct log_file) + 15U) & ~(size_t)15U)

static sqlite3_vfs *below; /* set once, with the layer */
static sqlite3_vfs layer;

static struct log_file *
log_of(sqlite3_file *file)
{
    return (struct log_file *)(void *)file;
}

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((char *)file + FILE_BYTES);
}

/* After a failure SQLite undoes the transaction: what was gathered is of no use then. */
static int
hand_down(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    sqlite3_file *real = real_of(file);
    const size_t used = log->used;

    log->used = 0;
    if (used == 0)
        return SQLITE_OK;
    return real->pMethods->xWrite(real, log->gathered, (int)used, log->start);
}

/* What is gathered still is of a transaction without a commit. */
static int
log_close(sqlite3_file *file)
{
    free(log_of(file)->gathered);
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int
log_read(sqlite3_file *file, void *buf, int len, sqlite3_int64 at)
{
    const int result = hand_down(file);

    return result ? result : real_of(file)->pMethods->xRead(real_of(file), buf, len, at);
}

static int
log_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    int result = SQLITE_OK;

    if (at != log->start + (sqlite3_int64)log->used || log->used + (size_t)len > GATHER_BYTES)
        result = hand_down(file);
    if (result)
        return result;
    if (!log->gathered)
        log->gathered = malloc(GATHER_BYTES);
    if (!log->gathered || (size_t)len > GATHER_BYTES)
        return real_of(file)->pMethods->xWrite(real_of(file), buf, len, at);
    if (log->used == 0)
        log->start = at;
    memcpy(log->gathered + log->used, buf, (size_t)len);
    log->used += (size_t)len;
    return SQLITE_OK;
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const int result = hand_down(file);

    return result ? result : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
log_sync(sqlite3_file *file, int flags)
{
    const int result = hand_down(file);

    return result ? result : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    const int result = hand_down(file);

    return result ? result : real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int
log_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int
log_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int
log_check_lock(sqlite3_file *file, int *ret_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_locked);
}

static int
log_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int
log_sector_bytes(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
log_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* The first version of these: what came later (shared memory, mapping) is not asked of a log. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_bytes,
    .xDeviceCharacteristics = log_characteristics,
};

static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return below->xOpen(below, name, file, flags, ret_flags);

    *log_of(file) = (struct log_file){.used = 0};
    const int result = below->xOpen(below, name, real_of(file), flags, ret_flags);
    if (real_of(file)->pMethods) /* also after some failures: SQLite closes it then */
        file->pMethods = &log_methods;
    return result;
}

static void
make_layer(void)
{
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);

    if (!found)
        return;
    layer = *found;
    layer.pNext = NULL;
    layer.zName = "draftd-log";
    layer.szOsFile += (int)FILE_BYTES;
    layer.xOpen = open_file;
    below = found;
    if (sqlite3_vfs_register(&layer, 0))
        below = NULL;
}

const char *
log_file_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_layer);
    return below ? layer.zName : NULL;
}
