# The rules that are read off C sources line by line, for lint.sh. Comments and strings are removed
# first, so that they may speak of anything. Plain POSIX awk.

function report(rule, text) {
    printf "%s:%d: %s: %s\n", file, FNR, rule, text
}

# LINE without comments, strings and character constants; a comment may go on in the next lines.
function code_of(line,    out, i, n, c, two) {
    out = ""
    n = length(line)
    for (i = 1; i <= n; i++) {
        two = substr(line, i, 2)
        c = substr(line, i, 1)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }
        } else if (two == "/*") {
            in_comment = 1
            i++
        } else if (two == "//") {
            break
        } else if (c == "\"" || c == "'") {
            i = end_of_literal(line, i, n, c)
            out = out c c
        } else {
            out = out c
        }
    }
    return out
}

function end_of_literal(line, i, n, quote) {
    for (i++; i <= n; i++) {
        if (substr(line, i, 1) == "\\")
            i++
        else if (substr(line, i, 1) == quote)
            return i
    }
    return n
}

# Which part of the tree FILE belongs to; it decides what may be included.
function layer_of(name) {
    if (name ~ /^server\/base\//) return "base"
    if (name ~ /^server\/(main|serve|process|cli[a-z_]*)\.[ch]$/) return "root"
    if (name ~ /^server\//) return "server"
    if (name ~ /^integrations\//) return "integrations"
    if (name ~ /^sandbox\/runner\//) return "runner"
    if (name ~ /^sandbox\//) return "sandbox"
    if (name ~ /^handlers\//) return "handlers"
    if (name ~ /^tests\//) return "tests"
    return "other"
}

# May LAYER include a header of the layer TO? The table of the architecture.
function may_include(layer, to, header) {
    if (layer == "tests" || layer == "root") return to != "other" && (to != "tests" || layer == "tests")
    if (layer == "base") return to == "base"
    if (layer == "runner") return to == "base" || to == "runner" || header == "sandbox/protocol.h"
    if (to == "base" || to == "server") return layer != "other"
    if (layer == "handlers") return to == "integrations" || to == "sandbox" || to == "handlers"
    return layer == to
}

function check_include(header) {
    if (header !~ /\//)
        report("include", "\"" header "\" is not written from the root of the tree")
    else if (header !~ /\.h$/)
        report("include", "\"" header "\" is no header")
    else if (!may_include(layer, layer_of(header), header))
        report("include", layer " must not include " header)
    if (first_include == "")
        first_include = header
}

# Is NAME called in CODE? CODE begins with a blank.
function is_called(code, name) {
    return code ~ ("[^A-Za-z0-9_]" name "[ \t]*[(]")
}

function check_calls(code,    i) {
    for (i = 1; i <= banned_count; i++)
        if (is_called(code, banned[i]))
            report("banned", banned[i] "() is for server/base only; use what is there instead")
    if (match(code, /[^A-Za-z0-9_]memcmp[ \t]*[(][^)]*/) &&
        tolower(substr(code, RSTART, RLENGTH)) ~ /secret|signature|token|hmac|digest|_mac|password|credential/)
        report("banned", "memcmp() tells by its time where secrets differ; use crypto_equal()")
}

function check_words(code) {
    if (code ~ /[^A-Za-z0-9_]goto[ \t]/)
        report("style", "goto; release by scope instead")
    if (code ~ /[^A-Za-z0-9_]typedef[ \t]+(struct|enum|union)[^A-Za-z0-9_]/)
        report("style", "a typedef hides what a type is; write struct or enum where it is used")
}

BEGIN {
    banned_count = split("strcpy strcat sprintf vsprintf strncpy strtok atoi atol sscanf gets " \
        "localtime gmtime strerror system popen getenv alloca rand setjmp longjmp", banned, " ")
    layer = layer_of(file)
    checks_calls = layer != "base" && layer != "tests"
}

{
    code = " " code_of($0)
    if (code ~ /^ [ \t]*#[ \t]*include[ \t]+""/) {
        split($0, parts, "\"")
        check_include(parts[2])
    }
    if (code ~ /^ [ \t]*#[ \t]*pragma[ \t]+once/)
        has_pragma = 1
    if (checks_calls)
        check_calls(code)
    check_words(code)
}

END {
    if (FNR > max_lines)
        report("size", "has " FNR " lines, more than " max_lines "; split the file")
    if (file ~ /\.h$/ && !has_pragma)
        report("header", "has no #pragma once")
    if (own_header != "" && first_include != own_header)
        report("header", "must include its own " own_header " first")
}
