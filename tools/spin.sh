#!/bin/sh
# tools/spin.sh test     the tests of components under the real Spin, each function in its own component
# tools/spin.sh story    the main job by components: under Spin where it is in PATH, else under the small host of the tests
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
test)
    spin=$(command -v spin) || {
        echo "spin: the real Spin (4.1 or newer) is not in PATH; ./just test runs the same under a small host" >&2
        exit 1
    }
    "$spin" --version
    tools/wasm.sh all
    echo "spin: each function in its own component" >&2
    CARNET_SPIN=$spin CARNET_SPIN_MANIFEST=infra/spin/spin.toml \
        cargo test --locked --package spin-host --test spin -- --nocapture --test-threads=1
    ;;
story)
    if spin=$(command -v spin); then export CARNET_SPIN="$spin"; fi
    exec cargo test --quiet --locked --package spin-host --test spin -- --nocapture --exact product::the_main_job_is_done_by_guests
    ;;
*)
    echo "usage: $0 test | story" >&2
    exit 2
    ;;
esac
