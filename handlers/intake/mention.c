/* See mention.h. Works on a copy of the text in which everything that is not prose is blanked out:
 * first by lines (fences, indented code, quotes, block comments), then within each paragraph (code
 * spans, inline comments, tags, addresses). Places in the copy are places in the text. */
#include "handlers/intake/mention.h"

#include "server/base/bytes.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#define DEEPEST_LIST 16
#define DEEPEST_PARENTHESES 32 /* in an address, as other readers of Markdown have it */
#define CODE_INDENT 4
#define TAB_STOP 4

/* A line's beginning, as columns count (a tab reaches to the next multiple of four). */
struct line {
    size_t start; /* of the line in the text */
    size_t end;   /* before its line end */
    size_t next;  /* behind its line end */
    size_t at;    /* where what is still to be looked at begins */
    size_t column;
};

struct blocks {
    char *text; /* what is looked at; bytes that do not count become spaces */
    size_t len;
    size_t lists[DEEPEST_LIST]; /* columns at which the contents of open list items begin */
    size_t list_count;
    char fence; /* '`' or '~' while one is open; else 0 */
    size_t fence_length;
    bool in_comment;
    bool in_paragraph;
    size_t paragraph; /* where the open one begins */
};

static bool
is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void
blank(char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (text[i] != '\n' && text[i] != '\r')
            text[i] = ' ';
    }
}

/* Where `part` begins in text[from..to), or SIZE_MAX. */
static size_t
find(const char *text, size_t from, size_t to, const char *part)
{
    const char *found = from < to ? memmem(text + from, to - from, part, strlen(part)) : NULL;

    return found ? (size_t)(found - text) : SIZE_MAX;
}

static size_t
run_end(const char *text, size_t at, size_t to, char c)
{
    while (at < to && text[at] == c)
        at++;
    return at;
}

/* ---- within a paragraph ---- */

struct inline_scan {
    char *text;
    size_t to;
    bool no_comment_end; /* nor further on: keeps hostile text from costing its square */
};

/* The byte at a place; '\0' behind the end. */
static char
char_at(const struct inline_scan *scan, size_t at)
{
    return at < scan->to ? scan->text[at] : '\0';
}

/* Blank out a code span that begins at `at`; returns where to go on. */
static size_t
skip_code_span(struct inline_scan *scan, size_t at)
{
    const size_t open_end = run_end(scan->text, at, scan->to, '`');

    for (size_t i = open_end; i < scan->to;) {
        if (scan->text[i] != '`') {
            i++;
            continue;
        }
        const size_t close_end = run_end(scan->text, i, scan->to, '`');
        if (close_end - i == open_end - at) {
            blank(scan->text, open_end, i); /* the backticks stay: "`code`@name" is no mention */
            return close_end;
        }
        i = close_end;
    }
    return open_end;
}

/* Where the tag or address in angle brackets ends that begins at `at`; SIZE_MAX when it is none. */
static size_t
find_tag_end(const struct inline_scan *scan, size_t at)
{
    const char first = char_at(scan, at + 1);

    if (!is_letter_or_digit(first) && first != '/')
        return SIZE_MAX;
    for (size_t i = at + 1; i < scan->to && scan->text[i] != '<'; i++) {
        if (scan->text[i] == '>')
            return i + 1;
    }
    return SIZE_MAX;
}

/* An HTML comment, a tag or an address in angle brackets. */
static size_t
skip_angle(struct inline_scan *scan, size_t at)
{
    size_t end;

    if (at + 4 > scan->to || memcmp(scan->text + at, "<!--", 4) != 0) {
        end = find_tag_end(scan, at);
    } else if (scan->no_comment_end) {
        end = SIZE_MAX;
    } else {
        end = find(scan->text, at + 2, scan->to, "-->");
        scan->no_comment_end = end == SIZE_MAX;
        end = end == SIZE_MAX ? end : end + 3;
    }
    if (end == SIZE_MAX)
        return at + 1;
    blank(scan->text, at, end);
    return end;
}

/* Does a link's title, or its end, follow the white space at `at`? */
static bool
is_before_title(const struct inline_scan *scan, size_t at)
{
    at = run_end(scan->text, at, scan->to, ' ');
    return at < scan->to && strchr("\"'()", scan->text[at]);
}

/* The address of "[text](address)", with its title: up to the parenthesis that closes it, on the
 * same line. */
