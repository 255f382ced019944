/* JSON: what a platform may send, and what an attacker may. */
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/limits.h"
#include "tests/harness/test.h"

static int
parse(const char *text)
{
    AUTO(js_free) json_t *json = NULL;
    return js_parse(bytes_of_str(text), &json, NULL);
}

/* PREFIX, `count` times UNIT, SUFFIX: parsed. */
static int
parse_repeated(const char *prefix, const char *unit, size_t count, const char *suffix)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(2UL * LIMIT_BODY_BYTES);
    AUTO(js_free) json_t *json = NULL;

    strbuf_add_str(&text, prefix);
    for (size_t i = 0; i < count; i++)
        strbuf_add_str(&text, unit);
    strbuf_add_str(&text, suffix);
    CHECK(strbuf_ok(&text));
    return js_parse(bytes_of(text.ptr, text.len), &json, NULL);
}

TEST(paths_lead_into_the_tree)
{
    static const char text[] =
        "{\"issue\":{\"number\":7,\"open\":true,\"labels\":[{\"name\":\"a\"},"
        "{\"name\":\"b\"}],\"none\":null,\"ratio\":0.5}}";
    AUTO(js_free) json_t *json = NULL;
    struct err err = {0};

    CHECK_OK(js_parse(bytes_of_str(text), &json, &err), err);
    CHECK_STR(js_str(json, "issue.labels.1.name"), "b");
    CHECK_INT(js_int(json, "issue.number", -1), 7);
    CHECK(js_bool(json, "issue.open", false));
    CHECK(js_at(json, "") == json);
}

TEST(absent_or_of_another_type_is_the_default)
{
    AUTO(js_free) json_t *json = NULL;
    struct err err = {0};

    CHECK_OK(js_parse(bytes_of_str("{\"a\":[1,{\"b\":\"x\"}],\"n\":null,\"r\":0.5,\"s\":\"7\"}"),
                      &json, &err),
             err);
    CHECK(!js_str(json, "b"));
    CHECK(!js_str(json, "a"));
    CHECK(!js_str(json, "a.0"));
    CHECK(!js_str(json, "a.2.b"));
    CHECK(!js_str(json, "a.x"));
    CHECK(!js_str(json, "a.18446744073709551617.b")); /* would wrap to 1 */
    CHECK(!js_str(json, "a.1.b.c"));
    CHECK(!js_str(json, "n"));
    CHECK(!js_str(NULL, "a"));
    CHECK_INT(js_int(json, "s", -1), -1);
    CHECK_INT(js_int(json, "r", -1), -1);
    CHECK(js_bool(json, "n", true));
    CHECK(!js_at(json, "."));
}

TEST(what_is_not_strict_json_is_refused)
{
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "01",
        "+1",
        ".5",
        "1.",
        "nul",
        "NaN",
        "[1] x",
        "[1][2]",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\n\"",
        "\"a",
        "{\"a\":1,\"a\":2}",
        "{\"\\u0000\":1}",
        "\"\xFF\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "[1 2]",
        "{\"a\" 1}",
        "//c\n1",
        "/**/1",
        "tru",
        "\xEF\xBB\xBF{}",
        "1e999",
        "123456789012345678901234567890",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (parse(wrong[i]) != ERR_INVALID)
            TEST_FAIL("was read: %s", wrong[i]);
    AUTO(js_free) json_t *json = NULL;
    CHECK_INT(js_parse(bytes_of("[1]\0", 4), &json, NULL), ERR_INVALID);
    CHECK_INT(js_parse(bytes_of(NULL, 0), &json, NULL), ERR_INVALID);
    CHECK(!json);
}

TEST(nul_becomes_the_replacement_character)
{
    static const char text[] = "{\"a\":\"x\\u0000y\\\\u0000\\\\\\u0000\",\"b\":\"\\u00001\"}";
    AUTO(js_free) json_t *json = NULL;
    struct err err;

    CHECK_OK(js_parse(bytes_of_str(text), &json, &err), err);
    CHECK_STR(js_str(json, "a"), "x\uFFFDy\\u0000\\\uFFFD");
    CHECK_STR(js_str(json, "b"), "\uFFFD1");
}

