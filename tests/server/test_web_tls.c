/* Whom the HTTP client believes: a server of openssl(1) with a certificate of an authority of our
 * own. */
#include "server/web.h"

#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/child.h"
#include "tests/harness/test.h"

static char *directory;

static char *
file_in(const char *name)
{
    char *const path = str_printf("%s/%s", directory, name);

    CHECK(path);
    return path;
}

/* Serves a status page on a port of its choosing; the port goes to *ret_port. */
static struct child *
start_server(unsigned *ret_port)
{
    char *const cert = file_in("server.pem");
    char *const key = file_in("server.key");
    const char *const argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
                                "-cert",   cert,       "-key",    key,           NULL};
    struct child *const server = child_start(argv, "ACCEPT ");

    CHECK(server);
    const char *const colon = strrchr(child_line(server), ':');
    CHECK(colon);
    *ret_port = (unsigned)strtoul(colon + 1, NULL, 10);
    free(cert);
    free(key);
    return server;
}

static int
fetch(unsigned port, const char *host, const char *ca_file, struct err *err)
{
    const struct web_options options = {.ca_file = ca_file};
    char *const url = str_printf("https://%s:%u/", host, port);
    const struct web_request request = {.method = "GET", .url = url, .timeout_ms = 10000};
    struct web_answer answer = {0};
    struct web *web;

    CHECK_OK(web_new(&options, &web, err), *err);
    const int result = web_perform(web, &request, &answer, err);
    const long status = answer.status;
    web_answer_done(&answer);
    web_free(web);
    free(url);
    return result ? result : (int)status;
}

TEST(certificates_are_verified)
{
    struct err err;
    unsigned port;

    CHECK_OK(fs_make_temp_dir("/tmp", "test-web-tls-", &directory, &err), err);
    const char *const make_ca[] = {CA_SCRIPT, directory, NULL};
    CHECK_INT(child_run(make_ca), 0);
    char *const ca_file = file_in("ca.pem");
    char *const missing = file_in("missing.pem");
    struct child *server = start_server(&port);

    CHECK_INT(fetch(port, "127.0.0.1", ca_file, &err), 200);
    CHECK_INT(fetch(port, "localhost", ca_file, &err), 200);
    CHECK_INT(fetch(port, "127.0.0.1", NULL, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "certificate is not trusted");
    CHECK_INT(fetch(port, "127.0.0.2", ca_file, &err), ERR_UNAVAILABLE);
    CHECK_INT(fetch(port, "127.0.0.1", missing, &err), ERR_INVALID);

    child_free(server);
    CHECK_OK(fs_remove_tree(directory, &err), err);
    free(ca_file);
    free(missing);
    free(directory);
}

TEST_MAIN()
