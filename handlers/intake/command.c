/* See command.h. */
#include "handlers/intake/command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A place in the line. */
struct reader {
    struct bytes line;
    size_t at;
    command_is_agent_fn *is_agent;
    void *ctx;
};

static const struct {
    const char *word;
    enum mention_command command;
} words[] = {
    {"cancel", MENTION_CANCEL}, {"stop", MENTION_CANCEL},   {"retry", MENTION_RETRY},
    {"rebase", MENTION_REBASE}, {"status", MENTION_STATUS}, {"help", MENTION_HELP},
};

static void
skip(struct reader *reader, const char *these)
{
    while (reader->at < reader->line.len && reader->line.ptr[reader->at] &&
           strchr(these, reader->line.ptr[reader->at]))
        reader->at++;
}

static bool
at_end(const struct reader *reader)
{
    return reader->at == reader->line.len;
}

/* The next word, of letters, digits and "-_./"; without a dot at its end. Empty: there is none, or
 * it is too long. */
static void
read_word(struct reader *reader, char ret_word[COMMAND_NAME_BYTES])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";
    size_t len = 0;

    while (reader->at + len < reader->line.len && reader->line.ptr[reader->at + len] &&
           strchr(allowed, reader->line.ptr[reader->at + len]))
        len++;
    while (len > 0 && reader->line.ptr[reader->at + len - 1] == '.')
        len--;
    if (len >= COMMAND_NAME_BYTES)
        len = 0;
    (void)snprintf(ret_word, COMMAND_NAME_BYTES, "%.*s", (int)len, reader->line.ptr + reader->at);
    reader->at += len;
}

/* "WORD NAME": the name, or an empty one and the reader where it was. */
static void
read_option(struct reader *reader, const char *word, char ret_name[COMMAND_NAME_BYTES])
{
    const size_t start = reader->at;
    char first[COMMAND_NAME_BYTES];

    ret_name[0] = '\0';
    read_word(reader, first);
    if (strcasecmp(first, word) == 0) {
        skip(reader, " \t");
        read_word(reader, ret_name);
    }
    if (!ret_name[0])
        reader->at = start;
}

static enum mention_command
read_last_word(struct reader reader, size_t *ret_at)
{
    char word[COMMAND_NAME_BYTES];

    read_word(&reader, word);
    skip(&reader, " \t.!");
    for (size_t i = 0; at_end(&reader) && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *ret_at = reader.at;
            return words[i].command;
        }
    }
    return MENTION_WORK;
}

/* Does what follows here end an option whose value could be any word? `more`: options that may
 * still come. */
static bool
ends_option(struct reader reader, int more)
{
    char name[COMMAND_NAME_BYTES];
    size_t at;

    skip(&reader, " \t");
    if (at_end(&reader) || reader.line.ptr[reader.at] == ':' || reader.line.ptr[reader.at] == '.')
        return true;
    if (read_last_word(reader, &at) != MENTION_WORK)
        return true;
    read_option(&reader, "use", name);
    if (name[0] && reader.is_agent && reader.is_agent(reader.ctx, name))
        return true;
    read_option(&reader, "on", name);
    return more > 0 && name[0] && ends_option(reader, more - 1);
}

/* One option; false: there is none here. */
static bool
take_option(struct reader *reader, struct command *command)
{
    const size_t start = reader->at;
    char name[COMMAND_NAME_BYTES];

    read_option(reader, "use", name);
    if (name[0] &&
        ((reader->is_agent && reader->is_agent(reader->ctx, name)) || ends_option(*reader, 1))) {
        memcpy(command->agent, name, sizeof(name));
        return true;
    }
    reader->at = start;
    read_option(reader, "on", name);
    if (name[0] && ends_option(*reader, 1)) {
        memcpy(command->branch, name, sizeof(name));
        return true;
    }
    reader->at = start;
    return false;
}

struct command
command_read(struct bytes line, command_is_agent_fn *is_agent, void *ctx)
{
    struct reader reader = {.line = line, .is_agent = is_agent, .ctx = ctx};
    struct command command = {.command = MENTION_WORK};

    skip(&reader, " \t,:");
    while (take_option(&reader, &command))
        skip(&reader, " \t,");
    command.length = reader.at;
    if (command.agent[0] || command.branch[0]) {
        skip(&reader, ":. \t");
        command.length = reader.at;
    }
    command.command = read_last_word(reader, &command.length);
    return command;
}
