/* The command line, by running it: exit statuses, what goes to which stream, JSON that parses, and
 * outside text that cannot steer a terminal. */
#include "tests/server/cli_fixture.h"

static json_t *
parse_out(void)
{
    json_t *json = NULL;
    struct err err;

    CHECK_OK(js_parse(bytes_of(out.ptr, out.len), &json, &err), err);
    return json;
}

/* ---- help and misuse ---- */

TEST(every_command_explains_itself)
{
    static const char *const commands[] = {"serve",  "run",    "list",    "show",  "logs",
                                           "cancel", "retry", "replay", "version", "backup"};

    begin();
    for (size_t i = 0; i < COUNT(commands); i++) {
        auto_free char *usage = str_printf("usage: draftd %s", commands[i]);
        CHECK_STATUS(DRAFTD(commands[i], "--help"), 0);
        CHECK(str_starts_with(strbuf_str(&out), usage));
        CHECK_STR(strbuf_str(&err_out), "");
        CHECK_STATUS(DRAFTD("help"), 0);
        auto_free char *line = str_printf("\n  %-8s ", commands[i]);
        CHECK_CONTAINS(strbuf_str(&out), line);
    }
}

TEST(help_and_version_are_there)
{
    begin();
    CHECK_STATUS(DRAFTD("--help"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "usage: draftd COMMAND"));
    CHECK_STATUS(DRAFTD("-h"), 0);
    CHECK_STATUS(DRAFTD("version"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "draftd " DRAFTD_VERSION "\n"));
    CHECK_STATUS(DRAFTD("--version"), 0);
    static const char *const below[] = {"libgit2", "libcurl", "sqlite", "libmicrohttpd",
                                        "jansson", "libyaml", "openssl"};
    for (size_t i = 0; i < COUNT(below); i++) {
        auto_free char *line = str_printf("\n%s ", below[i]);
        CHECK_CONTAINS(strbuf_str(&out), line);
    }
    CHECK_STATUS(finish(start((const char *const[]){NULL})), 2);
    CHECK(str_starts_with(strbuf_str(&out), "usage: draftd COMMAND"));
}

struct misuse {
    const char *words[5];
    const char *says;
};

TEST(wrong_usage_is_told)
{
    static const struct misuse cases[] = {
        {{"draw"}, "there is no command 'draw'"},
        {{""}, "there is no command ''"},
        {{"list", "--colour"}, "list does not know that option"},
        {{"list", "--limit", "many"}, "--limit takes a number, not 'many'"},
        {{"list", "--limit", "-1"}, "--limit takes a number"},
        {{"list", "all"}, "list takes no argument, found 'all'"},
        {{"logs", "--json", "1"}, "logs does not know that option"},
        {{"cancel", "--json", "1"}, "cancel does not know that option"},
        {{"run", "--json", "text"}, "run does not know that option"},
        {{"version", "--json"}, "version takes no argument, found '--json'"},
        {{"show"}, "show takes one task"},
        {{"show", "1", "2"}, "show takes one task"},
        {{"show", "one"}, "'one' is not a number"},
        {{"show", "0"}, "'0' is not a number"},
        {{"show", "99999999999999999999"}, "is not a number"},
        {{"logs"}, "logs takes one task"},
        {{"logs", "1x"}, "'1x' is not a number"},
        {{"logs", "--run-number", "0", "1"}, "--run-number takes the number of a run, not '0'"},
        {{"logs", "--run-number", "a", "1"}, "--run-number takes the number of a run, not 'a'"},
        {{"logs", "--dry-run", "1"}, "logs does not know that option"},
        {{"cancel"}, "cancel takes one task"},
        {{"cancel", "x"}, "'x' is not a number"},
        {{"cancel", "--dry-run", "1"}, "cancel does not know that option"},
        {{"retry", "--force", "1"}, "retry does not know that option"},
        {{"replay"}, "replay takes one delivery"},
        {{"backup"}, "backup takes one file to write"},
        {{"backup", "a", "b"}, "backup takes one file to write"},
        {{"backup", "--force", "a"}, "backup does not know that option"},
        {{"run"}, "run takes one text"},
        {{"run", ""}, "run takes one text"},
        {{"run", "one", "two"}, "run takes one text"},
        {{"run", "--agent"}, "run does not know that option"},
        {{"serve", "now"}, "serve takes no argument, found 'now'"},
        {{"serve", "--role", "cook"}, "--role is all, receive or work, not 'cook'"},
        {{"serve", "--now"}, "serve does not know that option"},
    };

    begin();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int status = finish(start(cases[i].words));
        if (status != 2 || !strstr(strbuf_str(&err_out), cases[i].says) || out.len > 0)
            TEST_FAIL("%s %s: exit status %d: %s", cases[i].words[0],
                      cases[i].words[1] ? cases[i].words[1] : "", status, strbuf_str(&err_out));
    }
}

