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

/* ---- what is not compared line by line ---- */

#define LARGE_BYTES (2U * MIB)

/* Two MiB of text, `end` at its end.  Owns: the caller's. */
static char *
large_text(const char *end)
{
    char *text = malloc(LARGE_BYTES);

    CHECK(text);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        text[i] = i % 40 == 39 ? '\n' : 'x';
    memcpy(text + LARGE_BYTES - strlen(end), end, strlen(end));
    return text;
}

/* Commit, look, and expect this hold beside the flag for the size. */
static void
check_large(struct place *place, const char *hit)
{
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    commit(place, "Change");
    look(place, &report);
    CHECK_INT(report.held, hit != NULL);
    CHECK_INT(report.count, hit ? 2 : 1);
    CHECK_STR(find_hit(&report, GUARD_LARGE_FILE),
              "a.txt: file of 2.0 MiB, not compared line by line");
    if (hit)
        CHECK_STR(find_hit(&report, GUARD_SECRET), hit);
}

TEST(a_credential_in_a_large_file_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *key = large_text("\n-----BEGIN RSA "
                                     "PRIVATE KEY-----\nMII0\n-----END RSA "
                                     "PRIVATE KEY-----\n");

    place_init(&place);
    put_bytes(&place, "a.txt", key, LARGE_BYTES);
    check_large(&place, "a.txt: looks like a credential (private key)");
}

TEST(a_divided_credential_in_a_large_file_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *text = large_text("\nt = \"ghp_\" + \"" TOKEN_BODY "\"\n");

    place_init(&place);
    put_bytes(&place, "a.txt", text, LARGE_BYTES);
    check_large(&place, "a.txt: looks like a credential (GitHub token)");
}

TEST(a_large_file_may_keep_what_it_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *text = large_text("\n\"ghp_\" + \"" TOKEN_BODY "\"\nghp_" TOKEN_BODY "\n");

    place_init(&place);
    put_bytes(&place, "a.txt", text, LARGE_BYTES);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    text[0] = 'y';
    put_bytes(&place, "a.txt", text, LARGE_BYTES);
    check_large(&place, NULL);
    memcpy(text, "ghp_" TOKEN_BODY, sizeof("ghp_" TOKEN_BODY) - 1);
    text[4] = 'x'; /* another one */
    put_bytes(&place, "a.txt", text, LARGE_BYTES);
    check_large(&place, "a.txt: looks like a credential (GitHub token)");
}

TEST(a_credential_left_of_a_large_file_is_no_news)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *text = large_text("\nghp_" TOKEN_BODY "\n");

    place_init(&place);
    put_bytes(&place, "a.txt", text, LARGE_BYTES);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    put(&place, "a.txt", "ghp_" TOKEN_BODY "\n");
    check_large(&place, NULL);
    put(&place, "a.txt", "ghp_x" TOKEN_BODY "\n");
    check_large(&place, "a.txt: looks like a credential (GitHub token)");
}

TEST(many_known_credentials_cost_little)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(16U * MIB);
    const int64_t begin_ms = clock_mono_ms();

    for (int i = 0; i < 200000; i++)
        strbuf_addf(&text, "ghp_%036d\n", i);
    CHECK(strbuf_ok(&text));
    place_init(&place);
    put_bytes(&place, "a.txt", text.ptr, text.len);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    text.ptr[text.len - 2] = 'x';
    put_bytes(&place, "a.txt", text.ptr, text.len);
    commit(&place, "Change");
    look(&place, &report);
    CHECK(report.held);
    CHECK(clock_mono_ms() - begin_ms < MS_PER_MINUTE / 2);
}

TEST(a_credential_behind_a_change_of_type_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put_link(&place, "a", "README.md");
    put(&place, "b", "x\n");
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    put(&place, "a", "x\nghp_" TOKEN_BODY "\n");
    check_one(&place, GUARD_SECRET, "a: looks like a credential (GitHub token)");
    put(&place, "a", "x\n");
    commit(&place, "Change");
    memcpy(place.base, place.head, sizeof(place.base));
    put_link(&place, "b", "ghp_" TOKEN_BODY);
    check_one(&place, GUARD_SECRET, "b: looks like a credential (GitHub token)");
}

TEST(a_credential_in_a_new_link_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put_link(&place, "a", "ghp_" TOKEN_BODY);
    check_one(&place, GUARD_SECRET, "a:1: looks like a credential (GitHub token)");
}

/* ---- commits ---- */

/* Make the head a commit of the same tree and parent with this text for its author's name, and
 * further headers. */
static void
forge(struct place *place, const char *name, const char *headers)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    git_odb *odb = NULL;
    git_oid tree;
    git_oid id;

    put(place, "a.txt", "x\n");
    check_git(git_index_write_tree(&tree, place->index));
    strbuf_addf(&text, "tree %s\nparent %s\n", git_oid_tostr_s(&tree), place->base);
    strbuf_addf(&text, "author %s <a@b> 1 +0000\ncommitter Ada <a@b> 1 +0000\n%s\nmessage\n", name,
                headers);
    check_git(git_repository_odb(&odb, place->git));
    check_git(git_odb_write(&id, odb, text.ptr, text.len, GIT_OBJECT_COMMIT));
    git_oid_tostr(place->head, sizeof(place->head), &id);
    git_odb_free(odb);
}

static void
check_forged(const char *name, const char *headers, const char *hit)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    forge(&place, name, headers);
    look(&place, &report);
    CHECK_INT(report.held, hit != NULL);
    CHECK_INT(report.count, hit ? 1 : 0);
    if (hit)
        CHECK_CONTAINS(report.items[0].text, hit);
}

TEST(a_credential_in_a_commits_header_is_held)
{
    static const char hit[] =
        "a commit's header holds what looks like a credential (GitHub token) (in commit ";

    check_forged("Ada", "", NULL);
    check_forged("ghp_" TOKEN_BODY, "", hit);
    check_forged("Ada", "x-note ghp_" TOKEN_BODY "\n", hit);
    check_forged("Ada", "gpgsig a\n ghp_" TOKEN_BODY "\n b\n", hit);
}

TEST_MAIN()
