/* What setup leaves in a sandbox, and how it is told from the agent's work: in real containers. */
#include "tests/sandbox/fixture.h"

#include "server/base/str.h"
#include "tests/harness/test.h"

#include <fcntl.h>
#include <unistd.h>

/* The paths of the exported change, in one line. */
static const char *
exported_paths(struct sandbox *sandbox, char ret_commit[65])
{
    struct sandbox_export export;
    struct err err = {0};
    char command[1024];
    char pack[300];

    snprintf(pack, sizeof(pack), "%s/out.pack", fixture_directory());
    auto_close const int fd = open(pack, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    CHECK_OK(sandbox_export(sandbox, fixture_commit(), "R <r@example.org>", "m", fd, &export, &err),
             err);
    snprintf(command, sizeof(command),
             "cd %s && rm -rf m && git clone -q --bare ../mirror.git m && cd m && git index-pack "
             "--stdin <../out.pack >/dev/null && git fsck --strict --no-dangling %s && "
             "git diff --name-status %s %s | tr '\\t\\n' ' ;'",
             fixture_directory(), export.commit, fixture_commit(), export.commit);
    snprintf(ret_commit, 65, "%s", export.commit);
    return fixture_shell(command);
}

/* Export and answer the result; the pack is thrown away. */
static int
export_to_nowhere(struct sandbox *sandbox, struct sandbox_export *ret_export, struct err *err)
{
    auto_close const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    return sandbox_export(sandbox, fixture_commit(), "R <r@example.org>", "m", fd, ret_export, err);
}

#define SETUP                                                                                      \
    "echo made >made; echo more >>hello.txt; rm -rf dir; mkdir -p 'deep/a \"b' empty; "            \
    "echo x >'deep/a \"b/t\tab'; echo i >i.ignored; git init -q clone; "                           \
    "git -C clone commit -q --allow-empty -m c; echo other >own"

TEST(what_setup_left_is_put_back_and_is_no_change)
{
    static const char listing[] =
        "cat hello.txt made deep/*/*; ls -A | tr '\\n' ' '; git status --porcelain | tr '\\n' ';'; "
        "git rev-parse --abbrev-ref HEAD; git log --format=%s | tr '\\n' ' '";
    static const char *const mischief[] = {
        "true",
        ("rm -rf made deep .git/index; echo y >hello.txt; git init -q n; touch new; mkdir -p dir; "
         "echo a >dir/a; git init -q k; git -C k commit -q --allow-empty -m k"),
        "git add -A; git commit -q -m all; git checkout -q -b elsewhere",
        "mkdir d; touch d/f; chmod 0 d; git config core.bare true",
    };
    struct sandbox_export export;
    struct err err = {0};

    for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run(SETUP);
        CHECK_OK(sandbox_remember(sandbox, &err), err);
        auto_free char *expected = str_printf("%s", fixture_run(listing)->output);
        CHECK_CONTAINS(expected, "clone deep empty hello.txt i.ignored made own");
        fixture_run(mischief[i]);
        CHECK_OK(sandbox_reset(sandbox, fixture_commit(), &err), err);
        CHECK_STR(fixture_run(listing)->output, expected);
        CHECK_INT(export_to_nowhere(sandbox, &export, &err), ERR_NOTFOUND);
        fixture_run("git add -A; git commit -q -m 'by mistake'");
        CHECK_INT(export_to_nowhere(sandbox, &export, &err), ERR_NOTFOUND);
    }
}

