#!/bin/sh
# Every operation of /openapi.json, tried with valid and invalid input by Schemathesis (https://schemathesis.io): by
# nobody, a parent, a secretary, an administrator and an operator. It starts a gateway of its own, on a free port and with a private directory.
#
#     tests/conformance/run.sh GATEWAY [MAX_EXAMPLES [OPTIONS OF SCHEMATHESIS]]
set -eu

gateway=$1
examples=${2:-20}
shift
[ $# -eq 0 ] || shift
here=$(cd "$(dirname "$0")" && pwd -P)
version=4.32.5
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/schemathesis-$version

die() { printf 'conformance: %s\n' "$*" >&2; exit 2; }

command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "$(python3 --version) is too old: 3.10 is the oldest that will do"
if ! [ -x "$venv/bin/schemathesis" ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "conformance: installing Schemathesis $version into $venv" >&2
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"; then
        rm -rf "$venv"
        die "Schemathesis could not be installed with pip"
    fi
fi

private=$(mktemp -d)
pid=
stop() {
    status=$?
    trap - EXIT HUP INT TERM
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" || true; }
    rm -rf "$private"
    exit "$status"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A database that the caller's environment names is not for random input.
env -u DATABASE_URL -u EVENTS_PORT -u FUNCTION -u SMTP_URL -u BIND \
    CARNET_ENV=development CARNET_STATE="$private/state" PORT=0 "$gateway" >"$private/log" 2>&1 </dev/null &
pid=$!
url=
tries=0
until [ -n "$url" ]; do
    kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 600 ] || { cat "$private/log" >&2; die "the gateway does not start"; }
    tries=$((tries + 1))
    sleep 0.1
    url=$(sed -n 's/^Carnet runs on //p' "$private/log")
done

run() { # who asks, more options
    echo "conformance: $1" >&2
    shift
    (
        cd "$private"
        PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS="$here/refusals.py" "$venv/bin/schemathesis" --config-file "$here/schemathesis.toml" \
            run "$url/openapi.json" "$@"
    )
}
# All before any attempt that fails: too many of those, and nobody signs in from here for a while.
sign_in() { "$venv/bin/python" "$here/sign_in.py" "$url" "$1"; }
parent=$(sign_in camille.martin@famille.example)
secretary=$(sign_in odile.marchandeau@pentes.example)
administrator=$(sign_in beatrice.fontvieillard@pentes.example)
operator=$(sign_in iris.vandecastelle@carnet.example)

failed=0
run "as nobody" --max-examples "$examples" --phases examples,coverage --warnings off "$@" || failed=1
as() { # who, their token, what not to try, more options
    asker=$1 token=$2 but=$3
    shift 3
    run "as $asker" --max-examples "$examples" --header "Authorization: Bearer $token" --exclude-path-regex "$but" "$@" || failed=1
}
# What ends the very session it is made with, or everybody's; and, for who works, what makes it act as somebody else.
ends='^/v1/sessions/(end|revocation|\{)'
leaves='^/v1/sessions/(end|revocation|capacity|\{)'
as "a parent" "$parent" "$ends" "$@"
as "a secretary" "$secretary" "$leaves" --warnings off "$@"
as "an administrator" "$administrator" "$leaves" --warnings off "$@"
as "an operator" "$operator" "$leaves" --warnings off "$@"

# What a client sees as a 500 is told here.
grep -E 'ERROR|panicked' "$private/log" >&2 && failed=1
exit "$failed"
