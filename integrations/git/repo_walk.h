/* What a hostile pack brought, seen from the commit that is wanted: every commit above the base and
 * every tree entry that none of its parents has. The rules are those of repo_import_open(). */
#pragma once

#include "integrations/git/repo_internal.h"

struct repo_walk_source {
    git_repository *all;    /* sees the mirror's objects and the new ones */
    git_repository *mirror; /* sees the mirror's only */
    git_odb *fresh;         /* sees the new ones only */
};

/* Errors: ERR_INVALID naming commit, path and rule; ERR_LIMIT; ERR_NOMEM; as repo_watch_check(). */
MUST_CHECK int repo_walk(const struct repo_walk_source *source,
                         const git_oid *base,
                         const git_oid *commit,
                         const struct repo_import_limits *limits,
                         struct err *err);
