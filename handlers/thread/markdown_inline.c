/* See markdown.h: what stands within a paragraph (code spans, comments, tags, addresses), and raw
 * HTML.
 *
 * Titles of links and attributes of tags are not seen either, and stay: they are markup, and honest
 * texts are full of them. So do definitions of links that point somewhere.
 *
 * Sources: CommonMark 0.31, 4.7 and 6; the WHATWG HTML standard, 13.2.5 (where what Markdown lets
 * pass ends for a browser: a processing instruction or declaration with the first ">"). */
#include "handlers/thread/markdown_inline.h"

#include "server/base/bytes.h"
#include "server/base/str.h"

#define DEEPEST_PARENTHESES 32 /* in an address, as other readers of Markdown have it */
#define DEEPEST_BRACKETS 64
#define LONGEST_BACKTICKS 80 /* of a code span, as the platform has it */
#define LONGEST_LABEL 999

/* What Markdown takes for HTML that shows nothing, in the order in which it is to be tried. */
static const struct {
    const char *begin;
    const char *end;
    size_t within; /* how much of the beginning may belong to the end: "<!-->" */
} unseen[] = {
    {"<!--", "-->", 2},
    {"<![CDATA[", "]]>", 0},
    {"<?", "?>", 0},
    {"<!", ">", 0},
};

#define UNSEEN (sizeof(unseen) / sizeof(unseen[0]))

struct bracket {
    size_t at;
    bool image;
};

