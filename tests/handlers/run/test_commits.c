/* What platforms would do at the words of a commit's message. */
#include "tests/harness/test.h"

#include "handlers/run/commits.h"
#include "server/base/str.h"

static const struct {
    const char *text;
    const char *plain;
    bool closes;
    bool skips;
} cases[] = {
    {"", "", false, false},
    {"Mend the sum", "Mend the sum", false, false},
    {"Closes #7 [skip ci]", "Closes # 7 (skip ci)", true, true},
    {"fixed: acme/api#12", "fixed: acme/api# 12", true, false},
    {"resolve\n\nGH-3", "resolve\n\nGH- 3", true, false},
    {"Fix https://github.com/a/b/issues/7", "Fix https://github.com/a/b/issues/ 7", true, false},
    {"Look at #7", "Look at # 7", false, false},
    {"https://github.com/acme/fixed/issues/7", "https://github.com/acme/fixed/issues/ 7", false, false},
    {"https://github.com/fix/api/pull/7", "https://github.com/fix/api/pull/ 7", false, false},
    {"prefix #7, and fix the # sign", "prefix # 7, and fix the # sign", false, false},
    {"fixture #7", "fixture # 7", false, false},
    {"C# and #include and a#", "C# and #include and a#", false, false},
    {"Tell @ann, not a@b.org; @ is fine", "Tell @ ann, not a@b.org; @ is fine", false, false},
    {"[CI Skip] x", "(CI Skip) x", false, true},
    {"x [no ci]", "x (no ci)", false, true},
    {"x [skip actions][a]", "x (skip actions)[a]", false, true},
    {"x ***no_ci***", "x no_ci", false, true},
    {"Skip-Checks: true", "Skip Checks: true", false, true},
    {"a [list] of [nothing", "a [list] of [nothing", false, false},
    {"[skip\nci]", "[skip\nci]", false, false},
};

TEST(words_are_found_and_disarmed)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf plain = STRBUF_INIT(1000);
        AUTO_DONE(strbuf_done) struct strbuf again = STRBUF_INIT(1000);
        commits_append_plain(&plain, cases[i].text);
        CHECK_STR(strbuf_str(&plain), cases[i].plain);
        CHECK_INT(commits_close_issue(cases[i].text), cases[i].closes);
        CHECK_INT(commits_skip_ci(cases[i].text), cases[i].skips);
        CHECK(!commits_close_issue(strbuf_str(&plain)));
        CHECK(!commits_skip_ci(strbuf_str(&plain)));
        commits_append_plain(&again, strbuf_str(&plain));
        CHECK_STR(strbuf_str(&again), cases[i].plain);
    }
}

TEST_MAIN()
