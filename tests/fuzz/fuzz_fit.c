/* Any bytes as a text for GitHub: what is sent is UTF-8 within the limit, and a cut leaves no fence
 * open that was none before. The first byte chooses the limit. */
#include "integrations/github/github_text.h"
#include "server/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool
is_utf8(const char *text)
{
    for (size_t len = strlen(text), at = 0; at < len;) {
        uint32_t point;
        const size_t size = utf8_decode(text + at, len - at, &point);
        if (point == 0xFFFD && strncmp(text + at, "\xef\xbf\xbd", 3) != 0)
            return false;
        at += size;
    }
    return true;
}

static void
check(const char *fitted, size_t max_chars)
{
    ALWAYS(is_utf8(fitted));
    ALWAYS(utf8_count(fitted, strlen(fitted)) <= max_chars);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;
    auto_free char *body = NULL;
    auto_free char *line = NULL;
    auto_free char *clean = NULL;
    struct err err;

    if (!text)
        return 0;
    const size_t max_chars = 200U + data[0];
    ALWAYS(github_fit_body(text, max_chars, &body, &err) == 0);
    check(body, max_chars);
    ALWAYS(github_fit_line(text, max_chars, &line, &err) == 0);
    check(line, max_chars);
    ALWAYS(!strpbrk(line, "\r\n"));
    ALWAYS(github_clean_text(bytes_of(data, size), max_chars, &clean, &err) == 0);
    ALWAYS(is_utf8(clean) && strlen(clean) <= max_chars);
    return 0;
}
