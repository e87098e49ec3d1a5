#!/bin/sh
# Where cargo-lambda is: an emulator of AWS Lambda's Runtime API (https://www.cargo-lambda.info), installed once into the
# cache directory. Of the package only the program is wanted, not the compiler that it can build with.
set -eu
version=1.9.2
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/cargo-lambda-$version

die() { printf 'cargo-lambda: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/cargo-lambda" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "cargo-lambda: installing $version into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    "$work/bin/pip" install --quiet --disable-pip-version-check --no-deps "cargo-lambda==$version" >&2 ||
        die "cargo-lambda could not be installed with pip"
    [ -x "$venv/bin/cargo-lambda" ] || mv "$work" "$venv"
fi
echo "$venv/bin/cargo-lambda"
