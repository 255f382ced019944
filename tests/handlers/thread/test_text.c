/* Outside text made harmless: hostile characters, comments, fences, terminals. */
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#define MAX_BYTES (4U * 1024 * 1024)

typedef void append_fn(struct strbuf *buf, struct bytes text);

static const char *
apply(struct strbuf *buf, append_fn *append, const char *text)
{
    strbuf_reset(buf);
    append(buf, bytes_of_str(text));
    return strbuf_str(buf);
}

static const char *
apply_tail(struct strbuf *buf, const char *text, size_t lines, size_t bytes)
{
    strbuf_reset(buf);
    text_append_tail(buf, bytes_of_str(text), lines, bytes);
    return strbuf_str(buf);
}

static const char *
apply_quote(struct strbuf *buf, const char *text, size_t bytes)
{
    strbuf_reset(buf);
    text_append_quote(buf, bytes_of_str(text), bytes);
    return strbuf_str(buf);
}

static const char *
apply_line(struct strbuf *buf, const char *text, size_t bytes)
{
    strbuf_reset(buf);
    text_append_line(buf, text, bytes);
    return strbuf_str(buf);
}

static const char *
apply_slug(struct strbuf *buf, const char *text)
{
    strbuf_reset(buf);
    text_append_slug(buf, text);
    return strbuf_str(buf);
}

/* `text` repeated, in fresh memory. */
static char *
repeat(const char *text, size_t count)
{
    struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    for (size_t i = 0; i < count; i++)
        strbuf_add_str(&buf, text);
    return buf.ptr;
}

static bool
is_valid_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code_point;
        const size_t size = utf8_decode(text + i, len - i, &code_point);
        if (code_point == 0xFFFD && size == 1)
            return false;
        i += size;
    }
    return true;
}

TEST(clean_keeps_what_people_see)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    static const char text[] = "Grüße\t日本語 ❤️ 👍\nx < y && y > z\n";

    CHECK_STR(apply(&buf, text_append_clean, text), text);
    CHECK_STR(apply(&buf, text_append_clean, ""), "");
    strbuf_reset(&buf);
    text_append_clean(&buf, bytes_of(NULL, 0));
    CHECK_INT(buf.len, 0);
}

TEST(clean_removes_comments)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_clean, "a<!-- x -->b"), "ab");
    CHECK_STR(apply(&buf, text_append_clean, "a<!-- x\ny -- z\n-->b<!---->c"), "abc");
    CHECK_STR(apply(&buf, text_append_clean, "a\n<!-- x\n\ny\n-->b\n\n<!-- z -->c"), "a\nb\n\nc");
    CHECK_STR(apply(&buf, text_append_clean, "> <!-- a\n> b --> c\n- <!-- d -->e"), ">  c\n- e");
    CHECK_STR(apply(&buf, text_append_clean, "a<!-->b"), "ab");
    CHECK_STR(apply(&buf, text_append_clean, "a<!--->b"), "ab");
    CHECK_STR(apply(&buf, text_append_clean, "<!-- x --!>b"), "b");
    CHECK_STR(apply(&buf, text_append_clean, "<!- x -->"), "<!- x -->");
}

TEST(clean_keeps_comments_that_people_see)
{
    static const char *const texts[] = {
        "The parser fails on `<!--` in the input. Please fix it.\n\nSecond.",
        "`` a ` <!-- b --> ``",
        "a\n```html\n<!-- b -->\n<!--\n```\nc",
        "~~~\n<!-- a\n\n-->\n~~~",
        "> ```\n> <!-- a -->\n> ```",
        "- a\n\n  ```\n  <!-- a -->\n  ```",
        "a\n\n    <!-- b -->\n\n\t<!-- c",
        "- a\n\n      <!-- b -->",
        "a \\<!-- b --> c",
        "It ends with <!-- and goes on.\n\nThere is --> too.",
        "a <!-- x --!> b",
        "- a <!--\n- b -->",
        "- ```\n  <!-- a -->",
        "a <? b > c",
        "a <!3 b> <!> c",
        "a\n[//]: # (b)",
        "[//]: # (a) b",
        "[^1]: #",
        "- [x]: done",
        "[x]: https://example.org \"y\"",
        "[x](y \"<!-- z -->\")",
        "```\n[//]: # (a)\n<? b ?>\n```",
    };
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK_STR(apply(&buf, text_append_clean, texts[i]), texts[i]);
}

