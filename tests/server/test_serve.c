/* `draftd serve`, by running it: what it says, what it waits for, and how it ends. */
#include "tests/server/cli_fixture.h"

#include "server/base/crypto.h"
#include "server/limits.h"
#include "tests/server/http/client.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PROMPT_MS (5 * MS_PER_SECOND)

static pid_t
serve(void)
{
    return start((const char *const[]){"serve", CONFIG, NULL});
}

/* The port that it said it listens on. */
static uint16_t
said_port(void)
{
    const char *line = strstr(strbuf_str(&err_out), "event=listening");
    const char *port = line ? strstr(line, " port=") : NULL;

    CHECK(port);
    return (uint16_t)strtoul(port + strlen(" port="), NULL, 10);
}

/* Hand a task in as demo/calc's owner does, without waiting for the answer. Returns the connection.
 */
static int
hand_in(uint16_t port, const char *id)
{
    static const char key[] = "0123456789abcdef01234567";
    static const char body[] = "{\"repository\":\"demo/calc\",\"title\":\"Do it\"}";
    AUTO(hmac_key_free) struct hmac_key *hmac_key = NULL;
    AUTO(hmac_free) struct hmac *hmac = NULL;
    AUTO_DONE(strbuf_done) struct strbuf request = STRBUF_INIT(4096);
    const int64_t seconds = clock_now_ms() / MS_PER_SECOND;
    auto_free char *content = str_printf("%s.%" PRId64 ".%s", id, seconds, body);
    unsigned char mac[SHA256_BYTES];
    struct err err;

    CHECK_OK(hmac_key_new(bytes_of_str(key), &hmac_key, &err), err);
    CHECK_OK(hmac_new(hmac_key, &hmac, &err), err);
    CHECK_OK(hmac_update(hmac, bytes_of_str(content), &err), err);
    CHECK_OK(hmac_finish(hmac, mac, &err), err);
    strbuf_addf(&request,
                "POST /webhooks/local HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n"
                "webhook-id: %s\r\nwebhook-timestamp: %" PRId64 "\r\nwebhook-signature: v1,",
                strlen(body), id, seconds);
    base64_append(&request, bytes_of(mac, sizeof(mac)));
    strbuf_addf(&request, "\r\n\r\n%s", body);
    const int fd = client_connect(port);
    CHECK(fd >= 0 && client_send(fd, request.ptr, request.len));
    return fd;
}

/* Without an engine it serves all the same: runs wait. */
TEST(serve_goes_on_until_it_is_told_to_end)
{
    static const int signals[] = {SIGTERM, SIGINT};

    begin();
    write_config("served");
    for (size_t i = 0; i < COUNT(signals); i++) {
        const pid_t child = serve();
        const bool serving = says("event=serving");
        const bool told = says("event=sandbox_not_ready");
        kill(child, signals[i]);
        CHECK_STATUS(finish(child), 0);
        CHECK(serving && told);
        CHECK_CONTAINS(strbuf_str(&err_out), "event=listening");
        CHECK_CONTAINS(strbuf_str(&err_out), "event=stopped");
    }
}

/* An engine's socket that is connected to and never answers. */
static int
listen_and_say_nothing(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path);
    CHECK(fd >= 0 && !bind(fd, (const struct sockaddr *)&address, sizeof(address)) &&
          !listen(fd, 16));
    return fd;
}

/* What needs no engine does not wait for it, and neither does the end. */
TEST(an_engine_that_hangs_holds_up_neither_deliveries_nor_the_end)
{
    begin();
    write_config("served");
    shell("sed -i \"s,///nonexistent/,//$PWD/,\" draftd.yml");
    auto_free char *path = str_printf("%s/engine.sock", dir);
    auto_close int engine = listen_and_say_nothing(path);
    CHECK(engine >= 0);
    const int64_t begin_ms = clock_mono_ms();
    const pid_t child = serve();
    CHECK(says("event=serving"));
    auto_close int fd = hand_in(said_port(), "m1");
    CHECK(fd >= 0 && says("event=delivery_handled platform=\"local\" delivery=\"m1\""));
    const int64_t stop_ms = clock_mono_ms();
    kill(child, SIGTERM);
    CHECK_STATUS(finish(child), 0);
    CHECK(stop_ms - begin_ms < PROMPT_MS);
    CHECK(clock_mono_ms() - stop_ms < PROMPT_MS);
    CHECK(!strstr(strbuf_str(&err_out), "sandbox_not_ready")); /* it was still being waited for */
}

static int
serve_until(const char *what)
{
    const pid_t child = serve();
    const bool said = says(what);

    kill(child, SIGTERM);
    CHECK_STATUS(finish(child), 0);
    return said;
}

TEST(a_certificate_that_ends_soon_is_told)
{
    begin();
    auto_free char *pair = str_printf("certificate: %s/soon.crt, key: %s/soon.key", dir, dir);

    shell("openssl req -x509 -newkey ed25519 -nodes -days 3 -subj /CN=soon -keyout soon.key"
          " -out soon.crt 2>/dev/null");
    write_config_listening("served", pair);
    CHECK(serve_until("event=serving"));
    CHECK_CONTAINS(strbuf_str(&err_out), "event=certificate_expires in_days=2 expired=false");
    write_config_listening("served", "http: false"); /* its own: for years */
    CHECK(serve_until("event=serving"));
    CHECK(!strstr(strbuf_str(&err_out), "certificate_expires"));
}

/* Nothing is flushed while the file `obstacle` is there. */
static pid_t
serve_on_a_disk_with(const char *obstacle)
{
    const char *given = getenv("ASAN_OPTIONS");
    auto_free char *options = str_printf("%s:verify_asan_link_order=0", given ? given : "");

    setenv("ASAN_OPTIONS", options, 1);
    setenv("MALLOC_PERTURB_", "165", 1); /* what was freed is no longer what it was */
    setenv("SLOW_FLUSH_WHILE", obstacle, 1);
    setenv("LD_PRELOAD", SLOW_FLUSH_PATH, 1);
    const pid_t child = serve();
    unsetenv("LD_PRELOAD");
    return child;
}

/* What the store says after the requests are given up on finds everything that it needs. */
TEST(a_delivery_whose_flush_outlasts_the_drain_is_stored)
{
    begin();
    write_config("served");
    auto_free char *obstacle = str_printf("%s/obstacle", dir);
    const pid_t child = serve_on_a_disk_with(obstacle);
    CHECK(says("event=serving"));
    write_file("obstacle", "");
    const int fd = hand_in(said_port(), "slow");
    clock_sleep_ms(500);
    kill(child, SIGTERM);
    clock_sleep_ms(LIMIT_DRAIN_MS + 1500);
    read_streams();
    const bool early = strstr(strbuf_str(&err_out), "event=delivery_stored");
    CHECK_INT(unlink(obstacle), 0);
    CHECK_STATUS(finish(child), 0);
    close(fd);
    CHECK(!early);
    CHECK_CONTAINS(strbuf_str(&err_out),
                   "event=delivery_stored platform=\"local\" delivery=\"slow\"");
}

TEST(only_one_process_works_on_a_state_directory)
{
    auto_free char *lock = NULL;
    auto_close int fd = -1;
    struct err err;

    begin();
    lock = str_printf("%s/state/work.lock", dir);
    CHECK_OK(fs_lock(lock, &fd, &err), err);
    CHECK_STATUS(DRAFTD("serve", CONFIG), 1);
    CHECK_CONTAINS(strbuf_str(&err_out), "another draftd works in ");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0); /* reading needs no lock */
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 0);
}

TEST_MAIN()
