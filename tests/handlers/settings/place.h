/* An operator's file in a directory of its own, with the secrets that it names. */
#pragma once

#include "handlers/settings/settings.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#define LOCAL_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* A directory with draftd.yml and secrets in it, and what reading it made. */
struct place {
    char *dir;
    char *file;
    struct settings *settings;
    struct strbuf faults;
    struct err err;
    int result;
};

static inline void
place_done(struct place *place)
{
    const int r = place->dir ? fs_remove_tree(place->dir, NULL) : 0;

    (void)r;
    settings_free(place->settings);
    strbuf_done(&place->faults);
    free(place->dir);
    free(place->file);
}

static inline void
write_file(struct place *place, const char *name, const char *contents, mode_t mode)
{
    auto_free char *path = str_printf("%s/%s", place->dir, name);

    CHECK_OK(fs_write_file(path, bytes_of_str(contents), mode, &place->err), place->err);
}

static inline void
place_make(struct place *place)
{
    CHECK(unsetenv("CREDENTIALS_DIRECTORY") == 0);
    CHECK(setenv("STATE_DIRECTORY", "/var/lib/draftd", 1) == 0);
    place->faults.max = 100000;
    CHECK_OK(fs_make_temp_dir("/tmp", "draftd-test-", &place->dir, &place->err), place->err);
    place->file = str_printf("%s/draftd.yml", place->dir);
    write_file(place, "hook.secret", "hook", 0600);
    write_file(place, "token", "a-token\n", 0600);
    write_file(place, "local.secret", LOCAL_SECRET "\n", 0600);
    write_file(place, "HEAD", "ref: refs/heads/main\n", 0600); /* as a bare repository has it */
}

static inline void
load(struct place *place, const char *text)
{
    write_file(place, "draftd.yml", text, 0644);
    settings_free(TAKE(place->settings));
    strbuf_reset(&place->faults);
    place->result = settings_load(place->file, &place->faults, &place->settings, &place->err);
}

/* Load `text`; the faults without the file's name must be `expected`. */
static inline void
check_faults(struct place *place, const char *text, const char *expected)
{
    AUTO_DONE(strbuf_done) struct strbuf lines = STRBUF_INIT(100000);

    load(place, text);
    for (const char *line = strbuf_str(&place->faults); *line; line = strchr(line, '\n') + 1) {
        CHECK(str_starts_with(line, place->file));
        line += strlen(place->file) + 1;
        strbuf_add(&lines, line, strcspn(line, "\n") + 1);
    }
    CHECK_STR(strbuf_str(&lines), expected);
    CHECK_INT(place->result, expected[0] ? ERR_INVALID : 0);
    CHECK((place->settings == NULL) == (expected[0] != '\0'));
}
