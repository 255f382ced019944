/* See github_app.h. */
#include "integrations/github/github_app.h"

#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BACKDATED_MS (60 * MS_PER_SECOND)
#define LIFETIME_MS (9 * MS_PER_MINUTE)
#define RENEW_BEFORE_MS (10 * MS_PER_MINUTE)
#define MAX_JWT_BYTES 4096U

struct entry {
    char *repository;
    struct secret *token;
    int64_t expires_ms;
};

struct github_tokens {
    pthread_mutex_t lock;
    struct entry *entries; /* under lock */
    size_t count;          /* under lock */
};

static void
wipe_text(struct strbuf *buf)
{
    if (buf->ptr)
        explicit_bzero(buf->ptr, buf->capacity);
    strbuf_done(buf);
}

int
github_app_sign(int64_t app_id,
                const struct secret *private_key,
                int64_t now_ms,
                struct secret **ret_token,
                struct err *err)
{
    static const char head[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    AUTO_DONE(strbuf_done) struct strbuf claims = STRBUF_INIT(256);
    AUTO_DONE(wipe_text) struct strbuf token = STRBUF_INIT(MAX_JWT_BYTES);

    strbuf_addf(&claims, "{\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"iss\":%" PRId64 "}",
                (now_ms - BACKDATED_MS) / MS_PER_SECOND, (now_ms + LIFETIME_MS) / MS_PER_SECOND,
                app_id);
    base64url_append(&token, bytes_of_str(head));
    strbuf_add_char(&token, '.');
    base64url_append(&token, bytes_of(claims.ptr, claims.len));
    if (!strbuf_ok(&claims) || !strbuf_ok(&token))
        return err_set(err, ERR_NOMEM, "out of memory");

    AUTO_DONE(strbuf_done) struct strbuf signature = STRBUF_INIT(MAX_JWT_BYTES);
    const int result =
        crypto_rs256_append(private_key, bytes_of(token.ptr, token.len), &signature, err);
    if (result)
        return err_wrap(err, "signing with the GitHub App's private key");
    strbuf_add_char(&token, '.');
    strbuf_add(&token, signature.ptr, signature.len);
    if (!strbuf_ok(&token) || !strbuf_ok(&signature))
        return err_set(err, ERR_NOMEM, "out of memory");
    return secret_new(bytes_of(token.ptr, token.len), ret_token, err);
}

int
github_tokens_new(struct github_tokens **ret_tokens, struct err *err)
{
    struct github_tokens *const tokens = calloc(1, sizeof(*tokens));

    if (!tokens || pthread_mutex_init(&tokens->lock, NULL) != 0) {
        free(tokens);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_tokens = tokens;
    return 0;
}

void
github_tokens_free(struct github_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < tokens->count; i++) {
        free(tokens->entries[i].repository);
        secret_free(tokens->entries[i].token);
    }
    free(tokens->entries);
    (void)pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

/* Call under lock. */
static struct entry *
find(struct github_tokens *tokens, const char *repository)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (str_equal_nocase(tokens->entries[i].repository, repository))
            return &tokens->entries[i];
    }
    return NULL;
}

/* Call under lock. */
static void
drop(struct github_tokens *tokens, struct entry *entry)
{
    free(entry->repository);
    secret_free(entry->token);
    *entry = tokens->entries[--tokens->count];
}

int
github_tokens_get(struct github_tokens *tokens,
                  const char *repository,
                  int64_t now_ms,
                  struct secret **ret_token,
                  struct err *err)
{
    int result;

    (void)pthread_mutex_lock(&tokens->lock);
    const struct entry *const entry = find(tokens, repository);
    if (entry && now_ms < entry->expires_ms - RENEW_BEFORE_MS)
        result = secret_copy(entry->token, ret_token, err);
    else
        result = err_set(err, ERR_NOTFOUND, "no token is kept for %s", repository);
    (void)pthread_mutex_unlock(&tokens->lock);
    return result;
}

/* Call under lock.  What the entry points to belongs to `tokens` from then on, but on failure. */
static int
append(struct github_tokens *tokens, const struct entry *entry, struct err *err)
{
    struct entry *const longer =
        reallocarray(tokens->entries, tokens->count + 1, sizeof(*tokens->entries));

    if (!longer)
        return err_set(err, ERR_NOMEM, "out of memory");
    tokens->entries = longer;
    tokens->entries[tokens->count++] = *entry;
    return 0;
}

int
github_tokens_put(struct github_tokens *tokens,
                  const char *repository,
                  const struct secret *token,
                  int64_t expires_ms,
                  int64_t now_ms,
                  struct err *err)
{
    AUTO(secret_free) struct secret *copy = NULL;
    auto_free char *name = str_dup(repository);
    int result = secret_copy(token, &copy, err);

    if (result)
        return result;
    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_mutex_lock(&tokens->lock);
    for (size_t i = tokens->count; i-- > 0;) {
        struct entry *const entry = &tokens->entries[i];
        if (entry->expires_ms <= now_ms || str_equal_nocase(entry->repository, repository))
            drop(tokens, entry);
    }
    result = append(
        tokens, &(struct entry){.repository = name, .token = copy, .expires_ms = expires_ms}, err);
    (void)pthread_mutex_unlock(&tokens->lock);
    if (result)
        return result;
    (void)TAKE(name);
    (void)TAKE(copy);
    return 0;
}

void
github_tokens_forget(struct github_tokens *tokens, const char *repository)
{
    (void)pthread_mutex_lock(&tokens->lock);
    struct entry *const entry = find(tokens, repository);
    if (entry)
        drop(tokens, entry);
    (void)pthread_mutex_unlock(&tokens->lock);
}
