#!/bin/sh
# What is shipped: tools/ship.sh image|lambda NAME|all [arm64|x86_64], NAME a function or, of images, the gateway. Programs are
# built once as they run anywhere: without the paths of this machine, and telling which crates they hold (cargo auditable).
set -eu
cd "$(dirname "$0")/.."
kind=$1 name=$2
here=$(uname -m | sed s/aarch64/arm64/) processor=${3:-}
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

functions() { for folder in functions/*/; do basename "$folder"; done; }
case $kind-$name in
image-all) names="gateway $(functions)" ;;
lambda-all) names=$(functions) ;;
*) names=$name ;;
esac

# For another processor than this machine's: bundles of Lambda, with Debian's compiler and libraries for it.
release=$target/release
across() { # triple, packages of Debian, prefix of the compiler
    triple=$1 prefix=$3
    rustup target add "$triple" >/dev/null
    command -v "$prefix-gcc" >/dev/null || {
        echo "ship: installing $2" >&2
        # shellcheck disable=SC2086
        apt-get install -y -q --no-install-recommends $2 >/dev/null
    }
    upper=$(echo "$triple" | tr a-z- A-Z_)
    export "CARGO_TARGET_${upper}_LINKER=$prefix-gcc" "CC_$(echo "$triple" | tr - _)=$prefix-gcc" CARGO_BUILD_TARGET="$triple"
    release=$target/$triple/release
}
case $kind-${processor:-$here} in
*-"$here") ;;
image-*) echo "ship: images are for the processor of this machine" >&2; exit 1 ;;
*-arm64) across aarch64-unknown-linux-gnu "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" aarch64-linux-gnu ;;
*-x86_64) across x86_64-unknown-linux-gnu "gcc-x86-64-linux-gnu libc6-dev-amd64-cross" x86_64-linux-gnu ;;
*) echo "ship: arm64 or x86_64, not $processor" >&2; exit 1 ;;
esac

package() { [ "$1" = gateway ] && echo gateway || echo "fn-$1"; }
set --
for name in $names; do
    [ "$name" = gateway ] || [ -d "functions/$name" ] || { echo "ship: there is no function $name" >&2; exit 1; }
    set -- "$@" --package "$(package "$name")"
done
RUSTFLAGS="--remap-path-prefix=$PWD=/carnet --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    cargo auditable build --release --locked "$@"

env -u CARGO_BUILD_TARGET cargo build --quiet --package packaging
suffix=${processor:+-$processor}
for name in $names; do
    program=$release/$(package "$name")
    case $kind in
    image)
        "$target/debug/packaging" image package="$(package "$name")" program="$program" \
            name="carnet/$name:$version" to="$target/images/$name"
        ;;
    lambda) "$target/debug/packaging" lambda program="$program" to="$target/lambda/$name$suffix.zip" ;;
    *) echo "ship: image or lambda" >&2; exit 1 ;;
    esac
done
