/* Many clients at once, answers from other threads, clients that go away, and stopping amid all of
 * it. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "server/base/clock.h"
#include "tests/harness/test.h"
#include "tests/server/http/client.h"
#include "tests/server/http/fixture.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"
#define PATIENCE_MS 60000
#define MANY 512
#define SLOW 200

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static const struct http_options crowd = {
    .max_connections = 2000,
    .max_connections_per_address = 2000,
};

static struct reply reply;
static int fds[MANY];
static int slow_fds[SLOW];

static void
connect_all(uint16_t port, int *list, int count, const char *first)
{
    for (int i = 0; i < count; i++) {
        list[i] = client_connect(port);
        CHECK(list[i] >= 0);
        CHECK(client_send_str(list[i], first));
    }
}

static void
close_all(const int *list, int count)
{
    for (int i = 0; i < count; i++)
        close(list[i]);
}

/* Whatever else happens on a connection would wake a loop that hangs: the gates stay open to the
 * end.
 *
 * The loops are held while every socket gets something to read, so that each sees all at once: 512
 * is a multiple of the 128 events that libmicrohttpd asks for at a time, which is what it can hang
 * on. */
static void
upload_in_bursts(const int *gates, int gate_count)
{
    static const char gate[] = "POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n";
    static const char part[10000];

    for (int round = 0; round < 3; round++) {
        fixture_close_gate();
        for (int i = 0; i < gate_count; i++)
            CHECK(client_send_str(gates[i], gate));
        clock_sleep_ms(100);
        bool sent = true;
        for (int i = 0; i < MANY; i++)
            sent = sent && client_send(fds[i], part, sizeof(part));
        fixture_open_gate();
        CHECK(sent);
        for (int i = 0; i < gate_count; i++)
            CHECK(client_read(gates[i], PATIENCE_MS, &reply));
    }
}

TEST(many_uploads_at_once)
{
    int gates[8];

    CHECK(fixture_raise_descriptors(4096));
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct http_options options = crowd;
        options.threads = threads;
        struct fixture fixture = fixture_start(options);
        connect_all(fixture.port, slow_fds, SLOW, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Le");
        connect_all(fixture.port, fds, MANY,
                    "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 30000\r\n\r\n");
        const int gate_count = threads == 1 ? 1 : 8;
        connect_all(fixture.port, gates, gate_count, "");
        upload_in_bursts(gates, gate_count);
        for (int i = 0; i < MANY; i++) {
            CHECK(client_read(fds[i], PATIENCE_MS, &reply));
            CHECK_INT(reply.status, 200);
            CHECK(strncmp(reply.body, "30000 ", 6) == 0);
        }
        close_all(fds, MANY);
        close_all(slow_fds, SLOW);
        close_all(gates, gate_count);
        fixture_stop(&fixture, 1000);
        CHECK_INT(fixture_live_states(), 0);
    }
}

struct client {
    pthread_t thread;
    uint16_t port;
    const char *path;
    size_t body_bytes;
    int requests;
    int answered;
};

static void *
run_client(void *arg)
{
    struct client *client = arg;
    struct reply *mine = calloc(1, sizeof(*mine));
    const int fd = client_connect(client->port);

    for (int i = 0; mine && i < client->requests; i++) {
        if (!client_post(fd, client->path, client->body_bytes) ||
            !client_read(fd, PATIENCE_MS, mine))
            break;
        client->answered += mine->status == 200 || mine->status == 202;
    }
    close(fd);
    free(mine);
    return NULL;
}

