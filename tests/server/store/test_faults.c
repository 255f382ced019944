/* What must hold when things go wrong: a full disk, a process killed in the middle, a file moved
 * away, a body of the largest size. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/limits.h"
#include "tests/server/store/batch.h"
#include "tests/server/store/fixture.h"

/* Sanitizers take memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER true
#elif defined(__has_feature)
#define UNDER_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define UNDER_SANITIZER false
#endif

static struct store *
open_store(const char *path)
{
    struct store *store = NULL;
    struct err err;

    CHECK_OK(store_open(path, &store, &err), err);
    return store;
}

static int64_t
count_deliveries(struct store *store)
{
    int64_t count = -1;
    struct err err;

    CHECK_OK(store_read(store, fixture_count, &count, &err), err);
    return count;
}

static int
check_integrity(struct db *db, void *ctx, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row = false;

    (void)ctx;
    int code = db_prepare(db, "PRAGMA integrity_check", &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (!code && strcmp(db_column_text(stmt, 0), "ok") != 0)
        code = err_set(err, ERR_INTERNAL, "%s", db_column_text(stmt, 0));
    return code;
}

static char *
make_text(size_t len)
{
    char *text = malloc(len + 1);

    CHECK(text);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* From here on no file may become longer than `bytes`: as good as a full disk. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static rlim_t
log_size(const struct fixture *f)
{
    struct stat facts;
    char *path = str_printf("%s-wal", f->path);

    CHECK_INT(stat(path, &facts), 0);
    free(path);
    return (rlim_t)facts.st_size;
}

TEST(a_full_disk_refuses_and_the_store_recovers)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(f.path);
    char *large = make_text(1U << 20);
    struct insertion first = {.delivery_id = "first", .body = "{}"};
    struct insertion second = {.delivery_id = "second", .body = large};
    CHECK_OK(store_transact(store, fixture_insert, &first, &err), err);
    limit_files(log_size(&f));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(store_transact(store, fixture_insert, &second, &err), ERR_UNAVAILABLE);
        CHECK_CONTAINS(err.msg, "check its disk, free space and quota");
        CHECK_CONTAINS(err.msg, f.path);
        CHECK_INT(fixture_ping(store, &err), ERR_UNAVAILABLE);
        CHECK_INT(count_deliveries(store), 1); /* reading goes on */
    }

    limit_files(RLIM_INFINITY);
    CHECK_OK(fixture_ping(store, &err), err);
    CHECK_OK(store_transact(store, fixture_insert, &second, &err), err);
    CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
    store_close(store);
    store = open_store(f.path);
    CHECK_INT(count_deliveries(store), 2);
    store_close(store);
    free(large);
    fixture_done(&f);
}

TEST(one_that_does_not_fit_does_not_take_its_batch_along)
{
    enum { COUNT = 12, LARGE = 3, SAME_ID = 4 };
    struct fixture f;
    struct gate gate;
    struct err err;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(f.path);
    char *large = make_text(10U << 20); /* more than the page cache: fails before the commit */
    struct submission *submissions = make_submissions(COUNT, &gate);
    submissions[LARGE].insertion.body = large;
    submissions[SAME_ID].insertion.delivery_id = submissions[LARGE].delivery_id;
    limit_files(log_size(&f) + (1U << 20));
    queue_at_gate(store, &gate, submissions, COUNT);
    pass_gate(&gate, COUNT);
    limit_files(RLIM_INFINITY);

    for (int i = 0; i < COUNT; i++)
        CHECK_INT(submissions[i].code, i == LARGE ? ERR_UNAVAILABLE : 0);
    CHECK_INT(count_deliveries(store), COUNT - 1);
    CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
    free(large);
    free(submissions);
    store_close(store);
    fixture_done(&f);
}

TEST(a_commit_that_fails_fails_for_all_and_changes_nothing)
{
    enum { COUNT = 10 };
    struct fixture f;
    struct gate gate;
    struct err err;

    fixture_make_dir(&f);
    gate_init(&gate);
    struct store *store = open_store(f.path);
    struct submission *submissions = make_submissions(COUNT, &gate);
    submissions[1].insertion.delivery_id = submissions[0].delivery_id;
    limit_files(log_size(&f));
    queue_at_gate(store, &gate, submissions, COUNT);
    pass_gate(&gate, COUNT);
    limit_files(RLIM_INFINITY);

    for (int i = 0; i < COUNT; i++) /* "stored already" would be a lie: nothing is */
        CHECK_INT(submissions[i].code, ERR_UNAVAILABLE);
    CHECK_INT(count_deliveries(store), 0);
    CHECK_OK(fixture_ping(store, &err), err);
    free(submissions);
    store_close(store);
    fixture_done(&f);
}

