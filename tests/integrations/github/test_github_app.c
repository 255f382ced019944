/* The App's JSON web token, held against openssl's verification, and the cache of tokens. */
#include "integrations/github/github_app.h"

#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/child.h"
#include "tests/harness/test.h"

#include <pthread.h>

#define NOW_MS INT64_C(1795237200999)

static char *directory;

static char *
file_in(const char *name)
{
    return str_printf("%s/%s", directory, name);
}

static struct secret *
secret_of(const char *text)
{
    struct secret *secret;
    struct err err;

    CHECK_OK(secret_new(bytes_of_str(text), &secret, &err), err);
    return secret;
}

/* Appends the bytes of base64url without padding. */
static void
decode_part(const char *part, size_t len, struct strbuf *ret_bytes)
{
    struct strbuf text = STRBUF_INIT(8192);
    struct err err;

    for (size_t i = 0; i < len; i++)
        strbuf_add_char(&text, part[i] == '-' ? '+' : part[i] == '_' ? '/' : part[i]);
    while (text.len % 4)
        strbuf_add_char(&text, '=');
    CHECK_OK(base64_decode(bytes_of(text.ptr, text.len), ret_bytes, &err), err);
    strbuf_done(&text);
}

/* Lets openssl(1) verify `signature` over `message` with the public key. */
static int
verify(struct bytes message, struct bytes signature)
{
    char *const message_file = file_in("message");
    char *const signature_file = file_in("signature");
    char *const public_file = file_in("public.pem");
    const char *const argv[] = {"openssl",    "dgst",         "-sha256", "-verify",   public_file,
                                "-signature", signature_file, "-out",    "/dev/null", message_file,
                                NULL};
    struct err err;

    CHECK_OK(fs_write_file(message_file, message, 0600, &err), err);
    CHECK_OK(fs_write_file(signature_file, signature, 0600, &err), err);
    const int status = child_run(argv);
    free(message_file);
    free(signature_file);
    free(public_file);
    return status;
}

static struct secret *
make_key(void)
{
    char *const key_file = file_in("app.pem");
    char *const public_file = file_in("public.pem");
    const char *const generate[] = {"openssl", "genrsa", "-traditional", "-out", key_file,
                                    "2048",    NULL};
    const char *const publish[] = {"openssl", "pkey", "-in",       key_file,
                                   "-pubout", "-out", public_file, NULL};
    struct secret *key;
    struct err err;

    CHECK_INT(child_run(generate), 0);
    CHECK_INT(child_run(publish), 0);
    CHECK_OK(secret_load(key_file, NULL, &key, &err), err);
    free(key_file);
    free(public_file);
    return key;
}

