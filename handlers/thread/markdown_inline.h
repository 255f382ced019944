/* Between markdown.c and markdown_inline.c alone; see markdown.h. */
#pragma once

#include "handlers/thread/markdown.h"

#define MARKDOWN_ELEMENTS 4

struct markdown_scan {
    const char *text;
    size_t len;
    unsigned char *marks;
    const char *open; /* what ends the HTML comment ("-->", ">") that is open; or NULL */
    size_t elements[MARKDOWN_ELEMENTS]; /* how many of <code>, <pre>, ... are open */
};

void
markdown_set(struct markdown_scan *scan, size_t from, size_t to, enum markdown_mark mark);

/* Where `part` begins in text[from..to), or SIZE_MAX. */
size_t
markdown_find(const struct markdown_scan *scan, size_t from, size_t to, const char *part);

/* Where the run of `c` ends that begins at `at`. */
size_t
markdown_run_end(const struct markdown_scan *scan, size_t at, size_t to, char c);

/* Where the tag or address in angle brackets ends that begins at `at`; SIZE_MAX when it is none. */
size_t
markdown_tag_end(const struct markdown_scan *scan, size_t at, size_t to);

/* Mark a paragraph. */
void
markdown_scan_paragraph(struct markdown_scan *scan, size_t from, size_t to);

/* Mark raw HTML, which knows no Markdown, or the rest of a comment that is open. */
void
markdown_scan_html(struct markdown_scan *scan, size_t from, size_t to);
