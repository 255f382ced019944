/* Opening, reading and comparing, on repositories that git itself has made. */
#include "server/base/clock.h"
#include "tests/integrations/git/repo_fixture.h"

#include <utime.h>

static struct err err;

/* work: a repository with two commits; its ids in the files `first` and `second`. */
static void
begin(void)
{
    static bool made;

    fixture_begin();
    if (made)
        return;
    made = true;
    RUN("git init -q -b main work; cd work; mkdir dir;"
        "printf 'one\\ntwo\\nthree\\nfour\\nfive\\nsix\\n' >a.txt; printf 'x\\0y' >b.bin; echo "
        "inner >dir/c;"
        "printf 'old name\\n1\\n2\\n3\\n4\\n' >old; ln -s a.txt link; echo gone >gone;"
        "git add .; git commit -qm first; git rev-parse HEAD >../first;"
        "printf 'one\\nTWO\\nthree\\nfour\\nfive\\nsix\\nseven\\r\\n' >a.txt; printf 'x\\0z!' "
        ">b.bin;"
        "git mv old new; git rm -q gone; printf '#!/bin/sh\\nexit 0\\n' >run.sh; chmod +x run.sh;"
        "git add .; git commit -qm second; git rev-parse HEAD >../second");
}

static struct repo *
open_work(void)
{
    struct repo *repo = NULL;

    begin();
    CHECK_OK(repo_open(fixture_path(0, "work"), &repo, &err), err);
    return repo;
}

static const char *
first(void)
{
    static char id[65];
    snprintf(id, sizeof id, "%s", fixture_text("first"));
    return id;
}

static const char *
second(void)
{
    static char id[65];
    snprintf(id, sizeof id, "%s", fixture_text("second"));
    return id;
}

