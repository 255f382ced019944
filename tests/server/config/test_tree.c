/* Reading YAML into a tree: what is read, what is refused, and that hostile files are cheap. */
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/config/tree.h"
#include "server/limits.h"
#include "tests/harness/test.h"

/* What one text makes: the tree, or the report of its faults. */
struct outcome {
    struct tree_node root;
    struct strbuf report;
    int result;
};

static void
outcome_done(struct outcome *outcome)
{
    tree_done(&outcome->root);
    strbuf_done(&outcome->report);
}

static void
parse_bytes(struct bytes text, struct outcome *outcome)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    struct err err = {0};

    outcome->report.max = 65536;
    outcome->result = tree_parse(text, &faults, &outcome->root, &err);
    const int reported = faults_report(&faults, &outcome->report, &err);
    if (!outcome->result)
        outcome->result = reported;
}

static void
parse(const char *text, struct outcome *outcome)
{
    parse_bytes(bytes_of_str(text), outcome);
}

#define CHECK_REPORT(yaml, expected)                                                               \
    do {                                                                                           \
        AUTO_DONE(outcome_done) struct outcome outcome_ = {0};                                     \
        parse(yaml, &outcome_);                                                                    \
        CHECK_STR(strbuf_str(&outcome_.report), expected);                                         \
        CHECK_INT(outcome_.result, ERR_INVALID);                                                   \
    } while (0)

TEST(reads_maps_lists_and_texts_with_their_lines)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse("# a comment\n"
          "name: draftd\n"
          "listen:\n"
          "  port: 8443\n"
          "list: [ a, \"b\" ]\n"
          "items:\n"
          "  - { name: x }\n"
          "  - name: y\n"
          "block: |\n"
          "  one\n"
          "  two\n",
          &o);
    CHECK_INT(o.result, 0);
    CHECK_INT(o.root.kind, TREE_MAP);
    CHECK_INT(o.root.count, 5);
    CHECK_STR(tree_at(&o.root, "name")->text, "draftd");
    CHECK_STR(tree_at(&o.root, "listen.port")->text, "8443");
    CHECK(tree_at(&o.root, "listen.port")->plain);
    CHECK(!tree_at(&o.root, "list[1]")->plain);
    CHECK_STR(tree_at(&o.root, "items[1].name")->text, "y");
    CHECK_STR(tree_at(&o.root, "block")->text, "one\ntwo\n");
    CHECK_INT(tree_line(&o.root, "name"), 2);
    CHECK_INT(tree_line(&o.root, "listen"), 3);
    CHECK_INT(tree_line(&o.root, "items[1].name"), 8);
    CHECK_INT(tree_line(&o.root, "items[1].absent"), 8);
    CHECK_INT(tree_line(&o.root, "items[7].name"), 6);
    CHECK_INT(tree_line(&o.root, "absent.below"), 2);
    CHECK(!tree_at(&o.root, "items[2]"));
    CHECK(!tree_at(&o.root, "name.below"));
    CHECK(!tree_at(&o.root, "name[0]"));
    CHECK(!tree_get(tree_at(&o.root, "list"), "a"));
}

TEST(an_empty_file_is_an_empty_tree)
{
    const char *const empty[] = {"", "\n\n", "# only a comment\n", "---\n", "--- ~\n", "null"};

    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        AUTO_DONE(outcome_done) struct outcome o = {0};
        parse(empty[i], &o);
        CHECK_INT(o.result, 0);
        CHECK_INT(o.root.kind, TREE_EMPTY);
    }
    AUTO_DONE(outcome_done) struct outcome o = {0};
    parse_bytes(bytes_of(NULL, 0), &o);
    CHECK_INT(o.root.kind, TREE_EMPTY);
}

TEST(a_key_without_value_is_empty_but_quotes_are_text)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n", &o);
    CHECK_INT(o.result, 0);
    CHECK_INT(tree_at(&o.root, "a")->kind, TREE_EMPTY);
    CHECK_INT(tree_at(&o.root, "b")->kind, TREE_EMPTY);
    CHECK_INT(tree_at(&o.root, "c")->kind, TREE_EMPTY);
    CHECK_INT(tree_at(&o.root, "d")->kind, TREE_TEXT);
    CHECK_STR(tree_at(&o.root, "e")->text, "null");
}

TEST(a_byte_order_mark_is_skipped)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse("\xEF\xBB\xBF"
          "a: 1\n",
          &o);
    CHECK_INT(o.result, 0);
    CHECK_STR(tree_at(&o.root, "a")->text, "1");
}

TEST(syntax_errors_name_the_line)
{
    CHECK_REPORT(
        "a: 1\nb: [1, 2\nc: 3\n",
        "f.yml:3: syntax: while parsing a flow sequence: did not find expected ',' or ']'; "
        "correct the YAML there\n");
    CHECK_REPORT(
        "a: 1\n\tb: 2\n",
        "f.yml:2: syntax: while scanning a plain scalar: found a tab character that violates "
        "indentation; correct the YAML there\n");
    CHECK_REPORT("a: \"open\n",
                 "f.yml:2: syntax: while scanning a quoted scalar: found unexpected end of stream; "
                 "correct the YAML there\n");
    CHECK_REPORT("a: b: c\n", "f.yml:1: syntax: mapping values are not allowed in this context; "
                              "correct the YAML there\n");
}

