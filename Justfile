# Recipes. Run them with ./just, which installs what a fresh machine lacks.
set shell := ["sh", "-euc"]
set positional-arguments

# What this machine may do is development: the outbox of mails and the clock are open to the caller.
gateway := "CARNET_ENV=development cargo run --quiet --package gateway --"

# List the recipes.
[private]
default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Everything on http://127.0.0.1:8080, with PostgreSQL, migrations and demo data.
up *OPTIONS:
    cargo build --package gateway
    CARNET_ENV=development exec "${CARGO_TARGET_DIR:-target}/debug/gateway" "$@"

# Format, lints, dependencies, and every test, those of components under the small host included.
test: check
    # Most tests wait more than they compute: meanwhile the components are built that the last of them need. Whether those can
    # be built at all, that test says.
    nice -n 19 tools/wasm.sh together >/dev/null 2>&1 & cargo test --workspace --locked

# Format, lints and dependencies, without the tests.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    tools/deny.sh

# Write the format.
fmt:
    cargo fmt --all

# The tests that need no database.
unit *FILTER:
    cargo test --workspace --exclude it --exclude spin-host --locked -- "$@"

# Every operation of /openapi.json against valid and invalid input, on a gateway of its own: just conformance [EXAMPLES].
conformance *OPTIONS:
    cargo build --package gateway
    tests/conformance/run.sh "${CARGO_TARGET_DIR:-target}/debug/gateway" "$@"

# The main job against the running gateway, or one of its own: just story [native|lambda|spin]. Search, book, mails, reminder, cancel.
story *OPTIONS:
    if [ "${1:-}" = spin ]; then exec tools/spin.sh story; fi; {{ gateway }} story "$@"

# Components of Spin: just wasm FUNCTION… or just wasm all, into target/wasm/components.
wasm +NAMES:
    tools/wasm.sh "$@"

# Of the tests, the functions as components, and both drivers of the store, on a small host of Spin's components.
test-wasm *FILTER:
    cargo test --package spin-host --test spin --locked -- "$@"

# Write infra/spin/spin.toml from the manifests of the functions.
spin-manifest:
    cargo run --quiet --package gateway -- spin-manifest > infra/spin/spin.toml.new
    mv infra/spin/spin.toml.new infra/spin/spin.toml

# The addresses that providers of text messages are to call; PUBLIC_URL and CARNET_LOOKUP_KEY say for which installation.
sms-callbacks:
    @{{ gateway }} sms-callbacks

# Write events/asyncapi.yaml and events/webhooks.asyncapi.yaml from the schemas of the events and the manifests.
asyncapi:
    cargo run --quiet --package gateway -- asyncapi > events/asyncapi.yaml.new
    mv events/asyncapi.yaml.new events/asyncapi.yaml
    cargo run --quiet --package gateway -- asyncapi webhooks > events/webhooks.asyncapi.yaml.new
    mv events/webhooks.asyncapi.yaml.new events/webhooks.asyncapi.yaml

# The contract of the database and the main job under the real Spin, 4.1 or newer, which must be in PATH.
test-spin:
    tools/spin.sh test

# A live Exchange server (EWS_TEST_URL, EWS_TEST_USER, EWS_TEST_PASSWORD; perhaps EWS_TEST_MAILBOX, EWS_TEST_SIGN_IN=basic|ntlm, EWS_TEST_CA) and Exchange Online (GRAPH_TEST_TENANT, GRAPH_TEST_CLIENT, GRAPH_TEST_SECRET, GRAPH_TEST_USER).
test-exchange-live:
    if [ -n "${EWS_TEST_URL:-}" ] || [ -z "${GRAPH_TEST_TENANT:-}" ]; then export EXCHANGE_LIVE=1; fi; cargo test --package it --test it --locked -- exchange::live --nocapture