TEST(no_repository_is_not_found)
{
    struct repo *repo = NULL;

    fixture_begin();
    CHECK_INT(repo_open(fixture_path(0, "nothing"), &repo, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "nothing");
}

TEST(branches_and_head_are_read)
{
    AUTO(repo_free) struct repo *repo = open_work();
    char id[REPO_COMMIT_BYTES];
    auto_free char *branch = NULL;

    CHECK_OK(repo_resolve(repo, "main", id, &err), err);
    CHECK_STR(id, second());
    CHECK_OK(repo_resolve(repo, "refs/heads/main", id, &err), err);
    CHECK_OK(repo_resolve(repo, "HEAD", id, &err), err);
    CHECK_STR(id, second());
    CHECK_INT(repo_resolve(repo, "other", id, &err), ERR_NOTFOUND);
    CHECK_INT(repo_resolve(repo, "..", id, &err), ERR_INVALID);
    CHECK_OK(repo_head_branch(repo, &branch, &err), err);
    CHECK_STR(branch, "main");
    CHECK_STR(repo_objects_dir(repo), fixture_path(1, "work/.git/objects"));
}

TEST(a_detached_or_unborn_head_is_not_found)
{
    AUTO(repo_free) struct repo *repo = NULL;
    AUTO(repo_free) struct repo *unborn = NULL;
    char *branch = NULL;

    begin();
    RUN("git clone -q work detached; git -C detached checkout -q --detach; git init -q -b main "
        "unborn");
    CHECK_OK(repo_open(fixture_path(0, "detached"), &repo, &err), err);
    CHECK_INT(repo_head_branch(repo, &branch, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "not on a branch");
    CHECK_OK(repo_open(fixture_path(0, "unborn"), &unborn, &err), err);
    CHECK_INT(repo_head_branch(unborn, &branch, &err), ERR_NOTFOUND);
}

TEST(files_of_a_commit_are_read)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(100);
    AUTO_DONE(strbuf_done) struct strbuf small = STRBUF_INIT(10);

    strbuf_add_str(&buf, "> ");
    CHECK_OK(repo_read_file(repo, first(), "dir/c", &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), "> inner\n");
    CHECK_INT(repo_read_file(repo, first(), "run.sh", &buf, &err), ERR_NOTFOUND);
    CHECK_INT(repo_read_file(repo, first(), "dir", &buf, &err), ERR_INVALID);
    CHECK_INT(repo_read_file(repo, first(), "link", &buf, &err), ERR_INVALID);
    CHECK_INT(repo_read_file(repo, "main", "dir/c", &buf, &err), ERR_INVALID);
    CHECK_INT(repo_read_file(repo, first(), "a.txt", &small, &err), ERR_LIMIT);
    CHECK_CONTAINS(err.msg, "a.txt");
}

TEST(the_common_ancestor_is_found)
{
    AUTO(repo_free) struct repo *repo = open_work();
    char base[REPO_COMMIT_BYTES] = "";

    CHECK_OK(repo_merge_base(repo, second(), first(), base, &err), err);
    CHECK_STR(base, first());
    CHECK_OK(repo_merge_base(repo, first(), second(), base, &err), err);
    CHECK_STR(base, first());
    CHECK_OK(repo_merge_base(repo, second(), second(), base, &err), err);
    CHECK_STR(base, second());
    CHECK_INT(repo_merge_base(repo, "main", second(), base, &err), ERR_INVALID);
}

struct seen {
    struct strbuf text;
    int stop_after;
};

static int
see_line(void *ctx, const char *path, int64_t line, struct bytes text)
{
    struct seen *seen = ctx;

    strbuf_addf(&seen->text, "%s:%d:", path, (int)line);
    strbuf_add_bytes(&seen->text, text);
    strbuf_add_char(&seen->text, '|');
    return --seen->stop_after == 0 ? 77 : 0;
}

TEST(a_diff_tells_what_changed)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    struct seen seen = {.text = STRBUF_INIT(4096)};
    const struct repo_diff_options options = {.added_line = see_line, .ctx = &seen};

    CHECK_OK(repo_diff(repo, first(), second(), &options, &diff, &err), err);
    CHECK_INT(diff.count, 5);
    CHECK_STR(diff.items[0].path, "a.txt");
    CHECK_INT(diff.items[0].kind, REPO_MODIFIED);
    CHECK_INT(diff.items[0].added_lines, 2);
    CHECK_INT(diff.items[0].deleted_lines, 1);
    CHECK(!diff.items[0].binary && !diff.items[0].executable);
    CHECK_STR(diff.items[1].path, "b.bin");
    CHECK(diff.items[1].binary);
    CHECK_INT(diff.items[1].new_bytes, 4);
    CHECK_STR(diff.items[2].path, "gone");
    CHECK_INT(diff.items[2].kind, REPO_DELETED);
    CHECK_INT(diff.items[2].deleted_lines, 1);
    CHECK_STR(diff.items[3].path, "new");
    CHECK_INT(diff.items[3].kind, REPO_RENAMED);
    CHECK_STR(diff.items[3].old_path, "old");
    CHECK_STR(diff.items[4].path, "run.sh");
    CHECK_INT(diff.items[4].kind, REPO_ADDED);
    CHECK(diff.items[4].executable);
    CHECK_INT(diff.added_lines, 4);
    CHECK_INT(diff.deleted_lines, 2);
    CHECK_STR(strbuf_str(&seen.text),
              "a.txt:2:TWO|a.txt:7:seven|run.sh:1:#!/bin/sh|run.sh:2:exit 0|");
    strbuf_done(&seen.text);
}

TEST(a_line_function_can_stop_the_diff)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    struct seen seen = {.text = STRBUF_INIT(4096), .stop_after = 2};
    const struct repo_diff_options options = {.added_line = see_line, .ctx = &seen};

    CHECK_INT(repo_diff(repo, first(), second(), &options, &diff, &err), 77);
    CHECK_STR(strbuf_str(&seen.text), "a.txt:2:TWO|a.txt:7:seven|");
    CHECK_INT(diff.count, 0);
    strbuf_done(&seen.text);
}

TEST(a_diff_ends_when_it_is_asked_to)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO(stop_free) struct stop *stop = NULL;
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};

    CHECK_OK(stop_new(&stop, &err), err);
    struct repo_diff_options options = {
        .watch = {.stop = stop, .deadline_ms = clock_mono_ms() + MS_PER_MINUTE}};
    CHECK_OK(repo_diff(repo, first(), second(), &options, &diff, &err), err);
    repo_diff_done(&diff);
    options.watch.deadline_ms = clock_mono_ms() - 1;
    CHECK_INT(repo_diff(repo, first(), second(), &options, &diff, &err), ERR_TIMEOUT);
    CHECK_CONTAINS(err.msg, "it takes too long");
    stop_raise(stop);
    CHECK_INT(repo_diff(repo, first(), second(), &options, &diff, &err), ERR_CANCELED);
    CHECK_INT(diff.count, 0);
}