struct inline_scan {
    struct markdown_scan *scan;
    const char *text;
    size_t to;
    /* What was found once is not looked for again: keeps hostile text from costing its square. */
    size_t ends[UNSEEN]; /* the next end of each kind; 0: not looked for yet */
    bool knows_backticks;
    size_t backticks[LONGEST_BACKTICKS + 1]; /* where the last run of each length begins */
    struct bracket brackets[DEEPEST_BRACKETS];
    size_t bracket_count;
    size_t brackets_lost;
};

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_letter_or_digit(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* Is `c` one of them? The end of a text is none. */
static bool
is_any(char c, const char *of)
{
    return c != '\0' && strchr(of, c);
}

void
markdown_set(struct markdown_scan *scan, size_t from, size_t to, enum markdown_mark mark)
{
    for (size_t i = from; i < to; i++)
        scan->marks[i] = (unsigned char)((scan->marks[i] & MARKDOWN_QUOTED) | mark);
}

static void
hide(struct markdown_scan *scan, size_t from, size_t to, bool goes_on)
{
    markdown_set(scan, from, to, MARKDOWN_HIDDEN_ON);
    if (!goes_on && from < to)
        markdown_set(scan, from, from + 1, MARKDOWN_HIDDEN);
}

size_t
markdown_find(const struct markdown_scan *scan, size_t from, size_t to, const char *part)
{
    const char *found = from < to ? memmem(scan->text + from, to - from, part, strlen(part)) : NULL;

    return found ? (size_t)(found - scan->text) : SIZE_MAX;
}

size_t
markdown_run_end(const struct markdown_scan *scan, size_t at, size_t to, char c)
{
    while (at < to && scan->text[at] == c)
        at++;
    return at;
}

/* ---- HTML ---- */

/* Elements whose contents are code or quoted; each counts by itself. */
static void
count_element(struct markdown_scan *scan, size_t at, size_t end)
{
    static const char *const names[MARKDOWN_ELEMENTS] = {"code", "pre", "tt", "blockquote"};
    const bool closes = scan->text[at + 1] == '/';
    const char *name = scan->text + at + 1 + closes;

    for (size_t i = 0; i < MARKDOWN_ELEMENTS; i++) {
        const size_t len = strlen(names[i]);
        if ((size_t)(scan->text + end - name) <= len || strncasecmp(name, names[i], len) != 0 ||
            is_letter_or_digit(name[len]) || is_any(name[len], "-:@."))
            continue;
        if (!closes)
            scan->elements[i]++;
        else if (scan->elements[i] > 0)
            scan->elements[i]--;
    }
}

static bool
is_in_element(const struct markdown_scan *scan)
{
    for (size_t i = 0; i < MARKDOWN_ELEMENTS; i++) {
        if (scan->elements[i] > 0)
            return true;
    }
    return false;
}

/* Text that nothing is known of but where it stands. */
static void
take_plain(struct markdown_scan *scan, size_t from, size_t to)
{
    if (is_in_element(scan))
        markdown_set(scan, from, to, MARKDOWN_CODE);
}

size_t
markdown_tag_end(const struct markdown_scan *scan, size_t at, size_t to)
{
    const char first = at + 1 < to ? scan->text[at + 1] : '\0';

    if (!is_letter_or_digit(first) && first != '/')
        return SIZE_MAX;
    for (size_t i = at + 1; i < to && scan->text[i] != '<'; i++) {
        if (scan->text[i] == '>')
            return i + 1;
    }
    return SIZE_MAX;
}

/* Where the comment ends whose text begins at `from`, as browsers have it; SIZE_MAX: not here. */
static size_t
find_comment_end(const struct markdown_scan *scan, size_t from, size_t to)
{
    const char *text = scan->text;

    for (size_t i = from; i + 3 <= to; i++) {
        if (text[i] != '-' || text[i + 1] != '-')
            continue;
        if (text[i + 2] == '>')
            return i + 3;
        if (text[i + 2] == '!' && i + 4 <= to && text[i + 3] == '>')
            return i + 4;
    }
    return SIZE_MAX;
}

/* The end for a browser of what begins at `at` and shows nothing. */
static size_t
find_unseen_end(const struct markdown_scan *scan, size_t at, size_t to, bool comment)
{
    if (!comment) {
        const size_t end = markdown_find(scan, at, to, ">");
        return end == SIZE_MAX ? end : end + 1;
    }
    if (at + 4 < to && scan->text[at + 4] == '>')
        return at + 5; /* "<!-->" */
    if (at + 5 < to && scan->text[at + 4] == '-' && scan->text[at + 5] == '>')
        return at + 6; /* "<!--->" */
    return find_comment_end(scan, at + 4, to);
}

/* Hide the rest of what is open, or all up to `to`; returns where to go on. */
static size_t
take_open(struct markdown_scan *scan, size_t at, size_t to)
{
    const bool comment = *scan->open == '-';
    size_t end;

    if (comment) {
        end = find_comment_end(scan, at, to);
    } else {
        end = markdown_find(scan, at, to, scan->open);
        end = end == SIZE_MAX ? end : end + 1;
    }
    if (end != SIZE_MAX)
        scan->open = NULL;
    end = end == SIZE_MAX ? to : end;
    hide(scan, at, end, true);
    return end;
}

/* A comment or tag in raw HTML; returns where to go on. */
static size_t
take_raw_angle(struct markdown_scan *scan, size_t at, size_t to)
{
    const char next = at + 1 < to ? scan->text[at + 1] : '\0';
    const bool comment = to - at >= 4 && memcmp(scan->text + at, "<!--", 4) == 0;
    size_t end;

    if (next == '!' || next == '?') {
        end = find_unseen_end(scan, at, to, comment);
        if (end == SIZE_MAX)
            scan->open = comment ? "-->" : ">";
        end = end == SIZE_MAX ? to : end;
        hide(scan, at, end, false);
        return end;
    }
    end = markdown_tag_end(scan, at, to);
    if (end == SIZE_MAX) {
        take_plain(scan, at, at + 1);
        return at + 1;
    }
    markdown_set(scan, at, end, MARKDOWN_MARKUP);
    count_element(scan, at, end);
    return end;
}

/* A bare address, from its "://" to the next white space. */
static size_t
skip_bare_address(struct markdown_scan *scan, size_t at, size_t to)
{
    size_t end = at;

    while (end < to && !is_any(scan->text[end], " \t\r\n<`"))
        end++;
    markdown_set(scan, at, end, MARKDOWN_MARKUP);
    return end;
}

static bool
is_address(const struct markdown_scan *scan, size_t at, size_t to)
{
    return to - at >= 3 && memcmp(scan->text + at, "://", 3) == 0;
}

void
markdown_scan_html(struct markdown_scan *scan, size_t from, size_t to)
{
    size_t i = scan->open ? take_open(scan, from, to) : from;

    while (i < to) {
        if (scan->text[i] == '<') {
            i = take_raw_angle(scan, i, to);
        } else if (is_address(scan, i, to)) {
            i = skip_bare_address(scan, i, to);
        } else {
            take_plain(scan, i, i + 1);
            i++;
        }
    }
}

/* ---- within a paragraph ---- */

/* The byte at a place; '\0' behind the end. */
static char
char_at(const struct inline_scan *in, size_t at)
{
    return at < in->to ? in->text[at] : '\0';
}

/* Where the run of backticks begins that closes the one at [at, open_end); SIZE_MAX: none does. */
static size_t
find_backticks(struct inline_scan *in, size_t at, size_t open_end)
{
    const size_t length = open_end - at;

    if (length > LONGEST_BACKTICKS || (in->knows_backticks && in->backticks[length] < open_end))
        return SIZE_MAX;
    for (size_t i = open_end; i < in->to;) {
        if (in->text[i] != '`') {
            i++;
            continue;
        }
        const size_t end = markdown_run_end(in->scan, i, in->to, '`');
        if (end - i == length)
            return i;
        if (end - i <= LONGEST_BACKTICKS)
            in->backticks[end - i] = i;
        i = end;
    }
    in->knows_backticks = true;
    return SIZE_MAX;
}

/* A code span that begins at `at`; returns where to go on. */
static size_t
skip_code_span(struct inline_scan *in, size_t at)
{
    const size_t open_end = markdown_run_end(in->scan, at, in->to, '`');
    const size_t close = find_backticks(in, at, open_end);

    if (close == SIZE_MAX)
        return open_end;
    /* the backticks stay: "`code`@name" is no mention */
    markdown_set(in->scan, open_end, close, MARKDOWN_CODE);
    return close + (open_end - at);
}

/* Does the kind of what shows nothing that begins at `at` have an end in the paragraph? */
static bool
has_unseen_end(struct inline_scan *in, size_t at, size_t kind)
{
    const size_t from = at + strlen(unseen[kind].begin) - unseen[kind].within;

    if (in->ends[kind] < from)
        in->ends[kind] = markdown_find(in->scan, from, in->to, unseen[kind].end);
    return in->ends[kind] != SIZE_MAX;
}

/* Where what shows nothing and begins at `at` ends; SIZE_MAX when it is none. */
static size_t
find_unseen(struct inline_scan *in, size_t at)
{
    for (size_t kind = 0; kind < UNSEEN; kind++) {
        const size_t len = strlen(unseen[kind].begin);
        if (in->to - at < len || memcmp(in->text + at, unseen[kind].begin, len) != 0)
            continue;
        if (len == 2 && in->text[at + 1] == '!' && !is_letter(char_at(in, at + 2)))
            return SIZE_MAX;
        return has_unseen_end(in, at, kind) ? find_unseen_end(in->scan, at, in->to, kind == 0)
                                            : SIZE_MAX;
    }
    return SIZE_MAX;
}

/* An HTML comment, a tag or an address in angle brackets. */
static size_t
skip_angle(struct inline_scan *in, size_t at)
{
    size_t end = find_unseen(in, at);

    if (end != SIZE_MAX) {
        hide(in->scan, at, end, false);
        return end;
    }
    end = markdown_tag_end(in->scan, at, in->to);
    if (end == SIZE_MAX)
        return at + 1;
    markdown_set(in->scan, at, end, MARKDOWN_MARKUP);
    count_element(in->scan, at, end);
    return end;
}

/* Does a link's title, or its end, follow the white space at `at`? */
static bool
is_before_title(const struct inline_scan *in, size_t at)
{
    at = markdown_run_end(in->scan, at, in->to, ' ');
    return is_any(char_at(in, at), "\"'()");
}

/* The address of "[text](address)", with its title: up to the parenthesis that closes it, on the
 * same line. */
static size_t
skip_link_address(struct inline_scan *in, size_t at)
{
    size_t depth = 0;
    bool in_title = false;

    for (size_t i = at + 1; i < in->to && in->text[i] != '\n'; i++) {
        const char c = in->text[i];
        if (c == ' ' && !in_title && !is_before_title(in, i))
            return at + 1;
        in_title |= c == ' ';
        depth += c == '(';
        depth -= c == ')';
        if (depth > DEEPEST_PARENTHESES)
            return at + 1;
        if (depth == 0) {
            markdown_set(in->scan, at + 1, i + 1, MARKDOWN_MARKUP);
            return i + 1;
        }
    }
    return at + 1;
}

/* The text of an image stands in its place only where it cannot be shown. */
static void
take_image_text(struct inline_scan *in, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if ((in->scan->marks[i] & ~MARKDOWN_QUOTED) == MARKDOWN_PROSE)
            markdown_set(in->scan, i, i + 1, MARKDOWN_MARKUP);
    }
}

