/* See web_answer.h. */
#include "server/web_answer.h"

#include <stdlib.h>
#include <string.h>

void
web_answer_clear_headers(struct web_answer *answer)
{
    char **const slots[] = {&answer->retry_after,
                            &answer->link,
                            &answer->location,
                            &answer->etag,
                            &answer->rate_remaining,
                            &answer->rate_reset,
                            &answer->accepted_permissions,
                            &answer->oauth_scopes};

    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        free(*slots[i]);
        *slots[i] = NULL;
    }
}

void
web_answer_done(struct web_answer *answer)
{
    web_answer_clear_headers(answer);
    free(answer->redirected_to);
    strbuf_done(&answer->body);
}

static char **
header_slot(struct web_answer *answer, struct bytes name)
{
    const struct {
        const char *name;
        char **slot;
    } wanted[] = {
        {"retry-after", &answer->retry_after},
        {"link", &answer->link},
        {"location", &answer->location},
        {"etag", &answer->etag},
        {"x-ratelimit-remaining", &answer->rate_remaining},
        {"x-ratelimit-reset", &answer->rate_reset},
        {"x-accepted-github-permissions", &answer->accepted_permissions},
        {"x-oauth-scopes", &answer->oauth_scopes},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (name.len == strlen(wanted[i].name) &&
            strncasecmp(name.ptr, wanted[i].name, name.len) == 0)
            return wanted[i].slot;
    }
    return NULL;
}

bool
web_answer_add_header(struct web_answer *answer, struct bytes name, struct bytes value)
{
    char **const slot = header_slot(answer, name);
    const char *start = value.ptr;
    const char *end = value.ptr + value.len;

    if (!slot)
        return true;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && strchr(" \t\r\n", end[-1]))
        end--;
    char *const text = strndup(start, (size_t)(end - start));
    if (!text)
        return false;
    free(*slot);
    *slot = text;
    return true;
}

/* Drop all but the last `keep` bytes. */
static void
drop_beginning(struct web_answer *answer, size_t keep)
{
    struct strbuf *const body = &answer->body;

    if (body->len <= keep)
        return;
    memmove(body->ptr, body->ptr + body->len - keep, keep);
    strbuf_truncate(body, keep);
    answer->shortened = true;
}

void
web_answer_add_body(struct web_answer *answer, size_t keep_last_bytes, struct bytes piece)
{
    if (keep_last_bytes > 0 && piece.len > keep_last_bytes) {
        piece = bytes_of(piece.ptr + piece.len - keep_last_bytes, keep_last_bytes);
        answer->shortened = true;
    }
    if (keep_last_bytes > 0 && answer->body.len + piece.len > answer->body.max)
        drop_beginning(answer, keep_last_bytes);
    strbuf_add_bytes(&answer->body, piece);
}

void
web_answer_finish(struct web_answer *answer, size_t keep_last_bytes)
{
    if (keep_last_bytes > 0)
        drop_beginning(answer, keep_last_bytes);
}