TEST(a_task_for_run_has_so_many_checks)
{
    const char *words[MAX_WORDS + 1] = {"run"};
    auto_free char *at = str_printf("--repo=%s", "/nonexistent");
    size_t count = 1;

    begin();
    for (int i = 0; i < 33; i++)
        words[count++] = "--check=true";
    words[count++] = at;
    words[count++] = "text";
    CHECK_STATUS(finish(start(words)), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "at most 32 checks");
}

/* ---- configuration, store and engine ---- */

TEST(what_is_missing_is_told)
{
    static const char *const readers[] = {"list",  "show",   "logs",  "cancel",
                                          "retry", "replay", "backup"};

    begin();
    for (size_t i = 0; i < COUNT(readers); i++) {
        const char *const words[] = {readers[i], "--config", "/nonexistent/draftd.yml",
                                     i ? "1" : NULL, NULL};
        CHECK_STATUS(finish(start(words)), 3);
        CHECK_CONTAINS(strbuf_str(&err_out), "/nonexistent/draftd.yml");
        CHECK_STR(strbuf_str(&out), "");
    }
    CHECK_STATUS(DRAFTD("serve", "--config", "/nonexistent/draftd.yml"), 3);
    CHECK_STATUS(DRAFTD("serve", "--config", "/"), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "reading /: Is a directory; name a file that can be read");
    write_config("empty");
    for (size_t i = 0; i < COUNT(readers); i++) {
        const char *const words[] = {readers[i], CONFIG, i ? "1" : NULL, NULL};
        CHECK_STATUS(finish(start(words)), 3);
        CHECK_CONTAINS(strbuf_str(&err_out), "there is no store at ");
        CHECK_STR(strbuf_str(&out), "");
    }
    shell("test ! -e empty/draftd.db && test ! -e 1"); /* none was made by the way */
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", "/nonexistent", "text"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no directory /nonexistent");
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", dir, "text"), 3);
}

TEST(faults_of_the_configuration_are_told_with_their_place)
{
    begin();
    write_file("draftd.yml", "workers: many\nlocale: {}\n");
    CHECK_STATUS(DRAFTD("list", CONFIG), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:1: workers: ");
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:2: locale: ");
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:1: workers: ");
    write_file("draftd.yml", "workers: 2\n");
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 2); /* nothing to serve */
    CHECK(err_out.len > 0);
}

TEST(a_right_configuration_is_called_valid)
{
    begin();
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 0);
    CHECK_CONTAINS(strbuf_str(&out), "draftd.yml is valid\n");
}

TEST(a_runner_that_no_sandbox_could_execute_is_told)
{
    begin();
    auto_free char *copied = str_printf("%s/bin/draftd", dir);
    shell("git init -q tree; umask 077; mkdir bin; cp " DRAFTD_PATH " bin; echo >bin/draftd-runner");
    program = copied;
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", "tree", "text"), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd-runner is not executable for everybody");
    CHECK_CONTAINS(strbuf_str(&err_out), "run: chmod a+rx ");
}

