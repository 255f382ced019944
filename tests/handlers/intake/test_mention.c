/* Mentions in Markdown: where they count, where they do not, and the command behind them. */
#include "handlers/intake/mention.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

static bool
is_agent(void *ctx, const char *name)
{
    return strcmp(name, ctx) == 0;
}

static const struct mention_names names = {
    .bot = "draftd", .is_agent = is_agent, .ctx = (char[]){"codex"}};

static enum mention_command
find_command(const char *text)
{
    AUTO_DONE(mention_done) struct mention mention = {.command = MENTION_NONE};
    struct err err;

    CHECK_OK(mention_find(text, &names, &mention, &err), err);
    return mention.command;
}

/* Checks the instruction; NULL: none. */
static void
check_instruction(const char *text, const char *instruction)
{
    AUTO_DONE(mention_done) struct mention mention = {.command = MENTION_NONE};
    struct err err;

    CHECK_OK(mention_find(text, &names, &mention, &err), err);
    CHECK_INT(mention.command, MENTION_WORK);
    if (instruction)
        CHECK_STR(mention.instruction, instruction);
    else
        CHECK(mention.instruction == NULL);
}

static void
check_all(const char *const *texts, size_t count, enum mention_command command)
{
    for (size_t i = 0; i < count; i++) {
        if (find_command(texts[i]) != command)
            TEST_FAIL("\"%s\" is read as %d", texts[i], (int)find_command(texts[i]));
    }
}

#define CHECK_ALL(texts, command) check_all(texts, sizeof(texts) / sizeof((texts)[0]), command)

TEST(mentions_at_the_edges_of_words)
{
    static const char *const texts[] = {
        "@draftd",
        "@draftd fix it",
        "please @draftd",
        "(@draftd)",
        "@DraftD go",
        "**@draftd**",
        "_@draftd_",
        "\"@draftd\"",
        "@draftd's turn",
        "@draftd, go",
        "@draftd: go",
        "@draftd.",
        "a\n@draftd\nb",
        "x\r\n@draftd\r\n",
        "请@draftd修复",
        "# For @draftd",
        "- @draftd fix",
        "1. @draftd fix",
        "| @draftd | x |",
        "[@draftd](https://example.org)",
        "> quoted\n\n@draftd do it",
        "@draftd-bot and @draftd",
        "<b>@draftd</b>",
        "👍@draftd",
    };

    CHECK_ALL(texts, MENTION_WORK);
}