static void
run_clients(struct client *clients, int count, struct client like)
{
    for (int i = 0; i < count; i++) {
        clients[i] = like;
        CHECK_INT(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(clients[i].thread, NULL);
    for (int i = 0; i < count; i++)
        CHECK_INT(clients[i].answered, like.requests);
}

TEST(late_answers_of_other_threads)
{
    struct fixture fixture = fixture_start(crowd);
    struct client clients[16];

    run_clients(
        clients, 16,
        (struct client){.port = fixture.port, .path = "/late", .body_bytes = 500, .requests = 200});
    fixture_stop(&fixture, 5000);
    CHECK_INT(fixture_live_states(), 0);
}

TEST(four_large_bodies_need_little_memory)
{
    struct fixture fixture = fixture_start(crowd);
    struct client clients[4];
    const struct client like = {
        .port = fixture.port, .path = "/sum", .body_bytes = 25U << 20, .requests = 1};

    /* The first bodies pay for what stays: stacks, arenas, the library's tables. */
    struct client small = like;
    small.body_bytes = 100000;
    run_clients(clients, 4, small);
    fixture_reset_peak();
    const long before_kib = fixture_now_kib();
    run_clients(clients, 4, like);
    const long grown_kib = fixture_peak_kib() - before_kib;
    printf("# peak: %ld KiB above %ld KiB\n", grown_kib, before_kib);
#ifndef SANITIZED
    CHECK(grown_kib < 16 * 1024);
#endif
    fixture_stop(&fixture, 5000);
}

TEST(clients_that_do_not_wait)
{
    struct fixture fixture = fixture_start(crowd);
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    connect_all(fixture.port, fds, 100,
                "POST /held HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(fixture_wait_held(100, PATIENCE_MS));
    for (int i = 0; i < 100; i += 2)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close_all(fds, 100);
    CHECK_INT(fixture_release(), 100);
    const int fd = client_connect(fixture.port);
    CHECK(client_ask(fd, HELLO, &reply));
    close(fd);
    fixture_stop(&fixture, 5000);
    CHECK_INT(fixture_live_states(), 0);
}

static void *
stop_server(void *arg)
{
    http_server_stop(arg, PATIENCE_MS);
    return NULL;
}

TEST(stop_waits_for_requests_in_flight)
{
    struct fixture fixture = fixture_start(crowd);
    pthread_t stopper;

    /* One rests, one uploads, one is being worked on. */
    const int idle = client_connect(fixture.port);
    CHECK(client_ask(idle, HELLO, &reply));
    const int fresh = client_connect(fixture.port);
    const int upload = client_connect(fixture.port);
    CHECK(client_send_str(upload, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\nabc"));
    const int working = client_connect(fixture.port);
    CHECK(client_send_str(working, "POST /held HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"));
    CHECK(fixture_wait_held(1, PATIENCE_MS));

    CHECK_INT(pthread_create(&stopper, NULL, stop_server, fixture.server), 0);
    CHECK(client_sees_end(idle, 5000));
    CHECK(client_sees_end(fresh, 5000));
    CHECK(client_ask(upload, "def", &reply));
    CHECK_INT(reply.status, 200);
    CHECK(reply_has(&reply, "Connection: close"));
    CHECK_INT(fixture_release(), 1);
    CHECK(client_read(working, PATIENCE_MS, &reply));
    CHECK_INT(reply.status, 202);
    CHECK(reply_has(&reply, "Connection: close"));
    pthread_join(stopper, NULL);
    CHECK(client_connect(fixture.port) < 0);
    close(idle);
    close(fresh);
    close(upload);
    close(working);
    fixture.server = NULL;
    fixture_stop(&fixture, 0);
    CHECK_INT(fixture_live_states(), 0);
}

TEST(answers_after_the_stop)
{
    struct fixture fixture = fixture_start(crowd);

    connect_all(fixture.port, fds, 20,
                "POST /held HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(fixture_wait_held(20, PATIENCE_MS));
    fixture_stop(&fixture, 50);
    for (int i = 0; i < 20; i++)
        CHECK(client_sees_end(fds[i], 5000));
    CHECK_INT(fixture_live_states(), 20);
    CHECK_INT(fixture_release(), 20);
    CHECK_INT(fixture_live_states(), 0);
    close_all(fds, 20);
}

TEST(stop_amid_traffic)
{
    struct client clients[8];

    for (int round = 0; round < 10; round++) {
        struct fixture fixture = fixture_start(crowd);
        for (int i = 0; i < 8; i++) {
            clients[i] = (struct client){
                .port = fixture.port, .path = "/late", .body_bytes = 2000, .requests = 1 << 20};
            CHECK_INT(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
        }
        clock_sleep_ms(50);
        fixture_stop(&fixture, PATIENCE_MS);
        for (int i = 0; i < 8; i++)
            pthread_join(clients[i].thread, NULL);
        CHECK_INT(fixture_live_states(), 0);
    }
}

TEST_MAIN()
