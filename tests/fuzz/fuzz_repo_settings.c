/* Any bytes as a repository's .draftd.yml. */
#include "handlers/settings/repo_settings.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(strbuf_done) struct strbuf faults = STRBUF_INIT(1000000);
    AUTO(repo_settings_free) struct repo_settings *settings = NULL;
    const int r = repo_settings_parse(bytes_of(data, size), &faults, &settings, NULL);

    ALWAYS(r == 0 || r == ERR_INVALID);
    ALWAYS((r == 0) == (settings != NULL) && (r == 0) == (faults.len == 0));
    for (size_t i = 0; settings && i < settings->check_count; i++)
        ALWAYS(settings->checks[i].name && settings->checks[i].run);
    return 0;
}
