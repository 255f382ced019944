/* Checking out and putting back, by the image's own git, inside.
 *
 * The repository borrows the mirror's objects (git's "alternates"), so that history costs nothing.
 * What a hostile work tree can make of these commands stays inside the sandbox. */
#include "sandbox/checkout.h"

#include "sandbox/box.h"
#include "server/base/str.h"

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

/* Locks and half-done operations of a killed git are cleared away; settings that would hide files
 * do not count; directories without permissions get them back; and a repository that is broken is
 * made anew around its objects, for the commit to go back to may be among them. */
static const char reset_script[] =
    "export GIT_DIR=" SANDBOX_WORKSPACE "/.git GIT_WORK_TREE=" SANDBOX_WORKSPACE "\n"
    "g='git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.sparseCheckout=false\n"
    "   -c core.excludesFile=/dev/null'\n"
    "put_back() {\n"
    "    [ -d .git ] && [ ! -L .git ] || return 1\n"
    "    rm -rf .git/index.lock .git/HEAD.lock .git/config.lock .git/packed-refs.lock \\\n"
    "        \".git/refs/heads/$DRAFTD_BRANCH.lock\" .git/rebase-merge .git/rebase-apply \\\n"
    "        .git/sequencer .git/info/exclude\n"
    "    git config -f .git/config --unset-all core.worktree\n"
    "    $g symbolic-ref HEAD \"refs/heads/$DRAFTD_BRANCH\" &&\n"
    "        $g reset -q --hard \"$DRAFTD_COMMIT\" && $g clean -ffdq\n"
    "}\n"
    "put_back && exit\n"
    "chmod -R u+rwX . 2>/dev/null\n"
    "put_back && exit\n"
    "unset GIT_DIR GIT_WORK_TREE\n"
    "export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_CONFIG_GLOBAL=/dev/null\n"
    "if [ -L .git ] || [ ! -d .git ]; then rm -rf .git; fi\n"
    "for f in .git/* .git/.[!.]*; do [ \"$f\" = .git/objects ] || rm -rf \"$f\"; "
    "done\n" MAKE_REPOSITORY "export GIT_DIR=" SANDBOX_WORKSPACE
    "/.git GIT_WORK_TREE=" SANDBOX_WORKSPACE "\n"
    "put_back\n";

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

    if (!commit_entry || !branch_entry || !format_entry)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *const env[] = {commit_entry, branch_entry, format_entry, NULL};
    const struct sandbox_command command = {.command = script, .env = env};
    return box_execute_own(sandbox, &command, doing, 0, NULL, err);
}

int
checkout_make(struct sandbox *sandbox, const struct sandbox_spec *spec, struct err *err)
{
    const int result = str_set(&sandbox->branch, spec->branch, err);

    if (result)
        return result;
    return run_script(sandbox, make_script, spec->commit, "checking out in the sandbox", err);
}

int
sandbox_reset(struct sandbox *sandbox, const char *commit, struct err *err)
{
    if (!checkout_is_object_name(commit))
        return err_set(err, ERR_INVALID, "what to put back is no full object name");
    return run_script(sandbox, reset_script, commit, "putting the work tree back", err);
}
