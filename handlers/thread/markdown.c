/* See markdown.h: lines and the blocks that they make. Quotes and list items hold other blocks; the
 * innermost block is a paragraph, fenced code or HTML while one is open. */
#include "handlers/thread/markdown.h"

#include "handlers/thread/markdown_inline.h"
#include "server/base/str.h"

#define DEEPEST_CONTAINER 32
#define CODE_INDENT 4
#define TAB_STOP 4

/* What of a line is still to be looked at, as columns count (a tab reaches to the next multiple of
 * four). */
struct line {
    size_t start;
    size_t end;  /* before its line end */
    size_t next; /* behind its line end */
    size_t at;
    size_t column; /* of `at` */
    size_t base;   /* the column at which the contents of the container begin */
};

struct container {
    bool quote;
    size_t width; /* of a list item: how far its contents are indented */
};

enum leaf { LEAF_NONE, LEAF_PARAGRAPH, LEAF_FENCE, LEAF_HTML };

struct blocks {
    struct markdown_scan scan;
    struct container containers[DEEPEST_CONTAINER];
    size_t count;
    enum leaf leaf;
    size_t leaf_start;
    char fence;
    size_t fence_length;
    const char *html_end; /* what the last line of the HTML holds; "" for a blank line */
};

static const char code_end[] = "</pre>"; /* or that of another element of the kind */

/* Elements that begin HTML wherever a line begins with them. */
static const char *const html_elements[] = {
    "address",  "article",  "aside",    "base",       "basefont", "blockquote", "body",   "caption",
    "center",   "col",      "colgroup", "dd",         "details",  "dialog",     "dir",    "div",
    "dl",       "dt",       "fieldset", "figcaption", "figure",   "footer",     "form",   "frame",
    "frameset", "h1",       "h2",       "h3",         "h4",       "h5",         "h6",     "head",
    "header",   "hr",       "html",     "iframe",     "legend",   "li",         "link",   "main",
    "menu",     "menuitem", "nav",      "noframes",   "ol",       "optgroup",   "option", "p",
    "param",    "search",   "section",  "source",     "summary",  "table",      "tbody",  "td",
    "tfoot",    "th",       "thead",    "title",      "tr",       "track",      "ul",     NULL,
};

/* Those whose HTML goes on over blank lines. */
static const char *const code_elements[] = {"pre", "script", "style", "textarea", NULL};

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool
begins(const struct blocks *blocks, const struct line *line, const char *part)
{
    const size_t len = strlen(part);

    return line->end - line->at >= len && memcmp(blocks->scan.text + line->at, part, len) == 0;
}

/* ---- lines ---- */

static struct line
read_line(const struct blocks *blocks, size_t start)
{
    const char *text = blocks->scan.text;
    const size_t len = blocks->scan.len;
    struct line line = {.start = start, .end = start, .at = start};

    while (line.end < len && text[line.end] != '\n' && text[line.end] != '\r')
        line.end++;
    line.next = line.end;
    if (line.next < len && text[line.next] == '\r')
        line.next++;
    if (line.next < len && text[line.next] == '\n')
        line.next++;
    return line;
}

static void
skip_spaces(const struct blocks *blocks, struct line *line)
{
    for (; line->at < line->end; line->at++) {
        const char c = blocks->scan.text[line->at];
        if (!is_space(c))
            return;
        line->column = c == '\t' ? (line->column / TAB_STOP + 1) * TAB_STOP : line->column + 1;
    }
}

static size_t
indent_of(const struct line *line)
{
    return line->column > line->base ? line->column - line->base : 0;
}

static bool
is_only_space(const struct blocks *blocks, size_t at, size_t end)
{
    while (at < end && is_space(blocks->scan.text[at]))
        at++;
    return at == end;
}

/* ---- the innermost block ---- */

static void
end_leaf(struct blocks *blocks, size_t at)
{
    const enum leaf leaf = blocks->leaf;

    blocks->leaf = LEAF_NONE;
    if (leaf == LEAF_PARAGRAPH)
        markdown_scan_paragraph(&blocks->scan, blocks->leaf_start, at);
    else if (leaf == LEAF_HTML)
        markdown_scan_html(&blocks->scan, blocks->leaf_start, at);
}

