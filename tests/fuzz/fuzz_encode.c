/* Any bytes as base64 and hexadecimal digits: there is one text for one value. */
#include "server/base/crypto.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(strbuf_done) struct strbuf value = STRBUF_INIT(size);
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(2 * size + 4);
    auto_free unsigned char *raw = malloc(size / 2 + 1);
    const struct bytes input = bytes_of(data, size);

    if (base64_decode(input, &value, NULL) == 0) {
        base64_append(&text, bytes_of(value.ptr, value.len));
        ALWAYS(text.len == size && (size == 0 || memcmp(text.ptr, data, size) == 0));
    }
    strbuf_reset(&text);
    if (raw && hex_decode(input, raw, size / 2, NULL) == 0) {
        hex_append(&text, bytes_of(raw, size / 2));
        ALWAYS(text.len == size && (size == 0 || memcmp(text.ptr, data, size) == 0));
    }
    return 0;
}
