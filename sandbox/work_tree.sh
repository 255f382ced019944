#!/bin/sh
# What draftd does with the work tree inside a sandbox, by the image's own git and a POSIX shell.
#
# Executed as a step, with DRAFTD_STEP saying which of the functions at the end; the build turns this
# file into a string (embed.sh), in which @NAME@ becomes the C macro NAME. Whatever a hostile work
# tree can make of it stays inside the sandbox, and what it prints is not believed by the host.
#
# DRAFTD_COMMIT, DRAFTD_BASE: full object names; DRAFTD_FORMAT: what makes `git init` use their hash;
# DRAFTD_BRANCH: the branch of the work tree; DRAFTD_FILES: a tree, the files to put back; or empty;
# DRAFTD_MERGE: a commit to be merged in; or empty; DRAFTD_MESSAGE: of the commit that is made.

workspace=@SANDBOX_WORKSPACE@
objects=@SANDBOX_OBJECTS@
exchange=@SANDBOX_EXCHANGE@
own=/tmp/draftd-own # a repository for the time of a step
known=/tmp/draftd-known # the index of such a one: what the last step knew of the files

# ---- a repository of our own ----
#
# The state of the files is taken in a repository of our own around the work tree's objects. Neither
# settings, hooks and filters of the work tree's own repository nor those of the home directory have
# a say there (not only HOME: newer versions of git have further places). All files count that are
# not ignored, byte by byte: what git would make of line ends is none of anybody's work.

no_home()
{
    export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_CONFIG_GLOBAL=/dev/null
}

# Make it, empty. Not from the work tree, whose repository may be broken so that git refuses to start.
open_own()
{
    # shellcheck disable=SC2086 # no format is no word
    rm -rf "$own" && cd / &&
        git init -q --bare --template= $DRAFTD_FORMAT "$own" &&
        git config -f "$own/config" core.commitGraph false &&
        git config -f "$own/config" core.multiPackIndex false &&
        git config -f "$own/config" gc.auto 0 &&
        cd "$workspace" || return 1
    mkdir -p "$own/info" &&
        echo '* -text -ident -filter -working-tree-encoding' >"$own/info/attributes"
    if [ -L .git ] || [ ! -d .git ]; then rm -rf .git; mkdir .git; fi
    if [ -L .git/objects ]; then rm .git/objects; fi
    mkdir -p .git/objects
}

# Let git work with it from here on.
use_own()
{
    export GIT_DIR="$own" GIT_WORK_TREE="$workspace"
    export GIT_OBJECT_DIRECTORY="$workspace/.git/objects"
    export GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects"
}

# Put the tree $1 into the index. What an earlier step knew of files is taken over where they are the
# same in the tree, so that only what changed since is read. (What an agent forges there hides changes
# of its own, and from a commit that is proven without them.)
load_tree()
{
    if [ -f "$known" ] && [ ! -L "$known" ] && mv "$known" "$own/index" 2>/dev/null &&
        git read-tree -m "$1" 2>/dev/null; then
        return
    fi
    rm -rf "$own/index" && git read-tree "$1"
}

# Keep what the index $1 knows of the files, with its time: git distrusts what is not older.
keep_known()
{
    rm -rf "$known"
    cp -p "$1" "$known" 2>/dev/null || rm -f "$known"
}

# From here on line ends are what the repository's attributes make of them.
heed_attributes()
{
    rm -f "$own/info/attributes"
}

# `git add` takes every file for changed that was written in the index's own second, and writes its
# object anew. What was refreshed just now is not to be doubted so: let the index seem to be of later,
# for as long.
trust_index()
{
    if touch -r "$own/index" "$own/time" 2>/dev/null; then touch -t 203701010000 "$own/index"; fi
}

# Take all files that are not ignored into the index; $left: what git said of those that it could
# not take. Files that are in the index already are read, but not written again; what cannot be read
# for want of permissions gets them, also where git only warns.
take()
{
    git update-index -q --refresh >/dev/null 2>&1 || :
    trust_index
    if ! left=$(git add -A . 2>&1) || [ -n "$left" ]; then
        chmod -R u+rwX . 2>/dev/null || :
        if left=$(git add -A --ignore-errors . 2>&1); then left=; fi
    fi
    [ ! -e "$own/time" ] || touch -r "$own/time" "$own/index"
}

# Lines of `git diff-tree -r`: their newer side, or their older one, as `git update-index
# --index-info` reads it. Names are quoted by git, so that lines are lines.
entries()
{
    sed -n 's/^:[0-7]* \([0-7]*\) [0-9a-f]* \([0-9a-f]*\) [A-Z]\(	.*\)$/\1 \2\3/p'
}

entries_before()
{
    sed -n 's/^:\([0-7]*\) [0-7]* \([0-9a-f]*\) [0-9a-f]* [A-Z]\(	.*\)$/\1 \2\3/p'
}

# ---- making it ----

