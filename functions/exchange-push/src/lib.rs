//! Show our changes in calendars of Exchange, and look at one that changed.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::ids::MailboxId;
use runtime::events::{Event, Outcome};
use runtime::mailboxes::{Mode, claim, work};
use runtime::{Ctx, Function, Input, Kind, Problem};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "exchange-push",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(push))),
};

const WISH: Statement<Wished> = statement!("wish");

#[derive(Deserialize)]
struct Wished {
    mailbox: MailboxId,
}

/// That it is wished for is written down first: whoever has the mailbox now, or takes it next, sees to it.
async fn push(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let mode = match &*event.r#type {
        "mailbox.changed.v1" => Mode::Whole,
        "appointment.booked.v1" | "appointment.moved.v1" | "appointment.cancelled.v1" => Mode::Write,
        _ => return Ok(Outcome::Reject(Problem::new(Kind::EventRejected))),
    };
    let wished = ctx.db.many(&WISH, params![event.id, ctx.now()]).await?;
    for Wished { mailbox } in wished {
        let lease = Uuid::now_v7();
        for claimed in claim(&ctx, lease, 1, Some(mailbox)).await? {
            work(&ctx, lease, &claimed, mode).await?;
        }
    }
    Ok(Outcome::Done)
}