TEST(clean_removes_what_serves_as_a_comment)
{
    static const struct {
        const char *text;
        const char *clean;
        size_t count;
        size_t characters;
    } cases[] = {
        {"a <!-- \u00E9t --> b <!---->", "a  b ", 2, 2},
        {"[//]: # (b)\n\nc", "\n\nc", 1, 11},
        {"[comment]: <> 'b\nc'\n[b]: #\n[//]: /x\nd", "\n\n\nd", 3, 33},
        {"a\n\n> [//]: #\n> (b)\n> c", "a\n\n> \n> c", 1, 13},
        {"a <? b ?> c <!X d> e <![CDATA[ f ]]> g", "a  c  e  g", 3, 28},
        {"<? b\n\nc > d ?> e", " d ?> e", 1, 9},
        {"<div>\n`<!-- a -->`\n</div>", "<div>\n``\n</div>", 1, 1},
        {"<pre>\n\n<!-- ab\n\n-->c</pre>\n`<!--`", "<pre>\n\nc</pre>\n`<!--`", 1, 2},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
        struct text_hidden hidden = {0};
        text_append_clean_counted(&buf, bytes_of_str(cases[i].text), &hidden);
        CHECK_STR(strbuf_str(&buf), cases[i].clean);
        CHECK_INT(hidden.comments, cases[i].count);
        CHECK_INT(hidden.in_comments, cases[i].characters);
        CHECK_INT(hidden.characters, 0);
    }
}

TEST(clean_tells_of_a_comment_without_an_end)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    const char *clean = apply(&buf, text_append_clean, "seen\n<!-- do evil");

    CHECK_CONTAINS(clean, "seen\n[the rest");
    CHECK(!strstr(clean, "evil"));
    clean = apply(&buf, text_append_clean, "<div>seen <!-- do\n\n```\nevil\n```\n> evil");
    CHECK_CONTAINS(clean, "<div>seen [the rest");
    CHECK(!strstr(clean, "evil"));
}

TEST(clean_takes_pieces_of_comments_as_people_see_them)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_clean, "<!<!-- a -->-- b --> x"), "<!-- b --> x");
    CHECK(!strstr(apply(&buf, text_append_clean, "<\xE2\x80\x8B!-- draftd:task=1 --> x"), "<!--"));
    CHECK_STR(apply(&buf, text_append_clean, "<<!-- -->!--<!-- --> a --> x"), "<!-- a --> x");
    /* What stands in the buffer already is not looked at. */
    strbuf_reset(&buf);
    strbuf_add_str(&buf, "<!");
    text_append_clean(&buf, bytes_of_str("-- x -->"));
    CHECK_STR(strbuf_str(&buf), "<!-- x -->");
}

TEST(clean_removes_the_invisible)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    /* zero-width space, joiner, BOM, word joiner, soft hyphen, Hangul filler */
    CHECK_STR(apply(&buf, text_append_clean,
                    "a\u200Bb\u200Dc\uFEFF"
                    "d\u2060e\u00ADf\u3164g"),
              "abcdefg");
    /* right-to-left override, isolates, marks */
    CHECK_STR(apply(&buf, text_append_clean, "a\u202Eb\u2066c\u2069d\u200Fe\u061Cf"), "abcdef");
    /* tag characters and the selectors behind them */
    CHECK_STR(apply(&buf, text_append_clean, "a\U000E0068\U000E0069\U000E0001\U000E0100b"), "ab");
    /* one variation selector chooses a look, a run of them is data */
    CHECK_STR(apply(&buf, text_append_clean, "❤\uFE0Fx\uFE00\uFE01\uFE02\uFE0Fy"),
              "❤\uFE0Fx\uFE00y");
    CHECK_STR(apply(&buf, text_append_clean, "\uFE0Fx"), "x");
}

