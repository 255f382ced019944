/* Making outside text harmless: for prompts, for Markdown that we post, for titles and names.
 *
 * text_clean.c decides which characters may stay, text.c how they are shown. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/strbuf.h"

/* Append `text` as an agent may read it: what Markdown hides removed (HTML comments and the like, which
 * people do not see and agents would; not those in code, which people see: see markdown.h), invisible,
 * bidirectional and tag characters removed (Unicode "Cf" of that use, zero-width, variation selectors
 * in runs, U+E0000 block), invalid UTF-8 replaced by U+FFFD, NUL and control characters except line end
 * and tab removed, CR LF made LF. A comment without an end that hides the rest of a page from people is
 * replaced by a line that says so. */
void text_append_clean(struct strbuf *buf, struct bytes text);

/* How much of a text was left out because people do not see it. */
struct text_hidden {
    size_t comments; /* and definitions of links, declarations, processing instructions that serve as such */
    size_t in_comments; /* characters in them */
    size_t characters; /* invisible ones, but for those that writing needs: joiners, marks of direction, soft hyphens */
};

/* As text_append_clean(), adding to `hidden` what it leaves out. */
void text_append_clean_counted(struct strbuf *buf, struct bytes text, struct text_hidden *hidden);

/* As text_append_clean(), but comments stay, broken so that they are none ("<! --"): for text that
 * people see as it is, such as a program's output in a fence. */
void text_append_visible(struct strbuf *buf, struct bytes text);

/* Append `text` as a fenced block of data that it cannot close by itself: the fence is longer than any run
 * of backticks in it. `info` is the word after the fence, "" for none. A missing final line end is added.
 * Runs of 100 backticks and more are broken by spaces. The characters are the caller's to clean. */
void text_append_fenced(struct strbuf *buf, const char *info, struct bytes text);

/* Append `text` inside ordinary Markdown of ours: Markdown and HTML characters are escaped, "@name" and
 * "#123" neither notify nor link (a zero-width joiner breaks them, and addresses), line ends become
 * spaces. At most six times as long as the text. */
void text_append_inline(struct strbuf *buf, struct bytes text);

/* Append `text` in one line as a code span, safe in a table's cell; where a code span cannot hold it, as
 * text_append_inline(). */
void text_append_code(struct strbuf *buf, struct bytes text);

/* Append somebody else's Markdown as a block quote, at most `max_bytes` (500 at least), with a last line
 * that says so when something was left out. Lists, code spans and fenced code are kept; headings, links,
 * images, HTML, mentions and references become plain text. */
void text_append_quote(struct strbuf *buf, struct bytes text, size_t max_bytes);

/* Append the last `max_lines` lines, at most `max_bytes`, of a program's output: terminal escape
 * sequences and carriage-return progress removed, credentials redacted, cleaned as
 * text_append_visible(). No line end follows the last line. */
void text_append_tail(struct strbuf *buf, struct bytes output, size_t max_lines, size_t max_bytes);

/* Append `text` as one line of at most `max_bytes`, cut at a character boundary with "..." when longer;
 * invisible characters are removed, Markdown is left as it is. */
void text_append_line(struct strbuf *buf, const char *text, size_t max_bytes);

/* Append a name for a branch: lower-case ASCII letters, digits and single '-', at most 40, never at
 * an end; Latin letters lose their marks, other characters separate; "task" when nothing is left.
 */
void text_append_slug(struct strbuf *buf, const char *text);
