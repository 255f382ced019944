/* What the texts of report.h are made of. Each function appends one part, within a share of the
 * whole text that is stated with it. Nobody else includes this. */
#pragma once

#include "handlers/thread/report.h"
#include "server/base/strbuf.h"

#define REPORT_BYTES 60000U

/* The marker, with its line end. */
void report_append_marker(struct strbuf *buf, int64_t task, const char *instance);

/* `text` in one line of at most `max_bytes` of it, as text_append_inline(): at most six times that.
 */
void report_append_inline(struct strbuf *buf, const char *text, size_t max_bytes);

/* `name` in one line of at most `max_bytes` of it, as text_append_code(): at most six times that.
 */
void report_append_code(struct strbuf *buf, const char *name, size_t max_bytes);

/* "[`text`](url)"; the text alone when the address is not an ordinary one. At most 2 500 bytes. */
void report_append_link(struct strbuf *buf, const char *text, const char *url);

/* "[`name` 7](url) was merged"; at most 2 600 bytes. */
void report_append_past(struct strbuf *buf, const char *name, const struct past_draft *past);

/* One line: "**Verified**: ...". Nothing before a verdict is reached. At most 4 000 bytes. */
void report_append_verdict(struct strbuf *buf,
                           const struct run *run,
                           const struct check_result_list *checks);

/* Was any check executed? */
bool report_has_checks(const struct check_result_list *checks);

/* A table of the checks with the columns that hold something. At most 12 000 bytes. */
void report_append_checks(struct strbuf *buf, const struct check_result_list *checks);

/* Lines of ours as a list, each begun by `prefix`. At most 6 500 bytes. */
void report_append_lines(struct strbuf *buf, const char *prefix, const char *text);

/* What a reviewer should see first (`flags`: a JSON array of strings; or NULL), as a warning. At
 * most 7 000 bytes.   Errors: ERR_INVALID not such an array. */
MUST_CHECK int report_append_flags(struct strbuf *buf, const char *flags, struct err *err);

/* The end of a program's output in a fence, at most `max_bytes` (500 at least) with the fence. */
void report_append_output(struct strbuf *buf, const char *output, size_t max_bytes);

/* The agent's own words under a heading that says so, at most `max_bytes` (1 000 at least). */
void report_append_summary(struct strbuf *buf, const char *summary, size_t max_bytes);

/* One line, where the open draft conflicts with its base branch. At most 900 bytes. */
void report_append_conflicts(struct strbuf *buf, const struct task *task, const char *bot_name);

/* Did the run find before any agent that nothing is to be changed? Its reason tells why. */
bool report_needed_no_agent(const struct run *run);

/* "octocat (label)"; at most 700 bytes. */
void report_append_asker(struct strbuf *buf, const struct task *task, const struct run *run);

/* "took 3 min 5 s, 2 rounds"; nothing when the run did not start. */
void report_append_effort(struct strbuf *buf, const struct run *run, int64_t now_ms);
