/* Cutting texts to GitHub's size without leaving broken characters or open code fences behind. */
#include "integrations/github/github_text.h"

#include "server/base/str.h"
#include "server/base/strbuf.h"

#include <stdint.h>

#define MAX_TEXT_BYTES (8U * 1024 * 1024)
#define MAX_FENCE_CHARS 100U /* a longer row of backticks is not taken for a fence */
#define RESERVED_CHARS (MAX_FENCE_CHARS + 8U) /* for what a cut appends */
#define REPLACEMENT "\xEF\xBF\xBD"            /* U+FFFD */
#define ELLIPSIS "\xE2\x80\xA6"

/* A code fence of CommonMark (section 4.5): three or more of one character. */
struct fence {
    char character; /* '`', '~', or 0: none */
    size_t length;
};

/* Copies `text` to `buf` as UTF-8.  Returns how many bytes of `buf` hold its first `keep_chars`
 * characters; *ret_chars says how many there are in all. */
static size_t
copy_valid(struct strbuf *buf, const char *text, size_t keep_chars, size_t *ret_chars)
{
    const size_t len = strlen(text);
    size_t chars = 0;
    size_t kept_bytes = 0;

    for (size_t at = 0; at < len; chars++) {
        uint32_t code_point;
        const size_t size = utf8_decode(text + at, len - at, &code_point);

        if (chars == keep_chars)
            kept_bytes = buf->len;
        if (size == 1 && code_point == 0xFFFD)
            strbuf_add_str(buf, REPLACEMENT);
        else
            strbuf_add(buf, text + at, size);
        at += size;
    }
    *ret_chars = chars;
    return chars > keep_chars ? kept_bytes : buf->len;
}

/* The fence that this line opens, or closes when one is open; length 0 when it is neither. */
static struct fence
fence_of_line(const char *line, size_t len)
{
    size_t indent = 0;
    size_t end;

    while (indent < len && indent < 4 && line[indent] == ' ')
        indent++;
    if (indent == 4 || indent == len || (line[indent] != '`' && line[indent] != '~'))
        return (struct fence){0};
    for (end = indent; end < len && line[end] == line[indent];)
        end++;
    if (end - indent < 3 || end - indent > MAX_FENCE_CHARS)
        return (struct fence){0};
    return (struct fence){.character = line[indent], .length = end - indent};
}

/* Is there nothing but blanks after a row of fence characters? */
static bool
ends_after_fence(const char *line, size_t len, char character)
{
    while (len > 0 && strchr(" \t\r", line[len - 1]))
        len--;
    return len > 0 && line[len - 1] == character;
}

static bool
opens(const char *line, size_t len, struct fence fence)
{
    const char *const row = memchr(line, fence.character, len);
    const char *const info = row + fence.length;

    /* what follows backticks may hold no backtick: that would be code in a line */
    return fence.character == '~' || !memchr(info, '`', (size_t)(line + len - info));
}

/* The fence that is open at the end of `text`. */
static struct fence
open_fence(const char *text, size_t len)
{
    struct fence open = {0};

    for (size_t at = 0; at < len;) {
        const char *const line = text + at;
        const char *const line_end = memchr(line, '\n', len - at);
        const size_t line_len = line_end ? (size_t)(line_end - line) : len - at;
        const struct fence here = fence_of_line(line, line_len);

        at += line_len + 1;
        if (!here.character)
            continue;
        if (!open.character && opens(line, line_len, here))
            open = here;
        else if (here.character == open.character && here.length >= open.length &&
                 ends_after_fence(line, line_len, here.character))
            open = (struct fence){0};
    }
    return open;
}

int
github_fit_body(const char *body, size_t max_chars, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_TEXT_BYTES);
    size_t chars;
    const size_t kept = copy_valid(&buf, body, max_chars - RESERVED_CHARS, &chars);

    if (chars > max_chars && strbuf_ok(&buf)) {
        strbuf_truncate(&buf, kept);
        const struct fence open = open_fence(strbuf_str(&buf), buf.len);
        if (open.character)
            strbuf_add_char(&buf, '\n');
        for (size_t i = 0; i < open.length; i++)
            strbuf_add_char(&buf, open.character);
        strbuf_add_str(&buf, open.character ? "\n" ELLIPSIS : ELLIPSIS);
    }
    return strbuf_take(&buf, ret_text, err);
}

int
github_fit_line(const char *line, size_t max_chars, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_TEXT_BYTES);
    size_t chars;
    const size_t kept = copy_valid(&buf, line, max_chars - 1, &chars);

    for (size_t i = 0; i < buf.len; i++) {
        if (buf.ptr[i] == '\n' || buf.ptr[i] == '\r')
            buf.ptr[i] = ' ';
    }
    if (chars > max_chars && strbuf_ok(&buf)) {
        strbuf_truncate(&buf, kept);
        strbuf_add_str(&buf, ELLIPSIS);
    }
    return strbuf_take(&buf, ret_text, err);
}

/* Where the last `max` bytes begin, at a character. */
static size_t
last_part(const struct strbuf *buf, size_t max)
{
    size_t at = buf->len > max ? buf->len - max : 0;

    while (at < buf->len && ((unsigned char)buf->ptr[at] & 0xC0U) == 0x80U)
        at++;
    return at;
}

int
github_clean_text(struct bytes text, size_t max_bytes, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(3 * text.len);

    for (size_t at = 0; at < text.len;) {
        uint32_t code_point;
        const size_t size = utf8_decode(text.ptr + at, text.len - at, &code_point);

        if (size == 1 && (code_point == 0xFFFD || code_point == 0))
            strbuf_add_str(&buf, REPLACEMENT);
        else
            strbuf_add(&buf, text.ptr + at, size);
        at += size;
    }
    if (!strbuf_ok(&buf))
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_text = str_dup(strbuf_str(&buf) + last_part(&buf, max_bytes));
    return *ret_text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}
