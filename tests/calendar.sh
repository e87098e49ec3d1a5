#!/bin/sh
# Where programs are that read calendars: khal, vdirsyncer and a CalDAV server, radicale, with the library icalendar, twice: as new as
# they need it, and in `older` as many programs still have it. Installed once into the cache directory.
set -eu
icalendar=7.3.2
older=5.0.13
khal=0.14.1
vdirsyncer=0.21.0
radicale=3.9.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/calendar-$icalendar-$older-$khal-$vdirsyncer-$radicale

die() { printf 'calendar: %s\n' "$*" >&2; exit 2; }

if ! [ -d "$venv/older/icalendar" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "calendar: installing khal, vdirsyncer and radicale into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done. Scripts name the interpreter by
    # its path, hence `python -m` for whoever calls them.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    "$work/bin/pip" install --quiet --disable-pip-version-check "icalendar==$icalendar" "khal==$khal" "vdirsyncer==$vdirsyncer" \
        "radicale==$radicale" python-dateutil >&2 || die "the programs could not be installed with pip"
    "$work/bin/pip" install --quiet --disable-pip-version-check --target "$work/older" "icalendar==$older" >&2 ||
        die "icalendar $older could not be installed with pip"
    [ -d "$venv/older/icalendar" ] || mv "$work" "$venv"
fi
echo "$venv"
