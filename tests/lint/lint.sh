#!/bin/sh
# Rules of the architecture and of the style that no compiler checks.
# usage: lint.sh ROOT        prints "FILE:LINE: RULE: TEXT" for each fault; exit status 1 on any.
set -eu

MAX_FILE_LINES=600
MAX_FUNCTION_LINES=60
MAX_FOLDER_SOURCES=20

here=$(cd "$(dirname "$0")" && pwd)
cd "${1:?usage: lint.sh ROOT}"

# Every file of the tree, without what is built or fetched.
all_files() {
    find . \( -name .git -o -name 'build*' -type d -o -name .cache -o -name node_modules \) -prune -o \
        -type f -print | sed 's|^\./||' | sort
}

sources() {
    all_files | grep -E '^(server|integrations|sandbox|handlers|tests|deploy)/.*\.[ch]$' || true
}

check_sources() {
    sources | while IFS= read -r file; do
        own=${file%.c}.h
        [ "$own" != "$file" ] && [ -f "$own" ] || own=
        awk -v file="$file" -v max_lines=$MAX_FILE_LINES -v own_header="$own" -f "$here/source.awk" "$file"
    done
}

# From the line of a function's name to its closing brace. Needs universal-ctags; without it the rule
# is skipped, for the other rules are worth having alone.
check_functions() {
    if ! ctags --version 2>/dev/null | grep -q Universal; then
        echo "lint: no universal-ctags: lengths of functions are not checked" >&2
        return
    fi
    sources | ctags -L - -x --_xformat='%n %{end} %N %F' --language-force=C --kinds-C=f 2>/dev/null |
        awk -v max=$MAX_FUNCTION_LINES '$2 - $1 + 1 > max {
            printf "%s:%d: size: %s() has %d lines, more than %d; split it\n", $4, $1, $3, $2 - $1 + 1, max
        }'
}

# Tests are many and alike, so the rule is for the program alone.
check_folders() {
    sources | grep '\.c$' | grep -v '^tests/' | sed 's|/[^/]*$||' | sort | uniq -c |
        awk -v max=$MAX_FOLDER_SOURCES '$1 > max {
            printf "%s:1: size: has %d .c files, more than %d; make a folder of those that belong together\n", $2, $1, max
        }'
}

# Places that exist on one machine only. The brackets keep this file out of its own findings.
check_paths() {
    all_files | grep -v -E '\.(png|jpg|pack|bin)$' | tr '\n' '\0' |
        xargs -0 -r grep -nIE '(^|[^A-Za-z0-9_./-])/(wor[k]/(main|shared)|roo[t]/|home/[a-z]+/(src|draftd))' /dev/null |
        sed -E 's/^([^:]*:[0-9]*):.*/\1: path: names a place on one machine/' || true
}

faults=$(
    check_sources
    check_functions
    check_folders
    check_paths
)
if [ -n "$faults" ]; then
    printf '%s\n' "$faults"
    exit 1
fi
