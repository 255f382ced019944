/* The door without a container: who comes here is not the runner. */
#include "sandbox/door.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char *parent;

static struct door *
open_door(void)
{
    struct err err = {0};
    struct door *door = NULL;

    free(parent);
    parent = NULL;
    CHECK_OK(fs_make_temp_dir("/tmp", "doors", &parent, &err), err);
    CHECK_OK(door_open(parent, 12, "work", 1000, &door, &err), err);
    return door;
}

static void
close_door(struct door *door)
{
    struct stat st;
    auto_free char *directory = str_dup(door_directory(door));

    door_close(door);
    CHECK(stat(directory, &st) < 0 && errno == ENOENT);
    CHECK_INT(rmdir(parent), 0);
}

static int
connect_to(const struct door *door)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", door_directory(door));
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The answer to a request, all of it. */
static const char *
ask(const struct door *door, const char *request)
{
    static char answer[4096];
    const int fd = connect_to(door);
    size_t len = 0;
    ssize_t n;

    CHECK_INT(write(fd, request, strlen(request)), strlen(request));
    while (len < sizeof(answer) - 1 && (n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
        len += (size_t)n;
    answer[len] = 0;
    close(fd);
    return answer;
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: draftd-runner/1\r\n"

TEST(only_the_container_reaches_the_socket)
{
    struct door *const door = open_door();
    struct stat st;
    auto_free char *socket_path = str_printf("%s/socket", door_directory(door));

    CHECK_INT(stat(parent, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_INT(stat(door_directory(door), &st), 0);
    CHECK_INT(st.st_mode & 07777, 0711);
    CHECK_INT(stat(socket_path, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0666);
    CHECK_INT(door_run_of_name(strrchr(door_directory(door), '/') + 1), 12);
    close_door(door);
}

TEST(strangers_are_refused_in_json)
{
    struct door *const door = open_door();

    const char *answer = ask(door, "GET /runner HTTP/1.1\r\nHost: d\r\n" UPGRADE "\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 403 ");
    CHECK_CONTAINS(answer, "application/json");
    CHECK_CONTAINS(answer, "{\"error\":\"not_the_runner\"}");
    answer = ask(door, "GET / HTTP/1.1\r\nHost: d\r\n\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 404 ");
    answer = ask(door, "POST /runner HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc");
    CHECK_CONTAINS(answer, "HTTP/1.1 405 ");
    answer =
        ask(door, "GET /runner HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 426 ");
    ask(door, "nonsense\r\n\r\n");
    answer = ask(door, "GET / HTTP/1.1\r\nHost: d\r\n\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 404 ");
    close_door(door);
}

TEST(waiting_ends_at_the_deadline_and_by_a_stop)
{
    struct door *const door = open_door();
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err = {0};
    int fd = -1;
    const int64_t start_ms = clock_mono_ms();

    CHECK_INT(door_wait(door, start_ms + 100, NULL, &fd, &err), ERR_TIMEOUT);
    CHECK(clock_mono_ms() - start_ms >= 100);
    CHECK_OK(stop_new(&stop, &err), err);
    stop_raise(stop);
    CHECK_INT(door_wait(door, start_ms + 60000, stop, &fd, &err), ERR_CANCELED);
    close_door(door);
}

TEST(a_flood_raises_the_alarm)
{
    struct door *const door = open_door();
    struct err err = {0};
    int fd = -1;

    for (int i = 0; i < 300; i++)
        ask(door, "GET /x HTTP/1.1\r\nHost: d\r\n\r\n");
    CHECK(!door_flooded(door));
    for (int i = 0; i < 300; i++)
        ask(door, "GET /x HTTP/1.1\r\nHost: d\r\n\r\n");
    CHECK(door_flooded(door));
    CHECK_INT(door_wait(door, clock_mono_ms() + 1000, NULL, &fd, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "flooded");
    close_door(door);
}

TEST(idle_connections_do_not_keep_it_from_closing)
{
    struct door *const door = open_door();
    int fds[40];

    for (size_t i = 0; i < 40; i++)
        fds[i] = i < 16 ? connect_to(door) : -1;
    const int64_t start_ms = clock_mono_ms();
    close_door(door);
    CHECK(clock_mono_ms() - start_ms < 1000 * TEST_PATIENCE);
    for (size_t i = 0; i < 16; i++)
        close(fds[i]);
}

TEST(a_path_too_long_for_a_socket_is_told)
{
    struct err err = {0};
    struct door *door = NULL;
    auto_free char *base = NULL;
    char deep[200];

    CHECK_OK(fs_make_temp_dir("/tmp", "doors", &base, &err), err);
    snprintf(deep, sizeof(deep), "%s/%0100d", base, 0);
    CHECK_INT(door_open(deep, 1, "work", 1000, &door, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "shorter state_dir");
    CHECK_OK(fs_remove_tree(base, &err), err);
}

TEST(names_of_other_directories_are_no_doors)
{
    CHECK_INT(door_run_of_name("12-work-abc"), 12);
    CHECK_INT(door_run_of_name("0-probe-abc"), 0);
    CHECK_INT(door_run_of_name("."), -1);
    CHECK_INT(door_run_of_name("12"), -1);
    CHECK_INT(door_run_of_name("-5-work"), -1);
    CHECK_INT(door_run_of_name("work-1"), -1);
}

TEST_MAIN()
