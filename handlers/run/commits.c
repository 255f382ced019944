/* See commits.h. */
#include "handlers/run/commits.h"

#include "handlers/app.h"
#include "handlers/run/branch.h"
#include "integrations/git/repo_list.h"
#include "server/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMITS_MAX 500
#define BRACKET_BYTES 40
#define MESSAGE_BYTES (1024U * 1024)
#define SHORT_ID 7

/* Who commits in a sandbox without saying so. */
#define SANDBOX_IDENTITY "draftd <draftd@localhost>"

static bool
is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool
is_number(char c)
{
    return isdigit((unsigned char)c) != 0;
}

static bool
begins(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

/* ---- words for CI ---- */

/* "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[skip netlify]", ...: every service has
 * its own, all in brackets.  Returns the length, or 0. */
static size_t
bracket_length(const char *text)
{
    const size_t len = text[0] == '[' ? strcspn(text, "]\n") : 0;
    char inside[BRACKET_BYTES];

    if (len < 2 || len >= BRACKET_BYTES || text[len] != ']')
        return 0;
    (void)snprintf(inside, sizeof(inside), "%.*s", (int)len - 1, text + 1);
    return strcasestr(inside, "skip") || begins(inside, "no ci") || begins(inside, "no-ci")
               ? len + 1
               : 0;
}

/* GitHub's trailer, and what Azure Pipelines heeds. */
#define TRAILER "skip-checks:"
#define STARS "***NO_CI***"

bool
commits_skip_ci(const char *message)
{
    for (const char *at = message; *at; at++)
        if (bracket_length(at) || begins(at, TRAILER) || begins(at, STARS))
            return true;
    return false;
}

/* ---- references ---- */

/* Where the number of a reference begins that begins here ("#7", "GH-7", ".../issues/7"), or 0. */
static size_t
number_at(const char *text)
{
    static const char *const forms[] = {"#", "GH-", "/issues/", "/pull/"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const size_t len = strlen(forms[i]);
        if (begins(text, forms[i]) && is_number(text[len]))
            return len;
    }
    return 0;
}

/* A reference anywhere in the word that begins here ("owner/name#7"). */
static bool
refers(const char *text)
{
    for (; *text && !isspace((unsigned char)*text); text++)
        if (number_at(text))
            return true;
    return false;
}

/* The length of a closing keyword with what may stand behind it, or 0. A part of a path is none:
 * repositories have such names, too. */
static size_t
keyword_length(const char *text)
{
    static const char *const words[] = {"closed", "closes",   "close",    "fixed",  "fixes",
                                        "fix",    "resolved", "resolves", "resolve"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if (!begins(text, words[i]) || is_word(text[len]) || text[len] == '/')
            continue;
        len += text[len] == ':';
        return len + strspn(text + len, " \t\r\n");
    }
    return 0;
}

bool
commits_close_issue(const char *message)
{
    for (const char *at = message; *at; at++) {
        const size_t len = at == message || !is_word(at[-1]) ? keyword_length(at) : 0;
        if (len && refers(at + len))
            return true;
    }
    return false;
}

void
commits_append_plain(struct strbuf *buf, const char *text)
{
    for (size_t i = 0; text[i];) {
        const char *at = text + i;
        const size_t bracket = bracket_length(at);
        const size_t number = number_at(at);

        if (bracket) {
            strbuf_addf(buf, "(%.*s)", (int)bracket - 2, at + 1);
            i += bracket;
        } else if (begins(at, TRAILER)) {
            strbuf_addf(buf, "%.4s ", at);
            i += strlen("skip-");
        } else if (begins(at, STARS)) {
            strbuf_addf(buf, "%.5s", at + 3);
            i += strlen(STARS);
        } else if (number) {
            strbuf_addf(buf, "%.*s ", (int)number, at);
            i += number;
        } else {
            strbuf_add_char(buf, *at);
            i++;
            if (*at == '@' && (at == text || !is_word(at[-1])) && is_word(at[1]))
                strbuf_add_char(buf, ' ');
        }
    }
}

/* ---- the agent's own commits ---- */

/* Commits that do something, and the first of them. */
struct finding {
    size_t count;
    char first[SHORT_ID + 1];
    char *who; /* of the first */
};

struct findings {
    struct finding closing;
    struct finding skipping;
    struct finding foreign;
};

static void
find(struct finding *finding, const struct repo_commit *commit)
{
    if (finding->count++ == 0)
        (void)snprintf(finding->first, sizeof(finding->first), "%.*s", SHORT_ID, commit->id);
}

/* "Name <mail>" out of a header; NULL when there is none, or no memory. */
static char *
read_identity(const char *headers, const char *name)
{
    auto_free char *key = str_printf("\n%s ", name);
    const char *found = key ? strstr(headers, key) : NULL;

    if (!found)
        return NULL;
    found += strlen(key);
    const char *line_end = found + strcspn(found, "\n");
    const char *end = memrchr(found, '>', (size_t)(line_end - found));
    return str_printf("%.*s", (int)((end ? end + 1 : line_end) - found), found);
}

/* *ret_foreign: who has this role, when it is nobody of ours; the caller's, free(). */
static int
find_foreign(const char *headers,
             const char *role,
             const char *ours,
             char **ret_foreign,
             struct err *err)
{
    auto_free char *who = read_identity(headers, role);

    if (!who)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!str_equal(who, ours) && !str_equal(who, SANDBOX_IDENTITY))
        *ret_foreign = TAKE(who);
    return 0;
}

