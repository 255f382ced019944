/* See str.h. */
#include "server/base/str.h"

int
str_to_u64(const char *text, uint64_t *ret_value, struct err *err)
{
    uint64_t value = 0;

    if (!*text)
        return err_set(err, ERR_INVALID, "expected a number, found nothing");
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return err_set(err, ERR_INVALID, "'%.40s' is not a whole number", text);
        const uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return err_set(err, ERR_INVALID, "'%.40s' is too large", text);
        value = value * 10 + digit;
    }
    *ret_value = value;
    return 0;
}

int
str_to_i64(const char *text, int64_t *ret_value, struct err *err)
{
    const bool negative = text[0] == '-';
    uint64_t magnitude;
    const int r = str_to_u64(negative ? text + 1 : text, &magnitude, err);

    if (r)
        return r;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return err_set(err, ERR_INVALID, "'%.40s' is too large", text);
    *ret_value = (int64_t)(negative ? -magnitude : magnitude);
    return 0;
}

bool
str_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
str_equal_nocase(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool
str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_ends_with(const char *text, const char *suffix)
{
    const size_t len = strlen(text);
    const size_t suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

/* Iterative with one resume point, so that a hostile pattern costs at most len(text) x
 * len(pattern). A "**" forgets an earlier '*': whatever that one could match, "**" can too. */
bool
str_matches_glob(const char *text, const char *pattern)
{
    const char *resume_pattern = NULL;
    const char *resume_text = NULL;
    const char *deep_pattern = NULL;
    const char *deep_text = NULL;

    for (;;) {
        if (pattern[0] == '*' && pattern[1] == '*') {
            deep_pattern = pattern += 2;
            deep_text = text;
            resume_pattern = NULL;
        } else if (pattern[0] == '*') {
            resume_pattern = ++pattern;
            resume_text = text;
        } else if (*text && *pattern == *text) {
            pattern++;
            text++;
        } else if (!*text && !*pattern) {
            return true;
        } else if (resume_pattern && *resume_text && *resume_text != '/') {
            pattern = resume_pattern;
            text = ++resume_text;
        } else if (deep_pattern && *deep_text) {
            pattern = deep_pattern;
            text = ++deep_text;
            resume_pattern = NULL;
        } else {
            return false;
        }
    }
}

char *
str_dup(const char *text)
{
    return text ? strdup(text) : NULL;
}

int
str_set(char **slot, const char *text, struct err *err)
{
    char *copy = str_dup(text);

    if (text && !copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    free(*slot);
    *slot = copy;
    return 0;
}

size_t
utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;

    size_t cut = max;
    while (cut > 0 && max - cut < 3 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

/* How many bytes a character has whose first one this is; 0 when none begins with it. */
static size_t
utf8_size(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if ((first & 0xE0) == 0xC0)
        return 2;
    if ((first & 0xF0) == 0xE0)
        return 3;
    return (first & 0xF8) == 0xF0 ? 4 : 0;
}

/* Is `value` a character, and not one that has a shorter form than `size` bytes? */
static bool
is_character(uint32_t value, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

    return value >= smallest[size] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

size_t
utf8_decode(const char *text, size_t len, uint32_t *ret_code_point)
{
    const unsigned char first = (unsigned char)text[0];
    const size_t size = utf8_size(first);
    uint32_t value = size == 1 ? first : first & (0x7FU >> size);

    *ret_code_point = 0xFFFD;
    if (size == 0 || size > len)
        return 1;
    for (size_t i = 1; i < size; i++) {
        const unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (next & 0x3FU);
    }
    if (!is_character(value, size))
        return 1;
    *ret_code_point = value;
    return size;
}

size_t
utf8_count(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; count++) {
        uint32_t ignored;
        i += utf8_decode(text + i, len - i, &ignored);
    }
    return count;
}