TEST(what_the_agent_does_after_setup_is_the_change)
{
    static const struct {
        const char *agent;
        const char *change;
    } cases[] = {
        {"echo mine >mine", "A mine;"},
        {"echo mine >mine; rm -rf .git /tmp/*", "A mine;"},
        {"echo on >>made; echo on >>hello.txt", "M hello.txt;A made;"},
        {"rm made own; rm hello.txt", "D hello.txt;"},
        {"rm made; mkdir made; echo x >made/x", "A made/x;"},
        {"echo dir >dir", "A dir;D dir/a;"},
        {"mkdir dir; echo b >dir/b", "A dir/b;"},
        {"git add -A; git commit -q -m all; echo mine >mine; git add mine; git commit -q -m mine",
         "A mine;"},
        {"echo made >>.gitignore; echo '*.ignored' >>.gitignore", "M .gitignore;"},
        {"chmod +x hello.txt", "M hello.txt;"},
        {"printf x >\"$(printf 'n\\377\\nl \"q')\"; ln -s hello.txt ' s '",
         "A  s ;A \"n\\377\\nl \\\"q\";"},
    };
    struct err err = {0};
    char commit[65];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run(SETUP);
        CHECK_OK(sandbox_remember(sandbox, &err), err);
        fixture_run(cases[i].agent);
        const char *const change = exported_paths(sandbox, commit);
        if (!str_equal(change, cases[i].change))
            TEST_FAIL("%s: %s", cases[i].agent, change);
    }
}

TEST(the_next_round_finds_what_setup_and_agent_left)
{
    struct err err = {0};
    char commit[65];

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    fixture_run(SETUP);
    CHECK_OK(sandbox_remember(sandbox, &err), err);
    fixture_run("echo mine >mine; echo mine >>hello.txt");
    CHECK_STR(exported_paths(sandbox, commit), "M hello.txt;A mine;");
    fixture_run("rm -r made mine; echo by a check >report");
    CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
    CHECK_STR(fixture_run("cat made mine hello.txt; ls report 2>/dev/null")->output,
              "made\nmine\nhello\nmore\nmine\n");
    CHECK_CONTAINS(fixture_run("git rev-parse HEAD")->output, commit);
}

TEST(files_that_are_put_back_are_not_written_again)
{
    struct err err = {0};

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    fixture_run("echo made >made; touch -d '2001-01-01' made hello.txt dir/a");
    CHECK_OK(sandbox_remember(sandbox, &err), err);
    CHECK_CONTAINS(fixture_run("git count-objects")->output, "2 objects,"); /* file and tree */
    fixture_run("echo x >>dir/a; git add -A; git commit -q -m x");
    CHECK_OK(sandbox_reset(sandbox, fixture_commit(), &err), err);
    CHECK_STR(fixture_run("for f in made hello.txt dir/a; do [ $f -ot .gitignore ] && echo $f; "
                          "done")
                  ->output,
              "made\nhello.txt\n");
}

TEST(a_file_that_was_put_there_before_is_no_change)
{
    struct sandbox_export export;
    struct err err = {0};

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    CHECK_OK(sandbox_write_file(sandbox, SANDBOX_WORKSPACE "/made", bytes_of_str("made"), &err),
             err);
    CHECK_OK(sandbox_remember(sandbox, &err), err);
    CHECK_INT(export_to_nowhere(sandbox, &export, &err), ERR_NOTFOUND);
}

TEST(a_work_tree_is_remembered_as_it_was_checked_out)
{
    static const struct {
        const char *attributes;
        const char *expected;
    } cases[] = {
        {"*.txt text", "h e l l o \\n"},
        {"*.txt eol=crlf", "h e l l o \\r \\n"},
        {"* eol=lf\n*.txt ident eol=crlf", "h e l l o \\r \\n"},
        {"[attr]dos eol=crlf\n*.txt dos", "h e l l o \\r \\n"},
    };

    static const char look[] = "od -An -c hello.txt | tr -s ' ' | sed 's/^ //; s/ $//'";
    struct err err = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char command[1024];

        fixture_begin();
        snprintf(command, sizeof(command),
                 "cd %s && rm -rf w && git clone -q ../mirror.git w && cd w && printf '%s\\n' "
                 ">.gitattributes && git add -A && git -c user.name=t -c user.email=t@t commit -q "
                 "-m c && git push -q origin HEAD:refs/draftd/%zu && git rev-parse HEAD",
                 fixture_directory(), cases[i].attributes, i);
        struct sandbox_spec spec = fixture_spec();
        auto_free char *commit = str_dup(fixture_shell(command));
        spec.commit = commit;
        struct sandbox *const sandbox = fixture_open(&spec);
        CHECK_OK(sandbox_remember(sandbox, &err), err);
        CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
        fixture_run("echo x >>hello.txt; rm -rf dir; touch new");
        CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
        auto_free char *expected = str_printf("%s\n", cases[i].expected);
        CHECK_STR(fixture_run(look)->output, expected);
        CHECK_STR(fixture_run("ls -d new dir/a 2>/dev/null")->output, "dir/a\n");
    }
}

