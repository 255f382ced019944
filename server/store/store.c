/* See store.h: opening, the readers' connections, and copies. Writing is in writer.c. */
#include "server/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/store/outbox.h"
#include "server/store/sqlite/checkpoint.h"
#include "server/store/sqlite/damage.h"
#include "server/store/sqlite/migrations.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/writer.h"

#define READERS_KEPT 16
#define FILE_MODE 0600 /* payloads of private repositories */

struct store {
    char *path;
    struct damage damage;
    struct checkpointer *checkpointer;
    struct writer *writer;
    pthread_mutex_t lock;
    struct sqlite *readers[READERS_KEPT]; /* under lock: idle connections */
    size_t reader_count;                  /* under lock */
};

/* What to do about it, where the words of the system do not say it. */
static const char *
advice_on(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return ": run as the user that draftd serves as, or give this one the right to write there";
    case EROFS:
        return ": draftd writes there; make its file system writable";
    default:
        return "";
    }
}

static int
fail_file(int number, const char *path, struct err *err)
{
    struct err cause;

    (void)err_set_errno(&cause, ERR_IO, number, "opening the store %s", path);
    return err_set(err, ERR_IO, "%s%s", cause.msg, advice_on(number));
}

static int
make_file(const char *path, struct err *err)
{
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return fail_file(errno, path, err);
    return 0;
}

/* The connections in their order: tables made ready, then upkeep, then the writer. */
static int
open_connections(struct store *store, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *upkeep = NULL;
    AUTO(sqlite_close) struct sqlite *sqlite = NULL;

    int code = sqlite_open(store->path, CONNECTION_UPKEEP, &upkeep, err);
    if (!code)
        code = migrations_run(upkeep, err);
    if (!code)
        code = sqlite_open(store->path, CONNECTION_WRITER, &sqlite, err);
    if (!code)
        upkeep->damage = sqlite->damage = &store->damage;
    if (!code)
        code = checkpointer_new(store->path, TAKE(upkeep), &store->checkpointer, err);
    if (!code)
        code = writer_new(store->path, TAKE(sqlite), store->checkpointer, &store->writer, err);
    return code;
}

int
store_open(const char *path, struct store **ret_store, struct err *err)
{
    AUTO(store_close) struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return err_set(err, ERR_NOMEM, "out of memory");

    pthread_mutex_init(&store->lock, NULL);
    damage_init(&store->damage);
    store->path = str_dup(path);
    if (!store->path)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = make_file(path, err);
    if (code)
        return code;
    code = open_connections(store, err);
    if (code)
        return err_wrap(err, "opening the store %s", path);

    *ret_store = TAKE(store);
    return 0;
}

void
store_close(struct store *store)
{
    if (!store)
        return;
    writer_free(store->writer);
    checkpointer_free(store->checkpointer);
    for (size_t i = 0; i < store->reader_count; i++)
        sqlite_close(store->readers[i]);
    damage_done(&store->damage);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}

int
store_transact(struct store *store, store_fn fn, void *ctx, struct err *err)
{
    return writer_transact(store->writer, fn, ctx, err);
}

void
store_submit(struct store *store, store_fn fn, store_done_fn done, void *ctx)
{
    writer_submit(store->writer, fn, done, ctx);
}

static int
take_reader(struct store *store, struct sqlite **ret_reader, struct err *err)
{
    struct sqlite *reader = NULL;

    pthread_mutex_lock(&store->lock);
    if (store->reader_count > 0)
        reader = store->readers[--store->reader_count];
    pthread_mutex_unlock(&store->lock);
    if (!reader)
        return sqlite_reopen(store->path, CONNECTION_READER, &store->damage, ret_reader, err);
    *ret_reader = reader;
    return 0;
}

