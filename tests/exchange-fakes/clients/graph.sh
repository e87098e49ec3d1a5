#!/bin/sh
# Where a Python is that has O365 (https://github.com/O365/python-o365) and msgraph-sdk (https://github.com/microsoftgraph/msgraph-sdk-python),
# two clients of Graph nobody here wrote: installed once into the cache directory.
set -eu
o365=2.1.10
msgraph=1.65.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/graph-clients-$o365-$msgraph

die() { printf 'graph: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/python" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "graph: installing O365 $o365 and msgraph-sdk $msgraph into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    # Compiled when they are used: of msgraph-sdk's 17,000 files few are.
    "$work/bin/pip" install --quiet --no-compile --disable-pip-version-check "O365==$o365" "msgraph-sdk==$msgraph" >&2 ||
        die "O365 and msgraph-sdk could not be installed with pip"
    [ -x "$venv/bin/python" ] || mv "$work" "$venv"
fi
echo "$venv/bin/python"
