#!/bin/sh
# The image that container tests run in, made in seconds out of this machine's own files: a shell, git
# and the usual small tools, with the libraries they need. No registry and no network.
#
#   image.sh unix:///path/of/engine.sock     imports it as draftd-test, unless it is there
#
# The archive is kept in ${DRAFTD_TEST_CACHE:-~/.cache/draftd-tests} and made anew when git or libc change.
set -eu

name=draftd-test
cache=${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}
tools='sh bash awk basename cat chmod chown cksum cmp comm cp cut date dd df diff dirname du echo env
    expr false find fold git grep egrep gzip head hostname id kill ln ls make md5sum mkdir mkfifo mktemp mv
    nohup nproc od paste perl printf ps pwd readlink realpath rm rmdir sed seq setsid sha1sum sha256sum sleep
    sort split stat stty sync tail tar tee test timeout touch tr true truncate uname uniq unlink wc which
    whoami xargs yes'
# Perl's own library, as far as its minimal package goes: git and tests use little of it.
trees='/usr/lib/git-core /usr/share/git-core/templates /usr/lib/*-linux-gnu/perl-base'

fail()
{
    echo "image.sh: $*" >&2
    exit 1
}

# copy FILE: with the name it has, contents instead of links
copy()
{
    [ -e "$root$1" ] && return
    mkdir -p "$root${1%/*}"
    cp -L "$1" "$root$1"
}

# libraries FILE...: what the dynamic linker would load for them
libraries()
{
    ldd "$@" 2>/dev/null | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p' | sort -u
}

skeleton()
{
    mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/etc" "$root/proc" "$root/sys" \
        "$root/dev" "$root/run" "$root/root" "$root/var/tmp" "$root/tmp" "$root/workspace"
    for dir in bin sbin lib lib64; do
        if [ -L "/$dir" ]; then
            mkdir -p "$root/usr/$dir"
            ln -s "usr/$dir" "$root/$dir"
        elif [ -d "/$dir" ]; then
            mkdir -p "$root/$dir"
        fi
    done
    chmod 1777 "$root/tmp" "$root/var/tmp" "$root/workspace"
    printf 'root:x:0:0:root:/root:/bin/sh\nwork:x:1000:1000:work:/tmp/home:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\nwork:x:1000:\n' >"$root/etc/group"
}

# helpers that speak HTTP or mail would pull in a hundred libraries and have no network here
prune()
{
    rm -f "$root"/usr/lib/git-core/git-remote-* "$root"/usr/lib/git-core/git-http-* \
        "$root"/usr/lib/git-core/git-imap-send "$root"/usr/lib/git-core/git-daemon
}

make_archive()
{
    root=$(mktemp -d "$cache/image.XXXXXX")
    trap 'rm -rf "$root" "$archive.$$"' EXIT
    skeleton
    for tool in $tools; do
        path=$(command -v "$tool" || true)
        case $path in
        /*) copy "$path" ;;
        *) copy_builtin "$tool" ;;
        esac
    done
    for tree in $trees; do
        [ -d "$tree" ] || continue
        mkdir -p "$root${tree%/*}"
        cp -a "$tree" "$root${tree%/*}/"
    done
    prune
    find "$root/usr" "$root/bin/" -type f -perm -u+x >"$cache/binaries.$$"
    # shellcheck disable=SC2046 # names without blanks, from lists of our own
    for library in $(libraries $(cat "$cache/binaries.$$") $(find "$root/usr" -name '*.so*' -type f)); do
        copy "$library"
    done
    rm -f "$cache/binaries.$$"
    tar -C "$root" --owner=0 --group=0 --numeric-owner --sort=name -cf "$archive.$$" .
    mv "$archive.$$" "$archive"
}

# copy_builtin TOOL: the program behind a name that is a builtin of this shell
copy_builtin()
{
    for dir in /usr/bin /bin; do
        if [ -x "$dir/$1" ]; then
            copy "$dir/$1"
            return
        fi
    done
}

# call METHOD PATH [curl's options]
call()
{
    method=$1
    path=$2
    shift 2
    curl -sS -m 120 --unix-socket "$socket" -X "$method" "$@" "http://engine/v1.40$path"
}

[ $# = 1 ] || fail "usage: image.sh unix:///path/of/engine.sock"
socket=${1#unix://}
[ -S "$socket" ] || fail "no socket at $socket"
command -v git >/dev/null || fail "git is missing on this machine"

# The recipe, git and libc name the archive, and its name is the image's label.
version=$({ cat "$0"; git --version; ldd --version 2>/dev/null | head -n 1; } | sha256sum | cut -c1-16)
archive=$cache/image-$version.tar
mkdir -p "$cache"

if call GET "/images/$name/json" 2>/dev/null | grep -q "draftd.recipe[^,]*$version"; then
    exit 0
fi
[ -f "$archive" ] || make_archive
answer=$(call POST "/images/create?fromSrc=-&repo=$name&tag=latest&changes=ENV%20PATH=/usr/bin:/usr/sbin:/bin:/sbin&changes=LABEL%20draftd.recipe=$version" \
    -H 'Content-Type: application/x-tar' -T "$archive")
case $answer in
*error*) fail "the engine refused the image: $answer" ;;
esac
call GET "/images/$name/json" | grep -q "draftd.recipe[^,]*$version" ||
    fail "the image is not there after its import: $answer"
