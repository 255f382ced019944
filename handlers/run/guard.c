/* See guard.h. How tests are named and skipped is in guard_tests.c. */
#include "handlers/run/guard.h"

#include "handlers/thread/text.h"
#include "integrations/git/repo_list.h"
#include "server/base/redact.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define HITS_MAX 100
#define FLAGGED_MAX 49 /* of hits that hold nothing back, so that those that do are always told */
#define COMMITS_MAX 10000
#define PATH_BYTES 200
#define SHOWN_LINE_BYTES 100
#define SHORT_ID 7
#define MIB (INT64_C(1024) * 1024)
#define LARGE_BINARY_BYTES MIB
#define SHRINK_LINES 10
#define SHRINK_BYTES 500
#define KNOWN_MAX 100 /* credentials of a file that are looked for in what it was before */

struct scan {
    const struct guard_input *input;
    struct guard_report *report;
    char *keys[HITS_MAX]; /* of each hit: rule, path and kind; the same is told once */
    size_t flagged;
    bool overflow;
    enum guard_rule overflow_rule; /* of the first that was left out */
    const char *commit;            /* one on the way; NULL: the whole difference is looked at */
    struct err *err;
};

static void
scan_done(struct scan *scan)
{
    for (size_t i = 0; i < HITS_MAX; i++)
        free(scan->keys[i]);
}

void
guard_report_done(struct guard_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->items[i].text);
    free(report->items);
    repo_diff_done(&report->diff);
    *report = (struct guard_report){.held = false};
}

/* ---- hits ---- */

static bool
is_known(const struct scan *scan, const char *key)
{
    for (size_t i = 0; i < scan->report->count; i++) {
        if (str_equal(scan->keys[i], key))
            return true;
    }
    return false;
}

static int
keep_hit(struct scan *scan, enum guard_rule rule, char **text, char **key)
{
    struct guard_report *report = scan->report;

    if (!*text || !*key)
        return err_set(scan->err, ERR_NOMEM, "out of memory");
    scan->keys[report->count] = TAKE(*key);
    report->items[report->count++] = (struct guard_hit){.rule = rule, .text = TAKE(*text)};
    return 0;
}

/* `path` for people: one line, without a credential. */
static void
append_path(struct strbuf *buf, const char *path)
{
    AUTO_DONE(strbuf_done) struct strbuf redacted = STRBUF_INIT(8 * strlen(path) + 64);

    redact_append(&redacted, bytes_of_str(path));
    text_append_line(buf, strbuf_str(&redacted), PATH_BYTES);
}

/* Keep "PATH: what", or "PATH:LINE: what"; once for each rule, path and kind. */
static int PRINTF_LIKE(6, 7) add_hit(struct scan *scan,
                                     enum guard_rule rule,
                                     const char *path,
                                     int64_t line,
                                     const char *kind,
                                     const char *format,
                                     ...)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(8192);
    auto_free char *key = str_printf("%d:%s:%s", (int)rule, path ? path : "", kind);
    auto_free char *what = NULL;
    const bool holds =
        rule == GUARD_PROTECTED || rule == GUARD_SECRET || rule == GUARD_TOO_EXPENSIVE;
    va_list args;

    scan->report->held |= holds;
    if (!key)
        return err_set(scan->err, ERR_NOMEM, "out of memory");
    if (is_known(scan, key))
        return 0;
    if (scan->report->count == HITS_MAX - 1 || (!holds && scan->flagged == FLAGGED_MAX)) {
        scan->overflow_rule = scan->overflow ? scan->overflow_rule : rule;
        scan->overflow = true;
        return 0;
    }
    scan->flagged += !holds;

    va_start(args, format);
    const int len = vasprintf(&what, format, args);
    va_end(args);
    if (len < 0) {
        what = NULL; /* undefined after a failure */
        return err_set(scan->err, ERR_NOMEM, "out of memory");
    }
    if (path)
        append_path(&buf, path);
    if (line > 0)
        strbuf_addf(&buf, ":%" PRId64, line);
    strbuf_addf(&buf, "%s%s", path ? ": " : "", what);
    if (scan->commit)
        strbuf_addf(&buf, " (in commit %.*s on the way)", SHORT_ID, scan->commit);

    auto_free char *text = NULL;
    const int r = strbuf_take(&buf, &text, scan->err);
    return r ? r : keep_hit(scan, rule, &text, &key);
}

/* ---- credentials ---- */