/* Fill a file system of 6 MiB to the brim, make room, go on.  Answers: the exit status. */
static int
fill_small_disk(const struct fixture *f)
{
    struct store *store = NULL;
    struct err err = {0};
    char name[16];
    int stored = 0;
    int code = 0;

    char *balloon = str_printf("%s/balloon", f->dir);
    char *body = make_text(100U << 10);
    CHECK_OK(fs_write_file(balloon, bytes_of(body, 100U << 10), 0600, &err), err);
    CHECK_INT(truncate(balloon, 0), 0);
    const int fd = open(balloon, O_WRONLY | O_CLOEXEC);
    CHECK_INT(posix_fallocate(fd, 0, 1 << 20), 0);
    close(fd);
    CHECK_OK(store_open(f->path, &store, &err), err);
    while (!code && stored < 1000) {
        struct insertion insertion = {.delivery_id = name, .body = body};
        (void)snprintf(name, sizeof(name), "%d", stored);
        code = store_transact(store, fixture_insert, &insertion, &err);
        stored += !code;
    }
    CHECK_INT(code, ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "free some space");
    CHECK(stored > 10);
    CHECK_INT(count_deliveries(store), stored);

    CHECK_INT(unlink(balloon), 0);
    struct insertion after = {.delivery_id = "after", .body = body};
    CHECK_OK(store_transact(store, fixture_insert, &after, &err), err);
    CHECK_INT(count_deliveries(store), stored + 1);
    CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
    store_close(store);
    free(body);
    free(balloon);
    return 0;
}

TEST(a_file_system_filled_to_the_brim)
{
    struct fixture f;
    int status = -1;

    fixture_make_dir(&f);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", f.dir, "tmpfs", 0, "size=6m"))
            _exit(77);
        _exit(setjmp(test_leave) ? 1 : fill_small_disk(&f));
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        printf("# not tried: mounting needs root\n");
    else
        CHECK_INT(WEXITSTATUS(status), 0);
    fixture_done(&f);
}

TEST(a_store_moved_away_refuses_until_it_is_back)
{
    struct fixture f;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(f.path);
    CHECK_OK(fixture_ping(store, &err), err);
    char *elsewhere = str_printf("%s/elsewhere", f.dir);
    CHECK_INT(rename(f.path, elsewhere), 0);
    CHECK_INT(fixture_ping(store, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "moved or removed");
    CHECK_INT(rename(elsewhere, f.path), 0);
    CHECK_OK(fixture_ping(store, &err), err);
    free(elsewhere);
    store_close(store);
    fixture_done(&f);
}

enum { WRITERS = 4, ROUNDS = 6, ACKNOWLEDGED_BEFORE_KILL = 60 };

/* Sizes from nothing to over one chunk. */
static size_t
body_size(int writer, int number)
{
    return (size_t)(number * 7919 + writer * 104729) % (LIMIT_BODY_CHUNK_BYTES + 40000);
}

struct acknowledgement {
    int round;
    int writer;
    int number;
};

static void
name_delivery(char name[64], struct acknowledgement a)
{
    (void)snprintf(name, 64, "%d-%d-%d", a.round, a.writer, a.number);
}

struct killed_writer {
    struct store *store;
    struct acknowledgement next;
    int pipe_fd;
};

static void *
write_until_killed(void *argument)
{
    struct killed_writer *writer = argument;
    char name[64];

    for (;; writer->next.number++) {
        char *body = malloc(LIMIT_BODY_CHUNK_BYTES + 40001);
        const size_t len = body_size(writer->next.writer, writer->next.number);
        if (!body)
            _exit(1);
        memset(body, 'a' + writer->next.number % 26, len);
        body[len] = '\0';
        name_delivery(name, writer->next);
        struct insertion insertion = {.delivery_id = name, .body = body};
        if (store_transact(writer->store, fixture_insert, &insertion, NULL))
            _exit(1);
        if (write(writer->pipe_fd, &writer->next, sizeof(writer->next)) < 0)
            _exit(1);
        free(body);
    }
    return NULL;
}

static void
be_killed(const char *path, int round, int pipe_fd)
{
    static struct killed_writer writers[WRITERS];
    struct store *store = NULL;
    pthread_t thread;

    if (store_open(path, &store, NULL))
        _exit(1);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct killed_writer){
            .store = store, .next = {.round = round, .writer = i}, .pipe_fd = pipe_fd};
        if (pthread_create(&thread, NULL, write_until_killed, &writers[i]))
            _exit(1);
    }
    for (;;)
        pause();
}

static int
check_acknowledged(struct db *db, void *ctx, struct err *err)
{
    const struct acknowledgement *a = ctx;
    AUTO(delivery_free) struct delivery *delivery = NULL;
    struct strbuf body = STRBUF_INIT(LIMIT_BODY_BYTES);
    char name[64];

    name_delivery(name, *a);
    int code = delivery_find(db, name, &delivery, err);
    if (!code)
        code = delivery_body(db, delivery->id, &body, err);
    bool right = body.len == body_size(a->writer, a->number);
    for (size_t i = 0; i < body.len; i++)
        right &= body.ptr[i] == 'a' + a->number % 26;
    strbuf_done(&body);
    return code || right ? code : err_set(err, ERR_INTERNAL, "%s has another body", name);
}

