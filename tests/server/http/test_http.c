/* Requests and answers: routes, errors as JSON, keep-alive over them, bodies of all sizes and
 * framings. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "server/base/crypto.h"
#include "tests/harness/test.h"
#include "tests/server/http/client.h"
#include "tests/server/http/fixture.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"

static struct fixture fixture;
static int connection = -1;
static struct reply reply;

static void
begin(void)
{
    fixture = fixture_start((struct http_options){.threads = 1});
    connection = client_connect(fixture.port);
    CHECK(connection >= 0);
}

static void
end(void)
{
    close(connection);
    fixture_stop(&fixture, 5000);
    CHECK_INT(fixture_live_states(), 0);
}

/* The connection still serves. */
static void
check_alive(void)
{
    CHECK(client_ask(connection, HELLO, &reply));
    CHECK_INT(reply.status, 200);
    CHECK_STR(reply.body, "hello\n");
}

static void
check_error(int status, const char *name)
{
    char start[64];

    CHECK_INT(reply.status, status);
    CHECK(reply_has(&reply, "Content-Type: application/json"));
    (void)snprintf(start, sizeof(start), "{\"error\":\"%s\",\"message\":\"", name);
    CHECK_CONTAINS(reply.body, start);
}

/* What /sum says about `len` bytes of the pattern. */
static void
check_sum(size_t len)
{
    char *body = malloc(len + 1);
    char hex[SHA256_HEX_BYTES];
    char expected[128];

    CHECK(body);
    for (size_t i = 0; i < len; i++)
        body[i] = client_pattern(i);
    CHECK_INT(crypto_sha256_hex(bytes_of(body, len), hex, NULL), 0);
    free(body);
    (void)snprintf(expected, sizeof(expected), "%zu %s", len, hex);
    CHECK_INT(reply.status, 200);
    CHECK_STR(reply.body, expected);
}

TEST(routes_and_methods)
{
    begin();
    check_alive();
    CHECK(reply_has(&reply, "Content-Type: text/plain"));
    CHECK(client_ask(connection, "GET /hello?a=1&b=2 HTTP/1.1\r\nHost: t\r\n\r\n", &reply));
    CHECK_INT(reply.status, 200);
    CHECK(client_ask(connection, "GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n", &reply));
    check_error(404, "not_found");
    CHECK(client_ask(connection, "GET /hell%6f HTTP/1.1\r\nHost: t\r\n\r\n", &reply));
    check_error(404, "not_found");
    CHECK(client_ask(connection, "GET /sum HTTP/1.1\r\nHost: t\r\n\r\n", &reply));
    check_error(405, "method_not_allowed");
    CHECK(reply_has(&reply, "Allow: POST"));
    CHECK(client_ask(connection, "PUT /hello HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi",
                     &reply));
    check_error(405, "method_not_allowed");
    CHECK(reply_has(&reply, "Allow: GET, HEAD"));
    check_alive();
    end();
}

TEST(head_is_get_without_a_body)
{
    begin();
    CHECK(client_send_str(connection, "HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n" HELLO));
    /* Its Content-Length announces what is not sent: the next answer follows at once. */
    char both[1024] = "";
    size_t len = 0;
    while (len < sizeof(both) - 1 && !strstr(both, "\r\n\r\nhello\n")) {
        const ssize_t got = recv(connection, both + len, sizeof(both) - 1 - len, 0);
        CHECK(got > 0);
        len += (size_t)got;
        both[len] = '\0';
    }
    CHECK_CONTAINS(both, "\r\n\r\nHTTP/1.1 200 OK");
    end();
}

TEST(errors_keep_the_connection)
{
    static const char post[] = "POST /%s HTTP/1.1\r\nHost: t\r\nX-Why: \xC3\xA4\\\xFF\r\n"
                               "Content-Length: 5\r\n\r\n%s";
    char text[256];

    begin();
    (void)snprintf(text, sizeof(text), post, "denied", "12345");
    CHECK(client_ask(connection, text, &reply));
    check_error(401, "unauthorized");
    CHECK_CONTAINS(reply.body, "wrong \\\"signature\\\" \xC3\xA4\\\\\\ufffd\"}");
    (void)snprintf(text, sizeof(text), post, "picky", "12!45");
    CHECK(client_ask(connection, text, &reply));
    check_error(400, "invalid");
    (void)snprintf(text, sizeof(text), post, "wrong", "12345");
    CHECK(client_ask(connection, text, &reply));
    check_error(401, "unauthorized");
    (void)snprintf(text, sizeof(text), post, "nothing", "12345");
    CHECK(client_ask(connection, text, &reply));
    check_error(404, "not_found");
    CHECK(client_post(connection, "/small", 1001));
    CHECK(client_read(connection, 5000, &reply));
    check_error(413, "too_large");
    CHECK(client_ask(connection, "GET /hello HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx",
                     &reply));
    check_error(413, "too_large");
    check_alive();
    end();
}

