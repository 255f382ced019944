/* See checkpoint.h.
 *
 * The log begins anew only when all of it was copied and nobody reads from it. A passive checkpoint
 * waits for nobody, and so may never get to that point under steady load: when the log has become
 * long, one checkpoint holds the writers up for a moment. */
#include "server/store/sqlite/checkpoint.h"

#include <pthread.h>

#include "server/base/str.h"
#include "server/store/sqlite/sqlite.h"

#define PASSIVE_PAGES 1024  /* 4 MiB in pages of 4 KiB */
#define WAITING_PAGES 16384 /* 64 MiB */
#define WAITING_AGAIN 4096  /* longer by this much: the next try, when a reader was in the way */

struct checkpointer {
    char *path;
    struct sqlite *sqlite; /* the thread's own; NULL after a failure, until it was opened again */
    struct damage *damage;
    int64_t waiting_at; /* the thread's own: from this length on writers are held up */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;     /* wanted or stop */
    pthread_cond_t released; /* not holding any more */
    int64_t copied; /* under lock: pages of the present log that are in the database file */
    bool wanted;    /* under lock */
    bool holding;   /* under lock: the writer stays away */
    bool stop;      /* under lock */
};

static bool
wait_for_work(struct checkpointer *checkpointer)
{
    pthread_mutex_lock(&checkpointer->lock);
    while (!checkpointer->wanted && !checkpointer->stop)
        pthread_cond_wait(&checkpointer->wake, &checkpointer->lock);
    const bool stop = checkpointer->stop;
    checkpointer->wanted = false;
    pthread_mutex_unlock(&checkpointer->lock);
    return !stop;
}

static void
set_copied(struct checkpointer *checkpointer, int64_t copied)
{
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->copied = copied;
    pthread_mutex_unlock(&checkpointer->lock);
}

static void
set_holding(struct checkpointer *checkpointer, bool holding)
{
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->holding = holding;
    pthread_cond_signal(&checkpointer->released);
    pthread_mutex_unlock(&checkpointer->lock);
}

/* A failure is not reported: the log holds everything, it only grows until a later try succeeds. */
static void
copy_log(struct checkpointer *checkpointer)
{
    struct sqlite *sqlite = checkpointer->sqlite;
    int64_t pages = 0;
    int64_t copied = 0;

    if (sqlite_checkpoint(sqlite, false, &pages, &copied, NULL)) {
        sqlite_close(TAKE(checkpointer->sqlite));
        return;
    }
    set_copied(checkpointer, copied);
    if (pages < WAITING_PAGES)
        checkpointer->waiting_at = WAITING_PAGES;
    if (pages < checkpointer->waiting_at)
        return;
    /* SQLite's lock is not fair: a busy writer would take it again and again. */
    set_holding(checkpointer, true);
    const int code = sqlite_checkpoint(sqlite, true, &pages, &copied, NULL);
    set_holding(checkpointer, false);
    if (code)
        checkpointer->waiting_at = pages + WAITING_AGAIN;
    else
        set_copied(checkpointer, copied);
}

static void *
work(void *argument)
{
    struct checkpointer *checkpointer = argument;

    while (wait_for_work(checkpointer)) {
        if (!checkpointer->sqlite &&
            sqlite_reopen(checkpointer->path, CONNECTION_UPKEEP, checkpointer->damage,
                          &checkpointer->sqlite, NULL))
            continue;
        copy_log(checkpointer);
    }
    return NULL;
}

static void
release(struct checkpointer *checkpointer)
{
    sqlite_close(checkpointer->sqlite);
    free(checkpointer->path);
    free(checkpointer);
}

int
checkpointer_new(const char *path,
                 struct sqlite *sqlite,
                 struct checkpointer **ret_checkpointer,
                 struct err *err)
{
    struct checkpointer *checkpointer = calloc(1, sizeof(*checkpointer));
    if (!checkpointer) {
        sqlite_close(sqlite);
        return err_set(err, ERR_NOMEM, "out of memory");
    }

    checkpointer->sqlite = sqlite;
    checkpointer->damage = sqlite->damage;
    checkpointer->waiting_at = WAITING_PAGES;
    checkpointer->path = str_dup(path);
    if (!checkpointer->path) {
        release(checkpointer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }

    pthread_mutex_init(&checkpointer->lock, NULL);
    pthread_cond_init(&checkpointer->wake, NULL);
    pthread_cond_init(&checkpointer->released, NULL);
    const int failed = pthread_create(&checkpointer->thread, NULL, work, checkpointer);
    if (failed) {
        release(checkpointer);
        return err_set_errno(err, ERR_UNAVAILABLE, failed, "starting the store's upkeep thread");
    }
    *ret_checkpointer = checkpointer;
    return 0;
}

void
checkpointer_free(struct checkpointer *checkpointer)
{
    if (!checkpointer)
        return;
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->stop = true;
    pthread_cond_signal(&checkpointer->wake);
    pthread_mutex_unlock(&checkpointer->lock);
    pthread_join(checkpointer->thread, NULL);
    pthread_cond_destroy(&checkpointer->released);
    pthread_cond_destroy(&checkpointer->wake);
    pthread_mutex_destroy(&checkpointer->lock);
    release(checkpointer);
}

void
checkpointer_note(struct checkpointer *checkpointer, int64_t log_pages)
{
    pthread_mutex_lock(&checkpointer->lock);
    if (log_pages < checkpointer->copied)
        checkpointer->copied = 0; /* the log began anew */
    if (log_pages - checkpointer->copied >= PASSIVE_PAGES) {
        checkpointer->wanted = true;
        pthread_cond_signal(&checkpointer->wake);
    }
    pthread_mutex_unlock(&checkpointer->lock);
}

void
checkpointer_pass(struct checkpointer *checkpointer)
{
    pthread_mutex_lock(&checkpointer->lock);
    while (checkpointer->holding)
        pthread_cond_wait(&checkpointer->released, &checkpointer->lock);
    pthread_mutex_unlock(&checkpointer->lock);
}
