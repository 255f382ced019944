/* See live.h. */
#include "handlers/thread/live.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

struct entry {
    int64_t run;
    struct stop *stop;
    enum live_reason reason;
    struct entry *next;
};

struct live {
    pthread_mutex_t lock;
    struct entry *first; /* under lock */
    bool shutting_down;  /* under lock */
};

int
live_new(struct live **ret_live, struct err *err)
{
    struct live *live = calloc(1, sizeof(*live));

    if (!live)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_mutex_init(&live->lock, NULL);
    *ret_live = live;
    return 0;
}

static void
free_entry(struct entry *entry)
{
    stop_free(entry->stop);
    free(entry);
}

void
live_free(struct live *live)
{
    if (!live)
        return;
    while (live->first) {
        struct entry *entry = live->first;
        live->first = entry->next;
        free_entry(entry);
    }
    (void)pthread_mutex_destroy(&live->lock);
    free(live);
}

static struct entry *
find(const struct live *live, int64_t run)
{
    for (struct entry *entry = live->first; entry; entry = entry->next)
        if (entry->run == run)
            return entry;
    return NULL;
}

static void
stop_entry(struct entry *entry, enum live_reason reason)
{
    if (entry->reason == LIVE_GOES_ON)
        entry->reason = reason;
    stop_raise(entry->stop);
}

int
live_add(struct live *live, int64_t run, const struct stop **ret_stop, struct err *err)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (!entry)
        return err_set(err, ERR_NOMEM, "out of memory");
    entry->run = run;
    const int r = stop_new(&entry->stop, err);
    if (r) {
        free(entry);
        return r;
    }

    (void)pthread_mutex_lock(&live->lock);
    const bool taken = find(live, run);
    if (!taken) {
        if (live->shutting_down)
            stop_entry(entry, LIVE_SHUTDOWN);
        entry->next = live->first;
        live->first = entry;
    }
    (void)pthread_mutex_unlock(&live->lock);
    if (taken) {
        free_entry(entry);
        return err_set(err, ERR_CONFLICT, "a worker of this process still has run %" PRId64, run);
    }
    *ret_stop = entry->stop;
    return 0;
}

void
live_remove(struct live *live, int64_t run)
{
    (void)pthread_mutex_lock(&live->lock);
    for (struct entry **place = &live->first; *place; place = &(*place)->next) {
        struct entry *entry = *place;
        if (entry->run != run)
            continue;
        *place = entry->next;
        free_entry(entry);
        break;
    }
    (void)pthread_mutex_unlock(&live->lock);
}

void
live_stop(struct live *live, int64_t run, enum live_reason reason)
{
    (void)pthread_mutex_lock(&live->lock);
    struct entry *entry = find(live, run);
    if (entry)
        stop_entry(entry, reason);
    (void)pthread_mutex_unlock(&live->lock);
}

void
live_stop_all(struct live *live)
{
    (void)pthread_mutex_lock(&live->lock);
    live->shutting_down = true;
    for (struct entry *entry = live->first; entry; entry = entry->next)
        stop_entry(entry, LIVE_SHUTDOWN);
    (void)pthread_mutex_unlock(&live->lock);
}

enum live_reason
live_why(struct live *live, int64_t run)
{
    (void)pthread_mutex_lock(&live->lock);
    const struct entry *entry = find(live, run);
    const enum live_reason reason = entry ? entry->reason : LIVE_GOES_ON;
    (void)pthread_mutex_unlock(&live->lock);
    return reason;
}

bool
live_has(struct live *live, int64_t run)
{
    (void)pthread_mutex_lock(&live->lock);
    const bool found = find(live, run);
    (void)pthread_mutex_unlock(&live->lock);
    return found;
}

int
live_list(struct live *live, int64_t **ret_runs, size_t *ret_count, struct err *err)
{
    size_t count = 0;
    size_t place = 0;

    (void)pthread_mutex_lock(&live->lock);
    for (const struct entry *entry = live->first; entry; entry = entry->next)
        count++;
    int64_t *runs = calloc(count + 1, sizeof(*runs));
    for (const struct entry *entry = live->first; runs && entry; entry = entry->next)
        runs[place++] = entry->run;
    (void)pthread_mutex_unlock(&live->lock);

    if (!runs)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_runs = runs;
    *ret_count = count;
    return 0;
}
