/* A repository's own file, whose author is not the operator. */
#include "handlers/settings/repo_settings.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "tests/harness/test.h"

struct outcome {
    struct repo_settings *settings;
    struct strbuf faults;
    int result;
};

static void
outcome_done(struct outcome *outcome)
{
    repo_settings_free(outcome->settings);
    strbuf_done(&outcome->faults);
}

static void
parse(struct bytes contents, struct outcome *outcome)
{
    outcome->faults.max = 100000;
    outcome->result = repo_settings_parse(contents, &outcome->faults, &outcome->settings, NULL);
}

#define CHECK_FAULTS(yaml, expected)                                                               \
    do {                                                                                           \
        AUTO_DONE(outcome_done) struct outcome outcome_ = {0};                                     \
        parse(bytes_of_str(yaml), &outcome_);                                                      \
        CHECK_STR(strbuf_str(&outcome_.faults), expected);                                         \
        CHECK_INT(outcome_.result, ERR_INVALID);                                                   \
        CHECK(!outcome_.settings);                                                                 \
    } while (0)

TEST(empty_contents_are_all_defaults)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse(bytes_of(NULL, 0), &o);
    CHECK_INT(o.result, 0);
    CHECK(!o.settings->image && !o.settings->branch && !o.settings->agent);
    CHECK_INT(o.settings->setup.count, 0);
    CHECK_INT(o.settings->setup_timeout_minutes, 15);
    CHECK_INT(o.settings->check_count, 0);
    CHECK_INT(o.settings->rounds, 0);
    CHECK_INT(o.settings->guard.max_files, 50);
    CHECK_INT(o.settings->guard.max_lines, 2000);
    CHECK_INT(o.settings->guard.protect.count, 2);
    CHECK_STR(o.settings->guard.protect.items[0], ".github/**");
    CHECK_STR(o.settings->guard.protect.items[1], ".draftd.yml");
    CHECK(!o.settings->guard.allow_submodules);
    CHECK(o.settings->follow_ci);
}

TEST(a_full_file_is_read)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse(bytes_of_str(
              "image: registry.example/acme/dev:1\n"
              "branch: release/2.x\n"
              "setup: [ \"npm ci\", make ]\n"
              "setup_timeout_minutes: 20\n"
              "checks:\n"
              "  - { name: unit tests, run: \"npm test\", timeout_minutes: 5 }\n"
              "  - name: lint\n"
              "    run: |\n"
              "      npm run lint\n"
              "      npm run types\n"
              "rounds: 5\n"
              "agent: claude\n"
              "follow_ci: false\n"
              "guard: { max_files: 9, max_lines: 99, protect: [], allow_submodules: true }\n"),
          &o);
    CHECK_STR(strbuf_str(&o.faults), "");
    CHECK_STR(o.settings->image, "registry.example/acme/dev:1");
    CHECK_STR(o.settings->branch, "release/2.x");
    CHECK_INT(o.settings->setup.count, 2);
    CHECK_STR(o.settings->setup.items[1], "make");
    CHECK_INT(o.settings->check_count, 2);
    CHECK_STR(o.settings->checks[0].name, "unit tests");
    CHECK_INT(o.settings->checks[0].timeout_minutes, 5);
    CHECK_STR(o.settings->checks[1].run, "npm run lint\nnpm run types\n");
    CHECK_INT(o.settings->checks[1].timeout_minutes, 10);
    CHECK_INT(o.settings->rounds, 5);
    CHECK_STR(o.settings->agent, "claude");
    CHECK_INT(o.settings->guard.max_files, 9);
    CHECK_INT(o.settings->guard.protect.count, 0);
    CHECK(o.settings->guard.allow_submodules);
    CHECK(!o.settings->follow_ci);
}

