/* Sandboxes in real containers: opening, steps, files, export, reset. */
#include "tests/sandbox/fixture.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(opens_at_the_commit_on_the_branch)
{
    fixture_begin();
    fixture_open_plain();
    const struct fixture_run *const run = fixture_run(
        "pwd; git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; "
        "cat hello.txt dir/a; git log --oneline | wc -l; cat .git/objects/info/alternates");
    char expected[512];
    snprintf(expected, sizeof(expected),
             "/workspace\n%s\nrefs/heads/" FIXTURE_BRANCH "\nhello\na\n1\n/draftd/objects\n",
             fixture_commit());
    CHECK_STR(run->output, expected);
    CHECK_INT(run->result.end, SANDBOX_EXITED);
    CHECK_INT(run->result.status, 0);
}

TEST(tells_what_the_name_of_its_image_meant)
{
    char plain[SANDBOX_IMAGE_BYTES];
    char other[SANDBOX_IMAGE_BYTES];
    char again[SANDBOX_IMAGE_BYTES];
    struct err err = {0};

    fixture_begin();
    CHECK_OK(sandbox_image(fixture_open_plain(), plain, &err), err);
    struct sandbox_spec spec = fixture_spec();
    spec.image = fixture_image("ENV A=b");
    CHECK_OK(sandbox_image(fixture_open(&spec), other, &err), err);
    CHECK_OK(sandbox_image(fixture_open_plain(), again, &err), err);
    CHECK(strlen(plain) >= 64);
    CHECK(!str_equal(plain, other));
    CHECK_STR(again, plain);
}

TEST(reports_exit_status_and_signal)
{
    fixture_begin();
    fixture_open_plain();
    struct fixture_run *run = fixture_run("exit 7");
    CHECK_INT(run->result.end, SANDBOX_EXITED);
    CHECK_INT(run->result.status, 7);
    run = fixture_run("kill -SEGV $$");
    CHECK_INT(run->result.end, SANDBOX_SIGNALED);
    CHECK_INT(run->result.status, SIGSEGV);
    run = fixture_run("no-such-command");
    CHECK_INT(run->result.status, 127);
    CHECK_CONTAINS(run->output, "no-such-command");
}

TEST(hands_input_and_environment_over)
{
    static char input[300000];
    fixture_begin();
    struct sandbox_spec spec = fixture_spec();
    const char *const env[] = {"FIRST=one", "SECOND=two", NULL};
    const char *const step_env[] = {"SECOND=zwei", "THIRD=a'b c", NULL};

    spec.env = env;
    fixture_open(&spec);
    memset(input, 'x', sizeof(input));
    struct sandbox_command command = {
        .command = "wc -c; echo $FIRST $SECOND; echo \"$THIRD\"; echo $HOME; id -u",
        .env = step_env,
        .input = bytes_of(input, sizeof(input)),
    };
    struct fixture_run *run = fixture_run_with(&command);
    CHECK_STR(run->output, "300000\none zwei\na'b c\n/tmp/home\n1000\n");
    run = fixture_run("cat; echo end; echo $SECOND");
    CHECK_STR(run->output, "end\ntwo\n");
}

TEST(a_command_over_the_protocol_limit_is_refused_and_the_sandbox_goes_on)
{
    static char text[80000];
    struct sandbox_result result;
    struct err err = {0};

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    memset(text, ' ', sizeof(text) - 1);
    const struct sandbox_command command = {.command = text, .timeout_ms = 1000};
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_INVALID);
    CHECK_STR(fixture_run("echo on")->output, "on\n");
}

