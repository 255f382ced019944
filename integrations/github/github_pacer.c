/* See github_pacer.h. */
#include "integrations/github/github_pacer.h"

#include "server/base/clock.h"

#include <pthread.h>
#include <stdlib.h>

#define CHANGE_GAP_MS MS_PER_SECOND
#define PER_HOUR 500U
#define FIRST_WAIT_MS MS_PER_MINUTE
#define LONGEST_WAIT_MS MS_PER_HOUR

struct github_pacer {
    pthread_mutex_t lock;
    bool changed;                 /* under lock: `last_change_ms` counts */
    int64_t last_change_ms;       /* under lock */
    int64_t created_ms[PER_HOUR]; /* under lock: when, a ring of the last */
    size_t created;               /* under lock: how many in all */
    int64_t silent_until_ms;      /* under lock */
    bool silent;                  /* under lock: `silent_until_ms` counts */
    int64_t next_wait_ms;         /* under lock: when GitHub does not tell */
};

int
github_pacer_new(struct github_pacer **ret_pacer, struct err *err)
{
    struct github_pacer *const pacer = calloc(1, sizeof(*pacer));

    if (!pacer || pthread_mutex_init(&pacer->lock, NULL) != 0) {
        free(pacer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    pacer->next_wait_ms = FIRST_WAIT_MS;
    *ret_pacer = pacer;
    return 0;
}

void
github_pacer_free(struct github_pacer *pacer)
{
    if (!pacer)
        return;
    (void)pthread_mutex_destroy(&pacer->lock);
    free(pacer);
}

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Call under lock. */
static int64_t
wait_of(const struct github_pacer *pacer, enum github_pace pace, int64_t now_ms)
{
    int64_t wait_ms = pacer->silent ? later(pacer->silent_until_ms - now_ms, 0) : 0;

    if (pace != GITHUB_READS && pacer->changed)
        wait_ms = later(wait_ms, pacer->last_change_ms + CHANGE_GAP_MS - now_ms);
    if (pace == GITHUB_CREATES && pacer->created >= PER_HOUR)
        wait_ms =
            later(wait_ms, pacer->created_ms[pacer->created % PER_HOUR] + MS_PER_HOUR - now_ms);
    return wait_ms;
}

int64_t
github_pacer_book(struct github_pacer *pacer, enum github_pace pace, int64_t now_ms)
{
    (void)pthread_mutex_lock(&pacer->lock);
    const int64_t wait_ms = wait_of(pacer, pace, now_ms);
    if (wait_ms == 0 && pace != GITHUB_READS) {
        pacer->changed = true;
        pacer->last_change_ms = now_ms;
    }
    if (wait_ms == 0 && pace == GITHUB_CREATES)
        pacer->created_ms[pacer->created++ % PER_HOUR] = now_ms;
    (void)pthread_mutex_unlock(&pacer->lock);
    return wait_ms;
}

int64_t
github_pacer_refused(struct github_pacer *pacer, int64_t told_ms, int64_t now_ms)
{
    (void)pthread_mutex_lock(&pacer->lock);
    const int64_t wait_ms = told_ms > 0 ? told_ms : pacer->next_wait_ms;
    if (told_ms <= 0)
        pacer->next_wait_ms =
            wait_ms > LONGEST_WAIT_MS / 2 ? LONGEST_WAIT_MS : 2 * pacer->next_wait_ms;
    pacer->silent_until_ms =
        pacer->silent ? later(pacer->silent_until_ms, now_ms + wait_ms) : now_ms + wait_ms;
    pacer->silent = true;
    (void)pthread_mutex_unlock(&pacer->lock);
    return wait_ms;
}

void
github_pacer_passed(struct github_pacer *pacer)
{
    (void)pthread_mutex_lock(&pacer->lock);
    pacer->next_wait_ms = FIRST_WAIT_MS;
    (void)pthread_mutex_unlock(&pacer->lock);
}