TEST(clean_removes_controls_and_mends_line_ends)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_clean,
                    "a\r\nb\rc\x07\x08\x1B\x7F\xC2\x85"
                    "d\te\n"),
              "a\nbcd\te\n");
    CHECK_STR(apply(&buf, text_append_clean, "a\u2028b\u2029c"), "a\nb\nc");
    strbuf_reset(&buf);
    text_append_clean(&buf, bytes_of("a\0b", 3));
    CHECK_STR(strbuf_str(&buf), "ab");
}

TEST(clean_replaces_invalid_utf8)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_clean, "a\xFF\xC3"), "a\uFFFD\uFFFD");
    CHECK_STR(apply(&buf, text_append_clean, "\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
    auto_free char *storm = repeat("\xFE", 64 * 1024);
    CHECK_INT(strlen(apply(&buf, text_append_clean, storm)), 3 * 64 * 1024);
}

TEST(clean_survives_floods)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    auto_free char *emoji = repeat("😀", 16 * 1024);
    auto_free char *opened = repeat("<!--", 64 * 1024);
    auto_free char *nested = repeat("<!<!-- -->", 20 * 1024);

    CHECK_STR(apply(&buf, text_append_clean, emoji), emoji);
    CHECK(!strstr(apply(&buf, text_append_clean, opened), "<!--"));
    CHECK(!strstr(apply(&buf, text_append_clean, nested), "<!-- -->"));
    static const char *const parts[] = {
        "a <!--",    "`",           "` `` ", "[",  "![",    "![](x)", "[a]: b\n", "<?>",
        "<!X",       "<a ",         "> ",    "- ", "<pre>", "](",     "\n<div>",  "<![CDATA[",
        "<!-- --!>", "[//]: # (\n", "> - ",  "\t", "```\n", "</",     "://",
    };
    const int64_t began_ms = clock_mono_ms();
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        auto_free char *flood = repeat(parts[i], 64 * 1024 / strlen(parts[i]));
        (void)apply(&buf, text_append_clean, flood);
    }
    CHECK(clock_mono_ms() - began_ms < 2000);
}

TEST(append_to_a_full_buffer_sticks)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(8);

    text_append_clean(&buf, bytes_of_str("0123456789 <!-- x --> more"));
    CHECK_INT(buf.failed, ERR_LIMIT);
    strbuf_reset(&buf);
    text_append_quote(&buf, bytes_of_str("0123456789"), 1000);
    CHECK_INT(buf.failed, ERR_LIMIT);
}

TEST(visible_breaks_comments_but_keeps_them)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_visible, "expected <!-- a --> got <!--"),
              "expected <! -- a --> got <! --");
    CHECK_STR(apply(&buf, text_append_visible, "<\u200B!-\u200B-"), "<! --");
}

TEST(fence_is_longer_than_what_it_holds)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    text_append_fenced(&buf, "text", bytes_of_str("a"));
    CHECK_STR(strbuf_str(&buf), "```text\na\n```\n");
    strbuf_reset(&buf);
    text_append_fenced(&buf, "", bytes_of_str("a\n````\nb\n"));
    CHECK_STR(strbuf_str(&buf), "`````\na\n````\nb\n`````\n");
    strbuf_reset(&buf);
    text_append_fenced(&buf, "", bytes_of(NULL, 0));
    CHECK_STR(strbuf_str(&buf), "```\n```\n");
}