TEST(what_configuration_does_not_need_is_refused_all_at_once)
{
    CHECK_REPORT("a: &x 1\n"
                 "b: *x\n"
                 "c: !!str 1\n"
                 "d:\n"
                 "  <<: { e: 1 }\n"
                 "? [f]\n"
                 ": 1\n"
                 "&y g: 1\n"
                 "!t h: 1\n"
                 "i: \"a\\0b\"\n"
                 "\"j\\0\": 1\n",
                 "f.yml:1: &anchor: anchors are not read here; write the value where it is needed\n"
                 "f.yml:2: *alias: aliases are not read here; write the value itself\n"
                 "f.yml:3: !tag: tags are not read here; write the value without one\n"
                 "f.yml:5: <<: merge keys are not read here; write the values themselves\n"
                 "f.yml:6: key: a key must be text; write a name\n"
                 "f.yml:8: &anchor: anchors are not read here; write the value where it is needed\n"
                 "f.yml:9: !tag: tags are not read here; write the value without one\n"
                 "f.yml:10: text: has a NUL character; remove it\n"
                 "f.yml:11: text: has a NUL character; remove it\n");
    CHECK_REPORT("a: 1\n---\nb: 2\n",
                 "f.yml:2: ---: begins a second document; keep one in the file\n");
}

TEST(an_alias_of_itself_makes_no_cycle)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    parse("a: &a [ *a, *a ]\n", &o);
    CHECK_INT(o.result, ERR_INVALID);
    CHECK_INT(tree_at(&o.root, "a")->kind, TREE_REFUSED);
}

TEST(bytes_that_are_no_text_are_refused_with_their_line)
{
    AUTO_DONE(outcome_done) struct outcome nul = {0};
    AUTO_DONE(outcome_done) struct outcome utf16 = {0};

    parse_bytes(bytes_of("a: 1\nb: \0\n", 10), &nul);
    CHECK_STR(strbuf_str(&nul.report),
              "f.yml:2: file: has a control character (U+0000); remove it\n");
    parse_bytes(bytes_of("\xFF\xFE"
                         "a\0",
                         4),
                &utf16);
    CHECK_STR(strbuf_str(&utf16.report),
              "f.yml:1: file: is not UTF-8 text; save it in that encoding\n");
    CHECK_REPORT("a: 1\nb: \xC3\x28\n",
                 "f.yml:2: file: is not UTF-8 text; save it in that encoding\n");
    CHECK_REPORT("a: \x1b[31m\n", "f.yml:1: file: has a control character (U+001B); remove it\n");
    CHECK_REPORT("a: \x7f\n", "f.yml:1: file: has a control character (U+007F); remove it\n");
}

TEST(deep_nesting_is_refused)
{
    AUTO_DONE(outcome_done) struct outcome flow = {0};
    AUTO_DONE(outcome_done) struct outcome block = {0};
    static const char refused[] =
        "f.yml:1: file: is nested or filled beyond any use; make it simpler\n";

    parse("[[[[[[[[[[[[[[[[[[[[[[", &flow);
    CHECK_STR(strbuf_str(&flow.report), refused);
    parse("- - - - - - - - - - - - - - - - - - - - - - 1", &block);
    CHECK_STR(strbuf_str(&block.report), refused);
}

/* As large as a file may be, made of `unit`. */
static void
fill(struct strbuf *text, const char *start, const char *unit)
{
    const size_t unit_len = strlen(unit);

    strbuf_add_str(text, start);
    while (text->len + unit_len <= LIMIT_CONFIG_BYTES)
        strbuf_add(text, unit, unit_len);
}

TEST(the_largest_hostile_files_cost_little)
{
    static const char *const units[] = {
        "a,",     "? ",  "- ",  "[",     "{",   "{a: ", "? a\n", "'",     "\"\\x",    "a: ",
        "a:\n",   "#",   "!a ", "&a ",   "*a ", "|\n ", "%a\n",  "---\n", "\n",       " ",
        "a: b\n", "[],", "{},", "- a\n", "[?,", "{?",   "- ? ",  "a\n",   "\xC3\xA9", ">\n\n "};
    static const char *const starts[] = {"", "[", "{", "a: ", "- "};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++) {
            AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_CONFIG_BYTES);
            AUTO_DONE(outcome_done) struct outcome o = {0};
            const int64_t before_ms = clock_mono_ms();
            fill(&text, starts[k], units[i]);
            parse_bytes(bytes_of(text.ptr, text.len), &o);
            const int64_t taken_ms = clock_mono_ms() - before_ms;
            if (taken_ms > 5000 * TEST_PATIENCE)
                TEST_FAIL("\"%s\" after \"%s\" took %lld ms", units[i], starts[k],
                          (long long)taken_ms);
        }
    }
}

TEST_MAIN()