static size_t
skip_link_address(struct inline_scan *scan, size_t at)
{
    size_t depth = 0;
    bool in_title = false;

    for (size_t i = at + 1; i < scan->to && scan->text[i] != '\n'; i++) {
        const char c = scan->text[i];
        if (c == ' ' && !in_title && !is_before_title(scan, i))
            return at + 1;
        in_title |= c == ' ';
        depth += c == '(';
        depth -= c == ')';
        if (depth > DEEPEST_PARENTHESES)
            return at + 1;
        if (depth == 0) {
            blank(scan->text, at + 1, i + 1);
            return i + 1;
        }
    }
    return at + 1;
}

/* The address of "[label]: address", alone on its line. */
static size_t
skip_definition_address(struct inline_scan *scan, size_t at)
{
    const size_t from = run_end(scan->text, at + 2, scan->to, ' ');
    size_t end = from;

    while (end < scan->to && !strchr(" \t\r\n", scan->text[end]))
        end++;
    if (end < scan->to && scan->text[end] != '\r' && scan->text[end] != '\n')
        return at + 1;
    blank(scan->text, from, end);
    return end;
}

/* A bare address, from its "://" to the next white space. */
static size_t
skip_bare_address(struct inline_scan *scan, size_t at)
{
    size_t end = at;

    while (end < scan->to && !strchr(" \t\r\n<", scan->text[end]))
        end++;
    blank(scan->text, at, end);
    return end;
}

static void
scan_paragraph(struct blocks *blocks, size_t from, size_t to)
{
    struct inline_scan scan = {.text = blocks->text, .to = to};
    const char *text = scan.text;

    for (size_t i = from; i < to;) {
        const char next = char_at(&scan, i + 1);
        if (text[i] == '\\' && (next == '`' || next == '<' || next == '\\'))
            i += 2;
        else if (text[i] == '`')
            i = skip_code_span(&scan, i);
        else if (text[i] == '<')
            i = skip_angle(&scan, i);
        else if (text[i] == ']' && next == '(')
            i = skip_link_address(&scan, i);
        else if (text[i] == ']' && next == ':')
            i = skip_definition_address(&scan, i);
        else if (text[i] == ':' && next == '/' && char_at(&scan, i + 2) == '/')
            i = skip_bare_address(&scan, i);
        else
            i++;
    }
}

/* ---- lines ---- */

static void
end_paragraph(struct blocks *blocks, size_t at)
{
    if (blocks->in_paragraph)
        scan_paragraph(blocks, blocks->paragraph, at);
    blocks->in_paragraph = false;
}

static struct line
read_line(const struct blocks *blocks, size_t start)
{
    struct line line = {.start = start, .end = start, .at = start};

    while (line.end < blocks->len && blocks->text[line.end] != '\n' &&
           blocks->text[line.end] != '\r')
        line.end++;
    line.next = line.end;
    if (line.next < blocks->len && blocks->text[line.next] == '\r')
        line.next++;
    if (line.next < blocks->len && blocks->text[line.next] == '\n')
        line.next++;
    return line;
}

static void
skip_spaces(const struct blocks *blocks, struct line *line)
{
    for (; line->at < line->end; line->at++) {
        const char c = blocks->text[line->at];
        if (c != ' ' && c != '\t')
            return;
        line->column = c == '\t' ? (line->column / TAB_STOP + 1) * TAB_STOP : line->column + 1;
    }
}

/* The column at which the contents of the innermost open list item begin. */
static size_t
list_column(const struct blocks *blocks)
{
    return blocks->list_count > 0 ? blocks->lists[blocks->list_count - 1] : 0;
}

/* The length of a list marker at the place, 0 for none: "-", "*", "+", "1.", "1)". */
static size_t
marker_length(const struct blocks *blocks, const struct line *line)
{
    const char *text = blocks->text;
    size_t at = line->at;

    while (at < line->end && at - line->at < 9 && text[at] >= '0' && text[at] <= '9')
        at++;
    if (at >= line->end || !strchr(at > line->at ? ".)" : "-*+", text[at]))
        return 0;
    at++;
    return at == line->end || text[at] == ' ' || text[at] == '\t' ? at - line->at : 0;
}

/* Step over the list markers that the line begins with and remember where their contents begin. */
static void
enter_lists(struct blocks *blocks, struct line *line)
{
    for (;;) {
        const size_t marker = marker_length(blocks, line);
        if (marker == 0 || blocks->list_count == DEEPEST_LIST)
            return;
        end_paragraph(blocks, line->start);
        line->at += marker;
        line->column += marker;

        const size_t marker_end = line->column;
        skip_spaces(blocks, line);
        const bool code = line->column > marker_end + CODE_INDENT || line->at == line->end;
        const size_t contents = code ? marker_end + 1 : line->column;
        blocks->lists[blocks->list_count++] = contents;
        if (code)
            return;
    }
}

