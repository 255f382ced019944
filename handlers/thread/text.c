/* The part of text.h that decides how outside text is shown: escaped, quoted, fenced, in one line.
 *
 * Sources: CommonMark 0.30 and GitHub Flavored Markdown (tables, autolinks); GitHub's own
 * references and mentions are found in the rendered text, so that no escape stops them: only a
 * character between does. */
#include "handlers/thread/text.h"

#include "server/base/str.h"

#define JOINER "\xE2\x80\x8D" /* U+200D, zero-width */
#define SLUG_BYTES 40
#define LOOK_AHEAD 16 /* how much may be invisible where only a beginning is wanted */
#define QUOTE_LINE_BYTES 2000
#define FENCE_SHORTEST 3
#define FENCE_LONGEST 100

static const char quote_cut[] = ">\n> *(cut here: the rest is left out)*\n";

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The length of the run of `c` that begins at `at`. */
static size_t
run_length(struct bytes text, size_t at, char c)
{
    size_t end = at;

    while (end < text.len && text.ptr[end] == c)
        end++;
    return end - at;
}

/* The longest run of `c` anywhere in `text`. */
static size_t
longest_run(struct bytes text, char c)
{
    size_t longest = 0;

    for (size_t i = 0; i < text.len;) {
        const size_t run = run_length(text, i, c);
        longest = run > longest ? run : longest;
        i += run ? run : 1;
    }
    return longest;
}

static void
add_repeated(struct strbuf *buf, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_add_char(buf, c);
}

static size_t
fence_length(struct bytes text)
{
    const size_t longest = longest_run(text, '`');

    if (longest < FENCE_SHORTEST)
        return FENCE_SHORTEST;
    return longest < FENCE_LONGEST ? longest + 1 : FENCE_LONGEST;
}

/* Append `text` with every run of backticks broken that a fence of the longest length would not
 * hold. */
static void
add_without_long_runs(struct strbuf *buf, struct bytes text)
{
    size_t run = 0;

    for (size_t i = 0; i < text.len; i++) {
        run = text.ptr[i] == '`' ? run + 1 : 0;
        if (run == FENCE_LONGEST) {
            strbuf_add_char(buf, ' ');
            run = 1;
        }
        strbuf_add_char(buf, text.ptr[i]);
    }
}

void
text_append_fenced(struct strbuf *buf, const char *info, struct bytes text)
{
    const size_t length = fence_length(text);

    add_repeated(buf, '`', length);
    strbuf_add_str(buf, info);
    strbuf_add_char(buf, '\n');
    add_without_long_runs(buf, text);
    if (text.len > 0 && text.ptr[text.len - 1] != '\n')
        strbuf_add_char(buf, '\n');
    add_repeated(buf, '`', length);
    strbuf_add_char(buf, '\n');
}

/* Does something begin at `at` that GitHub would make a link or a notification of, and that ends
 * its first part with the character at `at`?  "@name", "#12", "GH-12", "https://", "www." */
static bool
is_reference(struct bytes text, size_t at)
{
    const char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';

    switch (text.ptr[at]) {
    case '@':
        return is_word(next);
    case '#':
        return is_digit(next);
    case '-':
        return at >= 2 && is_digit(next) && (text.ptr[at - 2] | 0x20) == 'g' &&
               (text.ptr[at - 1] | 0x20) == 'h';
    case ':':
        return text.len - at >= 3 && next == '/' && text.ptr[at + 2] == '/';
    case 'w':
    case 'W':
        return at >= 2 && next == '.' && (text.ptr[at - 1] | 0x20) == 'w' &&
               (text.ptr[at - 2] | 0x20) == 'w';
    default:
        return false;
    }
}

/* Would the character make a list, a heading or a rule of a line that begins with it? */
static bool
begins_block(struct bytes line, size_t at)
{
    const char c = line.ptr[at];

    if (strchr("-+=#", c))
        return at == 0;
    if ((c != '.' && c != ')') || at == 0)
        return false;
    for (size_t i = 0; i < at; i++) {
        if (!is_digit(line.ptr[i]))
            return false;
    }
    return true;
}

