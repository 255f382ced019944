/* Any bytes: what comes out is UTF-8, without a comment where we post it, within its bounds, and
 * stays where it was put. */
#include "handlers/thread/text.h"
#include "server/base/str.h"
#include "tests/fuzz/fuzz.h"

#define QUOTE_BYTES 1000
#define TAIL_BYTES 300
#define LINE_BYTES 100

static void
check_characters(const struct strbuf *buf)
{
    ALWAYS(strbuf_ok(buf));
    for (size_t i = 0, size; i < buf->len; i += size) {
        uint32_t code_point;
        size = utf8_decode(buf->ptr + i, buf->len - i, &code_point);
        ALWAYS(code_point != 0 && (code_point != 0xFFFD || size == 3));
    }
}

static void
check(const struct strbuf *buf)
{
    check_characters(buf);
    ALWAYS(!strstr(strbuf_str(buf), "<!--"));
}

/* Nothing is hidden in code. */
static void
check_code(const struct strbuf *clean)
{
    AUTO_DONE(strbuf_done) struct strbuf code = STRBUF_INIT(5 * clean->len + 8);
    AUTO_DONE(strbuf_done) struct strbuf again = STRBUF_INIT(5 * clean->len + 100);

    strbuf_add_str(&code, "    ");
    for (size_t i = 0; i < clean->len; i++) {
        strbuf_add_char(&code, clean->ptr[i]);
        if (clean->ptr[i] == '\n')
            strbuf_add_str(&code, "    ");
    }
    text_append_clean(&again, bytes_of(strbuf_str(&code), code.len));
    ALWAYS(strcmp(strbuf_str(&again), strbuf_str(&code)) == 0);
}

/* Every line begins as a quote, so nothing stands outside of it. */
static void
check_quote(struct bytes bytes)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(QUOTE_BYTES);

    text_append_quote(&buf, bytes, QUOTE_BYTES);
    check(&buf);
    for (const char *line = strbuf_str(&buf); *line; line += strcspn(line, "\n") + 1)
        ALWAYS(*line == '>' && strchr(line, '\n'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(6 * size + 100);
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(6 * size + 100);
    const struct bytes bytes = bytes_of(data, size);

    text_append_clean(&clean, bytes);
    check_characters(&clean);
    check_code(&clean);
    text_append_inline(&buf, bytes);
    check(&buf);
    ALWAYS(buf.len <= 6 * size && !strpbrk(strbuf_str(&buf), "<>|\n"));
    strbuf_reset(&buf);
    text_append_code(&buf, bytes);
    check(&buf);
    ALWAYS(!strpbrk(strbuf_str(&buf), "|\n"));
    strbuf_reset(&buf);
    text_append_tail(&buf, bytes, 5, TAIL_BYTES);
    check(&buf);
    ALWAYS(buf.len <= TAIL_BYTES);
    strbuf_reset(&buf);
    text_append_line(&buf, strbuf_str(&clean), LINE_BYTES);
    check(&buf);
    ALWAYS(buf.len <= LINE_BYTES && !strchr(strbuf_str(&buf), '\n'));
    strbuf_reset(&buf);
    text_append_slug(&buf, strbuf_str(&clean));
    ALWAYS(buf.len > 0 && buf.len <= 40);
    check_quote(bytes);
    return 0;
}
