#!/bin/sh
# Install what the GitHub stand-in needs, outside the repository: openapi-backend, GitHub's OpenAPI
# description (cut down to the calls that draftd makes), its GraphQL schema and GitHub's own webhook examples and signing.
# The place is ${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}/npm. Run again, it does nothing unless a
# version or the list of calls has changed. The network is needed for the first run only.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}/npm
description=@octokit/openapi@23.0.2
tools='openapi-backend@5.21.2 graphql@16.15.0 @octokit/graphql-schema@15.26.1 @octokit/webhooks-examples@7.6.1 @octokit/webhooks-methods@6.0.0'

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

wanted=$(cat "$here/install.sh" "$here/subset.mjs" | sha256sum)
if [ "$(cat "$cache/.github-tools" 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi

cd "$cache"
[ -f package.json ] || echo '{"name": "draftd-test-tools", "private": true}' >package.json
# shellcheck disable=SC2086 # a list of words
npm install --ignore-scripts --no-audit --no-fund --loglevel=error --save-exact $tools >&2

# The description's package is 385 MB unpacked, of which one file is wanted.
scratch=$(mktemp -d "$cache/.description.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
npm pack --loglevel=error --pack-destination "$scratch" "$description" >&2
tar -xzf "$scratch"/*.tgz -C "$scratch" package/generated/api.github.com.json
node "$here/subset.mjs" "$scratch/package/generated/api.github.com.json" "$cache/github-openapi.json"

echo "$wanted" >.github-tools
