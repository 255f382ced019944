/* The part of text.h that decides which characters may stay: invisible ones, HTML comments,
 * terminal sequences, credentials.
 *
 * Sources: Unicode 15 DerivedCoreProperties (Default_Ignorable_Code_Point) and Bidi_Control;
 * ECMA-48 (terminal sequences). What Markdown hides is markdown.h's to say. */
#include "handlers/thread/text.h"

#include "handlers/thread/markdown.h"
#include "server/base/redact.h"
#include "server/base/str.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define ESCAPE '\x1B'
#define BELL '\x07'

static const char comment_start[] = "<!--";
static const char unfinished_comment[] =
    "[the rest stood in an unfinished HTML comment and is left out]";

struct range {
    uint32_t first;
    uint32_t last;
};

/* Characters that people do not see, or that change the order in which they see others. */
static const struct range invisible[] = {
    {0x00AD, 0x00AD}, {0x034F, 0x034F},   {0x061C, 0x061C},   {0x115F, 0x1160},
    {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x200B, 0x200F},   {0x202A, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static bool
is_invisible(uint32_t code_point)
{
    if (code_point < invisible[0].first)
        return false;
    for (size_t i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++) {
        if (code_point >= invisible[i].first && code_point <= invisible[i].last)
            return true;
    }
    return false;
}

/* Invisible characters that honest texts hold: soft hyphens, joiners and their opposites, marks of
 * direction, the mark of byte order. */
static bool
is_ordinary(uint32_t code_point)
{
    return code_point == 0x00AD || code_point == 0x061C || code_point == 0xFEFF ||
           (code_point >= 0x200C && code_point <= 0x200F);
}

static bool
is_control(uint32_t code_point)
{
    return (code_point < 0x20 && code_point != '\n' && code_point != '\t') ||
           (code_point >= 0x7F && code_point <= 0x9F);
}

/* One of them chooses how the character before it looks; a run of them hides data. */
static bool
is_variation_selector(uint32_t code_point)
{
    return code_point >= 0xFE00 && code_point <= 0xFE0F;
}

/* Append the characters of `text` that people see; comments are untouched. Returns how many others
 * of note there are. */
static size_t
append_characters(struct strbuf *buf, struct bytes text)
{
    size_t hidden = 0;
    bool after_selector = true; /* nothing before it to choose for */

    for (size_t i = 0, size; i < text.len; i += size) {
        uint32_t code_point;
        size = utf8_decode(text.ptr + i, text.len - i, &code_point);
        const bool selector = is_variation_selector(code_point);

        if (is_control(code_point) || is_invisible(code_point) || (selector && after_selector)) {
            hidden += text.ptr[i] != '\r' && !is_ordinary(code_point);
            continue;
        }
        after_selector = selector;
        if (code_point == 0xFFFD)
            strbuf_add_str(buf, REPLACEMENT);
        else if (code_point == 0x2028 || code_point == 0x2029)
            strbuf_add_char(buf, '\n'); /* line and paragraph separator */
        else
            strbuf_add(buf, text.ptr + i, size);
    }
    return hidden;
}

static bool
ends_in_comment_start(const struct strbuf *buf, size_t from)
{
    const size_t len = sizeof(comment_start) - 1;

    return buf->len >= from + len && memcmp(buf->ptr + buf->len - len, comment_start, len) == 0;
}

/* How many characters there are between the marks that open and close a comment. */
static size_t
count_hidden(struct bytes text)
{
    size_t count = 0;

    if (text.len >= 4 && memcmp(text.ptr, "<!--", 4) == 0)
        text = bytes_of(text.ptr + 4, text.len - 4);
    if (text.len >= 3 && memcmp(text.ptr + text.len - 3, "-->", 3) == 0)
        text.len -= 3;
    while (text.len > 0 && strchr(" \t\n", text.ptr[text.len - 1]))
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const bool leading = count == 0 && strchr(" \t\n", text.ptr[i]);
        count += !leading && ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

/* What people do not see is decided once, on the text as it was written: what stands around a
 * comment makes no other one. */
void
text_append_clean_counted(struct strbuf *buf, struct bytes text, struct text_hidden *hidden)
{
    AUTO_DONE(strbuf_done) struct strbuf seen = STRBUF_INIT(3 * text.len);

    hidden->characters += append_characters(&seen, text);
    auto_free unsigned char *marks = malloc(seen.len + 1);
    if (!strbuf_ok(&seen) || !marks) {
        buf->failed = seen.failed ? seen.failed : ERR_NOMEM;
        return;
    }
    const bool unfinished = markdown_mark(seen.ptr, seen.len, marks);
    for (size_t i = 0, end; i < seen.len; i = end) {
        end = i + 1;
        if (!markdown_is_hidden(marks[i])) {
            strbuf_add_char(buf, seen.ptr[i]);
            continue;
        }
        while (end < seen.len && markdown_goes_on_hidden(marks[end]))
            end++;
        hidden->comments++;
        hidden->in_comments += count_hidden(bytes_of(seen.ptr + i, end - i));
    }
    if (unfinished)
        strbuf_add_str(buf, unfinished_comment);
}

void
text_append_clean(struct strbuf *buf, struct bytes text)
{
    struct text_hidden hidden = {0};

    text_append_clean_counted(buf, text, &hidden);
}

void
text_append_visible(struct strbuf *buf, struct bytes text)
{
    const size_t begin = buf->len;
    AUTO_DONE(strbuf_done) struct strbuf seen = STRBUF_INIT(3 * text.len);

    (void)append_characters(&seen, text);
    if (!strbuf_ok(&seen))
        buf->failed = seen.failed;
    for (size_t i = 0; i < seen.len; i++) {
        strbuf_add_char(buf, seen.ptr[i]);
        if (strbuf_ok(buf) && ends_in_comment_start(buf, begin)) {
            strbuf_truncate(buf, buf->len - 2);
            strbuf_add_str(buf, " --");
        }
    }
}

/* The end of a string that a terminal takes as a command (a window's title, a link's address): BEL
 * or ESC '\'. One without an end stops at the line's, so that it cannot swallow the output. */
static size_t
skip_terminal_string(struct bytes text, size_t at)
{
    while (at < text.len && text.ptr[at] != '\n') {
        if (text.ptr[at] == BELL)
            return at + 1;
        if (text.ptr[at] == ESCAPE && at + 1 < text.len && text.ptr[at + 1] == '\\')
            return at + 2;
        at++;
    }
    return at;
}

static size_t
skip_range(struct bytes text, size_t at, char first, char last)
{
    while (at < text.len && text.ptr[at] >= first && text.ptr[at] <= last)
        at++;
    return at;
}

/* The place behind the escape sequence that begins at `at`. */
static size_t
skip_escape(struct bytes text, size_t at)
{
    at++;
    if (at >= text.len)
        return at;
    switch (text.ptr[at]) {
    case '[':
        at = skip_range(text, at + 1, 0x30, 0x3F);
        break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        return skip_terminal_string(text, at + 1);
    default:
        break;
    }
    at = skip_range(text, at, 0x20, 0x2F);
    return at < text.len && text.ptr[at] >= 0x30 && text.ptr[at] <= 0x7E ? at + 1 : at;
}

/* Append `output` as it stands on a terminal in the end: without sequences, each line as last
 * drawn. */
static void
append_as_drawn(struct strbuf *buf, struct bytes output)
{
    size_t line = buf->len;

    for (size_t i = 0; i < output.len;) {
        const char c = output.ptr[i];
        if (c == ESCAPE) {
            i = skip_escape(output, i);
            continue;
        }
        i++;
        if (c == '\r') {
            while (i < output.len && output.ptr[i] == '\r')
                i++;
            if (i < output.len && output.ptr[i] != '\n')
                strbuf_truncate(buf, line); /* drawn over */
            continue;
        }
        strbuf_add_char(buf, c);
        if (c == '\n')
            line = buf->len;
    }
}

/* Where a private key ends whose first lines were cut away earlier; 0: there is none. */
static size_t
find_orphan_key_end(struct bytes text)
{
    static const char label[] = "PRIVATE KEY-----";
    static const char end[] = "-----END ";
    const char *found = memmem(text.ptr, text.len, label, sizeof(label) - 1);

    if (!found)
        return 0;
    const char *line = memrchr(text.ptr, '\n', (size_t)(found - text.ptr));
    line = line ? line + 1 : text.ptr;
    if (!memmem(line, (size_t)(found - line), end, sizeof(end) - 1))
        return 0; /* its first line is there */
    return (size_t)(found - text.ptr) + sizeof(label) - 1;
}

static void
append_redacted(struct strbuf *buf, struct bytes text)
{
    if (!text.ptr || text.len == 0)
        return;
    const size_t key_end = find_orphan_key_end(text);
    if (key_end > 0)
        strbuf_add_str(buf, "[redacted]");
    redact_append(buf, bytes_of(text.ptr + key_end, text.len - key_end));
}

/* The last `max_lines` lines of `text`. */
static struct bytes
last_lines(struct bytes text, size_t max_lines)
{
    size_t start = text.len;

    for (size_t lines = 0; start > 0; start--) {
        if (text.ptr[start - 1] == '\n' && ++lines == max_lines)
            break;
    }
    return bytes_of(text.ptr + start, text.len - start);
}

void
text_append_tail(struct strbuf *buf, struct bytes output, size_t max_lines, size_t max_bytes)
{
    static const char cut_mark[] = "...";
    const size_t mark_len = sizeof(cut_mark) - 1;
    AUTO_DONE(strbuf_done) struct strbuf drawn = STRBUF_INIT(output.len);
    AUTO_DONE(strbuf_done) struct strbuf seen = STRBUF_INIT(4 * output.len);
    AUTO_DONE(strbuf_done) struct strbuf safe = STRBUF_INIT(8 * output.len + 64);

    append_as_drawn(&drawn, output);
    text_append_visible(&seen, bytes_of(drawn.ptr, drawn.len));
    append_redacted(&safe, bytes_of(seen.ptr, seen.len));
    if (!strbuf_ok(&drawn) || !strbuf_ok(&seen) || !strbuf_ok(&safe)) {
        buf->failed = ERR_NOMEM;
        return;
    }

    struct bytes tail = bytes_of(safe.ptr, safe.len);
    while (tail.len > 0 && strchr(" \t\n", tail.ptr[tail.len - 1]))
        tail.len--;
    if (tail.len == 0)
        return;
    tail = last_lines(tail, max_lines);
    if (tail.len <= max_bytes) {
        strbuf_add_bytes(buf, tail);
        return;
    }
    if (max_bytes < mark_len)
        return;

    size_t skip = tail.len - (max_bytes - mark_len);
    while (skip < tail.len && ((unsigned char)tail.ptr[skip] & 0xC0) == 0x80)
        skip++;
    strbuf_add_str(buf, cut_mark);
    strbuf_add(buf, tail.ptr + skip, tail.len - skip);
}
