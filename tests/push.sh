#!/bin/sh
# Where the Python is that opens web push: http-ece (RFC 8188, RFC 8291) and py-vapid (RFC 8292), of Mozilla's, installed once into
# the cache directory.
set -eu
ece=1.2.1
vapid=1.9.6
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/http-ece-$ece-py-vapid-$vapid

die() { printf 'push: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/python" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "push: installing http-ece $ece and py-vapid $vapid into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    "$work/bin/python" -m pip install --quiet --disable-pip-version-check "http-ece==$ece" "py-vapid==$vapid" >&2 ||
        die "http-ece and py-vapid could not be installed with pip"
    [ -x "$venv/bin/python" ] || mv "$work" "$venv"
fi
echo "$venv/bin/python"
