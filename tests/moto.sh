#!/bin/sh
# Where moto's server is: a double of S3, KMS, SQS and Scheduler (https://docs.getmoto.org), installed once into the cache directory
# with the AWS command line, which scripts of operators call.
set -eu
version=5.2.5
cli=1.46.3
venv=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/moto-$version-awscli-$cli

die() { printf 'moto: %s\n' "$*" >&2; exit 2; }

if ! [ -x "$venv/bin/moto_server" ]; then
    command -v python3 >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or newer"
    python3 -c 'import ensurepip, venv' 2>/dev/null || die "python3 cannot make virtual environments: install python3-venv"
    echo "moto: installing moto $version into $venv" >&2
    mkdir -p "$(dirname "$venv")"
    # Beside, then moved: two at once, or one that is interrupted, leave nothing half done. Scripts name the interpreter by
    # its path, hence python -m below.
    work=$(mktemp -d "$venv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work"
    "$work/bin/pip" install --quiet --disable-pip-version-check "moto[kms,s3,scheduler,sqs]==$version" "awscli==$cli" flask flask-cors werkzeug >&2 ||
        die "moto could not be installed with pip"
    printf '#!/bin/sh\nexec "%s/bin/python" -m moto.server "$@"\n' "$venv" >"$work/bin/moto_server"
    chmod +x "$work/bin/moto_server"
    [ -x "$venv/bin/moto_server" ] || mv "$work" "$venv"
fi
echo "$venv/bin/moto_server"
