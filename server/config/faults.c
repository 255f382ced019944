/* See faults.h. */
#include "server/config/faults.h"

#include "server/base/redact.h"
#include "server/base/str.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_FAULT_BYTES 2048

/* Would the character act on a terminal or a page instead of being shown on it? */
static bool
acts(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x180E ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0xFFFD || c >= 0xE0000;
}

static void
add_visible(struct strbuf *buf, const char *text)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len;) {
        uint32_t c;
        const size_t size = utf8_decode(text + i, len - i, &c);
        if (acts(c))
            strbuf_add_char(buf, '?');
        else
            strbuf_add(buf, text + i, size);
        i += size;
    }
}

/* "KEY: TEXT", safe to show.  Owns: the caller's, free().  NULL when out of memory. */
static char *
compose(const char *key, const char *text)
{
    AUTO_DONE(strbuf_done) struct strbuf visible = STRBUF_INIT(2 * MAX_FAULT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(4 * MAX_FAULT_BYTES);
    char *made = NULL;

    add_visible(&visible, key);
    strbuf_add_str(&visible, ": ");
    add_visible(&visible, text);
    redact_append(&clean, bytes_of(visible.ptr, visible.len));
    return strbuf_take(&clean, &made, NULL) ? NULL : made;
}

void
faults_add(struct faults *faults, unsigned line, const char *key, const char *format, ...)
{
    char text[MAX_FAULT_BYTES];
    va_list args;

    if (faults_full(faults)) {
        faults->more++;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    char *composed = compose(key, text);
    if (!composed) {
        faults->more++;
        return;
    }
    size_t place = faults->count++;
    for (; place > 0 && faults->items[place - 1].line > line; place--)
        faults->items[place] = faults->items[place - 1];
    faults->items[place] = (struct fault){.line = line, .text = composed};
}

bool
faults_full(const struct faults *faults)
{
    return faults->count == FAULTS_MAX;
}

/* Append `line` unless it does not fit: then a caller still gets the lines before it. */
static void
add_line(struct strbuf *text, const char *line)
{
    if (text->max - text->len >= strlen(line))
        strbuf_add_str(text, line);
}

int
faults_report(const struct faults *faults, struct strbuf *text, struct err *err)
{
    const size_t total = faults->count + faults->more;

    if (total == 0)
        return 0;
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        auto_free char *line = str_printf("%s:%u: %s\n", faults->file, fault->line, fault->text);
        if (line)
            add_line(text, line);
    }
    if (faults->more > 0) {
        auto_free char *line = str_printf("%s: and %zu more faults\n", faults->file, faults->more);
        if (line)
            add_line(text, line);
    }
    return err_set(err, ERR_INVALID, "%s has %zu fault%s", faults->file, total,
                   total == 1 ? "" : "s");
}

void
faults_done(struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        free(faults->items[i].text);
    *faults = (struct faults){.file = faults->file};
}
