#!/bin/sh
# Where a Python is that has exchangelib (https://github.com/ecederstrand/exchangelib), a client of Exchange Web Services nobody here
# wrote: installed once into the cache directory.
set -eu
version=5.6.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/exchangelib-$version

die() { printf 'ews: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/python" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "ews: installing exchangelib $version into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    "$work/bin/pip" install --quiet --disable-pip-version-check "exchangelib==$version" >&2 ||
        die "exchangelib could not be installed with pip"
    [ -x "$venv/bin/python" ] || mv "$work" "$venv"
fi
echo "$venv/bin/python"
