/* The n-th access to a file fails, or the n-th allocation of SQLite, for n = 1, 2, ... until
 * everything passes: over opening, every typed operation, reading, copying and closing. Each
 * failure is told in words; a change is there as a whole when it was acknowledged, and not at all
 * otherwise; and with the cause gone the same open store goes on.
 *
 * Files fail by a layer under SQLite (https://www.sqlite.org/vfs.html), memory by its allocator
 * (SQLITE_CONFIG_MALLOC): what fails is decided by counting, so that a failure can be had again. */
#include <sqlite3.h>
#include <unistd.h>

#include "tests/server/store/everything.h"

/* ---- what fails ---- */

/* Counts down at every access; the one that takes it to zero fails, and with `lasting` all after.
 */
static int countdown;
static bool lasting;
static int failed; /* how many did */

static bool
fails(void)
{
    const int left = __atomic_load_n(&countdown, __ATOMIC_SEQ_CST);

    const bool lasts = __atomic_load_n(&lasting, __ATOMIC_SEQ_CST);

    if (left <= 0 && !(lasts && left < 0))
        return false;
    if (left > 0 && __atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    __atomic_store_n(&countdown, lasts ? -1 : 0, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
    return true;
}

static void
fail_from(int nth, bool all_after)
{
    __atomic_store_n(&failed, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&lasting, all_after, __ATOMIC_SEQ_CST);
    __atomic_store_n(&countdown, nth, __ATOMIC_SEQ_CST);
}

static int
stop_failing(void)
{
    __atomic_store_n(&countdown, 0, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&failed, __ATOMIC_SEQ_CST);
}

/* ---- files ---- */

static sqlite3_vfs *real_vfs;
static bool files_fail;
static bool memory_fails;
static int stride; /* every so manieth is made to fail */

/* The real file lies behind it. */
struct file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return ((struct file *)(void *)file)->real;
}

static bool
file_fails(void)
{
    return files_fail && fails();
}

static int
file_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);

    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int
file_read(sqlite3_file *file, void *buf, int len, sqlite3_int64 at)
{
    return file_fails() ? SQLITE_IOERR_READ
                        : real_of(file)->pMethods->xRead(real_of(file), buf, len, at);
}

/* What fails may have been written in part. */
static int
file_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(file);

    if (!file_fails())
        return real->pMethods->xWrite(real, buf, len, at);
    (void)real->pMethods->xWrite(real, buf, len / 2, at);
    return len % 1024 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return file_fails() ? SQLITE_IOERR_TRUNCATE
                        : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
file_sync(sqlite3_file *file, int flags)
{
    return file_fails() ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return file_fails() ? SQLITE_IOERR_FSTAT
                        : real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int
file_lock(sqlite3_file *file, int level)
{
    return file_fails() ? SQLITE_IOERR_LOCK : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int
file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int
file_check_reserved(sqlite3_file *file, int *ret_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_reserved);
}

static int
file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int
file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int
file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_page)
{
    return file_fails()
               ? SQLITE_IOERR_SHMMAP
               : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret_page);
}

static int
file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    const bool takes = flags & SQLITE_SHM_LOCK;

    return takes && file_fails()
               ? SQLITE_IOERR_SHMLOCK
               : real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void
file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int
file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    struct file *file = (struct file *)(void *)base;

    (void)vfs;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *)(void *)(file + 1);
    if (file_fails())
        return SQLITE_CANTOPEN;
    const int result = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (!result)
        file->base.pMethods = &file_methods;
    return result;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return file_fails() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

/* ---- memory ---- */

static sqlite3_mem_methods real_memory;

static void *
memory_malloc(int bytes)
{
    return memory_fails && fails() ? NULL : real_memory.xMalloc(bytes);
}

static void *
memory_realloc(void *ptr, int bytes)
{
    return memory_fails && fails() ? NULL : real_memory.xRealloc(ptr, bytes);
}

