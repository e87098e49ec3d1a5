#!/bin/sh
# Where a Python is that has the packages that are named, each with its version (`python.sh aiosmtpd==1.4.6`): installed once into the
# cache directory.
set -eu
[ $# -gt 0 ] || { echo "python.sh: which packages?" >&2; exit 2; }
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/$(echo "$*" | sed 's/==/-/g; s/ /-/g')

die() { printf 'python: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/python" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "python: installing $* into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    # Compiled when they are used: of some of their thousands of files few are.
    "$work/bin/pip" install --quiet --no-compile --disable-pip-version-check "$@" >&2 || die "$* could not be installed with pip"
    [ -x "$venv/bin/python" ] || mv "$work" "$venv"
fi
echo "$venv/bin/python"