TEST(writes_and_reads_files)
{
    static char contents[1500000];
    struct err err = {0};
    AUTO_DONE(strbuf_done) struct strbuf back = STRBUF_INIT(sizeof(contents));

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    for (size_t i = 0; i < sizeof(contents); i++)
        contents[i] = (char)(i * 7 >> 3);
    const struct bytes bytes = bytes_of(contents, sizeof(contents));
    const char *const path = SANDBOX_EXCHANGE "/a 'quoted' dir/file";
    CHECK_OK(sandbox_write_file(sandbox, path, bytes, &err), err);
    CHECK_OK(sandbox_read_file(sandbox, path, sizeof(contents), &back, &err), err);
    CHECK_INT(back.len, sizeof(contents));
    CHECK(memcmp(back.ptr, contents, sizeof(contents)) == 0);
    strbuf_reset(&back);
    CHECK_OK(sandbox_read_file(sandbox, path, 5, &back, &err), err);
    CHECK_INT(back.len, 5);
    CHECK_INT(sandbox_read_file(sandbox, "/nowhere/x", 5, &back, &err), ERR_NOTFOUND);
    CHECK_INT(sandbox_read_file(sandbox, "relative", 5, &back, &err), ERR_INVALID);
    CHECK_INT(sandbox_write_file(sandbox, "/usr/x", bytes, &err), ERR_INVALID);
}

TEST(what_stands_in_the_way_of_a_file_is_removed_and_links_are_not_followed)
{
    static const char *const obstacles[] = {
        "mkfifo /tmp/it",
        "mkdir /tmp/it",
        "ln -s /tmp/elsewhere /tmp/it",
        "echo old >/tmp/it; chmod 0 /tmp/it",
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof(obstacles) / sizeof(obstacles[0]); i++) {
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run(obstacles[i]);
        CHECK_OK(sandbox_write_file(sandbox, "/tmp/it", bytes_of_str("new\n"), &err), err);
        CHECK_STR(fixture_run("cat /tmp/it; ls /tmp/elsewhere 2>/dev/null")->output, "new\n");
    }
    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    fixture_run("mkdir -p /tmp/it/full");
    CHECK_INT(sandbox_write_file(sandbox, "/tmp/it", bytes_of_str("new\n"), &err), ERR_INVALID);
}

/* Notes when the first output came. */
static int
note_time(void *ctx, bool is_stderr, struct bytes output)
{
    int64_t *const when_ms = ctx;

    (void)output;
    if (!is_stderr && *when_ms == 0)
        *when_ms = clock_mono_ms();
    return 0;
}

TEST(output_comes_while_the_command_runs)
{
    struct sandbox_result result;
    struct err err = {0};
    int64_t first_ms = 0;

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    const struct sandbox_command command = {
        .command = "echo early; sleep 1; echo late",
        .timeout_ms = 10000,
        .output = note_time,
        .output_ctx = &first_ms,
    };
    CHECK_OK(sandbox_execute(sandbox, &command, &result, &err), err);
    CHECK(first_ms > 0 && clock_mono_ms() - first_ms >= 900);
}

TEST(a_flood_of_output_is_cut_and_its_end_kept)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command command = {
        .command = "echo first; yes | head -c 50000000; echo last >&2; exit 3",
        .max_output_bytes = 1000,
    };
    const struct fixture_run *const run = fixture_run_with(&command);
    CHECK_INT(run->result.status, 3);
    CHECK(strncmp(run->output, "first\ny\ny\n", 10) == 0);
    CHECK_CONTAINS(run->output, "bytes of output left out ...]");
    CHECK(run->total_bytes > 65536 && run->total_bytes < 1000 + 65536 + 128);
    CHECK_INT(run->result.dropped_bytes, 50000000 + 6 + 5 - 1000 - 65536);
}

TEST(a_step_that_never_stops_printing_ends_at_its_deadline)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command command = {
        .command = "yes", .timeout_ms = 500, .max_output_bytes = 100};
    const struct fixture_run *const run = fixture_run_with(&command);
    CHECK_INT(run->result.end, SANDBOX_TIMED_OUT);
    CHECK(run->result.duration_ms >= 500 && run->result.duration_ms < 3000);
    CHECK(run->result.dropped_bytes > 1000000);
}

/* Names of processes but the runner and what looks. */
#define LIST                                                                                       \
    "cat /proc/[0-9]*/comm | sort | grep -v -e draftd -e runner -e cat -e sort -e grep -e '^sh$'"

