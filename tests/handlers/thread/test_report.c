/* The status comment and the draft: what they say in every state, and that nothing from outside
 * breaks them. */
#include "tests/handlers/thread/report_hostile.h"

/* ---- marker and title ---- */

TEST(marker_is_one_comment)
{
    auto_free char *marker = NULL;
    auto_free char *odd = NULL;
    struct err err;

    CHECK_OK(report_marker(7, "ab12", &marker, &err), err);
    CHECK_STR(marker, MARKER);
    CHECK_OK(report_marker(7, "a--> b", &odd, &err), err);
    CHECK_STR(odd, "<!-- draftd:task=7 instance=ab -->");
}

TEST(title_is_one_short_line)
{
    struct task task = make_task(TASK_RUNNING);
    auto_free char *plain = NULL;
    auto_free char *cut = NULL;
    auto_free char *none = NULL;
    auto_free char *ordinary = NULL;
    auto_free char *emoji = repeat("😀", 5000);
    struct err err;

    CHECK_OK(report_draft_title(&task, false, &plain, &err), err);
    CHECK_STR(plain, "Sum is wrong");
    task.title = emoji;
    CHECK_OK(report_draft_title(&task, false, &cut, &err), err);
    CHECK(strlen(cut) <= 200 && is_valid_utf8(cut) && str_ends_with(cut, "..."));
    task.title = text("\u200B\n");
    CHECK_OK(report_draft_title(&task, false, &none, &err), err);
    CHECK_OK(report_draft_title(&task, true, &ordinary, &err), err);
    CHECK_STR(none, "Task 7");
    CHECK_STR(ordinary, "[draft] Task 7");
}

/* ---- the status comment ---- */

TEST(status_queued)
{
    const struct task task = make_task(TASK_QUEUED);
    const struct report_input input = make_input(&task, NULL);
    auto_free char *report = status_of(&input);

    CHECK_CONTAINS(report, MARKER "\n**Queued**: ");
    CHECK_CONTAINS(report, "Asked by octocat. `@draftd cancel` stops it.\n");
}

TEST(status_of_a_local_task_names_commands)
{
    struct task task = make_task(TASK_QUEUED);
    const struct report_input input = make_input(&task, NULL);

    task.platform = text("local");
    auto_free char *live = status_of(&input);
    CHECK_CONTAINS(live, "`draftd cancel 7` stops it.");
    task.state = TASK_FAILED;
    auto_free char *ended = status_of(&input);
    CHECK_CONTAINS(ended, "When that is mended, `draftd retry 7` tries again.");
}

TEST(status_names_every_stage)
{
    static const char *const words[] = {
        [STAGE_FETCH] = "**Working**: fetching the repository.\n\n**fetch** · setup",
        [STAGE_SETUP] = "**Working**: setting up.\n\nfetch ✓ · **setup** · ",
        [STAGE_BASELINE] = "running the checks before any change.",
        [STAGE_AGENT] = "**Working**: round 2 of 3: the agent is working.\n",
        [STAGE_CHECK] = "round 2 of 3: running checks.",
        [STAGE_EXPORT] = "looking over the change.",
        [STAGE_PROOF] = "proving the commit in a fresh container.",
        [STAGE_PUBLISH] = "publishing.\n\nfetch ✓ · setup ✓ · checks before ✓ · agent ✓ · ",
        [STAGE_END] = "publishing.",
    };
    const struct task task = make_task(TASK_RUNNING);
    struct run run = make_run();

    for (int stage = STAGE_FETCH; stage <= STAGE_END; stage++) {
        const struct report_input input = make_input(&task, &run);
        run.stage = (enum run_stage)stage;
        auto_free char *report = status_of(&input);
        CHECK_CONTAINS(report, words[stage]);
        CHECK_CONTAINS(report, "Asked by hubot (label).");
    }
}

TEST(status_does_not_change_by_itself)
{
    const struct task task = make_task(TASK_RUNNING);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    run.finished_ms = 0;
    auto_free char *before = status_of(&input);
    input.now_ms += MS_PER_HOUR;
    auto_free char *after = status_of(&input);
    CHECK_STR(after, before);
}