/* How many backticks or tildes the line begins a fence with; 0: none. */
static size_t
fence_length(const struct blocks *blocks, const struct line *line)
{
    const char *text = blocks->scan.text;
    const char c = text[line->at];

    if (c != '`' && c != '~')
        return 0;
    const size_t end = markdown_run_end(&blocks->scan, line->at, line->end, c);
    if (end - line->at < 3 || (c == '`' && memchr(text + end, '`', line->end - end)))
        return 0; /* or a code span */
    return end - line->at;
}

static void
take_fenced_line(struct blocks *blocks, const struct line *line)
{
    const size_t end = markdown_run_end(&blocks->scan, line->at, line->end, blocks->fence);

    if (end - line->at >= blocks->fence_length && indent_of(line) < CODE_INDENT &&
        is_only_space(blocks, end, line->end))
        blocks->leaf = LEAF_NONE;
    markdown_set(&blocks->scan, line->start, line->end, MARKDOWN_CODE);
}

/* Is the line of HTML that goes on over blank lines its last one? */
static bool
ends_code_element(const struct blocks *blocks, size_t from, size_t to)
{
    const char *text = blocks->scan.text;

    for (size_t at = from; (at = markdown_find(&blocks->scan, at, to, "</")) != SIZE_MAX; at += 2) {
        for (size_t i = 0; code_elements[i]; i++) {
            const size_t len = strlen(code_elements[i]);
            if (to - at >= len + 3 && strncasecmp(text + at + 2, code_elements[i], len) == 0 &&
                text[at + 2 + len] == '>')
                return true;
        }
    }
    return false;
}

/* A line of HTML, of which what is behind `from` can be the end. */
static void
take_html_line(struct blocks *blocks, const struct line *line, size_t from)
{
    const char *end = blocks->html_end;

    if (end == code_end ? ends_code_element(blocks, from, line->end)
                        : *end && markdown_find(&blocks->scan, from, line->end, end) != SIZE_MAX)
        end_leaf(blocks, line->next);
    else if (!*end && line->at == line->end)
        end_leaf(blocks, line->start);
}

/* The length of the name of the element whose tag, "<x" or "</x", begins at the place; 0: none. */
static size_t
read_element(const struct blocks *blocks, const struct line *line, size_t *ret_name)
{
    const char *text = blocks->scan.text;
    size_t at = line->at + 1;

    at += at < line->end && text[at] == '/';
    *ret_name = at;
    if (at == line->end || !is_letter(text[at]))
        return 0;
    while (at < line->end &&
           (is_letter(text[at]) || text[at] == '-' || (text[at] >= '0' && text[at] <= '9')))
        at++;
    const bool ends = at == line->end || is_space(text[at]) || text[at] == '>' || text[at] == '/';
    return ends ? at - *ret_name : 0;
}

static bool
is_listed(const char *name, size_t len, const char *const *list)
{
    for (; *list; list++) {
        if (strlen(*list) == len && strncasecmp(name, *list, len) == 0)
            return true;
    }
    return false;
}

/* What ends the HTML that a tag at the place begins; NULL when it begins none. */
static const char *
find_tag_html(const struct blocks *blocks, const struct line *line, bool in_paragraph)
{
    size_t name;
    const size_t len = read_element(blocks, line, &name);
    const char *text = blocks->scan.text;

    if (len == 0)
        return NULL;
    if (name == line->at + 1 && is_listed(text + name, len, code_elements))
        return code_end;
    if (is_listed(text + name, len, html_elements))
        return "";
    const size_t end = markdown_tag_end(&blocks->scan, line->at, line->end);
    const bool alone = end != SIZE_MAX && is_only_space(blocks, end, line->end);
    return alone && !in_paragraph ? "" : NULL;
}

/* What ends the HTML that the line begins, looked for from *ret_from on; NULL when it begins none.
 */
static const char *
find_html(const struct blocks *blocks, const struct line *line, bool in_paragraph, size_t *ret_from)
{
    *ret_from = line->at + 2;
    if (blocks->scan.text[line->at] != '<')
        return NULL;
    if (begins(blocks, line, "<!--"))
        return "-->";
    if (begins(blocks, line, "<?"))
        return "?>";
    if (begins(blocks, line, "<![CDATA["))
        return "]]>";
    if (begins(blocks, line, "<!"))
        return line->end - line->at > 2 && is_letter(blocks->scan.text[line->at + 2]) ? ">" : NULL;
    return find_tag_html(blocks, line, in_paragraph);
}

static bool
is_heading(const struct blocks *blocks, const struct line *line)
{
    const size_t end = markdown_run_end(&blocks->scan, line->at, line->end, '#');

    return end > line->at && end - line->at <= 6 &&
           (end == line->end || is_space(blocks->scan.text[end]));
}