/* Does the line open a fence here? */
static bool
opens_fence(struct blocks *blocks, const struct line *line)
{
    const char c = line->at < line->end ? blocks->text[line->at] : '\0';

    if (c != '`' && c != '~')
        return false;
    const size_t end = run_end(blocks->text, line->at, line->end, c);
    if (end - line->at < 3)
        return false;
    if (c == '`' && memchr(blocks->text + end, '`', line->end - end))
        return false; /* a code span */
    blocks->fence = c;
    blocks->fence_length = end - line->at;
    return true;
}

static bool
closes_fence(const struct blocks *blocks, const struct line *line)
{
    size_t end = run_end(blocks->text, line->at, line->end, blocks->fence);

    if (end - line->at < blocks->fence_length || line->column >= list_column(blocks) + CODE_INDENT)
        return false;
    while (end < line->end && (blocks->text[end] == ' ' || blocks->text[end] == '\t'))
        end++;
    return end == line->end;
}

/* A line of, or the end of, a comment that was opened by itself on a line. */
static void
take_comment_line(struct blocks *blocks, const struct line *line, size_t from)
{
    const size_t end = find(blocks->text, from, line->end, "-->");

    blocks->in_comment = end == SIZE_MAX;
    blank(blocks->text, line->at, blocks->in_comment ? line->end : end + 3);
    if (!blocks->in_comment)
        scan_paragraph(blocks, end + 3, line->end);
}

/* A line inside of what was opened on an earlier one; true when it was such a line. */
static bool
take_continued(struct blocks *blocks, struct line *line)
{
    if (blocks->in_comment) {
        take_comment_line(blocks, line, line->at);
        return true;
    }
    skip_spaces(blocks, line);
    if (!blocks->fence)
        return false;
    if (line->at < line->end && line->column < list_column(blocks)) {
        blocks->fence = 0; /* the list item ends, and its fence with it */
        return false;
    }
    if (closes_fence(blocks, line))
        blocks->fence = 0;
    blank(blocks->text, line->start, line->end);
    return true;
}

/* Close the list items that a line at `column` stands outside of. */
static void
leave_lists(struct blocks *blocks, size_t column)
{
    while (column < list_column(blocks))
        blocks->list_count--;
}

/* What the contents of a line begin: a quote, a fence, a comment, a heading or (part of) a
 * paragraph. */
static void
take_contents(struct blocks *blocks, const struct line *line)
{
    const char *rest = blocks->text + line->at;
    const bool comment = line->end - line->at >= 4 && memcmp(rest, "<!--", 4) == 0;
    const bool fence = opens_fence(blocks, line);

    if (fence || comment || *rest == '>' || *rest == '#') {
        end_paragraph(blocks, line->start);
        leave_lists(blocks, line->column);
    }
    if (fence || *rest == '>') {
        blank(blocks->text, line->start, line->end);
    } else if (comment) {
        take_comment_line(blocks, line, line->at + 2);
    } else if (*rest == '#') {
        scan_paragraph(blocks, line->at, line->end);
    } else if (!blocks->in_paragraph) {
        blocks->in_paragraph = true;
        blocks->paragraph = line->at;
    }
}

static void
take_line(struct blocks *blocks, struct line line)
{
    if (take_continued(blocks, &line))
        return;
    if (line.at == line.end) {
        end_paragraph(blocks, line.start);
        return;
    }
    /* A line without a marker goes on with a list item's paragraph wherever it begins. */
    if (!blocks->in_paragraph || marker_length(blocks, &line) > 0)
        leave_lists(blocks, line.column);
    if (line.column < list_column(blocks) + CODE_INDENT)
        enter_lists(blocks, &line);
    if (!blocks->in_paragraph && line.column >= list_column(blocks) + CODE_INDENT)
        blank(blocks->text, line.start, line.end); /* indented code */
    else if (line.at < line.end)
        take_contents(blocks, &line);
}

static void
blank_out_blocks(struct blocks *blocks)
{
    for (size_t at = 0; at < blocks->len;) {
        const struct line line = read_line(blocks, at);
        take_line(blocks, line);
        at = line.next;
    }
    end_paragraph(blocks, blocks->len);
}

/* ---- the mention ---- */

/* Does a name go on at `at`? "_" is of emphasis, unless more of a name follows: those of managed
 * users have one. */