TEST(fence_holds_a_storm_of_backticks)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    auto_free char *storm = repeat("`", 64 * 1024);

    text_append_fenced(&buf, "", bytes_of_str(storm));
    CHECK(strbuf_ok(&buf));
    CHECK(buf.len < 66 * 1024);
    const size_t fence = strcspn(buf.ptr, "\n");
    size_t longest = 0;
    for (const char *p = buf.ptr + fence + 1; p < buf.ptr + buf.len - fence - 1; p++) {
        const size_t run = strspn(p, "`");
        longest = run > longest ? run : longest;
        p += run;
    }
    CHECK(longest > 0 && longest < fence);
}

TEST(inline_escapes_markdown_and_html)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_inline, "*a* _b_ `c` ~d~ [e](f) \\ $g$"),
              "\\*a\\* \\_b\\_ \\`c\\` \\~d\\~ \\[e\\](f) \\\\ \\$g\\$");
    CHECK_STR(apply(&buf, text_append_inline, "<b>&amp;|"), "&lt;b&gt;&amp;amp;&#124;");
    CHECK(!strstr(apply(&buf, text_append_inline, "x <!-- draftd:task=1 -->"), "<!"));
    CHECK_STR(apply(&buf, text_append_inline, " a\r\nb\n\n  c\t"), "a b c");
}

TEST(inline_begins_no_block)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_inline, "- a - b"), "\\- a - b");
    CHECK_STR(apply(&buf, text_append_inline, "# a # b"), "\\# a # b");
    CHECK_STR(apply(&buf, text_append_inline, "+ a"), "\\+ a");
    CHECK_STR(apply(&buf, text_append_inline, "12. a 3. b"), "12\\. a 3. b");
    CHECK_STR(apply(&buf, text_append_inline, "7) a"), "7\\) a");
    CHECK_STR(apply(&buf, text_append_inline, "==="), "\\===");
}

TEST(inline_neither_pings_nor_links)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_inline, "@octocat and a@b.example"),
              "@\u200Doctocat and a@\u200Db.example");
    CHECK_STR(apply(&buf, text_append_inline, "fixes #12, acme/api#3, GH-7, gh-8"),
              "fixes #\u200D12, acme/api#\u200D3, GH-\u200D7, gh-\u200D8");
    CHECK_STR(apply(&buf, text_append_inline, "closes https://example.org/i/5"),
              "closes https:\u200D//example.org/i/5");
    CHECK_STR(apply(&buf, text_append_inline, "www.example.org"), "www\u200D.example.org");
    /* A zero-width character of theirs does not hide a mention from us. */
    CHECK_STR(apply(&buf, text_append_inline, "@\u200Bocto"), "@\u200Docto");
    CHECK_STR(apply(&buf, text_append_inline, "C# @ 5: x"), "C# @ 5: x");
}

TEST(inline_grows_at_most_sixfold)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    static const char *const storms[] = {"|",  "&",    "@a",  "#1",   "<!--",
                                         "\\", "\xFF", "://", "www.", "-"};

    for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
        auto_free char *storm = repeat(storms[i], 1000);
        apply(&buf, text_append_inline, storm);
        CHECK(strbuf_ok(&buf) && buf.len <= 6 * strlen(storm));
    }
}

TEST(code_falls_back_where_a_span_cannot_hold_it)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply(&buf, text_append_code, "src/a_b.c"), "`src/a_b.c`");
    CHECK_STR(apply(&buf, text_append_code, "a\n| b |"), "a &#124; b &#124;");
    CHECK_STR(apply(&buf, text_append_code, "a`b"), "a\\`b");
    CHECK_STR(apply(&buf, text_append_code, "x<!-- y"), "`x<! -- y`");
    CHECK_STR(apply(&buf, text_append_code, "end\\"), "`end\\`");
    CHECK_STR(apply(&buf, text_append_code, " \n"), "");
}

