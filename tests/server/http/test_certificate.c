/* The self-signed pair, pairs that are none, and TLS with it. */
#include <curl/curl.h>
#include <sys/stat.h>

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/http/certificate.h"
#include "tests/harness/test.h"
#include "tests/server/http/client.h"
#include "tests/server/http/fixture.h"

static char *dir;
static char *certificate;
static char *key;
static struct err err;

static char *
path_of(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
begin(void)
{
    CHECK_OK(fs_make_temp_dir("/tmp", "pair", &dir, &err), err);
    CHECK_OK(certificate_load_or_make(dir, &certificate, &key, &err), err);
}

static void
end(void)
{
    CHECK_INT(fs_remove_tree(dir, NULL), 0);
    free(TAKE(certificate));
    free(TAKE(key));
    free(TAKE(dir));
}

static void
write_text(const char *name, const char *text)
{
    CHECK_OK(fs_write_file(path_of(name), bytes_of_str(text), 0600, &err), err);
}

TEST(made_once)
{
    begin();
    auto_free char *again = NULL;
    auto_free char *key_again = NULL;
    struct stat info;
    int64_t expires_ms;

    CHECK_INT(stat(path_of("tls.key"), &info), 0);
    CHECK_INT(info.st_mode & 07777, 0600);
    CHECK_OK(certificate_check(certificate, key, &err), err);
    CHECK_OK(certificate_load_or_make(dir, &again, &key_again, &err), err);
    CHECK_STR(again, certificate);
    CHECK_STR(key_again, key);
    CHECK_OK(certificate_expires_ms(certificate, &expires_ms, &err), err);
    const int64_t days = (expires_ms - clock_now_ms()) / MS_PER_DAY;
    CHECK(days > 3640 && days < 3660);
    end();
}

TEST(a_pair_is_read_from_anywhere)
{
    begin();
    auto_free char *again = NULL;
    auto_free char *key_again = NULL;
    auto_free char *other = str_dup(path_of("tls.crt"));

    CHECK_OK(certificate_load(other, path_of("tls.key"), &again, &key_again, &err), err);
    CHECK_STR(again, certificate);
    CHECK_STR(key_again, key);
    free(TAKE(again));
    free(TAKE(key_again));
    CHECK_INT(certificate_load(other, "/nonexistent/k", &again, &key_again, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "/nonexistent/k");
    CHECK(!again && !key_again);
    end();
}

TEST(a_key_alone_gets_a_certificate)
{
    begin();
    auto_free char *again = NULL;
    auto_free char *key_again = NULL;

    CHECK_INT(unlink(path_of("tls.crt")), 0);
    CHECK_OK(certificate_load_or_make(dir, &again, &key_again, &err), err);
    CHECK_STR(key_again, key);
    CHECK(strcmp(again, certificate) != 0);
    CHECK_INT(unlink(path_of("tls.key")), 0);
    CHECK_INT(certificate_load_or_make(dir, &again, &key_again, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "has no key");
    CHECK(!fs_exists(path_of("tls.key")));
    end();
}

TEST(what_is_no_pair)
{
    begin();
    char *other_dir = NULL;
    auto_free char *other = NULL;
    auto_free char *other_key = NULL;
    auto_free char *nothing = NULL;

    CHECK_OK(fs_make_temp_dir("/tmp", "pair", &other_dir, &err), err);
    CHECK_OK(certificate_load_or_make(other_dir, &other, &other_key, &err), err);
    CHECK_INT(certificate_check(certificate, other_key, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "does not belong to the certificate");
    CHECK_INT(certificate_check("rubbish", key, &err), ERR_INVALID);
    CHECK_INT(certificate_check(certificate, "", &err), ERR_INVALID);
    CHECK_INT(certificate_check(certificate, certificate, &err), ERR_INVALID);
    CHECK_INT(certificate_expires_ms("rubbish", &(int64_t){0}, &err), ERR_INVALID);
    write_text("tls.key", other_key);
    CHECK_INT(certificate_load_or_make(dir, &nothing, &nothing, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, dir);
    CHECK_INT(certificate_load_or_make("/nonexistent", &nothing, &nothing, &err), ERR_IO);

    struct http_server *server = NULL;
    struct http_options options = {.address = "127.0.0.1",
                                   .certificate_pem = certificate,
                                   .key_pem = other_key,
                                   .spool_dir = dir};
    CHECK_INT(http_server_start(&options, &server, &err), ERR_INVALID);
    options.key_pem = NULL;
    CHECK_INT(http_server_start(&options, &server, &err), ERR_INVALID);
    CHECK_INT(fs_remove_tree(other_dir, NULL), 0);
    free(other_dir);
    end();
}

static size_t
keep_body(char *bytes, size_t size, size_t count, void *text)
{
    strncat(text, bytes, size * count);
    return size * count;
}

/* A request that trusts nothing but the certificate. */
static CURLcode
ask(const struct fixture *fixture,
    const char *host,
    long max_version,
    size_t body_bytes,
    char *text)
{
    CURL *curl = curl_easy_init();
    char url[128];
    char *body = calloc(1, body_bytes + 1);

    text[0] = '\0';
    (void)snprintf(url, sizeof(url), "https://%s:%u/%s", host, fixture->port,
                   body_bytes > 0 ? "sum" : "hello");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, path_of("tls.crt"));
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, max_version);
    curl_easy_setopt(curl, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    if (body_bytes > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    /* Twice: the second one reuses the connection. */
    CURLcode code = curl_easy_perform(curl);
    if (!code) {
        text[0] = '\0';
        code = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    free(body);
    return code;
}

TEST(tls)
{
    static const size_t sizes[] = {1, 16384, 40000, 300000, 5000000};
    struct http_counters counters;
    int64_t expires_ms;
    char text[256];

    begin();
    struct fixture fixture = fixture_start(
        (struct http_options){.certificate_pem = certificate, .key_pem = key, .head_ms = 500});
    CHECK_INT(ask(&fixture, "localhost", CURL_SSLVERSION_DEFAULT, 0, text), CURLE_OK);
    CHECK_STR(text, "hello\n");
    http_server_counters(fixture.server, &counters);
    CHECK_OK(certificate_expires_ms(certificate, &expires_ms, &err), err);
    CHECK_INT(counters.certificate_expires_ms, expires_ms);
    CHECK_INT(ask(&fixture, "127.0.0.1", CURL_SSLVERSION_MAX_TLSv1_2, 0, text), CURLE_OK);
    CHECK_STR(text, "hello\n");
    CHECK_INT(ask(&fixture, "ip6-localhost.invalid", CURL_SSLVERSION_DEFAULT, 0, text),
              CURLE_COULDNT_RESOLVE_HOST);
    CHECK_INT(ask(&fixture, "127.0.0.2", CURL_SSLVERSION_DEFAULT, 0, text), CURLE_COULDNT_CONNECT);
    CHECK_INT(
        ask(&fixture, "localhost", CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, 0, text),
        CURLE_SSL_CONNECT_ERROR);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char start[32];
        CHECK_INT(ask(&fixture, "localhost", CURL_SSLVERSION_DEFAULT, sizes[i], text), CURLE_OK);
        (void)snprintf(start, sizeof(start), "%zu ", sizes[i]);
        CHECK(str_starts_with(text, start));
        CHECK(!strstr(text, "differs"));
    }
    /* Who never says a word of TLS is not waited for either. */
    const int fd = client_connect(fixture.port);
    CHECK(client_sees_end(fd, 10000));
    close(fd);
    fixture_stop(&fixture, 5000);
    CHECK_INT(fixture_live_states(), 0);
    end();
}

/* GnuTLS keeps records that libmicrohttpd has no room for yet: no event tells of them. */
TEST(a_large_body_over_tls_is_read_without_pauses)
{
    char text[256];

    begin();
    struct fixture fixture =
        fixture_start((struct http_options){.certificate_pem = certificate, .key_pem = key});
    const int64_t before_ms = clock_mono_ms();
    CHECK_INT(ask(&fixture, "localhost", CURL_SSLVERSION_DEFAULT, 24000000, text), CURLE_OK);
    const int64_t took_ms = clock_mono_ms() - before_ms;
    CHECK(str_starts_with(text, "24000000 "));
    /* Two bodies: half a second, or 14 with a pause of 5 ms for each of their records. */
    if (took_ms > 7000)
        TEST_FAIL("it took %lld ms", (long long)took_ms);
    fixture_stop(&fixture, 5000);
    end();
}

TEST_MAIN()
