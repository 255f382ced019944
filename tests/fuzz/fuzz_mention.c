/* Any text: a mention is only where the name is, and nowhere in a text that is quoted line by line.
 */
#include "handlers/intake/mention.h"
#include "server/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

static bool
is_agent(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "codex") == 0;
}

static const struct mention_names names = {.bot = "draftd", .is_agent = is_agent};

static enum mention_command
find_command(const char *text)
{
    AUTO_DONE(mention_done) struct mention mention = {.command = MENTION_NONE};
    struct err err;

    ALWAYS(mention_find(text, &names, &mention, &err) == 0);
    ALWAYS(!mention.instruction || strlen(mention.instruction) < strlen(text));
    ALWAYS(mention.command != MENTION_NONE || !mention.instruction);
    ALWAYS(!mention.agent || strlen(mention.agent) < COMMAND_NAME_BYTES);
    ALWAYS(!mention.branch || strlen(mention.branch) < COMMAND_NAME_BYTES);
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
