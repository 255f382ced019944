/* Checking out and putting back, by the image's own git, inside. */
#include "sandbox/checkout.h"

#include "sandbox/box.h"
#include "sandbox/work_tree.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define BRANCH_BYTES 200U
#define CONFLICTS_BYTES (64U * 1024)
#define TREE_BYTES 256U

bool
checkout_is_object_name(const char *text)
{
    const size_t len = text ? strlen(text) : 0;

    return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len;
}

const char *
checkout_init_format(const char *commit)
{
    return strlen(commit) == 64 ? "--object-format=sha256" : "";
}

/* A subset of what git allows (git-check-ref-format(1)) that needs no care anywhere. */
static bool
branch_valid(const char *branch)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";
    const size_t len = branch ? strlen(branch) : 0;

    return len > 0 && len <= BRANCH_BYTES && strspn(branch, allowed) == len && branch[0] != '-' &&
           branch[0] != '/' && branch[0] != '.' && !strstr(branch, "..") && !strstr(branch, "//") &&
           !strstr(branch, "/.") && !str_ends_with(branch, "/") && !str_ends_with(branch, ".") &&
           !strstr(branch, ".lock");
}

int
checkout_validate(const struct sandbox_spec *spec, struct err *err)
{
    if (!checkout_is_object_name(spec->commit))
        return err_set(err, ERR_INVALID, "a sandbox's commit is no full object name");
    if (!branch_valid(spec->branch))
        return err_set(err, ERR_INVALID, "a sandbox's branch is no plain branch name");
    if (!spec->objects_dir || spec->objects_dir[0] != '/')
        return err_set(err, ERR_INVALID, "a sandbox's objects directory is no absolute path");
    return 0;
}

/* `step`: an entry DRAFTD_STEP=... */
static int
run_step(struct sandbox *sandbox,
         const char *step,
         const char *commit,
         const char *doing,
         struct strbuf *output,
         struct err *err)
{
    auto_free char *commit_entry = str_printf("DRAFTD_COMMIT=%s", commit);
    auto_free char *branch_entry = str_printf("DRAFTD_BRANCH=%s", sandbox->branch);
    auto_free char *format_entry = str_printf("DRAFTD_FORMAT=%s", checkout_init_format(commit));
    auto_free char *files_entry = str_printf("DRAFTD_FILES=%s", sandbox->files);
    auto_free char *merge_entry = str_printf("DRAFTD_MERGE=%s", sandbox->merged);

    if (!merge_entry || !commit_entry || !branch_entry || !format_entry || !files_entry)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {step,        commit_entry, branch_entry, format_entry,
                               files_entry, merge_entry,  NULL};
    const struct sandbox_command command = {.command = work_tree_script, .env = env};
    return box_execute_own(sandbox, &command, doing, 0, output, err);
}

/* The tree that the step printed, if it did. */
static void
note_tree(struct sandbox *sandbox, const char *printed)
{
    char tree[sizeof(sandbox->made)];

    (void)snprintf(tree, sizeof(tree), "%.*s", (int)strcspn(printed, "\n"), printed);
    if (checkout_is_object_name(tree))
        memcpy(sandbox->made, tree, sizeof(tree));
}

int
checkout_make(struct sandbox *sandbox, const struct sandbox_spec *spec, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf printed = STRBUF_INIT(TREE_BYTES);
    int result = str_set(&sandbox->branch, spec->branch, err);

    if (result)
        return result;
    (void)snprintf(sandbox->commit, sizeof(sandbox->commit), "%s", spec->commit);
    result = run_step(sandbox, "DRAFTD_STEP=make", spec->commit, "checking out in the sandbox",
                      &printed, err);
    if (!result)
        note_tree(sandbox, strbuf_str(&printed));
    return result;
}

int
sandbox_reset(struct sandbox *sandbox, const char *commit, struct err *err)
{
    if (!checkout_is_object_name(commit))
        return err_set(err, ERR_INVALID, "what to put back is no full object name");
    if (!sandbox->touched && str_equal(commit, sandbox->commit))
        return 0;
    return run_step(sandbox, "DRAFTD_STEP=reset", commit, "putting the work tree back", NULL, err);
}

int
sandbox_merge(struct sandbox *sandbox, const char *commit, char **ret_conflicts, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(CONFLICTS_BYTES);
    struct err fault = {0};

    if (!checkout_is_object_name(commit))
        return err_set(err, ERR_INVALID, "what to merge is no full object name");
    (void)snprintf(sandbox->merged, sizeof(sandbox->merged), "%s", commit);
    sandbox->touched = true;
    const int result = run_step(sandbox, "DRAFTD_STEP=merge", sandbox->commit,
                                "merging in the sandbox", &output, &fault);
    if (result) {
        sandbox->merged[0] = '\0';
        *err = fault;
        return result;
    }
    return strbuf_take(&output, ret_conflicts, err);
}
