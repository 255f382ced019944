/* Fetching from and pushing to repositories on the same machine, and two threads on one mirror. */
#include "tests/integrations/git/repo_fixture.h"

#include <pthread.h>

#include "server/base/clock.h"
#include "server/base/stop.h"

static struct err err;

/* NAME: a repository with a working tree, one commit on main; and NAME.git, its bare copy. */
static void
make_pair(const char *name)
{
    fixture_begin();
    RUN("git init -q -b main %s; cd %s; echo %s >a; git add .; git commit -qm first; git clone -q "
        "--bare . ../%s.git",
        name, name, name, name);
}

static struct repo *
open_mirror(const char *name)
{
    struct repo *repo = NULL;

    fixture_begin();
    CHECK_OK(repo_open_mirror(fixture_path(6, name), &repo, &err), err);
    return repo;
}

static char commit[65]; /* what fetch() brought */

static int
fetch(struct repo *mirror, const char *from, const char *branch)
{
    const struct repo_remote remote = {.url = fixture_path(0, from)};
    char *name = NULL;
    const int r = repo_fetch(mirror, &remote, branch, &name, commit, &err);

    if (!r && !branch && strcmp(name, "main") != 0)
        return -100;
    free(name);
    return r;
}

TEST(a_branch_is_fetched_and_brought_up_to_date)
{
    make_pair("one");
    AUTO(repo_free) struct repo *mirror = open_mirror("m1");
    char seen[65];

    CHECK_OK(fetch(mirror, "one.git", NULL), err);
    RUN("test \"$(git -C one rev-parse HEAD)\" = %s", commit);
    RUN("cd one; git branch other; git tag v1; echo more >>a; git commit -qam more; git push -q "
        "../one.git main other v1");
    CHECK_OK(fetch(mirror, "one.git", "main"), err);
    CHECK_OK(repo_resolve(mirror, "main", seen, &err), err);
    CHECK_STR(seen, commit);
    RUN("test \"$(git -C one rev-parse HEAD)\" = %s; cd m1; test \"$(git for-each-ref | wc -l)\" = "
        "1; git fsck --full",
        commit);
    RUN("cd one; git commit -q --amend -m changed; git push -q -f ../one.git main"); /* rewritten */
    CHECK_OK(fetch(mirror, "one.git", "main"), err);
    RUN("test \"$(git -C one rev-parse HEAD)\" = %s", commit);
    CHECK_OK(fetch(mirror, "one.git", "main"), err); /* nothing new */
}

TEST(what_is_not_there_is_not_found)
{
    make_pair("gone");
    AUTO(repo_free) struct repo *mirror = open_mirror("m2");

    CHECK_INT(fetch(mirror, "nowhere.git", NULL), ERR_NOTFOUND);
    CHECK_INT(fetch(mirror, "gone.git", "other"), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "refs/heads/other");
    CHECK_INT(fetch(mirror, "gone.git", "a..b"), ERR_INVALID);
    RUN("git init -q --bare -b main empty.git; mkdir plain");
    CHECK_INT(fetch(mirror, "empty.git", NULL), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "empty");
    CHECK(fetch(mirror, "plain", NULL) != 0);
}

TEST(other_protocols_are_refused)
{
    AUTO(repo_free) struct repo *mirror = open_mirror("m3");
    static const char *const urls[] = {"http://localhost/x", "ssh://localhost/x",
                                       "git@localhost:x",    "file:///tmp",
                                       "ext::sh -c true",    "relative/path",
                                       "https://",           "https://user:hunter2@localhost/x"};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct repo_remote remote = {.url = urls[i]};
        CHECK_INT(repo_remote_branch(mirror, &remote, "main", commit, &err), ERR_INVALID);
        CHECK(!strstr(err.msg, "hunter2"));
    }
}

TEST(a_raised_stop_cancels)
{
    make_pair("halt");
    AUTO(repo_free) struct repo *mirror = open_mirror("m4");
    AUTO(stop_free) struct stop *stop = NULL;
    char *name = NULL;

    CHECK_OK(stop_new(&stop, &err), err);
    stop_raise(stop);
    const struct repo_remote remote = {.url = fixture_path(0, "halt.git"), .stop = stop};
    CHECK_INT(repo_fetch(mirror, &remote, NULL, &name, commit, &err), ERR_CANCELED);
}

static void *
raise_soon(void *stop)
{
    clock_sleep_ms(100);
    stop_raise(stop);
    return NULL;
}

TEST(a_fetch_waits_for_another_until_asked_to_stop)
{
    make_pair("queue");
    AUTO(repo_free) struct repo *mirror = open_mirror("queue.mirror");
    AUTO(stop_free) struct stop *stop = NULL;
    auto_close int lock = -1;
    pthread_t thread;
    char *name = NULL;

    CHECK_OK(stop_new(&stop, &err), err);
    CHECK_OK(fs_lock(fixture_path(0, "queue.mirror/fetch.lock"), &lock, &err), err);
    CHECK_INT(pthread_create(&thread, NULL, raise_soon, stop), 0);
    const struct repo_remote remote = {.url = fixture_path(0, "queue.git"), .stop = stop};
    const int r = repo_fetch(mirror, &remote, NULL, &name, commit, &err);
    pthread_join(thread, NULL);
    CHECK_INT(r, ERR_CANCELED);
    close(TAKE_FD(lock));
    CHECK_OK(fetch(mirror, "queue.git", NULL), err);
}

