/* Files and directories: what survives, what is refused. */
#include "server/base/fs.h"
#include "tests/harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* A fresh directory, removed at the end of the case. */
struct place {
    char *dir;
};

static void
place_done(struct place *place)
{
    const int r = place->dir ? fs_remove_tree(place->dir, NULL) : 0;

    (void)r;
    free(place->dir);
}

static void
place_make(struct place *place)
{
    struct err err = {0};

    CHECK_OK(fs_make_temp_dir("/tmp", "draftd-test-", &place->dir, &err), err);
}

/* DIR/NAME.  Owns: the caller's. */
static char *
below(const struct place *place, const char *name)
{
    char *path = str_printf("%s/%s", place->dir, name);

    CHECK(path);
    return path;
}

static void
check_contents(const char *path, const char *expected)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(1000000);
    struct err err = {0};

    CHECK_OK(fs_read_file(path, &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), expected);
}

TEST(files_are_written_and_replaced_with_their_mode)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};
    struct stat facts;

    place_make(&place);
    auto_free char *path = below(&place, "f");
    CHECK_OK(fs_write_file(path, bytes_of_str("one"), 0600, &err), err);
    check_contents(path, "one");
    CHECK_OK(fs_write_file(path, bytes_of_str(""), 0644, &err), err);
    check_contents(path, "");
    CHECK(stat(path, &facts) == 0);
    CHECK_INT(facts.st_mode & 07777, 0644);
}

TEST(a_failed_write_leaves_nothing_behind)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};

    place_make(&place);
    auto_free char *path = below(&place, "d");
    CHECK(mkdir(path, 0700) == 0);
    CHECK_INT(fs_write_file(path, bytes_of_str("x"), 0600, &err), ERR_IO);
    CHECK(rmdir(path) == 0);
    CHECK(rmdir(place.dir) == 0); /* empty: no temporary file */
    CHECK_INT(fs_write_file("/nonexistent/x", bytes_of_str("x"), 0600, &err), ERR_IO);
    CHECK_CONTAINS(err.msg, "creating a file beside /nonexistent/x: No such file");
}

TEST(the_directory_of_any_path_can_be_flushed)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};

    place_make(&place);
    auto_free char *path = below(&place, "f");
    CHECK_OK(fs_sync_parent(path, &err), err);
    CHECK_OK(fs_sync_parent("f", &err), err);
    CHECK_OK(fs_sync_parent("/f", &err), err);
    CHECK_INT(fs_sync_parent("/nonexistent/f", &err), ERR_IO);
    CHECK_CONTAINS(err.msg, "flushing /nonexistent: No such file");
}

TEST(reading_has_a_cap_and_tells_what_is_missing)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO_DONE(strbuf_done) struct strbuf small = STRBUF_INIT(3);
    struct err err = {0};

    place_make(&place);
    auto_free char *path = below(&place, "f");
    CHECK_OK(fs_write_file(path, bytes_of_str("1234"), 0600, &err), err);
    CHECK_INT(fs_read_file(path, &small, &err), ERR_LIMIT);
    CHECK_CONTAINS(err.msg, "is larger than 3 bytes");
    strbuf_reset(&small);
    CHECK_INT(fs_read_file("/nonexistent/f", &small, &err), ERR_NOTFOUND);
    CHECK_INT(fs_read_file(place.dir, &small, &err), ERR_IO);
}

TEST(large_files_are_read_whole)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(300000);
    AUTO_DONE(strbuf_done) struct strbuf back = STRBUF_INIT(300000);
    struct err err = {0};

    place_make(&place);
    auto_free char *path = below(&place, "f");
    for (int i = 0; text.len < 299990; i++)
        strbuf_addf(&text, "%d,", i);
    CHECK_OK(fs_write_file(path, bytes_of(text.ptr, text.len), 0600, &err), err);
    CHECK_OK(fs_read_file(path, &back, &err), err);
    CHECK_STR(strbuf_str(&back), strbuf_str(&text));
}

