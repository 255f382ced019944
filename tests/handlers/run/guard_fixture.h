/* A repository in the making for the guard to look at: shared by its tests. Credentials are put
 * together by the compiler, so that no file holds one. */
#pragma once

#include "handlers/run/guard.h"
#include "integrations/git/repo.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <git2.h>

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB (1024U * 1024)
#define TOKEN_BODY "0123456789abcdefghij0123456789abcdef"

/* ---- a repository in the making ---- */

struct place {
    char *dir;
    git_repository *git;
    git_index *index;
    struct repo *repo;
    char base[REPO_COMMIT_BYTES];
    char head[REPO_COMMIT_BYTES];
    struct guard_settings settings;
};

UNUSED static void
check_git(int result)
{
    if (result < 0)
        TEST_FAIL("libgit2: %s", git_error_last() ? git_error_last()->message : "?");
}

UNUSED static void
put_bytes(struct place *place, const char *path, const void *contents, size_t len)
{
    const git_index_entry entry = {.path = path, .mode = GIT_FILEMODE_BLOB};

    check_git(git_index_add_from_buffer(place->index, &entry, contents, len));
}

UNUSED static void
put_link(struct place *place, const char *path, const char *target)
{
    const git_index_entry entry = {.path = path, .mode = GIT_FILEMODE_LINK};

    check_git(git_index_add_from_buffer(place->index, &entry, target, strlen(target)));
}

UNUSED static void
put(struct place *place, const char *path, const char *contents)
{
    put_bytes(place, path, contents, strlen(contents));
}

UNUSED static void
take_away(struct place *place, const char *path)
{
    check_git(git_index_remove(place->index, path, 0));
}

/* Commit what was put; the new head. */
UNUSED static void
commit(struct place *place, const char *message)
{
    git_commit *parent = NULL;
    git_signature *who = NULL;
    git_tree *tree = NULL;
    git_oid id;

    check_git(git_index_write_tree(&id, place->index));
    check_git(git_tree_lookup(&tree, place->git, &id));
    check_git(git_signature_new(&who, "Ann", "ann@example.org", 1700000000, 0));
    if (place->head[0]) {
        check_git(git_oid_fromstr(&id, place->head));
        check_git(git_commit_lookup(&parent, place->git, &id));
    }
    const git_commit *parents[] = {parent};
    check_git(git_commit_create(&id, place->git, NULL, who, who, NULL, message, tree,
                                parent != NULL, parents));
    git_oid_tostr(place->head, sizeof(place->head), &id);
    git_commit_free(parent);
    git_signature_free(who);
    git_tree_free(tree);
}

static char *const default_protect[] = {(char[]){".github/**"}, (char[]){".draftd.yml"}};

UNUSED static void
place_done(struct place *place)
{
    struct err err;

    repo_free(place->repo);
    git_index_free(place->index);
    git_repository_free(place->git);
    if (place->dir && fs_remove_tree(place->dir, &err))
        printf("# %s\n", err.msg);
    free(place->dir);
}

UNUSED static void
place_init(struct place *place)
{
    static char *protect[COUNT(default_protect)];
    struct err err;

    memcpy(protect, default_protect, sizeof(protect));
    *place = (struct place){.settings = {.max_files = 50,
                                         .max_lines = 2000,
                                         .protect = {.items = protect, .count = COUNT(protect)}}};
    CHECK_OK(repo_init(NULL, &err), err);
    CHECK_OK(fs_make_temp_dir("/tmp", "guard-", &place->dir, &err), err);
    check_git(git_repository_init(&place->git, place->dir, 0));
    check_git(git_repository_index(&place->index, place->git));
    put(place, "README.md", "one\ntwo\nthree\n");
    put(place, ".github/workflows/ci.yml", "on: push\njobs: {}\n# a comment\n# and another one\n");
    put(place, "tests/test_sum.py",
        "def test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n");
    put(place, "src/sum.c", "int sum(int a, int b) { return a + b; }\n");
    commit(place, "Begin");
    memcpy(place->base, place->head, sizeof(place->base));
    CHECK_OK(repo_open(place->dir, &place->repo, &err), err);
}

UNUSED static struct guard_input
input_of(struct place *place)
{
    return (struct guard_input){.repo = place->repo,
                                .base = place->base,
                                .commit = place->head,
                                .settings = &place->settings};
}

UNUSED static void
look(struct place *place, struct guard_report *ret_report)
{
    const struct guard_input input = input_of(place);
    struct err err;

    CHECK_OK(guard_check(&input, ret_report, &err), err);
}

/* The text of the first hit of the rule, NULL when there is none. */
UNUSED static const char *
find_hit(const struct guard_report *report, enum guard_rule rule)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->items[i].rule == rule)
            return report->items[i].text;
    }
    return NULL;
}

/* Commit, look, and expect this one hit. */
UNUSED static void
check_one(struct place *place, enum guard_rule rule, const char *hit)
{
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    commit(place, "Change");
    look(place, &report);
    CHECK_INT(report.count, 1);
    CHECK_INT(report.items[0].rule, rule);
    CHECK_STR(report.items[0].text, hit);
    CHECK_INT(report.held, rule == GUARD_PROTECTED || rule == GUARD_SECRET);
}