/* A mirror of NAME.git, and in it a commit above main: its id into `commit`. */
static struct repo *
with_new_commit(const char *name, const char *mirror_name)
{
    make_pair(name);
    struct repo *mirror = open_mirror(mirror_name);
    char file[80];

    snprintf(file, sizeof file, "%s.git", name);
    CHECK_OK(fetch(mirror, file, NULL), err);
    RUN("cd %s; git checkout -q -b work; echo %s new >new; git add .; git commit -qm new;"
        "git push -q ../%s work:refs/draftd/run; git rev-parse HEAD >../%s.new; git rev-parse main "
        ">../%s.old;"
        "git checkout -q main",
        name, name, mirror_name, name, name);
    snprintf(file, sizeof file, "%s.new", name);
    snprintf(commit, sizeof commit, "%s", fixture_text(file));
    return mirror;
}

static int
push(struct repo *mirror, const char *to, const char *branch, const char *expected)
{
    const struct repo_remote remote = {.url = fixture_path(0, to)};

    return repo_push(mirror, &remote, branch, commit, expected, &err);
}

TEST(a_branch_is_created_once_and_then_moved)
{
    AUTO(repo_free) struct repo *mirror = with_new_commit("create", "m5");
    char first[65];
    char at[65];

    CHECK_OK(push(mirror, "create.git", "draftd/1-x", NULL), err);
    CHECK_OK(push(mirror, "create.git", "draftd/1-x", NULL), err); /* there already */
    const struct repo_remote remote = {.url = fixture_path(0, "create.git")};
    CHECK_OK(repo_remote_branch(mirror, &remote, "draftd/1-x", at, &err), err);
    CHECK_STR(at, commit);
    RUN("cd create.git; git fsck --full --strict; test \"$(git rev-parse draftd/1-x)\" = %s",
        commit);
    snprintf(first, sizeof first, "%s", commit);
    RUN("cd create; git checkout -q work; echo x >>new; git commit -qam next; git push -q ../m5 "
        "work:refs/draftd/run;"
        "git rev-parse HEAD >../next");
    snprintf(commit, sizeof commit, "%s", fixture_text("next"));
    CHECK_INT(push(mirror, "create.git", "draftd/1-x", NULL), ERR_CONFLICT);
    CHECK_INT(push(mirror, "create.git", "draftd/1-x", fixture_text("create.old")), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "moved meanwhile");
    CHECK_OK(push(mirror, "create.git", "draftd/1-x", first), err);
    RUN("cd create.git; git fsck --full --strict; test \"$(git rev-parse draftd/1-x)\" = %s",
        commit);
    CHECK_INT(push(mirror, "create.git", "removed", first), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "removed");
}

TEST(nothing_is_forced)
{
    AUTO(repo_free) struct repo *mirror = with_new_commit("force", "m6");

    RUN("cd force; git checkout -q -b aside main; echo aside >aside; git add .; git commit -qm "
        "aside;"
        "git push -q ../force.git aside; git push -q ../m6 aside:refs/draftd/aside; git rev-parse "
        "HEAD >../aside");
    char aside[65];
    snprintf(aside, sizeof aside, "%s", fixture_text("aside"));
    CHECK_INT(push(mirror, "force.git", "aside", aside), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "nothing is forced");
    RUN("test \"$(git -C force.git rev-parse aside)\" = %s", aside);
}

TEST(a_checked_out_branch_is_never_touched)
{
    AUTO(repo_free) struct repo *mirror = with_new_commit("busy", "m7");
    char old[65];

    snprintf(old, sizeof old, "%s", fixture_text("busy.old"));
    RUN("cd busy; git branch -q elsewhere; git worktree add -q ../busy-tree elsewhere; git branch "
        "-qD work");
    CHECK_INT(push(mirror, "busy", "main", old), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "checked out");
    CHECK_INT(push(mirror, "busy", "elsewhere", old), ERR_CONFLICT);
    CHECK_OK(push(mirror, "busy", "draftd/new", NULL), err);
    RUN("cd busy; git fsck --full --strict; test \"$(git rev-parse draftd/new)\" = %s; test -z "
        "\"$(git status --porcelain)\"",
        commit);
}

TEST(an_unborn_branch_counts_as_checked_out)
{
    AUTO(repo_free) struct repo *mirror = with_new_commit("unborn", "m8");

    RUN("git init -q -b main newborn");
    CHECK_INT(push(mirror, "newborn", "main", NULL), ERR_CONFLICT);
    CHECK_OK(push(mirror, "newborn", "topic", NULL), err); /* brings the whole history */
    RUN("cd newborn; git fsck --full --strict; git checkout -q topic; test -e new");
}

