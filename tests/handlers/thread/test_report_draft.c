/* The draft's body: what it says of every verdict. */
#include "tests/handlers/thread/report_fixture.h"

TEST(body_says_verdict_and_size_first)
{
    struct draft draft;

    draft_init(&draft);
    auto_free char *body = body_of(&draft.input);
    CHECK(str_starts_with(body,
                          MARKER "\n**Verified**: all 3 checks passed on `abc1234` in a "
                                 "fresh container.\n5 files changed, +12 −1, in 2 rounds of the "
                                 "agent.\n"));
    CHECK_CONTAINS(body,
                   "**Asked**: [Sum is wrong](https://example.org/acme/api/issues/42) by hubot "
                   "(label)\n");
    CHECK_CONTAINS(body, "| `src/sum.c` | 3 | 1 |  |\n| `src/new.sh` | 9 | 0 | new, executable |\n"
                         "| `b.png` | 0 | 0 | new, binary, 2 KiB |\n| `b.txt` | 0 | 0 | new, "
                         "large, 1954 KiB |\n| `c.c` | 0 | 0 | was `d.c` |\n");
    CHECK_CONTAINS(body, "### What the agent says (not verified by draftd)\n\n> Fixed the sum.\n");
    CHECK_CONTAINS(body, "\nCloses #42\n");
    CHECK(strstr(body, "### Checks") < strstr(body, "### Files"));
    CHECK(strstr(body, "### Files") < strstr(body, "### What the agent says"));
    CHECK(!strstr(body, "<details>"));
    CHECK(!strstr(body, "WARNING"));
}

TEST(body_of_what_is_not_verified)
{
    struct draft draft;

    draft_init(&draft);
    draft.run.verdict = VERDICT_NOT_VERIFIED;
    draft.checks[0] = make_check("test", CHECK_VERDICT_FAILED);
    draft.checks[1] = make_check("lint", CHECK_VERDICT_TIMED_OUT);
    draft.checks[2] = make_check("types", CHECK_VERDICT_RED_BEFORE);
    draft.outputs[0] = "expected 2, got 3\n";
    draft.outputs[1] = "\n";
    draft.input.failed_outputs = draft.outputs;
    draft.run.flags = text("[\"tests/x.c: test was deleted\"]");
    auto_free char *body = body_of(&draft.input);
    CHECK(str_starts_with(body,
                          MARKER "\n**Not verified**: `test` failed (exit status 1), `lint` timed "
                                 "out (after 10 min 0 s) on `abc1234`. `types` was red before this "
                                 "change and still is.\n"));
    CHECK_CONTAINS(body, "> [!WARNING]\n> - tests/x.c: test was deleted\n");
    CHECK_CONTAINS(
        body, "| `lint` | ✅ exit 0, 0.4 s | ⌛ timed out, 10 min 0 s | ⌛ timed out, 10 min 0 s | "
              "**timed out** |\n");
    CHECK_CONTAINS(body, "<details><summary>Last lines of <code>test</code></summary>\n\n```text\n"
                         "expected 2, got 3\n```\n\n</details>\n");
    CHECK_CONTAINS(body, "\n`lint` printed nothing.\n");
}

TEST(body_without_proof_gives_the_reason)
{
    struct draft draft;

    draft_init(&draft);
    draft.run.verdict = VERDICT_NOT_VERIFIED;
    draft.run.reason = text("the fresh container could not be set up");
    auto_free char *body = body_of(&draft.input);
    CHECK_CONTAINS(body,
                   "**Not verified**: the fresh container could not be set up on `abc1234`.\n");
}

/* Nothing broke, and nothing speaks for the change either. */
TEST(body_where_no_check_is_green)
{
    struct draft draft;

    draft_init(&draft);
    draft.run.verdict = VERDICT_NOT_VERIFIED;
    draft.checks[0] = make_check("types", CHECK_VERDICT_RED_BEFORE);
    draft.list.count = 1;
    auto_free char *body = body_of(&draft.input);
    CHECK_CONTAINS(body, "**Not verified**: no check is green on `abc1234`. `types` was red before "
                         "this change and still is.\n");
}

TEST(body_counts_what_passed)
{
    struct draft draft;

    draft_init(&draft);
    draft.checks[1] = make_check("lint", CHECK_VERDICT_RED_BEFORE);
    draft.checks[2] = make_check("e2e", CHECK_VERDICT_FLAKY);
    auto_free char *several = body_of(&draft.input);
    CHECK_CONTAINS(several,
                   "**Verified**: 2 of 3 checks passed on `abc1234` in a fresh "
                   "container. `lint` was red before this change and still is. `e2e` is flaky: "
                   "red, then green on one more try.\n");
    draft.list.count = 1;
    auto_free char *one = body_of(&draft.input);
    CHECK_CONTAINS(one, "**Verified**: the check `test` passed on `abc1234`");
}

TEST(body_without_checks_or_link)
{
    struct draft draft;

    draft_init(&draft);
    draft.run.verdict = VERDICT_NO_CHECKS;
    draft.input.checks = NULL;
    draft.input.closes_issue = false;
    draft.task.url = NULL;
    auto_free char *body = body_of(&draft.input);
    CHECK(str_starts_with(body, MARKER "\n**No checks configured**: nothing was verified. Add "));
    CHECK_CONTAINS(body, "**Asked**: Sum is wrong by hubot (label)\n\n> 1 + 1 gives 3.\n");
    CHECK(!strstr(body, "Closes"));
    CHECK(!strstr(body, "### Checks"));
}

TEST(body_links_only_ordinary_addresses)
{
    static const char *const urls[] = {
        "javascript:x", "https://a b", "https://a)b",   "https://a\nb",
        "//x",          "https://a`b", "https://x/<b>", ""};
    struct draft draft;

    draft_init(&draft);
    for (size_t i = 0; i < COUNT(urls); i++) {
        draft.task.url = text(urls[i]);
        auto_free char *body = body_of(&draft.input);
        CHECK_CONTAINS(body, "**Asked**: Sum is wrong by hubot");
    }
}

TEST(body_refuses_broken_flags)
{
    struct draft draft;
    char *body = NULL;
    struct err err;

    draft_init(&draft);
    draft.run.flags = text("[\"a");
    CHECK_INT(report_draft_body(&draft.input, &body, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "flags");
    CHECK(body == NULL);
}

/* ---- hostile ---- */

TEST_MAIN()