TEST(the_token_is_signed_and_dated)
{
    struct strbuf head = STRBUF_INIT(4096);
    struct strbuf claims = STRBUF_INIT(4096);
    struct strbuf signature = STRBUF_INIT(4096);
    struct secret *token;
    json_t *json;
    struct err err;

    CHECK_OK(fs_make_temp_dir("/tmp", "test-github-app-", &directory, &err), err);
    struct secret *key = make_key();
    CHECK_OK(github_app_sign(12345, key, NOW_MS, &token, &err), err);
    const char *const text = secret_reveal(token).ptr;
    const char *const first = strchr(text, '.');
    const char *const second = first ? strchr(first + 1, '.') : NULL;
    CHECK(second && !strchr(second + 1, '.') && !strpbrk(text, "=+/"));

    decode_part(text, (size_t)(first - text), &head);
    decode_part(first + 1, (size_t)(second - first - 1), &claims);
    decode_part(second + 1, strlen(second + 1), &signature);
    CHECK_STR(strbuf_str(&head), "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
    CHECK_OK(js_parse(bytes_of(claims.ptr, claims.len), &json, &err), err);
    CHECK_INT(js_int(json, "iat", 0), 1795237200 - 60);
    CHECK_INT(js_int(json, "exp", 0), 1795237200 + 540);
    CHECK_INT(js_int(json, "iss", 0), 12345);
    CHECK_INT(
        verify(bytes_of(text, (size_t)(second - text)), bytes_of(signature.ptr, signature.len)), 0);
    CHECK_INT(verify(bytes_of(text + 1, (size_t)(second - text) - 1),
                     bytes_of(signature.ptr, signature.len)),
              1);

    json_decref(json);
    strbuf_done(&head);
    strbuf_done(&claims);
    strbuf_done(&signature);
    secret_free(token);
    secret_free(key);
    CHECK_OK(fs_remove_tree(directory, &err), err);
    free(directory);
}

TEST(a_wrong_key_is_told)
{
    struct secret *const key = secret_of("-----BEGIN NOTHING-----");
    struct secret *token;
    struct err err;

    CHECK_INT(github_app_sign(1, key, NOW_MS, &token, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "private key");
    CHECK(!strstr(err.msg, "NOTHING"));
    secret_free(key);
}

/* "" when no token is kept. */
static void
check_kept(struct github_tokens *tokens,
           const char *repository,
           int64_t now_ms,
           const char *expected)
{
    struct secret *token = NULL;
    struct err err;
    const int result = github_tokens_get(tokens, repository, now_ms, &token, &err);

    CHECK(result == 0 || result == ERR_NOTFOUND);
    CHECK_STR(token ? secret_reveal(token).ptr : "", expected);
    secret_free(token);
}

TEST(tokens_are_kept_until_ten_minutes_before_their_end)
{
    struct secret *const one = secret_of("one");
    struct secret *const two = secret_of("two");
    const int64_t end_ms = NOW_MS + MS_PER_HOUR;
    struct github_tokens *tokens;
    struct err err;

    CHECK_OK(github_tokens_new(&tokens, &err), err);
    check_kept(tokens, "acme/widget", NOW_MS, "");
    CHECK_OK(github_tokens_put(tokens, "acme/widget", one, end_ms, NOW_MS, &err), err);
    CHECK_OK(github_tokens_put(tokens, "acme/gadget", two, end_ms, NOW_MS, &err), err);
    check_kept(tokens, "Acme/Widget", NOW_MS, "one");
    check_kept(tokens, "acme/gadget", NOW_MS, "two");
    check_kept(tokens, "acme/widget", end_ms - 10 * MS_PER_MINUTE - 1, "one");
    check_kept(tokens, "acme/widget", end_ms - 10 * MS_PER_MINUTE, "");

    CHECK_OK(github_tokens_put(tokens, "acme/widget", two, end_ms, NOW_MS, &err), err);
    check_kept(tokens, "acme/widget", NOW_MS, "two");
    github_tokens_forget(tokens, "ACME/widget");
    github_tokens_forget(tokens, "acme/unknown");
    check_kept(tokens, "acme/widget", NOW_MS, "");
    check_kept(tokens, "acme/gadget", NOW_MS, "two");

    CHECK_OK(github_tokens_put(tokens, "acme/new", one, end_ms + MS_PER_HOUR, end_ms, &err), err);
    check_kept(tokens, "acme/gadget", NOW_MS, ""); /* it had ended */
    github_tokens_free(tokens);
    secret_free(one);
    secret_free(two);
}

static void *
use_tokens(void *context)
{
    struct github_tokens *const tokens = context;
    struct secret *const mine = secret_of("mine");

    for (int i = 0; i < 2000; i++) {
        const char *const repository = i % 3 ? "acme/widget" : "acme/gadget";
        struct secret *token = NULL;
        struct err err;

        if (github_tokens_get(tokens, repository, NOW_MS, &token, &err) == ERR_NOTFOUND)
            (void)!github_tokens_put(tokens, repository, mine, NOW_MS + MS_PER_HOUR, NOW_MS, &err);
        if (i % 7 == 0)
            github_tokens_forget(tokens, repository);
        secret_free(token);
    }
    secret_free(mine);
    return NULL;
}

TEST(tokens_are_shared_by_threads)
{
    struct github_tokens *tokens;
    pthread_t threads[4];
    struct err err;

    CHECK_OK(github_tokens_new(&tokens, &err), err);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, use_tokens, tokens), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    github_tokens_free(tokens);
}

#define MINUTE MS_PER_MINUTE

static int
check_absence(struct github_tokens *tokens, int64_t now_ms)
{
    struct err err;
    return github_tokens_check_absence(tokens, "acme/widget", now_ms, &err);
}

TEST(an_installation_that_is_away_is_asked_for_less_and_less)
{
    AUTO(github_tokens_free) struct github_tokens *tokens = NULL;
    AUTO(secret_free) struct secret *token = NULL;
    struct err err;
    int64_t now_ms = 1000 * MINUTE;

    CHECK_OK(github_tokens_new(&tokens, &err), err);
    CHECK_INT(check_absence(tokens, now_ms), 0);
    for (int64_t minutes = 1; minutes <= 32; minutes *= 2) {
        const int64_t pause_ms = (minutes < 15 ? minutes : 15) * MINUTE;
        github_tokens_note_absence(tokens, "acme/widget", "away", now_ms);
        CHECK_INT(github_tokens_check_absence(tokens, "Acme/Widget", now_ms, &err),
                  ERR_UNAVAILABLE);
        CHECK_STR(err.msg, "away");
        CHECK_INT(check_absence(tokens, now_ms + pause_ms - 1), ERR_UNAVAILABLE);
        CHECK_INT(check_absence(tokens, now_ms - 1000 * MINUTE), 0); /* the clock was set back */
        CHECK_INT(check_absence(tokens, now_ms + pause_ms), 0);
        CHECK_INT(github_tokens_check_absence(tokens, "acme/other", now_ms, &err), 0);
        now_ms += pause_ms;
    }
    github_tokens_note_absence(tokens, "acme/widget", "away", now_ms);
    CHECK_OK(secret_new(bytes_of_str("ghs_x"), &token, &err), err);
    CHECK_OK(github_tokens_put(tokens, "acme/widget", token, now_ms + 60 * MINUTE, now_ms, &err),
             err);
    CHECK_INT(check_absence(tokens, now_ms), 0);
    github_tokens_note_absence(tokens, "acme/widget", "away", now_ms);
    CHECK_INT(check_absence(tokens, now_ms + MINUTE), 0); /* it begins anew */
    CHECK_INT(check_absence(tokens, now_ms), ERR_UNAVAILABLE);
    github_tokens_forget_absences(tokens);
    CHECK_INT(check_absence(tokens, now_ms), 0);
}

TEST_MAIN()