static void
open_bracket(struct inline_scan *in, size_t at, bool image)
{
    if (in->bracket_count == DEEPEST_BRACKETS)
        in->brackets_lost++;
    else
        in->brackets[in->bracket_count++] = (struct bracket){.at = at, .image = image};
}

static size_t
close_bracket(struct inline_scan *in, size_t at)
{
    const char next = char_at(in, at + 1);
    const size_t end = next == '(' ? skip_link_address(in, at) : at + 1;

    if (in->brackets_lost > 0) {
        in->brackets_lost--;
    } else if (in->bracket_count > 0) {
        const struct bracket *open = &in->brackets[--in->bracket_count];
        if (open->image && (end > at + 1 || next == '['))
            take_image_text(in, open->at, at);
    }
    return end;
}

/* ---- definitions of links ---- */

/* Over white space with one line end at most, and the signs of a quote behind that. */
static size_t
skip_gap(const struct inline_scan *in, size_t at)
{
    bool in_line = true;

    for (; at < in->to; at++) {
        const char c = in->text[at];
        const bool sign = c == '>' && !in_line && (in->scan->marks[at] & MARKDOWN_QUOTED);
        if (c == '\n' && !in_line)
            return at;
        if (!is_any(c, " \t\r\n") && !sign)
            return at;
        in_line &= c != '\n';
    }
    return at;
}

