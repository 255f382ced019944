/* The prompt of an agent: what is asked, as data, and the rules of the place. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct comments;
struct remark_list;

struct prompt_failure {
    const char *check;
    const char *command;
    const char *how; /* "exit status 1", "timed out after 10 min" */
    const char *output; /* its end */
};

struct prompt_input {
    const char *repository;
    const char *title;
    const char *text;        /* of the issue or request; or NULL */
    const struct comments *thread; /* what people said below it; or NULL */
    const char *instruction; /* of the mention; or NULL */
    const struct remark_list *remarks; /* what is to be answered; or NULL */
    const char *conflicts;   /* paths in which the base branch and the change stand both, each on a line; or NULL */
    const char *requested_by;
    const char *url;         /* or NULL */
    bool has_agents_file;    /* AGENTS.md in the root of the base commit */
    const char *const *checks;        /* "test: npm test", NULL-terminated: what will be run afterwards */
    const char *const *red_before;    /* names of checks that fail already; NULL-terminated */
    const char *const *protect;       /* globs that may not be changed; NULL-terminated */
    int round; /* 1, 2, ... */
    int rounds;
    const struct prompt_failure *failures; /* of the round before */
    size_t failure_count;
};

/* How many characters that people do not see are in what was asked and said about it, invisible or in
 * HTML comments; see text.h. */
size_t prompt_count_hidden(const struct prompt_input *input);

/* Markdown. Everything from outside stands in fences as data, cleaned.
 * Owns: *ret_prompt is the caller's, free().   Errors: ERR_NOMEM. (Texts are cut to their limits.) */
MUST_CHECK int
prompt_write(const struct prompt_input *input, char **ret_prompt, struct err *err);
