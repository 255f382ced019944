/* What the work tree of a sandbox holds, as git sees it: all files that are not ignored, byte by
 * byte: what git would make of line ends is none of anybody's work. What setup left there is
 * remembered before the agent comes, so that it can be put back, and told apart from what the agent
 * does.
 *
 * The tree objects lie inside, where the agent may lose them; what they differ in from the commit
 * that was checked out is kept on the host, and is enough to make them again. */
#pragma once

#include "sandbox/sandbox.h"

/* Shell, for the scripts of this folder that work with a repository of their own around the work
 * tree's objects. Neither the settings, hooks and filters of the work tree's own repository nor
 * those of the home directory have a say there (STATE_NO_HOME): not only HOME, newer versions of
 * git have further places.
 *
 * open_own: make that repository, empty; leaves the caller in the work tree. Not from there, whose
 *     repository may be broken so that git refuses to start.
 * use_own: let git work with it from here on. Bytes are bytes: attributes say nothing, until
 *     heed_attributes.
 * take: all files that are not ignored into its index, $left: what git said of those that it could
 *     not take. Files that are in the index already are read, but not written again; what cannot be
 *     read for want of permissions gets them, also where git only warns.
 * entries, entries_before: from lines of `git diff-tree -r`, their newer or older side as `git
 *     update-index --index-info` reads it. Names are quoted by git, so that lines are lines. */
#define STATE_DIR "/tmp/draftd-export"

#define STATE_NO_HOME                                                                              \
    "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "GIT_CONFIG_GLOBAL=/dev/null"

#define STATE_FUNCTIONS                                                                            \
    "open_own() {\n"                                                                               \
    "    rm -rf " STATE_DIR " && cd / &&\n"                                                        \
    "        git init -q --bare --template= $DRAFTD_FORMAT " STATE_DIR " &&\n"                     \
    "        git config -f " STATE_DIR "/config core.commitGraph false &&\n"                       \
    "        git config -f " STATE_DIR "/config core.multiPackIndex false &&\n"                    \
    "        git config -f " STATE_DIR "/config gc.auto 0 &&\n"                                    \
    "        cd " SANDBOX_WORKSPACE " || return 1\n"                                               \
    "    mkdir -p " STATE_DIR "/info &&\n"                                                         \
    "        echo '* -text -ident -filter -working-tree-encoding' >" STATE_DIR                     \
    "/info/attributes\n"                                                                           \
    "    if [ -L .git ] || [ ! -d .git ]; then rm -rf .git; mkdir .git; fi\n"                      \
    "    if [ -L .git/objects ]; then rm .git/objects; fi\n"                                       \
    "    mkdir -p .git/objects\n"                                                                  \
    "}\n"                                                                                          \
    "use_own() {\n"                                                                                \
    "    export GIT_DIR=" STATE_DIR " GIT_WORK_TREE=" SANDBOX_WORKSPACE "\n"                       \
    "    export GIT_OBJECT_DIRECTORY=" SANDBOX_WORKSPACE "/.git/objects\n"                         \
    "    export GIT_ALTERNATE_OBJECT_DIRECTORIES=" SANDBOX_OBJECTS "\n"                            \
    "}\n"                                                                                          \
    "heed_attributes() { rm -f " STATE_DIR "/info/attributes; }\n"                                 \
    "take() {\n"                                                                                   \
    "    left=\n"                                                                                  \
    "    git update-index -q --refresh >/dev/null 2>&1 || :\n"                                     \
    "    left=$(git add -A . 2>&1) && [ -z \"$left\" ] || {\n"                                     \
    "        chmod -R u+rwX . 2>/dev/null || :\n"                                                  \
    "        left=$(git add -A --ignore-errors . 2>&1) && left=\n"                                 \
    "    }\n"                                                                                      \
    "    return 0\n"                                                                               \
    "}\n"                                                                                          \
    "entries() {\n"                                                                                \
    "    sed -n 's/^:[0-7]* \\([0-7]*\\) [0-9a-f]* \\([0-9a-f]*\\) [A-Z]\\(\t.*\\)$/\\1 "          \
    "\\2\\3/p'\n"                                                                                  \
    "}\n"                                                                                          \
    "entries_before() {\n"                                                                         \
    "    sed -n 's/^:\\([0-7]*\\) [0-7]* \\([0-9a-f]*\\) [0-9a-f]* [A-Z]\\(\t.*\\)$/\\1 "          \
    "\\2\\3/p'\n"                                                                                  \
    "}\n"
