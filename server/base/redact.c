/* See redact.h. The token formats are the vendors' published prefixes; a format that has no fixed
 * prefix cannot be told from ordinary text and is not guessed at. */
#include "server/base/redact.h"

enum alphabet { ALNUM, TOKEN, BASE64 };

struct pattern {
    const char *prefix;
    const char *kind;
    enum alphabet alphabet;
    size_t shortest; /* characters after the prefix */
};

static const struct pattern patterns[] = {
    {"ghp_", "GitHub token", ALNUM, 30},      {"gho_", "GitHub token", ALNUM, 30},
    {"ghu_", "GitHub token", TOKEN, 30},      {"ghs_", "GitHub token", TOKEN, 30},
    {"ghr_", "GitHub token", ALNUM, 30},      {"github_pat_", "GitHub token", TOKEN, 30},
    {"glpat-", "GitLab token", TOKEN, 20},    {"xoxb-", "Slack token", TOKEN, 20},
    {"xoxp-", "Slack token", TOKEN, 20},      {"xapp-", "Slack token", TOKEN, 20},
    {"lin_api_", "Linear key", ALNUM, 20},    {"lin_oauth_", "Linear token", ALNUM, 20},
    {"sk-ant-", "Anthropic key", TOKEN, 20},  {"sk-proj-", "OpenAI key", TOKEN, 20},
    {"sk_live_", "Stripe key", ALNUM, 20},    {"AKIA", "AWS access key", ALNUM, 16},
    {"AIza", "Google key", TOKEN, 35},        {"npm_", "npm token", ALNUM, 36},
    {"whsec_", "webhook secret", BASE64, 24},
};

static bool
in_alphabet(char c, enum alphabet alphabet)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    switch (alphabet) {
    case ALNUM:
        return false;
    case TOKEN:
        return c == '_' || c == '-' || c == '.';
    case BASE64:
        return c == '+' || c == '/' || c == '=';
    }
    return false;
}

/* The length of a credential that begins exactly at `at`, or 0. */
static size_t
match_token(struct bytes text, size_t at, const struct pattern *pattern)
{
    const size_t prefix_len = strlen(pattern->prefix);

    if (text.len - at < prefix_len || memcmp(text.ptr + at, pattern->prefix, prefix_len) != 0)
        return 0;
    if (at > 0 && in_alphabet(text.ptr[at - 1], ALNUM))
        return 0; /* the middle of a longer word */

    size_t end = at + prefix_len;
    while (end < text.len && in_alphabet(text.ptr[end], pattern->alphabet))
        end++;
    return end - at - prefix_len >= pattern->shortest ? end - at : 0;
}

/* The length of the label of a "-----BEGIN LABEL-----" line at `at`, or 0. */
static size_t
label_length(struct bytes text, size_t at)
{
    size_t end = at;

    while (end < text.len &&
           ((text.ptr[end] >= 'A' && text.ptr[end] <= 'Z') ||
            (text.ptr[end] >= '0' && text.ptr[end] <= '9') || text.ptr[end] == ' '))
        end++;
    return text.len - end >= 5 && memcmp(text.ptr + end, "-----", 5) == 0 ? end - at : 0;
}

/* "-----BEGIN ... PRIVATE KEY-----" (RFC 7468), also of other kinds of private keys ("PRIVATE KEY
 * BLOCK"), up to and with its end line, or to the end of the text. */
static size_t
match_private_key(struct bytes text, size_t at)
{
    static const char begin[] = "-----BEGIN ";
    static const char kind[] = "PRIVATE KEY";
    static const char end[] = "-----END ";
    const size_t left = text.len - at;

    if (left < sizeof(begin) - 1 || memcmp(text.ptr + at, begin, sizeof(begin) - 1) != 0)
        return 0;
    const char *label = text.ptr + at + sizeof(begin) - 1;
    const size_t label_len = label_length(text, at + sizeof(begin) - 1);
    if (!label || label_len == 0 || !memmem(label, label_len, kind, sizeof(kind) - 1))
        return 0;

    const char *tail = memmem(label, left - (sizeof(begin) - 1), end, sizeof(end) - 1);
    const char *tail_end = tail ? memchr(tail, '\n', text.len - (size_t)(tail - text.ptr)) : NULL;
    return tail_end ? (size_t)(tail_end - text.ptr) - at : left;
}

/* The kind of the credential that begins exactly at `at`, and its length; NULL when none does. */
static const char *
match(struct bytes text, size_t at, size_t *ret_len)
{
    const char c = text.ptr[at];

    *ret_len = c == '-' ? match_private_key(text, at) : 0;
    if (*ret_len > 0)
        return "private key";
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        if (patterns[i].prefix[0] != c)
            continue;
        *ret_len = match_token(text, at, &patterns[i]);
        if (*ret_len > 0)
            return patterns[i].kind;
    }
    return NULL;
}

const char *
redact_find(struct bytes text, size_t from, size_t *ret_start, size_t *ret_len)
{
    for (size_t at = from; at < text.len; at++) {
        size_t len;
        const char *kind = match(text, at, &len);

        if (!kind)
            continue;
        *ret_start = at;
        *ret_len = len;
        return kind;
    }
    return NULL;
}

void
redact_append(struct strbuf *buf, struct bytes text)
{
    size_t done = 0;
    size_t start;
    size_t len;

    while (redact_find(text, done, &start, &len)) {
        strbuf_add(buf, text.ptr + done, start - done);
        strbuf_add_str(buf, "[redacted]");
        done = start + len;
    }
    strbuf_add(buf, text.ptr + done, text.len - done);
}