TEST(directories_are_made_with_their_parents)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};
    struct stat facts;

    place_make(&place);
    auto_free char *deep = below(&place, "a/b//c/");
    auto_free char *file = below(&place, "f");
    auto_free char *under_file = below(&place, "f/x");
    CHECK_OK(fs_make_dirs(deep, 0750, &err), err);
    CHECK_OK(fs_make_dirs(deep, 0700, &err), err);
    CHECK(stat(deep, &facts) == 0 && S_ISDIR(facts.st_mode));
    CHECK_INT(facts.st_mode & 07777, 0750);
    CHECK_OK(fs_write_file(file, bytes_of_str("x"), 0600, &err), err);
    CHECK_INT(fs_make_dirs(under_file, 0700, &err), ERR_IO);
    CHECK_INT(fs_make_dirs(file, 0700, &err), ERR_IO);
}

TEST(trees_are_removed_without_following_links)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};

    place_make(&place);
    auto_free char *kept = below(&place, "kept");
    auto_free char *kept_file = below(&place, "kept/file");
    auto_free char *tree = below(&place, "tree");
    auto_free char *deep = below(&place, "tree/a/b/c");
    auto_free char *link = below(&place, "tree/a/link");
    auto_free char *dangling = below(&place, "tree/dangling");
    CHECK_OK(fs_make_dirs(kept, 0700, &err), err);
    CHECK_OK(fs_write_file(kept_file, bytes_of_str("x"), 0600, &err), err);
    CHECK_OK(fs_make_dirs(deep, 0700, &err), err);
    CHECK(symlink(kept, link) == 0);
    CHECK(symlink("/nonexistent", dangling) == 0);
    CHECK_OK(fs_remove_tree(tree, &err), err);
    CHECK(!fs_exists(tree));
    check_contents(kept_file, "x");
    CHECK_OK(fs_remove_tree(tree, &err), err); /* nothing there */
}

TEST(a_link_to_a_tree_is_removed_alone)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};

    place_make(&place);
    auto_free char *kept = below(&place, "kept");
    auto_free char *link = below(&place, "link");
    CHECK_OK(fs_make_dirs(kept, 0700, &err), err);
    CHECK(symlink(kept, link) == 0);
    CHECK_OK(fs_remove_tree(link, &err), err);
    CHECK(!fs_exists(link));
    CHECK(fs_exists(kept));
}

TEST(temporary_directories_are_private_and_distinct)
{
    AUTO_DONE(place_done) struct place one = {0};
    AUTO_DONE(place_done) struct place two = {0};
    struct err err = {0};
    struct stat facts;
    char *none = NULL;

    place_make(&one);
    place_make(&two);
    CHECK(strcmp(one.dir, two.dir) != 0);
    CHECK(stat(one.dir, &facts) == 0);
    CHECK_INT(facts.st_mode & 07777, 0700);
    CHECK_INT(fs_make_temp_dir("/nonexistent", "x", &none, &err), ERR_IO);
    CHECK(!none);
}

TEST(existence_and_free_space)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    auto_free char *dangling = below(&place, "dangling");
    CHECK(symlink("/nonexistent", dangling) == 0);
    CHECK(fs_exists(place.dir));
    CHECK(fs_exists(dangling));
    CHECK(!fs_exists("/nonexistent"));
    CHECK(fs_free_bytes(place.dir) >= 0);
    CHECK(fs_free_bytes("/nonexistent") == INT64_MAX);
}

TEST(a_lock_is_held_once)
{
    AUTO_DONE(place_done) struct place place = {0};
    struct err err = {0};
    int first = -1;
    auto_close int second = -1;

    place_make(&place);
    auto_free char *path = below(&place, "lock");
    CHECK_OK(fs_lock(path, &first, &err), err);
    CHECK_INT(fs_lock(path, &second, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "is held by another process");
    CHECK_INT(second, -1);
    close(first);
    CHECK_OK(fs_lock(path, &second, &err), err);
    CHECK(fcntl(second, F_GETFD) & FD_CLOEXEC);
}

TEST(short_writes_are_resumed)
{
    struct err err = {0};
    int ends[2];
    char back[8] = {0};

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_OK(fs_write_all(ends[1], bytes_of_str("abc"), &err), err);
    CHECK_OK(fs_write_all(ends[1], bytes_of(NULL, 0), &err), err);
    CHECK_INT(read(ends[0], back, sizeof(back)), 3);
    CHECK_STR(back, "abc");
    close(ends[0]);
    close(ends[1]);
    CHECK_INT(fs_write_all(-1, bytes_of_str("abc"), &err), ERR_IO);
}

TEST_MAIN()