static bool
goes_on(const char *text, size_t len, size_t at)
{
    if (at < len && text[at] == '_')
        at++;
    return at < len && (is_letter_or_digit(text[at]) || text[at] == '-' || text[at] == '/');
}

static bool
matches_name(const char *text, size_t len, size_t at, const char *name)
{
    const size_t name_len = strlen(name);

    if (len - at < name_len + 1)
        return false;
    for (size_t i = 0; i < name_len; i++) {
        const char a = text[at + 1 + i];
        const char b = name[i];
        if (a != b && !((a | 0x20) == (b | 0x20) && (b | 0x20) >= 'a' && (b | 0x20) <= 'z'))
            return false;
    }
    const char before = at > 0 ? text[at - 1] : ' ';
    return !is_letter_or_digit(before) && !strchr("-/`@", before) &&
           !goes_on(text, len, at + 1 + name_len);
}

static bool
is_only_space(const char *text, size_t from, size_t to)
{
    while (from < to && (text[from] == ' ' || text[from] == '\t'))
        from++;
    return from == to;
}

/* What is said on the mention's line behind it, when nothing stands before it. */
static struct command
read_command(const struct mention_names *names, const char *text, size_t len, size_t at, size_t end)
{
    size_t line_start = at;
    size_t line_end = end;

    while (line_start > 0 && text[line_start - 1] != '\n' && text[line_start - 1] != '\r')
        line_start--;
    while (line_end < len && text[line_end] != '\n' && text[line_end] != '\r')
        line_end++;
    if (is_only_space(text, line_start, at))
        return command_read(bytes_of(text + end, line_end - end), names->is_agent, names->ctx);
    return (struct command){.command = MENTION_WORK};
}

/* The text before and after the mention; a comma or colon behind the name belongs to it. */
static int
write_instruction(const char *text, size_t at, size_t end, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(strlen(text));
    size_t skip = 0;

    if (text[end] == ',' || text[end] == ':')
        end++;
    while (text[end] == ' ' || text[end] == '\t')
        end++;
    strbuf_add(&buf, text, at);
    strbuf_add_str(&buf, text + end);
    while (buf.len > 0 && strchr(" \t\r\n", buf.ptr[buf.len - 1]))
        strbuf_truncate(&buf, buf.len - 1);
    while (skip < buf.len && strchr(" \t\r\n", buf.ptr[skip]))
        skip++;
    if (!strbuf_ok(&buf))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (skip == buf.len) {
        *ret_text = NULL;
        return 0;
    }
    *ret_text = str_dup(buf.ptr + skip);
    return *ret_text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

void
mention_done(struct mention *mention)
{
    free(mention->instruction);
    free(mention->agent);
    free(mention->branch);
    *mention = (struct mention){.command = MENTION_NONE};
}

/* Commands that only ask or stop say nothing besides. */
static int
take_command(struct mention *mention,
             const struct command *command,
             const char *text,
             size_t at,
             size_t end,
             struct err *err)
{
    mention->command = command->command;
    switch (command->command) {
    case MENTION_NONE:
    case MENTION_CANCEL:
    case MENTION_STATUS:
    case MENTION_HELP:
        return 0;
    case MENTION_WORK:
    case MENTION_RETRY:
    case MENTION_REBASE:
        break;
    }
    int r = write_instruction(text, at, end + command->length, &mention->instruction, err);
    if (!r && command->agent[0])
        r = str_set(&mention->agent, command->agent, err);
    if (!r && command->branch[0])
        r = str_set(&mention->branch, command->branch, err);
    return r;
}

int
mention_find(const char *text,
             const struct mention_names *names,
             struct mention *ret_mention,
             struct err *err)
{
    struct mention mention = {.command = MENTION_NONE};

    if (!text) {
        *ret_mention = mention;
        return 0;
    }
    auto_free char *prose = str_dup(text);
    if (!prose)
        return err_set(err, ERR_NOMEM, "out of memory");
    const size_t len = strlen(prose);
    blank_out_blocks(&(struct blocks){.text = prose, .len = len});

    for (size_t at = 0; at < len && mention.command == MENTION_NONE; at++) {
        if (prose[at] != '@' || !matches_name(prose, len, at, names->bot))
            continue;
        const size_t end = at + 1 + strlen(names->bot);
        const struct command command = read_command(names, text, len, at, end);
        const int r = take_command(&mention, &command, text, at, end, err);
        if (r) {
            mention_done(&mention);
            return r;
        }
    }
    *ret_mention = mention;
    return 0;
}
