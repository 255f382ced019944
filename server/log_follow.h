/* Following what a task's newest run prints, or an earlier one, step by step, through the store. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct step;
struct store;
struct strbuf;

/* Shows text from a sandbox or of our own; the text is terminated. */
typedef void (*log_show_fn)(const char *text);

struct log_follow {
    struct store *store;
    int64_t task;
    log_show_fn show; /* NULL: only watch */
    int64_t number;   /* of the run; 0: always the newest. May be set after log_follow_init() */
    int64_t run;      /* whose steps are shown; 0: none yet */
    int64_t step;     /* shown last; 0: none yet */
    int64_t offset;   /* up to where */
    bool end_shown;   /* all of it, and how it ended */
    bool ended;       /* the task, or that run, is not live any more, and everything was shown */
    bool succeeded;   /* it ended with a draft, or with nothing to change */
};

/* Borrows: store. */
void
log_follow_init(struct log_follow *follow, struct store *store, int64_t task, log_show_fn show);

/* What stands above and below what a step printed, a line each. */
void log_append_heading(struct strbuf *text, const struct step *step);
void log_append_end(struct strbuf *text, const struct step *step);

/* Show what is new.  Errors: ERR_NOTFOUND no such task or run; as store_read(). */
MUST_CHECK int log_follow_turn(struct log_follow *follow, struct err *err);