TEST(run_needs_an_engine)
{
    begin();
    shell("git init -q tree");
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", "tree", "text"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "engine");
}

/* ---- looking ---- */

TEST(the_list_is_a_table_or_json)
{
    begin();
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    CHECK(str_starts_with(strbuf_str(&out), "TASK   STATE      UPDATED"));
    CHECK_CONTAINS(strbuf_str(&out), "\n1      drafted    1970-01-01T00:00:02.000Z acme/api");
    CHECK(strstr(strbuf_str(&out), "Fifth") < strstr(strbuf_str(&out), "First"));

    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *all = parse_out();
    CHECK_INT(json_array_size(all), 5);
    CHECK_STR(js_str(all, "4.title"), "First");
    CHECK_STR(js_str(all, "4.state"), "drafted");
    CHECK_STR(js_str(all, "4.draft_url"), "https://github.example/acme/api/pull/7");
    CHECK_STR(js_str(all, "4.created"), "1970-01-01T00:00:01.000Z");
    CHECK(json_is_null(js_at(all, "0.branch")));

    CHECK_STATUS(DRAFTD("list", CONFIG, "--json", "--live"), 0);
    AUTO(js_free) json_t *live = parse_out();
    CHECK_INT(json_array_size(live), 2);
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json", "--limit", "1"), 0);
    AUTO(js_free) json_t *one = parse_out();
    CHECK_INT(json_array_size(one), 1);
    CHECK_INT(js_int(one, "0.id", 0), 5);
    CHECK_STR(strbuf_str(&err_out), "");
}

TEST(an_empty_list_is_json_too)
{
    begin();
    sql("DELETE FROM check_execution; DELETE FROM check_result; DELETE FROM step_output;"
        "DELETE FROM step; DELETE FROM run; DELETE FROM task");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_INT(json_array_size(json), 0);
    CHECK(json_is_array(json));
}