/* `line` is cleaned and holds no line end. */
static void
append_escaped(struct strbuf *buf, struct bytes line)
{
    for (size_t i = 0; i < line.len; i++) {
        const char c = line.ptr[i];
        if (c == '&')
            strbuf_add_str(buf, "&amp;");
        else if (c == '<')
            strbuf_add_str(buf, "&lt;");
        else if (c == '>')
            strbuf_add_str(buf, "&gt;");
        else if (c == '|')
            strbuf_add_str(buf, "&#124;"); /* a backslash would be seen outside of tables */
        else if (strchr("\\`*_[]~$", c) || begins_block(line, i))
            strbuf_addf(buf, "\\%c", c);
        else
            strbuf_add_char(buf, c);
        if (is_reference(line, i))
            strbuf_add_str(buf, JOINER);
    }
}

/* `text` as one cleaned line: runs of white space become one space, none at the ends. */
static void
append_one_line(struct strbuf *buf, struct bytes text)
{
    AUTO_DONE(strbuf_done) struct strbuf seen = STRBUF_INIT(4 * text.len);
    const size_t begin = buf->len;
    bool space = false;

    text_append_visible(&seen, text);
    if (!strbuf_ok(&seen))
        buf->failed = seen.failed;
    for (size_t i = 0; i < seen.len; i++) {
        const char c = seen.ptr[i];
        if (c == ' ' || c == '\t' || c == '\n') {
            space = buf->len > begin;
            continue;
        }
        if (space)
            strbuf_add_char(buf, ' ');
        space = false;
        strbuf_add_char(buf, c);
    }
}

void
text_append_inline(struct strbuf *buf, struct bytes text)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(4 * text.len);

    append_one_line(&line, text);
    if (!strbuf_ok(&line))
        buf->failed = line.failed;
    append_escaped(buf, bytes_of(line.ptr, line.len));
}

void
text_append_code(struct strbuf *buf, struct bytes text)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(4 * text.len);

    append_one_line(&line, text);
    if (!strbuf_ok(&line))
        buf->failed = line.failed;
    const struct bytes bytes = bytes_of(line.ptr, line.len);
    if (line.len == 0 || memchr(line.ptr, '|', line.len) || memchr(line.ptr, '`', line.len))
        append_escaped(buf, bytes);
    else
        strbuf_addf(buf, "`%s`", strbuf_str(&line));
}

void
text_append_line(struct strbuf *buf, const char *text, size_t max_bytes)
{
    static const char cut_mark[] = "...";
    const size_t mark_len = sizeof(cut_mark) - 1;
    const struct bytes all = bytes_of_str(text);
    const size_t len = utf8_cut(all.ptr, all.len, LOOK_AHEAD * max_bytes);
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(4 * len);

    append_one_line(&line, bytes_of(all.ptr, len));
    if (!strbuf_ok(&line))
        buf->failed = line.failed;
    if (line.len <= max_bytes && len == all.len) {
        strbuf_add(buf, line.ptr, line.len);
        return;
    }
    if (max_bytes <= mark_len)
        return;
    strbuf_add(buf, line.ptr, utf8_cut(line.ptr, line.len, max_bytes - mark_len));
    strbuf_add_str(buf, cut_mark);
}

/* The length of a list marker and the spaces behind it ("- ", "12. "), or 0. */
static size_t
marker_length(struct bytes line)
{
    size_t len = 0;

    while (len < line.len && len < 3 && is_digit(line.ptr[len]))
        len++;
    if (len > 0 && len < line.len && line.ptr[len] == '.')
        len++;
    else if (len == 0 && line.len > 0 && strchr("-*+", line.ptr[0]))
        len = 1;
    else
        return 0;
    return len + 1 < line.len && line.ptr[len] == ' ' && line.ptr[len + 1] != ' ' ? len + 1 : 0;
}

