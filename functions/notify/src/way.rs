//! The ways out, one for each channel.

use domain::notice::NoticeChannel;
use domain::person::dialled;
use domain::{SignedDuration, Timestamp};
use futures_util::future::join_all;
use runtime::Ctx;
use runtime::actor::system;
use runtime::mail::MailError;
use runtime::push::{Message as PushMessage, PushError, Stored, Urgency};
use runtime::sms::SmsError;
use serde_json::{Value, json};
use store::shared::{PUSH_SUBSCRIPTIONS, SUBSCRIPTION_GONE};
use store::{Query as _, params};

use crate::letter;
use crate::sending::Message;

/// How long a push service keeps a message for a browser that is away.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What the relay or the provider says of a message that it took.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) provider: Option<&'static str>,
    pub(crate) reference: Option<String>,
    pub(crate) segments: Option<u32>,
    pub(crate) cost_microeur: Option<i64>,
    pub(crate) to_lookup: Option<String>,
}

/// Why a message did not go out. Without addresses: they are personal data.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// Not by this channel.
    Never(String),
    /// Not now.
    Later(String),
}

impl NotSent {
    fn later(error: impl ToString) -> Self {
        Self::Later(error.to_string())
    }
}

/// Hands a message to its channel.
pub(crate) async fn send(ctx: &Ctx, message: &Message) -> Result<Sent, NotSent> {
    let Some(first) = message.notices().first() else { return Err(NotSent::Never("nothing to tell".into())) };
    match first.channel {
        NoticeChannel::Email => email(ctx, message).await,
        NoticeChannel::Sms => sms(ctx, message).await,
        NoticeChannel::Push => push(ctx, message).await,
        NoticeChannel::Letter => Err(NotSent::Never("no way by this channel".into())),
    }
}

async fn email(ctx: &Ctx, message: &Message) -> Result<Sent, NotSent> {
    // A key that is away comes back.
    let to = message.notices()[0].email(ctx).await.map_err(NotSent::later)?;
    let to = to.ok_or_else(|| NotSent::Never("no address".into()))?;
    let mail = letter::mail(message.notices(), to, &ctx.config, ctx.now());
    let mail = mail.map_err(|error| NotSent::Never(format!("template: {:?}", error.kind())))?;
    match ctx.mail.send(&mail).await {
        Ok(()) => Ok(Sent::default()),
        Err(error) if error.is_transient() => Err(NotSent::later(error)),
        Err(error) => Err(NotSent::Never(MailError::to_string(&error))),
    }
}

async fn sms(ctx: &Ctx, message: &Message) -> Result<Sent, NotSent> {
    let first = &message.notices()[0];
    let phone = first.phone(ctx).await.map_err(NotSent::later)?;
    let Some(to) = phone.as_deref().and_then(dialled) else { return Err(NotSent::Never("no number".into())) };
    let to_lookup = Some(ctx.keys.lookup("phone", &to).map_err(NotSent::later)?);
    let (text, tag) = (letter::sms(message.notices(), &ctx.config), first.id.to_string());
    match ctx.sms.send(&to, &text, Some(&tag)).await {
        Ok(sent) => Ok(Sent {
            provider: Some(sent.provider.name()),
            reference: sent.reference,
            segments: Some(sent.segments),
            cost_microeur: sent.cost.and_then(|cost| i64::try_from(cost).ok()),
            to_lookup,
        }),
        Err(error) if error.is_transient() => Err(NotSent::later(error)),
        Err(error) => Err(NotSent::Never(SmsError::to_string(&error))),
    }
}

/// To every browser of the account; taken by one of them it is sent.
async fn push(ctx: &Ctx, message: &Message) -> Result<Sent, NotSent> {
    let first = &message.notices()[0];
    let browsers = ctx.db.many(&PUSH_SUBSCRIPTIONS, params![first.recipient]).await.map_err(NotSent::later)?;
    let (text, url) = letter::line(message.notices(), &ctx.config);
    let told = json!({"notice": first.id, "text": text, "url": url}).to_string();
    let now = ctx.now();
    // What has begun is not told by a browser that wakes up later.
    let until = first.useful_until().map_or(LONGEST_WAIT, |until| until.duration_since(now).min(LONGEST_WAIT));
    let ttl_seconds = u32::try_from(until.as_secs()).unwrap_or_default();
    let sent = PushMessage { text: told.as_bytes(), ttl_seconds, urgency: Urgency::High, topic: None };
    // At once: one push service that hangs holds up no other, nor the run.
    let told = join_all(browsers.into_iter().map(|browser| one_browser(ctx, browser, sent, now))).await;
    let (mut taken, mut later) = (false, None);
    for outcome in told {
        match outcome {
            Ok(Ok(())) => taken = true,
            Ok(Err(error)) if error.is_transient() => later = Some(NotSent::later(error)),
            Ok(Err(error)) => tracing::warn!(%error, "a browser could not be told"),
            // Of this browser alone: what rang in another does not ring there again.
            Err(error) => later = Some(error),
        }
    }
    match later {
        _ if taken => Ok(Sent::default()),
        Some(error) => Err(error),
        None => Err(NotSent::Never("no browser took it".into())),
    }
}

/// What a browser's push service says; one that is gone is forgotten.
async fn one_browser(
    ctx: &Ctx, browser: Value, sent: PushMessage<'_>, now: Timestamp,
) -> Result<Result<(), PushError>, NotSent> {
    let Ok(browser) = serde_json::from_value::<Stored>(browser) else { return Ok(Err(PushError::Gone)) };
    let subscription = browser.open(&ctx.keys).await.map_err(NotSent::later)?;
    let told = ctx.push.send(&subscription, sent, now).await;
    if matches!(told, Err(PushError::Gone)) {
        let gone = params![system(now), browser.id, browser.as_sealed()];
        ctx.db.one(&SUBSCRIPTION_GONE, gone).await.map_err(NotSent::later)?;
    }
    Ok(told)
}
