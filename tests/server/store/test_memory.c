/* Running out of memory: the n-th allocation of our own code fails, for n = 1, 2, ... until
 * everything passes. Each failure must be told as ERR_NOMEM, and nothing may leak (the address
 * sanitizer sees it). */
#include <unistd.h>

#include "server/store/draft.h"
#include "server/store/outbox.h"
#include "server/store/step.h"
#include "tests/server/store/fixture.h"

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

/* What `read_all` reads. */
struct everything {
    struct db *db;
    int64_t delivery;
    int64_t task;
    int64_t run;
    int64_t step;
};

static int
read_records(const struct everything *e, struct err *err)
{
    AUTO(delivery_free) struct delivery *delivery = NULL;
    AUTO(task_free) struct task *task = NULL;
    AUTO(run_free) struct run *run = NULL;
    AUTO(step_free) struct step *step = NULL;
    AUTO(draft_free) struct draft *draft = NULL;
    AUTO(outbox_message_free) struct outbox_message *message = NULL;

    int code = delivery_get(e->db, e->delivery, &delivery, err);
    if (!code)
        code = task_get(e->db, e->task, &task, err);
    if (!code)
        code = run_get(e->db, e->run, &run, err);
    if (!code)
        code = step_get(e->db, e->step, &step, err);
    if (!code)
        code = draft_get(e->db, e->task, &draft, err);
    if (!code)
        code = outbox_next(e->db, 1000, &message, err);
    return code;
}

static int
read_lists(const struct everything *e, struct err *err)
{
    AUTO_DONE(delivery_list_done) struct delivery_list deliveries = {0};
    AUTO_DONE(task_list_done) struct task_list tasks = {0};
    AUTO_DONE(run_list_done) struct run_list runs = {0};
    AUTO_DONE(step_list_done) struct step_list steps = {0};
    AUTO_DONE(check_result_list_done) struct check_result_list checks = {0};
    AUTO_DONE(outbox_list_done) struct outbox_list messages = {0};

    int code = delivery_list(e->db, 10, &deliveries, err);
    if (!code)
        code = task_list(e->db, false, 10, &tasks, err);
    if (!code)
        code = run_list(e->db, e->task, &runs, err);
    if (!code)
        code = step_list(e->db, e->run, &steps, err);
    if (!code)
        code = check_list(e->db, e->run, &checks, err);
    if (!code)
        code = outbox_list(e->db, e->task, &messages, err);
    return code;
}

static int
read_all(void *ctx, struct err *err)
{
    const struct everything *e = ctx;

    AUTO_DONE(strbuf_done) struct strbuf body = STRBUF_INIT(100);
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(100);
    int code = read_records(e, err);
    if (!code)
        code = read_lists(e, err);
    if (!code)
        code = delivery_body(e->db, e->delivery, &body, err);
    if (!code)
        code = step_read_tail(e->db, e->step, 10, &output, err);
    return code;
}

static void
make_rows(struct everything *e)
{
    char name[] = "name";
    struct insertion insertion = {.delivery_id = name, .body = "{}"};
    const struct check_execution execution = {.status = CHECK_PASSED};
    struct err err;

    CHECK_OK(fixture_insert(e->db, &insertion, &err), err);
    e->delivery = insertion.id;
    e->task = fixture_task(e->db, "o");
    e->run = fixture_run(e->db, e->task);
    const struct step step = {.run = e->run, .name = name, .command = name};
    CHECK_OK(step_insert(e->db, &step, &e->step, &err), err);
    CHECK_OK(step_append(e->db, e->step, bytes_of_str("output"), &err), err);
    CHECK_OK(check_record(e->db, e->run, name, name, PHASE_AFTER, &execution, &err), err);
    const struct draft draft = {.number = e->task,
                                .repository = name,
                                .branch = name,
                                .base_branch = name,
                                .head_commit = name,
                                .title = name,
                                .body = name};
    CHECK_OK(draft_put(e->db, &draft, 1, &err), err);
    const struct outbox_new message = {
        .platform = "p", .thread = "t", .kind = OUTBOX_STATUS, .task = e->task, .body = "b"};
    CHECK_OK(outbox_put(e->db, &message, 1, &err), err);
}

TEST(reading_every_kind_of_record)
{
    struct fixture f;

    fixture_begin(&f);
    struct everything e = {.db = f.db};
    make_rows(&e);
    const int failures = torture(read_all, &e);
    printf("# %d allocations\n", failures);
    CHECK(failures > 60);
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
