/* See known.h. */
#include "handlers/watch/known.h"

#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

void
known_done(struct known *known)
{
    for (size_t i = 0; i < known->count; i++)
        free(known->names[i].name);
    free(known->names);
    *known = (struct known){0};
}

/* Where the name is, or belongs. */
static size_t
place_of(const struct known *known, const char *name)
{
    size_t first = 0;
    size_t end = known->count;

    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (strcmp(known->names[middle].name, name) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static bool
is_at(const struct known *known, size_t place, const char *name)
{
    return place < known->count && str_equal(known->names[place].name, name);
}

bool
known_has(const struct known *known, const char *name)
{
    return is_at(known, place_of(known, name), name);
}

int
known_times(const struct known *known, const char *name)
{
    const size_t place = place_of(known, name);
    return is_at(known, place, name) ? known->names[place].times : 0;
}

int
known_add(struct known *known, const char *name, int64_t until_ms, struct err *err)
{
    const size_t place = place_of(known, name);

    if (is_at(known, place, name)) {
        known->names[place].times++;
        if (known->names[place].until_ms < until_ms)
            known->names[place].until_ms = until_ms;
        return 0;
    }
    auto_free char *copy = str_dup(name);
    struct known_name *names =
        copy ? reallocarray(known->names, known->count + 1, sizeof(*names)) : NULL;
    if (!names)
        return err_set(err, ERR_NOMEM, "out of memory");
    known->names = names;
    memmove(names + place + 1, names + place, (known->count - place) * sizeof(*names));
    names[place] = (struct known_name){.name = TAKE(copy), .until_ms = until_ms, .times = 1};
    known->count++;
    return 0;
}

void
known_forget(struct known *known, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < known->count; i++) {
        if (known->names[i].until_ms < now_ms)
            free(known->names[i].name);
        else
            known->names[kept++] = known->names[i];
    }
    known->count = kept;
}
