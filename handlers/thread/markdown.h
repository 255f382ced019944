/* What of a Markdown text people see as prose, and what not: for mentions, which count in prose
 * alone, and for prompts, which leave out what people do not see.
 *
 * markdown.c reads lines and blocks, markdown_inline.c what stands within them. Both follow
 * CommonMark 0.31 as far as that decides what is code, quoted or hidden. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Of each byte; markup is tags, addresses, titles, and images' texts. */
enum markdown_mark {
    MARKDOWN_PROSE = 0,
    MARKDOWN_CODE,
    MARKDOWN_MARKUP,
    MARKDOWN_HIDDEN,    /* the first byte of a comment, a processing instruction and the like */
    MARKDOWN_HIDDEN_ON, /* the others */
    MARKDOWN_QUOTED = 0x40, /* besides: in a quote */
};

/* Mark each of `len` bytes. True when a comment is still open at the end. */
bool markdown_mark(const char *text, size_t len, unsigned char *marks);

/* Is the byte one of those that people do not see? */
bool markdown_is_hidden(unsigned char mark);

/* Is it one of those behind the first? */
bool markdown_goes_on_hidden(unsigned char mark);
