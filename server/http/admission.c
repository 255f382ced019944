/* See admission.h. A table of chains whose nodes are allocated once: one for each connection
 * allowed, so that counting never allocates. */
#include "server/http/admission.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

struct node {
    struct admission_key key;
    unsigned count;
    struct node *next;
};

struct admission {
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
admission_new(unsigned max_connections,
              unsigned max_per_address,
              struct admission **ret_admission,
              struct err *err)
{
    struct admission *admission = calloc(1, sizeof(*admission));
    uint32_t bucket_count = 16;

    while (bucket_count < max_connections)
        bucket_count *= 2;
    if (!admission || pthread_mutex_init(&admission->lock, NULL)) {
        free(admission);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    admission->max_connections = max_connections;
    admission->max_per_address = max_per_address;
    admission->mask = bucket_count - 1;
    admission->nodes = calloc(max_connections, sizeof(*admission->nodes));
    admission->buckets = calloc(bucket_count, sizeof(struct node *));
    if (!admission->nodes || !admission->buckets) {
        admission_free(admission);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (unsigned i = 0; i < max_connections; i++) {
        admission->nodes[i].next = admission->free;
        admission->free = &admission->nodes[i];
    }
    *ret_admission = admission;
    return 0;
}

void
admission_free(struct admission *admission)
{
    if (!admission)
        return;
    pthread_mutex_destroy(&admission->lock);
    free(admission->nodes);
    free(admission->buckets);
    free(admission);
}

static struct admission_key
key_of(const struct sockaddr *address)
{
    static const unsigned char mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    struct admission_key key = {.bytes = {0}};

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

/* FNV-1a. */
static struct node **
find_bucket(struct admission *admission, const struct admission_key *key)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(key->bytes); i++)
        hash = (hash ^ key->bytes[i]) * 16777619U;
    return &admission->buckets[hash & admission->mask];
}

/* The place that points to the key's node, or to the NULL at the end of its chain. */
static struct node **
find_place(struct admission *admission, const struct admission_key *key)
{
    struct node **place = find_bucket(admission, key);

    while (*place && memcmp(&(*place)->key, key, sizeof(*key)) != 0)
        place = &(*place)->next;
    return place;
}

static bool
count_one(struct admission *admission, const struct admission_key *key)
{
    if (admission->connections >= admission->max_connections)
        return false;

    struct node **place = find_place(admission, key);
    if (!*place) {
        struct node *fresh = admission->free;
        admission->free = fresh->next;
        *fresh = (struct node){.key = *key};
        *place = fresh;
    }
    if (admission->max_per_address > 0 && (*place)->count >= admission->max_per_address)
        return false;
    (*place)->count++;
    admission->connections++;
    return true;
}

bool
admission_enter(struct admission *admission,
                const struct sockaddr *address,
                struct admission_key *ret_key)
{
    *ret_key = key_of(address);
    pthread_mutex_lock(&admission->lock);
    const bool entered = count_one(admission, ret_key);
    pthread_mutex_unlock(&admission->lock);
    return entered;
}

void
admission_leave(struct admission *admission, const struct admission_key *key)
{
    pthread_mutex_lock(&admission->lock);
    struct node **place = find_place(admission, key);
    struct node *node = *place;
    admission->connections--;
    if (--node->count == 0) {
        *place = node->next;
        node->next = admission->free;
        admission->free = node;
    }
    pthread_mutex_unlock(&admission->lock);
}