/* Every delivery, acknowledged or not, has all of its body. */
static int
check_all_bodies(struct db *db, void *ctx, struct err *err)
{
    struct delivery_list list = {0};

    (void)ctx;
    int code = delivery_list(db, 1000000, &list, err);
    for (size_t i = 0; i < list.count && !code; i++) {
        struct strbuf body = STRBUF_INIT(LIMIT_BODY_BYTES);
        code = delivery_body(db, list.items[i]->id, &body, err);
        strbuf_done(&body);
    }
    delivery_list_done(&list);
    return code;
}

/* One process that writes, killed in the middle; *ret_count acknowledgements came out of it. */
static void
kill_a_writer(
    const struct fixture *f, int round, struct acknowledgement *ret, size_t max, size_t *ret_count)
{
    int ends[2];
    int status;
    size_t count = 0;

    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        be_killed(f->path, round, ends[1]);
    close(ends[1]);
    while (count < max && read(ends[0], &ret[count], sizeof(ret[0])) == sizeof(ret[0])) {
        count++;
        if (count == ACKNOWLEDGED_BEFORE_KILL + (size_t)round * 37)
            CHECK_INT(kill(child, SIGKILL), 0);
    }
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    *ret_count = count;
}

TEST(what_was_acknowledged_survives_a_kill)
{
    enum { MAX = 4000 };
    struct fixture f;
    struct err err;
    size_t total = 0;

    fixture_make_dir(&f);
    struct acknowledgement *acknowledged = calloc(MAX, sizeof(*acknowledged));
    CHECK(acknowledged);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 0;
        kill_a_writer(&f, round, acknowledged + total, MAX - total, &count);
        CHECK(count >= ACKNOWLEDGED_BEFORE_KILL);
        total += count;
        struct store *store = open_store(f.path);
        CHECK_OK(store_read(store, check_integrity, NULL, &err), err);
        for (size_t i = 0; i < total; i++)
            CHECK_OK(store_read(store, check_acknowledged, &acknowledged[i], &err), err);
        CHECK_OK(store_read(store, check_all_bodies, NULL, &err), err);
        CHECK(count_deliveries(store) >= (int64_t)total);
        store_close(store);
    }
    printf("# %zu acknowledged in %d processes\n", total, ROUNDS);
    free(acknowledged);
    fixture_done(&f);
}

static int64_t
peak_kib(void)
{
    struct strbuf text = STRBUF_INIT(64U << 10);
    struct err err;

    CHECK_OK(fs_read_file("/proc/self/status", &text, &err), err);
    const char *line = strstr(strbuf_str(&text), "VmHWM:");
    CHECK(line);
    const int64_t kib = strtoll(line + strlen("VmHWM:"), NULL, 10);
    strbuf_done(&text);
    return kib;
}

/* A file of the largest size whose bytes depend on their place. */
static int
make_spool(const struct fixture *f)
{
    char block[4096];

    const int fd = open(f->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    for (unsigned at = 0; at < LIMIT_BODY_BYTES; at += sizeof(block)) {
        memset(block, (int)(at / sizeof(block) * 13 % 251), sizeof(block));
        CHECK_INT(write(fd, block, sizeof(block)), sizeof(block));
    }
    return fd;
}

static int
insert_spooled(struct db *db, void *ctx, struct err *err)
{
    const struct delivery_new delivery = {.platform = "github",
                                          .delivery_id = "large",
                                          .event = "push",
                                          .spool_fd = *(int *)ctx,
                                          .spool_bytes = LIMIT_BODY_BYTES};
    int64_t id;

    return delivery_insert(db, &delivery, &id, err);
}

static int
read_large(struct db *db, void *ctx, struct err *err)
{
    AUTO(delivery_free) struct delivery *delivery = NULL;

    const int code = delivery_find(db, "large", &delivery, err);
    return code ? code : delivery_body(db, delivery->id, ctx, err);
}

/* In a process of its own, whose peak of memory is nobody else's.  Answers: the exit status. */
static int
store_large_body(const struct fixture *f)
{
    struct err err;

    struct store *store = open_store(f->path);
    CHECK_OK(fixture_ping(store, &err), err);
    int fd = make_spool(f);
    const int64_t before_kib = peak_kib();
    CHECK_OK(store_transact(store, insert_spooled, &fd, &err), err);
    const int64_t grown_kib = peak_kib() - before_kib;
    printf("# 25 MiB took %lld KiB of memory\n", (long long)grown_kib);
    CHECK(UNDER_SANITIZER || grown_kib < 16 << 10);
    struct strbuf body = STRBUF_INIT(LIMIT_BODY_BYTES);
    CHECK_OK(store_read(store, read_large, &body, &err), err);
    CHECK_INT(body.len, LIMIT_BODY_BYTES);
    for (size_t at = 0; at < body.len; at++)
        CHECK((unsigned char)body.ptr[at] == at / 4096 * 13 % 251);
    strbuf_done(&body);
    close(fd);
    store_close(store);
    return 0;
}

TEST(a_body_of_the_largest_size_needs_little_memory)
{
    struct fixture f;
    int status = -1;

    fixture_make_dir(&f);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(setjmp(test_leave) ? 1 : store_large_body(&f));
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    fixture_done(&f);
}

TEST_MAIN()
