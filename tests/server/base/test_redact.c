/* Finding credentials in text. The samples are made up, in the vendors' published forms. */
#include "server/base/clock.h"
#include "server/base/redact.h"
#include "tests/harness/test.h"

#define CHARS_30 "abcdefghijABCDEFGHIJ0123456789"

static void
check_redacted(const char *text, const char *expected)
{
    AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(100000);

    redact_append(&out, bytes_of_str(text));
    CHECK_STR(strbuf_str(&out), expected);
}

TEST(every_kind_is_found)
{
    static const struct {
        const char *text, *kind;
    } samples[] = {
        {"ghp_" CHARS_30 "abcdef", "GitHub token"},
        {"gho_" CHARS_30 "abcdef", "GitHub token"},
        {"ghu_" CHARS_30 "abcdef", "GitHub token"},
        {"ghs_" CHARS_30 "abcdef", "GitHub token"},
        {"ghs_eyJ" CHARS_30 ".eyJ" CHARS_30 ".a-_" CHARS_30, "GitHub token"},
        {"ghr_" CHARS_30 "abcdef", "GitHub token"},
        {"github_pat_" CHARS_30 "_" CHARS_30, "GitHub token"},
        {"glpat-abcdefghij0123456789", "GitLab token"},
        {"xoxb-123456789012-abcdefghijkl", "Slack token"},
        {"xoxp-123456789012-abcdefghijkl", "Slack token"},
        {"xapp-1-A0123456789-abcdefghij", "Slack token"},
        {"lin_api_abcdefghij0123456789", "Linear key"},
        {"lin_oauth_abcdefghij0123456789", "Linear token"},
        {"sk-ant-api03-abcdefghij0123456789", "Anthropic key"},
        {"sk-proj-abcdefghij0123456789_-", "OpenAI key"},
        {"sk_live_abcdefghij0123456789", "Stripe key"},
        {"AKIAABCDEFGHIJ234567", "AWS access key"},
        {"AIza" CHARS_30 "abcde", "Google key"},
        {"npm_" CHARS_30 "abcdef", "npm token"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "webhook secret"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "private key"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(1000);
        size_t start = 0;
        size_t len = 0;
        strbuf_addf(&text, "key=%s\n", samples[i].text);
        const char *kind = redact_find(bytes_of(text.ptr, text.len), 0, &start, &len);
        CHECK_STR(kind, samples[i].kind);
        CHECK_INT(start, 4);
        CHECK_INT(len, strlen(samples[i].text));
    }
}

TEST(ordinary_text_is_left_alone)
{
    static const char *const samples[] = {
        "",
        "ghp_ is how tokens begin",
        "ghp_tooshort",
        "my_ghp_" /* the middle of a word is no beginning */,
        "aghp_" CHARS_30 "abcdef",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "sk-ant-short",
        "AKIA is a prefix",
        "0123456789abcdef0123456789abcdef01234567",
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        check_redacted(samples[i], samples[i]);
}

TEST(all_of_a_text_is_searched)
{
    check_redacted("a ghp_" CHARS_30 " b AKIAABCDEFGHIJ234567, ghp_" CHARS_30,
                   "a [redacted] b [redacted], [redacted]");
    check_redacted("https://x:ghp_" CHARS_30 "@github.com/a", "https://x:[redacted]@github.com/a");
    check_redacted("\"ghp_" CHARS_30 "\"", "\"[redacted]\"");
}

TEST(private_keys_go_up_to_their_end)
{
    check_redacted("a\n-----BEGIN PRIVATE KEY-----\nx\ny\n-----END PRIVATE KEY-----\nb\n",
                   "a\n[redacted]\nb\n");
    check_redacted("-----BEGIN EC PRIVATE KEY-----\\nx\\n-----END EC PRIVATE KEY-----\\n\nb",
                   "[redacted]\nb");
    check_redacted("a -----BEGIN OPENSSH PRIVATE KEY-----\ncut off", "a [redacted]");
    check_redacted("-----BEGIN ENCRYPTED PRIVATE KEY-----", "[redacted]");
    check_redacted("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----",
                   "[redacted]");
    check_redacted("-----BEGIN a PRIVATE KEY-----", "-----BEGIN a PRIVATE KEY-----");
}

TEST(the_search_starts_where_asked)
{
    const struct bytes text = bytes_of_str("ghp_" CHARS_30 " npm_" CHARS_30 "abcdef");
    size_t start = 0;
    size_t len = 0;

    CHECK_STR(redact_find(text, 1, &start, &len), "npm token");
    CHECK_INT(start, 35);
    CHECK(!redact_find(text, text.len, &start, &len));
    CHECK(!redact_find(bytes_of(NULL, 0), 0, &start, &len));
}

TEST(text_with_nul_is_searched_too)
{
    static const char text[] = "a\0ghp_" CHARS_30;
    AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(1000);

    redact_append(&out, bytes_of(text, sizeof(text) - 1));
    CHECK_INT(out.len, 12);
    CHECK(memcmp(out.ptr, "a\0[redacted]", 12) == 0);
}

TEST(hostile_text_costs_little)
{
    static const char *const units[] = {
        "-----BEGIN ", "-",      "ghp_",    "-----BEGIN PRIVATE KEY",
        "ghs_-",       "AKIA ",  "sk-ant-", "-----BEGIN\n",
        "github_pat_", "whsec_="};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4UL * 1024 * 1024);
        AUTO_DONE(strbuf_done) struct strbuf out = STRBUF_INIT(8UL * 1024 * 1024);
        const int64_t before_ms = clock_mono_ms();
        while (text.len + strlen(units[i]) <= text.max)
            strbuf_add_str(&text, units[i]);
        redact_append(&out, bytes_of(text.ptr, text.len));
        if (clock_mono_ms() - before_ms > 3000 * TEST_PATIENCE)
            TEST_FAIL("\"%s\" took %lld ms", units[i], (long long)(clock_mono_ms() - before_ms));
    }
}

TEST_MAIN()
