/* The guard on real repositories: what is held, what is flagged, what passes. How it knows
 * credentials and tests is in test_guard_secrets.c and test_guard_tests.c. */
#include "tests/handlers/run/guard_fixture.h"

/* ---- what passes ---- */

TEST(an_ordinary_change_passes)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "src/sum.c", "int sum(int a, int b)\n{\n    return b + a;\n}\n");
    put(&place, "tests/test_more.py", "def test_more():\n    exit(0)\n");
    commit(&place, "Mend the sum");
    put(&place, "README.md", "one\ntwo\nthree\nfour\n");
    commit(&place, "Tell of it");
    look(&place, &report);
    CHECK_INT(report.count, 0);
    CHECK(!report.held);
    CHECK_INT(report.diff.count, 3);
    CHECK_INT(report.diff.added_lines, 7);
}

/* ---- protected paths ---- */

TEST(protected_paths_are_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, ".github/workflows/ci.yml", "on: push\n");
    check_one(&place, GUARD_PROTECTED,
              ".github/workflows/ci.yml: protected by \".github/**\", was changed");
}

TEST(new_and_deleted_protected_paths_are_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, ".draftd.yml", "checks: []\n");
    take_away(&place, ".github/workflows/ci.yml");
    commit(&place, "Change");
    look(&place, &report);
    CHECK(report.held);
    CHECK_INT(report.count, 2);
}

TEST(a_file_in_a_protected_folders_place_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    take_away(&place, ".github/workflows/ci.yml");
    commit(&place, "Free the place");
    memcpy(place.base, place.head, sizeof(place.base));
    put(&place, ".github", "elsewhere");
    check_one(&place, GUARD_PROTECTED, ".github: protected by \".github/**\", was changed");
}

TEST(a_rename_away_from_protection_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    take_away(&place, ".github/workflows/ci.yml");
    put(&place, "ci.yml", "on: push\njobs: {}\n# a comment\n# and another one\n");
    commit(&place, "Move");
    look(&place, &report);
    CHECK_INT(report.diff.count, 1);
    CHECK_INT(report.diff.items[0].kind, REPO_RENAMED);
    CHECK(report.held);
    CHECK_CONTAINS(find_hit(&report, GUARD_PROTECTED), ".github/workflows/ci.yml: protected");
}

TEST(a_protected_change_taken_back_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, ".draftd.yml", "checks: []\n");
    commit(&place, "In");
    take_away(&place, ".draftd.yml");
    put(&place, "README.md", "one\n");
    commit(&place, "Out");
    look(&place, &report);
    CHECK_INT(report.diff.count, 1);
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_CONTAINS(report.items[0].text,
                   ".draftd.yml: protected by \".draftd.yml\", was changed (in commit ");
}

/* ---- size ---- */

TEST(size_is_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    place.settings.max_files = 2;
    place.settings.max_lines = 3;
    put(&place, "a", "1\n");
    put(&place, "b", "1\n");
    put(&place, "c", "1\n2\n");
    commit(&place, "Change");
    look(&place, &report);
    CHECK(!report.held);
    CHECK_INT(report.count, 2);
    CHECK_STR(find_hit(&report, GUARD_TOO_MANY_FILES),
              "3 files are changed, more than the 2 that are expected");
    CHECK_STR(find_hit(&report, GUARD_TOO_MANY_LINES),
              "4 lines are changed, more than the 3 that are expected");
}

TEST(size_at_the_limit_passes)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    place.settings.max_files = 1;
    place.settings.max_lines = 2;
    put(&place, "c", "1\n2\n");
    commit(&place, "Change");
    look(&place, &report);
    CHECK_INT(report.count, 0);
}

TEST(large_binaries_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *bytes = calloc(1, 2 * MIB);

    CHECK(bytes);
    place_init(&place);
    put_bytes(&place, "exact.bin", bytes, MIB);
    put_bytes(&place, "large.bin", bytes, MIB + MIB / 2);
    check_one(&place, GUARD_LARGE_FILE, "large.bin: binary file of 1.5 MiB");
}