TEST(the_deadline_ends_everything_also_what_ignores_it_and_what_left_its_session)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command command = {
        .command =
            "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 1000 & exec sleep 1001' &) ; "
            "while :; do sleep 1000; done",
        .timeout_ms = 300,
    };
    const struct fixture_run *run = fixture_run_with(&command);
    CHECK_INT(run->result.end, SANDBOX_TIMED_OUT);
    CHECK(run->result.duration_ms >= 5300 && run->result.duration_ms < 8000);
    run = fixture_run(LIST);
    CHECK_STR(run->output, "");
}

TEST(a_step_that_heeds_the_deadline_is_not_waited_for)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command command = {
        .command = "trap 'echo bye; exit 5' TERM; sleep 1000 & wait", .timeout_ms = 300};
    const struct fixture_run *const run = fixture_run_with(&command);
    CHECK_INT(run->result.end, SANDBOX_TIMED_OUT);
    CHECK_INT(run->result.status, 5);
    CHECK_STR(run->output, "bye\n");
    CHECK(run->result.duration_ms < 2000);
}

TEST(what_a_step_leaves_behind_ends_with_it_and_does_not_hold_it_up)
{
    fixture_begin();
    fixture_open_plain();
    const struct fixture_run *run =
        fixture_run("sleep 1000 & setsid sleep 1001 & (sleep 1002 &) ; echo done");
    CHECK_STR(run->output, "done\n");
    CHECK(run->result.duration_ms < 2000);
    CHECK_STR(fixture_run(LIST)->output, "");
}

TEST(background_processes_may_be_kept_and_outlive_later_steps)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command keep = {
        .command = "(while :; do echo noise; date +%s%N >/tmp/beat; sleep 0.05; done) & echo up",
        .keep_background = true,
    };
    CHECK_CONTAINS(fixture_run_with(&keep)->output, "up\n");
    const struct sandbox_command late = {.command = "sleep 1003 & sleep 1000", .timeout_ms = 200};
    CHECK_INT(fixture_run_with(&late)->result.end, SANDBOX_TIMED_OUT);
    const struct fixture_run *const run = fixture_run(
        "a=$(cat /tmp/beat); sleep 0.3; b=$(cat /tmp/beat); [ \"$a\" != \"$b\" ] && echo "
        "beats; for p in /proc/[0-9]*; do cat $p/cmdline 2>/dev/null | tr '\\0' ' '; echo; done | "
        "grep -c '^sleep 100'");
    CHECK_STR(run->output, "beats\n0\n");
}

TEST(a_fork_bomb_is_held_and_ended)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command bomb = {.command = "b() { b | b & }; (b) & exec sleep 1000",
                                         .timeout_ms = 1000,
                                         .max_output_bytes = 1000};
    CHECK_INT(fixture_run_with(&bomb)->result.end, SANDBOX_TIMED_OUT);
    const struct fixture_run *const run = fixture_run("echo alive; ls -d /proc/[0-9]* | wc -l");
    CHECK_CONTAINS(run->output, "alive\n");
    CHECK(strtol(run->output + 6, NULL, 10) < 8);
}

TEST(a_fork_bomb_beside_a_kept_process_is_ended_too)
{
    fixture_begin();
    fixture_open_plain();
    const struct sandbox_command keep = {.command = "sleep 1004 &", .keep_background = true};
    fixture_run_with(&keep);
    const struct sandbox_command bomb = {.command = "b() { b | b & }; (b) & exec sleep 1000",
                                         .timeout_ms = 1000,
                                         .max_output_bytes = 1000};
    CHECK_INT(fixture_run_with(&bomb)->result.end, SANDBOX_TIMED_OUT);
    CHECK_STR(fixture_run(LIST)->output, "sleep\n");
}

TEST(the_work_tree_in_memory_has_its_size)
{
    fixture_begin();
    fixture_open_plain();
    const struct fixture_run *run =
        fixture_run("head -c 200000000 /dev/zero >big; echo $?; rm -f x");
    CHECK(run->result.out_of_disk);
    run = fixture_run("rm big; echo fits >small; cat small");
    CHECK_STR(run->output, "fits\n");
    CHECK(!run->result.out_of_disk);
}