/* A line across ("---", "* * *"), or what makes a heading of the paragraph above ("==="). */
static bool
is_rule(const struct blocks *blocks, const struct line *line, bool in_paragraph)
{
    const char *text = blocks->scan.text;
    const char c = text[line->at];
    size_t count = 0;

    if (c == '=')
        return in_paragraph &&
               is_only_space(blocks, markdown_run_end(&blocks->scan, line->at, line->end, c),
                             line->end);
    if (c != '-' && c != '_' && c != '*')
        return false;
    for (size_t at = line->at; at < line->end; at++) {
        if (text[at] != c && !is_space(text[at]))
            return false;
        count += text[at] == c;
    }
    return count >= 3;
}

/* Does the line begin something that a paragraph cannot go on with? */
static bool
begins_leaf(const struct blocks *blocks, const struct line *line)
{
    size_t from;

    return indent_of(line) < CODE_INDENT &&
           (fence_length(blocks, line) > 0 || is_heading(blocks, line) ||
            is_rule(blocks, line, false) || find_html(blocks, line, true, &from));
}

/* What the contents of a line begin, or go on with. */
static void
take_leaf(struct blocks *blocks, const struct line *line)
{
    const bool in_paragraph = blocks->leaf == LEAF_PARAGRAPH;
    const size_t fence = fence_length(blocks, line);
    size_t from;

    if (indent_of(line) >= CODE_INDENT) {
        if (!in_paragraph)
            markdown_set(&blocks->scan, line->start, line->end, MARKDOWN_CODE);
        return;
    }
    const char *html_end = find_html(blocks, line, in_paragraph, &from);
    if (fence > 0) {
        end_leaf(blocks, line->start);
        blocks->leaf = LEAF_FENCE;
        blocks->fence = blocks->scan.text[line->at];
        blocks->fence_length = fence;
        markdown_set(&blocks->scan, line->start, line->end, MARKDOWN_CODE);
    } else if (html_end) {
        end_leaf(blocks, line->start);
        blocks->leaf = LEAF_HTML;
        blocks->leaf_start = line->at;
        blocks->html_end = html_end;
        take_html_line(blocks, line, from);
    } else if (is_heading(blocks, line)) {
        end_leaf(blocks, line->start);
        markdown_scan_paragraph(&blocks->scan, line->at, line->end);
    } else if (is_rule(blocks, line, in_paragraph)) {
        end_leaf(blocks, line->start);
    } else if (!in_paragraph) {
        blocks->leaf = LEAF_PARAGRAPH;
        blocks->leaf_start = line->at;
    }
}

/* ---- quotes and lists ---- */

/* Over the sign of a quote, and the space that belongs to it. */
static void
skip_quote_sign(const struct blocks *blocks, struct line *line)
{
    line->at++;
    line->column++;
    line->base = line->column;
    if (line->at < line->end && is_space(blocks->scan.text[line->at]))
        line->base++;
}

/* Does the line go on in the container? It then stands behind what says so. */
static bool
enter(const struct blocks *blocks, const struct container *container, struct line *line)
{
    struct line look = *line;

    skip_spaces(blocks, &look);
    if (!container->quote) {
        if (look.at < look.end && indent_of(&look) < container->width)
            return false;
        line->base += container->width;
        return true;
    }
    if (look.at == look.end || indent_of(&look) >= CODE_INDENT || blocks->scan.text[look.at] != '>')
        return false;
    skip_quote_sign(blocks, &look);
    *line = look;
    return true;
}

/* How many of the open containers the line goes on in. */
static size_t
enter_all(const struct blocks *blocks, struct line *line)
{
    size_t count = 0;

    while (count < blocks->count && enter(blocks, &blocks->containers[count], line))
        count++;
    skip_spaces(blocks, line);
    return count;
}

static void
close_containers(struct blocks *blocks, size_t count, size_t at)
{
    if (count == blocks->count)
        return;
    end_leaf(blocks, at);
    blocks->count = count;
}

/* The length of a list marker at the place, 0 for none: "-", "*", "+", "1.", "1)". */
static size_t
marker_length(const struct blocks *blocks, const struct line *line)
{
    const char *text = blocks->scan.text;
    size_t at = line->at;

    while (at < line->end && at - line->at < 9 && text[at] >= '0' && text[at] <= '9')
        at++;
    if (at >= line->end || !memchr(at > line->at ? ".)." : "-*+", text[at], 3))
        return 0;
    at++;
    return at == line->end || is_space(text[at]) ? at - line->at : 0;
}

