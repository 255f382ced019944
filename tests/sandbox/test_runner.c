/* The runner's parts that need no container: the cap on output, and the watch on the disk. */
#include "sandbox/runner/disk.h"
#include "sandbox/runner/now.h"
#include "sandbox/runner/output.h"

#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
static char *holders; /* in the place of /proc, where all of this machine's are */

static void
tree_begin(void)
{
    struct err err = {0};

    CHECK_OK(fs_make_temp_dir("/tmp", "disk", &tree, &err), err);
    CHECK_OK(fs_make_temp_dir("/tmp", "proc", &holders, &err), err);
}

static void
tree_end(void)
{
    struct err err = {0};

    CHECK_OK(fs_remove_tree(tree, &err), err);
    CHECK_OK(fs_remove_tree(holders, &err), err);
    free(tree);
    free(holders);
    tree = holders = NULL;
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

/* Which limit the tree is over; "" for none. */
static const char *
reason(const struct disk_limits *limits)
{
    static char text[256];
    struct disk_watch *const watch = disk_watch_new(tree, holders, limits);

    CHECK(watch);
    const bool over = disk_watch_finish(watch, 60000);
    snprintf(text, sizeof(text), "%s", over ? disk_watch_reason(watch) : "");
    disk_watch_free(watch);
    return text;
}

static bool
over(uint64_t bytes)
{
    return reason(&(const struct disk_limits){.bytes = bytes, .entries = 100000})[0] != 0;
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

static mode_t
mode_of(const char *path)
{
    struct stat st;

    CHECK_INT(stat(path, &st), 0);
    return st.st_mode & 07777;
}

TEST(a_directory_without_permissions_is_looked_into_and_left_as_it_was)
{
    struct rlimit files;
    tree_begin();
    auto_free char *shut = str_printf("%s/shut", tree);
    CHECK_INT(mkdir(shut, 0700), 0);
    add_file("shut/f", 1000000);
    CHECK_INT(chmod(shut, 0), 0);
    CHECK(over(500000));
    CHECK_INT(mode_of(shut), 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &files), 0);
    const int lowest = open("/", O_RDONLY | O_CLOEXEC);
    close(lowest);
    const struct rlimit few = {.rlim_cur = (rlim_t)lowest + 1, .rlim_max = files.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0); /* room for the tree, none for what is in it */
    const bool hidden = over(500000);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &files), 0);
    CHECK(hidden);
    CHECK_INT(mode_of(shut), 0);
    tree_end();
}

TEST(many_names_count_as_too_much_however_small)
{
    char name[32];
    tree_begin();
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        add_file(name, 0);
    }
    struct disk_limits limits = {.bytes = UINT64_C(1) << 30, .entries = 100};
    CHECK_STR(reason(&limits), "");
    limits.entries = 99;
    CHECK_STR(reason(&limits), "the work tree has over 99 files and directories");
    CHECK_INT(disk_entries_for(UINT64_C(64) << 20), 200000);
    CHECK_INT(disk_entries_for(UINT64_C(16) << 30), UINT64_C(2) << 20);
    tree_end();
}

/* Open a file of the tree that has no name any more. */
static int
open_unlinked(size_t bytes)
{
    auto_free char *path = str_printf("%s/gone", tree);

    add_file("gone", bytes);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_INT(unlink(path), 0);
    return fd;
}

/* Have a process looked at. */
static void
show(pid_t pid)
{
    auto_free char *from = str_printf("/proc/%d", (int)pid);
    auto_free char *to = str_printf("%s/%d", holders, (int)pid);

    CHECK_INT(symlink(from, to), 0);
}

/* Wait in a process of its own, with what is open here. */
static pid_t
hold(void)
{
    const pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    CHECK(pid > 0);
    show(pid);
    return pid;
}

static void
let_go(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(open_files_without_a_name_count_once_for_all_who_hold_them)
{
    pid_t pids[3];
    tree_begin();
    const int first = open_unlinked(1000000);
    const int second = open_unlinked(500000);
    show(getpid()); /* not looked at: it is the runner's */
    CHECK(!over(500000));
    for (int i = 0; i < 3; i++)
        pids[i] = hold();
    close(first);
    close(second);
    CHECK(over(1400000));
    CHECK(!over(1600000));
    CHECK_STR(reason(&(const struct disk_limits){.bytes = UINT64_C(1) << 30, .entries = 1}),
              "the work tree has over 1 files and directories");
    for (int i = 0; i < 3; i++)
        let_go(pids[i]);
    CHECK(!over(500000));
    tree_end();
}

/* Keep what is open in a table of this thread's own, and say so to the pipe that is given. */
static void *
hold_alone(void *ctx)
{
    const int *const said = ctx;

    if (unshare(CLONE_FILES) == 0 && write(*said, "x", 1) == 1)
        pause();
    return NULL;
}

TEST(open_files_of_one_thread_are_found)
{
    int said[2];
    char byte;
    tree_begin();
    const int fd = open_unlinked(1000000);
    CHECK_INT(pipe(said), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        int own[2];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pipe(own) || pthread_create(&thread, NULL, hold_alone, &own[1]) ||
            read(own[0], &byte, 1) != 1 || close(fd) || write(said[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(fd);
    CHECK_INT(read(said[0], &byte, 1), 1);
    show(pid);
    CHECK(over(500000));
    let_go(pid);
    CHECK(!over(500000));
    close(said[0]);
    close(said[1]);
    tree_end();
}

TEST(a_disk_that_fills_up_ends_it_whoever_fills_it)
{
    tree_begin();
    if (mount("tmpfs", tree, "tmpfs", 0, "size=8m")) {
        printf("# skipped: may not mount\n");
        tree_end();
        return;
    }
    const struct disk_limits limits = {
        .bytes = UINT64_C(1) << 30, .entries = 100000, .free_bytes = UINT64_C(1) << 30};
    struct disk_watch *const watch = disk_watch_new(tree, holders, &limits);
    int64_t next_ms = 0;
    CHECK(watch);
    const int fd = open_unlinked(3000000);
    bool full = disk_watch_step(watch, runner_now_ms(), &next_ms);
    const int more = open_unlinked(3000000);
    const bool fuller = disk_watch_step(watch, next_ms, &next_ms);
    const char *const told = disk_watch_reason(watch);
    close(fd);
    close(more);
    CHECK_INT(umount(tree), 0);
    CHECK(!full && fuller);
    CHECK_STR(told, "the disk of the work trees has under 4 MiB left");
    disk_watch_free(watch);
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
    struct disk_watch *const watch = disk_watch_new(
        tree, holders, &(const struct disk_limits){.bytes = UINT64_C(6) << 20, .entries = 100000});
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
