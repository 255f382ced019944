/* Webhooks through a real server into a real store: what is signed is stored once before it is
 * answered, and nothing else ever is. */
#include "tests/handlers/world.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/intake/webhook.h"
#include "server/base/crypto.h"
#include "server/http/http.h"
#include "server/limits.h"
#include "server/service.h"
#include "tests/server/http/client.h"

#define HUB "/webhooks/github"
#define HUB_SECRET "hook secret"
#define LOCAL_KEY "0123456789abcdef01234567"
#define OLD_LOCAL_KEY "76543210fedcba9876543210"
#define DELIVERIES "SELECT count(*) FROM delivery"

struct receiver {
    struct world world;
    struct webhooks *webhooks;
    struct http_server *server;
    uint16_t port;
};

static void
receiver_listen(struct receiver *r)
{
    struct err err;
    size_t count;

    CHECK_OK(webhooks_new(&r->world.app, &r->webhooks, &err), err);
    const struct http_route *routes = webhooks_routes(r->webhooks, &count);
    CHECK_INT(count, r->world.settings.local.present ? 2 : 1);
    const struct http_options options = {.address = "127.0.0.1",
                                         .spool_dir = r->world.dir,
                                         .routes = routes,
                                         .route_count = count,
                                         .behind_proxy = true};
    CHECK_OK(http_server_start(&options, &r->server, &err), err);
    r->port = http_server_port(r->server);
}

static void
receiver_open(struct receiver *r, bool with_local)
{
    world_open(&r->world, NULL, 0);
    r->world.settings.local.present = with_local;
    receiver_listen(r);
}

/* As it is while both secrets are being replaced. */
static void
receiver_open_rotating(struct receiver *r)
{
    struct err err;

    world_open(&r->world, NULL, 0);
    CHECK_OK(secret_new(bytes_of_str("old hook secret"),
                        &r->world.settings.github.webhook_secret_old, &err),
             err);
    CHECK_OK(secret_new(bytes_of_str(OLD_LOCAL_KEY), &r->world.settings.local.key_old, &err), err);
    receiver_listen(r);
}

static void
receiver_close(struct receiver *r)
{
    http_server_stop(r->server, 5000);
    webhooks_free(r->webhooks);
    world_close(&r->world);
}

static void
sign(const char *key, const char *prefix, struct bytes body, unsigned char mac[SHA256_BYTES])
{
    AUTO(hmac_key_free) struct hmac_key *hmac_key = NULL;
    AUTO(hmac_free) struct hmac *hmac = NULL;
    struct err err;

    if (hmac_key_new(bytes_of_str(key), &hmac_key, &err) || hmac_new(hmac_key, &hmac, &err) ||
        hmac_update(hmac, bytes_of_str(prefix), &err) || hmac_update(hmac, body, &err) ||
        hmac_finish(hmac, mac, &err))
        abort();
}

/* A delivery of GitHub's, signed with `secret`. `head` is added to the head; "" for none. */
static void
write_hub(
    struct strbuf *text, const char *secret, const char *id, const char *head, struct bytes body)
{
    unsigned char mac[SHA256_BYTES];

    sign(secret, "", body, mac);
    strbuf_addf(text,
                "POST " HUB " HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n%s"
                "X-GitHub-Event: issues\r\nX-GitHub-Delivery: %s\r\nX-Hub-Signature-256: sha256=",
                body.len, head, id);
    hex_append(text, bytes_of(mac, sizeof(mac)));
    strbuf_add_str(text, "\r\n\r\n");
    strbuf_add_bytes(text, body);
}

static int
ask(uint16_t port, const struct strbuf *text, struct reply *ret_reply)
{
    const int fd = client_connect(port);

    if (fd < 0 || !client_send(fd, text->ptr, text->len) || !client_read(fd, 20000, ret_reply))
        ret_reply->status = 0;
    close(fd);
    return ret_reply->status;
}

static int
deliver_bytes(uint16_t port, const char *secret, const char *id, struct bytes body)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(32U << 20);
    static _Thread_local struct reply reply;

    write_hub(&text, secret, id, "", body);
    return ask(port, &text, &reply);
}

static int
deliver(uint16_t port, const char *secret, const char *id, const char *body)
{
    return deliver_bytes(port, secret, id, bytes_of_str(body));
}