/* Append `line` with string literals joined that code would join: "ab" + "cd" becomes "abcd". */
static void
append_joined(struct strbuf *buf, struct bytes line)
{
    for (size_t i = 0; i < line.len; i++) {
        size_t j = i + 1;
        if (!strchr("\"'`", line.ptr[i]) || !line.ptr[i]) {
            strbuf_add_char(buf, line.ptr[i]);
            continue;
        }
        while (j < line.len && strchr(" \t+.", line.ptr[j]) && line.ptr[j])
            j++;
        if (j < line.len && strchr("\"'`", line.ptr[j]) && line.ptr[j])
            i = j;
        else
            strbuf_add_char(buf, line.ptr[i]);
    }
}

/* The kind of the first credential as it stands in `text` and not in `known`, or NULL. */
static const char *
find_plain(struct bytes text, struct bytes known)
{
    size_t from = 0;
    size_t start;
    size_t len;

    if (text.len == 0)
        return NULL;
    for (unsigned seen = 0;; seen++) {
        const char *kind = redact_find(text, from, &start, &len);
        if (!kind || seen == KNOWN_MAX || known.len == 0 ||
            !memmem(known.ptr, known.len, &text.ptr[start], len))
            return kind;
        from = start + len;
    }
}

/* The kind of the first credential in `text` and not in `known`, or NULL. */
static const char *
find_credential(struct bytes text, struct bytes known)
{
    AUTO_DONE(strbuf_done) struct strbuf joined = STRBUF_INIT(text.len);
    AUTO_DONE(strbuf_done) struct strbuf joined_known = STRBUF_INIT(known.len);
    const char *kind = find_plain(text, known);

    if (kind)
        return kind;
    append_joined(&joined, text);
    if (!strbuf_ok(&joined) || joined.len == text.len)
        return NULL;
    append_joined(&joined_known, known);
    return find_plain(bytes_of(joined.ptr, joined.len),
                      bytes_of(joined_known.ptr, joined_known.len));
}

static int
check_text(struct scan *scan, const char *path, int64_t line, struct bytes text)
{
    const char *kind = find_credential(text, bytes_of("", 0));

    return kind
               ? add_hit(scan, GUARD_SECRET, path, line, kind, "looks like a credential (%s)", kind)
               : 0;
}

static int
read_blob(struct scan *scan, const char *id, struct strbuf *buf)
{
    return id[0] ? repo_read_blob(scan->input->repo, id, buf, scan->err) : 0;
}

/* Where the difference showed no lines: all of it, but for what it held before. */
static int
check_contents(struct scan *scan, const struct repo_change *change)
{
    AUTO_DONE(strbuf_done) struct strbuf now = STRBUF_INIT(LIMIT_CHANGE_BLOB_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf before = STRBUF_INIT(LIMIT_CHANGE_BLOB_BYTES);
    int r = read_blob(scan, change->new_blob, &now);

    if (r == ERR_LIMIT)
        return add_hit(scan, GUARD_TOO_EXPENSIVE, change->path, 0, "",
                       "too large to be looked through");
    r = r ? r : read_blob(scan, change->old_blob, &before);
    if (r && r != ERR_LIMIT)
        return r;
    const char *kind =
        find_credential(bytes_of(now.ptr, now.len), bytes_of(before.ptr, before.len));
    return kind ? add_hit(scan, GUARD_SECRET, change->path, 0, kind, "looks like a credential (%s)",
                          kind)
                : 0;
}

/* ---- paths ---- */

/* A folder's pattern covers what stands in the folder's own place, too: a file or link of its name.
 */
static bool
matches_pattern(const char *path, const char *pattern)
{
    const size_t len = strlen(path);

    return str_matches_glob(path, pattern) ||
           (strncmp(path, pattern, len) == 0 && str_equal(pattern + len, "/**"));
}

static int
check_protected(struct scan *scan, const char *path)
{
    const struct string_list *protect = &scan->input->settings->protect;

    for (size_t i = 0; path && i < protect->count; i++) {
        if (matches_pattern(path, protect->items[i]))
            return add_hit(scan, GUARD_PROTECTED, path, 0, "", "protected by \"%s\", was changed",
                           protect->items[i]);
    }
    return 0;
}

/* What may not be in any commit. */
static int
check_held(struct scan *scan, const struct repo_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        const struct repo_change *change = &diff->items[i];
        int r = repo_watch_check(&scan->input->watch, scan->err);
        r = r ? r : check_protected(scan, change->path);
        r = r ? r : check_protected(scan, change->old_path);
        if (!r && change->kind != REPO_DELETED)
            r = check_text(scan, change->path, 0, bytes_of_str(change->path));
        if (!r && (change->binary || change->large || change->retyped))
            r = check_contents(scan, change);
        if (r)
            return r;
    }
    return 0;
}

/* ---- the difference as a whole ---- */

