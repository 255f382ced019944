#!/bin/sh
# A text file as a string for C: embed.sh FILE HEADER NAME
#
# Prints a source file that includes HEADER and defines NAME; @WORD@ in FILE becomes the macro WORD,
# whose value is a string. Comments and empty lines are left out: nobody reads them there.
set -eu

printf '/* Made of %s by embed.sh. */\n#include "%s"\n\nconst char %s[] =\n' "${1##*/}" "$2" "$3"
sed -e '/^ *#/d; /^$/d' -e 's/[\\"]/\\&/g; s/	/\\t/g' -e 's/@\([A-Z_]*\)@/" \1 "/g' \
    -e 's/.*/    "&\\n"/' "$1"
echo ';'