TEST(bodies_arrive_whole)
{
    static const size_t sizes[] = {0,         1,      1000,       12470,          24 * 1024,
                                   64 * 1024, 262143, 256 * 1024, 256 * 1024 + 1, 1000000,
                                   3,         12470,  5 << 20};
    begin();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK(client_post(connection, "/sum", sizes[i]));
        CHECK(client_read(connection, 10000, &reply));
        check_sum(sizes[i]);
    }
    CHECK(client_post(connection, "/small", 1000));
    CHECK(client_read(connection, 5000, &reply));
    check_sum(1000);
    end();
}

/* `len` bytes of the pattern in chunks of changing sizes. */
static bool
post_chunked(const char *path, size_t len)
{
    char text[9000];
    size_t sent = 0;

    (void)snprintf(text, sizeof(text),
                   "POST %s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n", path);
    if (!client_send_str(connection, text))
        return false;
    while (sent < len) {
        size_t part = 1 + sent * 7 % 8000;
        part = part < len - sent ? part : len - sent;
        const size_t head = (size_t)snprintf(text, sizeof(text), "%zx;x=y\r\n", part);
        for (size_t i = 0; i < part; i++)
            text[head + i] = client_pattern(sent + i);
        memcpy(text + head + part, "\r\n", 2);
        if (!client_send(connection, text, head + part + 2))
            return false;
        sent += part;
    }
    return client_send_str(connection, "0\r\nX-Trailer: 1\r\n\r\n");
}

TEST(chunked_bodies)
{
    static const size_t sizes[] = {0, 1, 300, 40000, 262144, 262145, 900000};

    begin();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK(post_chunked("/sum", sizes[i]));
        CHECK(client_read(connection, 10000, &reply));
        check_sum(sizes[i]);
    }
    CHECK(post_chunked("/small", 1001));
    CHECK(client_read(connection, 5000, &reply));
    check_error(413, "too_large");
    CHECK(post_chunked("/denied", 3000));
    CHECK(client_read(connection, 5000, &reply));
    check_error(401, "unauthorized");
    check_alive();
    end();
}

TEST(chunked_without_end_is_cut_off)
{
    begin();
    (void)post_chunked("/small", 4 << 20);
    CHECK(!client_read(connection, 5000, &reply));
    close(connection);
    connection = client_connect(fixture.port);
    check_alive();
    end();
}

/* The answer must arrive although the client is still sending, and although nobody reads the rest.
 */
TEST(large_refused_bodies_are_answered_at_once)
{
    static const char *const paths[] = {"/small", "/denied", "/nothing"};
    static const int statuses[] = {413, 401, 404};

    begin();
    for (int i = 0; i < 3; i++) {
        close(connection);
        connection = client_connect(fixture.port);
        char head[128];
        (void)snprintf(head, sizeof(head),
                       "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n", paths[i]);
        CHECK(client_ask(connection, head, &reply));
        CHECK_INT(reply.status, statuses[i]);
        CHECK(reply_has(&reply, "Connection: close"));
        CHECK(client_sees_end(connection, 5000));

        close(connection);
        connection = client_connect(fixture.port);
        CHECK(client_post(connection, paths[i], 8000000));
        CHECK(client_read(connection, 5000, &reply));
        CHECK_INT(reply.status, statuses[i]);
    }
    end();
}

TEST(expect_continue)
{
    static const char head[] = "POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                               "Content-Length: 4\r\n\r\n";
    char text[256];

    begin();
    (void)snprintf(text, sizeof(text), head, "/sum");
    CHECK(client_send_str(connection, text));
    char line[64] = "";
    CHECK(recv(connection, line, 25, MSG_WAITALL) == 25);
    CHECK_STR(line, "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client_ask(connection, "abcd", &reply));
    CHECK_INT(reply.status, 200);
    /* Refused before the body was sent: nothing but the answer comes. */
    (void)snprintf(text, sizeof(text), head, "/denied");
    CHECK(client_ask(connection, text, &reply));
    CHECK_CONTAINS(reply.head, "HTTP/1.1 401");
    end();
}

TEST(heads_that_two_could_read_differently)
{
    static const char *const heads[] = {
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "identity\r\n\r\n0\r\n\r\n",
        "POST /sum HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length : 3\r\n\r\nabc",
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: +3\r\n\r\nabc",
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "GET /hello HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
    };

    begin();
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        close(connection);
        connection = client_connect(fixture.port);
        CHECK(client_send_str(connection, heads[i]));
        CHECK(client_read(connection, 5000, &reply));
        if (reply.status != 400 && reply.status != 413)
            TEST_FAIL("head %zu was answered with %d", i, reply.status);
        CHECK(client_sees_end(connection, 5000));
    }
    static const char nul[] = "GET /hello\0/x HTTP/1.1\r\nHost: t\r\n\r\n";
    close(connection);
    connection = client_connect(fixture.port);
    CHECK(client_send(connection, nul, sizeof(nul) - 1));
    CHECK(client_read(connection, 5000, &reply));
    check_error(400, "invalid");
    end();
}

