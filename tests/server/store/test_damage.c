/* A store that is damaged, locked for writing or not ours to use ends in words that say what to do.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/server/store/everything.h"

#define SKIPPED 77

/* A closed store with everything in it, and many deliveries. */
static void
make_store(struct fixture *f)
{
    struct everything e = {.key = str_dup("key")};
    struct store *store = NULL;
    struct err err;

    fixture_make_dir(f);
    CHECK_OK(store_open(f->path, &store, &err), err);
    CHECK_OK(store_transact(store, everything_write, &e, &err), err);
    for (int i = 0; i < 2000; i++) {
        char name[200];
        (void)snprintf(name, sizeof(name), "%0190d", i);
        struct insertion insertion = {.delivery_id = name, .body = "a body"};
        CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
    }
    store_close(store);
    free(e.key);
}

/* Overwrite a piece of the file. */
static void
damage(const struct fixture *f, off_t from, size_t len)
{
    const int fd = open(f->path, O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    for (size_t i = 0; i < len; i += 16)
        CHECK_INT(pwrite(fd, "not a page of it", 16, from + (off_t)i), 16);
    close(fd);
}

static int
read_all_deliveries(struct db *db, void *ctx, struct err *err)
{
    struct delivery_list list = {0};
    const int code = delivery_list(db, 10000, &list, err);

    (void)ctx;
    delivery_list_done(&list);
    return code;
}

TEST(a_damaged_beginning_is_told_at_once)
{
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    make_store(&f);
    damage(&f, 112, 3984);
    CHECK_INT(store_open(f.path, &store, &err), ERR_IO);
    CHECK_CONTAINS(err.msg, "the store is damaged: stop draftd and restore a backup");
    CHECK_CONTAINS(err.msg, f.path);
    damage(&f, 0, 16);
    CHECK_INT(store_open(f.path, &store, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "restore a backup");
    fixture_done(&f);
}

/* Found when it is come upon; a copy is then not made, for it would look like a good one. */
TEST(a_damaged_table_is_told_and_not_copied)
{
    struct fixture f;
    struct store *store = NULL;
    struct stat facts;
    struct err err;

    make_store(&f);
    CHECK_INT(stat(f.path, &facts), 0);
    CHECK_OK(store_open(f.path, &store, &err), err);
    store_close(TAKE(store));
    const off_t half = facts.st_size / 8192 * 4096;
    damage(&f, half, (size_t)(facts.st_size - half));
    char *copy = str_printf("%s/copy", f.dir);
    CHECK_OK(store_open(f.path, &store, &err), err); /* what is read then is whole */
    CHECK_INT(store_read(store, read_all_deliveries, NULL, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "the store is damaged: stop draftd and restore a backup");
    CHECK_INT(store_backup(store, copy, &err), ERR_IO);
    CHECK_CONTAINS(err.msg, "the store is damaged");
    CHECK(!fs_exists(copy));
    store_close(store);
    free(copy);
    fixture_done(&f);
}

struct told {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int times; /* under lock */
    struct err cause;
};

static void
hear(void *ctx, const struct err *cause)
{
    struct told *told = ctx;

    pthread_mutex_lock(&told->lock);
    told->times++;
    told->cause = *cause;
    pthread_cond_signal(&told->heard);
    pthread_mutex_unlock(&told->lock);
}

static void
wait_for_word(struct told *told)
{
    pthread_mutex_lock(&told->lock);
    while (told->times == 0)
        pthread_cond_wait(&told->heard, &told->lock);
    pthread_mutex_unlock(&told->lock);
}

#define TOLD_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER                       \
    }

TEST(damage_is_looked_for_and_no_change_taken_from_then_on)
{
    struct told told = TOLD_INIT;
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    make_store(&f);
    damage(&f, 200 * 4096, 4096);
    CHECK_OK(store_open(f.path, &store, &err), err);
    CHECK_OK(store_transact(store, store_ping, NULL, &err), err);
    CHECK_OK(store_watch_damage(store, hear, &told, &err), err);
    wait_for_word(&told);
    CHECK_CONTAINS(told.cause.msg, "the store is damaged: stop draftd and restore a backup");
    CHECK(store_is_damaged(store));
    CHECK_INT(store_transact(store, store_ping, NULL, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "the store is damaged: stop draftd and restore a backup");
    CHECK_INT(store_transact(store, store_ping, NULL, &err), ERR_UNAVAILABLE);
    store_close(store);
    CHECK_INT(told.times, 1);
    fixture_done(&f);
}

TEST(damage_that_is_come_upon_is_told_once)
{
    struct told told = TOLD_INIT;
    struct fixture f;
    struct store *store = NULL;
    struct stat facts;
    struct err err;

    make_store(&f);
    CHECK_INT(stat(f.path, &facts), 0);
    CHECK_OK(store_open(f.path, &store, &err), err);
    const off_t half = facts.st_size / 8192 * 4096;
    damage(&f, half, (size_t)(facts.st_size - half));
    CHECK(!store_is_damaged(store));
    CHECK_INT(store_read(store, read_all_deliveries, NULL, &err), ERR_UNAVAILABLE);
    CHECK(store_is_damaged(store));
    CHECK_INT(store_transact(store, store_ping, NULL, &err), ERR_UNAVAILABLE);
    CHECK_OK(store_watch_damage(store, hear, &told, &err), err); /* who comes late hears of it */
    CHECK_INT(store_read(store, read_all_deliveries, NULL, &err), ERR_UNAVAILABLE);
    store_close(store);
    CHECK_INT(told.times, 1);
    fixture_done(&f);
}

TEST(of_a_whole_store_nothing_is_told)
{
    struct told told = TOLD_INIT;
    struct fixture f;
    struct store *store = NULL;
    struct err err;

    make_store(&f);
    for (int i = 0; i < 20; i++) { /* and the look may be cut short anywhere */
        CHECK_OK(store_open(f.path, &store, &err), err);
        CHECK_OK(store_watch_damage(store, hear, &told, &err), err);
        CHECK_OK(store_transact(store, store_ping, NULL, &err), err);
        store_close(TAKE(store));
    }
    CHECK_INT(told.times, 0);
    fixture_done(&f);
}

/* In a process of its own: does opening fail with these words? */
static int
expect(const struct fixture *f, const char *words)
{
    struct store *store = NULL;
    struct err err = {0};

    CHECK_INT(store_open(f->path, &store, &err), ERR_IO);
    CHECK_CONTAINS(err.msg, words);
    CHECK_CONTAINS(err.msg, f->path);
    return 0;
}

static int
open_read_only(const struct fixture *f)
{
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(f->dir, f->dir, NULL, MS_BIND, NULL) ||
        mount(NULL, f->dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
        return SKIPPED;
    return expect(f, "Read-only file system: draftd writes there; make its file system writable");
}

static int
open_as_another(const struct fixture *f)
{
    if (chmod(f->dir, 0755) || setgid(65534) || setuid(65534))
        return SKIPPED;
    return expect(f, "Permission denied: run as the user that draftd serves as");
}

static void
in_a_process(int (*fn)(const struct fixture *f))
{
    struct fixture f;
    int status = -1;

    make_store(&f);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(setjmp(test_leave) ? 1 : fn(&f));
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED)
        printf("# not tried: needs root\n");
    else
        CHECK_INT(WEXITSTATUS(status), 0);
    fixture_done(&f);
}

TEST(a_store_on_a_read_only_file_system_is_told)
{
    in_a_process(open_read_only);
}

TEST(a_store_of_another_user_is_told)
{
    in_a_process(open_as_another);
}

TEST_MAIN()
