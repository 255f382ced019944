/* The runner's parts that need no container: the cap on output, and the watch on the disk. */
#include "sandbox/runner/disk.h"
#include "sandbox/runner/now.h"
#include "sandbox/runner/output.h"

#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct link wire;
static struct output output;
static int door_end;
static char received[400000];

static void
begin(uint64_t allowed, bool raw)
{
    int pair[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    wire = (struct link){.fd = pair[0]};
    door_end = pair[1];
    output_begin(&output, allowed, raw);
}

static void
print(const char *text)
{
    output_take(&output, &wire, FRAME_STDOUT, bytes_of_str(text));
}

/* Finish, and what came over the wire without its headers. */
static const char *
finish(void)
{
    static char stream[500000];
    size_t len = 0;
    size_t used = 0;
    size_t out = 0;
    struct frame frame;
    ssize_t n;

    CHECK_INT(output_finish(&output, &wire), 0);
    CHECK_INT(link_send(&wire), 0);
    while ((n = read(door_end, stream + len, sizeof(stream) - len)) > 0)
        len += (size_t)n;
    while ((n = frame_parse(bytes_of(stream + used, len - used), &frame)) > 0) {
        memcpy(received + out, frame.payload.ptr, frame.payload.len);
        out += frame.payload.len;
        used += (size_t)n;
    }
    CHECK_INT(used, len);
    received[out] = 0;
    close(wire.fd);
    close(door_end);
    return received;
}

TEST(output_below_the_cap_goes_through)
{
    begin(100, false);
    print("hello ");
    print("world");
    CHECK_STR(finish(), "hello world");
    CHECK_INT(output.dropped, 0);
}

TEST(output_over_the_cap_keeps_its_end_without_a_gap)
{
    begin(4, false);
    print("hello ");
    print("world");
    CHECK_STR(finish(), "hello world");
    CHECK_INT(output.dropped, 0);
}

TEST(the_gap_is_told_and_the_ring_comes_in_order)
{
    static char line[32];

    begin(10, false);
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "%08d\n", i);
        print(line);
    }
    const char *const text = finish();
    CHECK(strncmp(text, "00000000\n0\n[... 114454 bytes of output left out ...]\n", 52) == 0);
    CHECK_INT(output.dropped, 20000 * 9 - 10 - 65536);
    const size_t len = strlen(text);
    CHECK_STR(text + len - 18, "00019998\n00019999\n");
    for (size_t at = len - 9, i = 19999; i > 19999 - 7000; i--, at -= 9)
        CHECK_INT(strtol(text + at, NULL, 10), i);
}

TEST(raw_output_has_no_tail)
{
    begin(5, true);
    print("hello world");
    CHECK_STR(finish(), "hello");
    CHECK_INT(output.dropped, 6);
}

static char *tree;

static void
tree_begin(void)
{
    struct err err = {0};

    CHECK_OK(fs_make_temp_dir("/tmp", "disk", &tree, &err), err);
}

static void
tree_end(void)
{
    struct err err = {0};

    CHECK_OK(fs_remove_tree(tree, &err), err);
    free(tree);
    tree = NULL;
}

static void
add_file(const char *name, size_t bytes)
{
    static const char zeros[4096];
    auto_free char *path = str_printf("%s/%s", tree, name);
    auto_close const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    for (size_t done = 0; done < bytes; done += sizeof(zeros))
        CHECK_INT(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
}

static bool
over(uint64_t limit)
{
    struct disk_watch *const watch = disk_watch_new(tree, limit);

    CHECK(watch);
    const bool result = disk_watch_finish(watch, 60000);
    disk_watch_free(watch);
    return result;
}

TEST(a_tree_is_measured_with_its_directories_and_links_once)
{
    tree_begin();
    auto_free char *directory = str_printf("%s/d", tree);
    auto_free char *from = str_printf("%s/d/f", tree);
    auto_free char *to = str_printf("%s/link", tree);
    auto_free char *symbolic = str_printf("%s/out", tree);
    CHECK_INT(mkdir(directory, 0700), 0);
    add_file("a", 100000);
    add_file("d/f", 1000000);
    CHECK_INT(link(from, to), 0);
    CHECK_INT(symlink("/usr", symbolic), 0);
    CHECK(!over(1300000));
    CHECK(over(1000000));
    tree_end();
}

TEST(nesting_without_end_counts_as_too_much)
{
    tree_begin();
    const int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(chdir(tree), 0);
    for (int i = 0; i < 500; i++) {
        CHECK_INT(mkdir("d", 0700), 0);
        CHECK_INT(chdir("d"), 0);
    }
    CHECK(over(UINT64_C(1) << 40));
    CHECK_INT(fchdir(back), 0);
    close(back);
    tree_end();
}

TEST(the_watch_takes_its_time_and_comes_to_the_same)
{
    tree_begin();
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        add_file(name, 1);
    }
    struct disk_watch *const watch = disk_watch_new(tree, UINT64_C(6) << 20);
    int64_t now_ms = runner_now_ms();
    int64_t next_ms = 0;
    bool full = disk_watch_step(watch, now_ms, &next_ms);
    CHECK(!full && next_ms > now_ms);
    for (int turns = 0; !full && turns < 100000; turns++) {
        now_ms = next_ms;
        full = disk_watch_step(watch, now_ms, &next_ms);
    }
    CHECK(full);
    disk_watch_free(watch);
    tree_end();
}

TEST_MAIN()