static void
give_reader(struct store *store, struct sqlite *reader)
{
    pthread_mutex_lock(&store->lock);
    const bool room = store->reader_count < READERS_KEPT;
    if (room)
        store->readers[store->reader_count++] = reader;
    pthread_mutex_unlock(&store->lock);
    if (!room)
        sqlite_close(reader);
}

int
store_read(struct store *store, store_fn fn, void *ctx, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *reader = NULL;

    int code = take_reader(store, &reader, err);
    if (!code)
        code = sqlite_begin(reader, err);
    if (code)
        return code;

    code = fn(&reader->db, ctx, err);
    sqlite_rollback(reader);
    if (code != ERR_UNAVAILABLE) /* otherwise it may be the connection: use another one next time */
        give_reader(store, TAKE(reader));
    return code;
}

int
store_watch_damage(struct store *store, store_damage_fn *tell, void *ctx, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *sqlite = NULL;
    const int code = sqlite_reopen(store->path, CONNECTION_READER, &store->damage, &sqlite, err);

    return code ? code : damage_look(&store->damage, TAKE(sqlite), tell, ctx, err);
}

bool
store_is_damaged(const struct store *store)
{
    return atomic_load(&store->damage.found);
}

int
store_ping(struct db *db, void *ctx, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    (void)ctx;
    const int code = db_prepare(db, "UPDATE health SET pings = pings + 1 WHERE id = 1", &stmt, err);
    return code ? code : db_run(stmt, err);
}

/* Make of the copy what is to be taken up again one day. */
static int
finish_copy(const char *path, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *copy = NULL;

    int code = sqlite_open(path, CONNECTION_UPKEEP, &copy, err);
    if (!code)
        code = sqlite_begin(copy, err);
    if (!code)
        code = outbox_distrust(&copy->db, err);
    return code ? code : sqlite_commit(copy, err);
}

/* An I/O error while copying: of the store or, more likely, of the place that the copy goes to. */
static int
fail_copy(struct err *err, const struct err *cause, const char *path)
{
    const int code = cause->code == ERR_UNAVAILABLE ? ERR_IO : cause->code;

    return err_set(err, code, "writing the backup %s: %s", path, cause->msg);
}

/* `temporary` is what will be `path`. */
static int
write_copy(struct store *store, const char *temporary, const char *path, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *sqlite = NULL;
    struct err cause = {0};

    int code = sqlite_open(store->path, CONNECTION_UPKEEP, &sqlite, &cause);
    if (!code)
        code = sqlite_copy(sqlite, temporary, &cause);
    if (!code)
        code = finish_copy(temporary, &cause);
    return code ? fail_copy(err, &cause, path) : 0;
}

/* Give the finished copy its name, unless that is taken. */
static int
publish_copy(int fd, const char *temporary, const char *path, struct err *err)
{
    if (fsync(fd))
        return err_set_errno(err, ERR_IO, errno, "flushing the backup %s", path);
    if (link(temporary, path))
        return err_set_errno(err, errno == EEXIST ? ERR_CONFLICT : ERR_IO, errno,
                             "naming the backup %s", path);
    return fs_sync_parent(path, err);
}

/* SQLite keeps a journal beside what it writes, which stays after some failures. */
static void
remove_temporary(const char *temporary)
{
    auto_free char *journal = str_printf("%s-journal", temporary);

    unlink(temporary);
    if (journal)
        unlink(journal);
}

int
store_backup(struct store *store, const char *path, struct err *err)
{
    if (fs_exists(path))
        return err_set(err, ERR_CONFLICT, "%s exists: a backup goes to a new file", path);

    /* Under another name first, so that nobody takes a half of it for a backup. */
    auto_free char *temporary = str_printf("%s.XXXXXX", path);
    if (!temporary)
        return err_set(err, ERR_NOMEM, "out of memory");
    auto_close int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "making the backup %s", path);

    int code = write_copy(store, temporary, path, err);
    if (!code)
        code = publish_copy(fd, temporary, path, err);
    remove_temporary(temporary);
    return code;
}
