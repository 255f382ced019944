/* See repo_settings.h. */
#include "handlers/settings/repo_settings.h"

#include "handlers/settings/settings_text.h"
#include "server/base/str.h"
#include "server/config/bind.h"
#include "server/limits.h"

#define MINUTES_OF_A_DAY 1440

static const struct bind_key check_keys[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct check_settings, name),
     .check = settings_text_check_name,
     .hint = "write a name for the check"},
    {.name = "run",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct check_settings, run),
     .check = settings_text_command,
     .hint = "write the command whose exit status says whether the change is good"},
    {.name = "timeout_minutes",
     .type = BIND_INTEGER,
     .offset = offsetof(struct check_settings, timeout_minutes),
     .integer = {.value = 10, .min = 1, .max = MINUTES_OF_A_DAY},
     .hint = "write how long the check may take"},
};

static const struct bind_section check_section =
    BIND_SECTION_INIT(struct check_settings, check_keys);

static const char *const protected_paths[] = {".github/**", REPO_SETTINGS_FILE, NULL};

static const struct bind_key guard_keys[] = {
    {.name = "max_files",
     .type = BIND_INTEGER,
     .offset = offsetof(struct guard_settings, max_files),
     .integer = {.value = 50, .min = 1, .max = 10000},
     .hint = "write how many files a change may touch"},
    {.name = "max_lines",
     .type = BIND_INTEGER,
     .offset = offsetof(struct guard_settings, max_lines),
     .integer = {.value = 2000, .min = 1, .max = 1000000},
     .hint = "write how many lines a change may add and delete"},
    {.name = "protect",
     .type = BIND_TEXTS,
     .offset = offsetof(struct guard_settings, protect),
     .words = protected_paths,
     .check = settings_text_glob,
     .hint = "write a list of patterns of paths that no change may touch"},
    {.name = "allow_submodules",
     .type = BIND_BOOL,
     .offset = offsetof(struct guard_settings, allow_submodules),
     .hint = "true lets a change add or move submodules"},
};

static const struct bind_section guard_section =
    BIND_SECTION_INIT(struct guard_settings, guard_keys);

static const struct bind_key top_keys[] = {
    {.name = "image",
     .type = BIND_TEXT,
     .offset = offsetof(struct repo_settings, image),
     .check = settings_text_image,
     .hint = "write the image that work is done in"},
    {.name = "branch",
     .type = BIND_TEXT,
     .offset = offsetof(struct repo_settings, branch),
     .check = settings_text_branch,
     .hint = "write the branch that changes start from"},
    {.name = "setup",
     .type = BIND_TEXTS,
     .offset = offsetof(struct repo_settings, setup),
     .check = settings_text_command,
     .hint = "write a list of commands"},
    {.name = "setup_timeout_minutes",
     .type = BIND_INTEGER,
     .offset = offsetof(struct repo_settings, setup_timeout_minutes),
     .integer = {.value = 15, .min = 1, .max = MINUTES_OF_A_DAY},
     .hint = "write how long the setup may take"},
    {.name = "checks",
     .type = BIND_SECTIONS,
     .offset = offsetof(struct repo_settings, checks),
     .count_offset = offsetof(struct repo_settings, check_count),
     .section = &check_section,
     .hint = "write a list of { name: NAME, run: \"COMMAND\" }"},
    {.name = "rounds",
     .type = BIND_INTEGER,
     .offset = offsetof(struct repo_settings, rounds),
     .integer = {.value = 0, .min = 1, .max = 100},
     .hint = "write how often the agent may try"},
    {.name = "agent",
     .type = BIND_TEXT,
     .offset = offsetof(struct repo_settings, agent),
     .check = settings_text_name,
     .hint = "write the name of one of the operator's profiles"},
    {.name = "follow_ci",
     .type = BIND_BOOL,
     .offset = offsetof(struct repo_settings, follow_ci),
     .yes = true,
     .hint = "false: checks of GitHub's that fail on a draft start no run"},
    {.name = "guard",
     .type = BIND_SECTION,
     .offset = offsetof(struct repo_settings, guard),
     .section = &guard_section,
     .hint = "write its keys below it, or remove it"},
};

static const struct bind_section top_section = BIND_SECTION_INIT(struct repo_settings, top_keys);

/* Names of checks are how results of two runs are compared. */
static int
complain_of_twins(const struct repo_settings *settings,
                  const struct tree_node *root,
                  struct faults *faults,
                  struct err *err)
{
    for (size_t i = 0; i < settings->check_count; i++) {
        const char *name = settings->checks[i].name;
        size_t twin = 0;

        while (twin < i && (!name || !str_equal(settings->checks[twin].name, name)))
            twin++;
        if (twin == i)
            continue;
        auto_free char *key = str_printf("checks[%zu].name", i);
        if (!key)
            return err_set(err, ERR_NOMEM, "out of memory");
        faults_add(faults, tree_line(root, key), key, "is given already; write each name once");
    }
    return 0;
}

/* Read `contents` into a tree, unless there is too much.  Errors: as tree_parse(). */
static int
read_tree(struct bytes contents, struct faults *faults, struct tree_node *ret_root, struct err *err)
{
    if (contents.len <= LIMIT_CONFIG_BYTES)
        return tree_parse(contents, faults, ret_root, err);
    faults_add(faults, 1, "file", "is larger than 1 MiB; make it smaller");
    return ERR_INVALID;
}

int
repo_settings_parse(struct bytes contents,
                    struct strbuf *faults,
                    struct repo_settings **ret_settings,
                    struct err *err)
{
    AUTO_DONE(faults_done) struct faults found = {.file = REPO_SETTINGS_FILE};
    AUTO_DONE(tree_done) struct tree_node root = {0};
    AUTO(repo_settings_free) struct repo_settings *settings = calloc(1, sizeof(*settings));
    int r;

    if (!settings)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = read_tree(contents, &found, &root, err);
    if (!r)
        r = bind_tree(&top_section, &root, &found, settings, err);
    if (!r)
        r = complain_of_twins(settings, &root, &found, err);
    if (!r || r == ERR_INVALID)
        r = faults_report(&found, faults, err);
    if (r)
        return r;
    *ret_settings = TAKE(settings);
    return 0;
}

void
repo_settings_free(struct repo_settings *settings)
{
    if (!settings)
        return;
    bind_release(&top_section, settings);
    free(settings);
}
