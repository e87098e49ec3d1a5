//! Send partners’ programs what is due, signed.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::ids::WebhookDeliveryId;
use domain::webhook::{FAILING, FAILURES, LIFE, SLOW, next_attempt};
use domain::{SignedDuration, Timestamp};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use runtime::actor::system;
use runtime::host::native::Stop;
use runtime::webhooks::{Body, Message, Peer, Sealed, WebhookError};
use runtime::{Ctx, Function, Problem, pace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "send-webhooks",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(send_webhooks))),
};

const CLAIM: Statement<Delivery> = statement!("claim");
const SETTLE: Statement<Settled> = statement!("settle");
const EXPIRE: Statement<Expired> = statement!("expire");

/// Three times [`runtime::webhooks::TIMEOUT`]; a sender killed in the middle delays a delivery by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// Nothing is taken up later in a run: the manifest allows 60 s, of which one delivery may take eleven.
const RUN: Duration = Duration::from_secs(45);
/// How often a run looks for what became due while others are under way.
const GLANCE: Duration = Duration::from_millis(250);
/// What ends within a moment is made up for by one statement.
const MOMENT: Duration = Duration::from_millis(20);
/// How many are under way at once in a run.
const AT_ONCE: usize = 128;
/// How many of them to one address.
const AT_ONCE_THERE: i64 = 4;
/// How many one statement gives up.
const BATCH: i64 = 1000;

/// A delivery that is ours for a while, with all that is needed to make it.
#[derive(Debug, Deserialize)]
struct Delivery {
    id: WebhookDeliveryId,
    kind: String,
    occurred_at: Timestamp,
    data: Value,
    attempts: u32,
    expires_at: Timestamp,
    webhook: Sealed,
}

#[derive(Debug, Deserialize)]
struct Settled {
    delivery: WebhookDeliveryId,
    settled: bool,
    /// Why the webhook was paused by it.
    paused: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Expired {
    expired: i64,
}

/// What one run did.
#[derive(Debug, Default, Serialize)]
struct Sent {
    sent: usize,
    /// How tries ended that are still to be written down: all that ended in a moment by one statement.
    #[serde(skip)]
    ended: Vec<Value>,
    /// What went wrong on our side: nothing new is taken up, and what is under way comes to its end.
    #[serde(skip)]
    failed: Option<Problem>,
}

/// A process that is told to stop takes up nothing new, and what is under way comes to its end within its drain: else its last
/// answers would not be written down, and everything be sent twice.
async fn send_webhooks(State(ctx): State<Ctx>, stop: Option<Extension<Stop>>) -> Result<Json<Sent>, Problem> {
    let began = Instant::now();
    while ctx.db.one(&EXPIRE, params![ctx.now(), BATCH, LIFE.as_secs()]).await?.expired == BATCH {}
    let (mut run, mut under_way) = (Sent::default(), FuturesUnordered::new());
    loop {
        let free = AT_ONCE - under_way.len();
        let stopping = stop.as_ref().is_some_and(|stop| stop.is_told());
        if began.elapsed() < RUN && free > 0 && run.failed.is_none() && !stopping {
            let (now, lease) = (ctx.now(), Uuid::now_v7());
            let most = i64::try_from(free).unwrap_or(0);
            match ctx.db.many(&CLAIM, params![lease, now, now + LEASE, most, AT_ONCE_THERE]).await {
                Ok(claimed) => under_way.extend(claimed.into_iter().map(|delivery| make(&ctx, delivery, lease))),
                Err(error) => run.failed = Some(error.into()),
            }
        }
        if under_way.is_empty() {
            return run.failed.take().map_or(Ok(Json(run)), Err);
        }
        // Whoever hangs is not waited for: what became due meanwhile goes beside it.
        if run.gather(&mut under_way, GLANCE, 1).await {
            run.gather(&mut under_way, MOMENT, AT_ONCE).await;
        }
        run.settle(&ctx).await;
    }
}

impl Sent {
    /// Collects what ends within a time, so many at most; whether any did.
    async fn gather<F: Future<Output = Value>>(
        &mut self, under_way: &mut FuturesUnordered<F>, longest: Duration, most: usize,
    ) -> bool {
        let (before, mut over) = (self.ended.len(), Box::pin(pace::sleep(longest)));
        while self.ended.len() - before < most {
            match select(under_way.next(), &mut over).await {
                Either::Left((Some(ended), _)) => self.ended.push(ended),
                _ => break,
            }
        }
        self.ended.len() > before
    }

    /// Writes down what has ended. A database that is away is asked again as long as others are under way; then the leases end.
    async fn settle(&mut self, ctx: &Ctx) {
        if self.ended.is_empty() {
            return;
        }
        match ctx.db.many(&SETTLE, params![system(ctx.now()), json!(self.ended)]).await {
            Ok(settled) => {
                self.sent += std::mem::take(&mut self.ended).len();
                for Settled { delivery, settled, paused } in settled {
                    if !settled {
                        tracing::warn!(%delivery, "the lease of a webhook's delivery was over before it ended");
                    }
                    if let Some(why) = paused {
                        tracing::warn!(%delivery, why, "a webhook was paused");
                    }
                }
            }
            Err(error) => self.failed = Some(error.into()),
        }
    }
}

/// One try, and how it ended.
async fn make(ctx: &Ctx, delivery: Delivery, lease: Uuid) -> Value {
    let (at, began) = (ctx.now(), Instant::now());
    let outcome = send(ctx, &delivery).await;
    let took = began.elapsed();
    let next = next_attempt(delivery.attempts, ctx.now(), delivery.expires_at, rand::random_range(0..=1000));
    let (state, status, error) = match &outcome {
        Ok(status) => ("delivered", Some(*status), None),
        Err(error) => (if next.is_some() { "waiting" } else { "failed" }, error.status(), Some(error.told())),
    };
    json!({
        "webhook": delivery.webhook.id, "url": delivery.webhook.url, "delivery": delivery.id, "lease": lease, "state": state,
        "next_attempt_at": next.filter(|_| state == "waiting"),
        "try": {"at": at, "status": status, "error": error, "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX)},
        "slow": took > SLOW.unsigned_abs(),
        "gone": outcome.is_err_and(|error| error.is_gone()),
        "failing_seconds": FAILING.as_secs(), "failures": FAILURES,
    })
}

/// What was answered, when it was taken.
async fn send(ctx: &Ctx, delivery: &Delivery) -> Result<u16, WebhookError> {
    // A key that is away comes back, as an address does.
    let peer = Peer::open(&ctx.keys, &delivery.webhook).await.map_err(|_| WebhookError::Unready)?;
    let id = delivery.id.to_string();
    let body = Body { r#type: &delivery.kind, timestamp: delivery.occurred_at, data: &delivery.data };
    let status = ctx.webhooks.deliver(&peer, &Message { id: &id, body }, ctx.now()).await?;
    Ok(status.as_u16())
}