TEST(values_of_every_kind_are_read)
{
    static const char *const right[] = {"1",
                                        "-0.5e3",
                                        "\"x\"",
                                        "null",
                                        "true",
                                        " [ ] ",
                                        "{}",
                                        "\"\\u00e9\\ud83d\\ude00\"",
                                        "9223372036854775807"};

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        if (parse(right[i]))
            TEST_FAIL("was refused: %s", right[i]);
}

TEST(errors_name_the_place)
{
    AUTO(js_free) json_t *json = NULL;
    struct err err = {0};

    CHECK_INT(js_parse(bytes_of_str("{\n  \"a\": x\n}"), &json, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "not JSON: line 2, column ");
}

TEST(nesting_has_a_cap)
{
    CHECK_INT(parse_repeated("", "[", 64,
                             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
              0);
    CHECK_INT(parse_repeated("", "[", 65, ""), ERR_INVALID);
    CHECK_INT(parse_repeated("", "{\"a\":", 1000000, ""), ERR_INVALID);
    /* brackets in strings do not count, escaped quotes do not end them */
    CHECK_INT(parse_repeated("\"", "[\\\"{", 1000, "\""), 0);
}

TEST(the_number_of_values_has_a_cap)
{
    CHECK_INT(parse_repeated("[1", ",1", 900000, "]"), 0);
    CHECK_INT(parse_repeated("[1", ",1", 1100000, "]"), ERR_INVALID);
    CHECK_INT(parse_repeated("[[]", ",[]", 1000000, "]"), ERR_INVALID);
}

TEST(the_largest_bodies_cost_little)
{
    const int64_t before_ms = clock_mono_ms();

    CHECK_INT(parse_repeated("\"", "a", LIMIT_BODY_BYTES - 2, "\""), 0);
    CHECK_INT(parse_repeated("\"", "\\u00e9", LIMIT_BODY_BYTES / 6 - 2, "\""), 0);
    CHECK_INT(parse_repeated("", "[", LIMIT_BODY_BYTES, ""), ERR_INVALID);
    CHECK_INT(parse_repeated("", "\"\\", LIMIT_BODY_BYTES / 2, ""), ERR_INVALID);
    CHECK_INT(parse_repeated("", " ", LIMIT_BODY_BYTES, ""), ERR_INVALID);
    CHECK_INT(parse_repeated("", "1", LIMIT_BODY_BYTES, ""), ERR_INVALID);
    CHECK(clock_mono_ms() - before_ms < 20000 * TEST_PATIENCE);
}

TEST(many_members_cost_little)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_BODY_BYTES);
    AUTO(js_free) json_t *json = NULL;
    struct err err = {0};

    strbuf_add_str(&text, "{\"k\":0");
    for (int i = 0; i < 300000; i++)
        strbuf_addf(&text, ",\"k%d\":%d", i, i);
    strbuf_add_char(&text, '}');
    CHECK_OK(js_parse(bytes_of(text.ptr, text.len), &json, &err), err);
    CHECK_INT(js_int(json, "k299999", -1), 299999);
}

TEST(trees_are_written_compactly)
{
    AUTO(js_free) json_t *json = json_pack("{s:s, s:[i,b]}", "a", "x\"\n", "b", 1, 1);
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(100);
    AUTO_DONE(strbuf_done) struct strbuf small = STRBUF_INIT(3);
    auto_free char *text = NULL;
    struct err err = {0};

    CHECK_OK(js_dump(json, &text, &err), err);
    CHECK_STR(text, "{\"a\":\"x\\\"\\n\",\"b\":[1,true]}");
    strbuf_add_str(&buf, "data: ");
    js_append(&buf, json);
    CHECK_CONTAINS(strbuf_str(&buf), "data: {\"a\"");
    js_append(&small, json);
    CHECK_INT(small.failed, ERR_LIMIT);
}

TEST(a_tree_that_could_not_be_built_is_an_error)
{
    auto_free char *text = NULL;

    CHECK_INT(js_dump(NULL, &text, NULL), ERR_NOMEM);
}

TEST_MAIN()
