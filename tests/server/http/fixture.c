/* See fixture.h. */
#include "tests/server/http/fixture.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/fs.h"

#define MAX_HELD 4096

struct state {
    EVP_MD_CTX *pieces;
};

static atomic_int live_states;
static atomic_size_t summed_bytes;

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_exchange *held[MAX_HELD]; /* under held_lock */
static unsigned held_count;                  /* under held_lock */

static int
make_state(void *ctx, const struct http_request *request, void **ret_state, struct err *err)
{
    auto_free struct state *state = calloc(1, sizeof(*state));

    (void)ctx;
    if (!state || !http_request_peer(request)[0])
        abort();
    state->pieces = EVP_MD_CTX_new();
    if (!state->pieces || !EVP_DigestInit_ex(state->pieces, EVP_sha256(), NULL))
        return err_set(err, ERR_NOMEM, "out of memory");
    atomic_fetch_add(&live_states, 1);
    *ret_state = TAKE(state);
    return 0;
}

static int
deny(void *ctx, const struct http_request *request, void **ret_state, struct err *err)
{
    (void)ctx;
    (void)ret_state;
    const char *why = http_request_header(request, "x-why");
    return err_set(err, ERR_AUTH, "wrong \"signature\" %s", why ? why : "");
}

static int
sum_piece(void *state, struct bytes piece, struct err *err)
{
    const struct state *mine = state;

    if (!EVP_DigestUpdate(mine->pieces, piece.ptr, piece.len))
        return err_set(err, ERR_INTERNAL, "digest");
    atomic_fetch_add(&summed_bytes, piece.len);
    return 0;
}

static int
pick(void *state, struct bytes piece, struct err *err)
{
    (void)state;
    if (memchr(piece.ptr, '!', piece.len))
        return err_set(err, ERR_INVALID, "no exclamation marks");
    return 0;
}

static void
drop_state(void *state)
{
    struct state *mine = state;

    EVP_MD_CTX_free(mine->pieces);
    free(mine);
    atomic_fetch_sub(&live_states, 1);
}

static void
say_hello(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    (void)ctx;
    (void)state;
    (void)body;
    http_answer(exchange, 200, "text/plain", bytes_of_str("hello\n"));
}