TEST(no_mentions_inside_words)
{
    static const char *const texts[] = {
        "",          "draftd",       "foo@draftd",   "foo@draftd.example", "@draftd-bot",
        "@draftdx",  "@draftd2",     "@draft",       "@@draftd",           "-@draftd",
        "a/@draftd", "@draftd/team", "@acme/draftd", "9@draftd",           "@draftd_corp",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_INT(find_command(NULL), MENTION_NONE);
}

TEST(no_mentions_in_code_spans)
{
    static const char *const texts[] = {
        "`@draftd`",
        "run `echo @draftd` now",
        "``a ` @draftd``",
        "```@draftd```",
        "` @draftd\nsecond line `",
        "`a`@draftd",
        "`a `` @draftd`",
        "\\\\`@draftd`",
    };
    static const char *const spoken[] = {
        "` @draftd",        "`` @draftd `",    "\\` @draftd `",
        "` a\n\n@draftd `", "`a` @draftd `b`", "- ` a\n- @draftd `",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_fences)
{
    static const char *const texts[] = {
        "```\n@draftd\n```",
        "~~~\n@draftd\n~~~",
        "````\n```\n@draftd\n````",
        "~~~\n```\n@draftd\n~~~",
        "```sh\n@draftd",
        "   ```\n@draftd\n   ```",
        "text\n```\n@draftd\n```\n",
        "```\r\n@draftd\r\n```\r\n",
        "```\n``` x\n@draftd\n```",
        "```\n    ```\n@draftd\n```",
        "- a\n\n  ```\n  @draftd\n  ```",
        "1. a\n   - b\n     ~~~\n     @draftd\n     ~~~",
        "- ```\n  @draftd\n  ```",
        "- item\n```\n@draftd\n```",
    };
    static const char *const spoken[] = {
        "```\nx\n```\n@draftd", "```\nx\n````\n@draftd", "``` a`b\n@draftd",
        "``\n@draftd",          "- ```\n  x\n\n@draftd", "~~~ a`b\nx\n~~~\n@draftd",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_indented_code)
{
    static const char *const texts[] = {
        "    @draftd",      "\t@draftd",        "  \t@draftd",
        "a\n\n    @draftd", "# a\n    @draftd", "- a\n\n      @draftd",
        "-     @draftd",    "    - @draftd",
    };
    static const char *const spoken[] = {
        "   @draftd",         "a\n    @draftd", "- a\n\n    @draftd", "- a\n  - b\n\n    @draftd",
        "1. a\n\n   @draftd",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_quotes)
{
    static const char *const texts[] = {
        "> @draftd",        ">@draftd",       "   > @draftd",     "> a\n> @draftd",
        "- > @draftd",      "> > @draftd",    "> ```\n> @draftd", "a\n> @draftd",
        "> a\n@draftd",     "- > a\n@draftd", "> - a\n@draftd",   "> <div>\n> @draftd",
        "> a\n    @draftd",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_INT(find_command("> ```\n@draftd"), MENTION_WORK);
    CHECK_INT(find_command("` a\n> b\n\n@draftd `"), MENTION_WORK);
    CHECK_INT(find_command("> # a\n@draftd"), MENTION_WORK);
    CHECK_INT(find_command("> a\n- @draftd"), MENTION_WORK);
}

TEST(no_mentions_in_what_is_not_shown)
{
    static const char *const texts[] = {
        "[//]: # (@draftd retry)",
        "[comment]: <> (@draftd retry\n@draftd)",
        "[x]: https://example.org '@draftd'",
        "![@draftd retry](x)",
        "![a [@draftd] b](x \"y\")",
        "![@draftd][x]",
        "<? @draftd ?>",
        "a <!X @draftd>",
        "<![CDATA[\n\n@draftd",
    };
    static const char *const spoken[] = {
        "[@draftd retry](http://x)",
        "[//]: # (a)\n@draftd",
        "[//]: # (a) @draftd",
        "a\n[//]: # (@draftd)",
        "!\\[@draftd](x)",
        "![a](x) @draftd",
        "[^1]: see @draftd",
        "[![a](x) @draftd](y)",
        "<?a> @draftd ?>",
        "a <? @draftd",
        "a <!3 @draftd",
        "![a] (@draftd)",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_elements_of_code_and_quotes)
{
    static const char *const texts[] = {
        "<code>@draftd retry</code>",
        "a <CODE class=x>\\`@draftd</CODE>",
        "<tt>@draftd</tt>",
        "<pre>\n\n@draftd\n</pre>",
        "<blockquote>@draftd</blockquote>",
        "<blockquote>\n\n@draftd\n\n</blockquote>",
        "<pre><code>x</code>\n@draftd</pre>",
        "<div>\n<img\nalt='\n@draftd'>\n</div>",
    };
    static const char *const spoken[] = {
        "<code>a</code> @draftd",
        "<pre>\n\na\n</pre>\n@draftd",
        "`<code>` @draftd",
        "</code> @draftd",
        "\\<code> @draftd",
        "<codes>@draftd",
        "<details>\n@draftd\n</details>",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_comments)
{
    static const char *const texts[] = {
        "<!-- @draftd -->",     "<!--\n@draftd\n-->",      "<!--\n\n@draftd\n\n-->",
        "a <!-- @draftd --> b", "a <!-- x\n@draftd --> b", "<!-- @draftd",
        "<!-- a\n\n@draftd",
    };
    static const char *const spoken[] = {
        "<!-- a --> @draftd",      "<!-- a\n--> @draftd", "a <!-- @draftd",
        "a <!-- b\n\n@draftd -->", "<!-- a -->\n@draftd", "```\n<!--\n```\n@draftd",
        "`<!--` @draftd",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(no_mentions_in_addresses)
{
    static const char *const texts[] = {
        "[x](https://example.org/?u=@draftd)",
        "[x](a?@draftd \"about @draftd too\")",
        "[x](a(b)?=@draftd)",
        "see https://example.org/?u=@draftd",
        "<https://example.org/?u=@draftd>",
        "<a href=\"?u=@draftd\">x</a>",
        "[x]: https://example.org/?u=@draftd",
        "[x]: ?@draftd",
    };
    static const char *const spoken[] = {
        "[x](a) @draftd",   "[x](a @draftd",       "[x] (@draftd)",
        "[x](see @draftd)", "a < b @draftd c > d", "https://example.org @draftd",
        "[x]: a @draftd",
    };

    CHECK_ALL(texts, MENTION_NONE);
    CHECK_ALL(spoken, MENTION_WORK);
}

TEST(cancels_alone_on_a_line)
{
    static const char *const texts[] = {
        "@draftd cancel",  "@draftd stop",       "@draftd Cancel.",
        "@DRAFTD STOP!",   "  @draftd cancel  ", "No.\n@draftd cancel\nthanks",
        "@draftd: cancel", "@draftd, stop\r\n",
    };
    static const char *const work[] = {
        "@draftd cancel the order", "@draftd stop using floats",
        "please @draftd cancel",    "@draftd cancelled orders are shown",
        "@draftd\ncancel",          "@draftd implement cancel",
        "@draftd cancel `x`",
    };

    CHECK_ALL(texts, MENTION_CANCEL);
    CHECK_ALL(work, MENTION_WORK);
}

TEST(commands_alone_on_a_line)
{
    static const struct {
        const char *text;
        enum mention_command command;
    } cases[] = {
        {"@draftd retry", MENTION_RETRY},         {"@draftd Retry!", MENTION_RETRY},
        {"@draftd rebase", MENTION_REBASE},       {"@draftd status", MENTION_STATUS},
        {"@draftd help.", MENTION_HELP},          {"@draftd use codex retry", MENTION_RETRY},
        {"@draftd on v2 rebase", MENTION_REBASE}, {"@draftd retry the upload", MENTION_WORK},
        {"@draftd help me", MENTION_WORK},        {"please @draftd retry", MENTION_WORK},
        {"@draftd status code", MENTION_WORK},    {"@draftd rebased", MENTION_WORK},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (find_command(cases[i].text) != cases[i].command)
            TEST_FAIL("\"%s\" is read as %d", cases[i].text, (int)find_command(cases[i].text));
    }
}

/* NULL: not said. */
static void
check_options(const char *text, const char *agent, const char *branch, const char *instruction)
{
    AUTO_DONE(mention_done) struct mention mention = {.command = MENTION_NONE};
    struct err err;

    CHECK_OK(mention_find(text, &names, &mention, &err), err);
    if (!str_equal(mention.agent, agent) || !str_equal(mention.branch, branch) ||
        !str_equal(mention.instruction, instruction))
        TEST_FAIL("\"%s\" is read as agent %s, branch %s, instruction %s", text,
                  mention.agent ? mention.agent : "-", mention.branch ? mention.branch : "-",
                  mention.instruction ? mention.instruction : "-");
}

TEST(options_and_what_only_looks_like_them)
{
    check_options("@draftd use codex", "codex", NULL, NULL);
    check_options("@draftd use codex fix it", "codex", NULL, "fix it");
    check_options("@draftd use codex: fix it", "codex", NULL, "fix it");
    check_options("@draftd, use codex on release/2: fix it", "codex", "release/2", "fix it");
    check_options("@draftd on release/2 use codex fix it", "codex", "release/2", "fix it");
    check_options("@draftd on v1.2.\nFix it", NULL, "v1.2", "Fix it");
    check_options("@draftd on main\nfix it", NULL, "main", "fix it");
    check_options("@draftd use typo", "typo", NULL, NULL);
    check_options("@draftd use codex retry", "codex", NULL, NULL);
    check_options("@draftd retry\nwithout the cache", NULL, NULL, "without the cache");
    check_options("Look.\n@draftd use codex: fix it\nSoon.", "codex", NULL, "Look.\nfix it\nSoon.");

    check_options("@draftd use the force", NULL, NULL, "use the force");
    check_options("@draftd on monday we ship", NULL, NULL, "on monday we ship");
    check_options("@draftd use codexes now", NULL, NULL, "use codexes now");
    check_options("@draftd on", NULL, NULL, "on");
    check_options("@draftd use on x", NULL, NULL, "use on x");
    check_options("@draftd used codex", NULL, NULL, "used codex");
    check_options("please @draftd use codex", NULL, NULL, "please use codex");
    check_options("@draftd status", NULL, NULL, NULL);
}

TEST(options_without_end_cost_little)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(1U << 20);

    strbuf_add_str(&buf, "@draftd");
    for (int i = 0; i < 60000; i++)
        strbuf_add_str(&buf, i % 2 ? " on x" : " use codex");
    strbuf_add_str(&buf, " and more");
    const int64_t began_ms = clock_mono_ms();
    CHECK_INT(find_command(strbuf_str(&buf)), MENTION_WORK);
    CHECK(clock_mono_ms() - began_ms < 2000);
}

TEST(the_first_mention_decides)
{
    CHECK_INT(find_command("@draftd fix it\n\n@draftd cancel"), MENTION_WORK);
    CHECK_INT(find_command("@draftd cancel\n\n@draftd fix it"), MENTION_CANCEL);
    CHECK_INT(find_command("`@draftd fix it`\n\n@draftd cancel"), MENTION_CANCEL);
}

TEST(instruction_is_the_rest)
{
    check_instruction("@draftd", NULL);
    check_instruction(" \r\n @draftd \r\n", NULL);
    check_instruction("@draftd fix the sum", "fix the sum");
    check_instruction("Hey @draftd, fix the sum", "Hey fix the sum");
    check_instruction("@draftd: use `@draftd`\n\n> a\n", "use `@draftd`\n\n> a");
    check_instruction("one\n@draftd\ntwo", "one\n\ntwo");
    check_instruction("fix the sum @draftd", "fix the sum");
    check_instruction("@draftd-bot and @draftd go", "@draftd-bot and go");
}

TEST(floods_end_soon)
{
    static const char *const parts[] = {
        "<",         "<!--", "](", "](a ",      "`\n``\n", "- ",        "> ",    "<a",
        "]:",        "@d",   "\\", "~~~\n",     "[](((",   "😀",         "\xFF@", "\t- ",
        "```\n- ",   "[",    "![", "<?a>",      "<!X",     "[a]: b\n",  "<pre>", "> - ",
        "<![CDATA[", "`",    "</", "<!-- --!>", "![](x)",  "[//]: # (",
    };
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(300U * 1024);
    const int64_t start_ms = clock_mono_ms();

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        strbuf_reset(&buf);
        while (buf.len < 256U * 1024)
            strbuf_add_str(&buf, parts[i]);
        CHECK_INT(find_command(strbuf_str(&buf)), MENTION_NONE);
    }
    /* Runs of every length, none of which is ever closed. */
    strbuf_reset(&buf);
    for (size_t run = 1; buf.len < 256U * 1024; run++) {
        for (size_t i = 0; i < run; i++)
            strbuf_add_char(&buf, '`');
        strbuf_add_char(&buf, ' ');
    }
    CHECK_INT(find_command(strbuf_str(&buf)), MENTION_NONE);
    CHECK(clock_mono_ms() - start_ms <
          20 * MS_PER_SECOND); /* seconds would be minutes if squared */
}

TEST_MAIN()
