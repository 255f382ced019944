/* More clients than there are places, and all of them slow: whoever is honest is served all the same.
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "tests/harness/test.h"
#include "tests/server/http/client.h"
#include "tests/server/http/fixture.h"

#define PATIENCE_MS 60000
#define PLACES 256
#define RESERVE (PLACES / 8)
#define CROWD 2000
#define HELD 20

/* What slow clients say, and then nothing more. */
static const char *const beginnings[] = {
    "",
    "POST /sum HTTP/1.1\r\nHost: t\r\nX-Slow: ",
    "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 26214400\r\n\r\nx",
    "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
};
#define KINDS (sizeof(beginnings) / sizeof(beginnings[0]))

static const struct http_options few_places = {
    .max_connections = PLACES,
    .max_connections_per_address = PLACES,
};

static struct reply reply;
static int crowd[CROWD];

/* Some are closed while they still come: that is what they are here for. */
static void
gather(uint16_t port, uint32_t first_host, bool each_from_its_own)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd[i] = client_connect_from(each_from_its_own ? first_host + i : first_host, port);
        CHECK(crowd[i] >= 0);
        (void)client_send_str(crowd[i], beginnings[i % KINDS]);
    }
}

static void
disperse(void)
{
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
}

static bool
is_open(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 0;
}

static void
check_served(uint16_t port, uint32_t host)
{
    const int fd = client_connect_from(host, port);

    CHECK(fd >= 0);
    CHECK(client_post(fd, "/sum", 100000));
    CHECK(client_read(fd, PATIENCE_MS, &reply));
    CHECK_INT(reply.status, 200);
    close(fd);
}

static void
check_crowd(struct http_options options, uint32_t first_host, bool each_from_its_own, uint32_t host)
{
    struct fixture fixture = fixture_start(options);
    struct http_counters counters;
    int held[HELD];

    /* Who waits for us is not slow: it keeps its place, although it came first. */
    for (int i = 0; i < HELD; i++) {
        held[i] = client_connect_from(host, fixture.port);
        CHECK(client_send_str(held[i],
                              "POST /held HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"));
    }
    CHECK(fixture_wait_held(HELD, PATIENCE_MS));
    for (int round = 0; round < 2; round++) {
        gather(fixture.port, first_host, each_from_its_own);
        check_served(fixture.port, host);
        if (round == 0)
            disperse();
    }
    http_server_counters(fixture.server, &counters);
    CHECK(counters.pushed_out >= CROWD - PLACES);
    CHECK(counters.open_connections <= PLACES);
    CHECK_INT(counters.refused_connections, 0);
    CHECK_INT(fixture_release(), HELD);
    for (int i = 0; i < HELD; i++) {
        CHECK(client_read(held[i], PATIENCE_MS, &reply));
        CHECK_INT(reply.status, 202);
        close(held[i]);
    }
    disperse();
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

TEST(a_crowd_from_everywhere)
{
    CHECK(fixture_raise_descriptors(3 * CROWD));
    check_crowd(few_places, 0x010101, true, 0x000002);
}

TEST(a_crowd_behind_one_address)
{
    struct http_options options = few_places;

    options.behind_proxy = true;
    check_crowd(options, 0x000001, false, 0x000001);
}

TEST(a_crowd_at_ones_own_address)
{
    struct http_options options = few_places;

    options.max_connections = 2 * PLACES;
    check_crowd(options, 0x000001, false, 0x000001);
}

TEST(a_crowd_takes_no_place_from_other_addresses)
{
    struct http_options options = few_places;
    int others[RESERVE];

    options.max_connections = 2 * PLACES;
    struct fixture fixture = fixture_start(options);
    for (uint32_t i = 0; i < RESERVE; i++) {
        others[i] = client_connect_from(0x020202 + i, fixture.port);
        CHECK(client_send_str(others[i], beginnings[1 + i % (KINDS - 1)]));
    }
    gather(fixture.port, 0x000001, false);
    check_served(fixture.port, 0x000001);
    for (int i = 0; i < RESERVE; i++) {
        CHECK(is_open(others[i]));
        close(others[i]);
    }
    disperse();
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

TEST_MAIN()
