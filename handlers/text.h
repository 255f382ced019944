/* Making outside text harmless: for prompts, for Markdown that we post, for titles and names. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/strbuf.h"

/* Append `text` as an agent may read it: HTML comments removed (people do not see them, agents would),
 * invisible, bidirectional and tag characters removed (Unicode "Cf" of that use, zero-width, variation
 * selectors in runs, U+E0000 block), invalid UTF-8 replaced by U+FFFD, NUL and control characters except line end and tab
 * removed, CR LF made LF. */
void text_append_clean(struct strbuf *buf, struct bytes text);

/* Append `text` as a fenced block of data that it cannot close by itself: the fence is longer than any run of
 * backticks in it. `info` is the word after the fence, "" for none. A missing final line end is added. */
void text_append_fenced(struct strbuf *buf, const char *info, struct bytes text);

/* Append `text` inside ordinary Markdown of ours: Markdown and HTML characters are escaped, "@name" and
 * "#123" neither notify nor link (a zero-width joiner breaks them), line ends become spaces. */
void text_append_inline(struct strbuf *buf, struct bytes text);

/* Append the last `max_lines` lines, at most `max_bytes`, of a program's output: terminal escape sequences
 * and carriage-return progress removed, credentials redacted, cleaned as text_append_clean(). */
void text_append_tail(struct strbuf *buf, struct bytes output, size_t max_lines, size_t max_bytes);

/* Append `text` as one line of at most `max_bytes`, cut at a character boundary with "..." when longer. */
void text_append_line(struct strbuf *buf, const char *text, size_t max_bytes);

/* Append a name for a branch: lower-case ASCII letters, digits and single '-', at most 40, never at an end;
 * other characters separate; "task" when nothing is left. */
void text_append_slug(struct strbuf *buf, const char *text);
