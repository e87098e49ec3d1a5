//! Being told of changes: Exchange Online calls us while a watch lives.

use domain::ids::MailboxId;
use domain::{SignedDuration, Timestamp};
use exchange::graph::{Graph, LIFETIME, Wanted};
use exchange::{Fault, Watch, Why};
use serde_json::{Value, json};

use crate::Ctx;

/// Where Graph calls us, after `PUBLIC_URL`.
const PATH: &str = "/v1/exchange/notifications";
/// How long a watch shall live: somewhat less than it may, since their clock is not ours.
const LIFE: SignedDuration = SignedDuration::from_secs(LIFETIME.as_secs() - 30 * 60);
/// A watch is renewed when half of its life is over: a day and a half is time enough for what is away to come back.
const EARLY: SignedDuration = SignedDuration::from_secs(LIFE.as_secs() / 2);

/// The watch to keep, when it is another one than before or lives longer now. A mailbox that cannot be watched is read from time to time, and
/// asked again then.
pub(super) async fn watched(ctx: &Ctx, graph: &Graph, mailbox: MailboxId, known: Option<Watch>) -> Option<Value> {
    // Graph calls nobody in clear.
    let base = ctx.config.public_url.as_deref().filter(|url| url.starts_with("https://"))?;
    let now = ctx.now();
    let left = |watch: &Watch| watch.until.map_or(SignedDuration::ZERO, |until| until.duration_since(now));
    if known.as_ref().is_some_and(|watch| left(watch) > EARLY) {
        return None;
    }
    let kept = match known.filter(|watch| left(watch).is_positive()) {
        Some(watch) => match graph.renew(&watch, LIFE, now).await {
            Err(fault) if fault.why == Why::NoWatch => begin(ctx, graph, base, now).await,
            renewed => renewed.map(|watch| json!({"id": watch.id, "until": watch.until})),
        },
        None => begin(ctx, graph, base, now).await,
    };
    kept.inspect_err(|fault| tracing::warn!(%mailbox, why = %fault.why, code = fault.code, "a calendar is not watched"))
        .ok()
}

async fn begin(ctx: &Ctx, graph: &Graph, base: &str, now: Timestamp) -> Result<Value, Fault> {
    let (client_state, secret) = ctx.keys.new_token().map_err(|_| Fault::new(Why::NoWatch, "no randomness"))?;
    let address = format!("{base}{PATH}");
    let wanted = Wanted { notices: address.clone(), lifecycle: address, client_state, lifetime: LIFE };
    let watch = graph.subscribe(&wanted, now).await?;
    Ok(json!({"id": watch.id, "until": watch.until, "secret": secret}))
}
