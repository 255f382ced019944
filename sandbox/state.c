/* Remembering what setup left: see work_tree.h. */
#include "sandbox/box.h"
#include "sandbox/checkout.h"
#include "sandbox/work_tree.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define STATE_BYTES (16U * 1024 * 1024) /* of names and hashes */
#define COMPLAINTS_BYTES 4096U

/* What the step prints. */
struct printed {
    struct strbuf state;
    struct strbuf complaints; /* standard error */
};

static int
collect(void *ctx, bool is_stderr, struct bytes output)
{
    struct printed *const printed = ctx;
    struct strbuf *const buf = is_stderr ? &printed->complaints : &printed->state;
    const size_t room = buf->max - buf->len;

    strbuf_add(buf, output.ptr, output.len < room ? output.len : room);
    return 0;
}

static int
take_state(struct sandbox *sandbox, const struct strbuf *state, struct err *err)
{
    const char *const text = strbuf_str(state);
    const size_t len = strlen(sandbox->commit);
    char tree[sizeof(sandbox->files)];

    (void)snprintf(tree, sizeof(tree), "%.*s", (int)len, text);
    if (strlen(text) != state->len || state->len < len + 1 || text[len] != '\n' ||
        !checkout_is_object_name(tree))
        return err_set(err, ERR_INVALID, "the sandbox answered no state of its work tree");
    const int result = str_set(&sandbox->setup, text + len + 1, err);
    if (!result)
        (void)snprintf(sandbox->files, sizeof(sandbox->files), "%s", tree);
    return result;
}

/* Where nothing was done since the checkout there is nothing to look for: reading each file would
 * take longer than writing them did. */
static int
remember_as_made(struct sandbox *sandbox, struct err *err)
{
    const int result = str_set(&sandbox->setup, "", err);

    if (!result)
        memcpy(sandbox->files, sandbox->made, sizeof(sandbox->files));
    return result;
}

int
sandbox_remember(struct sandbox *sandbox, struct err *err)
{
    if (!sandbox->touched && sandbox->made[0])
        return remember_as_made(sandbox, err);
    auto_free char *commit = str_printf("DRAFTD_COMMIT=%s", sandbox->commit);
    auto_free char *format = str_printf("DRAFTD_FORMAT=%s", checkout_init_format(sandbox->commit));
    struct printed printed = {.state = STRBUF_INIT(STATE_BYTES),
                              .complaints = STRBUF_INIT(COMPLAINTS_BYTES)};
    struct sandbox_result ended;

    if (!commit || !format)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {"DRAFTD_STEP=remember", commit, format, NULL};
    const struct sandbox_command command = {
        .command = work_tree_script,
        .env = env,
        .timeout_ms = BOX_OWN_STEP_MS,
        .max_output_bytes = STATE_BYTES,
        .output = collect,
        .output_ctx = &printed,
    };
    int result = box_execute(sandbox, &command, true, &ended, err);
    if (!result && ended.dropped_bytes > 0)
        result = err_set(err, ERR_LIMIT,
                         "the names of what setup leaves and the repository does not ignore are "
                         "over %u MiB",
                         STATE_BYTES >> 20);
    if (!result && (ended.end != SANDBOX_EXITED || ended.status != 0))
        result = err_set(err, ERR_INVALID, "remembering the work tree: status %d%s: %s",
                         ended.status, ended.out_of_disk ? " (the disk limit was reached)" : "",
                         strbuf_str(&printed.complaints));
    if (!result)
        result = take_state(sandbox, &printed.state, err);
    strbuf_done(&printed.state);
    strbuf_done(&printed.complaints);
    return result;
}
