/* See suggest.h. */
#include "server/config/suggest.h"

#include "server/base/str.h"

#define SHORTEST_PART 3

static size_t
smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

size_t
suggest_distance(const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    size_t row[SUGGEST_FAR]; /* distances of the prefixes of b to the prefix of a at hand */

    if (a_len >= SUGGEST_FAR || b_len >= SUGGEST_FAR)
        return SUGGEST_FAR;
    for (size_t k = 0; k <= b_len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            const size_t replaced = diagonal + (a[i - 1] != b[k - 1]);
            diagonal = row[k];
            row[k] = smallest(row[k] + 1, row[k - 1] + 1, replaced);
        }
    }
    return row[b_len];
}

void
suggestion_offer(struct suggestion *suggestion, const char *name)
{
    const size_t len = strlen(suggestion->wanted);
    const bool part = len >= SHORTEST_PART && (str_starts_with(name, suggestion->wanted) ||
                                               str_ends_with(name, suggestion->wanted));
    const size_t tolerated = len < 4 ? 1 : len < 9 ? 2 : 3;
    const size_t letters = suggest_distance(suggestion->wanted, name);
    const size_t distance = part && letters > 1 ? 1 : letters;

    if (distance > tolerated || (suggestion->best && distance >= suggestion->distance))
        return;
    suggestion->best = name;
    suggestion->distance = distance;
}