/* Where the line ends if nothing but white space follows; else SIZE_MAX. */
static size_t
find_line_end(const struct inline_scan *in, size_t at)
{
    while (is_any(char_at(in, at), " \t"))
        at++;
    return at >= in->to || is_any(in->text[at], "\r\n") ? at : SIZE_MAX;
}

/* The place of the first `end` from `at` on that no backslash stands before; SIZE_MAX: none, or one
 * of `not` stands before it. */
static size_t
find_unescaped(const struct inline_scan *in, size_t at, char end, const char * not )
{
    for (; at < in->to; at++) {
        if (in->text[at] == end)
            return at;
        if (is_any(in->text[at], not ))
            return SIZE_MAX;
        at += in->text[at] == '\\';
    }
    return SIZE_MAX;
}

/* Behind the address of a definition; SIZE_MAX: there is none. */
static size_t
find_address_end(const struct inline_scan *in, size_t at)
{
    size_t end = at;

    if (char_at(in, at) == '<') {
        end = find_unescaped(in, at + 1, '>', "<\r\n");
        return end == SIZE_MAX ? end : end + 1;
    }
    while (end < in->to && !is_any(in->text[end], " \t\r\n"))
        end++;
    return end > at ? end : SIZE_MAX;
}

/* Where a definition ends whose address ends at `at`: behind its title, if it has one. */
static size_t
find_title_end(const struct inline_scan *in, size_t at)
{
    const size_t title = skip_gap(in, at);
    const char first = char_at(in, title);

    if (title > at && is_any(first, "\"'(")) {
        const char last = first == '(' ? ')' : first;
        const size_t end = find_unescaped(in, title + 1, last, first == '(' ? "(" : "");
        if (end != SIZE_MAX && find_line_end(in, end + 1) != SIZE_MAX)
            return end + 1;
    }
    return find_line_end(in, at);
}

