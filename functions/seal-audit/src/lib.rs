//! Seal what the audit trail gained, and copy the seals to where nobody can change them.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::Timestamp;
use domain::audit::{Position, Seal, SignedSeal};
use runtime::events::Outcome;
use runtime::keys::KeyError;
use runtime::seals::{Objects, ObjectsError, SealKey, marks_digest};
use runtime::{Ctx, Function, Kind, Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "seal-audit",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(seal_audit))),
};

const STRETCH: Statement<Stretch> = statement!("stretch");
const SEAL: Statement<Value> = statement!("seal");
const UNCOPIED: Statement<SignedSeal> = statement!("uncopied");
const COPIED: Statement<Value> = statement!("copied");
/// Rows of one seal at most: how much of the trail a statement reads.
const ROWS: i64 = 10_000;
/// Seals of one tick at most; the next tick goes on.
const SEALS: usize = 500;
/// Copies between two looks at what is still to be copied.
const COPIES: i64 = 100;

/// What the next seal says, before it is signed.
#[derive(Debug, Deserialize)]
struct Stretch {
    number: u64,
    from: Position,
    until: Position,
    rows: u64,
    first: Option<i64>,
    last: Option<i64>,
    previous: String,
    head: String,
    /// Base64.
    marks: String,
    /// Whether there may be more after it.
    full: bool,
}

async fn seal_audit(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    let seals = ctx.seals.as_ref().ok_or_else(|| Problem::internal(KeyError::Missing("CARNET_SEAL_KEY")))?;
    let now = ctx.now();
    for _ in 0..SEALS {
        let Some(stretch) = ctx.db.optional(&STRETCH, params![ROWS, now]).await? else { break };
        let full = stretch.full;
        let (sealed, marks) = sign(&seals.key, stretch, now)?;
        let kept = ctx.db.optional(&SEAL, params![json!(sealed), marks]).await?;
        // Somebody else seals as well, and goes on where we stop.
        if kept.is_none() || !full {
            break;
        }
    }
    if let Some(objects) = seals.objects.as_deref() {
        copy(&ctx, objects, now).await?;
    } else {
        tracing::warn!("CARNET_SEALS is not set: seals are copied nowhere");
    }
    Ok(Outcome::Done)
}

fn sign(key: &SealKey, stretch: Stretch, now: Timestamp) -> Result<(SignedSeal, String), Problem> {
    // PostgreSQL breaks base64 into lines.
    let marks = stretch.marks.replace('\n', "");
    let seal = Seal {
        number: stretch.number,
        from: stretch.from,
        until: stretch.until,
        rows: stretch.rows,
        first: stretch.first,
        last: stretch.last,
        previous: stretch.previous,
        head: stretch.head,
        marks: marks_digest(&marks).map_err(Problem::internal)?,
        sealed_at: now,
        key: key.public().id(),
    };
    Ok((key.sign(seal), marks))
}

/// Copies what is not copied yet, in order. A copy that says something else stops none of the others: to try again would not
/// mend it, and the verification tells of it as well.
async fn copy(ctx: &Ctx, objects: &dyn Objects, now: Timestamp) -> Result<(), Problem> {
    loop {
        let seals = ctx.db.many(&UNCOPIED, params![COPIES]).await?;
        let mut copied = false;
        for seal in &seals {
            match objects.put(&SignedSeal::file_name(seal.seal.number), seal.file().into_bytes(), now).await {
                Ok(()) => {
                    let number = i64::try_from(seal.seal.number).unwrap_or(i64::MAX);
                    ctx.db.one(&COPIED, params![number, now]).await?;
                    copied = true;
                }
                Err(error @ ObjectsError::Another(_)) => tracing::error!(%error, "a seal has another's copy"),
                Err(error) => return Err(Problem::new(Kind::Unavailable).because(error)),
            }
        }
        if !copied || seals.len() < usize::try_from(COPIES).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}