TEST(a_signed_delivery_is_stored_and_then_accepted)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct receiver r;
    struct reply reply;

    receiver_open(&r, true);
    const int64_t before_ms = clock_now_ms();
    write_hub(&text, HUB_SECRET, "d1", "", bytes_of_str("{\"a\": 1}"));
    CHECK_INT(ask(r.port, &text, &reply), 202);
    CHECK_STR(reply.body, "{\"status\":\"accepted\"}\n");
    CHECK(reply_has(&reply, "Content-Type: application/json"));
    CHECK_STORED(&r.world,
                 "SELECT platform || ' ' || delivery_id || ' ' || event || ' ' || state || ' ' ||"
                 " body_bytes FROM delivery",
                 "github d1 issues 0 8");
    CHECK_STORED(&r.world, "SELECT CAST(data AS TEXT) FROM delivery_body", "{\"a\": 1}");
    CHECK(world_int(&r.world, "SELECT received_ms FROM delivery") >= before_ms);
    receiver_close(&r);
}

TEST(the_same_delivery_again_changes_nothing)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct receiver r;
    struct reply reply;

    receiver_open(&r, true);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 202);
    write_hub(&text, HUB_SECRET, "d1", "", bytes_of_str("{\"other\":1}"));
    CHECK_INT(ask(r.port, &text, &reply), 200);
    CHECK_STR(reply.body, "{\"status\":\"duplicate\"}\n");
    CHECK_INT(world_int(&r.world, DELIVERIES), 1);
    CHECK_STORED(&r.world, "SELECT CAST(data AS TEXT) FROM delivery_body", "{}");
    receiver_close(&r);
}

TEST(what_is_not_signed_is_not_stored)
{
    static const char unsigned_text[] =
        "POST " HUB " HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nX-GitHub-Event: issues\r\n"
        "X-GitHub-Delivery: d1\r\n\r\n{}";
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct receiver r;
    struct reply reply;

    receiver_open(&r, true);
    CHECK_INT(deliver(r.port, "another secret", "d1", "{}"), 401);
    CHECK_INT(deliver(r.port, "", "d1", "{}"), 401);
    write_hub(&text, HUB_SECRET, "d1", "", bytes_of_str("{\"n\":1}"));
    text.ptr[text.len - 2] = '2'; /* the body is not what was signed */
    CHECK_INT(ask(r.port, &text, &reply), 401);
    CHECK_CONTAINS(reply.body,
                   "{\"error\":\"unauthorized\",\"message\":\"the signature does not fit");
    strbuf_reset(&text);
    strbuf_add_str(&text, unsigned_text);
    CHECK_INT(ask(r.port, &text, &reply), 401);
    CHECK_CONTAINS(reply.body, "X-Hub-Signature-256 is missing");
    CHECK_INT(world_int(&r.world, DELIVERIES), 0);
    receiver_close(&r);
}

/* What an operator can block is an address: whatever the sender calls the delivery. */
TEST(a_refusal_is_logged_with_the_address_it_came_from)
{
    AUTO_DONE(strbuf_done) struct strbuf log = STRBUF_INIT(65536);
    struct receiver r;
    struct reply reply;
    struct err err;
    const char *next;
    int fd;

    receiver_open(&r, true);
    auto_free char *path = str_printf("%s/log", r.world.dir);
    auto_close int log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_set_fd(log_fd);
    log_set_level(LOG_WARNING);
    CHECK_INT(deliver(r.port, "another secret", "192.0.2.66", "{}"), 401);
    fd = client_connect(r.port);
    CHECK(client_ask(fd, "POST " HUB " HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", &reply));
    CHECK_INT(reply.status, 401);
    close(fd);
    log_set_level(LOG_ERROR);
    log_set_fd(STDERR_FILENO);
    CHECK_OK(fs_read_file(path, &log, &err), err);
    CHECK(!strstr(strbuf_str(&log), "192.0.2.66"));
    next =
        strstr(strbuf_str(&log), "event=delivery_refused platform=\"github\" from=\"127.0.0.1\"");
    CHECK(next);
    CHECK(strstr(next + 1, "event=delivery_refused platform=\"github\" from=\"127.0.0.1\""));
    receiver_close(&r);
}

