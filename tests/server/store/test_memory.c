/* Running out of memory: the n-th allocation of our own code fails, for n = 1, 2, ... until
 * everything passes. Each failure must be told as ERR_NOMEM, and nothing may leak (the address
 * sanitizer sees it). */
#include <unistd.h>

#include "tests/server/store/everything.h"

/* The linker sends our own calls here (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);
char *__wrap_strdup(const char *text);

static int left = -1; /* allocations that succeed before the one that fails; below 0: all do */

static bool
fails(void)
{
    const int before = __atomic_load_n(&left, __ATOMIC_RELAXED);

    if (before < 0)
        return false;
    return __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) == 0;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

void *
__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(ptr, count, size);
}

char *
__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* Call `operation` with ever more memory until it succeeds; answers after how many failures. */
static int
torture(int (*operation)(void *ctx, struct err *err), void *ctx)
{
    for (int n = 0;; n++) {
        struct err err = {0};
        __atomic_store_n(&left, n, __ATOMIC_RELAXED);
        const int code = operation(ctx, &err);
        __atomic_store_n(&left, -1, __ATOMIC_RELAXED);
        if (!code)
            return n;
        CHECK_INT(code, ERR_NOMEM);
        CHECK_INT(err.code, ERR_NOMEM);
        CHECK(n < 1000);
    }
}

static int
open_and_close(void *ctx, struct err *err)
{
    struct store *store = NULL;

    const int code = store_open(ctx, &store, err);
    store_close(store);
    return code;
}

TEST(opening)
{
    struct fixture f;

    fixture_make_dir(&f);
    CHECK(torture(open_and_close, f.path) >= 6);
    fixture_done(&f);
}

/* An operation over everything. */
struct attempt {
    const char *path;
    store_fn fn;
    struct everything everything;
};

/* By a new connection each time, which has no statement ready; undone by its end. */
static int
attempt(void *ctx, struct err *err)
{
    AUTO(sqlite_close) struct sqlite *sqlite = NULL;
    struct attempt *attempt = ctx;
    const int n = left;

    __atomic_store_n(&left, -1, __ATOMIC_RELAXED);
    CHECK_OK(sqlite_open(attempt->path, CONNECTION_WRITER, &sqlite, err), *err);
    CHECK_OK(sqlite_begin(sqlite, err), *err);
    __atomic_store_n(&left, n, __ATOMIC_RELAXED);
    const int code = attempt->fn(&sqlite->db, &attempt->everything, err);
    CHECK_INT(sqlite->open_count, 0);
    return code;
}

TEST(every_operation)
{
    char key[] = "key";
    struct fixture f;
    struct attempt it = {.fn = everything_write, .everything.key = key};
    struct err err;

    fixture_begin(&f);
    CHECK_OK(sqlite_commit(f.sqlite, &err), err);
    it.path = f.path;
    const int writing = torture(attempt, &it);
    CHECK_OK(sqlite_begin(f.sqlite, &err), err);
    CHECK_OK(everything_write(f.db, &it.everything, &err), err);
    CHECK_OK(sqlite_commit(f.sqlite, &err), err);
    it.fn = everything_read;
    const int reading = torture(attempt, &it);
    printf("# %d allocations in writing, %d in reading\n", writing, reading);
    CHECK(writing > 60 && reading > 60);
    fixture_done(&f);
}

static int
insert_spooled(void *ctx, struct err *err)
{
    struct db *db = ctx;
    const struct delivery_new delivery = {.platform = "p",
                                          .delivery_id = "spooled",
                                          .event = "e",
                                          .spool_fd = STDIN_FILENO, /* nothing is read of it */
                                          .spool_bytes = 0};
    int64_t id;

    const int code = delivery_insert(db, &delivery, &id, err);
    if (code && db_exec(db, "DELETE FROM delivery", err)) /* as the undone part would */
        return ERR_INTERNAL;
    return code;
}

TEST(writing)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK(torture(insert_spooled, f.db) >= 1);
    fixture_done(&f);
}

struct both {
    struct store *store;
    char *copy;
};

static int
use_store(void *ctx, struct err *err)
{
    const struct both *both = ctx;
    struct insertion insertion = {.delivery_id = "a", .body = "{}"};
    int64_t count;

    int code = store_transact(both->store, fixture_insert, &insertion, err);
    if (code == ERR_CONFLICT) /* it is there after the first success */
        code = 0;
    if (!code)
        code = store_read(both->store, fixture_count, &count, err);
    if (!code)
        code = store_backup(both->store, both->copy, err);
    return code;
}

TEST(using_an_open_store)
{
    struct fixture f;
    struct both both = {0};
    struct err err;

    fixture_make_dir(&f);
    CHECK_OK(store_open(f.path, &both.store, &err), err);
    both.copy = str_printf("%s/copy", f.dir);
    for (int n = 0; n < 40; n++) {
        __atomic_store_n(&left, n, __ATOMIC_RELAXED);
        const int code = use_store(&both, &err);
        __atomic_store_n(&left, -1, __ATOMIC_RELAXED);
        CHECK(code == 0 || code == ERR_NOMEM || code == ERR_UNAVAILABLE || code == ERR_CONFLICT);
        (void)unlink(both.copy);
        CHECK_OK(fixture_ping(both.store, &err), err); /* it recovers */
    }
    store_close(both.store);
    free(both.copy);
    fixture_done(&f);
}

static void
note_code(void *ctx, int code, const struct err *err)
{
    (void)err;
    *(int *)ctx = code;
}

static int
do_nothing(struct db *db, void *ctx, struct err *err)
{
    (void)db;
    (void)ctx;
    (void)err;
    return 0;
}

TEST(submitting)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;
    int code = 1;

    fixture_make_dir(&f);
    CHECK_OK(store_open(f.path, &store, &err), err);
    __atomic_store_n(&left, 0, __ATOMIC_RELAXED);
    store_submit(store, do_nothing, note_code, &code);
    __atomic_store_n(&left, -1, __ATOMIC_RELAXED);
    CHECK_INT(code, ERR_NOMEM); /* answered already */
    store_close(store);
    fixture_done(&f);
}

TEST_MAIN()
