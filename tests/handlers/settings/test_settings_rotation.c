/* The settings of a secret that is being replaced: two are known. */
#include "tests/handlers/settings/place.h"

TEST(an_old_secret_is_accepted_beside_the_present_one)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    write_file(&place, "hook.old", "old hook\n", 0600);
    write_file(&place, "local.old", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0600);
    auto_free char *text = str_printf("github:\n"
                                      "  webhook_secret_file: hook.secret\n"
                                      "  webhook_secret_file_old: hook.old\n"
                                      "  token_file: token\n"
                                      "  repositories: [ a/b ]\n"
                                      "local:\n"
                                      "  secret_file: local.secret\n"
                                      "  secret_file_old: local.old\n"
                                      "  repositories: [ { name: demo/calc, path: %s } ]\n",
                                      place.dir);
    check_faults(&place, text, "");
    const struct settings *s = place.settings;
    CHECK_STR(secret_reveal(s->github.webhook_secret).ptr, "hook");
    CHECK_STR(secret_reveal(s->github.webhook_secret_old).ptr, "old hook");
    CHECK(memcmp(secret_reveal(s->local.key).ptr, "\x31\xf2\x90\xf6", 4) == 0);
    CHECK(memcmp(secret_reveal(s->local.key_old).ptr, "\0\0\0\0", 4) == 0);
    CHECK_INT(s->warnings.count, 0);
}

TEST(mistakes_with_an_old_secret_are_told)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    auto_free char *missing =
        str_printf("3: github.webhook_secret_file_old: reading %s/gone: No such file or directory; "
                   "write the secret into a file that we can read\n"
                   "6: local.secret_file: is missing; write the file of the webhook's secret\n"
                   "7: local.secret_file_old: names a file without a webhook secret; write whsec_ "
                   "and 24 to 64 random bytes in base64 into it\n",
                   place.dir);
    auto_free char *text = str_printf("github:\n"
                                      "  webhook_secret_file: hook.secret\n"
                                      "  webhook_secret_file_old: gone\n"
                                      "  token_file: token\n"
                                      "  repositories: [ a/b ]\n"
                                      "local:\n"
                                      "  secret_file_old: token\n"
                                      "  repositories: [ { name: demo/calc, path: %s } ]\n",
                                      place.dir);
    check_faults(&place, text, missing);
    check_faults(&place,
                 "github:\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  webhook_secret_file_old: hook.secret\n"
                 "  token_file: token\n"
                 "  repositories: [ a/b ]\n",
                 "");
    auto_free char *warning = str_printf("%s:3: github.webhook_secret_file_old: is the same secret "
                                         "as the new one; remove this key",
                                         place.file);
    CHECK_INT(place.settings->warnings.count, 1);
    CHECK_STR(place.settings->warnings.items[0], warning);
}

TEST_MAIN()
