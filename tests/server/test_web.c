/* The HTTP client against a scripted server: what it sends, what it makes of every kind of answer,
 * and how it gives up. */
#include "server/web.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "tests/harness/fake_http.h"
#include "tests/harness/test.h"

#include <pthread.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define EMPTY_OK OK_HEAD "Content-Length: 0\r\n\r\n"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct web *
new_web(const char *unix_socket)
{
    const struct web_options options = {.user_agent = "probe/1", .unix_socket = unix_socket};
    struct web *web;
    struct err err;

    CHECK_OK(web_new(&options, &web, &err), err);
    return web;
}

/* "URL/path" in memory that lives until the next call. */
static const char *
url_of(const struct fake_http *fake, const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "%s%s", fake_http_url(fake), path);
    return url;
}

static int
get(struct web *web, const char *url, struct web_answer *ret_answer, struct err *err)
{
    const struct web_request request = {.method = "GET", .url = url, .timeout_ms = 20000};

    return web_perform(web, &request, ret_answer, err);
}

TEST(get_reads_body_and_headers)
{
    static const struct fake_exchange script[] = {
        {"GET /a?b=c HTTP/1.1\r\n",
         "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nRetry-After: 30\r\nLINK: <x>; "
         "rel=\"next\"\r\n"
         "etag: W/\"1\"\r\nX-RateLimit-Remaining:0\r\nx-ratelimit-reset:  17 \r\n"
         "X-Accepted-GitHub-Permissions: issues=write\r\nX-OAuth-Scopes: repo\r\nLocation: /there\r\n\r\nhello",
         0, 0, FAKE_KEEP},
    };
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct web_answer answer;
    struct err err;

    CHECK_OK(get(web, url_of(fake, "/a?b=c"), &answer, &err), err);
    CHECK_INT(answer.status, 403);
    CHECK_STR(strbuf_str(&answer.body), "hello");
    CHECK(!answer.shortened && !answer.redirected_to);
    CHECK_STR(answer.retry_after, "30");
    CHECK_STR(answer.link, "<x>; rel=\"next\"");
    CHECK_STR(answer.etag, "W/\"1\"");
    CHECK_STR(answer.rate_remaining, "0");
    CHECK_STR(answer.rate_reset, "17");
    CHECK_STR(answer.accepted_permissions, "issues=write");
    CHECK_STR(answer.oauth_scopes, "repo");
    CHECK_STR(answer.location, "/there");
    web_answer_done(&answer);
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    CHECK_CONTAINS(fake_http_request(fake, 0), "\r\nUser-Agent: probe/1\r\n");
    CHECK(!strstr(fake_http_request(fake, 0), "Content-Type"));
    fake_http_free(fake);
}

TEST(interim_answers_are_passed_over)
{
    static const struct fake_exchange script[] = {
        {"GET /", "HTTP/1.1 103 Early\r\nETag: \"early\"\r\n\r\n" EMPTY_OK, 0, 0, FAKE_KEEP},
    };
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct web_answer answer;
    struct err err;

    CHECK_OK(get(web, url_of(fake, "/"), &answer, &err), err);
    CHECK_INT(answer.status, 200);
    CHECK(!answer.etag);
    CHECK_STR(strbuf_str(&answer.body), "");
    web_answer_done(&answer);
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
}

