/* Runs a fuzz target over the files of a directory, in TAP: what was found once stays mended. */
#include "server/base/fs.h"
#include "server/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define MAX_INPUT_BYTES (16U * 1024 * 1024)

/* Also without its terminator, so that a sanitizer sees a read beyond the end. */
static bool
replay(const char *path)
{
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(MAX_INPUT_BYTES);
    struct err err;

    if (fs_read_file(path, &contents, &err)) {
        printf("# %s\n", err.msg);
        return false;
    }
    auto_free uint8_t *exact = malloc(contents.len > 0 ? contents.len : 1);
    if (!exact)
        return false;
    if (contents.len > 0)
        memcpy(exact, contents.ptr, contents.len);
    return LLVMFuzzerTestOneInput(exact, contents.len) == 0;
}

static int
not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    const int count = argc == 2 ? scandir(argv[1], &entries, not_hidden, alphasort) : -1;
    int failures = 0;

    if (count <= 0) {
        printf("Bail out! usage: %s DIRECTORY, with at least one file in it\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < count; i++) {
        auto_free char *path = str_printf("%s/%s", argv[1], entries[i]->d_name);
        const bool passed = path && replay(path);
        failures += !passed;
        printf("%s %d - %s\n", passed ? "ok" : "not ok", i + 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", count);
    return failures > 0;
}
