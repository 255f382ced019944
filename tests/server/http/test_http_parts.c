/* The parts of the server that need no connection: who may connect, where a body is kept, which
 * route. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/base/fs.h"
#include "server/http/headcount.h"
#include "server/http/router.h"
#include "server/http/spool.h"
#include "server/limits.h"
#include "tests/harness/test.h"

static struct err err;

static enum headcount_entry
enter_as(struct headcount *headcount, const char *address, struct headcount_key *key)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    return headcount_enter(headcount, (const struct sockaddr *)&storage, key);
}

static bool
enter(struct headcount *headcount, const char *address, struct headcount_key *key)
{
    return enter_as(headcount, address, key) != HEADCOUNT_REFUSED;
}

TEST(addresses_are_counted_apart)
{
    AUTO(headcount_free) struct headcount *headcount = NULL;
    struct headcount_key a;
    struct headcount_key b;

    CHECK_OK(headcount_new(100, 2, &headcount, &err), err);
    CHECK(enter(headcount, "192.0.2.1", &a));
    CHECK(enter(headcount, "::ffff:192.0.2.1", &a));
    CHECK(!enter(headcount, "192.0.2.1", &a));
    CHECK(enter(headcount, "192.0.2.2", &b));
    headcount_leave(headcount, &a);
    CHECK(enter(headcount, "192.0.2.1", &a));
    /* One network, however many addresses in it. */
    CHECK(enter(headcount, "2001:db8:0:1::1", &b));
    CHECK(enter(headcount, "2001:db8:0:1:ffff::9", &b));
    CHECK(!enter(headcount, "2001:db8:0:1:1::1", &b));
    CHECK(enter(headcount, "2001:db8:0:2::1", &b));
}

TEST(counting_does_not_drift)
{
    AUTO(headcount_free) struct headcount *headcount = NULL;
    struct headcount_key keys[50];
    struct headcount_key refused;
    char address[32];

    CHECK_OK(headcount_new(50, 3, &headcount, &err), err);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            (void)snprintf(address, sizeof(address), "10.%d.0.%d", round, i / 3);
            CHECK(enter(headcount, address, &keys[i]));
        }
        CHECK(!enter(headcount, "192.0.2.9", &refused));
        for (int i = 0; i < 50; i++)
            headcount_leave(headcount, &keys[(i * 7) % 50]);
    }
}

TEST(the_last_places_are_told)
{
    AUTO(headcount_free) struct headcount *headcount = NULL;
    struct headcount_key key;
    char address[32];

    CHECK_OK(headcount_new(80, 16, &headcount, &err), err);
    for (int i = 0; i < 14; i++)
        CHECK_INT(enter_as(headcount, "192.0.2.1", &key), HEADCOUNT_ENTERED);
    for (int i = 0; i < 2; i++)
        CHECK_INT(enter_as(headcount, "192.0.2.1", &key), HEADCOUNT_ADDRESS_CROWDED);
    CHECK_INT(enter_as(headcount, "192.0.2.1", &key), HEADCOUNT_REFUSED);
    for (int i = 16; i < 80; i++) {
        (void)snprintf(address, sizeof(address), "10.0.0.%d", i);
        CHECK_INT(enter_as(headcount, address, &key),
                  i < 70 ? HEADCOUNT_ENTERED : HEADCOUNT_CROWDED);
    }
    CHECK_INT(enter_as(headcount, "192.0.2.2", &key), HEADCOUNT_REFUSED);
}

static const struct headcount_key somebody = {.bytes = "somebody"};
static const struct headcount_key another = {.bytes = "another"};

static struct room *
make_room(struct room_limits limits)
{
    struct room *room = NULL;

    limits.dir = limits.dir ? limits.dir : "/tmp";
    limits.max_bytes = limits.max_bytes ? limits.max_bytes : INT64_MAX;
    CHECK_OK(room_new(&limits, &room, &err), err);
    return room;
}