# A repository around the objects that are there, at DRAFTD_COMMIT. It borrows the mirror's objects
# (git's "alternates"), so that history costs nothing.
make_repository()
{
    # shellcheck disable=SC2086 # as above
    git init -q --template= $DRAFTD_FORMAT . &&
        mkdir -p .git/objects/info .git/info &&
        printf '%s\n' "$objects" >.git/objects/info/alternates &&
        git update-ref "refs/heads/$DRAFTD_BRANCH" "$DRAFTD_COMMIT" &&
        git symbolic-ref HEAD "refs/heads/$DRAFTD_BRANCH"
}

# Does git write any file otherwise than it is in the repository? Asked of git, for attributes and
# settings are in many places, of which some are the image's.
converts()
{
    git config --get-regexp '^core\.(autocrlf|eol)$' >/dev/null && return 0
    git ls-files | git check-attr --stdin eol ident working-tree-encoding filter |
        sed -e '/: unspecified$/d' -e '/: unset$/d' -e '/: eol: lf$/d' | grep -q .
}

# What an image has in the workspace goes, unless the repository ignores it. Prints the tree of the
# files, where that is known without a look at each.
make()
{
    mkdir -p "$HOME" "$exchange" &&
        rm -rf .git &&
        make_repository &&
        git reset -q --hard &&
        git clean -ffdq || return
    if ! converts; then
        keep_known .git/index
        git rev-parse "$DRAFTD_COMMIT^{tree}"
    fi
}

# ---- what setup left ----

# Prints the tree of the files, then what it differs in from the commit. What git cannot take is
# nobody's: it is neither put back nor taken for anybody's work before it changes.
remember()
{
    set -e
    no_home
    open_own
    use_own
    load_tree "$DRAFTD_COMMIT"
    take
    tree=$(git write-tree --missing-ok)
    keep_known "$own/index"
    printf '%s\n' "$tree"
    git diff-tree -r "$DRAFTD_COMMIT" "$tree"
    rm -rf "$own"
}

# ---- putting it back ----

# The files as they were, without writing those again that are so already: what was built of them
# stays newer than they are. What is there and cannot be put into the index is a repository that was
# made there.
restore_files()
(
    [ -n "$DRAFTD_FILES" ] || exit 1
    no_home
    open_own && use_own && load_tree "$DRAFTD_FILES" || exit 1
    take
    {
        git diff-index --cached "$DRAFTD_FILES" | sed -n 's/^:000000 160000 [^	]*	//p'
        git ls-files -o --directory --no-empty-directory --exclude-standard
    } | while IFS= read -r path; do rm -rf "./$path"; done
    git read-tree --reset -u "$DRAFTD_FILES" || exit 1
    keep_known "$own/index"
)

plain_git()
{
    git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.sparseCheckout=false \
        -c core.excludesFile=/dev/null "$@"
}

# The repository: locks and half-done operations of a killed git are cleared away, and settings that
# would hide files do not count. $1: whether the files are as they should be.
restore_repository()
(
    [ -d .git ] && [ ! -L .git ] || exit 1
    export GIT_DIR="$workspace/.git" GIT_WORK_TREE="$workspace"
    rm -rf .git/index.lock .git/HEAD.lock .git/config.lock .git/packed-refs.lock \
        ".git/refs/heads/$DRAFTD_BRANCH.lock" .git/rebase-merge .git/rebase-apply \
        .git/sequencer .git/info/exclude
    git config -f .git/config --unset-all core.worktree
    git config -f .git/config core.bare false
    plain_git symbolic-ref HEAD "refs/heads/$DRAFTD_BRANCH" || exit 1
    if [ "$1" ]; then
        plain_git reset -q "$DRAFTD_COMMIT"
    else
        plain_git reset -q --hard "$DRAFTD_COMMIT" && plain_git clean -ffdq
    fi
)

