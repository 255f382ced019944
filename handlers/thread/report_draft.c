/* The draft's body, for a reviewer in a hurry: verdict and size first, what to beware of next, then
 * the evidence; what the agent says of itself comes last and apart. */
#include "handlers/thread/report_parts.h"

#include "handlers/thread/text.h"
#include "server/base/str.h"

#include <inttypes.h>

#define CHECK_NAME_BYTES 60
#define PATH_BYTES 120
#define FILES_SHOWN 40
#define FILES_BYTES 7000
#define OUTPUTS_SHOWN 10
#define OUTPUTS_BYTES 15000U
#define REQUEST_BYTES 3000
#define FOOTER_BYTES 600
#define KIB 1024

static void
append_size(struct strbuf *buf, const struct report_draft_input *input)
{
    const struct repo_diff *diff = input->diff;

    strbuf_addf(buf, "%zu file%s changed, +%" PRId64 " −%" PRId64, diff->count,
                diff->count == 1 ? "" : "s", diff->added_lines, diff->deleted_lines);
    if (input->run->round > 0)
        strbuf_addf(buf, ", in %" PRId64 " round%s of the agent", input->run->round,
                    input->run->round == 1 ? "" : "s");
    strbuf_add_str(buf, ".\n");
}

/* What was asked. Where no link leads to it, its text stands here. */
static void
append_request(struct strbuf *buf, const struct report_draft_input *input)
{
    const struct task *task = input->task;

    strbuf_add_str(buf, "\n**Asked**: ");
    report_append_link(buf, task->title && *task->title ? task->title : "(without a title)",
                       task->url);
    strbuf_add_str(buf, " by ");
    report_append_asker(buf, task, input->run);
    strbuf_add_char(buf, '\n');
    if (!task->url && task->text && *task->text) {
        strbuf_add_char(buf, '\n');
        text_append_quote(buf, bytes_of_str(task->text), REQUEST_BYTES);
    }
}

/* ---- output of failed checks ---- */

/* As text between tags, where Markdown is not read. */
static void
append_html(struct strbuf *buf, const char *text)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(CHECK_NAME_BYTES);

    text_append_line(&line, text, CHECK_NAME_BYTES);
    for (size_t i = 0; i < line.len; i++) {
        const char c = line.ptr[i];
        if (strchr("&<>\"`@#", c))
            strbuf_addf(buf, "&#%d;", c);
        else
            strbuf_add_char(buf, c);
    }
}

static void
append_output(struct strbuf *buf, const char *name, const char *output, size_t share)
{
    if (output[strspn(output, " \t\r\n")] == '\0') {
        strbuf_add_char(buf, '\n');
        report_append_code(buf, name, CHECK_NAME_BYTES);
        strbuf_add_str(buf, " printed nothing.\n");
        return;
    }
    strbuf_add_str(buf, "\n<details><summary>Last lines of <code>");
    append_html(buf, name);
    strbuf_add_str(buf, "</code></summary>\n\n");
    report_append_output(buf, output, share);
    strbuf_add_str(buf, "\n</details>\n");
}

static void
append_outputs(struct strbuf *buf, const struct report_draft_input *input)
{
    size_t count = 0;
    size_t done = 0;

    if (!input->failed_outputs || !input->checks)
        return;
    for (size_t i = 0; i < input->checks->count; i++)
        count += input->failed_outputs[i] != NULL;
    if (count == 0)
        return;

    const size_t shown = count < OUTPUTS_SHOWN ? count : OUTPUTS_SHOWN;
    for (size_t i = 0; i < input->checks->count && done < shown; i++) {
        if (!input->failed_outputs[i])
            continue;
        append_output(buf, input->checks->items[i].name, input->failed_outputs[i],
                      OUTPUTS_BYTES / shown);
        done++;
    }
    if (shown < count)
        strbuf_addf(buf, "\nThe output of %zu more is not shown.\n", count - shown);
}

/* ---- files ---- */

static void
append_note(struct strbuf *buf, const struct repo_change *change)
{
    switch (change->kind) {
    case REPO_ADDED:
        strbuf_add_str(buf, "new");
        break;
    case REPO_MODIFIED:
        break;
    case REPO_DELETED:
        strbuf_add_str(buf, "deleted");
        break;
    case REPO_RENAMED:
        strbuf_add_str(buf, "was ");
        report_append_code(buf, change->old_path, PATH_BYTES);
        break;
    }
    if ((change->binary || change->large) && change->kind != REPO_DELETED)
        strbuf_addf(buf, "%s%s, %" PRId64 " KiB", change->kind == REPO_MODIFIED ? "" : ", ",
                    change->binary ? "binary" : "large", (change->new_bytes + KIB - 1) / KIB);
    if (change->executable && change->kind == REPO_ADDED)
        strbuf_add_str(buf, ", executable");
}

static void
append_files(struct strbuf *buf, const struct repo_diff *diff)
{
    const size_t begin = buf->len;
    size_t shown = 0;

    if (diff->count == 0)
        return;
    strbuf_add_str(buf, "\n### Files\n\n| File | + | − | |\n|---|--:|--:|---|\n");
    while (shown < diff->count && shown < FILES_SHOWN && buf->len - begin < FILES_BYTES) {
        const struct repo_change *change = &diff->items[shown++];
        strbuf_add_str(buf, "| ");
        report_append_code(buf, change->path, PATH_BYTES);
        strbuf_addf(buf, " | %" PRId64 " | %" PRId64 " | ", change->added_lines,
                    change->deleted_lines);
        append_note(buf, change);
        strbuf_add_str(buf, " |\n");
    }
    if (shown < diff->count)
        strbuf_addf(buf, "\n%zu more files are not listed.\n", diff->count - shown);
}

/* ---- the whole ---- */

static void
append_evidence(struct strbuf *buf, const struct report_draft_input *input)
{
    if (report_has_checks(input->checks)) {
        strbuf_add_str(buf, "\n### Checks, run by draftd\n\n");
        report_append_checks(buf, input->checks);
    }
    if (input->setup_output)
        append_output(buf, "setup", input->setup_output, OUTPUTS_BYTES);
    append_outputs(buf, input);
    append_files(buf, input->diff);
}

static void
append_footer(struct strbuf *buf, const struct report_draft_input *input)
{
    if (input->closes_issue && input->task->number > 0)
        strbuf_addf(buf, "\nCloses #%" PRId64 "\n", input->task->number);
    strbuf_addf(buf,
                "\n*draftd, task %" PRId64 ", run %" PRId64 ". It never merges: that is "
                "yours to decide.*\n",
                input->task->id, input->run->number);
}

int
report_draft_body(const struct report_draft_input *input, char **ret_body, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);

    report_append_marker(&buf, input->task->id, input->instance);
    report_append_verdict(&buf, input->run, input->checks);
    append_size(&buf, input);
    const int r = report_append_flags(&buf, input->run->flags, err);
    if (r)
        return r;
    append_request(&buf, input);
    append_evidence(&buf, input);
    if (input->run->summary && *input->run->summary && strbuf_ok(&buf))
        report_append_summary(&buf, input->run->summary, REPORT_BYTES - FOOTER_BYTES - buf.len);
    append_footer(&buf, input);
    return strbuf_take(&buf, ret_body, err);
}
