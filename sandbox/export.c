/* What leaves a sandbox: one pack of new objects.
 *
 * All of it happens inside, by the image's git, in a repository made for the purpose
 * (work_tree.sh). What comes out is hostile all the same until the host has verified it. */
#include "sandbox/box.h"
#include "sandbox/checkout.h"
#include "sandbox/work_tree.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define NOTHING_CHANGED 44
#define OUTPUT_BYTES 4096U

/* An entry NAME=value for each part of "Name <mail>". */
struct identity {
    char *name;
    char *mail;
};

static void
identity_done(struct identity *identity)
{
    free(identity->name);
    free(identity->mail);
}

static int
identity_parse(const char *text, struct identity *ret_identity, struct err *err)
{
    const char *const open = strstr(text, " <");

    if (!open || open == text || !str_ends_with(text, ">") || strchr(text, '\n'))
        return err_set(err, ERR_INVALID, "an author's identity is not of the form Name <mail>");
    ret_identity->name = str_printf("%.*s", (int)(open - text), text);
    ret_identity->mail = str_printf("%.*s", (int)strlen(open) - 3, open + 2);
    return ret_identity->name && ret_identity->mail ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* One line of what the step printed, as long as `like`.  Returns what follows it, or NULL. */
static const char *
take_name(const char *text, const char *like, char ret_name[65])
{
    const size_t len = strlen(like);

    (void)snprintf(ret_name, 65, "%.*s", (int)len, text);
    return checkout_is_object_name(ret_name) && strlen(ret_name) == len && text[len] == '\n'
               ? text + len + 1
               : NULL;
}

/* What the step printed. */
static int
read_commit(struct sandbox *sandbox,
            const struct strbuf *output,
            const char *base,
            struct sandbox_export *ret_export,
            struct err *err)
{
    struct sandbox_export export = {0};
    char files[65];
    const char *rest = take_name(strbuf_str(output), base, export.commit);

    if (rest)
        rest = take_name(rest, base, files);
    if (!rest)
        return err_set(err, ERR_INVALID, "the sandbox answered no commit to export");
    (void)snprintf(export.left_out, sizeof(export.left_out), "%s", rest);
    (void)snprintf(sandbox->files, sizeof(sandbox->files), "%s", files);
    *ret_export = export;
    return 0;
}

static int
make_commit(struct sandbox *sandbox,
            const char *base,
            const struct identity *identity,
            const char *message,
            struct sandbox_export *ret_export,
            struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(OUTPUT_BYTES);
    auto_free char *base_entry = str_printf("DRAFTD_BASE=%s", base);
    auto_free char *format = str_printf("DRAFTD_FORMAT=%s", checkout_init_format(base));
    auto_free char *merge = str_printf("DRAFTD_MERGE=%s", sandbox->merged);
    auto_free char *message_entry = str_printf("DRAFTD_MESSAGE=%s", message);
    auto_free char *author = str_printf("GIT_AUTHOR_NAME=%s", identity->name);
    auto_free char *author_mail = str_printf("GIT_AUTHOR_EMAIL=%s", identity->mail);
    auto_free char *committer = str_printf("GIT_COMMITTER_NAME=%s", identity->name);
    auto_free char *committer_mail = str_printf("GIT_COMMITTER_EMAIL=%s", identity->mail);

    if (!base_entry || !format || !merge || !message_entry || !author || !author_mail ||
        !committer || !committer_mail)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {"DRAFTD_STEP=commit", base_entry, format,      merge,
                               message_entry,        author,     author_mail, committer,
                               committer_mail,       NULL};
    const struct sandbox_command command = {
        .command = work_tree_script, .env = env, .input = bytes_of_str(sandbox->setup)};
    const int result =
        box_execute_own(sandbox, &command, "committing the change", NOTHING_CHANGED, &output, err);
    if (result == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "nothing was changed");
    return result ? result : read_commit(sandbox, &output, base, ret_export, err);
}

/* Where a pack goes. */
struct pack_sink {
    int fd;
    int64_t bytes;
    struct strbuf complaints; /* standard error */
    struct err err;
};

static int
take_pack(void *ctx, bool is_stderr, struct bytes output)
{
    struct pack_sink *const sink = ctx;

    if (is_stderr) {
        const size_t room = sink->complaints.max - sink->complaints.len;
        strbuf_add(&sink->complaints, output.ptr, output.len < room ? output.len : room);
        return 0;
    }
    sink->bytes += (int64_t)output.len;
    return fs_write_all(sink->fd, output, &sink->err);
}

/* Was the pack written, all of it? */
static int
judge_pack(const struct pack_sink *sink, const struct sandbox_result *ended, struct err *err)
{
    if (sink->err.code)
        return err_set(err, sink->err.code, "writing a sandbox's pack: %s", sink->err.msg);
    if (ended->dropped_bytes > 0)
        return err_set(err, ERR_LIMIT, "the change has over %u MiB of new objects",
                       LIMIT_PACK_BYTES >> 20);
    if (ended->end != SANDBOX_EXITED || ended->status != 0)
        return err_set(err, ERR_INVALID, "packing the change: status %d: %s", ended->status,
                       strbuf_str(&sink->complaints));
    return 0;
}

static int
send_pack(struct sandbox *sandbox,
          const char *base,
          const char *commit,
          int pack_fd,
          int64_t *ret_bytes,
          struct err *err)
{
    auto_free char *base_entry = str_printf("DRAFTD_BASE=%s", base);
    auto_free char *commit_entry = str_printf("DRAFTD_COMMIT=%s", commit);
    auto_free char *merge = str_printf("DRAFTD_MERGE=%s", sandbox->merged);
    struct pack_sink sink = {.fd = pack_fd, .complaints = STRBUF_INIT(OUTPUT_BYTES)};
    struct sandbox_result ended;

    if (!base_entry || !commit_entry || !merge)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {"DRAFTD_STEP=pack", base_entry, commit_entry, merge, NULL};
    const struct sandbox_command command = {
        .command = work_tree_script,
        .env = env,
        .timeout_ms = BOX_OWN_STEP_MS,
        .max_output_bytes = LIMIT_PACK_BYTES,
        .output = take_pack,
        .output_ctx = &sink,
    };
    int result = box_execute(sandbox, &command, true, &ended, err);
    if (!result)
        result = judge_pack(&sink, &ended, err);
    strbuf_done(&sink.complaints);
    if (result)
        return result;
    *ret_bytes = sink.bytes;
    return 0;
}

int
sandbox_export(struct sandbox *sandbox,
               const char *base,
               const char *identity,
               const char *message,
               int pack_fd,
               struct sandbox_export *ret_export,
               struct err *err)
{
    AUTO_DONE(identity_done) struct identity parts = {0};
    struct sandbox_export export = {0};

    if (!checkout_is_object_name(base))
        return err_set(err, ERR_INVALID, "the base of an export is no full object name");
    int result = identity_parse(identity, &parts, err);
    if (!result)
        result = make_commit(sandbox, base, &parts, message, &export, err);
    if (!result)
        result = send_pack(sandbox, base, export.commit, pack_fd, &export.pack_bytes, err);
    if (result)
        return result;
    *ret_export = export;
    return 0;
}
