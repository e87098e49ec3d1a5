//! Judge a document’s bytes and, if they are sound, seal them and show it.

mod judge;
mod publish;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::ids::{DocumentId, PatientId};
use domain::notice::GIVE_UP_AFTER;
use domain::{SignedDuration, Timestamp};
use futures_util::future::{Either, select};
use runtime::actor::system;
use runtime::documents::remove_objects;
use runtime::events::{Event, Outcome};
use runtime::pace::{Turns, going_on, sleep};
use runtime::{Ctx, Function, Input, Kind, Problem};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use judge::Verdict;

/// The function.
pub const FUNCTION: Function = Function {
    name: "check-document",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(check))),
};

const CLAIM: Statement<Claimed> = statement!("claim");
const RENEW: Statement<Value> = statement!("renew");
const GIVE_BACK: Statement<Value> = statement!("give_back");
const REFUSE: Statement<ToRemove> = statement!("refuse");

/// A checker that was killed delays a document by no more. Renewed each third of it.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// How long the event waits for the judgement; then the work goes on by itself, and the event comes again to see. Longer, and
/// one large file would hold up all that is delivered beside it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// How often a judgement may end without a verdict or an error: the process was killed, by the file perhaps.
const MOST_ATTEMPTS: u32 = 5;
/// How many documents are looked at at once in this process: each takes some pieces of memory, and a processor.
static TURNS: Turns = Turns::new(2);

/// What an event says.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Data {
    document: DocumentId,
    version: u32,
}

#[derive(Debug, Deserialize)]
struct Claimed {
    settled: bool,
    work: Option<Work>,
}

/// A version that is ours to judge.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Work {
    document: DocumentId,
    version: u32,
    patient: PatientId,
    wrapped_key: Option<String>,
    media_type: String,
    size_bytes: u64,
    content_hash: String,
    staging: Option<String>,
    completed_at: Timestamp,
    /// How often it was begun and came to no end, this time included.
    attempts: u32,
    #[serde(skip)]
    lease: Uuid,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ToRemove {
    remove: Vec<String>,
}

impl Work {
    /// Why it is refused before anything of it is looked at.
    fn hopeless(&self) -> Option<&'static str> {
        match () {
            // Nobody can read it any more.
            () if self.wrapped_key.is_none() => Some("patient_erased"),
            // It ends whoever looks at it.
            () if self.attempts > MOST_ATTEMPTS => Some("bomb"),
            () if self.staging.is_none() => Some("bytes_missing"),
            () => None,
        }
    }

    /// Whether bytes that the store does not know are waited for no longer. It may be asked in the wrong place, and said so in time.
    fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.completed_at) > GIVE_UP_AFTER
    }
}

#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error("the document is being judged")]
    UnderWay,
    #[error("the scanner gave no judgement: {0}")]
    Unscanned(String),
}

async fn check(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let Ok(data) = serde_json::from_value::<Data>(event.data) else {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    };
    if ctx.config.stops_between_requests {
        return judged(&ctx, data).await;
    }
    let judged = going_on(PATIENCE, async move { judged(&ctx, data).await }).await;
    judged.unwrap_or_else(|| Ok(retry(NotYet::UnderWay)))
}

fn retry(why: NotYet) -> Outcome {
    let problem = Problem::new(Kind::Unavailable);
    // That the scanner is away was said where it was seen.
    Outcome::Retry(problem.because(why).expected())
}

/// Judges what an event names, if it is still to be judged and nobody else does.
async fn judged(ctx: &Ctx, data: Data) -> Result<Outcome, Problem> {
    let _turn = TURNS.turn().await;
    let (now, lease) = (ctx.now(), Uuid::now_v7());
    let (document, version) = (data.document.as_uuid(), i64::from(data.version));
    let claimed = ctx.db.optional(&CLAIM, params![document, version, lease, now, now + LEASE]).await?;
    let mut work = match claimed {
        None => return Ok(Outcome::Reject(Problem::new(Kind::EventRejected))),
        Some(Claimed { settled: true, .. }) => return Ok(Outcome::Done),
        Some(Claimed { work: None, .. }) => return Ok(retry(NotYet::UnderWay)),
        Some(Claimed { work: Some(work), .. }) => work,
    };
    work.lease = lease;
    let done = match select(Box::pin(settled(ctx, &work)), Box::pin(renewing(ctx, &work))).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    };
    if done.is_err() {
        give_back(ctx, &work, "checking").await?;
    }
    done
}

async fn renewing(ctx: &Ctx, work: &Work) -> std::convert::Infallible {
    let third = (LEASE / 3).unsigned_abs();
    // Most are judged before the first, which comes early: an instance that waited for its turn is late already.
    let mut pause = std::time::Duration::from_secs(1);
    loop {
        sleep(pause).await;
        pause = third;
        let until = ctx.now() + LEASE;
        let parameters = params![work.document.as_uuid(), i64::from(work.version), work.lease, until];
        if let Err(error) = ctx.db.one(&RENEW, parameters).await {
            tracing::warn!(%error, "a lease could not be renewed");
        }
    }
}

/// Judges, and writes down how it ended. What fails on our side is tried again.
async fn settled(ctx: &Ctx, work: &Work) -> Result<Outcome, Problem> {
    let objects = ctx.objects()?;
    match judge::judge(ctx, &objects, work).await? {
        Verdict::Refused(code) => {
            let parameters =
                params![system(ctx.now()), work.document.as_uuid(), i64::from(work.version), work.lease, code];
            if let Some(ToRemove { remove }) = ctx.db.optional(&REFUSE, parameters).await? {
                remove_objects(ctx, remove.into_iter().map(|key| (key, None))).await;
            }
            Ok(Outcome::Done)
        }
        Verdict::Unscanned(why) => {
            tracing::warn!(why, "a document stays in quarantine");
            give_back(ctx, work, "quarantined").await?;
            Ok(retry(NotYet::Unscanned(why)))
        }
        Verdict::Sound(sound) => {
            if let Some(ToRemove { remove }) = publish::publish(ctx, &objects, work, *sound).await? {
                remove_objects(ctx, remove.into_iter().map(|key| (key, None))).await;
            }
            Ok(Outcome::Done)
        }
    }
}

async fn give_back(ctx: &Ctx, work: &Work, state: &'static str) -> Result<(), Problem> {
    let parameters = params![work.document.as_uuid(), i64::from(work.version), work.lease, state];
    ctx.db.one(&GIVE_BACK, parameters).await?;
    Ok(())
}
