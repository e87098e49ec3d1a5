#!/bin/sh
# wasm-ld, and then wasm-opt (binaryen) on what it linked: a component is a fifth smaller by it. tools/wasm.sh names both, and
# wasm-component-ld calls this before it makes a component of the module.
set -eu
"$CARNET_WASM_LD" "$@"
out= before=
for argument in "$@"; do
    if [ "$before" = -o ]; then out=$argument; fi
    before=$argument
done
[ -n "$out" ] || exit 0
# What rustc takes for granted of wasm32-wasip2, and nothing else.
"$CARNET_WASM_OPT" -Oz --enable-bulk-memory --enable-sign-ext --enable-mutable-globals --enable-nontrapping-float-to-int \
    --enable-multivalue --enable-reference-types --strip-producers "$out" -o "$out.small"
mv "$out.small" "$out"