TEST(quote_keeps_lists_and_code)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_quote(&buf, "Did:\n\n- use `a_b`\n  - and *more*\n2. x\n", 10000),
              "> Did:\n>\n> - use `a_b`\n>   - and \\*more\\*\n> 2. x\n");
    CHECK_STR(apply_quote(&buf, "a\n~~~sh\nrm *\n~~~\nb", 10000),
              "> a\n> ```text\n> rm *\n> ```\n> b\n");
    CHECK_STR(apply_quote(&buf, "", 10000), "");
}

TEST(quote_is_not_left)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_quote(&buf, "</blockquote></details>", 10000),
              "> &lt;/blockquote&gt;&lt;/details&gt;\n");
    CHECK_STR(apply_quote(&buf, "# Checks\n> **Verified**", 10000),
              "> \\# Checks\n> &gt; \\*\\*Verified\\*\\*\n");
    /* A fence that is never closed is closed for it, and one inside cannot close ours. */
    CHECK_STR(apply_quote(&buf, "```\n@octocat\n", 10000), "> ````text\n> @octocat\n> ````\n");
    CHECK_STR(apply_quote(&buf, "~~~\n```\n# x\n", 10000), "> ````text\n> ````\n> \\# x\n");
    /* Unpaired backticks hide nothing. */
    CHECK_STR(apply_quote(&buf, "`@a ``@b` @c", 10000),
              "> \\`@\u200Da \\`\\`@\u200Db\\` @\u200Dc\n");
}

TEST(quote_is_cut)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    auto_free char *lines = repeat("~~~\n|||||||||||||||\n", 5000);
    auto_free char *line = repeat("@😀", 20000);
    auto_free char *storm = repeat("`\n", 20000);
    const char *const texts[] = {lines, line, storm};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        apply_quote(&buf, texts[i], 5000);
        CHECK(strbuf_ok(&buf) && buf.len <= 5000);
        CHECK(is_valid_utf8(buf.ptr, buf.len));
        CHECK(str_ends_with(buf.ptr, "> *(cut here: the rest is left out)*\n"));
    }
}

TEST(tail_keeps_the_last_lines)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_tail(&buf, "a\nb\nc\n\n \n", 2, 100), "b\nc");
    CHECK_STR(apply_tail(&buf, "a\nb", 5, 100), "a\nb");
    CHECK_STR(apply_tail(&buf, "", 5, 100), "");
    CHECK_STR(apply_tail(&buf, "\n\n", 5, 100), "");
    CHECK_STR(apply_tail(&buf, "0123456789", 5, 6), "...789");
    CHECK_STR(apply_tail(&buf, "日本語日本語", 5, 8), "...語");
}

TEST(tail_shows_what_a_terminal_shows)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_tail(&buf, "\x1B[1;31mred\x1B[0m \x1B(Bplain\x1B[?25h", 9, 100), "red plain");
    CHECK_STR(
        apply_tail(&buf, "\x1B]0;title\x07x \x1B]8;;http://h\x1B\\link\x1B]8;;\x1B\\", 9, 100),
        "x link");
    CHECK_STR(apply_tail(&buf, "10%\r50%\r100%\r\ndone\r\r\n", 9, 100), "100%\ndone");
    CHECK_STR(apply_tail(&buf, "a\x1B]0;never ended\nnext", 9, 100), "a\nnext");
    CHECK_STR(apply_tail(&buf, "a\x1B", 9, 100), "a");
    CHECK_STR(apply_tail(&buf, "a\x1B[31", 9, 100), "a");
}

