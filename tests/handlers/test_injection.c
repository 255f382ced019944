/* A corpus of texts that mean to be obeyed: a file for each, named after what it tries. Whatever of
 * it reaches an agent stands in a fence, visible, and what of it people would not see is told;
 * nothing of it starts, stops or widens anything; and what of it we post breaks nothing and calls
 * nobody. */
#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/intake/mention.h"
#include "handlers/run/branch.h"
#include "handlers/run/commits.h"
#include "handlers/run/prompt.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/comments.h"
#include "handlers/thread/text.h"
#include "server/base/fs.h"
#include "server/store/remark.h"
#include "tests/handlers/thread/report_hostile.h"

#include <dirent.h>

#define CANARY "INJECT"
#define FEWEST_CASES 40
#define MOST_BYTES (1U << 20)

static struct strbuf hostile = STRBUF_INIT(MOST_BYTES);
static const char *case_name;

typedef void check_fn(void);

/* Check each file of the corpus whose name begins so. */
static int
for_each(const char *beginning, check_fn *check)
{
    DIR *dir = opendir(INJECTION_DIR);
    int count = 0;

    CHECK(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        auto_free char *path = str_printf("%s/%s", INJECTION_DIR, entry->d_name);
        struct err err;
        if (entry->d_name[0] == '.' || !str_starts_with(entry->d_name, beginning))
            continue;
        case_name = entry->d_name;
        strbuf_reset(&hostile);
        CHECK_OK(fs_read_file(path, &hostile, &err), err);
        printf("# %s\n", case_name);
        check();
        count++;
    }
    (void)closedir(dir);
    CHECK(count > 0);
    return count;
}

/* ---- what reaches an agent ---- */

struct skeleton {
    size_t lines;    /* outside of fences, and of what says that something was left out */
    size_t headings; /* of these */
    size_t notes;
    bool canary; /* outside of fences */
    bool open;   /* a fence is, at the end */
};

/* As an agent reads it. */
static struct skeleton
read_skeleton(const char *prompt)
{
    struct skeleton skeleton = {0};
    size_t fence = 0;

    for (const char *line = prompt; *line; line += strcspn(line, "\n") + 1) {
        const size_t run = strspn(line, "`");
        auto_free char *copy = strndup(line, strcspn(line, "\n"));
        CHECK(copy);
        if (!fence && run >= 3) {
            fence = run;
        } else if (fence) {
            fence = run >= fence && line[run] == '\n' ? 0 : fence;
        } else if (str_starts_with(copy, "(Left out, since people do not see it: ")) {
            skeleton.notes++;
        } else {
            skeleton.lines += *copy != '\0';
            skeleton.headings += *copy == '#';
            skeleton.canary |= strstr(copy, CANARY) != NULL;
        }
    }
    skeleton.open = fence > 0;
    return skeleton;
}

/* A prompt with `text` wherever others may write; names of people and files are apart, since they
 * stand in headings. */
static char *
make_prompt(const char *text, const char *name)
{
    const char *const list[] = {text, NULL};
    struct comment comment = {.author = (char *)(uintptr_t)name, .text = (char *)(uintptr_t)text};
    struct comments thread = {.count = 1};
    struct remark line = {.kind = REMARK_LINE,
                          .actor = comment.author,
                          .path = comment.author,
                          .line = 3,
                          .hunk = comment.text,
                          .text = comment.text};
    struct remark red = {.kind = REMARK_CI, .actor = comment.author, .text = comment.text};
    struct remark *items[] = {&line, &red};
    const struct remark_list remarks = {.items = items, .count = 2};
    const struct prompt_failure failure = {
        .check = text, .command = text, .how = text, .output = text};
    char *prompt = NULL;
    struct err err;

    thread.items[0] = comment;
    const struct prompt_input input = {
        .repository = "acme/api",
        .title = text,
        .text = text,
        .thread = &thread,
        .instruction = text,
        .remarks = &remarks,
        .conflicts = text,
        .requested_by = text,
        .url = text,
        .checks = list,
        .red_before = list,
        .protect = list,
        .round = 2,
        .rounds = 3,
        .failures = &failure,
        .failure_count = 1,
    };
    CHECK_OK(prompt_write(&input, &prompt, &err), err);
    return prompt;
}

