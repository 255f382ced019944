/* Mentions of the bot in Markdown that people write, and the command that follows. */
#pragma once

#include "server/base/err.h"

enum mention_command {
    MENTION_NONE,   /* not mentioned */
    MENTION_WORK,   /* mentioned: what is said besides is the instruction */
    MENTION_CANCEL, /* "@name cancel" or "@name stop", alone on its line */
};

struct mention {
    enum mention_command command;
    char *instruction; /* the text without the mention itself, trimmed; NULL when nothing is left */
};

void mention_done(struct mention *mention);

/* Look for "@name", without case, at a word's beginning and end: not after a letter, digit, '-', '/', '`'
 * or '@', and not before a letter, digit, '-' or '/'. Not inside code spans, fenced or indented code
 * (CommonMark 0.30), quoted lines (">"), HTML comments or links' addresses. The first mention decides.
 * `text` may be NULL.
 * Owns: *ret_mention is the caller's, mention_done().   Errors: ERR_NOMEM. */
MUST_CHECK int mention_find(const char *text,
                            const char *name,
                            struct mention *ret_mention,
                            struct err *err);
