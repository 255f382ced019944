/* What is left behind when not all of it can be removed. */
#include "sandbox/sandbox.h"

#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/fake_http.h"
#include "tests/harness/test.h"

#include <sys/stat.h>

#define TRIES 20 /* of one removal that the engine refuses */

#define LIST                                                                                       \
    "[{\"Id\":\"stuck\",\"Labels\":{\"draftd.instance\":\"i\",\"draftd.run\":\"1\"}},"             \
    "{\"Id\":\"free\",\"Labels\":{\"draftd.instance\":\"i\",\"draftd.run\":\"2\"}},"               \
    "{\"Id\":\"gone\",\"Labels\":{\"draftd.instance\":\"i\",\"draftd.run\":\"3\"}}]"

static struct fake_exchange script[TRIES + 3];

/* An engine that lists three containers and does not get rid of the first. */
static void
write_script(void)
{
    size_t at = 0;

    script[at++] = (struct fake_exchange){
        .expect = "GET /containers/json",
        .reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" LIST,
        .then = FAKE_CLOSE,
    };
    for (int i = 0; i < TRIES; i++)
        script[at++] = (struct fake_exchange){
            .expect = "DELETE /containers/stuck?",
            .reply = "HTTP/1.1 500 No\r\nContent-Length: 18\r\n\r\n{\"message\":\"busy\"}",
        };
    script[at++] = (struct fake_exchange){
        .expect = "DELETE /containers/free?",
        .reply = "HTTP/1.1 204 Done\r\n\r\n",
    };
    script[at++] = (struct fake_exchange){
        .expect = "DELETE /containers/gone?",
        .reply = "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n",
    };
}

/* A directory for sockets, with that of one door in it. */
static void
make_door(const char *doors, char **ret_door)
{
    struct err err = {0};

    *ret_door = str_printf("%s/12-work-abcdef", doors);
    CHECK(*ret_door);
    CHECK_OK(fs_make_dirs(*ret_door, 0700, &err), err);
}

TEST(one_that_cannot_be_removed_does_not_keep_the_rest)
{
    struct err err = {0};
    size_t removed = 99;
    auto_free char *directory = NULL;
    auto_free char *door = NULL;

    CHECK_OK(fs_make_temp_dir("/tmp", "or", &directory, &err), err);
    auto_free char *socket = str_printf("%s/engine", directory);
    auto_free char *address = str_printf("unix://%s", socket);
    make_door(directory, &door);
    write_script();
    struct fake_http *const engine = fake_http_new(socket, script, TRIES + 3);
    const struct sandbox_host host = {.engine = address, .doors_dir = directory, .instance = "i"};
    const int result = sandbox_remove_orphans(&host, NULL, NULL, &removed, &err);
    const char *const mistake = fake_http_mistake(engine);
    CHECK_STR(mistake ? mistake : "", "");
    fake_http_free(engine);
    CHECK_INT(result, ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "busy");
    CHECK_INT(removed, 99);
    CHECK(!fs_exists(door));
    CHECK_OK(fs_remove_tree(directory, &err), err);
}

TEST(an_engine_that_is_away_does_not_keep_the_doors)
{
    struct err err = {0};
    size_t removed = 99;
    auto_free char *directory = NULL;
    auto_free char *door = NULL;

    CHECK_OK(fs_make_temp_dir("/tmp", "or", &directory, &err), err);
    make_door(directory, &door);
    const struct sandbox_host host = {
        .engine = "unix:///nonexistent/engine", .doors_dir = directory, .instance = "i"};
    CHECK_INT(sandbox_remove_orphans(&host, NULL, NULL, &removed, &err), ERR_UNAVAILABLE);
    CHECK_STR(err.msg,
              "no container engine answers at /nonexistent/engine; start it, or correct its "
              "address: No such file or directory");
    CHECK(!fs_exists(door));
    CHECK_OK(fs_remove_tree(directory, &err), err);
}

TEST(a_socket_that_an_engine_left_behind_is_told)
{
    struct err err = {0};
    size_t removed = 99;
    auto_free char *directory = NULL;

    CHECK_OK(fs_make_temp_dir("/tmp", "or", &directory, &err), err);
    auto_free char *socket = str_printf("%s/engine", directory);
    auto_free char *address = str_printf("unix://%s", socket);
    CHECK_OK(fs_write_file(socket, bytes_of_str(""), 0600, &err), err);
    const struct sandbox_host host = {.engine = address, .doors_dir = directory, .instance = "i"};
    CHECK_INT(sandbox_remove_orphans(&host, NULL, NULL, &removed, &err), ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, socket);
    CHECK_CONTAINS(err.msg, "Connection refused");
    CHECK_OK(fs_remove_tree(directory, &err), err);
}

TEST_MAIN()
