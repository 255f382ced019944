/* What is wrong with a configuration file: collected, so that its author sees everything at once.
 */
#pragma once

#include "server/base/err.h"
#include "server/base/strbuf.h"

#include <stddef.h>

/* More are counted, not kept: a hostile file must not become a long comment. */
#define FAULTS_MAX 64

struct fault {
    unsigned line;
    char *text; /* "KEY: what is wrong; what to do" */
};

struct faults {
    const char *file;               /* as it is to be shown; borrowed */
    struct fault items[FAULTS_MAX]; /* by line */
    size_t count;
    size_t more; /* not kept */
};

/* Keep "KEY: what is wrong; what to do". Texts from outside may be among the arguments: characters
 * that could forge a line or hide are replaced, credentials redacted. Out of memory it is counted.
 */
void faults_add(struct faults *faults, unsigned line, const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Would a further fault only be counted? Then there is no point in finding good words for it. */
bool faults_full(const struct faults *faults);

/* Append "FILE:LINE: KEY: ..." lines to `text`, as many as fit whole.
 * Errors: ERR_INVALID there is a fault, with their number; else 0. */
MUST_CHECK int faults_report(const struct faults *faults, struct strbuf *text, struct err *err);

void faults_done(struct faults *faults);
