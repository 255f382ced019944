/* See mention.h. Works on a copy of the text in which everything that is not prose is blanked out.
 */
#include "handlers/intake/mention.h"

#include "handlers/thread/markdown.h"
#include "server/base/bytes.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

static bool
is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Blank out what is not prose. Places in the copy stay places in the text. */
static int
blank_out(char *prose, size_t len, struct err *err)
{
    auto_free unsigned char *marks = malloc(len + 1);

    if (!marks)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)markdown_mark(prose, len, marks);
    for (size_t i = 0; i < len; i++) {
        if (marks[i] != MARKDOWN_PROSE && prose[i] != '\n' && prose[i] != '\r')
            prose[i] = ' ';
    }
    return 0;
}

/* Does a name go on at `at`? "_" is of emphasis, unless more of a name follows: those of managed
 * users have one. */
static bool
goes_on(const char *text, size_t len, size_t at)
{
    if (at < len && text[at] == '_')
        at++;
    return at < len && (is_letter_or_digit(text[at]) || text[at] == '-' || text[at] == '/');
}

static bool
matches_name(const char *text, size_t len, size_t at, const char *name)
{
    const size_t name_len = strlen(name);

    if (len - at < name_len + 1)
        return false;
    for (size_t i = 0; i < name_len; i++) {
        const char a = text[at + 1 + i];
        const char b = name[i];
        if (a != b && !((a | 0x20) == (b | 0x20) && (b | 0x20) >= 'a' && (b | 0x20) <= 'z'))
            return false;
    }
    const char before = at > 0 ? text[at - 1] : ' ';
    return !is_letter_or_digit(before) && !strchr("-/`@", before) &&
           !goes_on(text, len, at + 1 + name_len);
}

static bool
is_only_space(const char *text, size_t from, size_t to)
{
    while (from < to && (text[from] == ' ' || text[from] == '\t'))
        from++;
    return from == to;
}

/* What is said on the mention's line behind it, when nothing stands before it. */
static struct command
read_command(const struct mention_names *names, const char *text, size_t len, size_t at, size_t end)
{
    size_t line_start = at;
    size_t line_end = end;

    while (line_start > 0 && text[line_start - 1] != '\n' && text[line_start - 1] != '\r')
        line_start--;
    while (line_end < len && text[line_end] != '\n' && text[line_end] != '\r')
        line_end++;
    if (is_only_space(text, line_start, at))
        return command_read(bytes_of(text + end, line_end - end), names->is_agent, names->ctx);
    return (struct command){.command = MENTION_WORK};
}

/* The text before and after the mention; a comma or colon behind the name belongs to it. */
static int
write_instruction(const char *text, size_t at, size_t end, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(strlen(text));
    size_t skip = 0;

    if (text[end] == ',' || text[end] == ':')
        end++;
    while (text[end] == ' ' || text[end] == '\t')
        end++;
    strbuf_add(&buf, text, at);
    strbuf_add_str(&buf, text + end);
    while (buf.len > 0 && strchr(" \t\r\n", buf.ptr[buf.len - 1]))
        strbuf_truncate(&buf, buf.len - 1);
    while (skip < buf.len && strchr(" \t\r\n", buf.ptr[skip]))
        skip++;
    if (!strbuf_ok(&buf))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (skip == buf.len) {
        *ret_text = NULL;
        return 0;
    }
    *ret_text = str_dup(buf.ptr + skip);
    return *ret_text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

void
mention_done(struct mention *mention)
{
    free(mention->instruction);
    free(mention->agent);
    free(mention->branch);
    *mention = (struct mention){.command = MENTION_NONE};
}

/* Commands that only ask or stop say nothing besides. */
static int
take_command(struct mention *mention,
             const struct command *command,
             const char *text,
             size_t at,
             size_t end,
             struct err *err)
{
    mention->command = command->command;
    switch (command->command) {
    case MENTION_NONE:
    case MENTION_CANCEL:
    case MENTION_STATUS:
    case MENTION_HELP:
        return 0;
    case MENTION_WORK:
    case MENTION_RETRY:
    case MENTION_REBASE:
        break;
    }
    int r = write_instruction(text, at, end + command->length, &mention->instruction, err);
    if (!r && command->agent[0])
        r = str_set(&mention->agent, command->agent, err);
    if (!r && command->branch[0])
        r = str_set(&mention->branch, command->branch, err);
    return r;
}

int
mention_find(const char *text,
             const struct mention_names *names,
             struct mention *ret_mention,
             struct err *err)
{
    struct mention mention = {.command = MENTION_NONE};

    if (!text) {
        *ret_mention = mention;
        return 0;
    }
    auto_free char *prose = str_dup(text);
    if (!prose)
        return err_set(err, ERR_NOMEM, "out of memory");
    const size_t len = strlen(prose);
    const int blanked = blank_out(prose, len, err);
    if (blanked)
        return blanked;

    for (size_t at = 0; at < len && mention.command == MENTION_NONE; at++) {
        if (prose[at] != '@' || !matches_name(prose, len, at, names->bot))
            continue;
        const size_t end = at + 1 + strlen(names->bot);
        const struct command command = read_command(names, text, len, at, end);
        const int r = take_command(&mention, &command, text, at, end, err);
        if (r) {
            mention_done(&mention);
            return r;
        }
    }
    *ret_mention = mention;
    return 0;
}
