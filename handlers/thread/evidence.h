/* The evidence of a run as it is said of the commit that was published: owed to the platform
 * through the outbox, as JSON that names no platform. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct run;
struct task;

/* Owe what `run` of `task` found out about its head_commit, if the platform takes messages. Its
 * messages are ordered among themselves: one that cannot be delivered holds up no status.
 * Thread: inside a store function. */
MUST_CHECK int evidence_owe(struct db *db,
                            const struct app *app,
                            const struct task *task,
                            const struct run *run,
                            int64_t now_ms,
                            struct err *err);

enum evidence_conclusion {
    EVIDENCE_NEUTRAL, /* nothing was checked */
    EVIDENCE_SUCCESS,
    EVIDENCE_FAILURE,
};

struct evidence_note {
    char *id; /* the same for the same run of the same installation, and for nothing else */
    enum evidence_conclusion conclusion;
    char *title;   /* one line */
    char *summary; /* Markdown: the verdict */
    char *text;    /* Markdown: the table of checks; or NULL */
    char *url;     /* of the draft; or NULL */
};

void evidence_note_done(struct evidence_note *note);

/* What a message of evidence_owe() says.  Owns: *ret_note is the caller's, evidence_note_done().
 * Errors: ERR_INVALID it is none. */
MUST_CHECK int evidence_read(const char *body, struct evidence_note *ret_note, struct err *err);
