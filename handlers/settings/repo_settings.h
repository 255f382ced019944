/* A repository's own file, .draftd.yml, read on the default branch and never on an agent's branch.
 * Its author is not the operator: every list and number is bounded. */
#pragma once

#include "handlers/settings/settings.h"
#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/strbuf.h"

#define REPO_SETTINGS_FILE ".draftd.yml"

struct check_settings {
    char *name; /* unique; letters, digits, '-', '_', '.', ' ' */
    char *run;
    int64_t timeout_minutes; /* 10 */
};

struct guard_settings {
    int64_t max_files;          /* 50 */
    int64_t max_lines;          /* 2000, added and deleted */
    struct string_list protect; /* globs; default ".github/" followed by "**" and ".draftd.yml" */
    bool allow_submodules;      /* false */
};

struct repo_settings {
    char *image;  /* NULL: the operator's */
    char *branch; /* base branch; NULL: the default branch */
    struct string_list setup;
    int64_t setup_timeout_minutes; /* 15 */
    struct check_settings *checks;
    size_t check_count;
    int64_t rounds; /* 0: the operator's */
    char *agent;    /* profile; NULL: the operator's */
    bool follow_ci; /* true: red checks of the forge start a run */
    struct guard_settings guard;
};

/* Read the file's contents; empty contents are all defaults. `faults` as in settings_load(), with
 * ".draftd.yml" as the file.
 * Owns: *ret_settings is the caller's, repo_settings_free().   Errors: ERR_INVALID there are
 * faults. */
MUST_CHECK int repo_settings_parse(struct bytes contents,
                                   struct strbuf *faults,
                                   struct repo_settings **ret_settings,
                                   struct err *err);
void repo_settings_free(struct repo_settings *settings);
AUTO_DEFINE(struct repo_settings *, repo_settings_free)
