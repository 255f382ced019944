/* Mentions of the bot in Markdown that people write, and the command that follows. */
#pragma once

#include "handlers/intake/command.h"
#include "server/base/err.h"

struct mention {
    enum mention_command command;
    char *instruction; /* the text without the mention itself and what was read behind it, trimmed;
                          NULL when nothing is left, or when the command takes none */
    char *agent;       /* "use AGENT"; or NULL */
    char *branch;      /* "on BRANCH"; or NULL */
};

/* What names mean something. */
struct mention_names {
    const char *bot;
    command_is_agent_fn *is_agent; /* NULL: there is no agent */
    void *ctx;
};

void mention_done(struct mention *mention);

/* Look for "@" and the bot's name, without case, at a word's beginning and end: not after a letter, digit, '-', '/', '`'
 * or '@', and not before a letter, digit, '-' or '/'. Not inside code spans, fenced or indented code
 * (CommonMark 0.31), quotes with the lines that go on with them, elements of code and quotes (<code>, <pre>,
 * <tt>, <blockquote>), HTML comments and the like, images' texts or links' addresses; see markdown.h. The
 * first mention decides. Commands count where the mention begins its line. `text` may be NULL.
 * Owns: *ret_mention is the caller's, mention_done().   Errors: ERR_NOMEM. */
MUST_CHECK int mention_find(const char *text,
                            const struct mention_names *names,
                            struct mention *ret_mention,
                            struct err *err);