/* Definitions that nothing can point to, or that point nowhere, are written to be read by those
 * who see the source. */
static bool
is_remark(struct bytes label, struct bytes address)
{
    return (address.len == 1 && address.ptr[0] == '#') ||
           (address.len == 2 && memcmp(address.ptr, "<>", 2) == 0) ||
           (label.len == 2 && memcmp(label.ptr, "//", 2) == 0) ||
           (label.len == 7 && strncasecmp(label.ptr, "comment", 7) == 0);
}

/* Over a definition that begins at `at`; `at` itself when none does. */
static size_t
skip_definition(struct inline_scan *in, size_t at)
{
    const size_t start = skip_gap(in, at);

    if (char_at(in, start) != '[' || char_at(in, start + 1) == '^')
        return at; /* "[^1]:" begins a footnote, which people see */
    const size_t label_end = find_unescaped(in, start + 1, ']', "[");
    if (label_end == SIZE_MAX || label_end - start > LONGEST_LABEL ||
        char_at(in, label_end + 1) != ':')
        return at;
    const size_t address = skip_gap(in, label_end + 2);
    const size_t address_end = find_address_end(in, address);
    const size_t end = address_end == SIZE_MAX ? SIZE_MAX : find_title_end(in, address_end);
    if (end == SIZE_MAX)
        return at;
    if (is_remark(bytes_of(in->text + start + 1, label_end - start - 1),
                  bytes_of(in->text + address, address_end - address)))
        hide(in->scan, start, end, false);
    else
        markdown_set(in->scan, label_end + 1, end, MARKDOWN_MARKUP);
    return end;
}

static size_t
skip_definitions(struct inline_scan *in, size_t at)
{
    for (;;) {
        const size_t end = skip_definition(in, at);
        if (end == at)
            return at;
        at = end;
    }
}

void
markdown_scan_paragraph(struct markdown_scan *scan, size_t from, size_t to)
{
    struct inline_scan in = {.scan = scan, .text = scan->text, .to = to};

    for (size_t i = skip_definitions(&in, from); i < to;) {
        const char next = char_at(&in, i + 1);
        const size_t begin = i;
        switch (in.text[i]) {
        case '\\':
            i += is_any(next, "`<\\[]!") ? 2 : 1;
            break;
        case '`':
            i = skip_code_span(&in, i);
            break;
        case '<':
            i = skip_angle(&in, i);
            break;
        case '!':
            if (next == '[')
                open_bracket(&in, ++i, true);
            i++;
            break;
        case '[':
            open_bracket(&in, i++, false);
            break;
        case ']':
            i = close_bracket(&in, i);
            break;
        case ':':
            i = is_address(scan, i, to) ? skip_bare_address(scan, i, to) : i + 1;
            break;
        default:
            i++;
            break;
        }
        if (scan->marks[begin] == (scan->marks[begin] & MARKDOWN_QUOTED))
            take_plain(scan, begin, begin + 1);
    }
}
