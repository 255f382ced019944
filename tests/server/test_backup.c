/* `draftd backup` and what becomes of the copy, by running the program. */
#include "tests/server/cli_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* A process that serves the store of the configuration; stopped by stop(). It does no work, so that
 * the store stays as it is. */
static pid_t
serve(void)
{
    const pid_t child = start((const char *const[]){"serve", CONFIG, "--role", "receive", NULL});

    CHECK(says("event=serving"));
    return child;
}

static void
stop(pid_t child)
{
    kill(child, SIGTERM);
    CHECK_STATUS(finish(child), 0);
}

/* Serve for a moment; is the log's name of the installation the one expected? */
static bool
serves_as(const char *instance)
{
    auto_free char *words = str_printf("instance=\"%s\"", instance);
    const pid_t child = serve();
    const bool found = strstr(strbuf_str(&err_out), words);

    stop(child);
    return found;
}

TEST(a_copy_is_made_and_never_written_over)
{
    struct stat facts;
    char link_target[8];

    begin();
    auto_free char *path = str_printf("%s/copy.db", dir);
    CHECK_STATUS(DRAFTD("backup", CONFIG, "copy.db"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "copy.db: "));
    CHECK_INT(stat(path, &facts), 0);
    CHECK_INT(facts.st_mode & 0777, 0600);
    CHECK_STATUS(DRAFTD("backup", CONFIG, path), 1);
    CHECK_CONTAINS(strbuf_str(&err_out), "copy.db exists: a backup goes to a new file");
    CHECK_STATUS(DRAFTD("backup", CONFIG, "/nonexistent/copy.db"), 1);
    CHECK_CONTAINS(strbuf_str(&err_out), "making the backup /nonexistent/copy.db: No such file");

    auto_free char *dangling = str_printf("%s/link.db", dir);
    CHECK_INT(symlink("nowhere", dangling), 0);
    CHECK_STATUS(DRAFTD("backup", CONFIG, dangling), 1);
    CHECK_INT(readlink(dangling, link_target, sizeof(link_target)), 7);
    shell("test \"$(ls)\" = \"$(printf 'calc.git\\ncopy.db\\ndraftd.yml\\nerr\\nlink.db\\nout\\n"
          "secret\\nstate')\"");
    shell("rm copy.db link.db");
}

/* What has no room is told as the copy's trouble, not the store's, and nothing is left of it. */
TEST(a_copy_without_room_is_told_and_removed)
{
    struct rlimit limit;

    begin();
    CHECK_STATUS(DRAFTD("backup", CONFIG, "first.db"),
                 0); /* from now on only the copy is written */
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {.rlim_cur = 80000, .rlim_max = limit.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int status = DRAFTD("backup", CONFIG, "copy.db");
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_STATUS(status, 1);
    CHECK_CONTAINS(strbuf_str(&err_out), "writing the backup copy.db: the disk is full, or fails");
    shell("test -z \"$(ls | grep copy)\" && rm first.db"); /* no journal either */
}

/* The whole way: a copy while serving, the state destroyed, the copy put in its place. */
TEST(a_copy_put_in_the_place_of_the_store_is_gone_on_from)
{
    begin();
    sql("UPDATE step SET started_ms = strftime('%s') * 1000"); /* or it were too old to be kept */
    shell("mkdir -p state && echo 5e5e5e5e5e5e5e5e | tr -d '\\n' >state/instance");
    const pid_t child = serve();
    shell("test ! -e state/instance"); /* it has moved into the store */
    CHECK_CONTAINS(strbuf_str(&err_out), "instance=\"5e5e5e5e5e5e5e5e\"");
    auto_free char *copy = str_printf("%s/copy.db", dir);
    shell("mv out out.serve; mv err err.serve"); /* other files for the other command */
    CHECK_STATUS(DRAFTD("backup", CONFIG, copy), 0);
    stop(child);
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    auto_free char *before = str_dup(strbuf_str(&out));
    store_close(TAKE(store));
    shell("rm -r state && mkdir state && cp copy.db state/draftd.db");

    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    CHECK_STR(strbuf_str(&out), before);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "hello");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "test");
    CHECK(serves_as("5e5e5e5e5e5e5e5e"));
    shell("rm copy.db out.serve err.serve");
}

/* Before any process of this version has served: the name still lies beside the store. */
TEST(a_copy_of_an_older_store_has_the_name_too)
{
    begin();
    write_file("state/instance", "0123456789abcdef");
    CHECK_STATUS(DRAFTD("backup", CONFIG, "copy.db"), 0);
    store_close(TAKE(store));
    shell("rm -r state && mkdir state && mv copy.db state/draftd.db");
    CHECK(serves_as("0123456789abcdef"));
}

TEST(the_name_of_an_installation_stays)
{
    begin();
    store_close(TAKE(store));
    const pid_t child = serve();
    const char *said = strstr(strbuf_str(&err_out), "instance=\"");
    CHECK(said);
    auto_free char *name = strndup(said + 10, 16);
    CHECK_INT(strspn(name, "0123456789abcdef"), 16);
    stop(child);
    CHECK(serves_as(name));
    write_file("state/instance", "ffffffffffffffff"); /* no longer asked */
    CHECK(serves_as(name));
}

TEST_MAIN()
