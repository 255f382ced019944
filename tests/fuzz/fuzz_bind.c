/* Any bytes as the runtime's part of the operator's file. */
#include "server/settings.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(tree_done) struct tree_node root = {0};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1000000);
    struct server_settings settings = {0};
    int r = tree_parse(bytes_of(data, size), &faults, &root, NULL);

    if (!r)
        r = bind_tree(&server_settings_section, &root, &faults, &settings, NULL);
    ALWAYS(r == 0 || r == ERR_INVALID);
    ALWAYS((r == 0) || faults.count > 0);
    r = faults_report(&faults, &report, NULL);
    ALWAYS((r == 0) == (report.len == 0));
    bind_release(&server_settings_section, &settings);
    return 0;
}
