/* Commit messages: platforms act on words in them as they do on words in a pull request, at the
 * push or when it is merged. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"
#include "server/base/strbuf.h"

/* Append a line of somebody else's text to a commit's message, so that nothing acts on it: no
 * reference closes or links an issue, nobody is mentioned, CI is not told to stay away. */
void commits_append_plain(struct strbuf *buf, const char *text);

/* Does a message close an issue when it is merged, by a keyword and a reference? */
bool commits_close_issue(const char *message);

/* Does a message keep CI from running? */
bool commits_skip_ci(const char *message);

/* Flag what the agent's own commits, from base to head in `view`, say besides: closing keywords,
 * words that keep CI away, and authors or committers that are not draftd. */
MUST_CHECK int commits_flag(struct work *work, struct repo *view, struct err *err);
