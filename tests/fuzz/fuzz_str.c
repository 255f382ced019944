/* Any bytes as UTF-8, as numbers, and as "PATTERN\nTEXT" for a glob. */
#include "server/base/str.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = strndup((const char *)data, size);
    const size_t cut = utf8_cut((const char *)data, size, size / 2);
    uint64_t number;
    int64_t integer;

    ALWAYS(cut <= size / 2 && size / 2 - cut <= 3);
    ALWAYS(utf8_count((const char *)data, size) <= size);
    if (!text)
        return 0;
    if (str_to_u64(text, &number, NULL) == 0 && number <= INT64_MAX)
        ALWAYS(str_to_i64(text, &integer, NULL) == 0 && integer == (int64_t)number);
    char *second = strchr(text, '\n');
    if (!second)
        return 0;
    *second++ = '\0';
    if (str_matches_glob(second, text))
        ALWAYS(str_matches_glob(second, "**"));
    return 0;
}