static int
look_at_author(struct finding *foreign,
               const struct repo_commit *commit,
               const char *headers,
               const char *ours,
               struct err *err)
{
    auto_free char *who = NULL;
    int r = find_foreign(headers, "author", ours, &who, err);

    if (!r && !who)
        r = find_foreign(headers, "committer", ours, &who, err);
    if (r || !who)
        return r;
    find(foreign, commit);
    if (!foreign->who)
        foreign->who = TAKE(who);
    return 0;
}

/* The object as a string: bytes that end one are none of a text. */
static int
read_text(const struct repo_commit *commit, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(MESSAGE_BYTES);

    for (size_t i = 0; i < commit->raw_len && i < MESSAGE_BYTES - 1; i++)
        strbuf_add_char(&text, commit->raw[i] ? commit->raw[i] : ' ');
    return strbuf_take(&text, ret_text, err);
}

static int
look_at(struct findings *findings,
        const struct repo_commit *commit,
        const char *ours,
        struct err *err)
{
    auto_free char *text = NULL;
    int r = read_text(commit, &text, err);

    if (r)
        return r;
    char *message = strstr(text, "\n\n");
    if (message) {
        *message = '\0';
        message += 2;
        if (commits_close_issue(message))
            find(&findings->closing, commit);
        if (commits_skip_ci(message))
            find(&findings->skipping, commit);
    }
    return look_at_author(&findings->foreign, commit, text, ours, err);
}

static int
flag(struct work *work, const struct finding *finding, const char *what, struct err *err)
{
    if (finding->count == 0)
        return 0;
    return work_flag(work, err, "commits that %s: %zu (%s%s%s)", what, finding->count,
                     finding->first, finding->who ? ": " : "", finding->who ? finding->who : "");
}

int
commits_flag(struct work *work, struct repo *view, struct err *err)
{
    AUTO_DONE(repo_commit_list_done) struct repo_commit_list list = {0};
    struct findings findings = {0};
    auto_free char *ours = NULL;
    int r = branch_identity(work->app->settings, &ours, err);

    if (!r)
        r = repo_list_commits(view, work->base, work_merged(work), work->head, COMMITS_MAX, &list, err);
    for (size_t i = 0; !r && i < list.count; i++)
        r = look_at(&findings, &list.items[i], ours, err);
    if (!r)
        r = flag(work, &findings.closing, "close issues when they are merged", err);
    if (!r)
        r = flag(work, &findings.skipping, "tell CI to stay away", err);
    if (!r)
        r = flag(work, &findings.foreign, "name another author or committer", err);
    free(findings.foreign.who);
    return r;
}
