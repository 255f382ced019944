/* See repo_report.h. */
#include "integrations/git/repo_report.h"

#include <string.h>

#include "server/base/str.h"

#define LENGTH_DIGITS 4
#define REPORT_BYTES (1U << 20)

enum band { BAND_REPORT = 1, BAND_PROGRESS = 2, BAND_ERROR = 3 };

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Cut one pkt-line off the front. A flush has no content. */
static bool
take_line(struct bytes *rest, struct bytes *ret_line)
{
    size_t len = 0;

    if (rest->len < LENGTH_DIGITS)
        return false;
    for (size_t i = 0; i < LENGTH_DIGITS; i++) {
        const int digit = hex_digit(rest->ptr[i]);
        if (digit < 0)
            return false;
        len = len * 16 + (size_t)digit;
    }
    if (len == 0)
        len = LENGTH_DIGITS;
    if (len < LENGTH_DIGITS || len > rest->len)
        return false;
    *ret_line = bytes_of(rest->ptr + LENGTH_DIGITS, len - LENGTH_DIGITS);
    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return true;
}

/* Append what fits. */
static void
say(struct strbuf *said, struct bytes text)
{
    const size_t room = said->max - said->len;

    strbuf_add(said, text.ptr, utf8_cut(text.ptr, text.len, text.len < room ? text.len : room));
}

static struct bytes
without_newline(struct bytes line)
{
    return line.len > 0 && line.ptr[line.len - 1] == '\n' ? bytes_of(line.ptr, line.len - 1) : line;
}

static bool
starts_with(struct bytes line, const char *prefix)
{
    const size_t len = strlen(prefix);

    return line.len >= len && memcmp(line.ptr, prefix, len) == 0;
}

/* "unpack ok", then "ok REF" or "ng REF REASON". */
static bool
read_report(struct bytes report, const char *ref, struct strbuf *said)
{
    struct bytes line;
    bool unpacked = false;
    bool taken = false;

    while (take_line(&report, &line)) {
        line = without_newline(line);
        if (bytes_equal_str(line, "unpack ok")) {
            unpacked = true;
        } else if (starts_with(line, "ok ")) {
            taken = taken || bytes_equal_str(bytes_of(line.ptr + 3, line.len - 3), ref);
        } else if (line.len > 0 && !starts_with(line, "option ")) {
            say(said, bytes_of_str("("));
            say(said, line);
            say(said, bytes_of_str(") "));
        }
    }
    return unpacked && taken;
}

int
repo_report_parse(
    struct bytes answer, const char *ref, bool *ret_taken, struct strbuf *said, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(REPORT_BYTES);
    struct bytes rest = answer;
    struct bytes line;

    while (rest.len > 0) {
        if (!take_line(&rest, &line))
            return err_set(err, ERR_REMOTE, "the answer to the push is broken");
        if (line.len == 0)
            continue;
        const struct bytes data = bytes_of(line.ptr + 1, line.len - 1);
        if (line.ptr[0] == BAND_REPORT)
            strbuf_add_bytes(&report, data);
        else if (line.ptr[0] == BAND_PROGRESS || line.ptr[0] == BAND_ERROR)
            say(said, data);
        else
            return err_set(err, ERR_REMOTE, "the answer to the push is not in bands");
    }
    if (!strbuf_ok(&report) || report.len == 0)
        return err_set(err, ERR_REMOTE, "the answer to the push reports nothing");
    *ret_taken = read_report(bytes_of(report.ptr, report.len), ref, said);
    return 0;
}