TEST(the_work_tree_on_a_volume_is_watched)
{
    fixture_begin();
    fixture_host()->workspace_in_memory = false;
    fixture_open_plain();
    CHECK_STR(fixture_run("cat hello.txt; touch ok && echo ok")->output, "hello\nok\n");
    const struct fixture_run *run = fixture_run(
        "i=0; while :; do i=$((i+1)); head -c 10000000 /dev/zero >f$i; sleep 0.05; done");
    CHECK(run->result.out_of_disk);
    CHECK_INT(run->result.end, SANDBOX_SIGNALED);
    CHECK(run->result.duration_ms < 15000);
    run = fixture_run("rm -f f*; echo empty");
    CHECK(!run->result.out_of_disk);
    run =
        fixture_run("mkdir shut && head -c 63000000 /dev/zero >shut/f && head -c 9000000 /dev/zero "
                    ">shut/g; chmod 0 shut; sleep 20");
    CHECK(run->result.out_of_disk);
}

TEST(one_file_cannot_pass_the_disk_limit_on_a_volume)
{
    fixture_begin();
    fixture_host()->workspace_in_memory = false;
    fixture_open_plain();
    const struct fixture_run *const run = fixture_run("exec head -c 200000000 /dev/zero >big");
    CHECK(run->result.out_of_disk);
}

TEST(deleted_files_that_are_held_open_count_on_a_volume)
{
    fixture_begin();
    fixture_host()->workspace_in_memory = false;
    fixture_open_plain();
    const struct fixture_run *run =
        fixture_run("for n in 3 4 5 6 7 8 9; do eval \"exec $n>f\"; rm f; head -c 20000000 "
                    "/dev/zero >&$n; done; sleep 20");
    CHECK(run->result.out_of_disk);
    CHECK(run->result.duration_ms < 15000);
    CHECK_STR(run->output, "[the work tree takes over 64 MiB of disk]\n");
    run = fixture_run("exec 3>f; rm f; head -c 20000000 /dev/zero >&3; sleep 3; echo fits");
    CHECK_STR(run->output, "fits\n");
    CHECK(!run->result.out_of_disk);
}

TEST(files_without_end_are_too_much_on_a_volume)
{
    fixture_begin();
    fixture_host()->workspace_in_memory = false;
    fixture_open_plain();
    const struct fixture_run *const run =
        fixture_run("exec perl -e 'for $d (1..5) { mkdir $d; open F, \">$d/a\"; for (1..60000) { "
                    "link \"$d/a\", \"$d/$_\" } }'");
    CHECK(run->result.out_of_disk);
    CHECK_STR(run->output, "[the work tree has over 200000 files and directories]\n");
    printf("# ended after %lld ms\n", (long long)run->result.duration_ms);
}

TEST(memory_over_the_limit_is_told)
{
    fixture_begin();
    fixture_host()->memory_mib = 128;
    fixture_open_plain();
    const struct fixture_run *const run = fixture_run(
        "sh -c 'x=$(head -c 400000000 /dev/zero | tr \"\\\\0\" a); echo ${#x}'; echo after $?");
    CHECK_CONTAINS(run->output, "after");
    CHECK(run->result.out_of_memory);
    CHECK(!fixture_run("echo next")->result.out_of_memory);
}