/* ---- many hits ---- */

TEST(conflicts_that_nobody_resolved_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "src/a.c", "int a;\n<<<<<<< HEAD\nint b;\n=======\nint c;\n>>>>>>> main\n");
    check_one(&place, GUARD_CONFLICT, "src/a.c:2: a conflict is not resolved");
}

TEST(many_hits_are_cut_but_what_holds_is_told)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    for (int i = 0; i < 200; i++) {
        auto_free char *test = str_printf("tests/test_%03d.py", i);
        auto_free char *line = str_printf("pytest.skip('%03d')\n", i);
        CHECK(test && line);
        put(&place, test, line);
    }
    put(&place, ".draftd.yml", "checks: []\n");
    for (int i = 0; i < 200; i++) {
        auto_free char *path = str_printf(".github/%03d", i);
        CHECK(path);
        put(&place, path, "x\n");
    }
    commit(&place, "Change");
    look(&place, &report);
    CHECK_INT(report.count, 100);
    CHECK(report.held);
    CHECK(find_hit(&report, GUARD_PROTECTED));
    CHECK_STR(report.items[99].text, "there is more than is listed here");
}

/* ---- time ---- */

TEST(what_is_too_expensive_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    struct err err;

    place_init(&place);
    put(&place, "a.txt", "x\n");
    commit(&place, "Change");
    struct guard_input input = input_of(&place);
    input.watch.deadline_ms = clock_mono_ms() - 1;
    CHECK_OK(guard_check(&input, &report, &err), err);
    CHECK(report.held && !report.complete);
    CHECK_INT(report.count, 1);
    CHECK_INT(report.items[0].rule, GUARD_TOO_EXPENSIVE);
    CHECK_STR(report.items[0].text, "the change is too expensive to look through");
    guard_report_done(&report);

    input.watch.deadline_ms = clock_mono_ms() + MS_PER_MINUTE;
    CHECK_OK(guard_check(&input, &report, &err), err);
    CHECK(!report.held && report.complete);
}

TEST(a_look_stops_when_asked)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err;

    place_init(&place);
    put(&place, "a.txt", "x\n");
    commit(&place, "Change");
    CHECK_OK(stop_new(&stop, &err), err);
    stop_raise(stop);
    struct guard_input input = input_of(&place);
    input.watch.stop = stop;
    CHECK_INT(guard_check(&input, &report, &err), ERR_CANCELED);
}

/* Lines that are all alike and all changed are the most work that a comparison can have. */
TEST(a_long_file_of_short_lines_takes_seconds)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    auto_free char *bytes = malloc(REPO_TEXT_BYTES);
    const int64_t begin_ms = clock_mono_ms();
    uint32_t seed = 1;

    CHECK(bytes);
    place_init(&place);
    for (int i = 0; i < 3; i++) {
        for (size_t at = 0; at < REPO_TEXT_BYTES; at += 2) {
            seed = seed * 1664525 + 1013904223;
            bytes[at] = (char)('0' + (seed >> 24) % 10);
            bytes[at + 1] = '\n';
        }
        put_bytes(&place, "digits", bytes, REPO_TEXT_BYTES);
        commit(&place, "Change");
    }
    look(&place, &report);
    CHECK(clock_mono_ms() - begin_ms < MS_PER_MINUTE / 2);
    CHECK_INT(report.diff.items[0].added_lines, REPO_TEXT_BYTES / 2);
}

TEST(paths_are_shown_harmless)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, ".github/a\nb\u202E<!-- x", "x\n");
    check_one(&place, GUARD_PROTECTED,
              ".github/a b<! -- x: protected by \".github/**\", was changed");
}

TEST(unknown_commits_are_errors)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    struct err err;

    place_init(&place);
    struct guard_input input = input_of(&place);
    input.commit = "1111111111111111111111111111111111111111";
    CHECK(guard_check(&input, &report, &err) < 0);
    CHECK_CONTAINS(err.msg, "looking over the change: ");
    CHECK_INT(report.count, 0);
}

TEST_MAIN()
