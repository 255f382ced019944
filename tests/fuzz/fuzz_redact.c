/* Any bytes: what was redacted once has nothing left to redact. */
#include "server/base/redact.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(2 * size + 16);
    size_t start = 0;
    size_t len = 0;

    if (redact_find(bytes_of(data, size), 0, &start, &len))
        ALWAYS(start < size && len > 0 && len <= size - start);
    redact_append(&clean, bytes_of(data, size));
    ALWAYS(strbuf_ok(&clean));
    ALWAYS(!redact_find(bytes_of(clean.ptr, clean.len), 0, &start, &len));
    return 0;
}
