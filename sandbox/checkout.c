/* Checking out and putting back, by the image's own git, inside.
 *
 * The repository borrows the mirror's objects (git's "alternates"), so that history costs nothing.
 * What a hostile work tree can make of these commands stays inside the sandbox. */
#include "sandbox/checkout.h"

#include "sandbox/box.h"
#include "sandbox/state.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define BRANCH_BYTES 200U

/* Make a repository around the objects that are there, at DRAFTD_COMMIT on DRAFTD_BRANCH. */
#define MAKE_REPOSITORY                                                                            \
    "git init -q --template= $DRAFTD_FORMAT .\n"                                                   \
    "mkdir -p .git/objects/info .git/info\n"                                                       \
    "printf '%s\\n' " SANDBOX_OBJECTS " >.git/objects/info/alternates\n"                           \
    "git update-ref \"refs/heads/$DRAFTD_BRANCH\" \"$DRAFTD_COMMIT\"\n"                            \
    "git symbolic-ref HEAD \"refs/heads/$DRAFTD_BRANCH\"\n"

/* What an image has in the workspace goes, unless the repository ignores it. */
static const char make_script[] = "set -e\n"
                                  "mkdir -p \"$HOME\" " SANDBOX_EXCHANGE "\n"
                                  "rm -rf .git\n" MAKE_REPOSITORY "git reset -q --hard\n"
                                  "git clean -ffdq\n";

/* The files first, as they were, without writing those again that are so already: what was built
 * of them stays newer than they are. What is there and cannot be put into the index is a repository
 * that was made there. When the state is lost, the commit's files are put back: then what setup
 * made of them is gone, but nothing is there that nobody knows.
 *
 * Then the repository: locks and half-done operations of a killed git are cleared away; settings
 * that would hide files do not count; directories without permissions get them back; and a
 * repository that is broken is made anew around its objects, for the commit to go back to may be
 * among them. */
static const char reset_script[] = STATE_FUNCTIONS
    "files() (\n"
    "    [ -n \"$DRAFTD_FILES\" ] || exit 1\n"
    "    export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_CONFIG_GLOBAL=/dev/null\n"
    "    open_own && use_own && git read-tree \"$DRAFTD_FILES\" || exit 1\n"
    "    take\n"
    "    {\n"
    "        git diff-index --cached \"$DRAFTD_FILES\" | sed -n 's/^:000000 160000 [^\t]*\t//p'\n"
    "        git ls-files -o --directory --no-empty-directory --exclude-standard\n"
    "    } | while IFS= read -r path; do rm -rf \"./$path\"; done\n"
    "    git read-tree --reset -u \"$DRAFTD_FILES\"\n"
    ")\n"
    "g='git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.sparseCheckout=false\n"
    "   -c core.excludesFile=/dev/null'\n"
    "put_back() (\n"
    "    [ -d .git ] && [ ! -L .git ] || exit 1\n"
    "    export GIT_DIR=" SANDBOX_WORKSPACE "/.git GIT_WORK_TREE=" SANDBOX_WORKSPACE "\n"
    "    rm -rf .git/index.lock .git/HEAD.lock .git/config.lock .git/packed-refs.lock \\\n"
    "        \".git/refs/heads/$DRAFTD_BRANCH.lock\" .git/rebase-merge .git/rebase-apply \\\n"
    "        .git/sequencer .git/info/exclude\n"
    "    git config -f .git/config --unset-all core.worktree\n"
    "    git config -f .git/config core.bare false\n"
    "    $g symbolic-ref HEAD \"refs/heads/$DRAFTD_BRANCH\" || exit 1\n"
    "    if [ \"$restored\" ]; then\n"
    "        $g reset -q \"$DRAFTD_COMMIT\"\n"
    "    else\n"
    "        $g reset -q --hard \"$DRAFTD_COMMIT\" && $g clean -ffdq\n"
    "    fi\n"
    ")\n"
    "restored=\n"
    "files 2>/dev/null && restored=1\n"
    "put_back && exit\n"
    "chmod -R u+rwX . 2>/dev/null\n"
    "put_back && exit\n"
    "export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_CONFIG_GLOBAL=/dev/null\n"
    "if [ -L .git ] || [ ! -d .git ]; then rm -rf .git; fi\n"
    "for f in .git/* .git/.[!.]*; do [ \"$f\" = .git/objects ] || rm -rf \"$f\"; "
    "done\n" MAKE_REPOSITORY "put_back\n";

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

/* Run one of the scripts above. */
static int
run_script(struct sandbox *sandbox,
           const char *script,
           const char *commit,
           const char *doing,
           struct err *err)
{
    auto_free char *commit_entry = str_printf("DRAFTD_COMMIT=%s", commit);
    auto_free char *branch_entry = str_printf("DRAFTD_BRANCH=%s", sandbox->branch);
    auto_free char *format_entry = str_printf("DRAFTD_FORMAT=%s", checkout_init_format(commit));
    auto_free char *files_entry = str_printf("DRAFTD_FILES=%s", sandbox->files);

    if (!commit_entry || !branch_entry || !format_entry || !files_entry)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {commit_entry, branch_entry, format_entry, files_entry, NULL};
    const struct sandbox_command command = {.command = script, .env = env};
    return box_execute_own(sandbox, &command, doing, 0, NULL, err);
}

int
checkout_make(struct sandbox *sandbox, const struct sandbox_spec *spec, struct err *err)
{
    const int result = str_set(&sandbox->branch, spec->branch, err);

    if (result)
        return result;
    (void)snprintf(sandbox->commit, sizeof(sandbox->commit), "%s", spec->commit);
    return run_script(sandbox, make_script, spec->commit, "checking out in the sandbox", err);
}

int
sandbox_reset(struct sandbox *sandbox, const char *commit, struct err *err)
{
    if (!checkout_is_object_name(commit))
        return err_set(err, ERR_INVALID, "what to put back is no full object name");
    return run_script(sandbox, reset_script, commit, "putting the work tree back", err);
}
