#!/bin/sh
# The functions as components of Spin: tools/wasm.sh FUNCTION… | all | together
#   FUNCTION…  a component of those functions, target/wasm/components/FUNCTION[+FUNCTION…].wasm
#   all        every component of infra/spin/spin.toml
#   together   every function in one component, and the component of the tests: guest.wasm and db_contract.wasm where cargo
#              puts them; prints that directory. What ./just test runs: cargo keeps it.
# With rustup's target where it can be had; else, or with WASM_COMPILER=debian, with Debian's compiler, which has the sources
# of the standard library.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/carnet/wasm
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/wasm"
linker_version=0.5.31

say() { printf 'wasm: %s\n' "$*" >&2; }
die() { printf 'wasm: error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif has sudo; then sudo -n "$@"; else return 1; fi
}

packages() {
    has apt-get || die "install what gives: $*"
    say "installing $*"
    as_root apt-get -o DPkg::Lock::Timeout=120 update -qq >/dev/null 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -q --no-install-recommends \
        "$@" >/dev/null || die "could not be installed: $*"
}

# The newest clang that is there: ring is written in C.
newest() {
    for version in 22 21 20 19 18 17 16; do
        if has "$1-$version"; then
            echo "$1-$version"
            return
        fi
    done
    if has "$1"; then echo "$1"; fi
}

need_clang() {
    clang=$(newest clang) archiver=$(newest llvm-ar)
    if [ -z "$clang" ] || [ -z "$archiver" ]; then
        packages clang-19 llvm-19
        clang=$(newest clang) archiver=$(newest llvm-ar)
    fi
    [ -n "$clang" ] && [ -n "$archiver" ] || die "clang and llvm-ar are missing"
}

rustup_target() {
    [ "${WASM_COMPILER:-}" != debian ] || return 1
    has rustup || return 1
    rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip2 && return
    # Asked once a day: where only package registries are reached, each try waits for a time-out.
    asked=$cache/rustup-has-no-target
    if [ -e "$asked" ] && [ -n "$(find "$asked" -mtime -1)" ]; then return 1; fi
    if has timeout; then limit="timeout 120"; else limit=; fi
    if $limit rustup target add wasm32-wasip2 >/dev/null 2>&1; then return; fi
    mkdir -p "$cache"
    : >"$asked"
    return 1
}

debian_compiler() {
    has apt-get || die "rustup target add wasm32-wasip2 failed, and this is no Debian"
    if [ ! -x /usr/bin/cargo ] || ! ls /usr/lib/rustlib/src/rust/library/std >/dev/null 2>&1 ||
        [ ! -e /usr/lib/wasm32-wasi/crt1-reactor.o ] || ! has wasm-ld-19; then
        packages rustc-web cargo-web rust-web-src lld-19 wasi-libc
    fi
    if [ ! -x "$cache/bin/wasm-component-ld" ]; then
        say "compiling wasm-component-ld $linker_version, once"
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$cache/tools-target" cargo install --quiet --locked --debug \
            --root "$cache" wasm-component-ld --version "$linker_version" || die "wasm-component-ld could not be installed"
        rm -rf "$cache/tools-target"
    fi
}

# A version of it that knows what rustc writes: Debian 12 has 108.
need_wasm_opt() {
    has wasm-opt || packages binaryen
    CARNET_WASM_OPT=$(command -v wasm-opt) || die "wasm-opt is missing"
    export CARNET_WASM_OPT
}

need_clang
# What only tests run is linked quickly rather than small.
if [ "${1:-}" = together ]; then profile=wasm-test; else profile=wasm; fi
if rustup_target; then
    target=wasm32-wasip2
    if [ $profile = wasm ]; then
        need_wasm_opt
        CARNET_WASM_LD=$(rustc --print target-libdir --target $target)/../../$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld/wasm-ld
        export CARNET_WASM_LD
        export CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="-C link-arg=--wasm-ld-path=$root/tools/wasm-ld.sh"
    fi
    export CC_wasm32_wasip2="$clang" AR_wasm32_wasip2="$archiver"
    compile() { cargo build --quiet --locked --profile $profile --target $target "$@"; }
else
    debian_compiler
    target=wasm32-wasip1
    CARNET_WASM_LD=/usr/bin/wasm-ld-19
    linked_by=$CARNET_WASM_LD
    if [ $profile = wasm ]; then
        need_wasm_opt
        linked_by=$root/tools/wasm-ld.sh
        export CARNET_WASM_LD
    fi
    export CC_wasm32_wasip1="$clang" AR_wasm32_wasip1="$archiver"
    # A component all the same: the linker puts the adapter of wasip1 in. -lc is for the linker only, or crates that link to
    # libc themselves break.
    compile() {
        env -u CARGO -u RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS="-C linker=$cache/bin/wasm-component-ld \
-C link-self-contained=no -L/usr/lib/wasm32-wasi -C link-arg=/usr/lib/wasm32-wasi/crt1-reactor.o -C link-arg=-lc \
-C link-arg=--wasm-ld-path=$linked_by" \
            /usr/bin/cargo build --quiet --locked --profile $profile -Z build-std=std,panic_abort --target $target "$@"
    }
fi
built=$CARGO_TARGET_DIR/$target/$profile
components=$CARGO_TARGET_DIR/components

# Every component of guest has one file name, which cargo does not tell apart by features: what is there for other functions
# would pass for this one.
guest() { # features, and what else is compiled
    kept=$built/guest.holds
    [ "$(cat "$kept" 2>/dev/null)" = "$1" ] || rm -f "$kept" "$built/guest.wasm" "$built/deps/guest.wasm"
    features=$1
    shift
    compile --package guest --features "$features" "$@"
    echo "$features" >"$kept"
}

component() { # names, joined by +
    guest "$(echo "$1" | sed 's|[^+]*|guest/&|g' | tr + ,)"
    mkdir -p "$components"
    cp "$built/guest.wasm" "$components/$1.wasm"
    say "$1: $(wc -c <"$components/$1.wasm") bytes, $(gzip -9 -c "$components/$1.wasm" | wc -c) packed"
}

case ${1:-} in
'') die "which functions? $0 FUNCTION… | all | together" ;;
together)
    guest guest/all --package db-contract
    echo "$built"
    ;;
all)
    for name in $(sed -n 's|^source = ".*/components/\(.*\)\.wasm"$|\1|p' infra/spin/spin.toml); do component "$name"; done
    ;;
*) component "$(echo "$*" | tr ' ' +)" ;;
esac
