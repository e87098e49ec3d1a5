//! What only a developer's machine has: a mailbox to read, of mails and SMS, a clock to move, keys made on the spot.
//! Nothing here is routed unless `CARNET_ENV=development`, which a test proves.

pub mod keys;
pub mod mailbox;
pub mod objects;
pub mod phones;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use domain::Timestamp;
use runtime::page::Page;
use runtime::{Ctx, Input, Kind, Manifest, Params, Problem};
use serde::{Deserialize, Serialize};

use crate::loops;
use mailbox::{Mailbox, Received};

/// What the development routes work on.
#[derive(Clone)]
pub struct Dev {
    /// The context whose clock is moved.
    pub ctx: Ctx,
    /// Where mail arrived.
    pub mailbox: Arc<Mailbox>,
    /// Where ticks and the queue go.
    pub events: Router,
    /// Which functions tick.
    pub manifests: Arc<[Manifest]>,
}

/// `/dev/mail` and `/dev/clock`.
pub fn router(dev: Dev) -> Router {
    Router::new()
        .route("/dev/mail", get(mail))
        .route("/dev/clock", get(clock).put(move_clock).delete(reset_clock))
        .with_state(dev)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFilter {
    to: Option<String>,
}

/// The mails and SMS that arrived, oldest first: `to` is an address, or a number with its `+` (`%2B` in a URL).
async fn mail(State(dev): State<Dev>, Params(filter): Params<MailFilter>) -> Json<Page<Received>> {
    Json(Page { items: dev.mailbox.received(filter.to.as_deref()), next_cursor: None })
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Now {
    now: Timestamp,
}

async fn clock(State(dev): State<Dev>) -> Json<Now> {
    Json(Now { now: dev.ctx.now() })
}

/// Moves the clock of the whole gateway, and answers once what is due at that time has run.
async fn move_clock(State(dev): State<Dev>, Input(wanted): Input<Now>) -> Result<Json<Now>, Problem> {
    // Beyond these, dates no longer fit every format on the way.
    let years = 2000..2200;
    if !years.contains(&wanted.now.to_zoned(jiff::tz::TimeZone::UTC).year()) {
        return Err(Problem::new(Kind::FieldInvalid).field("now"));
    }
    dev.ctx.clock.set(wanted.now);
    loops::settle(&dev.events, &dev.manifests).await;
    Ok(Json(Now { now: dev.ctx.now() }))
}

/// Returns to the real time.
async fn reset_clock(State(dev): State<Dev>) -> Json<Now> {
    dev.ctx.clock.reset();
    loops::settle(&dev.events, &dev.manifests).await;
    Json(Now { now: dev.ctx.now() })
}