/* One line of prose: escaped but for code spans that begin and end in it. */
static void
append_prose(struct strbuf *buf, struct bytes line)
{
    size_t done = 0;

    for (size_t i = 0; i < line.len;) {
        const size_t run = run_length(line, i, '`');
        const char *close = run == 1 ? memchr(line.ptr + i + 1, '`', line.len - i - 1) : NULL;
        const size_t end = close ? (size_t)(close - line.ptr) : 0;
        if (!close || end == i + 1 || run_length(line, end, '`') != 1) {
            i += run ? run : 1;
            continue;
        }
        append_escaped(buf, bytes_of(line.ptr + done, i - done));
        strbuf_add(buf, line.ptr + i, end + 1 - i);
        i = done = end + 1;
    }
    append_escaped(buf, bytes_of(line.ptr + done, line.len - done));
}

static struct bytes
trim_left(struct bytes line)
{
    size_t indent = 0;

    while (indent < line.len && (line.ptr[indent] == ' ' || line.ptr[indent] == '\t'))
        indent++;
    return bytes_of(line.ptr + indent, line.len - indent);
}

static void
append_quoted_prose(struct strbuf *buf, struct bytes line)
{
    const struct bytes rest = trim_left(line);
    const size_t indent = line.len - rest.len;
    const size_t marker = marker_length(rest);

    strbuf_add_str(buf, rest.len > 0 ? "> " : ">");
    if (marker > 0) {
        /* Two spaces a level, few levels: never as deep as indented code. */
        add_repeated(buf, ' ', indent >= 4 ? 4 : indent >= 2 ? 2 : 0);
        strbuf_add(buf, rest.ptr, marker);
    }
    append_prose(buf, bytes_of(rest.ptr + marker, rest.len - marker));
    strbuf_add_char(buf, '\n');
}

/* A fence's length when the line opens or closes one, or 0. */
static size_t
fence_at(struct bytes line)
{
    const struct bytes rest = trim_left(line);
    const size_t backticks = run_length(rest, 0, '`');
    const size_t tildes = run_length(rest, 0, '~');
    const size_t run = backticks ? backticks : tildes;

    if (run < FENCE_SHORTEST ||
        (backticks && longest_run(trim_left(bytes_of(rest.ptr + run, rest.len - run)), '`')))
        return 0;
    return run;
}

static void
append_quote_fence(struct strbuf *buf, size_t length, const char *info)
{
    strbuf_add_str(buf, "> ");
    add_repeated(buf, '`', length);
    strbuf_addf(buf, "%s\n", info);
}

struct quote {
    size_t fence;      /* length of ours, longer than any run inside */
    size_t open_fence; /* length of the author's that is open; 0: none */
};

static void
append_quote_line(struct strbuf *buf, struct quote *quote, struct bytes line)
{
    const size_t fence = fence_at(line);

    if (!quote->open_fence && fence) {
        append_quote_fence(buf, quote->fence, "text");
        quote->open_fence = fence;
    } else if (quote->open_fence && fence >= quote->open_fence) {
        append_quote_fence(buf, quote->fence, "");
        quote->open_fence = 0;
    } else if (quote->open_fence) {
        strbuf_add_str(buf, "> ");
        add_without_long_runs(buf, line);
        strbuf_add_char(buf, '\n');
    } else {
        append_quoted_prose(buf, line);
    }
}

/* Append lines of cleaned `text` while they fit; true when all did. */
static bool
append_quote_lines(struct strbuf *buf, struct quote *quote, struct bytes text, size_t max_len)
{
    AUTO_DONE(strbuf_done) struct strbuf one = STRBUF_INIT(16 * QUOTE_LINE_BYTES);

    for (size_t at = 0; at < text.len;) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        const size_t len = (end ? (size_t)(end - text.ptr) : text.len) - at;
        const size_t shown = utf8_cut(text.ptr + at, len, QUOTE_LINE_BYTES);
        struct quote after = *quote;

        strbuf_reset(&one);
        append_quote_line(&one, &after, bytes_of(text.ptr + at, shown));
        if (!strbuf_ok(&one))
            buf->failed = one.failed;
        if (!strbuf_ok(buf) || buf->len + one.len > max_len)
            return false;
        strbuf_add(buf, one.ptr, one.len);
        *quote = after;
        if (shown < len)
            return false;
        at += len + 1;
    }
    return true;
}

