/* What the guard takes for a credential, and where it looks. */
#include "tests/handlers/run/guard_fixture.h"

/* ---- credentials ---- */

static void
check_secret(const char *contents, const char *kind)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "src/config.js", contents);
    commit(&place, "Change");
    look(&place, &report);
    if (!kind) {
        CHECK_INT(report.count, 0);
        return;
    }
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_INT(report.items[0].rule, GUARD_SECRET);
    CHECK_CONTAINS(report.items[0].text, "src/config.js:2: looks like a credential (");
    CHECK_CONTAINS(report.items[0].text, kind);
    CHECK(!strstr(report.items[0].text, "0123456789"));
}

TEST(credentials_are_held_and_never_shown)
{
    check_secret("x\nconst t = '"
                 "ghp_" TOKEN_BODY "'\n",
                 "GitHub token");
    check_secret("x\n-----BEGIN RSA "
                 "PRIVATE KEY-----\nMII0123456789\n-----END RSA "
                 "PRIVATE KEY-----\n",
                 "private key");
    check_secret("x\n\"key\": \"-----BEGIN "
                 "PRIVATE KEY-----\\nMII0123456789\"\n",
                 "private key");
    check_secret("x\nconst t = \"ghp_\" + \"" TOKEN_BODY "\"\n", "GitHub token");
    check_secret("x\nconst t = 'ghp_' . \"0123456789\" 'abcdefghij0123456789abcdef'\n",
                 "GitHub token");
    check_secret("x\nconst t = ['ghp_', 'abc'] + \"\"\n", NULL);
    check_secret("x\n-----BEGIN PUBLIC KEY-----\n", NULL);
}

TEST(a_credential_taken_back_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "a.txt", "ghp_" TOKEN_BODY "\n");
    commit(&place, "In");
    put(&place, "a.txt", "nothing\n");
    commit(&place, "Out");
    look(&place, &report);
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_CONTAINS(report.items[0].text,
                   "a.txt:1: looks like a credential (GitHub token) (in commit ");
    CHECK_CONTAINS(report.items[0].text, " on the way)");
}

TEST(a_credential_in_a_message_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "a.txt", "x\n");
    commit(&place, "Found ghp_" TOKEN_BODY);
    look(&place, &report);
    CHECK(report.held);
    CHECK_CONTAINS(find_hit(&report, GUARD_SECRET), "a commit's message holds");
    CHECK(!strstr(find_hit(&report, GUARD_SECRET), TOKEN_BODY));
}

TEST(a_credential_in_a_binary_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    static const char contents[] = "\0\0ghp_" TOKEN_BODY "\0";

    place_init(&place);
    put_bytes(&place, "a.bin", contents, sizeof(contents));
    check_one(&place, GUARD_SECRET, "a.bin: looks like a credential (GitHub token)");
}

TEST(a_credential_in_a_path_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "x/ghp_" TOKEN_BODY, "x\n");
    check_one(&place, GUARD_SECRET, "x/[redacted]: looks like a credential (GitHub token)");
}

TEST_MAIN()