/* Only characters that people see, and none that a terminal obeys. */
static void
check_visible(const char *text)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len;) {
        uint32_t c;
        const size_t size = utf8_decode(text + i, len - i, &c);
        if (c == 0x200D && i > 0 && strchr("@#-:w", text[i - 1])) {
            i += size; /* ours: it keeps the platform from making a link or a call of it */
            continue;
        }
        if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c <= 0x9F) || c == 0x034F ||
            c == 0x115F || c == 0x17B4 || (c >= 0x200B && c <= 0x200F) ||
            (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0x3164 ||
            c == 0xFEFF || c == 0xFFA0 || (c >= 0xE0000 && c <= 0xE0FFF) ||
            (c == 0xFFFD && size == 1))
            TEST_FAIL("%s: U+%04X is there", case_name, (unsigned)c);
        i += size;
    }
}

static void
check_prompt(void)
{
    auto_free char *harmless = make_prompt("Mend the sum.", "ann");
    auto_free char *prompt = make_prompt(strbuf_str(&hostile), "ann");
    auto_free char *named = make_prompt("Mend the sum.", strbuf_str(&hostile));
    const struct skeleton expected = read_skeleton(harmless);
    const struct skeleton found = read_skeleton(prompt);
    const struct skeleton by_name = read_skeleton(named);
    const bool hides = str_starts_with(case_name, "hidden-");

    if (found.open || by_name.open || found.canary)
        TEST_FAIL("%s: it left its fence", case_name);
    if (found.headings != expected.headings || by_name.headings != expected.headings ||
        by_name.lines != expected.lines)
        TEST_FAIL("%s: it says something in our place", case_name);
    check_visible(prompt);
    check_visible(named);
    if (hides && found.notes == 0)
        TEST_FAIL("%s: what it hides is not told", case_name);
    if (str_starts_with(case_name, "speaker-") && !strstr(prompt, CANARY))
        TEST_FAIL("%s: what people see is left out", case_name);
    CHECK_CONTAINS(prompt, "\nThis is round 2 of at most 3.\n");
}

TEST(what_reaches_an_agent_is_fenced_and_visible)
{
    CHECK(for_each("", check_prompt) >= FEWEST_CASES);
}

/* What was hidden is no word to the agent, but for what stood around it. */
static void
check_hidden(void)
{
    const bool aside = strstr(case_name, "bidirectional") || strstr(case_name, "fillers") ||
                       strstr(case_name, "zero-width") || strstr(case_name, "invalid");
    auto_free char *prompt = make_prompt(strbuf_str(&hostile), "ann");

    /* Output of programs is shown as it is, its comments broken but visible. */
    char *failures = strstr(prompt, "## What is red after the last round");
    char *lists = strstr(prompt, "## How it will be judged");
    CHECK(failures && lists);
    *lists = '\0';
    if (!aside && strstr(prompt, CANARY))
        TEST_FAIL("%s: the hidden text is there", case_name);
}

TEST(what_people_do_not_see_is_left_out_and_told)
{
    CHECK(for_each("hidden-", check_hidden) >= 9);
}

/* ---- what starts, stops or widens something ---- */

static void
check_no_mention(void)
{
    const struct mention_names names = {.bot = "draftd"};
    AUTO_DONE(mention_done) struct mention mention = {0};
    struct err err;

    CHECK_OK(mention_find(strbuf_str(&hostile), &names, &mention, &err), err);
    if (mention.command != MENTION_NONE)
        TEST_FAIL("%s: it is taken for a mention", case_name);
}