# The measures, as JSON and a table; just bench runtimes: the same on each runtime; just bench documents: from a file to where it is seen; just bench notices: 100,000 reminders due at one minute; just bench exchange [mailboxes=1000 events=500 probes=100 pause=0]: calendars of both kinds, against the fakes.
bench *OPTIONS:
    if [ "${1:-}" = runtimes ]; then for name in gateway search book; do tools/ship.sh image $name; done; for name in search book; do tools/ship.sh lambda $name; done; tools/wasm.sh search; tools/wasm.sh appointments book; command -v spin >/dev/null || cargo build --release --package spin-host; fi
    [ "${1:-}" = runtimes ] || cargo build --release --package gateway --package fn-search --package fn-book
    [ "${1:-}" != exchange ] || cargo build --release --package exchange-fakes
    case "${1:-}" in runtimes | documents | notices | exchange) only=$1; shift; set -- "$@" practitioners=2000 appointments=100000 only="$only" ;; esac; CARNET_ENV=development exec "${CARGO_TARGET_DIR:-target}/release/gateway" bench "$@"

# Synthetic data: just seed practitioners=10000 appointments=1000000
seed *COUNTS:
    {{ gateway }} seed "$@"

# Practitioners from the national directory's open file: just import FILE
import FILE:
    {{ gateway }} import "$1"

# A new function from the template.
new NAME:
    tools/new.sh "$1"

# Release binary of a function, or of all.
package NAME:
    if [ "$1" = all ]; then cargo build --release --locked --workspace --exclude it --exclude spin-host --exclude guest --exclude db-contract; else cargo build --release --locked --package "fn-$1"; fi

# An OCI image without an engine or root, into target/images: just image [gateway|FUNCTION|all].
image NAME="gateway":
    tools/ship.sh image "$1"

# A bundle for AWS Lambda (provided.al2023), into target/lambda: just lambda FUNCTION|all [arm64|x86_64].
lambda NAME="all" *PROCESSOR:
    tools/ship.sh lambda "$@"

# Manifests of Kubernetes, KEDA and Knative from the function.yaml files, into infra/containers; with queues of SQS elsewhere: docs/deploy.md.
manifests *OPTIONS:
    cargo run --quiet --package packaging -- manifests "$@"

# When functions run by themselves, as EventBridge Scheduler is told.
schedules:
    cargo run --quiet --package packaging -- schedules

# New secrets of a product, as infra/containers/compose.yaml reads them.
secrets:
    {{ gateway }} secrets

# A thousand bookings at once, then the story mix at rising rates until it no longer keeps up: on the program of the image.
load *OPTIONS:
    tools/ship.sh image gateway
    CARNET_ENV=development exec "${CARGO_TARGET_DIR:-target}/release/gateway" bench "$@" practitioners=2000 appointments=100000 only=load

# Two releases on one database in the middle of a load: the one of a revision beside this one.
versions REVISION:
    rm -rf "${CARGO_TARGET_DIR:-target}/other-release"
    git worktree prune
    git worktree add --detach "${CARGO_TARGET_DIR:-target}/other-release" "$1"
    cargo build --manifest-path "${CARGO_TARGET_DIR:-target}/other-release/Cargo.toml" --package gateway --target-dir "${CARGO_TARGET_DIR:-target}/other-release/target"
    CARNET_OTHER_GATEWAY="$(cd "${CARGO_TARGET_DIR:-target}/other-release/target/debug" && pwd)/gateway" cargo test --package it -- versions:: --nocapture

# Wrap every person's key with the present CARNET_MASTER_KEY; the former one is in CARNET_MASTER_KEYS_BEFORE.
rotate-keys:
    cargo run --quiet --package gateway -- rotate-keys

# Read or replay the events that were given up.
dead-letters *ARGUMENTS:
    {{ gateway }} dead-letters "$@"

# Prove that the audit trail is as it was written: just audit-verify [key=BASE64] [seals=file:///… or s3://…] (docs/audit.md).
audit-verify *OPTIONS:
    cargo build --release --package gateway
    CARNET_ENV="${CARNET_ENV:-development}" exec "${CARGO_TARGET_DIR:-target}/release/gateway" audit-verify "$@"

# The public key that verifies the seals of the audit trail.
audit-key:
    {{ gateway }} audit-key

# Who may do what, as a table: the one that docs/access.md shows.
matrix:
    {{ gateway }} matrix

# psql on the running gateway's database.
psql *ARGUMENTS:
    psql "$({{ gateway }} database-url)" "$@"