TEST(room_is_capped_for_one_and_for_all)
{
    struct room *room =
        make_room((struct room_limits){.max_bytes = 10, .max_bytes_per_address = 7});
    struct share *one = NULL;
    struct share *same = NULL;
    struct share *other = NULL;

    CHECK_OK(room_enter(room, &somebody, &one, &err), err);
    CHECK_OK(room_enter(room, &somebody, &same, &err), err);
    CHECK_OK(room_enter(room, &another, &other, &err), err);
    CHECK_OK(share_take(one, 4, &err), err);
    CHECK_OK(share_take(same, 3, &err), err);
    CHECK_INT(share_take(one, 1, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "of this address");
    CHECK_OK(share_take(other, 3, &err), err);
    CHECK_INT(share_take(other, 1, &err), ERR_UNAVAILABLE);
    CHECK(!strstr(err.msg, "of this address"));
    share_leave(one, 4);
    CHECK_INT(share_take(same, 5, &err), ERR_UNAVAILABLE); /* what the first took is not kept */
    CHECK_OK(share_take(same, 4, &err), err);
    CHECK_INT(share_take(same, INT64_MAX, &err), ERR_UNAVAILABLE);
    share_leave(same, 7);
    share_leave(other, 3);
    /* Nothing is left of either. */
    CHECK_OK(room_enter(room, &another, &other, &err), err);
    CHECK_OK(share_take(other, 7, &err), err);
    room_unref(room); /* the server's: it goes with the last share */
    share_leave(other, 7);
}

TEST(the_disk_is_not_filled)
{
    const int64_t free_bytes = fs_free_bytes("/tmp");
    struct room *room = make_room((struct room_limits){.reserve_bytes = free_bytes / 2});
    struct share *share = NULL;

    CHECK_OK(room_enter(room, &somebody, &share, &err), err);
    CHECK_OK(share_take(share, 1, &err), err);
    CHECK_INT(share_take(share, free_bytes, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "the disk is nearly full");
    share_leave(share, 1);
    room_unref(room);
}

static void
fill(struct spool *spool, size_t total, size_t piece, uint64_t expected)
{
    char *bytes = malloc(piece);

    CHECK(bytes);
    memset(bytes, 'x', piece);
    for (size_t done = 0; done < total; done += piece)
        CHECK_OK(spool_append(spool, expected, bytes_of(bytes, piece), &err), err);
    free(bytes);
}

TEST(bodies_move_to_a_file)
{
    char *dir = NULL;

    CHECK_OK(fs_make_temp_dir("/tmp", "spool", &dir, &err), err);
    struct room *room = make_room((struct room_limits){.dir = dir});
    struct spool spool = SPOOL_INIT(room, &somebody);
    fill(&spool, LIMIT_SPOOL_BYTES, 4096, 0);
    CHECK_INT(spool_body(&spool).spool_fd, -1);
    CHECK_INT(spool_body(&spool).memory.len, LIMIT_SPOOL_BYTES);
    fill(&spool, 1, 1, 0);
    struct http_body body = spool_body(&spool);
    CHECK(body.spool_fd >= 0);
    CHECK_INT(body.memory.len, 0);
    CHECK_INT(body.bytes, LIMIT_SPOOL_BYTES + 1);
    CHECK_INT(lseek(body.spool_fd, 0, SEEK_END), LIMIT_SPOOL_BYTES + 1);
    spool_done(&spool);
    CHECK_INT(spool.fd, -1);

    /* Announced as large: never in memory. Announced as small: allocated once. */
    fill(&spool, 10, 1, LIMIT_SPOOL_BYTES + 1);
    CHECK(spool.fd >= 0);
    CHECK(!spool.memory);
    spool_done(&spool);
    fill(&spool, 100, 1, 12470);
    CHECK_INT(spool.capacity, 12470);
    spool_done(&spool);
    room_unref(room);
    /* Nothing has a name. */
    CHECK_INT(rmdir(dir), 0);
    free(dir);
}

TEST(files_take_room_and_memory_does_not)
{
    const int64_t most = 3 * (int64_t)LIMIT_SPOOL_BYTES;
    struct room *room = make_room((struct room_limits){.max_bytes = most});
    struct spool one = SPOOL_INIT(room, &somebody);
    struct spool small = SPOOL_INIT(room, &somebody);
    struct spool late = SPOOL_INIT(room, &another);

    fill(&one, (size_t)most, LIMIT_SPOOL_BYTES, 0);
    CHECK_INT(spool_append(&one, 0, bytes_of("x", 1), &err), ERR_UNAVAILABLE);
    fill(&small, LIMIT_SPOOL_BYTES, 4096, 0);
    CHECK_INT(spool_append(&small, 0, bytes_of("x", 1), &err), ERR_UNAVAILABLE);
    CHECK_INT(spool_append(&late, LIMIT_SPOOL_BYTES + 1, bytes_of("x", 1), &err), ERR_UNAVAILABLE);
    spool_done(&late);
    spool_done(&small);
    spool_done(&one);
    fill(&late, (size_t)most, LIMIT_SPOOL_BYTES, (uint64_t)most);
    spool_done(&late);
    room_unref(room);
}

TEST(routes)
{
    static const struct http_route routes[] = {
        {.method = "GET", .path = "/a"},
        {.method = "POST", .path = "/a"},
        {.method = "POST", .path = "/b"},
    };
    char allow[ROUTER_ALLOW_BYTES];

    CHECK(router_find(routes, 3, "GET", "/a", allow) == &routes[0]);
    CHECK(router_find(routes, 3, "HEAD", "/a", allow) == &routes[0]);
    CHECK(router_find(routes, 3, "POST", "/a", allow) == &routes[1]);
    CHECK(router_find(routes, 3, "get", "/a", allow) == NULL);
    CHECK_STR(allow, "GET, HEAD, POST");
    CHECK(router_find(routes, 3, "HEAD", "/b", allow) == NULL);
    CHECK_STR(allow, "POST");
    CHECK(router_find(routes, 3, "GET", "/a/", allow) == NULL);
    CHECK_STR(allow, "");
}

TEST_MAIN()
