/* "Did you mean ...?": the known name nearest to a mistyped one. */
#pragma once

#include <stddef.h>

struct suggestion {
    const char *wanted; /* as typed; set by the caller */
    const char *best;   /* the nearest name offered so far, if any is near; borrowed */
    size_t distance;    /* of `best` */
};

/* Consider `name`: near is a name that begins or ends with what was typed, or that differs by few
 * letters. */
void suggestion_offer(struct suggestion *suggestion, const char *name);

/* How many letters to insert, delete or replace to turn one name into the other (Levenshtein); at
 * least `SUGGEST_FAR` when one of them is long. */
size_t suggest_distance(const char *a, const char *b);

#define SUGGEST_FAR 32