TEST(export_gives_commits_and_what_was_not_committed)
{
    struct sandbox_export export;
    struct err err = {0};
    char command[2048];
    char pack[300];

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    CHECK_INT(fixture_run("echo x >committed && git add . && git commit -q -m 'own work' && "
                          "echo y >uncommitted && echo z >no.ignored && rm dir/a")
                  ->result.status,
              0);
    snprintf(pack, sizeof(pack), "%s/out.pack", fixture_directory());
    auto_close const int fd = open(pack, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    CHECK_OK(sandbox_export(sandbox, fixture_commit(), "Robot <robot@example.org>",
                            "Finish\n\nthe rest", fd, &export, &err),
             err);
    snprintf(command, sizeof(command),
             "cd %s && git clone -q --bare ../mirror.git m && cd m && git index-pack --stdin "
             "<../out.pack >/dev/null && git fsck --strict --no-dangling %s && "
             "git log --format='%%s|%%an|%%ae|%%cn' %s | tr '\\n' ';' && "
             "git ls-tree -r --name-only %s | tr '\\n' ' '",
             fixture_directory(), export.commit, export.commit, export.commit);
    CHECK_STR(fixture_shell(command),
              "Finish|Robot|robot@example.org|Robot;own work|draftd|draftd@localhost|draftd;"
              "first|t|t@t|t;.gitignore committed hello.txt uncommitted ");
    CHECK(export.pack_bytes == lseek(fd, 0, SEEK_END));
    CHECK_STR(fixture_run("git log --format=%s; git status --porcelain")->output,
              "own work\nfirst\n D dir/a\n?? uncommitted\n");
}

/* Export and answer the result; the pack is thrown away. */
static int
export_to_nowhere(struct sandbox *sandbox, struct sandbox_export *ret_export, struct err *err)
{
    auto_close const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    return sandbox_export(sandbox, fixture_commit(), "R <r@example.org>", "m", fd, ret_export, err);
}

TEST(nothing_to_export_is_told)
{
    struct sandbox_export export;
    struct err err = {0};

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    CHECK_INT(export_to_nowhere(sandbox, &export, &err), ERR_NOTFOUND);
    fixture_run("touch a.ignored; git commit -q --allow-empty -m empty");
    CHECK_INT(export_to_nowhere(sandbox, &export, &err), ERR_NOTFOUND);
    CHECK_STR(fixture_run("git log --format=%s")->output, "empty\nfirst\n");
}

TEST(hostile_settings_do_not_defeat_the_export)
{
    static const char *const mischief[] = {
        "git config core.hooksPath /workspace/h; mkdir h; printf '#!/bin/sh\nexit 1\n' "
        ">h/pre-commit; "
        "cp h/pre-commit h/commit-msg; chmod +x h/*",
        "printf '#!/bin/sh\ntouch /tmp/fired\n' >/tmp/f; chmod +x /tmp/f; git config "
        "core.fsmonitor /tmp/f",
        "git config filter.x.clean /tmp/f; git config filter.x.required true; echo '* filter=x' "
        ">.gitattributes",
        "git config commit.gpgSign true; git config gpg.program /bin/false",
        "git config core.worktree /tmp; git config core.bare true",
        "echo '[[[' >.git/config",
        "mkdir -p /tmp/home; git config -f /tmp/home/.gitconfig core.excludesFile /tmp/all; echo "
        "'*' >/tmp/all",
        "git config core.repositoryformatversion 99",
        "echo hello.txt >.git/index; echo x >.git/index.lock",
        "rm -rf .git",
        "rm -rf .git; ln -s /tmp .git",
        "git checkout -q --orphan other; git commit -q -m orphan",
        "git update-ref refs/replace/$(git rev-parse HEAD) HEAD 2>/dev/null; echo junk "
        ">.git/shallow",
        "mkdir -p .git/objects/info; echo junk >.git/objects/info/commit-graph; echo /nowhere "
        ">.git/objects/info/alternates",
        "mkdir shut; echo s >shut/s; chmod 0 shut",
        "git init -q nested",
    };

    for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
        struct sandbox_export export;
        struct err err = {0};
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run(mischief[i]);
        fixture_run("echo changed >hello.txt");
        if (export_to_nowhere(sandbox, &export, &err))
            TEST_FAIL("%s: %s", mischief[i], err.msg);
        CHECK_STR(fixture_run("ls /tmp/fired 2>/dev/null")->output, "");
    }
}

TEST(a_pack_that_cannot_be_written_is_an_error)
{
    struct sandbox_export export;
    struct err err = {0};

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    fixture_run("head -c 300000 /dev/urandom >new");
    auto_close const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK_INT(
        sandbox_export(sandbox, fixture_commit(), "R <r@example.org>", "m", full, &export, &err),
        ERR_IO);
    CHECK_INT(export_to_nowhere(sandbox, &export, &err), 0);
    CHECK(export.pack_bytes > 300000);
}

