/* See headcount.h. A table of chains whose nodes are allocated once: one for each connection
 * allowed, so that counting never allocates. */
#include "server/http/headcount.h"

#include "server/base/bytes.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define RESERVE_SHARE 8

struct node {
    struct headcount_key key;
    unsigned count;
    struct node *next;
};

struct headcount {
    pthread_mutex_t lock;
    unsigned max_connections;
    unsigned max_per_address;
    unsigned connections; /* under lock */
    struct node *nodes;
    struct node *free;     /* under lock */
    struct node **buckets; /* under lock */
    uint32_t mask;         /* number of buckets - 1 */
};

int
headcount_new(unsigned max_connections,
              unsigned max_per_address,
              struct headcount **ret_headcount,
              struct err *err)
{
    struct headcount *headcount = calloc(1, sizeof(*headcount));
    uint32_t bucket_count = 16;

    while (bucket_count < max_connections)
        bucket_count *= 2;
    if (!headcount || pthread_mutex_init(&headcount->lock, NULL)) {
        free(headcount);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    headcount->max_connections = max_connections;
    headcount->max_per_address = max_per_address;
    headcount->mask = bucket_count - 1;
    headcount->nodes = calloc(max_connections, sizeof(*headcount->nodes));
    headcount->buckets = calloc(bucket_count, sizeof(struct node *));
    if (!headcount->nodes || !headcount->buckets) {
        headcount_free(headcount);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (unsigned i = 0; i < max_connections; i++) {
        headcount->nodes[i].next = headcount->free;
        headcount->free = &headcount->nodes[i];
    }
    *ret_headcount = headcount;
    return 0;
}

void
headcount_free(struct headcount *headcount)
{
    if (!headcount)
        return;
    pthread_mutex_destroy(&headcount->lock);
    free(headcount->nodes);
    free(headcount->buckets);
    free(headcount);
}

static struct headcount_key
key_of(const struct sockaddr *address)
{
    static const unsigned char mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    struct headcount_key key = {.bytes = {0}};

    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        memcpy(key.bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(key.bytes + sizeof(mapped_prefix), &in.sin_addr, sizeof(in.sin_addr));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
        memcpy(key.bytes, &in.sin6_addr, mapped ? sizeof(key.bytes) : sizeof(key.bytes) / 2);
    }
    return key;
}

static struct node **
find_bucket(struct headcount *headcount, const struct headcount_key *key)
{
    const uint64_t hash = bytes_hash(bytes_of(key->bytes, sizeof(key->bytes)));

    return &headcount->buckets[hash & headcount->mask];
}

/* The place that points to the key's node, or to the NULL at the end of its chain. */
static struct node **
find_place(struct headcount *headcount, const struct headcount_key *key)
{
    struct node **place = find_bucket(headcount, key);

    while (*place && memcmp(&(*place)->key, key, sizeof(*key)) != 0)
        place = &(*place)->next;
    return place;
}

/* Is so much taken that newcomers live on the reserve? Small numbers have none. */
static bool
is_crowded(unsigned taken, unsigned max)
{
    return max > 0 && taken > max - max / RESERVE_SHARE;
}

static enum headcount_entry
count_one(struct headcount *headcount, const struct headcount_key *key)
{
    if (headcount->connections >= headcount->max_connections)
        return HEADCOUNT_REFUSED;

    struct node **place = find_place(headcount, key);
    if (!*place) {
        struct node *fresh = headcount->free;
        headcount->free = fresh->next;
        *fresh = (struct node){.key = *key};
        *place = fresh;
    }
    if (headcount->max_per_address > 0 && (*place)->count >= headcount->max_per_address)
        return HEADCOUNT_REFUSED;
    (*place)->count++;
    headcount->connections++;
    if (is_crowded((*place)->count, headcount->max_per_address))
        return HEADCOUNT_ADDRESS_CROWDED;
    return is_crowded(headcount->connections, headcount->max_connections) ? HEADCOUNT_CROWDED
                                                                          : HEADCOUNT_ENTERED;
}

enum headcount_entry
headcount_enter(struct headcount *headcount,
                const struct sockaddr *address,
                struct headcount_key *ret_key)
{
    *ret_key = key_of(address);
    pthread_mutex_lock(&headcount->lock);
    const enum headcount_entry entry = count_one(headcount, ret_key);
    pthread_mutex_unlock(&headcount->lock);
    return entry;
}

void
headcount_leave(struct headcount *headcount, const struct headcount_key *key)
{
    pthread_mutex_lock(&headcount->lock);
    struct node **place = find_place(headcount, key);
    struct node *node = *place;
    headcount->connections--;
    if (node && --node->count == 0) {
        *place = node->next;
        node->next = headcount->free;
        headcount->free = node;
    }
    pthread_mutex_unlock(&headcount->lock);
}