void
text_append_quote(struct strbuf *buf, struct bytes text, size_t max_bytes)
{
    const size_t len = utf8_cut(text.ptr, text.len, LOOK_AHEAD * max_bytes);
    AUTO_DONE(strbuf_done) struct strbuf raw = STRBUF_INIT(4 * len + 100);
    AUTO_DONE(strbuf_done) struct strbuf seen = STRBUF_INIT(6 * len + 200);

    text_append_clean(&raw, bytes_of(text.ptr, len));
    text_append_visible(&seen, bytes_of(strbuf_str(&raw), raw.len)); /* "<!--" in code stays none */
    while (seen.len > 0 && strchr(" \t\n", seen.ptr[seen.len - 1]))
        strbuf_truncate(&seen, seen.len - 1);
    const struct bytes clean = bytes_of(seen.ptr, seen.len);
    struct quote quote = {.fence = fence_length(clean)};

    const size_t reserved = sizeof(quote_cut) + FENCE_LONGEST + sizeof("> \n");
    const bool whole =
        append_quote_lines(buf, &quote, clean, buf->len + max_bytes - reserved) && len == text.len;
    if (quote.open_fence)
        append_quote_fence(buf, quote.fence, "");
    if (!whole)
        strbuf_add_str(buf, quote_cut);
}

/* The letters from U+00C0 to U+017F without their marks; '*' where it takes two. */
static const char latin_letters[] = "aaaaaa*ceeeeiiiidnooooo-ouuuuy**" /* U+00C0 */
                                    "aaaaaa*ceeeeiiiidnooooo-ouuuuy*y"
                                    "aaaaaaccccccccddddeeeeeeeeeegggg" /* U+0100 */
                                    "gggghhhhiiiiiiiiii**jjkkkllllllllllnnnnnnnnnoooooo"
                                    "**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static const struct {
    uint32_t letter;
    const char *ascii;
} other_letters[] = {
    {0xC6, "ae"},  {0xDE, "th"},  {0xDF, "ss"},  {0xE6, "ae"},  {0xFE, "th"},
    {0x132, "ij"}, {0x133, "ij"}, {0x152, "oe"}, {0x153, "oe"}, {0x218, "s"},
    {0x219, "s"},  {0x21A, "t"},  {0x21B, "t"},
};

/* What stands for a character in a name: small letters and digits; "-" for what does not belong
 * there, nothing for a mark that belongs to the letter before it. `one` has room for a character.
 */
static const char *
slug_of(uint32_t c, char one[2])
{
    one[0] = '-';
    one[1] = '\0';
    if (c >= 0x300 && c <= 0x36F)
        return "";
    for (size_t i = 0; i < sizeof(other_letters) / sizeof(other_letters[0]); i++)
        if (other_letters[i].letter == c)
            return other_letters[i].ascii;
    if (c >= 0xC0 && c < 0xC0 + sizeof(latin_letters) - 1)
        one[0] = latin_letters[c - 0xC0];
    else if (c >= 'A' && c <= 'Z')
        one[0] = (char)(c | 0x20);
    else if (c < 0x80 && (is_digit((char)c) || (c >= 'a' && c <= 'z')))
        one[0] = (char)c;
    return one;
}

void
text_append_slug(struct strbuf *buf, const char *text)
{
    const size_t begin = buf->len;
    size_t left = text ? strlen(text) : 0;
    bool apart = false;

    while (left > 0 && buf->len - begin < SLUG_BYTES) {
        uint32_t code_point;
        char one[2];
        const size_t size = utf8_decode(text, left, &code_point);
        const char *ascii = slug_of(code_point, one);
        text += size;
        left -= size;
        if (*ascii == '-') {
            apart = buf->len > begin;
            continue;
        }
        if (apart && buf->len - begin + 1 == SLUG_BYTES)
            break; /* no room for what the '-' would separate */
        if (apart && *ascii)
            strbuf_add_char(buf, '-');
        apart = apart && !*ascii;
        for (; *ascii && buf->len - begin < SLUG_BYTES; ascii++)
            strbuf_add_char(buf, *ascii);
        if (!strbuf_ok(buf))
            return;
    }
    if (buf->len == begin)
        strbuf_add_str(buf, "task");
}