TEST(tail_redacts)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
#define SPLIT_TOKEN                                                                                \
    "ghp_" /* apart, so that this file holds none */                                               \
    "0123456789abcdefghij0123456789abcdef"
    CHECK_STR(apply_tail(&buf, "token " SPLIT_TOKEN " end", 9, 1000), "token [redacted] end");
    /* Not even when colours or invisible characters stand in it, or when the cut goes through it.
     */
    CHECK_STR(apply_tail(&buf, "ghp_\x1B[0m0123456789abcdefghij\u200B0123456789abcdef", 9, 1000),
              "[redacted]");
    CHECK_STR(apply_tail(&buf, SPLIT_TOKEN "\nlast", 9, 16), "[redacted]\nlast");
    /* The end of a key whose beginning is not there any more. */
    CHECK_STR(apply_tail(&buf,
                         "MIIabc\ndef==\n-----END RSA "
                         "PRIVATE KEY-----\nend",
                         9, 1000),
              "[redacted]\nend");
    CHECK_STR(apply_tail(&buf,
                         "x " SPLIT_TOKEN "\n-----BEGIN "
                         "PRIVATE KEY-----\nMII\n"
                         "-----END "
                         "PRIVATE KEY-----\nend",
                         9, 1000),
              "x [redacted]\n[redacted]\nend");
}

TEST(tail_of_a_flood)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);
    auto_free char *storm = repeat("\xFF\r\x1B[", 100 * 1000);
    auto_free char *comments = repeat("<!--", 100 * 1000);

    apply_tail(&buf, storm, 40, 4000);
    CHECK(strbuf_ok(&buf) && buf.len <= 4000);
    apply_tail(&buf, comments, 40, 4000);
    CHECK(buf.len <= 4000 && !strstr(strbuf_str(&buf), "<!--"));
}

TEST(line_is_one_line)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_line(&buf, "  a\r\n\tb  c ", 100), "a b c");
    CHECK_STR(apply_line(&buf, "\u202E\u200B", 100), "");
    CHECK_STR(apply_line(&buf, NULL, 100), "");
    CHECK_STR(apply_line(&buf, "0123456789", 10), "0123456789");
    CHECK_STR(apply_line(&buf, "0123456789x", 10), "0123456...");
    CHECK_STR(apply_line(&buf, "日本語日本語", 10), "日本...");
    CHECK_STR(apply_line(&buf, "<!-- x", 100), "<! -- x");
}

TEST(slug_is_a_branch_name)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(MAX_BYTES);

    CHECK_STR(apply_slug(&buf, "Fix the  Sum() of -- things!"), "fix-the-sum-of-things");
    CHECK_STR(apply_slug(&buf, "../..//.lock"), "lock");
    CHECK_STR(apply_slug(&buf, "日本語"), "task");
    CHECK_STR(apply_slug(&buf, "Déjà vu"), "deja-vu");
    CHECK_STR(apply_slug(&buf, "De\u0301ja\u0300 vu"), "deja-vu"); /* with marks of their own */
    CHECK_STR(apply_slug(&buf, "ÀÖØÝßàöøÿ×÷"), "aooyssaooy");
    CHECK_STR(apply_slug(&buf, "Žluťoučký kůň, ſ"), "zlutoucky-kun-s");
    CHECK_STR(apply_slug(&buf, "Æther œuvre Þór ıI Łódź IJs"), "aether-oeuvre-thor-ii-lodz-ijs");
    CHECK_STR(apply_slug(&buf, "Țară și Ωmega"), "tara-si-mega");
    CHECK_STR(apply_slug(&buf, "\u0301\xc3"), "task");
    CHECK_STR(apply_slug(&buf, "012345678901234567890123456789012345678æ"),
              "012345678901234567890123456789012345678a");
    CHECK_STR(apply_slug(&buf, ""), "task");
    CHECK_STR(apply_slug(&buf, NULL), "task");
    CHECK_STR(apply_slug(&buf, "---"), "task");
    CHECK_STR(apply_slug(&buf, "0123456789012345678901234567890123456789more"),
              "0123456789012345678901234567890123456789");
    CHECK_STR(apply_slug(&buf, "012345678901234567890123456789012345678 x"),
              "012345678901234567890123456789012345678");
}

TEST_MAIN()