TEST(deliveries_are_listed_with_what_became_of_them)
{
    begin();
    sql("UPDATE delivery SET state = 2, reason = 'not the label' || char(27) WHERE id = 2;"
        "UPDATE delivery SET state = 1, task = 3 WHERE id = 1;");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--deliveries"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "DELIVERY STATE     RECEIVED"));
    CHECK_CONTAINS(strbuf_str(&out), "\n2        ignored   ");
    CHECK_CONTAINS(strbuf_str(&out), " -      not the label");
    CHECK_CONTAINS(strbuf_str(&out), "\n1        done      ");
    CHECK(!strchr(strbuf_str(&out), '\x1b'));
    CHECK(!strstr(strbuf_str(&out), " \n"));
    CHECK_STATUS(DRAFTD("list", CONFIG, "--deliveries", "--json", "--limit", "1"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_INT(json_array_size(json), 1);
    CHECK_STR(js_str(json_array_get(json, 0), "delivery"), "bad");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--deliveries", "--live"), 2);
}

TEST(one_task_is_shown_with_all_that_is_known)
{
    begin();
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           1 (drafted)\n");
    CHECK_CONTAINS(strbuf_str(&out), "draft          7, open: https://github.example/acme/api/pull/7\n");
    CHECK_CONTAINS(strbuf_str(&out), "run            1: ended, draft, verified (label by ann)\n");
    CHECK_CONTAINS(strbuf_str(&out), "checks         test: fixed (before: failed, after: not run,"
                                     " proof: passed)\n");
    CHECK_CONTAINS(strbuf_str(&out), "work, setup: setup 1: exited 0, 0.4 s\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "4"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "run            1: running, agent, round 2");
    sql("UPDATE step SET ended_as = 7, duration_ms = 0 WHERE id = 1");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "work, setup: setup 1: draftd died\n");

    for (int i = 1; i <= 5; i++) {
        auto_free char *id = str_printf("%d", i);
        CHECK_STATUS(DRAFTD("show", CONFIG, id), 0);
        if (strstr(strbuf_str(&out), " \n"))
            TEST_FAIL("a blank ends a line: %s", strbuf_str(&out));
        CHECK_STATUS(DRAFTD("show", CONFIG, "--json", id), 0);
        AUTO(js_free) json_t *json = parse_out();
        CHECK_INT(js_int(json, "id", 0), i);
        CHECK_INT(json_array_size(js_at(json, "runs")), 1);
        CHECK_INT(json_array_size(js_at(json, "checks")), i == 1);
    }
    CHECK_STATUS(DRAFTD("show", CONFIG, "77"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: there is no task 77\n");
}

#define REMARK                                                                                     \
    "INSERT INTO remark (task, kind, ref, batch, actor, line, text, draft, happened_ms,"           \
    " created_ms) VALUES "

/* Of each draft its own reviews, remarks and runs. */
TEST(past_drafts_are_shown_apart)
{
    begin();
    sql(REMARK "(1, 2, 'line:1', 'review:1', 'ann', 1, 'a', 2, 1, 1),"
               " (1, 2, 'line:2', 'review:1', 'ann', 2, 'b', 2, 1, 1),"
               " (1, 1, 'review:2', 'review:2', 'ann', 0, 'c', 2, 1, 1);"
               "INSERT INTO past_draft (task, number, url, branch, base_branch, state, opened_ms,"
               " ended_ms, last_run, last_remark) VALUES (1, 2, 'https://github.example/2',"
               " 'draftd/42-x', 'main', 2, 4000, 5000, 1, (SELECT max(id) FROM remark)),"
               " (1, 3, NULL, NULL, NULL, 0, 0, 0, 1, (SELECT max(id) FROM remark));" REMARK
               "(1, 1, 'review:3', 'review:3', 'bea', 0, 'd', 7, 1, 1);"
               "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, state,"
               " created_ms) VALUES (1, 2, 'mention', 'ann', 1, 2, 1), (1, 3, 'review', 'bea', 1,"
               " 2, 1)");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out),
                   "draft          7, open, 1 reviews, 1 remarks, 2 runs: https:");
    CHECK_CONTAINS(
        strbuf_str(&out),
        "past drafts    2, merged 1970-01-01T00:00:05.000Z, 2 reviews, 3 remarks, 1 runs:"
        " https://github.example/2\n"
        "               3, ended\n");
    CHECK_CONTAINS(strbuf_str(&out), "remarks        line by ann at draft 2: open\n");
    CHECK_CONTAINS(strbuf_str(&out), "               review by bea: open\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "--json", "1"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_INT(json_array_size(js_at(json, "past_drafts")), 2);
    CHECK_INT(js_int(json, "past_drafts.0.number", 0), 2);
    CHECK_STR(js_str(json, "past_drafts.0.state"), "merged");
    CHECK_STR(js_str(json, "past_drafts.0.branch"), "draftd/42-x");
    CHECK_STR(js_str(json, "past_drafts.0.base_branch"), "main");
    CHECK_STR(js_str(json, "past_drafts.0.ended"), "1970-01-01T00:00:05.000Z");
    CHECK_INT(js_int(json, "past_drafts.0.reviews", 0), 2);
    CHECK_INT(js_int(json, "past_drafts.0.remarks", 0), 3);
    CHECK_INT(js_int(json, "past_drafts.0.runs", 0), 1);
    CHECK_STR(js_str(json, "past_drafts.1.state"), "ended");
    CHECK_INT(js_int(json, "past_drafts.1.runs", 9), 0);
    CHECK_INT(js_int(json, "remarks.3.draft", 0), 7);
}

/* On some platforms this is the only place that tells it. */
TEST(what_was_found_is_shown)
{
    begin();
    sql("UPDATE run SET detail = 'a.key:1: looks like a credential' || char(10) || 'b' || char(27)"
        " || char(10), flags = '[\"60 files are changed\",\"a test was deleted\"]', summary = "
        "'Done.'"
        " WHERE id = 1; UPDATE run SET waiting_since_ms = 5000, detail = 'no engine' WHERE id = 3");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "detail         a.key:1: looks like a credential\n"
                                     "               b?\n"
                                     "flagged        60 files are changed\n"
                                     "               a test was deleted\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "3"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "round 0, waiting since 1970-01-01T00:00:05.000Z (");
    CHECK_CONTAINS(strbuf_str(&out), "detail         no engine\n");

    CHECK_STATUS(DRAFTD("show", CONFIG, "--json", "1"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_CONTAINS(js_str(json, "runs.0.detail"), "a.key:1: looks like a credential\n");
    CHECK_STR(js_str(json, "runs.0.flags.1"), "a test was deleted");
    CHECK_STR(js_str(json, "runs.0.summary"), "Done.");
    CHECK_STR(js_str(json, "steps.0.name"), "setup 1");
    CHECK_STR(js_str(json, "steps.0.end"), "exited");
}

TEST(what_could_not_be_delivered_is_shown)
{
    begin();
    sql("INSERT INTO outbox (id, platform, thread, kind, task, body, state, attempts, reason,"
        " created_ms) VALUES (1,'github','t',0,1,'x',2,1,'denied at first',1),"
        " (2,'github','t',1,1,'eyes',2,1,'no such comment',1),"
        " (3,'github','t',0,1,'y',1,1,NULL,2), (4,'github','t',0,2,'x',2,1,'denied',1),"
        " (5,'github','t',0,2,'y',2,3,'denied again',2)");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out),
                   "\nowed           message 2 failed after 1 attempt: no such comment\n");
    CHECK(!strstr(strbuf_str(&out), "denied"));
    CHECK_STATUS(DRAFTD("show", CONFIG, "2"), 0);
    CHECK_CONTAINS(strbuf_str(&out),
                   "\nowed           message 5 failed after 3 attempts: denied again\n");
    CHECK(!strstr(strbuf_str(&out), "message 4"));
    CHECK_STATUS(DRAFTD("show", CONFIG, "--json", "2"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_INT(json_array_size(js_at(json, "owed")), 1);
    CHECK_STR(js_str(json, "owed.0.reason"), "denied again");
}

TEST(logs_end_with_a_status_when_followed)
{
    begin();
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    CHECK_STR(strbuf_str(&out), "\n--- work, setup: setup 1\nhello\n--- exited 0 after 0.4 s\n");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "-f", "1"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "--follow", "5"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "-f", "2"), 1);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "2"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "77"), 3);
}

TEST(logs_of_an_earlier_run_have_a_command)
{
    begin();
    CHECK_STATUS(DRAFTD("retry", CONFIG, "1"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    CHECK_STR(strbuf_str(&out), "");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1", "--run-number", "1"), 0);
    CHECK_STR(strbuf_str(&out), "\n--- work, setup: setup 1\nhello\n--- exited 0 after 0.4 s\n");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "-f", "1", "--run-number", "1"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "--run-number", "3", "1"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: task 1 has no run 3\n");
}

/* ---- what came from outside ---- */

static void
check_harmless(void)
{
    for (size_t i = 0; i < out.len; i++) {
        const unsigned char c = (unsigned char)out.ptr[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ||
            (c == 0xC2 && i + 1 < out.len && (unsigned char)out.ptr[i + 1] < 0xA0))
            TEST_FAIL("byte %02x is shown", c);
    }
}

TEST(outside_text_cannot_steer_a_terminal)
{
    begin();
    sql("UPDATE task SET title = 'A' || char(27) || ']0;x' || char(7) || 'B' || char(127) ||"
        " char(155) || '2J' || char(8) || char(13) || 'Z' || char(228),"
        " requested_by = char(27) || '[31mred', reason = char(27) || 'c',"
        " draft_url = 'https://x/' || char(27), url = char(27);"
        "UPDATE run SET trigger_actor = char(27);"
        "INSERT INTO step_output VALUES (1, 6, CAST(char(27) || '[2J' || char(9) || 'tab' ||"
        " char(10) AS BLOB)); UPDATE step SET output_bytes = 15");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "A?]0;x?B??2J??Z\xc3\xa4\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "asked by       ?[31mred\n");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "hello\n?[2J\ttab\n");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_CONTAINS(js_str(json, "0.title"), "\x1b]0;x");
    CHECK(!strchr(strbuf_str(&out), '\x1b'));
}

/* Rows and fields are told apart by lines. */
/* U+202E turns what follows around, U+2066 begins an island; an emoji and its joiner stay. */
TEST(outside_text_cannot_turn_a_line_around)
{
    begin();
    sql("UPDATE task SET title = 'A' || char(8238) || 'cod.exe' || char(8294) || 'B' ||"
        " char(8207) || char(1564) || char(8205) || char(8230)");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    CHECK_CONTAINS(strbuf_str(&out), "A?cod.exe?B??\xe2\x80\x8d\xe2\x80\xa6\n");
}

TEST(outside_text_cannot_forge_a_line)
{
    begin();
    sql("UPDATE task SET title = 'x' || char(10) || '9      drafted', requested_by ="
        " 'ann' || char(10) || 'draft          9'");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    CHECK(!strstr(strbuf_str(&out), "\n9 "));
    CHECK_STATUS(DRAFTD("show", CONFIG, "2"), 0);
    CHECK(!strstr(strbuf_str(&out), "\ndraft "));
    CHECK(!strstr(strbuf_str(&out), "\n9 "));
}

/* ---- changing ---- */

TEST(a_task_is_cancelled_and_retried)
{
    begin();
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "task 3 is asked to stop\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "3"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           3 (canceled)");
    CHECK_CONTAINS(strbuf_str(&out), "cancelled by ann before it began");
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: nothing of task 3 is under way\n");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "task 3 is queued again\n");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "3"), 1);
    CHECK_STR(strbuf_str(&err_out), "draftd: task 3 is under way\n");
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "4"), 0); /* running: its worker sees it */
    CHECK_STATUS(DRAFTD("show", CONFIG, "4"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           4 (running)");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "77"), 3);
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "77"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: there is no task 77\n");
}

TEST(what_is_not_kept_any_more_is_told)
{
    begin();
    sql("UPDATE delivery SET state = 1, body_state = 2 WHERE id = 1; DELETE FROM delivery_body;"
        "UPDATE step SET output_state = 2; DELETE FROM step_output");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "m9"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: the payload of delivery 1 was old and is not kept any "
                                    "more; redeliver it at the platform, if that still has it\n");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "--dry-run", "m9"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "not kept any more");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "setup 1\n(6 bytes, not kept any more)\n--- exited 0 after");
}

TEST(a_delivery_is_replayed_by_either_name)
{
    begin();
    CHECK_STATUS(DRAFTD("replay", CONFIG, "--dry-run", "m9"), 0);
    CHECK_STR(strbuf_str(&out), "would start local:demo/calc#m9 for local\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "6"), 3);
    CHECK_STATUS(DRAFTD("replay", CONFIG, "1"), 0);
    CHECK_STR(strbuf_str(&out), "started local:demo/calc#m9 for local\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "6"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "Do it now");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "m9"), 0);
    CHECK_STR(strbuf_str(&out), "ignored: task 6 is under way\n");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "bad"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "bad: \"repository\" must be a string OWNER/NAME\n");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "77"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no delivery 77");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "no-such-id"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no delivery no-such-id");

    sql("UPDATE delivery SET delivery_id = '1' WHERE id = 2");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "--dry-run", "1"), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "the platform's id of delivery 2;");
    sql("UPDATE delivery SET delivery_id = '2' WHERE id = 2");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "--dry-run", "2"), 0);
}

TEST_MAIN()
