/* Any bytes as a commit object: of one that is taken, every header is one that is known. */
#include "integrations/git/repo_object.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool
is_known(const char *line, size_t left)
{
    static const char *const keys[] = {"tree ",     "parent ", "author ", "committer ",
                                       "encoding ", "gpgsig ", " "};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (left >= strlen(keys[i]) && memcmp(line, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = strndup((const char *)data, size);
    struct repo_commit_head head;
    struct err err;

    if (repo_commit_parse(bytes_of(data, size), &head, &err))
        return 0;
    ALWAYS(head.parent_count <= REPO_COMMIT_PARENTS);
    ALWAYS(!memchr(data, '\0', size));
    for (const char *line = text; line && *line && *line != '\n';) {
        const char *end = strchr(line, '\n');
        ALWAYS(is_known(line, strlen(line)));
        line = end ? end + 1 : NULL;
    }
    return 0;
}