TEST(post_sends_body_and_credential_and_keeps_the_connection)
{
    static const struct fake_exchange script[] = {
        {"POST /p ", EMPTY_OK, 0, 0, FAKE_KEEP}, {"PATCH /q ", EMPTY_OK, 0, 0, FAKE_KEEP},
        {"POST /r ", EMPTY_OK, 0, 0, FAKE_KEEP}, {"DELETE /s ", EMPTY_OK, 0, 0, FAKE_KEEP},
        {"GET /t ", EMPTY_OK, 0, 0, FAKE_KEEP},
    };

    static const struct {
        const char *method, *path, *body, *type;
    } calls[] = {
        {"POST", "/p", "{\"a\":1}", NULL},
        {"PATCH", "/q", "k=v", "application/x-www-form-urlencoded"},
        {"POST", "/r", NULL, NULL},
        {"DELETE", "/s", NULL, NULL},
        {"GET", "/t", NULL, NULL},
    };

    const char *const headers[] = {"Accept: application/json", NULL};
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct secret *token;
    struct err err;

    CHECK_OK(secret_new(bytes_of_str("t0ken"), &token, &err), err);
    for (size_t i = 0; i < COUNT(calls); i++) {
        const struct web_request request = {.method = calls[i].method,
                                            .url = url_of(fake, calls[i].path),
                                            .headers = headers,
                                            .bearer = token,
                                            .body = bytes_of_str(calls[i].body),
                                            .content_type = calls[i].type};
        struct web_answer answer;
        CHECK_OK(web_perform(web, &request, &answer, &err), err);
        web_answer_done(&answer);
    }
    web_free(web);
    secret_free(token);
    CHECK(!fake_http_mistake(fake));
    CHECK_INT(fake_http_connections(fake), 1);
    CHECK_CONTAINS(fake_http_request(fake, 0), "\r\nContent-Type: application/json\r\n");
    CHECK_CONTAINS(fake_http_request(fake, 0), "\r\nAuthorization: Bearer t0ken\r\n");
    CHECK_CONTAINS(fake_http_request(fake, 0), "\r\nAccept: application/json\r\n");
    CHECK_CONTAINS(fake_http_request(fake, 0), "\r\n\r\n{\"a\":1}");
    CHECK_CONTAINS(fake_http_request(fake, 1), "application/x-www-form-urlencoded");
    CHECK_CONTAINS(fake_http_request(fake, 2), "\r\nContent-Length: 0\r\n");
    CHECK(!strstr(fake_http_request(fake, 4), "Content-Length"));
    fake_http_free(fake);
}