TEST(other_heads_and_places_are_refused)
{
    struct receiver r;
    struct reply reply;
    int fd;

    receiver_open(&r, false);
    CHECK_INT(deliver(r.port, HUB_SECRET, "not a token", "{}"), 400);
    fd = client_connect(r.port);
    CHECK(client_ask(fd, "GET " HUB " HTTP/1.1\r\nHost: t\r\n\r\n", &reply));
    CHECK_INT(reply.status, 405);
    CHECK(client_ask(fd, "POST /webhooks/local HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n",
                     &reply));
    CHECK_INT(reply.status, 404); /* not configured */
    CHECK(client_ask(fd, "POST " HUB "/ HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", &reply));
    CHECK_INT(reply.status, 404);
    close(fd);
    CHECK_INT(world_int(&r.world, DELIVERIES), 0);
    receiver_close(&r);
}

TEST(a_body_over_the_cap_is_refused)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct receiver r;
    struct reply reply;
    unsigned char mac[SHA256_BYTES] = {0};

    receiver_open(&r, true);
    strbuf_addf(&text,
                "POST " HUB " HTTP/1.1\r\nHost: t\r\nContent-Length: %u\r\nX-GitHub-Event: issues"
                "\r\nX-GitHub-Delivery: d1\r\nX-Hub-Signature-256: sha256=",
                LIMIT_BODY_BYTES + 1);
    hex_append(&text, bytes_of(mac, sizeof(mac)));
    strbuf_add_str(&text, "\r\n\r\n");
    CHECK_INT(ask(r.port, &text, &reply), 413);
    CHECK_INT(world_int(&r.world, DELIVERIES), 0);
    receiver_close(&r);
}

/* Larger than what is kept in memory. */
TEST(a_large_body_is_stored_whole)
{
    const size_t len = 3U << 20;
    auto_free char *body = malloc(len);
    struct receiver r;

    CHECK(body);
    for (size_t i = 0; i < len; i++)
        body[i] = client_pattern(i);
    receiver_open(&r, true);
    CHECK_INT(deliver_bytes(r.port, HUB_SECRET, "d1", bytes_of(body, len)), 202);
    CHECK_INT(world_int(&r.world, "SELECT body_bytes FROM delivery"), len);
    CHECK_INT(world_int(&r.world, "SELECT sum(length(data)) FROM delivery_body"), len);
    body[len - 1] ^= 1;
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(32U << 20);
    static struct reply reply;
    write_hub(&text, HUB_SECRET, "d2", "", bytes_of(body, len));
    text.ptr[text.len - 1] ^= 1;
    CHECK_INT(ask(r.port, &text, &reply), 401);
    CHECK_INT(world_int(&r.world, DELIVERIES), 1);
    receiver_close(&r);
}

TEST(a_local_request_is_signed_with_its_time)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    struct receiver r;
    struct reply reply;
    unsigned char mac[SHA256_BYTES];

    receiver_open(&r, true);
    for (int64_t skew = 0; skew <= 1000; skew += 1000) {
        const int64_t seconds = clock_now_ms() / MS_PER_SECOND - skew;
        auto_free char *prefix = str_printf("msg_%" PRId64 ".%" PRId64 ".", skew, seconds);
        sign("0123456789abcdef01234567", prefix, bytes_of_str("{}"), mac);
        strbuf_reset(&text);
        strbuf_addf(&text,
                    "POST /webhooks/local HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                    "webhook-id: msg_%" PRId64 "\r\nwebhook-timestamp: %" PRId64
                    "\r\nwebhook-signature: v1,AAAA v1,",
                    skew, seconds);
        base64_append(&text, bytes_of(mac, sizeof(mac)));
        strbuf_add_str(&text, "\r\n\r\n{}");
        CHECK_INT(ask(r.port, &text, &reply), skew ? 401 : 202);
    }
    CHECK_STORED(&r.world, "SELECT group_concat(platform || ' ' || delivery_id) FROM delivery",
                 "local msg_0");
    receiver_close(&r);
}

/* ---- a secret is being replaced ---- */

