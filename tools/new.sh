#!/bin/sh
# A new function from the template: folder, crate, manifest, README, handler; and its place in the registry.
set -eu
cd "$(dirname "$0")/.."
name=${1:?a verb, for instance: confirm}
case $name in *[!a-z-]* | -* | '') echo "a name is lowercase letters and dashes" >&2; exit 1 ;; esac
[ ! -e "functions/$name" ] || { echo "functions/$name is there already" >&2; exit 1; }
crate=fn_$(printf %s "$name" | tr - _)
summary="Say in one line what $name is for."
mkdir -p "functions/$name/src" "functions/$name/sql"
sed -e "s/expire-holds/$name/g" -e "s/^description = .*/description = \"$summary\"/" functions/expire-holds/Cargo.toml >"functions/$name/Cargo.toml"
cat >"functions/$name/function.yaml" <<YAML
name: $name
summary: $summary
routes:
  - { method: GET, path: /v1/$name, access: account.read }
memory_mib: 128
timeout_seconds: 10
secrets: [DATABASE_URL, CARNET_VERIFYING_KEYS, CARNET_LOOKUP_KEY]
YAML
cat >"functions/$name/README.md" <<MD
# $name
Who calls it:

Promises:

Errors:

Events: none.
MD
cat >"functions/$name/src/main.rs" <<RS
//! $summary
fn main() -> std::process::ExitCode {
    runtime::host::main($crate::FUNCTION)
}
RS
cat >"functions/$name/src/lib.rs" <<RS
//! $summary

use axum::http::StatusCode;
use runtime::{Actor, Ctx, Function, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "$name", manifest: include_str!("../function.yaml"), routes: router, events: None };

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(handle))
}

/// $summary
#[utoipa::path(get, path = "/v1/$name", tag = "$name", responses((status = 204, description = "Done.")))]
async fn handle(_actor: Actor) -> Result<StatusCode, Problem> {
    Ok(StatusCode::NO_CONTENT)
}
RS
# The three lists that name every function.
sed -i.bak "s|^fn-accounts = .*|&\nfn-$name = { path = \"functions/$name\" }|" Cargo.toml
sed -i.bak "s|^fn-accounts.workspace = true|&\nfn-$name.workspace = true|" infra/gateway/Cargo.toml
sed -i.bak "s|^    fn_accounts::FUNCTION,|&\n    $crate::FUNCTION,|" infra/gateway/src/registry.rs
rm -f Cargo.toml.bak infra/gateway/Cargo.toml.bak infra/gateway/src/registry.rs.bak
cargo fmt --package gateway --package "fn-$name"
echo "functions/$name is there: write its manifest, its README and its handler; tests/src/walker.rs wants to know what to send."
