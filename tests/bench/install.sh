#!/bin/sh
# Install what the benchmarks compare with, outside the repository: Debian's packages, and @octokit/webhooks and
# probot from npm, into ${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}/bench, which is printed. Run again, it does
# nothing unless a version has changed. The network is needed for the first run only.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}/bench
wanted='@octokit/webhooks@14.2.0 probot@14.3.2'

"$here/../../deploy/packages" build -- wrk webhook nginx-light openssl >&2

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [ "$(cat "$cache/.installed" 2>/dev/null || true)" != "$wanted" ]; then
    cd "$cache"
    [ -f package.json ] || echo '{"name": "draftd-bench", "private": true}' >package.json
    # shellcheck disable=SC2086 # a list of words
    npm install --ignore-scripts --no-audit --no-fund --loglevel=error --save-exact $wanted >&2
    echo "$wanted" >.installed
fi
echo "$cache"
