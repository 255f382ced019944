/* How commits reach the write-ahead log: in few large pieces, all of them before the flush. Counted
 * by a layer under the store's own (https://www.sqlite.org/vfs.html). */
#include <sqlite3.h>

#include "tests/server/store/fixture.h"

static struct {
    int pieces;
    int64_t bytes;
    int flushes;
    int unflushed; /* pieces since the last flush */
} seen;

static sqlite3_vfs *real_vfs;
static const sqlite3_io_methods *real_methods;

static int
count_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
    seen.pieces++;
    seen.unflushed++;
    seen.bytes += len;
    return real_methods->xWrite(file, buf, len, at);
}

static int
count_sync(sqlite3_file *file, int flags)
{
    seen.flushes++;
    seen.unflushed = 0;
    return real_methods->xSync(file, flags);
}

/* The file stays the real layer's own but for two of its functions. */
static int
open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    static sqlite3_io_methods counted;
    const int result = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);

    (void)vfs;
    if (result || !(flags & SQLITE_OPEN_WAL))
        return result;
    real_methods = file->pMethods;
    counted = *real_methods;
    counted.xWrite = count_write;
    counted.xSync = count_sync;
    file->pMethods = &counted;
    return SQLITE_OK;
}

static void
begin(struct fixture *f, struct store **ret_store)
{
    static sqlite3_vfs vfs;
    struct err err;

    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        CHECK(real_vfs);
        vfs = *real_vfs;
        vfs.zName = "counting";
        vfs.xOpen = open_counted;
        CHECK_INT(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    }
    fixture_make_dir(f);
    CHECK_OK(store_open(f->path, ret_store, &err), err);
    CHECK_OK(fixture_ping(*ret_store, &err), err); /* the first commit makes the log's head, too */
}

/* A reading function: has the newest delivery the body of `ctx`? */
static int
same_body(struct db *db, void *ctx, struct err *err)
{
    const struct insertion *insertion = ctx;
    AUTO_DONE(strbuf_done) struct strbuf body = STRBUF_INIT(4000000);

    const int code = delivery_body(db, insertion->id, &body, err);
    if (!code)
        CHECK_STR(strbuf_str(&body), insertion->body);
    return code;
}

/* Store a delivery with a body of so many bytes, and see that it is there as it was. */
static void
insert_and_read(struct store *store, size_t bytes)
{
    struct err err;
    char *body = malloc(bytes + 1);
    struct insertion insertion = {.delivery_id = "large", .body = body};

    CHECK(body);
    for (size_t i = 0; i < bytes; i++)
        body[i] = (char)('a' + i * i % 23);
    body[bytes] = '\0';
    memset(&seen, 0, sizeof(seen));
    CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
    CHECK(seen.bytes > (int64_t)bytes);
    CHECK_INT(seen.unflushed, 0);
    CHECK_OK(store_read(store, same_body, &insertion, &err), err);
    free(body);
}

TEST(a_commit_is_one_piece_and_one_flush)
{
    struct fixture f;
    struct store *store = NULL;

    begin(&f, &store);
    insert_and_read(store, 12500);
    CHECK_INT(seen.pieces, 1);
    CHECK_INT(seen.flushes, 1);
    store_close(store);
    fixture_done(&f);
}

TEST(a_large_commit_is_few_pieces_and_one_flush)
{
    struct fixture f;
    struct store *store = NULL;

    begin(&f, &store);
    insert_and_read(store, 2000000);
    CHECK(seen.pieces > 1);
    CHECK(seen.bytes / seen.pieces > 100000);
    CHECK_INT(seen.flushes, 1);
    store_close(store);
    fixture_done(&f);
}

TEST_MAIN()