TEST(mentions_that_do_not_count)
{
    CHECK(for_each("mention-", check_no_mention) >= 5);
}

/* Somebody with the right to gives a stranger's issue the label: what the stranger wrote asks for
 * work, and decides nothing about it. */
static void
check_issue_text(void)
{
    const struct settings settings = {
        .bot = {.name = (char *)(uintptr_t) "draftd", .label = (char *)(uintptr_t) "draftd"},
        .github = {.present = true, .login = (char *)(uintptr_t) "draftd-bot"},
    };
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(4 * MOST_BYTES);
    AUTO(event_free) struct event *event = NULL;
    auto_free char *body = NULL;
    struct err err;

    text_append_visible(&text, bytes_of(strbuf_str(&hostile), strlen(strbuf_str(&hostile))));
    AUTO(js_free)
    json_t *json =
        json_pack("{s:s, s:{s:s}, s:{s:i, s:s, s:s, s:s}, s:{s:s}, s:{s:s, s:s}}", "action",
                  "labeled", "label", "name", "draftd", "issue", "number", 1, "title",
                  strbuf_str(&text), "body", strbuf_str(&text), "state", "open", "repository",
                  "full_name", "acme/api", "sender", "login", "ann", "type", "User");
    CHECK(json);
    CHECK_OK(js_dump(json, &body, &err), err);
    CHECK_OK(github_read_event(&settings, "issues", bytes_of_str(body), &event, &err), err);
    if (event->kind != EVENT_START || event->agent || event->branch || event->instruction ||
        event->command != MENTION_NONE || !str_equal(event->actor, "ann"))
        TEST_FAIL("%s: the issue's text decides", case_name);
}

TEST(a_strangers_issue_decides_nothing)
{
    (void)for_each("", check_issue_text);
}

/* ---- what goes out ---- */

static void
check_words(const char *text, const char *what)
{
    if (commits_close_issue(text) || commits_skip_ci(text))
        TEST_FAIL("%s: %s acts on the platform: %s", case_name, what, text);
    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@'))
        if ((at == text || !strchr("abcdefghijklmnopqrstuvwxyz", at[-1])) &&
            (at[1] | 0x20) >= 'a' && (at[1] | 0x20) <= 'z')
            TEST_FAIL("%s: %s mentions somebody: %s", case_name, what, text);
    if (strstr(text, "<!--"))
        TEST_FAIL("%s: %s has a comment: %s", case_name, what, text);
    check_visible(text);
}

static void
check_published(void)
{
    struct task task = make_task(TASK_DRAFTED);
    auto_free char *title = NULL;
    auto_free char *message = NULL;
    struct err err;

    task.title = task.requested_by = text(strbuf_str(&hostile));
    task.url = NULL;
    CHECK_OK(report_draft_title(&task, false, &title, &err), err);
    CHECK(strlen(title) <= 210 && !strchr(title, '\n'));
    check_words(title, "the title");
    CHECK_OK(branch_commit_message(&task, 2, &message, &err), err);
    check_words(message, "the commit");
}

static void
check_reports(void)
{
    AUTO(js_free) json_t *as_json = json_string(strbuf_str(&hostile));

    if (!as_json) { /* no UTF-8: it cannot have come as JSON */
        AUTO_DONE(strbuf_done) struct strbuf valid = STRBUF_INIT(4 * MOST_BYTES);
        text_append_visible(&valid, bytes_of(hostile.ptr, hostile.len));
        strbuf_reset(&hostile);
        strbuf_add(&hostile, valid.ptr, valid.len);
    }
    check_hostile_draft(strbuf_str(&hostile));
    check_hostile_status(strbuf_str(&hostile));
}

TEST(what_goes_out_calls_nobody_and_closes_nothing)
{
    (void)for_each("", check_published);
    (void)for_each("", check_reports);
}

TEST_MAIN()