/* Before SQLite is used for the first time. */
static void
inject(void)
{
    static sqlite3_vfs vfs;
    static bool injected;

    if (injected)
        return;
    injected = true;
    CHECK_INT(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods memory = real_memory;
    memory.xMalloc = memory_malloc;
    memory.xRealloc = memory_realloc;
    CHECK_INT(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory), SQLITE_OK);
    CHECK_INT(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK); /* all of it is counted */
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "failing";
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    CHECK_INT(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* ---- what is tried ---- */

/* Words that tell an operator what is the matter, and a code that callers know. */
static void
check_told(int code, const struct err *err, int nth)
{
    if (code != ERR_UNAVAILABLE && code != ERR_NOMEM && code != ERR_IO)
        TEST_FAIL("failure %d: code %d: %s", nth, code, err->msg);
    CHECK_INT(err->code, code);
    CHECK(strlen(err->msg) > 10 || code == ERR_NOMEM);
}

static int
check_integrity(struct db *db, void *ctx, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row = false;

    (void)ctx;
    TRY(db_prepare(db, "PRAGMA integrity_check", &stmt, err));
    TRY(db_step(stmt, &row, err));
    return strcmp(db_column_text(stmt, 0), "ok") != 0
               ? err_set(err, ERR_INTERNAL, "%s", db_column_text(stmt, 0))
               : 0;
}

static int
count_of_key(struct db *db, void *ctx, struct err *err)
{
    struct everything *e = ctx;
    auto_free char *sql =
        str_printf("SELECT (SELECT count(*) FROM delivery WHERE delivery_id = '%s')"
                   " + (SELECT count(*) FROM task WHERE origin = '%s')"
                   " + (SELECT count(*) FROM outbox WHERE thread = '%s')"
                   " + (SELECT count(*) FROM baseline WHERE baseline_key = '%s')",
                   e->key, e->key, e->key, e->key);

    (void)err;
    e->run = fixture_int(db, sql);
    return 0;
}

/* With what failed gone, the open store goes on, and has all of it or nothing. */
static void
check_whole(struct store *store, struct everything *e, bool acknowledged)
{
    struct everything found = *e;
    struct err err;

    CHECK_OK(fixture_ping(store, &err), err);
    CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
    CHECK_OK(store_read(store, count_of_key, &found, &err), err);
    CHECK_INT(found.run, acknowledged ? 6 : 0);
    if (acknowledged)
        CHECK_OK(store_read(store, everything_read, e, &err), err);
}

/* Write everything with the nth failing.  Answers: did it fail? */
static bool
write_with(struct store *store, const char *key, int nth, bool all_after)
{
    struct everything e = {.key = str_printf("%s %d %d", key, nth, all_after)};
    struct err err = {0};

    fail_from(nth, all_after);
    const int code = store_transact(store, everything_write, &e, &err);
    const bool had_failure = stop_failing() > 0;
    if (code) {
        CHECK(had_failure);
        check_told(code, &err, nth);
    }
    check_whole(store, &e, !code);
    free(e.key);
    return had_failure;
}

/* Once with an open store, whose caches are full, and once with one that was opened just now. */
static void
torture_writing(bool all_after)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;
    int warm = 1;
    int cold = 1;

    inject();
    fixture_make_dir(&f);
    CHECK_OK(store_open(f.path, &store, &err), err);
    while (write_with(store, "warm", warm, all_after))
        warm += stride;
    for (bool had_failure = true; had_failure; cold += stride) {
        store_close(TAKE(store));
        CHECK_OK(store_open(f.path, &store, &err), err);
        had_failure = write_with(store, "cold", cold, all_after);
    }
    printf("# of %d accesses while writing, and of %d right after opening\n", warm, cold);
    CHECK(warm > 10 && cold > 20);
    store_close(store);
    fixture_done(&f);
}

static void
torture_reading(void)
{
    struct everything e = {.key = str_dup("key")};
    struct store *store = NULL;
    struct fixture f;
    struct err err;
    int code = 1;
    int nth = 0;

    inject();
    fixture_make_dir(&f);
    CHECK_OK(store_open(f.path, &store, &err), err);
    CHECK_OK(store_transact(store, everything_write, &e, &err), err);
    store_close(TAKE(store));
    for (bool had_failure = true; had_failure; nth += stride) {
        CHECK_OK(store_open(f.path, &store, &err), err);
        fail_from(nth + 1, false);
        code = store_read(store, everything_read, &e, &err);
        had_failure = stop_failing() > 0;
        if (code)
            check_told(code, &err, nth + 1);
        CHECK(!code || had_failure);
        CHECK_OK(store_read(store, everything_read, &e, &err), err);
        store_close(TAKE(store));
    }
    printf("# of %d accesses while reading\n", nth);
    CHECK(nth > 10);
    free(e.key);
    fixture_done(&f);
}

/* A new store, and one that is there: what fails leaves a file that opens the next time. */
static void
torture_opening(bool all_after)
{
    struct store *store = NULL;
    struct fixture f;
    struct err err;
    int nth = 0;

    inject();
    fixture_make_dir(&f);
    for (bool had_failure = true; had_failure; nth += stride) {
        fail_from(nth + 1, all_after);
        const int code = store_open(f.path, &store, &err);
        had_failure = stop_failing() > 0;
        if (code)
            check_told(code, &err, nth + 1);
        CHECK(!code || had_failure);
        store_close(TAKE(store));
        CHECK_OK(store_open(f.path, &store, &err), err);
        CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
        store_close(TAKE(store));
        CHECK_INT(unlink(f.path), 0);
    }
    printf("# of %d accesses while opening\n", nth);
    CHECK(nth > 20);
    fixture_done(&f);
}

static void
torture_copying(bool all_after)
{
    struct everything e = {.key = str_dup("key")};
    struct store *store = NULL;
    struct fixture f;
    struct err err;
    int nth = 0;

    inject();
    fixture_make_dir(&f);
    char *path = str_printf("%s/copy", f.dir);
    CHECK_OK(store_open(f.path, &store, &err), err);
    CHECK_OK(store_transact(store, everything_write, &e, &err), err);
    for (bool had_failure = true; had_failure; nth += stride) {
        struct store *copy = NULL;
        fail_from(nth + 1, all_after);
        const int code = store_backup(store, path, &err);
        had_failure = stop_failing() > 0;
        if (code) {
            check_told(code, &err, nth + 1);
            CHECK(had_failure && !fs_exists(path));
        } else {
            CHECK_OK(store_open(path, &copy, &err), err);
            CHECK_OK(store_read(copy, everything_read, &e, &err), err);
            CHECK_OK(store_read(copy, check_integrity, NULL, &err), err);
            store_close(copy);
            CHECK_INT(unlink(path), 0);
        }
        CHECK_OK(fixture_ping(store, &err), err);
    }
    printf("# of %d accesses while copying\n", nth);
    CHECK(nth > 20);
    store_close(store);
    free(path);
    free(e.key);
    fixture_done(&f);
}

static void
choose(bool files)
{
    files_fail = files;
    memory_fails = !files;
    /* there are thousands of allocations, and sanitizers slow each try */
    stride = files ? 1 : TEST_PATIENCE > 6 ? 41 : 13;
}

TEST(a_file_fails_once_while_writing)
{
    choose(true);
    torture_writing(false);
}

TEST(files_fail_from_some_moment_on_while_writing)
{
    choose(true);
    torture_writing(true);
}

TEST(a_file_fails_while_reading)
{
    choose(true);
    torture_reading();
}

TEST(files_fail_while_opening)
{
    choose(true);
    torture_opening(false);
    torture_opening(true);
}

TEST(files_fail_while_copying)
{
    choose(true);
    torture_copying(false);
    torture_copying(true);
}

TEST(sqlite_runs_out_of_memory_while_writing)
{
    choose(false);
    torture_writing(false);
}

TEST(sqlite_runs_out_of_memory_while_reading)
{
    choose(false);
    torture_reading();
}

TEST(sqlite_runs_out_of_memory_while_opening)
{
    choose(false);
    torture_opening(false);
}

TEST(sqlite_runs_out_of_memory_while_copying)
{
    choose(false);
    torture_copying(false);
}

TEST_MAIN()
