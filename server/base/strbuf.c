/* See strbuf.h. */
#include "server/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>

#define SMALLEST_CAPACITY 64

void
strbuf_done(struct strbuf *buf)
{
    free(buf->ptr);
    *buf = (struct strbuf){.max = buf->max};
}

void
strbuf_reset(struct strbuf *buf)
{
    buf->len = 0;
    buf->failed = 0;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

/* Make room for `more` bytes and the terminator. */
static bool
reserve(struct strbuf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more > buf->max || buf->len > buf->max - more) {
        buf->failed = ERR_LIMIT;
        return false;
    }

    const size_t needed = buf->len + more + 1;
    if (needed <= buf->capacity)
        return true;

    size_t capacity = buf->capacity ? buf->capacity : SMALLEST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    char *grown = realloc(buf->ptr, capacity);
    if (!grown) {
        buf->failed = ERR_NOMEM;
        return false;
    }
    buf->ptr = grown;
    buf->capacity = capacity;
    return true;
}

void
strbuf_add(struct strbuf *buf, const void *ptr, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len > 0)
        memcpy(buf->ptr + buf->len, ptr, len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void
strbuf_add_str(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void
strbuf_add_words(struct strbuf *buf, const char *name)
{
    for (const char *p = name; *p; p++)
        strbuf_add_char(buf, *p == '_' ? ' ' : *p);
}

void
strbuf_add_bytes(struct strbuf *buf, struct bytes bytes)
{
    strbuf_add(buf, bytes.ptr, bytes.len);
}

void
strbuf_add_char(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void
strbuf_addf(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_list again;

    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && reserve(buf, (size_t)len)) {
        (void)vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void
strbuf_truncate(struct strbuf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    buf->len = len;
    buf->ptr[len] = '\0';
}

bool
strbuf_ok(const struct strbuf *buf)
{
    return buf->failed == 0;
}

const char *
strbuf_str(const struct strbuf *buf)
{
    return buf->ptr ? buf->ptr : "";
}

int
strbuf_take(struct strbuf *buf, char **ret_text, struct err *err)
{
    if (buf->failed == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "text is longer than %zu bytes", buf->max);
    if (buf->failed || !reserve(buf, 0))
        return err_set(err, ERR_NOMEM, "out of memory");

    buf->ptr[buf->len] = '\0';
    *ret_text = buf->ptr;
    *buf = (struct strbuf){.max = buf->max};
    return 0;
}

char *
str_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    const int len = vasprintf(&text, format, args);
    va_end(args);
    return len < 0 ? NULL : text;
}
