/* Any bytes as JSON: what is read can be written, and reads the same again. */
#include "server/base/js.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(js_free) json_t *json = NULL;
    AUTO(js_free) json_t *again = NULL;
    auto_free char *text = NULL;

    if (js_parse(bytes_of(data, size), &json, NULL))
        return 0;
    (void)js_str(json, "a.0.b");
    (void)js_int(json, "a.1", 0);
    ALWAYS(js_dump(json, &text, NULL) == 0);
    ALWAYS(js_parse(bytes_of_str(text), &again, NULL) == 0);
    ALWAYS(json_equal(json, again));
    return 0;
}