static int
check_size(struct scan *scan, const struct repo_diff *diff)
{
    const struct guard_settings *settings = scan->input->settings;
    const int64_t lines = diff->added_lines + diff->deleted_lines;
    int r = 0;

    if ((int64_t)diff->count > settings->max_files)
        r = add_hit(scan, GUARD_TOO_MANY_FILES, NULL, 0, "",
                    "%zu files are changed, more than the %" PRId64 " that are expected",
                    diff->count, settings->max_files);
    if (!r && lines > settings->max_lines)
        r = add_hit(scan, GUARD_TOO_MANY_LINES, NULL, 0, "",
                    "%" PRId64 " lines are changed, more than the %" PRId64 " that are expected",
                    lines, settings->max_lines);
    return r;
}

static int
count_lines(struct scan *scan, const char *blob, int64_t *ret_lines)
{
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(REPO_TEXT_BYTES);
    const int r = read_blob(scan, blob, &contents);
    int64_t lines = 0;

    if (r)
        return r;
    for (size_t i = 0; i < contents.len; i++)
        lines += contents.ptr[i] == '\n' || i + 1 == contents.len;
    *ret_lines = lines;
    return 0;
}

/* Does a test lose more than half of itself, and more than a few lines? */
static int
check_shrink(struct scan *scan, const struct repo_change *change)
{
    const int64_t lost = change->deleted_lines - change->added_lines;
    const int64_t lost_bytes = change->old_bytes - change->new_bytes;
    int64_t lines;

    if (guard_is_test_data(change->path))
        return 0;
    if (change->binary || change->large)
        return lost_bytes > SHRINK_BYTES && 2 * lost_bytes > change->old_bytes
                   ? add_hit(scan, GUARD_TEST_DELETED, change->path, 0, "",
                             "test lost most of its contents")
                   : 0;
    if (lost <= SHRINK_LINES)
        return 0;
    const int r = count_lines(scan, change->old_blob, &lines);
    if (r || 2 * lost <= lines)
        return r;
    return add_hit(scan, GUARD_TEST_DELETED, change->path, 0, "",
                   "test lost %" PRId64 " of its %" PRId64 " lines", lost, lines);
}

/* Is a test still there, and as much of it as to test something? */
static int
check_test(struct scan *scan, const struct repo_change *change)
{
    const bool renamed = change->kind == REPO_RENAMED;
    const char *path = renamed ? change->old_path : change->path;
    const char *what = NULL;

    if (!guard_is_test_path(path) || change->kind == REPO_ADDED)
        return 0;
    if (change->kind == REPO_DELETED)
        what = "test was deleted";
    else if (renamed && !guard_is_test_path(change->path))
        what = "test was renamed to what is no test";
    else if (renamed && !guard_keeps_test_name(path, change->path))
        what = "test was renamed to what may not be run as one";
    else if (change->retyped)
        what = "test is now of another type (file, link or submodule)";
    else if (change->kind == REPO_MODIFIED && change->new_bytes == 0)
        what = "test was emptied";
    return what ? add_hit(scan, GUARD_TEST_DELETED, path, 0, "", "%s", what)
                : check_shrink(scan, change);
}

static int
check_file(struct scan *scan, const struct repo_change *change)
{
    const int64_t larger =
        change->new_bytes > change->old_bytes ? change->new_bytes : change->old_bytes;

    if (change->kind == REPO_DELETED)
        return 0;
    if (change->binary && change->new_bytes > LARGE_BINARY_BYTES)
        return add_hit(scan, GUARD_LARGE_FILE, change->path, 0, "", "binary file of %.1f MiB",
                       (double)change->new_bytes / MIB);
    if (change->large && !change->binary)
        return add_hit(scan, GUARD_LARGE_FILE, change->path, 0, "",
                       "file of %.1f MiB, not compared line by line", (double)larger / MIB);
    return 0;
}

/* "<<<<<<< ", ">>>>>>> ": what git writes around the two sides of a conflict. */
static bool
is_conflict_marker(struct bytes text)
{
    return text.len > 8 &&
           (memcmp(text.ptr, "<<<<<<< ", 8) == 0 || memcmp(text.ptr, ">>>>>>> ", 8) == 0);
}