TEST(reset_puts_back_what_checks_did)
{
    static const char *const mischief[] = {
        "echo x >>hello.txt; rm dir/a; git add -A; touch new; mkdir d; touch d/f; git init -q n",
        "git checkout -q -b elsewhere; git commit -q --allow-empty -m more; touch .git/index.lock",
        "mkdir d; touch d/f; chmod 0 d",
        "rm -rf .git",
        "echo '[[[' >.git/config",
        "git config core.worktree /tmp; rm hello.txt",
        "git config core.excludesFile /tmp/all; echo '*' >/tmp/all; touch hidden",
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run("mkdir node_modules; echo kept >node_modules/x");
        fixture_run(mischief[i]);
        if (sandbox_reset(sandbox, fixture_commit(), &err))
            TEST_FAIL("%s: %s", mischief[i], err.msg);
        const struct fixture_run *const run =
            fixture_run("cat hello.txt dir/a; git status --porcelain --untracked-files=all; git "
                        "symbolic-ref HEAD; "
                        "cat node_modules/x; ls -A | tr '\\n' ' '; git log --oneline | wc -l");
        if (!str_equal(run->output, "hello\na\nrefs/heads/" FIXTURE_BRANCH
                                    "\nkept\n.git .gitignore dir hello.txt node_modules 1\n"))
            TEST_FAIL("%s: %s", mischief[i], run->output);
    }
}

TEST(reset_finds_what_was_exported_in_a_broken_repository)
{
    static const char *const mischief[] = {
        "rm -rf .git",
        "rm -rf .git; echo 'gitdir: /etc' >.git",
        ("git config include.path /etc/passwd; mkdir -p /tmp/home; cp .git/config "
         "/tmp/home/.gitconfig"),
        "rm .git/HEAD; rm -rf .git/refs; mkdir .git/HEAD",
    };

    for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
        struct sandbox_export export;
        struct err err = {0};
        fixture_begin();
        struct sandbox *const sandbox = fixture_open_plain();
        fixture_run("echo changed >hello.txt");
        fixture_run(mischief[i]);
        CHECK_OK(export_to_nowhere(sandbox, &export, &err), err);
        fixture_run("echo by a check >hello.txt");
        if (sandbox_reset(sandbox, export.commit, &err))
            TEST_FAIL("%s: %s", mischief[i], err.msg);
        CHECK_STR(fixture_run("cat hello.txt")->output, "changed\n");
    }
}

TEST(history_costs_nothing)
{
    char command[1024];

    fixture_begin();
    snprintf(
        command, sizeof(command),
        "cd %s && git init -q --bare big.git && cd big.git && { i=1; while [ $i -le 20000 ]; do "
        "printf 'commit refs/heads/main\ncommitter t <t@t> %%d +0000\ndata 2\nc\n"
        "M 644 inline f%%d\ndata 2\nx\n\n' $i $((i %% 50)); i=$((i+1)); done; } | "
        "git fast-import --quiet && git rev-parse main",
        fixture_directory());
    char head[65];
    snprintf(head, sizeof(head), "%s", fixture_shell(command));
    char objects[300];
    snprintf(objects, sizeof(objects), "%s/big.git/objects", fixture_directory());
    struct sandbox_spec spec = fixture_spec();
    spec.objects_dir = objects;
    spec.commit = head;
    int64_t start_ms = clock_mono_ms();
    fixture_open(&spec);
    const int64_t open_ms = clock_mono_ms() - start_ms;
    CHECK_STR(fixture_run("git log --oneline | wc -l; ls | wc -l; du -s .git | cut -f1 | "
                          "awk '{ print $1 < 500 }'")
                  ->output,
              "20000\n50\n1\n");
    start_ms = clock_mono_ms();
    fixture_close();
    printf("# opened in %lld ms, closed in %lld ms\n", (long long)open_ms,
           (long long)(clock_mono_ms() - start_ms));
    CHECK(open_ms < 3000);
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