/* Bodies in memory and in a file: each is hashed by both keys. */
TEST(while_a_secret_is_replaced_the_old_one_is_accepted_too)
{
    const size_t len = 3U << 20;
    auto_free char *body = malloc(len);
    struct receiver r;

    CHECK(body);
    for (size_t i = 0; i < len; i++)
        body[i] = client_pattern(i);
    receiver_open_rotating(&r);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 202);
    CHECK_INT(deliver(r.port, "old hook secret", "d2", "{}"), 202);
    CHECK_INT(deliver_bytes(r.port, HUB_SECRET, "d3", bytes_of(body, len)), 202);
    CHECK_INT(deliver_bytes(r.port, "old hook secret", "d4", bytes_of(body, len)), 202);
    CHECK_INT(deliver(r.port, "older hook secret", "d5", "{}"), 401);
    CHECK_INT(deliver(r.port, "", "d6", "{}"), 401);
    CHECK_INT(deliver(r.port, OLD_LOCAL_KEY, "d7", "{}"), 401); /* another platform's */
    CHECK_INT(deliver(r.port, HUB_SECRET, "d2", "{}"), 200);    /* known, whoever signs it now */
    CHECK_INT(world_int(&r.world, DELIVERIES), 4);
    receiver_close(&r);

    receiver_open(&r, true);
    CHECK_INT(deliver(r.port, "old hook secret", "d1", "{}"), 401);
    CHECK_INT(world_int(&r.world, DELIVERIES), 0);
    receiver_close(&r);
}

/* A local request with a signature by each of the keys (ended by NULL). */
static int
deliver_local(uint16_t port, const char *id, const char *const *keys)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    const int64_t seconds = clock_now_ms() / MS_PER_SECOND;
    auto_free char *prefix = str_printf("%s.%" PRId64 ".", id, seconds);
    unsigned char mac[SHA256_BYTES];
    struct reply reply;

    strbuf_addf(&text,
                "POST /webhooks/local HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                "webhook-id: %s\r\nwebhook-timestamp: %" PRId64 "\r\nwebhook-signature:",
                id, seconds);
    for (; *keys; keys++) {
        sign(*keys, prefix, bytes_of_str("{}"), mac);
        strbuf_add_str(&text, " v1,");
        base64_append(&text, bytes_of(mac, sizeof(mac)));
    }
    strbuf_add_str(&text, "\r\n\r\n{}");
    return ask(port, &text, &reply);
}

/* A sender that replaces its secret signs with both; draftd may know either or both. */
TEST(any_of_several_signatures_by_any_of_two_secrets_will_do)
{
    static const char unknown[] = "an unknown key, 24 bytes";
    static const char *const accepted[][4] = {
        {LOCAL_KEY},
        {OLD_LOCAL_KEY},
        {LOCAL_KEY, OLD_LOCAL_KEY},
        {OLD_LOCAL_KEY, LOCAL_KEY},
        {unknown, OLD_LOCAL_KEY},
        {unknown, unknown, LOCAL_KEY},
    };
    struct receiver r;

    receiver_open_rotating(&r);
    for (size_t i = 0; i < COUNT(accepted); i++) {
        auto_free char *id = str_printf("msg_%zu", i);
        CHECK_INT(deliver_local(r.port, id, accepted[i]), 202);
    }
    CHECK_INT(deliver_local(r.port, "bad", (const char *const[]){unknown, unknown, NULL}), 401);
    CHECK_INT(deliver_local(r.port, "hub", (const char *const[]){HUB_SECRET, NULL}), 401);
    CHECK_INT(world_int(&r.world, DELIVERIES), COUNT(accepted));
    receiver_close(&r);
}

/* By it an operator sees when nobody signs with the old secret any more. */
TEST(the_log_tells_what_the_old_secret_signed)
{
    AUTO_DONE(strbuf_done) struct strbuf log = STRBUF_INIT(65536);
    struct receiver r;
    struct err err;

    receiver_open_rotating(&r);
    auto_free char *path = str_printf("%s/log", r.world.dir);
    auto_close int log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_set_fd(log_fd);
    log_set_level(LOG_INFO);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 202);
    CHECK_INT(deliver(r.port, "old hook secret", "d2", "{}"), 202);
    CHECK_INT(deliver_local(r.port, "m", (const char *const[]){OLD_LOCAL_KEY, LOCAL_KEY, NULL}),
              202);
    http_server_stop(TAKE(r.server), 5000);
    log_set_level(LOG_ERROR);
    log_set_fd(STDERR_FILENO);
    CHECK_OK(fs_read_file(path, &log, &err), err);
    CHECK_CONTAINS(strbuf_str(&log), "delivery=\"d1\" kind=\"issues\" id=1 old_secret=false");
    CHECK_CONTAINS(strbuf_str(&log), "delivery=\"d2\" kind=\"issues\" id=2 old_secret=true");
    CHECK_CONTAINS(strbuf_str(&log), "delivery=\"m\" kind=\"task\" id=3 old_secret=false");
    receiver_close(&r);
}

