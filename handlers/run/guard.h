/* The guard on a diff: what must not leave, and what a reviewer should see first. */
#pragma once

#include "handlers/settings/repo_settings.h"
#include "integrations/git/repo.h"
#include "server/base/err.h"

enum guard_rule {
    GUARD_PROTECTED,     /* held: a protected path is changed */
    GUARD_SECRET,        /* held: something added looks like a credential */
    GUARD_TOO_EXPENSIVE, /* held: the deadline came before all was looked at */
    GUARD_TOO_MANY_FILES,
    GUARD_TOO_MANY_LINES,
    GUARD_LARGE_FILE,    /* a binary over 1 MiB, or a text too long to be compared line by line */
    GUARD_TEST_DELETED,  /* or renamed, replaced or emptied so that it may test nothing any more */
    GUARD_TEST_SKIPPED,  /* an added line skips or focuses tests */
    GUARD_CONFLICT,      /* an added line is a marker of a conflict that nobody resolved */
};

struct guard_hit {
    enum guard_rule rule;
    char *text; /* one line for people: path, line, what; never the credential itself */
};

struct guard_report {
    struct guard_hit *items;
    size_t count;
    bool held;     /* some hit holds the change back */
    bool complete; /* all was looked at; else `diff` may be empty */
    struct repo_diff diff;
};

void guard_report_done(struct guard_report *report);

/* What to look at. Borrowed. */
struct guard_input {
    struct repo *repo;
    const char *base;
    const char *merged; /* what of the base branch was merged in: the change is what differs from
                           that; or NULL */
    const char *commit;
    const struct guard_settings *settings;
    struct repo_watch watch;
};

/* Look at everything between `base` and `commit`: the final tree, and for credentials and protected paths every
 * commit on the way as well, since history is pushed too. At most 100 hits are kept, one of them saying
 * that there are more. The deadline is no error but a hit: a sandbox chose what is to be looked at.
 * Owns: *ret_report is the caller's, guard_report_done().   Errors: ERR_CANCELED asked to stop. */
MUST_CHECK int
guard_check(const struct guard_input *input, struct guard_report *ret_report, struct err *err);

/* Is this the path of a test, by the habits of the usual languages? (tests/..., x_test.go, FooTest.java,
 * test_x.py, x.spec.ts, ...) */
bool guard_is_test_path(const char *path);

/* Is a test that was renamed still run, as far as its name tells? Not one that gets another extension,
 * or that was named like a test and is not any more (test_x.py to test_x.py.disabled). */
bool guard_keeps_test_name(const char *old_path, const char *path);

/* Is the path of a test one of data that tests use (a picture, a snapshot, a list)? */
bool guard_is_test_data(const char *path);

/* Does an added line of a test skip or narrow tests? (pytest.mark.skip, it.skip, describe.only, t.Skip(),
 * @Disabled, #[ignore], ...) */
bool guard_skips_test(struct bytes line);