static void
digest_body(const struct http_body *body, char hex[SHA256_HEX_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    char chunk[4096];
    EVP_MD_CTX *whole = EVP_MD_CTX_new();

    EVP_DigestInit_ex(whole, EVP_sha256(), NULL);
    EVP_DigestUpdate(whole, body->memory.ptr, body->memory.len);
    for (ssize_t got; body->spool_fd >= 0;) {
        got = read(body->spool_fd, chunk, sizeof(chunk));
        if (got <= 0)
            break;
        EVP_DigestUpdate(whole, chunk, (size_t)got);
    }
    EVP_DigestFinal_ex(whole, digest, NULL);
    EVP_MD_CTX_free(whole);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* Both ways of seeing the body must agree. */
static void
answer_sum(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    const struct state *mine = state;
    unsigned char digest[SHA256_BYTES];
    char pieces[SHA256_HEX_BYTES];
    char whole[SHA256_HEX_BYTES];
    char text[128];

    (void)ctx;
    EVP_DigestFinal_ex(mine->pieces, digest, NULL);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(pieces + 2 * i, 3, "%02x", digest[i]);
    digest_body(body, whole);
    (void)snprintf(text, sizeof(text), "%lld %s%s", (long long)body->bytes, whole,
                   strcmp(pieces, whole) == 0 ? "" : " differs from the pieces");
    http_answer(exchange, 200, "text/plain", bytes_of_str(text));
}

static void
answer_wrong(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    struct err err;

    (void)ctx;
    (void)state;
    (void)body;
    err_set(&err, ERR_AUTH, "wrong signature");
    http_answer_error(exchange, &err);
}

static void *
answer_from_thread(void *arg)
{
    unsigned char random = 0;

    if (crypto_random(&random, 1, NULL))
        abort();
    clock_sleep_ms(random % 8);
    http_answer_json_status(arg, 202, "late");
    return NULL;
}

static void
answer_late(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    pthread_t thread;

    (void)ctx;
    (void)state;
    (void)body;
    if (pthread_create(&thread, NULL, answer_from_thread, exchange))
        abort();
    pthread_detach(thread);
}

static void
hold(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    (void)ctx;
    (void)state;
    (void)body;
    pthread_mutex_lock(&held_lock);
    if (held_count == MAX_HELD)
        abort();
    held[held_count++] = exchange;
    pthread_mutex_unlock(&held_lock);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void
fixture_close_gate(void)
{
    pthread_mutex_lock(&gate);
}

void
fixture_open_gate(void)
{
    pthread_mutex_unlock(&gate);
}

static void
pass_gate(void *ctx, void *state, const struct http_body *body, struct http_exchange *exchange)
{
    (void)ctx;
    (void)state;
    (void)body;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    http_answer_json_status(exchange, 200, "through");
}

unsigned
fixture_release(void)
{
    pthread_mutex_lock(&held_lock);
    const unsigned count = held_count;
    for (unsigned i = 0; i < count; i++)
        http_answer_json_status(held[i], 202, "released");
    held_count = 0;
    pthread_mutex_unlock(&held_lock);
    return count;
}

bool
fixture_wait_held(unsigned count, int64_t timeout_ms)
{
    const int64_t until_ms = clock_mono_ms() + timeout_ms;
    unsigned now = 0;

    while (now < count && clock_mono_ms() < until_ms) {
        pthread_mutex_lock(&held_lock);
        now = held_count;
        pthread_mutex_unlock(&held_lock);
        clock_sleep_ms(1);
    }
    return now >= count;
}

size_t
fixture_summed_bytes(void)
{
    return atomic_load(&summed_bytes);
}

int
fixture_live_states(void)
{
    return atomic_load(&live_states);
}

static const struct http_handler hello_handler = {.finish = say_hello};
static const struct http_handler sum_handler = {make_state, sum_piece, answer_sum, drop_state};
static const struct http_handler denied_handler = {deny, NULL, answer_sum, NULL};
static const struct http_handler picky_handler = {make_state, pick, answer_sum, drop_state};
static const struct http_handler wrong_handler = {make_state, sum_piece, answer_wrong, drop_state};
static const struct http_handler late_handler = {make_state, NULL, answer_late, drop_state};
static const struct http_handler held_handler = {make_state, NULL, hold, drop_state};
static const struct http_handler gate_handler = {.finish = pass_gate};

static const struct http_route routes[] = {
    {"GET", "/hello", &hello_handler, NULL, 0},
    {"POST", "/sum", &sum_handler, NULL, 25U * 1024 * 1024},
    {"POST", "/small", &sum_handler, NULL, 1000},
    {"POST", "/denied", &denied_handler, NULL, 25U * 1024 * 1024},
    {"POST", "/picky", &picky_handler, NULL, 1024U * 1024},
    {"POST", "/wrong", &wrong_handler, NULL, 1024U * 1024},
    {"POST", "/late", &late_handler, NULL, 1024U * 1024},
    {"POST", "/gate", &gate_handler, NULL, 1024},
    {"POST", "/held", &held_handler, NULL, 1024U * 1024},
};

struct fixture
fixture_start(struct http_options options)
{
    struct fixture fixture = {.server = NULL};
    struct err err;
    const char *parent = secure_getenv("TMPDIR");

    if (fs_make_temp_dir(parent ? parent : "/tmp", "http", &fixture.dir, &err)) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
    options.address = options.address ? options.address : "127.0.0.1";
    options.spool_dir = fixture.dir;
    options.routes = routes;
    options.route_count = sizeof(routes) / sizeof(routes[0]);
    if (http_server_start(&options, &fixture.server, &err)) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
    fixture.port = http_server_port(fixture.server);
    return fixture;
}

void
fixture_stop(struct fixture *fixture, int64_t drain_ms)
{
    http_server_stop(fixture->server, drain_ms);
    fixture->server = NULL;
    if (fs_remove_tree(fixture->dir, NULL))
        printf("# %s is left behind\n", fixture->dir);
    free(fixture->dir);
}

static long
status_kib(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (file)
        (void)fclose(file);
    return value;
}

long
fixture_peak_kib(void)
{
    return status_kib("VmHWM:");
}

long
fixture_now_kib(void)
{
    return status_kib("VmRSS:");
}

void
fixture_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
}

bool
fixture_raise_descriptors(unsigned needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max < needed)
        return false;
    if (limit.rlim_cur < needed)
        limit.rlim_cur = needed;
    return !setrlimit(RLIMIT_NOFILE, &limit);
}
