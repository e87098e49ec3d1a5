//! Compare what is known of documents with the bytes in the store.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use domain::document::{ABANDONED_AFTER, UPLOAD_LIFE};
use domain::ids::DocumentId;
use domain::notice::GIVE_UP_AFTER;
use domain::{SignedDuration, Timestamp};
use runtime::actor::system;
use runtime::objects::{Listed, Objects, SEALED, STAGING};
use runtime::{Ctx, Function, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "reconcile-documents",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(reconcile))),
};

const UNNEEDED: Statement<Unneeded> = statement!("unneeded");
const WRITTEN: Statement<WrittenRow> = statement!("written");
const MISSING: Statement<Value> = statement!("missing");
const STALE_PLANS: Statement<Stale> = statement!("stale_plans");
const WAKE: Statement<Woken> = statement!("wake");
/// An event that was told longer ago has been given up.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(GIVE_UP_AFTER.as_hours() + 1);

#[derive(Debug, Deserialize)]
struct Unneeded {
    unneeded: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct WrittenRow {
    key: String,
    document: DocumentId,
}

#[derive(Debug, Deserialize)]
struct Stale {
    stale: i64,
}

#[derive(Debug, Deserialize)]
struct Woken {
    woken: i64,
}

/// What was found, and done about it.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Objects that nobody needs, removed.
    removed: usize,
    /// Plans that came to nothing, given up.
    stale: i64,
    /// Versions whose judgement was given up, told again.
    woken: i64,
    /// Documents whose bytes are missing: for a person to look at.
    missing: BTreeSet<DocumentId>,
}

async fn reconcile(State(ctx): State<Ctx>) -> Result<Json<Report>, Problem> {
    let now = ctx.now();
    let mut report = Report {
        stale: ctx.db.one(&STALE_PLANS, params![now - ABANDONED_AFTER]).await?.stale,
        woken: ctx.db.one(&WAKE, params![now, now - GIVEN_UP]).await?.woken,
        ..Report::default()
    };
    // Where documents are kept nowhere, there is nothing to compare.
    let Some(objects) = ctx.objects.clone() else { return Ok(Json(report)) };
    for folder in [SEALED, STAGING] {
        compare(&ctx, &objects, folder, now, &mut report).await?;
    }
    if !report.missing.is_empty() {
        tracing::error!(documents = ?report.missing, "bytes of documents are missing");
        let missing: Vec<_> = report.missing.iter().map(|it| it.as_uuid()).collect();
        ctx.db.one(&MISSING, params![system(now), missing]).await?;
    }
    Ok(Json(report))
}

/// Walks through a folder of the store and what is known of it side by side, a page at a time.
async fn compare(
    ctx: &Ctx, objects: &Objects, folder: &str, now: Timestamp, report: &mut Report,
) -> Result<(), Problem> {
    // What came in clear is written down before anybody may send it: what is not known is nobody's once nobody may send it.
    let old = now - if folder == STAGING { UPLOAD_LIFE } else { ABANDONED_AFTER };
    let begin = format!("{folder}/");
    let (mut after, mut token): (String, Option<String>) = (begin.clone(), None);
    loop {
        let (page, next) = objects.list(&begin, token.as_deref()).await?;
        let listed: BTreeSet<&str> = page.iter().map(|it| it.key.as_str()).collect();
        // The last page ends where the folder does.
        let until = if next.is_some() { page.last().map(|it| it.key.clone()) } else { Some(format!("{begin}\u{7f}")) };
        // What is in clear is only known by its plan: it is missing as long as nobody sent it.
        if folder == SEALED {
            let written = ctx.db.many(&WRITTEN, params![after.as_str(), until.as_deref(), old]).await?;
            let gone = written.iter().filter(|row| !listed.contains(row.key.as_str()));
            report.missing.extend(gone.map(|row| row.document));
        }
        let aged: Vec<String> = page.iter().filter(|it| is_older(it, old)).map(|it| it.key.clone()).collect();
        for key in ctx.db.one(&UNNEEDED, params![aged]).await?.unneeded {
            objects.remove(&key).await?;
            report.removed += 1;
        }
        let (Some(next), Some(until)) = (next, until) else { return Ok(()) };
        (after, token) = (until, Some(next));
    }
}

/// Whether it was written before; what does not say when was not.
fn is_older(listed: &Listed, than: Timestamp) -> bool {
    listed.modified.parse::<Timestamp>().is_ok_and(|modified| modified < than)
}
