/* Secrets: where they are looked for, and what is refused. */
#include "server/base/fs.h"
#include "server/base/secret.h"
#include "tests/harness/test.h"

/* A directory with a file of the given contents in it. */
struct place {
    char *dir;
    char *file;
};

static void
place_done(struct place *place)
{
    const int r = place->dir ? fs_remove_tree(place->dir, NULL) : 0;

    (void)r;
    free(place->dir);
    free(place->file);
}

static void
place_make(struct place *place, struct bytes contents)
{
    struct err err = {0};

    CHECK_OK(fs_make_temp_dir("/tmp", "draftd-test-", &place->dir, &err), err);
    place->file = str_printf("%s/name", place->dir);
    CHECK_OK(fs_write_file(place->file, contents, 0600, &err), err);
}

TEST(a_trailing_line_end_is_dropped)
{
    static const char *const contents[] = {"s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"};

    for (size_t i = 0; i < 4; i++) {
        AUTO_DONE(place_done) struct place place = {0};
        AUTO(secret_free) struct secret *secret = NULL;
        struct err err = {0};
        place_make(&place, bytes_of_str(contents[i]));
        CHECK_OK(secret_load(place.file, NULL, &secret, &err), err);
        CHECK_STR(secret_reveal(secret).ptr, "s3cret");
        CHECK_INT(secret_reveal(secret).len, 6);
    }
}

TEST(white_space_inside_and_nul_are_kept)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO(secret_free) struct secret *secret = NULL;
    struct err err = {0};

    place_make(&place, bytes_of(" a\n\0b \n", 7));
    CHECK_OK(secret_load(place.file, NULL, &secret, &err), err);
    CHECK_INT(secret_reveal(secret).len, 6);
    CHECK(memcmp(secret_reveal(secret).ptr, " a\n\0b ", 7) == 0);
}

TEST(names_are_looked_for_in_the_right_place)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO(secret_free) struct secret *beside = NULL;
    AUTO(secret_free) struct secret *credential = NULL;
    struct err err = {0};

    place_make(&place, bytes_of_str("x"));
    unsetenv("CREDENTIALS_DIRECTORY");
    CHECK_OK(secret_load("name", place.dir, &beside, &err), err);
    setenv("CREDENTIALS_DIRECTORY", place.dir, 1);
    CHECK_OK(secret_load("name", "/nonexistent", &credential, &err), err);
    auto_free char *absolute = secret_path("/etc/x", "/base");
    auto_free char *named = secret_path("x", "/base");
    CHECK_STR(absolute, "/etc/x");
    CHECK(strncmp(named, place.dir, strlen(place.dir)) == 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    auto_free char *local = secret_path("x", "/base");
    auto_free char *here = secret_path("x", NULL);
    CHECK_STR(local, "/base/x");
    CHECK_STR(here, "./x");
}

TEST(errors_name_the_file_and_never_the_contents)
{
    AUTO_DONE(place_done) struct place empty = {0};
    AUTO_DONE(place_done) struct place large = {0};
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(100000);
    struct secret *secret = NULL;
    struct err err = {0};

    place_make(&empty, bytes_of_str("\n"));
    CHECK_INT(secret_load(empty.file, NULL, &secret, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, empty.file);
    CHECK_CONTAINS(err.msg, "is empty; write the secret into it");
    while (text.len < 70000)
        strbuf_add_str(&text, "hunter2");
    place_make(&large, bytes_of(text.ptr, text.len));
    CHECK_INT(secret_load(large.file, NULL, &secret, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "is larger than 65536 bytes");
    CHECK(!strstr(err.msg, "hunter2"));
    CHECK_INT(secret_load("/nonexistent/x", NULL, &secret, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "reading /nonexistent/x: No such file or directory");
    CHECK_INT(secret_load("/", NULL, &secret, &err), ERR_IO);
    CHECK(!secret);
}

TEST(a_copy_stands_alone)
{
    struct secret *first = NULL;
    AUTO(secret_free) struct secret *second = NULL;
    struct err err = {0};

    CHECK_OK(secret_new(bytes_of_str("abc"), &first, &err), err);
    CHECK_OK(secret_copy(first, &second, &err), err);
    secret_free(first);
    CHECK_STR(secret_reveal(second).ptr, "abc");
    secret_free(NULL);
}

TEST(an_empty_secret_can_be_held)
{
    AUTO(secret_free) struct secret *secret = NULL;
    struct err err = {0};

    CHECK_OK(secret_new(bytes_of(NULL, 0), &secret, &err), err);
    CHECK_INT(secret_reveal(secret).len, 0);
    CHECK_STR(secret_reveal(secret).ptr, "");
}

TEST_MAIN()