/* The first line raises the stop; the second file is not looked at any more. */
static int
raise_stop(void *ctx, const char *path, int64_t line, struct bytes text)
{
    (void)path;
    (void)line;
    (void)text;
    stop_raise(ctx);
    return 0;
}

TEST(a_diff_is_stopped_between_files)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO(stop_free) struct stop *stop = NULL;
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};

    CHECK_OK(stop_new(&stop, &err), err);
    const struct repo_diff_options options = {
        .added_line = raise_stop, .ctx = stop, .watch = {.stop = stop}};
    CHECK_INT(repo_diff(repo, first(), second(), &options, &diff, &err), ERR_CANCELED);
}

TEST(no_difference_is_an_empty_diff)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};

    CHECK_OK(repo_diff(repo, first(), first(), NULL, &diff, &err), err);
    CHECK_INT(diff.count, 0);
}

TEST(a_file_that_became_a_link_is_one_change)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    char id[65];

    RUN("cd work; git checkout -q -b types; rm a.txt; ln -s dir/c a.txt; git commit -qam types;"
        "git rev-parse HEAD >../types; git checkout -q main");
    snprintf(id, sizeof id, "%s", fixture_text("types"));
    CHECK_OK(repo_diff(repo, second(), id, NULL, &diff, &err), err);
    CHECK_INT(diff.count, 1);
    CHECK_STR(diff.items[0].path, "a.txt");
    CHECK_INT(diff.items[0].kind, REPO_MODIFIED);
}

TEST(text_of_enormous_files_is_not_compared)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    char id[65];

    RUN("cd work; git checkout -q -b huge; yes line | head -c 6000000 >huge; git add .; git commit "
        "-qm huge;"
        "git rev-parse HEAD >../huge; git checkout -q main");
    snprintf(id, sizeof id, "%s", fixture_text("huge"));
    CHECK_OK(repo_diff(repo, second(), id, NULL, &diff, &err), err);
    CHECK_INT(diff.count, 1);
    CHECK(diff.items[0].large && !diff.items[0].binary);
    CHECK_INT(diff.items[0].new_bytes, 6000000);
    CHECK_INT(diff.added_lines, 0);
}

TEST(a_diff_tells_what_files_held)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    struct strbuf buf = STRBUF_INIT(16);
    char id[65];

    RUN("cd work; git checkout -q -b kinds; head -c 600000 /dev/zero >big; rm a.txt; ln -s run.sh "
        "a.txt; git add .; git commit -qm kinds; git rev-parse HEAD >../kinds; git checkout -q "
        "main");
    snprintf(id, sizeof id, "%s", fixture_text("kinds"));
    CHECK_OK(repo_diff(repo, second(), id, NULL, &diff, &err), err);
    CHECK_INT(diff.count, 2);
    CHECK(diff.items[0].retyped && !diff.items[0].binary && !diff.items[0].large);
    CHECK(diff.items[0].old_bytes > 6 && diff.items[0].new_bytes == 6);
    CHECK_OK(repo_read_blob(repo, diff.items[0].new_blob, &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), "run.sh");
    CHECK_INT(repo_read_blob(repo, diff.items[0].old_blob, &buf, &err), ERR_LIMIT);
    CHECK_INT(repo_read_blob(repo, id, &buf, &err), ERR_INVALID);
    strbuf_done(&buf);
    CHECK(diff.items[1].large && diff.items[1].binary && !diff.items[1].retyped);
    CHECK_STR(diff.items[1].old_blob, "");
    CHECK_INT(diff.items[1].old_bytes, 0);
}

