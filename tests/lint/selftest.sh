#!/bin/sh
# Proves that lint.sh finds what it is for: each rule is broken once in a small tree of its own.
# Output in TAP.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
count=0
failed=0

ok() {
    count=$((count + 1))
    echo "ok $count - $1"
}

not_ok() {
    count=$((count + 1))
    failed=1
    echo "not ok $count - $1"
    sed 's/^/# /' "$tree/output"
}

# fresh: an empty tree.
fresh() {
    rm -rf "$tree/root"
    mkdir -p "$tree/root"
}

# put FILE: the text on standard input, into the tree.
put() {
    mkdir -p "$tree/root/$(dirname "$1")"
    cat >"$tree/root/$1"
}

# expect NAME PATTERN: the tree is refused, with just one line, and PATTERN is in it.
expect() {
    if sh "$here/lint.sh" "$tree/root" >"$tree/output" 2>&1; then
        not_ok "$1 (nothing was found)"
    elif [ "$(wc -l <"$tree/output")" = 1 ] && grep -q -- "$2" "$tree/output"; then
        ok "$1"
    else
        not_ok "$1"
    fi
}

expect_clean() {
    if sh "$here/lint.sh" "$tree/root" >"$tree/output" 2>&1; then
        ok "$1"
    else
        not_ok "$1"
    fi
}

# included FILE HEADER: a tree in which FILE includes HEADER.
included() {
    fresh
    echo "#include \"$2\"" | put "$1"
}

refuse_include() {
    included "$1" "$2"
    expect "$1 must not include $2" "^$1:1: include: "
}

allow_include() {
    included "$1" "$2"
    expect_clean "$1 may include $2"
}

refuse_include server/base/x.c server/limits.h
refuse_include server/base/x.c handlers/y.h
refuse_include server/x.c handlers/y.h
refuse_include server/x.c integrations/y.h
refuse_include server/store/x.c sandbox/y.h
refuse_include integrations/x.c sandbox/y.h
refuse_include integrations/x.c handlers/y.h
refuse_include sandbox/x.c handlers/y.h
refuse_include sandbox/x.c integrations/y.h
refuse_include sandbox/runner/x.c server/limits.h
refuse_include sandbox/runner/x.c sandbox/sandbox.h
refuse_include handlers/x.c tests/harness/test.h
refuse_include server/main.c tests/harness/test.h
refuse_include server/mainly.c handlers/y.h
refuse_include deploy/x.c server/base/err.h
refuse_include handlers/x.c y.h
refuse_include handlers/x.c handlers/y.c

allow_include server/base/x.c server/base/err.h
allow_include server/store/x.c server/base/err.h
allow_include server/x.c server/limits.h
allow_include integrations/x.c server/web.h
allow_include sandbox/x.c server/base/err.h
allow_include sandbox/x.c sandbox/protocol.h
allow_include sandbox/runner/x.c sandbox/protocol.h
allow_include sandbox/runner/x.c server/base/err.h
allow_include sandbox/runner/x.c sandbox/runner/y.h
allow_include handlers/x.c integrations/y.h
allow_include handlers/x.c sandbox/y.h
allow_include server/main.c handlers/y.h
allow_include server/serve.c sandbox/y.h
allow_include server/cli_run.c integrations/y.h
allow_include tests/x.c handlers/y.h

for name in strcpy strcat sprintf vsprintf strncpy strtok atoi atol sscanf gets localtime gmtime \
    strerror system popen getenv alloca rand setjmp longjmp; do
    fresh
    printf 'void f(void)\n{\n    x = %s (1);\n}\n' "$name" | put handlers/x.c
    expect "$name() is banned" "^handlers/x.c:3: banned: $name()"
    fresh
    printf 'int y = %s(1);\n' "$name" | put server/base/x.c
    expect_clean "$name() may be used in server/base"
done

fresh
put handlers/x.c <<'END'
/* strcpy(a, b) in a comment
 * system("x") */
static const char text[] = "popen(1) \" rand()"; // getenv("X")
int a = strerror_r(1), b = my_rand(2), c = '"', d = x->system;
END
expect_clean "comments, texts and longer names are not calls"

fresh
put integrations/x.c <<'END'
int same = memcmp(signature, expected, 32);
END
expect "memcmp() on a signature" "crypto_equal"

fresh
put integrations/x.c <<'END'
int same = signature_count > 0 && memcmp(line, "HTTP", 4) == 0 && token;
END
expect_clean "memcmp() on other things"

fresh
put sandbox/x.c <<'END'
void f(void)
{
    goto out;
}
END
expect "goto" "^sandbox/x.c:3: style: goto"

fresh
put sandbox/x.c <<'END'
typedef struct x X;
END
expect "typedef of a struct" "^sandbox/x.c:1: style: a typedef"

fresh
put sandbox/x.c <<'END'
typedef void handler_fn(void);
END
expect_clean "typedef of a function"

fresh
echo 'int x;' | put handlers/x.h
expect "a header without #pragma once" "^handlers/x.h:1: header: has no #pragma once"

fresh
echo '#pragma once' | put handlers/x.h
printf '#include "server/base/err.h"\n#include "handlers/x.h"\n' | put handlers/x.c
expect "the own header comes first" "^handlers/x.c:2: header: must include its own handlers/x.h first"

fresh
echo '#pragma once' | put handlers/x.h
printf '/* See x.h. */\n#include "handlers/x.h"\n#include "server/base/err.h"\n' | put handlers/x.c
expect_clean "a module and its header"

fresh
awk 'BEGIN { for (i = 0; i < 600; i++) print "int x" i ";" }' | put handlers/x.c
expect_clean "a file of 600 lines"
echo 'int y;' >>"$tree/root/handlers/x.c"
expect "a file of 601 lines" "^handlers/x.c:601: size: has 601 lines"

fresh
for n in $(seq 20); do echo 'int x;' | put "handlers/x$n.c"; done
expect_clean "a folder of 20 sources"
echo 'int x;' | put handlers/x21.c
expect "a folder of 21 sources" "^handlers:1: size: has 21 .c files"

# long_function LINES: a function of that many lines.
long_function() {
    awk -v lines="$1" 'BEGIN {
        print "int"
        print "f(int x)"
        print "{"
        for (i = 0; i < lines - 3; i++) print "    x++;"
        print "}"
    }'
}

if ctags --version 2>/dev/null | grep -q Universal; then
    fresh
    long_function 60 | put handlers/x.c
    expect_clean "a function of 60 lines"
    long_function 61 | put handlers/x.c
    expect "a function of 61 lines" "^handlers/x.c:2: size: f() has 61 lines"
fi

for place in /wor"k"/main/x /roo"t"/x; do
    fresh
    echo "see $place" | put notes.txt
    expect "a place on one machine: $place" "^notes.txt:1: path: "
done

fresh
echo 'see /workspace/x and work/main' | put notes.txt
expect_clean "places inside a sandbox"

echo "1..$count"
exit $failed