/* git takes for changed what is as new as its index. */
TEST(objects_of_files_written_just_now_are_not_written_again)
{
    struct err err = {0};
    char commit[65];

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    for (int i = 0; i < 3; i++) { /* lest a second passes at the wrong time */
        fixture_run("echo made >made; cp hello.txt x; cat x >hello.txt; rm x");
        CHECK_OK(sandbox_remember(sandbox, &err), err);
        CHECK_CONTAINS(fixture_run("git count-objects")->output, "2 objects,");
    }
    fixture_run("echo mine >hello.txt");
    CHECK_STR(exported_paths(sandbox, commit), "M hello.txt;");
    CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
    fixture_run("echo MINE >hello.txt"); /* as long, and maybe as new */
    CHECK_STR(exported_paths(sandbox, commit), "M hello.txt;");
    CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
    CHECK_STR(fixture_run("cat hello.txt")->output, "MINE\n");
}

/* What the steps know of the files lies where the agent can get at it. */
TEST(a_change_is_found_whatever_becomes_of_what_was_known)
{
    static const char *const mischief[] = {
        "test -s $k",
        "touch -r hello.txt /tmp/r; printf 'HELLO\\nmore\\n' >hello.txt; touch -r /tmp/r hello.txt",
        "rm $k",
        "echo nonsense >$k",
        "printf 'DIRC\\0\\0\\0\\2\\0\\0\\377\\377' >$k",
        "cp .git/index $k",
        "chmod 0 $k",
        "rm $k; mkfifo $k",
        "rm $k; mkdir $k; touch $k/x",
        "rm $k; ln -s /workspace/.git/index $k",
        "rm $k; ln -s /nowhere $k",
    };
    struct err err = {0};
    char command[1024];
    char commit[65];

    for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run("echo made >made; echo more >>hello.txt");
        CHECK_OK(sandbox_remember(sandbox, &err), err);
        snprintf(command, sizeof(command), "k=/tmp/draftd-known; set -e; %s; echo x >mine",
                 mischief[i]);
        CHECK_INT(fixture_run(command)->result.status, 0);
        const char *const change = exported_paths(sandbox, commit);
        if (!str_equal(change, i == 1 ? "M hello.txt;A mine;" : "A mine;"))
            TEST_FAIL("%s: %s", mischief[i], change);
        fixture_run(command);
        fixture_run("rm made; echo y >>mine");
        CHECK_OK(sandbox_reset(sandbox, commit, &err), err);
        CHECK_STR(fixture_run("cat made mine; tail -n 1 hello.txt")->output, "made\nx\nmore\n");
    }
}

TEST(more_names_than_can_be_kept_are_refused)
{
    struct err err = {0};

    fixture_begin();
    fixture_host()->disk_mib = 400;
    struct sandbox *const sandbox = fixture_open_plain();
    fixture_run("n=$(printf '%0200d' 0); i=0; while [ $i -lt 60000 ]; do : >$n$i; i=$((i+1)); "
                "done");
    CHECK_INT(sandbox_remember(sandbox, &err), ERR_LIMIT);
    CHECK_CONTAINS(err.msg, "16 MiB");
}

int
main(int argc, char **argv)
{
    if (!fixture_engine()) {
        printf("1..0 # SKIP no engine: see tests/env/engines.sh\n");
        return 0;
    }
    const int status = test_run_all(argc, argv);
    fixture_end();
    return status;
}