TEST(a_diff_as_text_is_what_git_prints)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(1 << 16);

    CHECK_OK(repo_diff_text(repo, first(), second(), 1 << 15, &buf, &err), err);
    RUN("git -C work diff -M --full-index first..second 2>/dev/null >expected || true");
    CHECK_CONTAINS(strbuf_str(&buf), "\n-two\n+TWO\n three\n");
    CHECK_CONTAINS(strbuf_str(&buf), "rename from old\nrename to new\n");
    CHECK_CONTAINS(strbuf_str(&buf), "new file mode 100755");
}

TEST(a_long_diff_is_cut_at_a_line)
{
    AUTO(repo_free) struct repo *repo = open_work();
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(1 << 16);

    CHECK_OK(repo_diff_text(repo, first(), second(), 150, &buf, &err), err);
    CHECK_CONTAINS(strbuf_str(&buf), "diff --git a/a.txt b/a.txt\n");
    CHECK_CONTAINS(strbuf_str(&buf), "\n[the diff is longer than 150 bytes and was cut here]\n");
    CHECK(buf.len < 250);
}

TEST(a_mirror_is_made_once_and_opened_again)
{
    AUTO(repo_free) struct repo *a = NULL;
    AUTO(repo_free) struct repo *b = NULL;

    fixture_begin();
    CHECK_OK(repo_open_mirror(fixture_path(0, "deep/mirror.git"), &a, &err), err);
    CHECK_OK(repo_open_mirror(fixture_path(0, "deep/mirror.git"), &b, &err), err);
    CHECK_STR(repo_objects_dir(a), fixture_path(1, "deep/mirror.git/objects"));
    RUN("test \"$(git -C deep/mirror.git rev-parse --is-bare-repository)\" = true");
}

TEST(a_half_made_mirror_is_completed)
{
    AUTO(repo_free) struct repo *repo = NULL;

    fixture_begin();
    RUN("mkdir -p half.git/objects; echo 'ref: refs/heads/main' >half.git/HEAD");
    CHECK_OK(repo_open_mirror(fixture_path(0, "half.git"), &repo, &err), err);
    RUN("git -C half.git fsck");
}

TEST(a_mirror_in_an_impossible_place_is_an_error)
{
    struct repo *repo = NULL;

    fixture_begin();
    RUN("echo file >file");
    CHECK_INT(repo_open_mirror(fixture_path(0, "file/mirror.git"), &repo, &err), ERR_IO);
}

TEST(what_a_crash_left_in_quarantine_is_swept)
{
    AUTO(repo_free) struct repo *repo = NULL;
    const struct utimbuf old = {.actime = 1000000000, .modtime = 1000000000};

    fixture_begin();
    RUN("git init -q --bare swept.git; mkdir -p swept.git/quarantine/q1/objects "
        "swept.git/quarantine/q2;"
        "touch swept.git/quarantine/q1/objects/x");
    CHECK_INT(utime(fixture_path(0, "swept.git/quarantine/q1"), &old), 0);
    CHECK_OK(repo_open_mirror(fixture_path(0, "swept.git"), &repo, &err), err);
    CHECK(!fs_exists(fixture_path(0, "swept.git/quarantine/q1")));
    CHECK(fs_exists(fixture_path(0, "swept.git/quarantine/q2"))); /* may be in use */
}

TEST(configuration_of_the_account_is_not_read)
{
    AUTO(repo_free) struct repo *mirror = NULL;
    AUTO(repo_free) struct repo *work = NULL;
    char id[REPO_COMMIT_BYTES];

    begin();
    RUN("git config --global init.defaultBranch elsewhere; git config --global "
        "url./nowhere/.insteadOf %s/",
        fixture_dir);
    CHECK_OK(repo_open_mirror(fixture_path(0, "config.git"), &mirror, &err), err);
    const struct repo_remote remote = {.url = fixture_path(1, "work")};
    const int r = repo_remote_branch(mirror, &remote, "main", id, &err);
    RUN("rm .gitconfig; ! grep elsewhere config.git/HEAD");
    CHECK_INT(r, 0);
    /* Neither is a redirection in the repository's own. */
    RUN("git -C work config url./nowhere/.insteadOf %s/", fixture_dir);
    CHECK_OK(repo_open(fixture_path(0, "work"), &work, &err), err);
    CHECK_OK(repo_remote_branch(work, &remote, "main", id, &err), err);
}

TEST_MAIN()