# When the state is lost, the commit's files are put back: then what setup made of them is gone, but
# nothing is there that nobody knows. Directories without permissions get them back, and a repository
# that is broken is made anew around its objects, for the commit to go back to may be among them.
reset()
{
    restored=
    restore_files 2>/dev/null && restored=1
    restore_repository "$restored" && return
    chmod -R u+rwX . 2>/dev/null
    restore_repository "$restored" && return
    no_home
    if [ -L .git ] || [ ! -d .git ]; then rm -rf .git; fi
    for path in .git/* .git/.[!.]*; do
        [ "$path" = .git/objects ] || rm -rf "$path"
    done
    make_repository && restore_repository "$restored"
}

# ---- taking in the base branch ----

# Merge DRAFTD_MERGE into the files, without a commit. Prints the paths that are in conflict; both
# sides stand in them.
merge()
{
    plain_git merge -q --no-commit --no-ff --no-verify "$DRAFTD_MERGE" >/dev/null 2>&1
    [ -f .git/MERGE_HEAD ] || return 1
    plain_git diff --name-only --diff-filter=U
}

# ---- the change ----

# What differs between the trees $1 and $2, on top of what the index holds.
put_difference()
{
    git diff-tree -r "$1" "$2" | entries | git update-index --index-info
}

# Which paths are to be committed although the files are as setup left them: those that the agent's
# own commits hold, and that the files agree with. Found by putting all that the files do not agree
# with on top of the base, and looking what is missing. $1: the agent's head.
list_committed()
{
    [ "$1" != "$DRAFTD_BASE" ] || return 0
    git read-tree "$1"
    git add -u --ignore-errors . 2>/dev/null || :
    seen=$(git write-tree --missing-ok)
    git read-tree "$DRAFTD_BASE"
    put_difference "$1" "$seen"
    git diff-tree -r "$(git write-tree --missing-ok)" "$seen"
}

# The agent's own head; the base when that does not descend from it, or cannot be found in a broken
# repository: then the change is one commit on top of the base.
find_head()
{
    head=$(git --git-dir=.git rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null) ||
        head=$DRAFTD_BASE
    use_own
    git merge-base --is-ancestor "$DRAFTD_BASE" "$head" 2>/dev/null || head=$DRAFTD_BASE
}

# The files now, apart from those that setup left ($before): $own/touched has what differs, and
# $own/paths the paths of those that are there. What the agent committed although it is ignored is
# not lost from sight.
look_at_files()
{
    load_tree "$DRAFTD_BASE"
    printf '%s\n' "$setup" | entries | git update-index --index-info
    before=$(git write-tree --missing-ok)
    git diff-tree -r --diff-filter=A "$before" "$head" | entries | git update-index --index-info
    take
    case $left in *'No space left'*) printf '%s\n' "$left" >&2; exit 1 ;; esac
    files=$(git write-tree --missing-ok)
    keep_known "$own/index"
    git diff-tree -r "$before" "$files" >"$own/touched"
    git diff-tree -r --name-only -z --diff-filter=d "$before" "$files" >"$own/paths"
}

# $tree: what is to be committed. No file is added where a directory or a repository still is in the
# index, so what is gone goes first.
build_tree()
{
    heed_attributes
    list_committed "$head" >"$own/committed"
    git read-tree "$DRAFTD_BASE"
    entries <"$own/committed" | git update-index --index-info
    printf '%s\n' "$setup" | entries_before | git update-index --index-info
    entries <"$own/touched" | sed -n '/^000000 /p; /^160000 /p' | git update-index --index-info
    git update-index --add --remove --replace -z --stdin <"$own/paths"
    tree=$(git write-tree)
}

# Is there something to be merged that the head has not yet?
merges()
{
    [ -n "$DRAFTD_MERGE" ] && ! git merge-base --is-ancestor "$DRAFTD_MERGE" "$head" 2>/dev/null
}

# Prints the commit to export, the tree of the files as they are, and after them what git could not
# take. Exit status 44: nothing was changed.
#
# The change is what the files differ in from those that setup left (on standard input, as `remember`
# told), path by path, on top of the base: a file that setup made or changed and that the agent left
# alone is none of it, nor is one whose line ends git would write otherwise. The agent's own commits
# are kept below it, and what they say of other paths counts where the files, as git sees them, agree.
try_commit()
(
    set -e
    open_own
    find_head
    look_at_files
    build_tree
    if [ "$tree" = "$(git rev-parse "$DRAFTD_BASE^{tree}")" ]; then
        [ -n "$left" ] || exit 44
        printf '%s\n' "$left" >&2
        exit 1
    fi
    if merges || [ "$tree" != "$(git rev-parse "$head^{tree}")" ]; then
        # shellcheck disable=SC2046 # nothing is no word
        head=$(printf '%s\n' "$DRAFTD_MESSAGE" |
            git commit-tree -p "$head" $(merges && printf ' -p %s' "$DRAFTD_MERGE") "$tree")
    fi
    printf '%s\n%s\n%.500s' "$head" "$files" "$left"
)

# Whoever filled /tmp is not to lose the change for it: then /tmp is emptied and all is done again.
commit()
{
    setup=$(cat)
    no_home
    try_commit
    case $? in 0) return 0 ;; 44) return 44 ;; esac
    for path in /tmp/* /tmp/.[!.]*; do
        [ "$path" = "$exchange" ] || rm -rf "$path"
    done
    try_commit
}

# The objects of DRAFTD_COMMIT that DRAFTD_BASE has not, as a pack on standard output.
pack()
{
    set -e
    no_home
    use_own
    {
        printf '%s\n^%s\n' "$DRAFTD_COMMIT" "$DRAFTD_BASE"
        [ -z "$DRAFTD_MERGE" ] || printf '^%s\n' "$DRAFTD_MERGE"
    } |
        git pack-objects --revs --stdout --delta-base-offset -q
    rm -rf "$own"
}

case $DRAFTD_STEP in
make) make ;;
remember) remember ;;
reset) reset ;;
merge) merge ;;
commit) commit ;;
pack) pack ;;
*) echo "no such step: $DRAFTD_STEP" >&2; exit 2 ;;
esac
