/* See room.h. The shares are a list: there are as many as addresses with a large body under way. */
#include "server/http/room.h"

#include <pthread.h>
#include <string.h>

#include "server/base/fs.h"
#include "server/base/str.h"

/* What one address has taken. */
struct share {
    struct room *room;
    struct headcount_key key;
    unsigned users;     /* under lock */
    int64_t bytes;      /* under lock */
    struct share *next; /* under lock */
};

struct room {
    pthread_mutex_t lock;
    char *dir;
    struct room_limits limits; /* .dir: the above */
    unsigned references;       /* under lock: the server's and one of each share */
    int64_t bytes;             /* under lock */
    struct share *shares;      /* under lock */
};

int
room_new(const struct room_limits *limits, struct room **ret_room, struct err *err)
{
    struct room *room = calloc(1, sizeof(*room));
    char *dir = str_dup(limits->dir);

    if (!room || !dir || pthread_mutex_init(&room->lock, NULL)) {
        free(room);
        free(dir);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    room->dir = dir;
    room->limits = *limits;
    room->limits.dir = dir;
    room->references = 1;
    *ret_room = room;
    return 0;
}

void
room_unref(struct room *room)
{
    if (!room)
        return;
    pthread_mutex_lock(&room->lock);
    const bool last = --room->references == 0;
    pthread_mutex_unlock(&room->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&room->lock);
    free(room->dir);
    free(room);
}

const char *
room_dir(const struct room *room)
{
    return room->dir;
}

/* The place that points to the key's share, or to the NULL at the end. */
static struct share **
find_share(struct room *room, const struct headcount_key *key)
{
    struct share **place = &room->shares;

    while (*place && memcmp(&(*place)->key, key, sizeof(*key)) != 0)
        place = &(*place)->next;
    return place;
}

int
room_enter(struct room *room,
           const struct headcount_key *key,
           struct share **ret_share,
           struct err *err)
{
    struct share *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_lock(&room->lock);
    struct share **place = find_share(room, key);
    if (!*place) {
        *place = fresh;
        *TAKE(fresh) = (struct share){.room = room, .key = *key};
        room->references++;
    }
    (*place)->users++;
    *ret_share = *place;
    pthread_mutex_unlock(&room->lock);
    free(fresh);
    return 0;
}

int
share_take(struct share *share, int64_t bytes, struct err *err)
{
    struct room *room = share->room;
    const struct room_limits *limits = &room->limits;
    const char *refusal = NULL;

    if (fs_free_bytes(limits->dir) - bytes < limits->reserve_bytes)
        return err_set(err, ERR_UNAVAILABLE, "the disk is nearly full");
    pthread_mutex_lock(&room->lock);
    if (bytes > limits->max_bytes - room->bytes)
        refusal = "too many large bodies are under way";
    else if (limits->max_bytes_per_address > 0 &&
             bytes > limits->max_bytes_per_address - share->bytes)
        refusal = "too many large bodies of this address are under way";
    if (!refusal) {
        room->bytes += bytes;
        share->bytes += bytes;
    }
    pthread_mutex_unlock(&room->lock);
    return refusal ? err_set(err, ERR_UNAVAILABLE, "%s", refusal) : 0;
}

void
share_leave(struct share *share, int64_t bytes)
{
    struct room *room = share->room;

    pthread_mutex_lock(&room->lock);
    room->bytes -= bytes;
    share->bytes -= bytes;
    const bool last = --share->users == 0;
    if (last)
        *find_share(room, &share->key) = share->next;
    pthread_mutex_unlock(&room->lock);
    if (!last)
        return;
    free(share);
    room_unref(room);
}
