#!/bin/sh
# cargo-deny with the freshest advisories that can be had: the live database; else the snapshot beside the checkout;
# else everything but the advisories, said loudly.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
fetch_seconds=60

if ! command -v cargo-deny >/dev/null 2>&1; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    command -v cargo-deny >/dev/null 2>&1 || {
        echo "deny: cargo-deny is missing; ./just test installs it" >&2
        exit 1
    }
fi

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout "$fetch_seconds" "$@"; else "$@"; fi
}

# Duplicate versions are warnings, and many: DENY_LOG=warn shows them.
quiet=--log-level=${DENY_LOG:-error}

cargo deny "$quiet" check bans licenses sources

# Git must not ask for a password where a proxy wants one. cargo-deny tries again for a minute also where there is no network at
# all; git says so at once.
database=https://github.com/RustSec/advisory-db
if fetched=$(GIT_TERMINAL_PROMPT=0 bounded git ls-remote --quiet "$database" HEAD 2>&1) &&
    fetched=$(GIT_TERMINAL_PROMPT=0 bounded cargo deny --log-level=error fetch db 2>&1); then
    exec cargo deny "$quiet" check advisories
fi
echo "deny: the live advisory database cannot be fetched: $(printf '%s\n' "$fetched" | grep -E 'fatal|error' | tail -n 1)" >&2

snapshot=
for file in ../shared/oracles/rustsec/advisory-db-*.tar.gz; do
    if [ -f "$file" ]; then snapshot=$file; fi # the last is the newest: the name ends in its date
done
if [ -z "$snapshot" ]; then
    echo "deny: ******************************************************************" >&2
    echo "deny: *  ADVISORIES WERE NOT CHECKED: no live database and no snapshot  *" >&2
    echo "deny: ******************************************************************" >&2
    exit 0
fi

# cargo-deny only takes a git repository that it can clone from a URL with a host name. So the snapshot becomes one,
# and git is told to use it in the place of that URL. Nothing of it is left among the live databases.
date=$(basename "$snapshot" .tar.gz)
date=${date#advisory-db-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/snapshot"
tar xzf "$snapshot" -C "$work/snapshot"
(
    cd "$work/snapshot"
    git -c init.defaultBranch=main init --quiet
    git symbolic-ref HEAD refs/heads/main
    git add --all
    GIT_AUTHOR_DATE="${date}T00:00:00Z" GIT_COMMITTER_DATE="${date}T00:00:00Z" \
        git -c user.name=snapshot -c user.email=snapshot@localhost -c commit.gpgsign=false commit --quiet -m "$date"
)
# A snapshot grows old; it is better than nothing, and its date is said.
awk -v db="$work/db" '{ print } /^\[advisories\]/ { print "db-path = \"" db "\"\nmaximum-db-staleness = \"P3650D\"" }' \
    deny.toml >"$work/deny.toml"
echo "deny: advisories as of $date, from $snapshot" >&2
GIT_CONFIG_COUNT=1 \
GIT_CONFIG_KEY_0="url.file://$work/snapshot.insteadOf" \
GIT_CONFIG_VALUE_0="$database" \
    cargo deny "$quiet" --config "$work/deny.toml" check advisories