TEST(all_faults_are_told)
{
    CHECK_FAULTS(
        "image: -v /:/host\n"
        "branch: --upload-pack=x\n"
        "setup: npm ci\n"
        "checks:\n"
        "  - { name: test, run: a }\n"
        "  - { name: test, run: b }\n"
        "  - { name: 'a/b', run: '' }\n"
        "  - { run: c, timeout_minutes: 1441 }\n"
        "  - { name: d, command: d }\n"
        "rounds: 0\n"
        "agent: ../x\n"
        "guard: { protect: [ /etc ] }\n"
        "network: { allow: [ a ] }\n",
        ".draftd.yml:1: image: is not an image's name; write one like "
        "registry.example/team/image:tag\n"
        ".draftd.yml:2: branch: is not a branch's name; write one like main or release/2.x\n"
        ".draftd.yml:3: setup: expected a list; write a list of commands\n"
        ".draftd.yml:6: checks[1].name: is given already; write each name once\n"
        ".draftd.yml:7: checks[2].name: is not a name; write at most 64 letters, digits, "
        "'-', '_', '.' and spaces\n"
        ".draftd.yml:7: checks[2].run: is empty; write the command whose exit status says "
        "whether the change is good\n"
        ".draftd.yml:8: checks[3].name: is missing; write a name for the check\n"
        ".draftd.yml:8: checks[3].timeout_minutes: expected a whole number from 1 to 1440, "
        "found \"1441\"; write how long the check may take\n"
        ".draftd.yml:9: checks[4].command: is not a known key; remove it\n"
        ".draftd.yml:9: checks[4].run: is missing; write the command whose exit status says "
        "whether the change is good\n"
        ".draftd.yml:10: rounds: expected a whole number from 1 to 100, found \"0\"; write "
        "how often the agent may try\n"
        ".draftd.yml:11: agent: is not a name; write at most 64 letters, digits, '-', '_' "
        "and '.'\n"
        ".draftd.yml:12: guard.protect[0]: is not a pattern of paths; write one like "
        "docs/** without a leading /\n"
        ".draftd.yml:13: network: is not a known key; remove it\n");
}

TEST(branches_are_named_as_git_names_them)
{
    static const char *const wrong[] = {"-x",   "a..b", "a b",  "a~1",   "a^",       "a:b", "a?",
                                        "a*",   "a[",   "a\\b", "a@{1}", "a.lock",   "a/",  "/a",
                                        "a//b", ".a",   "a/.b", "a.",    "a.lock/b", "@"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_free char *text = str_printf("branch: '%s'\n", wrong[i]);
        CHECK_FAULTS(text, ".draftd.yml:1: branch: is not a branch's name; write one like main or "
                           "release/2.x\n");
    }
}

TEST(sizes_are_bounded)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(2 * LIMIT_CONFIG_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf list = STRBUF_INIT(LIMIT_CONFIG_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf command = STRBUF_INIT(LIMIT_CONFIG_BYTES);

    while (text.len <= LIMIT_CONFIG_BYTES)
        strbuf_add_str(&text, "#\n");
    CHECK_FAULTS(strbuf_str(&text), ".draftd.yml:1: file: is larger than 1 MiB; make it smaller\n");
    strbuf_add_str(&list, "checks:\n");
    for (int i = 0; i < 257; i++)
        strbuf_addf(&list, "  - { name: c%d, run: x }\n", i);
    CHECK_FAULTS(strbuf_str(&list),
                 ".draftd.yml:1: checks: has 257 items, more than 256; remove some\n");
    strbuf_add_str(&command, "setup:\n  - ");
    while (command.len < LIMIT_COMMAND_BYTES + 20)
        strbuf_add_char(&command, 'x');
    CHECK_FAULTS(strbuf_str(&command), ".draftd.yml:2: setup[0]: is longer than 16 KiB; put the "
                                       "command into a script and call that\n");
}

TEST(hostile_contents_are_refused)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    CHECK_FAULTS("a: &a [*a]\nchecks: *a\n<<: { rounds: 3 }\n",
                 ".draftd.yml:1: &anchor: anchors are not read here; write the value where it is "
                 "needed\n"
                 ".draftd.yml:1: *alias: aliases are not read here; write the value itself\n"
                 ".draftd.yml:1: a: is not a known key; remove it\n"
                 ".draftd.yml:2: *alias: aliases are not read here; write the value itself\n"
                 ".draftd.yml:3: <<: merge keys are not read here; write the values themselves\n");
    parse(bytes_of("rounds: 3\n\0", 11), &o);
    CHECK_STR(strbuf_str(&o.faults),
              ".draftd.yml:2: file: has a control character (U+0000); remove it\n");
}

TEST_MAIN()
