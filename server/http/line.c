/* See line.h. */
#include "server/http/line.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct line {
    pthread_mutex_t lock;
    struct line_place *first; /* under lock */
    struct line_place *last;  /* under lock */
    unsigned leaving;         /* under lock */
};

int
line_new(struct line **ret_line, struct err *err)
{
    struct line *line = calloc(1, sizeof(*line));

    if (!line || pthread_mutex_init(&line->lock, NULL)) {
        free(line);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_line = line;
    return 0;
}

void
line_free(struct line *line)
{
    if (!line)
        return;
    pthread_mutex_destroy(&line->lock);
    free(line);
}

static void
take_out(struct line *line, struct line_place *place)
{
    if (!place->waits)
        return;
    *(place->prev ? &place->prev->next : &line->first) = place->next;
    *(place->next ? &place->next->prev : &line->last) = place->prev;
    place->waits = false;
}

static void
put_last(struct line *line, struct line_place *place)
{
    place->next = NULL;
    place->prev = line->last;
    *(place->prev ? &place->prev->next : &line->first) = place;
    line->last = place;
    place->waits = true;
}

void
line_wait(struct line *line, struct line_place *place)
{
    pthread_mutex_lock(&line->lock);
    take_out(line, place);
    if (!place->out)
        put_last(line, place);
    pthread_mutex_unlock(&line->lock);
}

void
line_leave(struct line *line, struct line_place *place)
{
    pthread_mutex_lock(&line->lock);
    take_out(line, place);
    line->leaving -= place->leaving;
    place->leaving = false;
    pthread_mutex_unlock(&line->lock);
}

bool
line_push_out(struct line *line, const struct headcount_key *key)
{
    pthread_mutex_lock(&line->lock);
    struct line_place *place = line->first;
    while (place && key && memcmp(&place->key, key, sizeof(*key)) != 0)
        place = place->next;
    if (place) {
        take_out(line, place);
        place->out = place->leaving = true;
        line->leaving++;
        /* Under the lock: afterwards the descriptor may be closed, and be another's. */
        (void)shutdown(place->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&line->lock);
    return place != NULL;
}

unsigned
line_leaving(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    const unsigned leaving = line->leaving;
    pthread_mutex_unlock(&line->lock);
    return leaving;
}
