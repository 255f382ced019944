/* See github_app.h. */
#include "integrations/github/github_app.h"

#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKDATED_MS (60 * MS_PER_SECOND)
#define LIFETIME_MS (9 * MS_PER_MINUTE)
#define RENEW_BEFORE_MS (10 * MS_PER_MINUTE)
#define MAX_JWT_BYTES 4096U
#define ABSENCE_FIRST_MS MS_PER_MINUTE
#define ABSENCE_LONGEST_MS (15 * MS_PER_MINUTE)
#define ABSENCE_WHY_BYTES 400

struct entry {
    char *repository;
    struct secret *token;
    int64_t expires_ms;
};

/* What is not asked for again until `until_ms` (Unix). */
struct absence {
    char *repository;
    int64_t until_ms;
    int64_t pause_ms;
    char why[ABSENCE_WHY_BYTES];
};

struct github_tokens {
    pthread_mutex_t lock;
    struct entry *entries;    /* under lock */
    size_t count;             /* under lock */
    struct absence *absences; /* under lock */
    size_t absence_count;     /* under lock */
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
    for (size_t i = 0; i < tokens->absence_count; i++)
        free(tokens->absences[i].repository);
    free(tokens->absences);
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

/* Call under lock. */
static struct absence *
find_absence(struct github_tokens *tokens, const char *repository)
{
    for (size_t i = 0; i < tokens->absence_count; i++) {
        if (str_equal_nocase(tokens->absences[i].repository, repository))
            return &tokens->absences[i];
    }
    return NULL;
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
    struct absence *const absence = find_absence(tokens, repository);
    if (absence) {
        free(absence->repository);
        *absence = tokens->absences[--tokens->absence_count];
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

/* --- Installations that are suspended or gone */

/* Call under lock. Where there is no memory for it nothing is kept, and GitHub is asked again. */
static struct absence *
add_absence(struct github_tokens *tokens, const char *repository)
{
    char *const name = str_dup(repository);
    struct absence *const longer =
        reallocarray(tokens->absences, tokens->absence_count + 1, sizeof(*tokens->absences));

    if (longer)
        tokens->absences = longer;
    if (!longer || !name) {
        free(name);
        return NULL;
    }
    struct absence *const absence = &longer[tokens->absence_count++];
    *absence = (struct absence){.repository = name};
    return absence;
}

void
github_tokens_note_absence(struct github_tokens *tokens,
                           const char *repository,
                           const char *why,
                           int64_t now_ms)
{
    (void)pthread_mutex_lock(&tokens->lock);
    struct absence *absence = find_absence(tokens, repository);
    if (!absence)
        absence = add_absence(tokens, repository);
    if (absence) {
        absence->pause_ms = absence->pause_ms ? absence->pause_ms * 2 : ABSENCE_FIRST_MS;
        if (absence->pause_ms > ABSENCE_LONGEST_MS)
            absence->pause_ms = ABSENCE_LONGEST_MS;
        absence->until_ms = now_ms + absence->pause_ms;
        (void)snprintf(absence->why, sizeof(absence->why), "%s", why);
    }
    (void)pthread_mutex_unlock(&tokens->lock);
}

int
github_tokens_check_absence(struct github_tokens *tokens,
                            const char *repository,
                            int64_t now_ms,
                            struct err *err)
{
    int result = 0;

    (void)pthread_mutex_lock(&tokens->lock);
    const struct absence *const absence = find_absence(tokens, repository);
    /* a clock that was set back must not make it long */
    if (absence && now_ms < absence->until_ms && now_ms + absence->pause_ms >= absence->until_ms)
        result = err_set(err, ERR_UNAVAILABLE, "%s", absence->why);
    (void)pthread_mutex_unlock(&tokens->lock);
    return result;
}

void
github_tokens_forget_absences(struct github_tokens *tokens)
{
    (void)pthread_mutex_lock(&tokens->lock);
    while (tokens->absence_count > 0)
        free(tokens->absences[--tokens->absence_count].repository);
    (void)pthread_mutex_unlock(&tokens->lock);
}
