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

static bool
enter(struct headcount *headcount, const char *address, struct headcount_key *key)
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

static void
fill(struct spool *spool, const char *dir, size_t total, size_t piece, uint64_t expected)
{
    char *bytes = malloc(piece);

    CHECK(bytes);
    memset(bytes, 'x', piece);
    for (size_t done = 0; done < total; done += piece)
        CHECK_OK(spool_append(spool, dir, expected, bytes_of(bytes, piece), &err), err);
    free(bytes);
}

TEST(bodies_move_to_a_file)
{
    char *dir = NULL;
    AUTO_DONE(spool_done) struct spool spool = SPOOL_INIT;

    CHECK_OK(fs_make_temp_dir("/tmp", "spool", &dir, &err), err);
    fill(&spool, dir, LIMIT_SPOOL_BYTES, 4096, 0);
    CHECK_INT(spool_body(&spool).spool_fd, -1);
    CHECK_INT(spool_body(&spool).memory.len, LIMIT_SPOOL_BYTES);
    fill(&spool, dir, 1, 1, 0);
    struct http_body body = spool_body(&spool);
    CHECK(body.spool_fd >= 0);
    CHECK_INT(body.memory.len, 0);
    CHECK_INT(body.bytes, LIMIT_SPOOL_BYTES + 1);
    CHECK_INT(lseek(body.spool_fd, 0, SEEK_END), LIMIT_SPOOL_BYTES + 1);
    spool_done(&spool);
    CHECK_INT(spool.fd, -1);

    /* Announced as large: never in memory. Announced as small: allocated once. */
    fill(&spool, dir, 10, 1, LIMIT_SPOOL_BYTES + 1);
    CHECK(spool.fd >= 0);
    CHECK(!spool.memory);
    spool_done(&spool);
    fill(&spool, dir, 100, 1, 12470);
    CHECK_INT(spool.capacity, 12470);
    /* Nothing has a name. */
    CHECK_INT(rmdir(dir), 0);
    free(dir);
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
