#!/bin/sh
# What is shipped: tools/ship.sh image|lambda NAME|all, NAME a function or, of images, the gateway. Programs are built once
# as they run anywhere: without the paths of this machine, and telling which crates they hold (cargo auditable).
set -eu
cd "$(dirname "$0")/.."
kind=$1 name=$2
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

functions() { for folder in functions/*/; do basename "$folder"; done; }
case $kind-$name in
image-all) names="gateway $(functions)" ;;
lambda-all) names=$(functions) ;;
*) names=$name ;;
esac

package() { [ "$1" = gateway ] && echo gateway || echo "fn-$1"; }
set --
for name in $names; do
    [ "$name" = gateway ] || [ -d "functions/$name" ] || { echo "ship: there is no function $name" >&2; exit 1; }
    set -- "$@" --package "$(package "$name")"
done
RUSTFLAGS="--remap-path-prefix=$PWD=/carnet --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    cargo auditable build --release --locked "$@"

cargo build --quiet --package packaging
for name in $names; do
    program=$target/release/$(package "$name")
    case $kind in
    image)
        "$target/debug/packaging" image package="$(package "$name")" program="$program" \
            name="carnet/$name:$version" to="$target/images/$name"
        ;;
    lambda) "$target/debug/packaging" lambda program="$program" to="$target/lambda/$name.zip" ;;
    *) echo "ship: image or lambda" >&2; exit 1 ;;
    esac
done
