/* Any text: a mention is only where the name is, and nowhere in a text that is quoted line by line.
 */
#include "handlers/intake/mention.h"
#include "server/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

static enum mention_command
find_command(const char *text)
{
    AUTO_DONE(mention_done) struct mention mention = {.command = MENTION_NONE};
    struct err err;

    ALWAYS(mention_find(text, "draftd", &mention, &err) == 0);
    ALWAYS(!mention.instruction || strlen(mention.instruction) < strlen(text));
    ALWAYS(!mention.instruction || mention.command == MENTION_WORK);
    return mention.command;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(size + 1);
    AUTO_DONE(strbuf_done) struct strbuf quoted = STRBUF_INIT(3 * size + 8);

    strbuf_add_str(&quoted, "> ");
    for (size_t i = 0; i < size && data[i]; i++) {
        strbuf_add_char(&text, (char)data[i]);
        strbuf_add_char(&quoted, (char)data[i]);
        if (data[i] == '\n' || data[i] == '\r')
            strbuf_add_str(&quoted, "> ");
    }
    if (find_command(strbuf_str(&text)) != MENTION_NONE)
        ALWAYS(strcasestr(strbuf_str(&text), "@draftd"));
    ALWAYS(find_command(strbuf_str(&quoted)) == MENTION_NONE);
    return 0;
}
