/* What is known of damage to the store's file: found by a look through it in the background, or
 * come upon by any of the store's connections. It does not pass: only a backup helps. */
#pragma once

#include "server/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define DAMAGE_ADVICE                                                                              \
    "the store is damaged: stop draftd and restore a backup, as draftd backup --help says"

struct sqlite;

struct damage {
    atomic_bool found;
    atomic_bool stop;
    pthread_mutex_t lock;
    struct err cause;      /* under lock */
    store_damage_fn *tell; /* under lock; NULL: nobody is to be told, or was */
    void *ctx;             /* under lock */
    pthread_t thread;
    struct sqlite *sqlite; /* what the thread looks through; NULL: there is none */
};

void damage_init(struct damage *damage);

/* End the look, if it still goes on. */
void damage_done(struct damage *damage);

/* Say what was come upon; the first counts.   Thread: any. */
void damage_note(struct damage *damage, const char *what);

/* Errors: ERR_UNAVAILABLE there is damage. */
int damage_refuse(struct damage *damage, struct err *err);

/* Tell `tell` of damage, once, and look for it. Borrows: ctx.   Owns: sqlite is taken. */
MUST_CHECK int damage_look(struct damage *damage,
                           struct sqlite *sqlite,
                           store_damage_fn *tell,
                           void *ctx,
                           struct err *err);