TEST(status_waiting_and_stopping)
{
    const struct task task = make_task(TASK_QUEUED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    input.waiting_for = "the container engine";
    auto_free char *waiting = status_of(&input);
    CHECK_CONTAINS(waiting, "**Waiting** for what is away: the container engine.\n");
    run.cancel_requested = text("octocat");
    auto_free char *stopping = status_of(&input);
    CHECK_CONTAINS(stopping, "**Stopping**, as octocat asked.\n");
    CHECK(!strstr(stopping, "stops it"));
}

TEST(status_drafted)
{
    struct task task = make_task(TASK_DRAFTED);
    struct run run = make_run();
    struct check_result checks[] = {make_check("test", CHECK_VERDICT_FIXED),
                                    make_check("lint", CHECK_VERDICT_PASSED)};
    const struct check_result_list list = {.items = checks, .count = COUNT(checks)};
    struct report_input input = make_input(&task, &run);

    task.draft_number = 43;
    task.draft_url = text("https://example.org/acme/api/pull/43");
    run.verdict = VERDICT_VERIFIED;
    run.summary = text("I did it.");
    run.flags = text("[\"61 files are changed\"]");
    input.checks = &list;
    auto_free char *report = status_of(&input);
    CHECK_CONTAINS(report,
                   MARKER "\n**Draft ready**: [pull request 43](https://example.org/acme/api/"
                          "pull/43).\n\n**Verified**: all 2 checks passed on `abc1234` "
                          "in a fresh container. `test` was red before and is green now.\n");
    CHECK_CONTAINS(report, "> [!WARNING]\n> - 61 files are changed\n");
    CHECK_CONTAINS(report, "| Check | Before | After | Fresh container | Verdict |\n");
    CHECK_CONTAINS(report,
                   "| `test` | ❌ exit 1, 0.4 s | ✅ exit 0, 0.4 s | ✅ exit 0, 0.4 s | **fixed** |");
    CHECK_CONTAINS(report, "Asked by hubot (label); took 3 min 5 s, 2 rounds.\n");
    CHECK(!strstr(report, "I did it"));
    CHECK(!strstr(report, "try again"));
}

TEST(conflicts_of_an_open_draft_are_told)
{
    struct task task = make_task(TASK_DRAFTED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);
    const struct report_answer_input asked = {.task = &task,
                                              .instance = "ab12",
                                              .bot_name = "draftd",
                                              .bot_label = "draftd",
                                              .question = "9"};
    struct err err;

    task.draft_number = 9;
    task.draft_state = DRAFT_OPEN;
    task.base_branch = text("main");
    auto_free char *clean = status_of(&input);
    CHECK(!strstr(clean, "conflicts"));
    task.draft_conflicts = true;
    auto_free char *told = status_of(&input);
    CHECK_CONTAINS(told, "It conflicts with `main`; `@draftd rebase` resolves that.\n");
    auto_free char *answer = NULL;
    CHECK_OK(report_status_answer(&asked, &answer, &err), err);
    CHECK_CONTAINS(answer, "It conflicts with `main`; `@draftd rebase` resolves that.\n");
    task.draft_state = DRAFT_CLOSED;
    auto_free char *closed = status_of(&input);
    CHECK(!strstr(closed, "conflicts"));
}

TEST(an_answer_about_no_task_is_ours_and_of_no_task)
{
    const struct report_answer_input asked = {
        .instance = "ab12", .bot_name = "draftd", .bot_label = "agent", .question = "9"};
    auto_free char *status = NULL;
    auto_free char *help = NULL;
    auto_free char *refusal = NULL;
    struct err err;

    CHECK_OK(report_status_answer(&asked, &status, &err), err);
    CHECK_STR(status, "<!-- draftd:instance=ab12 answer=9 -->\n"
                      "Nothing was asked of draftd here so far.\n");
    CHECK(report_is_ours(status));
    CHECK_OK(report_help(&asked, &help, &err), err);
    CHECK(report_is_ours(help));
    CHECK_OK(report_refusal(&asked, &refusal, &err), err);
    CHECK_CONTAINS(refusal, "mention `@draftd` in an issue, or give an issue the label `agent`.");
}

TEST(status_of_a_draft_in_the_store)
{
    struct task task = make_task(TASK_DRAFTED);
    struct run run = make_run();
    const struct report_input input = make_input(&task, &run);

    run.verdict = VERDICT_NO_CHECKS;
    auto_free char *report = status_of(&input);
    CHECK_CONTAINS(report, "**Draft ready**: draft 7 on the branch `draftd/42-sum-is-wrong`.\n");
    CHECK_CONTAINS(report, "**No checks configured**: nothing was verified.");
}

TEST(status_failed)
{
    struct task task = make_task(TASK_FAILED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    task.reason = text("setup failed on the base commit (exit status 2)");
    input.output = "npm ERR!\nno such package\n";
    auto_free char *report = status_of(&input);
    CHECK_CONTAINS(report, "**Failed**: setup failed on the base commit (exit status 2).\n");
    CHECK_CONTAINS(report, "Last lines of output:\n\n```text\nnpm ERR!\nno such package\n```\n");
    CHECK_CONTAINS(report, "When that is mended, `@draftd retry` tries again.\n");
    input.bot_name = "helper";
    auto_free char *named = status_of(&input);
    CHECK_CONTAINS(named, "When that is mended, `@helper retry` tries again.\n");
    input.bot_name = "draftd";
    CHECK(!strstr(report, "should be different"));

    run.stage = STAGE_AGENT; /* other words may help an agent */
    auto_free char *agent = status_of(&input);
    CHECK_CONTAINS(agent, "To try again, mention `@draftd` and say what should be different.\n");
}

TEST(status_of_a_broken_repository_file)
{
    struct task task = make_task(TASK_FAILED);
    struct report_input input = make_input(&task, NULL);

    task.reason = text("`.draftd.yml` has faults.");
    input.detail = ".draftd.yml:3: chekcs: unknown key\n\n.draftd.yml:9: rounds: not a number\n";
    auto_free char *report = status_of(&input);
    CHECK_CONTAINS(report, "has faults.\n\n- .draftd.yml:3: chekcs: unknown key\n"
                           "- .draftd.yml:9: rounds: not a number\n");
}

TEST(status_of_a_run_that_gave_way_to_somebody)
{
    struct task task = make_task(TASK_UNCHANGED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    run.rival = text("https://example.org/acme/api/pull/5");
    auto_free char *told = status_of(&input);
    CHECK_CONTAINS(told, "**Not begun**: [somebody's pull request]"
                         "(https://example.org/acme/api/pull/5) for this is open already.\n");
    CHECK_CONTAINS(told, "`@draftd retry` has it done all the same.");
    CHECK(!strstr(told, "No change needed") && !strstr(told, "To try again"));

    task.state = TASK_FAILED; /* a run that found one and then lost its lease, say */
    auto_free char *failed = status_of(&input);
    CHECK(!strstr(failed, "Not begun") && !strstr(failed, "all the same"));
}

TEST(status_says_what_came_before)
{
    struct task task = make_task(TASK_QUEUED);
    struct past_draft past = {.number = 2,
                              .url = text("https://example.org/acme/api/pull/2"),
                              .branch = text("draftd/42-before"),
                              .state = DRAFT_MERGED};
    struct report_input input = make_input(&task, NULL);

    input.past = &past;
    auto_free char *queued = status_of(&input);
    CHECK_CONTAINS(queued, "\n\nBefore: [pull request 2](https://example.org/acme/api/pull/2)"
                           " was merged; this is new work.\n\nAsked by");
    task.state = TASK_DRAFTED;
    past.state = DRAFT_CLOSED;
    auto_free char *drafted = status_of(&input);
    CHECK_CONTAINS(drafted, "pull/2) was closed; this is new work.\n");
    past.branch = task.branch; /* that another took the place of */
    past.state = DRAFT_NONE;
    auto_free char *replaced = status_of(&input);
    CHECK_CONTAINS(replaced, "pull/2) was left for another.\n");
    input.past = NULL;
    auto_free char *first = status_of(&input);
    CHECK(!strstr(first, "Before"));
}

TEST(status_of_a_run_whose_draft_ended_meanwhile)
{
    struct task task = make_task(TASK_CANCELED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    run.cancel_requested = text("whoever closed the draft");
    task.draft_number = 2;
    task.draft_url = text("https://example.org/acme/api/pull/2");
    task.draft_state = DRAFT_CLOSED;
    auto_free char *closed = status_of(&input);
    CHECK_CONTAINS(closed, "**Cancelled** by whoever closed the draft.\n\n**Closed** without being "
                           "merged: [pull request 2](https://example.org/acme/api/pull/2).\n");
    CHECK(!strstr(closed, "There is already"));
    task.draft_state = DRAFT_MERGED;
    auto_free char *merged = status_of(&input);
    CHECK_CONTAINS(merged, "\n\n**Merged**: [pull request 2](");
}

TEST(status_of_a_run_that_needed_no_agent)
{
    struct task task = make_task(TASK_UNCHANGED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    task.draft_number = 9;
    task.draft_url = text("https://example.org/acme/api/pull/9");
    run.outcome = OUTCOME_UNCHANGED;
    run.reason = text("the branch has all of \"main\" already");
    auto_free char *told = status_of(&input);
    CHECK_CONTAINS(told, "**Nothing was changed**: the branch has all of \"main\" already.\n");
    CHECK(!strstr(told, "No change needed") && !strstr(told, "the agent"));

    run.stage = STAGE_CHECK;
    run.reason = text("the agent changed nothing");
    auto_free char *agents = status_of(&input);
    CHECK_CONTAINS(agents, "**No change needed**: the agent changed nothing.\n");
}

TEST(status_unchanged_held_and_canceled)
{
    struct task task = make_task(TASK_UNCHANGED);
    struct run run = make_run();
    struct report_input input = make_input(&task, &run);

    run.summary = text("It is right as it is.\n\n- 1 + 1 is `2`");
    auto_free char *unchanged = status_of(&input);
    CHECK_CONTAINS(unchanged, "**No change needed**: ");
    CHECK_CONTAINS(unchanged, "### What the agent says (not verified by draftd)\n\n"
                              "> It is right as it is.\n>\n> - 1 + 1 is `2`\n");

    CHECK_CONTAINS(unchanged, "so there is no pull request");

    task.draft_number = 9;
    task.draft_url = text("https://example.org/acme/api/pull/9");
    auto_free char *again = status_of(&input);
    CHECK_CONTAINS(again,
                   "**No change needed**: the agent changed nothing.\n\n"
                   "There is already [pull request 9](https://example.org/acme/api/pull/9).\n");
    CHECK(!strstr(again, "no pull request"));
    task.draft_number = 0;
    task.draft_url = NULL;

    task.state = TASK_HELD;
    input.detail = ".github/workflows/ci.yml: protected by \".github/**\", was changed";
    auto_free char *held = status_of(&input);
    CHECK_CONTAINS(held, "**Held back**: nothing was pushed, because of what the change holds or "
                         "touches.\n");
    CHECK_CONTAINS(held, "mention `@draftd` and say what the change should leave alone.\n");
    CHECK_CONTAINS(held,
                   "- .github/workflows/ci.yml: protected by \".github/\\*\\*\", was changed\n");

    input.detail = NULL;
    task.reason = text("the change was refused: commit abc1234: 'x': its name is not allowed");
    auto_free char *refused = status_of(&input);
    CHECK_CONTAINS(refused, "\n\nThe change was refused: commit abc1234: 'x': its name");

    task.state = TASK_CANCELED;
    task.reason = text("the issue was closed");
    auto_free char *closed = status_of(&input);
    CHECK_CONTAINS(closed, "**Cancelled**: the issue was closed.\n");
    run.cancel_requested = text("@octocat");
    auto_free char *canceled = status_of(&input);
    CHECK_CONTAINS(canceled, "**Cancelled** by @\u200Doctocat.\n");
    CHECK(!strstr(canceled, "published"));
    run.stage = STAGE_PUBLISH;
    task.branch = text("draftd/1-it");
    auto_free char *published = status_of(&input);
    CHECK_CONTAINS(published, "being published already: the branch `draftd/1-it` may be there");
}

/* ---- the draft ---- */

TEST(nothing_breaks_out)
{
    check_hostile_draft(evil);
    check_hostile_status(evil);
    check_hostile_draft("");
    check_hostile_status("");
}

TEST(nothing_is_too_long)
{
    static const char *const parts[] = {
        "😀",         "`",          "`\n",          "|",      "&",
        "@octocat ", "#1 ",        "<!-- ",        "\n",     "- ",
        "~~~\n",     "```\n```` ", "</details>\n", "\u202E", "x",
        "\r\n| a |", "1. [",       "\\",           "<",      "$",
        "://",       "- `a` |\n",
    };

    for (size_t i = 0; i < COUNT(parts); i++) {
        auto_free char *flood = repeat(parts[i], i == 0 ? 64U * 1024 : 20U * 1024);
        check_hostile_draft(flood);
        check_hostile_status(flood);
    }
}

TEST_MAIN()
