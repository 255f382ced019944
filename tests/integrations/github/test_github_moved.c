/* Repositories that have another name now, and tokens of another format, against the stand-in. Each
 * test ends by asking for violations: there must be none. */
#include "integrations/github/github.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#define OLD "acme/old"

static int
ignore_comment(void *ctx, const struct github_comment *comment, struct err *err)
{
    (void)comment;
    (void)err;
    *(size_t *)ctx += 1;
    return 0;
}

/* Reading goes on under the old name, and the new one is told. */
static void
check_moved(struct github *github, bool as_app)
{
    size_t count = 0;
    struct err err;
    int64_t id;

    CHECK(!github_moved_to(github, OLD));
    json_decref(world_post("issues/7/comments",
                           json_pack("{s:s, s:s, s:i}", "user", "ann", "body", "x", "times", 101)));
    CHECK_OK(github_each_comment(github, OLD, 7, ignore_comment, &count, &err), err);
    CHECK_INT(count, 101);
    CHECK_STR(github_moved_to(github, OLD), REPO);
    CHECK_STR(github_moved_to(github, "Acme/Old"), REPO);
    CHECK(!github_moved_to(github, REPO));
    CHECK_INT(world_calls("repos/get"), as_app ? 0 : 1);
    CHECK_OK(github_each_comment(github, REPO, 7, ignore_comment, &count, &err), err);
    CHECK_OK(github_each_comment(github, OLD, 7, ignore_comment, &count, &err), err);
    CHECK_STR(github_moved_to(github, OLD), REPO);
    CHECK_INT(world_calls("repos/get"), as_app ? 0 : 1);
    CHECK_INT(github_create_comment(github, OLD, 7, "hi", &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "renamed or moved (307): use its new name");
    CHECK_OK(github_create_comment(github, github_moved_to(github, OLD), 7, "hi", &id, &err), err);
}

TEST(a_renamed_repository_is_read_and_its_name_told)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        check_moved(github, mode == AS_APP);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(a_server_s_renamed_repository_is_read_and_its_name_told)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_server_client((enum mode)mode);
        check_moved(github, mode == AS_APP);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(the_name_is_told_where_only_writing_was_tried)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        struct err err;
        int64_t id;

        CHECK_INT(github_create_comment(github, OLD, 7, "hi", &id, &err), ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "commenting on " OLD "#7");
        CHECK_CONTAINS(err.msg, "renamed or moved (307): use its new name");
        CHECK_STR(github_moved_to(github, OLD), REPO);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(the_name_is_told_where_a_token_was_kept)
{
    struct err err;
    size_t count = 0;

    world_begin();
    struct github *one = world_client(AS_APP);
    struct github *two = world_client(AS_APP);
    CHECK_OK(github_each_comment(one, OLD, 7, ignore_comment, &count, &err), err);
    CHECK_OK(github_each_comment(two, OLD, 7, ignore_comment, &count, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 1);
    CHECK_STR(github_moved_to(two, OLD), REPO);
    github_free(two);
    CHECK_INT(world_end(one), 0);
}

TEST(redirects_elsewhere_name_no_repository)
{
    static const char *const places[] = {"/repositories/x", "/repositories/", "/elsewhere/7",
                                         "https://evil.example.org/repositories/7",
                                         NULL}; /* stands for a host whose name is as long */
    struct err err;
    int64_t id;

    world_begin();
    struct github *github = world_client(AS_USER);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *const origin = github_fixture_url(world_stand_in());
        auto_free char *place = !places[i] ? str_printf("%.*s/repositories/7", (int)strlen(origin),
                                                        "https://evil.example.org.example.org")
                                : places[i][0] == '/' ? str_printf("%s%s", origin, places[i])
                                                      : str_dup(places[i]);
        world_inject("/comments$",
                     json_pack("{s:i, s:{s:s}}", "status", 307, "headers", "location", place));
        CHECK_INT(github_create_comment(github, REPO, 7, "hi", &id, &err), ERR_NOTFOUND);
        CHECK(!github_moved_to(github, REPO));
    }
    CHECK_INT(world_calls("repos/get"), 0);
    CHECK_INT(world_end(github), 0);
}

/* --- Tokens of the classic format */

static void
check_token(struct github *github, bool is_classic)
{
    struct secret *password;
    char *url;
    char *user;
    struct err err;

    CHECK_OK(github_git_access(github, REPO, &url, &user, &password, &err), err);
    CHECK_INT(secret_reveal(password).len < 100, is_classic);
    free(url);
    free(user);
    secret_free(password);
}

TEST(a_classic_token_can_be_asked_for)
{
    struct err err;

    world_begin();
    struct github *github = world_client(AS_APP);
    check_token(github, false);
    CHECK_OK(github_forget_stateless_token(github, "ACME/widget", &err), err);
    check_token(github, true);
    check_token(github, true);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 2);
    github_forget_token(github, REPO);
    check_token(github, true);
    CHECK_OK(github_forget_stateless_token(github, "acme/other", &err), err);
    github_forget_token(github, REPO);
    check_token(github, false);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
