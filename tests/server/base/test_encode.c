/* Hexadecimal and base64: the vectors of RFC 4648, and strictness. */
#include "server/base/crypto.h"
#include "tests/harness/test.h"

/* RFC 4648, section 10 */
static const char *const texts[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
static const char *const base64s[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                      "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

TEST(base64_both_ways)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf encoded = STRBUF_INIT(100);
        AUTO_DONE(strbuf_done) struct strbuf decoded = STRBUF_INIT(100);
        struct err err = {0};
        base64_append(&encoded, bytes_of_str(texts[i]));
        CHECK_STR(strbuf_str(&encoded), base64s[i]);
        CHECK_OK(base64_decode(bytes_of_str(base64s[i]), &decoded, &err), err);
        CHECK_STR(strbuf_str(&decoded), texts[i]);
    }
}

TEST(base64url_has_no_padding_and_other_digits)
{
    AUTO_DONE(strbuf_done) struct strbuf plain = STRBUF_INIT(100);
    AUTO_DONE(strbuf_done) struct strbuf url = STRBUF_INIT(100);

    base64_append(&plain, bytes_of("\xFB\xFF\xFE\x00", 4));
    base64url_append(&url, bytes_of("\xFB\xFF\xFE\x00", 4));
    CHECK_STR(strbuf_str(&plain), "+//+AA==");
    CHECK_STR(strbuf_str(&url), "-__-AA");
}

TEST(every_byte_survives)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(1000);
    AUTO_DONE(strbuf_done) struct strbuf back = STRBUF_INIT(1000);
    struct err err = {0};
    char all[256];
    unsigned char decoded[256];

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    base64_append(&text, bytes_of(all, 256));
    CHECK_OK(base64_decode(bytes_of(text.ptr, text.len), &back, &err), err);
    CHECK_INT(back.len, 256);
    CHECK(memcmp(back.ptr, all, 256) == 0);
    strbuf_reset(&text);
    hex_append(&text, bytes_of(all, 256));
    CHECK_INT(text.len, 512);
    CHECK_OK(hex_decode(bytes_of(text.ptr, text.len), decoded, 256, &err), err);
    CHECK(memcmp(decoded, all, 256) == 0);
}

TEST(base64_is_strict)
{
    static const char *const wrong[] = {
        "Zg",   "Zg=",   "Zg==Zg==", "Z===", "====", "Zh==" /* bits beyond the end */,
        "Zm9=", "Zm 9v", "Zm9v\n",   "Zm9-", "Zm9_", "=Zm9",
        "Z=m9", "Zm=v",  "Zm9v====",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(100);
        if (base64_decode(bytes_of_str(wrong[i]), &out, NULL) != ERR_INVALID)
            TEST_FAIL("\"%s\" was read", wrong[i]);
    }
    AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(100);
    CHECK_INT(base64_decode(bytes_of("Zm9\0", 4), &out, NULL), ERR_INVALID);
}

TEST(base64_obeys_the_cap)
{
    AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(2);
    struct err err = {0};

    CHECK_INT(base64_decode(bytes_of_str("Zm9v"), &out, &err), ERR_LIMIT);
}

TEST(hex_is_strict)
{
    unsigned char out[2] = {7, 7};
    struct err err = {0};

    CHECK_OK(hex_decode(bytes_of_str("00ff"), out, 2, &err), err);
    CHECK(out[0] == 0 && out[1] == 255);
    CHECK_INT(hex_decode(bytes_of_str("00f"), out, 2, &err), ERR_INVALID);
    CHECK_INT(hex_decode(bytes_of_str("00ff0"), out, 2, &err), ERR_INVALID);
    CHECK_INT(hex_decode(bytes_of_str("00FF"), out, 2, &err), ERR_INVALID);
    CHECK_STR(err.msg, "expected lower-case hexadecimal digits");
    CHECK_INT(hex_decode(bytes_of_str("00fg"), out, 2, &err), ERR_INVALID);
    CHECK_INT(hex_decode(bytes_of("00f\0", 4), out, 2, &err), ERR_INVALID);
    CHECK(out[0] == 0 && out[1] == 255); /* not written on failure */
}

TEST_MAIN()