/* Over the list marker of a new item; returns how far its contents are indented. */
static size_t
skip_marker(const struct blocks *blocks, struct line *line, size_t marker)
{
    const size_t before = line->base;

    line->at += marker;
    line->column += marker;
    const size_t marker_end = line->column;
    skip_spaces(blocks, line);
    const bool code = line->column > marker_end + CODE_INDENT || line->at == line->end;
    line->base = code ? marker_end + 1 : line->column;
    return line->base - before;
}

/* Open the quotes and list items that the line begins, in the first `count` of those that are open;
 * false when it begins none. */
static bool
open_containers(struct blocks *blocks, struct line *line, size_t count)
{
    bool opened = false;

    while (line->at < line->end && indent_of(line) < CODE_INDENT && count < DEEPEST_CONTAINER) {
        struct container *container = &blocks->containers[count];
        const bool quote = blocks->scan.text[line->at] == '>';
        const bool rule = is_rule(blocks, line, false);
        const size_t marker = quote || rule ? 0 : marker_length(blocks, line);
        if (!quote && marker == 0)
            break;
        if (!opened) {
            end_leaf(blocks, line->start);
            blocks->count = count;
        }
        opened = true;
        container->quote = quote;
        if (quote) {
            skip_quote_sign(blocks, line);
            skip_spaces(blocks, line);
        } else {
            container->width = skip_marker(blocks, line, marker);
        }
        blocks->count = ++count;
    }
    return opened;
}

static void
take_line(struct blocks *blocks, struct line *line)
{
    const size_t count = enter_all(blocks, line);
    const bool in_all = count == blocks->count;

    if (blocks->scan.open) {
        close_containers(blocks, count, line->start);
        markdown_scan_html(&blocks->scan, line->start, line->next);
        return;
    }
    if (in_all && blocks->leaf == LEAF_FENCE) {
        take_fenced_line(blocks, line);
        return;
    }
    if (in_all && blocks->leaf == LEAF_HTML) {
        take_html_line(blocks, line, line->at);
        return;
    }
    const bool in_paragraph = blocks->leaf == LEAF_PARAGRAPH;
    if (in_paragraph && indent_of(line) >= CODE_INDENT && line->at < line->end)
        return;
    const bool opened = open_containers(blocks, line, count);
    if (line->at == line->end) {
        close_containers(blocks, opened ? blocks->count : count, line->start);
        end_leaf(blocks, line->start);
        return;
    }
    /* A line that begins nothing goes on with the paragraph above, in its quote and list. */
    if (!opened && in_paragraph && !in_all && !begins_leaf(blocks, line))
        return;
    if (!opened)
        close_containers(blocks, count, line->start);
    if (!blocks->scan.open)
        take_leaf(blocks, line);
}

static bool
is_quoted(const struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        if (blocks->containers[i].quote)
            return true;
    }
    return false;
}

bool
markdown_mark(const char *text, size_t len, unsigned char *marks)
{
    struct blocks blocks = {.scan = {.text = text, .len = len, .marks = marks}};

    if (len > 0)
        memset(marks, MARKDOWN_PROSE, len);
    for (size_t at = 0; at < len;) {
        struct line line = read_line(&blocks, at);
        take_line(&blocks, &line);
        /* what the line closed has an open comment in it */
        if (blocks.scan.open && !markdown_is_hidden(marks[line.next - 1]))
            markdown_scan_html(&blocks.scan, line.start, line.next);
        /* beyond the deepest container the sign itself is there still */
        if (is_quoted(&blocks) || (line.at < line.end && text[line.at] == '>'))
            for (size_t i = line.start; i < line.end; i++)
                marks[i] |= MARKDOWN_QUOTED;
        at = line.next;
    }
    end_leaf(&blocks, len);
    return blocks.scan.open != NULL;
}

bool
markdown_is_hidden(unsigned char mark)
{
    const int kind = mark & ~MARKDOWN_QUOTED;

    return kind == MARKDOWN_HIDDEN || kind == MARKDOWN_HIDDEN_ON;
}

bool
markdown_goes_on_hidden(unsigned char mark)
{
    return (mark & ~MARKDOWN_QUOTED) == MARKDOWN_HIDDEN_ON;
}