TEST(speaks_over_a_unix_socket)
{
    static const struct fake_exchange script[] = {
        {"GET /_ping ", OK_HEAD "Content-Length: 2\r\n\r\nOK", 0, 0, FAKE_KEEP},
    };
    char *dir;
    struct err err;
    struct web_answer answer;

    CHECK_OK(fs_make_temp_dir("/tmp", "test-web-", &dir, &err), err);
    char *const path = str_printf("%s/engine.sock", dir);
    struct fake_http *fake = fake_http_new(path, script, COUNT(script));
    struct web *web = new_web(path);
    CHECK_OK(get(web, "http://engine.invalid/_ping", &answer, &err), err);
    CHECK_STR(strbuf_str(&answer.body), "OK");
    web_answer_done(&answer);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
    CHECK_INT(get(web, "http://engine.invalid/_ping", &answer, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, path);
    web_free(web);
    CHECK_OK(fs_remove_tree(dir, &err), err);
    free(path);
    free(dir);
}

/* One exchange; returns how the GET ended. */
static int
outcome(const struct fake_exchange *exchange, size_t max_bytes, int64_t timeout_ms, struct err *err)
{
    struct fake_http *fake = fake_http_new(NULL, exchange, 1);
    struct web *web = new_web(NULL);
    const struct web_request request = {.method = "GET",
                                        .url = url_of(fake, "/secret-path?token=hush"),
                                        .timeout_ms = timeout_ms,
                                        .max_answer_bytes = max_bytes};
    struct web_answer answer = {0};
    const int result = web_perform(web, &request, &answer, err);

    web_answer_done(&answer);
    web_free(web);
    fake_http_free(fake);
    return result;
}

TEST(broken_answers_are_told_apart)
{
    static const struct {
        struct fake_exchange exchange;
        size_t max_bytes;
        int64_t timeout_ms;
        int result;
    } cases[] = {
        {{"GET", OK_HEAD "Content-Length: 9\r\n\r\nhalf", 0, 0, FAKE_CLOSE}, 0, 5000, ERR_REMOTE},
        {{"GET", OK_HEAD "Content-Le", 0, 0, FAKE_CLOSE}, 0, 5000, ERR_REMOTE},
        {{"GET", NULL, 0, 0, FAKE_CLOSE}, 0, 5000, ERR_REMOTE},
        {{"GET", OK_HEAD, 0, 0, FAKE_RESET}, 0, 5000, ERR_REMOTE},
        {{"GET", "SSH-2.0-OpenSSH\r\n\r\n", 0, 0, FAKE_CLOSE}, 0, 5000, ERR_REMOTE},
        {{"GET", NULL, 0, 0, FAKE_KEEP}, 0, 150, ERR_TIMEOUT},
        {{"GET", OK_HEAD "Content-Length: 9\r\n\r\nhalf", 0, 0, FAKE_KEEP}, 0, 150, ERR_TIMEOUT},
        {{"GET", EMPTY_OK, 0, 40, FAKE_KEEP}, 0, 150, ERR_TIMEOUT},
        {{"GET", OK_HEAD "Content-Length: 999999\r\n\r\n", 999999, 0, FAKE_CLOSE},
         1000,
         5000,
         ERR_LIMIT},
        {{"GET", OK_HEAD "Connection: close\r\n\r\n", 999999, 0, FAKE_CLOSE},
         1000,
         5000,
         ERR_LIMIT},
        {{"GET", OK_HEAD "Connection: close\r\n\r\n", LIMIT_ANSWER_BYTES + 1, 0, FAKE_CLOSE},
         0,
         5000,
         ERR_LIMIT},
        {{"GET", OK_HEAD "Content-Length: 1000\r\n\r\n", 1000, 0, FAKE_KEEP}, 1000, 5000, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        const int result =
            outcome(&cases[i].exchange, cases[i].max_bytes, cases[i].timeout_ms, &err);
        if (result != cases[i].result)
            TEST_FAIL("case %zu: %d (%s), expected %d", i, result, err.msg, cases[i].result);
        CHECK(!strstr(err.msg, "hush") && !strstr(err.msg, "secret-path"));
        CHECK(result == 0 || strstr(err.msg, "GET 127.0.0.1: "));
    }
}

TEST(no_server_is_unavailable)
{
    static const struct fake_exchange none[1];
    struct fake_http *fake = fake_http_new(NULL, none, 0);
    char *const url = str_dup(url_of(fake, "/"));
    struct web *web = new_web(NULL);
    struct web_answer answer;
    struct err err;

    fake_http_free(fake);
    CHECK_INT(get(web, url, &answer, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "GET 127.0.0.1: ");
    CHECK_INT(get(web, "http://host.invalid/", &answer, &err), ERR_UNAVAILABLE);
    free(url);
    web_free(web);
}

TEST(other_protocols_and_nonsense_are_refused)
{
    static const char *const urls[] = {"file:///etc/passwd",  "ftp://127.0.0.1/",
                                       "gopher://127.0.0.1/", "http://",
                                       "http://a b/",         ""};
    struct web *web = new_web(NULL);

    for (size_t i = 0; i < COUNT(urls); i++) {
        struct web_answer answer;
        struct err err;
        CHECK_INT(get(web, urls[i], &answer, &err), ERR_INVALID);
    }
    web_free(web);
}

TEST(line_breaks_in_headers_are_refused)
{
    const char *const headers[] = {"X-A: 1\r\nX-B: 2", NULL};
    struct web *web = new_web(NULL);
    struct secret *token;
    struct web_answer answer;
    struct err err;

    CHECK_OK(secret_new(bytes_of_str("a\nX-B: 2"), &token, &err), err);
    const struct web_request by_header = {
        .method = "GET", .url = "http://127.0.0.1:1/", .headers = headers};
    const struct web_request by_token = {
        .method = "GET", .url = "http://127.0.0.1:1/", .bearer = token};
    CHECK_INT(web_perform(web, &by_header, &answer, &err), ERR_INVALID);
    CHECK_INT(web_perform(web, &by_token, &answer, &err), ERR_INVALID);
    CHECK(!strstr(err.msg, "X-B"));
    secret_free(token);
    web_free(web);
}

TEST(of_a_long_body_only_the_end_is_kept)
{
    static const char reply[] = OK_HEAD "Content-Length: 10\r\n\r\n0123456789";
    static const struct fake_exchange script[] = {
        {"GET /", reply, 0, 0, FAKE_KEEP},
        {"GET /", reply, 0, 0, FAKE_KEEP},
        {"GET /", reply, 0, 2, FAKE_KEEP}, /* byte by byte */
        {"GET /", OK_HEAD "\r\nabc", 20000000, 0, FAKE_CLOSE},
    };

    static const struct {
        size_t keep;
        const char *kept; /* NULL: so many 'x' */
        bool shortened;
    } cases[] = {
        {10, "0123456789", false}, {4, "6789", true}, {3, "789", true}, {1000, NULL, true}};
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct web_request request = {
            .method = "GET", .url = url_of(fake, "/"), .keep_last_bytes = cases[i].keep};
        struct web_answer answer;
        struct err err;

        CHECK_OK(web_perform(web, &request, &answer, &err), err);
        if (cases[i].kept)
            CHECK_STR(strbuf_str(&answer.body), cases[i].kept);
        CHECK_INT(answer.body.len, cases[i].keep);
        CHECK_INT(strspn(strbuf_str(&answer.body), "x"), cases[i].kept ? 0 : cases[i].keep);
        CHECK_INT(answer.shortened, cases[i].shortened);
        CHECK(answer.body.capacity < 10000);
        web_answer_done(&answer);
    }
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
}

TEST(redirects_on_the_same_host_keep_the_credential)
{
    static const struct fake_exchange script[] = {
        {"GET /old ", "HTTP/1.1 301 Moved\r\nLocation: /new?x=1\r\nContent-Length: 3\r\n\r\nold", 0,
         0, FAKE_KEEP},
        {"GET /new?x=1 ", "HTTP/1.1 307 Again\r\nLocation: /newer\r\nContent-Length: 0\r\n\r\n", 0,
         0, FAKE_KEEP},
        {"GET /newer ", OK_HEAD "Content-Length: 3\r\n\r\nnew", 0, 0, FAKE_KEEP},
    };
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct secret *token;
    struct web_answer answer;
    struct err err;

    CHECK_OK(secret_new(bytes_of_str("t0ken"), &token, &err), err);
    const struct web_request request = {
        .method = "GET", .url = url_of(fake, "/old"), .bearer = token, .follow_redirects = true};
    CHECK_OK(web_perform(web, &request, &answer, &err), err);
    CHECK_STR(strbuf_str(&answer.body), "new");
    CHECK(!answer.location);
    CHECK_STR(answer.redirected_to, url_of(fake, "/newer"));
    web_answer_done(&answer);
    secret_free(token);
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    CHECK_CONTAINS(fake_http_request(fake, 2), "Bearer t0ken");
    fake_http_free(fake);
}

TEST(redirects_to_another_host_lose_the_credential)
{
    static const struct fake_exchange second_script[] = {
        {"GET /there ", EMPTY_OK, 0, 0, FAKE_KEEP}};
    struct fake_http *second = fake_http_new(NULL, second_script, 1);
    char *const reply =
        str_printf("HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                   url_of(second, "/there"));
    const struct fake_exchange first_script[] = {{"GET /here ", reply, 0, 0, FAKE_KEEP}};
    struct fake_http *first = fake_http_new(NULL, first_script, 1);
    const char *const headers[] = {"authorization: k3y", "Accept: text/plain", NULL};
    struct web *web = new_web(NULL);
    struct secret *token;
    struct web_answer answer;
    struct err err;

    CHECK_OK(secret_new(bytes_of_str("t0ken"), &token, &err), err);
    const struct web_request request = {.method = "GET",
                                        .url = url_of(first, "/here"),
                                        .headers = headers,
                                        .bearer = token,
                                        .follow_redirects = true};
    CHECK_OK(web_perform(web, &request, &answer, &err), err);
    web_answer_done(&answer);
    secret_free(token);
    web_free(web);
    CHECK(!fake_http_mistake(first));
    CHECK(!fake_http_mistake(second));
    CHECK_CONTAINS(fake_http_request(first, 0), "t0ken");
    CHECK(!strcasestr(fake_http_request(second, 0), "authorization"));
    CHECK_CONTAINS(fake_http_request(second, 0), "Accept: text/plain");
    fake_http_free(first);
    fake_http_free(second);
    free(reply);
}

#define LOOP                                                                                       \
    {                                                                                              \
        "GET /", "HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0, 0, FAKE_KEEP     \
    }

TEST(redirects_end_somewhere)
{
    static const struct fake_exchange loop[] = {LOOP, LOOP, LOOP, LOOP};
    struct fake_http *fake = fake_http_new(NULL, loop, COUNT(loop));
    struct web *web = new_web(NULL);
    const struct web_request request = {
        .method = "GET", .url = url_of(fake, "/"), .follow_redirects = true};
    struct web_answer answer;
    struct err err;

    CHECK_INT(web_perform(web, &request, &answer, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "more than 3 redirects");
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
}

TEST(redirects_of_writing_calls_are_handed_back)
{
    static const struct fake_exchange script[] = {
        {"POST /", "HTTP/1.1 307 T\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 0, 0, FAKE_KEEP},
    };
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    const struct web_request request = {.method = "POST",
                                        .url = url_of(fake, "/"),
                                        .body = bytes_of_str("{}"),
                                        .follow_redirects = true};
    struct web_answer answer;
    struct err err;

    CHECK_OK(web_perform(web, &request, &answer, &err), err);
    CHECK_INT(answer.status, 307);
    CHECK_STR(answer.location, "/x");
    web_answer_done(&answer);
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
}

static void *
raise_soon(void *stop)
{
    clock_sleep_ms(300); /* curl's timers for connecting, which wake it as well, are over by then */
    stop_raise(stop);
    return NULL;
}

TEST(a_stop_wakes_the_wait)
{
    static const struct fake_exchange script[] = {{"GET /", NULL, 0, 0, FAKE_KEEP}};
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct stop *stop;
    struct web_answer answer;
    pthread_t thread;
    struct err err;

    CHECK_OK(stop_new(&stop, &err), err);
    const struct web_request request = {.method = "GET", .url = url_of(fake, "/"), .stop = stop};
    const int64_t started = clock_mono_ms();
    CHECK_INT(pthread_create(&thread, NULL, raise_soon, stop), 0);
    CHECK_INT(web_perform(web, &request, &answer, &err), ERR_CANCELED);
    const int64_t took_ms = clock_mono_ms() - started;
    CHECK(took_ms >= 290 && took_ms < 600);
    CHECK_INT(web_perform(web, &request, &answer, &err),
              ERR_CANCELED); /* and is never begun again */
    (void)pthread_join(thread, NULL);
    web_free(web);
    stop_free(stop);
    CHECK(!fake_http_mistake(fake));
    fake_http_free(fake);
}

TEST(a_closed_idle_connection_is_replaced)
{
    static const struct fake_exchange script[] = {
        {"GET /1", EMPTY_OK, 0, 0, FAKE_CLOSE},
        {"GET /2", EMPTY_OK, 0, 0, FAKE_RESET},
        {"GET /3", EMPTY_OK, 0, 0, FAKE_KEEP},
    };
    static const char *const paths[] = {"/1", "/2", "/3"};
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);

    for (size_t i = 0; i < COUNT(paths); i++) {
        struct web_answer answer;
        struct err err;
        CHECK_OK(get(web, url_of(fake, paths[i]), &answer, &err), err);
        web_answer_done(&answer);
        clock_sleep_ms(20); /* so that the close has arrived */
    }
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    CHECK_INT(fake_http_connections(fake), 3);
    fake_http_free(fake);
}

TEST(what_may_have_been_done_is_not_sent_again)
{
    static const struct fake_exchange script[] = {
        {"GET /1", EMPTY_OK, 0, 0, FAKE_KEEP},
        {"GET /2", NULL, 0, 0, FAKE_CLOSE}, /* on the kept connection */
        {"GET /2", EMPTY_OK, 0, 0, FAKE_KEEP},
        {"POST /3", NULL, 0, 0, FAKE_CLOSE},
    };
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    struct web_answer answer;
    struct err err;

    CHECK_OK(get(web, url_of(fake, "/1"), &answer, &err), err);
    web_answer_done(&answer);
    CHECK_OK(get(web, url_of(fake, "/2"), &answer, &err), err);
    web_answer_done(&answer);
    const struct web_request post = {
        .method = "POST", .url = url_of(fake, "/3"), .body = bytes_of_str("{}")};
    CHECK_INT(web_perform(web, &post, &answer, &err), ERR_REMOTE);
    web_free(web);
    CHECK(!fake_http_mistake(fake)); /* no fifth request */
    fake_http_free(fake);
}

TEST(large_bodies_are_sent_whole)
{
    static const struct fake_exchange script[] = {{"PUT /", EMPTY_OK, 0, 0, FAKE_KEEP}};
    const size_t len = 2 * 1024 * 1024;
    struct fake_http *fake = fake_http_new(NULL, script, COUNT(script));
    struct web *web = new_web(NULL);
    char *const body = malloc(len);
    struct web_answer answer;
    struct err err;

    CHECK(body);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)('a' + i % 23);
    const struct web_request request = {
        .method = "PUT", .url = url_of(fake, "/"), .body = bytes_of(body, len)};
    CHECK_OK(web_perform(web, &request, &answer, &err), err);
    web_answer_done(&answer);
    web_free(web);
    CHECK(!fake_http_mistake(fake));
    const char *const sent = strstr(fake_http_request(fake, 0), "\r\n\r\n");
    CHECK(sent && strlen(sent + 4) == len && memcmp(sent + 4, body, len) == 0);
    CHECK_CONTAINS(fake_http_request(fake, 0), "Content-Length: 2097152\r\n");
    fake_http_free(fake);
    free(body);
}

TEST(escaping_keeps_only_unreserved)
{
    struct strbuf buf = STRBUF_INIT(100);

    web_append_escaped(&buf, "aZ09-._~/ ?%\xc3\xa9[bot]");
    CHECK_STR(strbuf_str(&buf), "aZ09-._~%2F%20%3F%25%C3%A9%5Bbot%5D");
    strbuf_done(&buf);
}

TEST_MAIN()