/* ---- the store is away ---- */

/* From here on no file may become longer than `bytes`: as good as a full disk. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(while_the_store_is_full_nothing_is_accepted_and_nothing_is_lost)
{
    auto_free char *body = malloc(1U << 20);
    struct receiver r;
    struct stat facts;

    CHECK(body);
    memset(body, 'x', 1U << 20);
    receiver_open(&r, true);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 202);
    auto_free char *wal = str_printf("%s-wal", r.world.path);
    CHECK_INT(stat(wal, &facts), 0);
    /* spooling has room for the body, the store's log has not */
    limit_files((rlim_t)facts.st_size > (1U << 20) + 4096 ? (rlim_t)facts.st_size
                                                          : (1U << 20) + 4096);
    int statuses[3];
    for (int i = 0; i < 3; i++)
        statuses[i] = deliver_bytes(r.port, HUB_SECRET, "d2", bytes_of(body, 1U << 20));
    const int refused = deliver(r.port, "another secret", "d3", "{}");
    limit_files(RLIM_INFINITY);
    for (int i = 0; i < 3; i++)
        CHECK_INT(statuses[i], 503);
    CHECK_INT(refused, 401);
    CHECK_INT(world_int(&r.world, DELIVERIES), 1);
    CHECK_INT(deliver_bytes(r.port, HUB_SECRET, "d2", bytes_of(body, 1U << 20)), 202);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 200);
    CHECK_INT(world_int(&r.world, DELIVERIES), 2);
    receiver_close(&r);
}

/* ---- many at a time ---- */

struct client {
    uint16_t port;
    atomic_int *accepted;
    atomic_int *duplicate;
};

static void *
deliver_all(void *ctx)
{
    const struct client *client = ctx;

    for (int i = 0; i < 20; i++) {
        auto_free char *id = str_printf("d%d", i);
        const int status = deliver(client->port, HUB_SECRET, id, "{}");
        atomic_fetch_add(client->accepted, status == 202);
        atomic_fetch_add(client->duplicate, status == 200);
    }
    return NULL;
}

TEST(of_deliveries_at_the_same_time_each_is_accepted_once)
{
    struct receiver r;
    atomic_int accepted = 0;
    atomic_int duplicate = 0;
    pthread_t threads[6];

    receiver_open(&r, true);
    struct client client = {.port = r.port, .accepted = &accepted, .duplicate = &duplicate};
    for (size_t i = 0; i < COUNT(threads); i++)
        CHECK_INT(pthread_create(&threads[i], NULL, deliver_all, &client), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(accepted, 20);
    CHECK_INT(duplicate, 100);
    CHECK_INT(world_int(&r.world, DELIVERIES), 20);
    receiver_close(&r);
}

/* ---- the dispatcher ---- */

static atomic_int turns;

static int64_t
count_turn(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&turns, 1);
    return MS_PER_HOUR;
}

static bool
wait_for_turns(int count)
{
    for (int i = 0; i < 1000; i++) {
        if (atomic_load(&turns) >= count)
            return true;
        clock_sleep_ms(10);
    }
    return false;
}

TEST(the_dispatcher_is_woken_by_what_is_stored_only)
{
    AUTO(service_free) struct service *dispatcher = NULL;
    struct receiver r;
    struct err err;

    receiver_open(&r, true);
    CHECK_OK(service_new("dispatcher", count_turn, NULL, NULL, &dispatcher, &err), err);
    CHECK_OK(service_start(dispatcher, &err), err);
    CHECK(wait_for_turns(1));
    r.world.app.dispatcher = dispatcher;
    CHECK_INT(deliver(r.port, "another secret", "d1", "{}"), 401);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 202);
    CHECK(wait_for_turns(2));
    CHECK_INT(deliver(r.port, HUB_SECRET, "d1", "{}"), 200);
    CHECK_INT(deliver(r.port, HUB_SECRET, "d2", "{}"), 202);
    CHECK(wait_for_turns(3));
    receiver_close(&r);
    service_end(dispatcher);
    CHECK_INT(turns, 3);
}

TEST_MAIN()