TEST(what_cannot_be_pushed_is_refused)
{
    AUTO(repo_free) struct repo *mirror = with_new_commit("bad", "m9");

    CHECK_INT(push(mirror, "bad.git", "a..b", NULL), ERR_INVALID);
    CHECK_INT(push(mirror, "bad.git", "x", "HEAD"), ERR_INVALID);
    CHECK_INT(push(mirror, "nowhere.git", "x", NULL), ERR_NOTFOUND);
    snprintf(commit, sizeof commit, "00000000000000000000000000000000000000aa");
    CHECK_INT(push(mirror, "bad.git", "x", NULL), ERR_NOTFOUND);
}

/* Threads: each opens the mirror for itself. */
#define ROUNDS 12

static char shared_base[65];

static void *
fetch_often(void *ctx)
{
    struct err mine;
    char id[65];

    for (int i = 0; i < ROUNDS; i++) {
        AUTO(repo_free) struct repo *mirror = NULL;
        const struct repo_remote remote = {.url = ctx};
        auto_free char *name = NULL;
        if (repo_open_mirror("common.mirror", &mirror, &mine) ||
            repo_fetch(mirror, &remote, "main", &name, id, &mine)) {
            printf("# fetch: %s\n", mine.msg);
            return "failed";
        }
    }
    return NULL;
}

static void *
import_often(void *ctx)
{
    const struct repo_import_limits limits = {
        .max_commits = 5, .max_blob_bytes = 1000, .max_files = 50};
    struct pack pack = PACK_INIT;
    void *result = NULL;
    struct err mine;

    for (int i = 0; i < ROUNDS && !result; i++) {
        AUTO(repo_free) struct repo *mirror = NULL;
        AUTO(repo_import_free) struct repo_import *import = NULL;
        char text[64];
        char id[65];
        pack_begin(&pack);
        snprintf(text, sizeof text, "%s %d", (const char *)ctx, i);
        const git_oid tree = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, text));
        const git_oid made = pack_add_commit(&pack, tree, shared_base, NULL);
        pack_end(&pack);
        git_oid_tostr(id, sizeof id, &made);
        auto_close int fd = pack_open(&pack);
        snprintf(text, sizeof text, "refs/draftd/%s-%d", (const char *)ctx, i);
        if (repo_open_mirror("common.mirror", &mirror, &mine) ||
            repo_import_open(mirror, fd, shared_base, id, &limits, &import, &mine) ||
            repo_import_accept(import, text, &mine)) {
            printf("# import: %s\n", mine.msg);
            result = "failed";
        }
    }
    strbuf_done(&pack.bytes);
    return result;
}

TEST(threads_share_a_mirror)
{
    pthread_t threads[4];
    void *result;
    bool failed = false;

    make_pair("common");
    CHECK_INT(chdir(fixture_dir), 0);
    char *url = strdup(fixture_path(0, "common.git"));
    CHECK(fetch_often(url) == NULL);
    RUN("git -C common rev-parse HEAD >common.base");
    snprintf(shared_base, sizeof shared_base, "%s", fixture_text("common.base"));
    CHECK_INT(pthread_create(&threads[0], NULL, fetch_often, url), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, fetch_often, url), 0);
    CHECK_INT(pthread_create(&threads[2], NULL, import_often, (void *)(uintptr_t) "a"), 0);
    CHECK_INT(pthread_create(&threads[3], NULL, import_often, (void *)(uintptr_t) "b"), 0);
    for (int i = 0; i < 10; i++)
        RUN("cd common; echo %d >>a; git commit -qam next; git push -q ../common.git main", i);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        failed = failed || result;
    }
    free(url);
    CHECK(!failed);
    RUN("cd common.mirror; git fsck --full --strict; test \"$(git for-each-ref refs/draftd | wc "
        "-l)\" = %d; test -z \"$(ls quarantine)\"",
        2 * ROUNDS);
}

static void *
open_race(void *path)
{
    struct err mine;
    struct repo *repo = NULL;
    const int r = repo_open_mirror(path, &repo, &mine);

    repo_free(repo);
    return r ? "failed" : NULL;
}

TEST(threads_make_one_mirror)
{
    bool failed = false;

    fixture_begin();
    for (int i = 0; i < 20; i++) {
        pthread_t threads[2];
        void *result;
        char path[192];
        snprintf(path, sizeof path, "%s/race%d.git", fixture_dir, i);
        for (int t = 0; t < 2; t++)
            CHECK_INT(pthread_create(&threads[t], NULL, open_race, path), 0);
        for (int t = 0; t < 2; t++) {
            pthread_join(threads[t], &result);
            failed = failed || result;
        }
    }
    CHECK(!failed);
}

#ifdef __SANITIZE_THREAD__
const char *__tsan_default_suppressions(void);

/* glibc's own lock around its time zone is not seen by the sanitizer: libgit2 calls mktime() for a signature. */
const char *
__tsan_default_suppressions(void)
{
    return "race:tzset_internal\n";
}
#endif

TEST_MAIN()
