//! How each side knows the other: a challenge for the address, secrets for what is sent there.

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::ids::WebhookId;
use domain::webhook::{MOST_FORMER, ROTATION};
use runtime::webhooks::{Peer, Sealed, Secret, WebhookError};
use runtime::{Actor, Ctx, Kind, Problem, Segment};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};

use crate::{Webhook, WebhookState, WebhookWithSecret};

const SECRETS: Statement<Known> = statement!("secrets");
const VERIFY: Statement<Webhook> = statement!("verify");
const ROTATE: Statement<Rotated> = statement!("rotate");

#[derive(Debug, Deserialize)]
struct Known {
    state: WebhookState,
    #[serde(flatten)]
    sealed: Sealed,
}

async fn known(ctx: &Ctx, who: serde_json::Value, id: WebhookId) -> Result<Known, Problem> {
    let known = ctx.db.optional(&SECRETS, params![who, id.as_uuid()]).await?;
    known.ok_or_else(|| Problem::new(Kind::NotFound))
}

/// Asks the owner of the address whether they want what will be sent: a signed `webhook.verification` goes there, and the answer
/// has to be 2xx within five seconds, with the same `challenge` in JSON.
#[utoipa::path(post, path = "/v1/webhooks/{id}/verification", operation_id = "verify_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, body = Webhook),
              (status = 409, description = "It was verified already, or did not answer the challenge.")))]
pub(crate) async fn verify(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>,
) -> Result<Json<Webhook>, Problem> {
    let known = known(&ctx, actor.who(ctx.now()), id).await?;
    if known.state != WebhookState::Unverified {
        return Err(Problem::new(Kind::WebhookState));
    }
    let peer = Peer::open(&ctx.keys, &known.sealed).await?;
    ctx.webhooks.challenge(&peer, ctx.now()).await.map_err(|error| unverified(&error))?;
    // Unless the address is another by now, or somebody else was faster.
    let verified = ctx.db.optional(&VERIFY, params![actor.who(ctx.now()), id.as_uuid(), known.sealed.url]).await?;
    verified.map(Json).ok_or_else(|| Problem::new(Kind::WebhookState))
}

fn unverified(error: &WebhookError) -> Problem {
    let problem = Problem::new(Kind::WebhookUnverified).with("reason", error.told());
    match error.status() {
        Some(status) => problem.with("answered", status),
        None => problem,
    }
}

/// What became of a wish for another secret; no webhook where it was not granted.
#[derive(Debug, Deserialize)]
struct Rotated {
    webhook: Option<Webhook>,
    /// As many former ones sign as may be, until then.
    full_until: Option<Timestamp>,
}

/// Gives a webhook another secret. For a day those before sign too, so that the receiver can change at its leisure: four at most,
/// then another one has to wait until the day of the oldest is over.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret", operation_id = "rotate_webhook_secret", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, body = WebhookWithSecret), (status = 409, description = "It was changed meanwhile, or four former secrets sign still.")))]
pub(crate) async fn rotate(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>,
) -> Result<Json<WebhookWithSecret>, Problem> {
    let now = ctx.now();
    let Known { sealed, .. } = known(&ctx, actor.who(now), id).await?;
    let secret = Secret::generate()?;
    let text = secret.resealed(&ctx.keys, id, &sealed.wrapped_key).await?;
    let parameters = params![actor.who(now), id.as_uuid(), text, sealed.secret, now + ROTATION, MOST_FORMER];
    let rotated = ctx.db.optional(&ROTATE, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    match (rotated.webhook, rotated.full_until) {
        (Some(webhook), _) => Ok(Json(WebhookWithSecret { webhook, secret: secret.shown() })),
        (None, Some(until)) => {
            Err(Problem::new(Kind::WebhookSecretsTooMany).with("most", MOST_FORMER).with("until", until.to_string()))
        }
        (None, None) => Err(Problem::new(Kind::WebhookState)),
    }
}