/* An added line. Tests of Rust stand among the code. */
static int
see_line(void *ctx, const char *path, int64_t line, struct bytes text)
{
    struct scan *scan = ctx;
    int r = check_text(scan, path, line, text);

    if (!r && !scan->commit && is_conflict_marker(text))
        r = add_hit(scan, GUARD_CONFLICT, path, line, "", "a conflict is not resolved");
    if (r || scan->commit || !(guard_is_test_path(path) || str_ends_with(path, ".rs")) ||
        !guard_skips_test(text))
        return r;

    AUTO_DONE(strbuf_done) struct strbuf redacted = STRBUF_INIT(8 * text.len + 64);
    AUTO_DONE(strbuf_done) struct strbuf shown = STRBUF_INIT(SHOWN_LINE_BYTES);
    redact_append(&redacted, text);
    text_append_line(&shown, strbuf_str(&redacted), SHOWN_LINE_BYTES);
    return add_hit(scan, GUARD_TEST_SKIPPED, path, line, strbuf_str(&shown),
                   "skips or narrows tests: %s", strbuf_str(&shown));
}

static int
compare(struct scan *scan, const char *base, const char *commit, struct repo_diff *ret_diff)
{
    const struct repo_diff_options options = {
        .added_line = see_line, .ctx = scan, .watch = scan->input->watch};

    return repo_diff(scan->input->repo, base, commit, &options, ret_diff, scan->err);
}

static int
check_whole(struct scan *scan)
{
    struct repo_diff *diff = &scan->report->diff;
    const char *base = scan->input->merged ? scan->input->merged : scan->input->base;
    int r = compare(scan, base, scan->input->commit, diff);

    r = r ? r : check_held(scan, diff);
    r = r ? r : check_size(scan, diff);
    for (size_t i = 0; !r && i < diff->count; i++) {
        r = repo_watch_check(&scan->input->watch, scan->err);
        r = r ? r : check_file(scan, &diff->items[i]);
        r = r ? r : check_test(scan, &diff->items[i]);
    }
    return r;
}

/* ---- the commits on the way ---- */

static int
check_part(struct scan *scan, const char *part, struct bytes text)
{
    const char *kind = find_credential(text, bytes_of("", 0));
    auto_free char *key = str_printf("%s %s", part, kind ? kind : "");

    if (!key)
        return err_set(scan->err, ERR_NOMEM, "out of memory");
    return kind ? add_hit(scan, GUARD_SECRET, NULL, 0, key,
                          "a commit's %s holds what looks like a credential (%s)", part, kind)
                : 0;
}

/* All that is in the object: a name or a signature is pushed as well as the message. */
static int
check_object(struct scan *scan, const struct repo_commit *commit)
{
    const char *end = memmem(commit->raw, commit->raw_len, "\n\n", 2);
    const size_t len = end ? (size_t)(end - commit->raw) : commit->raw_len;
    const int r = check_part(scan, "header", bytes_of(commit->raw, len));

    return r ? r : check_part(scan, "message", bytes_of(commit->raw + len, commit->raw_len - len));
}

static int
check_commit(struct scan *scan, const struct repo_commit *commit)
{
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {.count = 0};
    const int r = compare(scan, commit->parent, commit->id, &diff);

    return r ? r : check_held(scan, &diff);
}

static int
check_history(struct scan *scan)
{
    AUTO_DONE(repo_commit_list_done) struct repo_commit_list list = {.count = 0};
    const struct guard_input *input = scan->input;
    int r = repo_list_commits(input->repo, input->base, input->merged, input->commit, COMMITS_MAX,
                              &list, scan->err);

    for (size_t i = 0; !r && i < list.count; i++) {
        scan->commit = list.items[i].id;
        r = repo_watch_check(&input->watch, scan->err);
        r = r ? r : check_object(scan, &list.items[i]);
        /* One commit is the whole difference, which was looked at already. */
        if (!r && (list.count > 1 || !str_equal(list.items[i].parent, input->base)))
            r = check_commit(scan, &list.items[i]);
    }
    scan->commit = NULL;
    return r;
}

static int
add_overflow(struct scan *scan)
{
    auto_free char *text = str_dup("there is more than is listed here");
    auto_free char *key = str_dup("");

    return keep_hit(scan, scan->overflow_rule, &text, &key);
}

int
guard_check(const struct guard_input *input, struct guard_report *ret_report, struct err *err)
{
    AUTO_DONE(guard_report_done)
    struct guard_report report = {.items = calloc(HITS_MAX, sizeof(*report.items))};
    AUTO_DONE(scan_done)
    struct scan scan = {.input = input, .report = &report, .err = err};
    int r = report.items ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    if (!r)
        r = check_whole(&scan);
    if (!r)
        r = check_history(&scan);
    report.complete = !r;
    if (r == ERR_TIMEOUT)
        r = add_hit(&scan, GUARD_TOO_EXPENSIVE, NULL, 0, "",
                    "the change is too expensive to look through");
    if (!r && scan.overflow)
        r = add_overflow(&scan);
    if (r)
        return err_wrap(err, "looking over the change");
    *ret_report = TAKE_STRUCT(report);
    return 0;
}
