//! Bring calendars of Exchange and our agendas together.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use runtime::host::native::Stop;
use runtime::mailboxes::{Mode, Turn, claim, work};
use runtime::{Ctx, Function, Problem};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "sync-exchange",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(synchronise))),
};

/// No mailbox is taken up later in a run: the manifest allows 180 s, of which one turn may take little more than
/// [`runtime::mailboxes::TURN`].
const RUN: Duration = Duration::from_secs(50);
/// How many mailboxes at once: the waiting is for others.
const AT_ONCE: usize = 8;

/// What one run did.
#[derive(Debug, Default, Serialize)]
struct Synchronised {
    mailboxes: usize,
    refused: usize,
    read: usize,
    written: usize,
    proposed: usize,
}

async fn synchronise(State(ctx): State<Ctx>, stop: Option<Extension<Stop>>) -> Result<Json<Synchronised>, Problem> {
    let (began, lease) = (Instant::now(), Uuid::now_v7());
    let (mut run, mut under_way) = (Synchronised::default(), FuturesUnordered::new());
    let mut failed = None;
    loop {
        let free = AT_ONCE - under_way.len();
        let stopping = stop.as_ref().is_some_and(|stop| stop.is_told());
        if began.elapsed() < RUN && free > 0 && failed.is_none() && !stopping {
            match claim(&ctx, lease, i64::try_from(free).unwrap_or(0), None).await {
                Ok(claimed) => {
                    let ctx = &ctx;
                    let turn = |mailbox| async move { work(ctx, lease, &mailbox, Mode::Whole).await };
                    under_way.extend(claimed.into_iter().map(turn));
                }
                Err(error) => failed = Some(error),
            }
        }
        match under_way.next().await {
            Some(Ok(turn)) => run.count(&turn),
            Some(Err(error)) => failed = Some(error),
            None => return failed.map_or(Ok(Json(run)), |error| Err(error.into())),
        }
    }
}

impl Synchronised {
    fn count(&mut self, turn: &Turn) {
        self.mailboxes += 1;
        match turn {
            Turn::Done(report) => {
                self.read += report.read;
                self.written += report.written;
                self.proposed += report.proposed;
            }
            Turn::Refused(_) => self.refused += 1,
            Turn::Lost => {}
        }
    }
}
