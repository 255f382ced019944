/* Clients that are slow, idle or too many, and what stands in the way of the server's start. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/strbuf.h"
#include "server/limits.h"
#include "tests/harness/test.h"
#include "tests/server/http/client.h"
#include "tests/server/http/fixture.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"
#define LONG_MS 60000
#define PATIENCE_MS 10000

static struct reply reply;

static void
check_hello(int fd)
{
    CHECK(client_ask(fd, HELLO, &reply));
    CHECK_INT(reply.status, 200);
}

/* Send `text` a byte at a time until the server closes. Returns after how long it did, or -1. */
static int64_t
trickle(int fd, const char *text, int64_t pause_ms)
{
    const int64_t start_ms = clock_mono_ms();

    for (const char *next = text; *next; next++) {
        if (client_sees_end(fd, (int)pause_ms) || !client_send(fd, next, 1))
            return clock_mono_ms() - start_ms;
    }
    return -1;
}

static char *
long_text(size_t len)
{
    char *text = malloc(len + 1);

    if (!text)
        abort();
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

TEST(slow_heads)
{
    struct fixture fixture = fixture_start(
        (struct http_options){.head_ms = 300, .body_ms = LONG_MS, .idle_ms = LONG_MS});
    struct http_counters counters;
    char *text = long_text(4000);

    /* Nothing at all, a part and no more, a byte now and then. */
    const int silent = client_connect(fixture.port);
    CHECK(client_sees_end(silent, PATIENCE_MS));
    const int partial = client_connect(fixture.port);
    CHECK(client_send_str(partial, "GET /hello HTTP/1.1\r\nHo"));
    CHECK(client_sees_end(partial, PATIENCE_MS));
    const int slow = client_connect(fixture.port);
    CHECK(client_send_str(slow, "GET /hello HTTP/1.1\r\nX-Slow: "));
    const int64_t took_ms = trickle(slow, text, 20);
    CHECK(took_ms >= 200 && took_ms < PATIENCE_MS);
    /* The same on a connection that has been good before. */
    const int kept = client_connect(fixture.port);
    check_hello(kept);
    clock_sleep_ms(400);
    check_hello(kept);
    clock_sleep_ms(200);
    const int64_t kept_ms = trickle(kept, text, 20);
    CHECK(kept_ms >= 0 && kept_ms < PATIENCE_MS);
    http_server_counters(fixture.server, &counters);
    CHECK_INT(counters.timed_out, 4);
    CHECK_INT(counters.requests, 2);
    CHECK_INT(counters.connections, 4);
    close(silent);
    close(partial);
    close(slow);
    close(kept);
    free(text);
    fixture_stop(&fixture, 1000);
}

TEST(slow_bodies)
{
    struct fixture fixture = fixture_start(
        (struct http_options){.head_ms = LONG_MS, .body_ms = 300, .idle_ms = LONG_MS});
    char *text = long_text(4000);
    const int fd = client_connect(fixture.port);

    check_hello(fd);
    clock_sleep_ms(500);
    CHECK(client_send_str(fd, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 5000\r\n\r\n"));
    const int64_t took_ms = trickle(fd, text, 20);
    CHECK(took_ms >= 200 && took_ms < PATIENCE_MS);
    close(fd);
    free(text);
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

TEST(idle_connections)
{
    struct fixture fixture = fixture_start(
        (struct http_options){.head_ms = LONG_MS, .body_ms = LONG_MS, .idle_ms = 300});
    const int fd = client_connect(fixture.port);

    for (int i = 0; i < 3; i++) {
        check_hello(fd);
        clock_sleep_ms(100);
    }
    const int64_t start_ms = clock_mono_ms();
    CHECK(client_sees_end(fd, PATIENCE_MS));
    CHECK(clock_mono_ms() - start_ms >= 100);
    close(fd);
    fixture_stop(&fixture, 1000);
}

TEST(our_own_time_does_not_count)
{
    struct fixture fixture =
        fixture_start((struct http_options){.head_ms = 100, .body_ms = 100, .idle_ms = 100});
    const int fd = client_connect(fixture.port);

    CHECK(client_send_str(fd, "POST /held HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"));
    CHECK(fixture_wait_held(1, PATIENCE_MS));
    clock_sleep_ms(500);
    CHECK_INT(fixture_release(), 1);
    CHECK(client_read(fd, PATIENCE_MS, &reply));
    CHECK_INT(reply.status, 202);
    close(fd);
    fixture_stop(&fixture, 1000);
}

/* Whether a new connection is served. */
static bool
is_admitted(uint16_t port, int *ret_fd)
{
    *ret_fd = client_connect(port);
    return *ret_fd >= 0 && client_ask(*ret_fd, HELLO, &reply) && reply.status == 200;
}

static void
check_cap(struct http_options options, unsigned cap)
{
    struct fixture fixture = fixture_start(options);
    struct http_counters counters;
    int fds[16];
    int extra;

    for (unsigned i = 0; i < cap; i++)
        CHECK(is_admitted(fixture.port, &fds[i]));
    CHECK(!is_admitted(fixture.port, &extra));
    close(extra);
    http_server_counters(fixture.server, &counters);
    CHECK_INT(counters.open_connections, cap);
    CHECK_INT(counters.refused_connections, 1);
    /* One leaves, one may come. */
    close(fds[0]);
    bool admitted = false;
    for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
         !admitted && clock_mono_ms() < until_ms;) {
        admitted = is_admitted(fixture.port, &fds[0]);
        if (!admitted)
            close(fds[0]);
    }
    CHECK(admitted);
    for (unsigned i = 0; i < cap; i++)
        close(fds[i]);
    fixture_stop(&fixture, 1000);
}

TEST(cap_for_one_address)
{
    check_cap((struct http_options){.max_connections_per_address = 5, .max_connections = 100}, 5);
}

TEST(cap_for_all)
{
    check_cap((struct http_options){.max_connections = 7}, 7);
    check_cap((struct http_options){.max_connections = 6,
                                    .max_connections_per_address = 2,
                                    .behind_proxy = true},
              6);
}

TEST(an_unfinished_chunk_header_costs_little)
{
    struct fixture fixture = fixture_start((struct http_options){.threads = 1});
    char *text = long_text(100000);
    const int fd = client_connect(fixture.port);
    struct timespec before;
    struct timespec after;

    CHECK(client_send_str(
        fd, "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;x="));
    CHECK(client_send(fd, text, 60000));
    clock_sleep_ms(200);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    clock_sleep_ms(500);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    const int64_t used_ms =
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    if (used_ms > 250)
        TEST_FAIL("it took %lld ms of CPU time in 500 ms", (long long)used_ms);
    const int other = client_connect(fixture.port);
    check_hello(other);
    close(fd);
    close(other);
    free(text);
    fixture_stop(&fixture, 1000);
}

TEST(a_body_that_cannot_be_kept)
{
    const struct rlimit small = {.rlim_cur = 400000, .rlim_max = RLIM_INFINITY};
    struct rlimit before;
    struct fixture fixture = fixture_start((struct http_options){.threads = 1});
    const int fd = client_connect(fixture.port);

    /* As a full disk does: writing fails in the middle. */
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    const bool sent = client_post(fd, "/sum", 3000000) && client_read(fd, PATIENCE_MS, &reply);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK(sent);
    CHECK_INT(reply.status, 503);
    CHECK_CONTAINS(reply.body, "{\"error\":\"unavailable\"");

    CHECK_INT(fs_remove_tree(fixture.dir, NULL), 0);
    CHECK(client_post(fd, "/sum", 300000));
    CHECK(client_read(fd, PATIENCE_MS, &reply));
    CHECK_INT(reply.status, 503);
    CHECK(!strstr(reply.body, fixture.dir));
    check_hello(fd);
    close(fd);
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

/* ---- room for large bodies ---- */

static int
post(uint16_t port, const char *path, size_t len)
{
    const int fd = client_connect(port);

    if (!client_post(fd, path, len) || !client_read(fd, PATIENCE_MS, &reply))
        reply.status = 0;
    close(fd);
    return reply.status;
}

/* A body that stops in the middle. Returns the connection. */
static int
post_part(uint16_t port, size_t len, size_t sent)
{
    AUTO_DONE(strbuf_done) struct strbuf head = STRBUF_INIT(1024);
    const int fd = client_connect(port);
    char *text = long_text(sent);

    strbuf_addf(&head, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", len);
    CHECK(client_send(fd, head.ptr, head.len));
    CHECK(client_send(fd, text, sent));
    free(text);
    return fd;
}

/* Two large bodies at a time of which only one has room. */
static void
check_no_room(struct http_options options, bool expected)
{
    struct fixture fixture = fixture_start(options);
    struct http_counters counters;
    const int held = client_connect(fixture.port);

    CHECK(client_post(held, "/held", 600000));
    CHECK(fixture_wait_held(1, PATIENCE_MS));
    CHECK_INT(post(fixture.port, "/sum", 600000), expected ? 503 : 200);
    http_server_counters(fixture.server, &counters);
    CHECK_INT(counters.refused_bodies, expected);
    if (expected) {
        CHECK_CONTAINS(reply.body, "{\"error\":\"unavailable\"");
        CHECK(reply_has(&reply, "Retry-After: 60"));
    }
    /* What fits into memory takes no room. */
    CHECK_INT(post(fixture.port, "/sum", LIMIT_SPOOL_BYTES), 200);
    CHECK(!strstr(reply.head, "Retry-After"));
    CHECK_INT(fixture_release(), 1);
    CHECK(client_read(held, PATIENCE_MS, &reply));
    CHECK_INT(post(fixture.port, "/sum", 600000), 200);
    close(held);
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

TEST(room_for_all_bodies)
{
    check_no_room((struct http_options){.spool_bytes = 1000000}, true);
    check_no_room((struct http_options){.spool_bytes = 1200000}, false);
}

TEST(room_for_one_sender)
{
    check_no_room((struct http_options){.spool_bytes_sender = 1000000}, true);
    check_no_room((struct http_options){.spool_bytes_sender = 1000000, .behind_proxy = true},
                  false);
}

TEST(a_disk_that_is_nearly_full_is_left_to_others)
{
    struct fixture fixture = fixture_start((struct http_options){.spool_reserve = INT64_MAX / 2});

    CHECK_INT(post(fixture.port, "/sum", LIMIT_SPOOL_BYTES + 1), 503);
    CHECK(reply_has(&reply, "Retry-After: 60"));
    CHECK_INT(post(fixture.port, "/sum", LIMIT_SPOOL_BYTES), 200);
    fixture_stop(&fixture, 1000);
}

TEST(who_goes_away_leaves_the_room)
{
    struct fixture fixture = fixture_start((struct http_options){.spool_bytes = 1000000});
    const size_t before = fixture_summed_bytes();
    const int fd = post_part(fixture.port, 700000, 600000);
    int status = 0;

    for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
         fixture_summed_bytes() < before + 600000 && clock_mono_ms() < until_ms;)
        clock_sleep_ms(1);
    CHECK_INT(post(fixture.port, "/sum", 600000), 503);
    close(fd);
    for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
         status != 200 && clock_mono_ms() < until_ms;)
        status = post(fixture.port, "/sum", 600000);
    CHECK_INT(status, 200);
    fixture_stop(&fixture, 1000);
    CHECK_INT(fixture_live_states(), 0);
}

/* The rest of its body is still being read. */
TEST(who_is_refused_leaves_the_room_at_once)
{
    struct fixture fixture = fixture_start((struct http_options){.spool_bytes = 1000000});
    struct http_counters counters = {0};
    const int fd = post_part(fixture.port, 3000000, 2000000);

    for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
         !counters.refused_bodies && clock_mono_ms() < until_ms;)
        http_server_counters(fixture.server, &counters);
    CHECK_INT(counters.refused_bodies, 1);
    CHECK_INT(post(fixture.port, "/sum", 900000), 200);
    close(fd);
    fixture_stop(&fixture, 1000);
}

/* An answer that is owed when the server has gone still finds the room that it gives back. */
TEST(room_outlives_the_server)
{
    struct fixture fixture = fixture_start((struct http_options){.threads = 1});
    const int fd = client_connect(fixture.port);

    CHECK(client_post(fd, "/held", 600000));
    CHECK(fixture_wait_held(1, PATIENCE_MS));
    fixture_stop(&fixture, 0);
    CHECK_INT(fixture_release(), 1);
    CHECK_INT(fixture_live_states(), 0);
    close(fd);
}

static int
start_at(const char *address, uint16_t port, struct err *err)
{
    struct http_server *server = NULL;
    const struct http_options options = {.address = address, .port = port, .spool_dir = "/tmp"};

    const int rc = http_server_start(&options, &server, err);
    http_server_stop(server, 0);
    return rc;
}

TEST(start_that_fails)
{
    struct fixture fixture = fixture_start((struct http_options){.threads = 1});
    struct err err;

    CHECK_INT(start_at("127.0.0.1", fixture.port, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "is taken");
    CHECK_INT(start_at("localhost", 0, &err), ERR_INVALID);
    CHECK_INT(start_at("192.0.2.1", 0, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "not an address of this machine");
    fixture_stop(&fixture, 1000);
    CHECK_OK(start_at("127.0.0.1", 0, &err), err);
}

TEST(ipv6_and_ipv4_together)
{
    struct fixture fixture = fixture_start((struct http_options){.address = "::"});
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(fixture.port),
        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
    };
    const int old = client_connect(fixture.port);
    const int fresh = socket(AF_INET6, SOCK_STREAM, 0);

    check_hello(old);
    if (!connect(fresh, (const struct sockaddr *)&address, sizeof(address)))
        check_hello(fresh);
    else
        printf("# no IPv6 here\n");
    close(old);
    close(fresh);
    fixture_stop(&fixture, 1000);
}

TEST_MAIN()
