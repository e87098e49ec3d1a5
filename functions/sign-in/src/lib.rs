//! Sign in with a password and a second factor, or with a passkey alone; stay signed in; sign out.

mod passkey;
mod password;
mod refresh;
mod step_up;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde::Deserialize;
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function = Function {
    name: "sign-in",
    manifest: include_str!("../function.yaml"),
    routes: router,
    events: Some(|| Router::new().route("/", post(sweep))),
};

const SWEEP: Statement<Swept> = statement!("sweep");
/// How many of each kind one statement forgets.
const BATCH: i64 = 1000;
/// How many statements one tick runs at most; the next tick goes on.
const BATCHES: usize = 50;

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(password::sign_in))
        .routes(routes!(passkey::options))
        .routes(routes!(passkey::sign_in))
        .routes(routes!(refresh::refresh))
        .routes(routes!(refresh::sign_out))
        .routes(routes!(step_up::step_up))
        .routes(routes!(keys))
}

/// The public keys with which access tokens are verified (RFC 7517), the present one first.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "accounts",
    responses((status = 200, body = serde_json::Value, description = "A set of keys (RFC 7517): OKP, Ed25519, `kid` as RFC 7638 makes it.")))]
async fn keys(State(ctx): State<Ctx>) -> Response {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(json!({"keys": ctx.keys.public()}))).into_response()
}

#[derive(Debug, Deserialize)]
struct Swept {
    swept: i64,
}

/// Forgets what counts no more.
async fn sweep(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    for _ in 0..BATCHES {
        if ctx.db.one(&SWEEP, params![ctx.now(), BATCH]).await?.swept < BATCH {
            break;
        }
    }
    Ok(Outcome::Done)
}