/* What one reader takes for the end of a body and another for more of it would hide a request
 * inside, which nobody is to answer. */
TEST(bodies_that_two_could_read_differently)
{
    static const char inside[] = "GET /hello HTTP/1.1\r\nHost: smuggled\r\n\r\n";
    static const char *const starts[] = {
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
        "0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding:\x0b chunked\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        "ffffffffffffffff0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "POST /sum HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde0\r\n\r\n",
    };

    begin();
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        close(connection);
        connection = client_connect(fixture.port);
        CHECK(client_send_str(connection, starts[i]));
        (void)client_send_str(connection, inside);
        (void)shutdown(connection, SHUT_WR);
        while (client_read(connection, 5000, &reply))
            if (reply.status < 400)
                TEST_FAIL("start %zu was answered with %d", i, reply.status);
    }
    close(connection);
    connection = client_connect(fixture.port);
    check_alive();
    end();
}

TEST(older_and_stranger_requests)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET /hello HTTP/1.0\r\n\r\n", 200},
        {"GET /hello HTTP/1.0\r\nHost: t\r\n\r\n", 200},
        {"GET http://t/hello HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"GET //hello HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"GET /x/../hello HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"GET /%68ello HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"CONNECT t:443 HTTP/1.1\r\nHost: t\r\n\r\n", 404},
        {"POST /sum HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 200},
        {"GET /hello HTTP/1.1\r\nHost: t\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 200},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
        {"GET /hello\r\n\r\n", 0},
    };

    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        close(connection);
        connection = client_connect(fixture.port);
        CHECK(client_send_str(connection, cases[i].text));
        if (!cases[i].status)
            (void)shutdown(connection, SHUT_WR);
        (void)client_read(connection, 2000, &reply);
        if (cases[i].status ? reply.status != cases[i].status : reply.status == 200)
            TEST_FAIL("request %zu was answered with %d", i, reply.status);
    }
    close(connection);
    connection = client_connect(fixture.port);
    check_alive();
    end();
}

TEST(heads_have_a_limit)
{
    static char head[80000];
    size_t len;

    begin();
    len = (size_t)snprintf(head, sizeof(head), "GET /hello HTTP/1.1\r\nHost: t\r\nX-Long: ");
    memset(head + len, 'a', 15000);
    memcpy(head + len + 15000, "\r\n\r\n", 5);
    CHECK(client_ask(connection, head, &reply));
    CHECK_INT(reply.status, 200);

    /* The largest head that passes leaves room enough for a body. */
    len = (size_t)snprintf(head, sizeof(head),
                           "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 50000\r\n");
    for (int i = 0; i < 98; i++)
        len += (size_t)snprintf(head + len, sizeof(head) - len, "X-%d: %0*d\r\n", i, 156, 0);
    CHECK(len < 16382 && len > 16000);
    memcpy(head + len, "\r\n", 3);
    CHECK(client_send_str(connection, head));
    for (size_t i = 0; i < 50000; i++) {
        const char byte = client_pattern(i);
        head[i] = byte;
    }
    CHECK(client_send(connection, head, 50000));
    CHECK(client_read(connection, 5000, &reply));
    check_sum(50000);

    len = (size_t)snprintf(head, sizeof(head), "GET /hello HTTP/1.1\r\nHost: t\r\nX-Long: ");
    static const size_t sizes[] = {17000, 31000, 47000, 70000};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t i = 0; i < count; i++) {
        memset(head + len, 'a', sizes[i]);
        memcpy(head + len + sizes[i], "\r\n\r\n", 5);
        close(connection);
        connection = client_connect(fixture.port);
        (void)client_send_str(connection, head);
        if (client_read(connection, 5000, &reply))
            CHECK_INT(reply.status, 431);
        CHECK(reply.status != 200);
    }

    len = (size_t)snprintf(head, sizeof(head), "GET /hello HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(head + len, sizeof(head) - len, "X-%d: 1\r\n", i);
    memcpy(head + len, "\r\n", 3);
    close(connection);
    connection = client_connect(fixture.port);
    CHECK(client_ask(connection, head, &reply));
    check_error(431, "too_large");
    end();
}

TEST(pipelined_requests_are_answered_in_order)
{
    begin();
    CHECK(client_send_str(connection, HELLO
                          "POST /late HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab" HELLO));
    CHECK(client_read(connection, 5000, &reply));
    CHECK_STR(reply.body, "hello\n");
    CHECK(client_read(connection, 5000, &reply));
    CHECK_STR(reply.body, "{\"status\":\"late\"}\n");
    CHECK(client_read(connection, 5000, &reply));
    CHECK_STR(reply.body, "hello\n");
    end();
}

TEST(truncated_bodies_leave_nothing)
{
    begin();
    for (int i = 0; i < 50; i++) {
        const int fd = client_connect(fixture.port);
        CHECK(client_send_str(
            fd, "POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: 300000\r\n\r\nabc"));
        if (i % 2) {
            const struct linger reset = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
    }
    check_alive();
    end();
}

TEST_MAIN()
