//! Write to people about their account: links, codes, and what was done to what protects it.

mod phone;
mod words;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::SignedDuration;
use domain::ids::{AccountId, PatientId};
use domain::letter::{self, LetterKind, Link, RESET_LIFE, Secured};
use futures_util::future::join_all;
use runtime::events::{Event, Outcome};
use runtime::mail::MailError;
use runtime::people::Contact;
use runtime::{Ctx, Function, Input, Kind, Lang, Problem};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "account-mail",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(write))),
};

const PLAN_LINK: Statement<Value> = statement!("plan_link");
const PLAN_SECURED: Statement<Value> = statement!("plan_secured");
const PLAN_EMERGENCY: Statement<Value> = statement!("plan_emergency");
const PLAN_WEBHOOK: Statement<Value> = statement!("plan_webhook");
const CLAIM: Statement<Letter> = statement!("claim");
const SETTLE: Statement<Value> = statement!("settle");
const WAITING: Statement<Waiting> = statement!("waiting");

/// Twice [`runtime::mail::CONVERSATION`]; a sender killed in the middle delays a letter by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Letters of one kind that ask for something to an address in a day: nobody fills somebody's mailbox through us. After
/// them, one more to a new password each [`RESET_LIFE`]: nobody keeps somebody from it either.
const A_DAY: i64 = 5;

/// What an event says: nothing personal.
enum Fact {
    Link(Uuid),
    Secured(Change),
    Emergency(PatientId),
    PhoneCode(Uuid),
    WebhookPaused(Uuid),
}

#[derive(Debug, Deserialize)]
struct Asked {
    link: Uuid,
}

#[derive(Debug, Deserialize)]
struct Change {
    account: AccountId,
    what: Secured,
    /// Of `email-changed`: which.
    email_change: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
struct CodeAsked {
    code: Uuid,
}

#[derive(Debug, Deserialize)]
struct Emergency {
    patient: PatientId,
}

#[derive(Debug, Deserialize)]
struct Paused {
    webhook: Uuid,
}

impl Fact {
    fn of(event: Event) -> Option<Self> {
        let data = event.data;
        match event.r#type.as_str() {
            "account.opened.v1" | "account.link-asked.v1" => {
                serde_json::from_value(data).ok().map(|asked: Asked| Self::Link(asked.link))
            }
            "account.phone-code-asked.v1" => {
                serde_json::from_value(data).ok().map(|asked: CodeAsked| Self::PhoneCode(asked.code))
            }
            "account.secured.v1" => serde_json::from_value(data).ok().map(Self::Secured),
            "emergency-access.opened.v1" => {
                serde_json::from_value(data).ok().map(|access: Emergency| Self::Emergency(access.patient))
            }
            "webhook.paused.v1" => {
                serde_json::from_value(data).ok().map(|paused: Paused| Self::WebhookPaused(paused.webhook))
            }
            _ => None,
        }
    }

    /// Plans its letters, once. A code was planned by who asked for it.
    async fn plan(&self, ctx: &Ctx, event: Uuid) -> Result<(), Problem> {
        let now = ctx.now();
        match self {
            Self::Link(link) => ctx.db.one(&PLAN_LINK, params![event, *link, now, A_DAY, RESET_LIFE.as_secs()]).await?,
            Self::Secured(Change { account, what, email_change }) => {
                let parameters = params![event, account.as_uuid(), what.name(), *email_change, now];
                ctx.db.one(&PLAN_SECURED, parameters).await?
            }
            Self::PhoneCode(_) => return Ok(()),
            Self::WebhookPaused(webhook) => ctx.db.one(&PLAN_WEBHOOK, params![event, *webhook, now]).await?,
            Self::Emergency(patient) => ctx.db.one(&PLAN_EMERGENCY, params![event, patient.as_uuid(), now]).await?,
        };
        Ok(())
    }
}

/// A planned letter with all that is needed to write it.
#[derive(Debug, Deserialize)]
pub(crate) struct Letter {
    id: Uuid,
    kind: LetterKind,
    what: Option<Secured>,
    account: AccountId,
    language: Lang,
    /// Null once the account was closed.
    wrapped_key: Option<String>,
    contact: Option<String>,
    verified: bool,
    link_id: Option<Uuid>,
    link: Option<Link>,
}

#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{waiting} letters are still to be sent")]
struct Waiting {
    waiting: i64,
}

async fn write(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let id = event.id;
    let Some(fact) = Fact::of(event) else { return Ok(Outcome::Reject(Problem::new(Kind::EventRejected))) };
    if let Fact::PhoneCode(code) = fact {
        return phone::send(&ctx, code).await;
    }
    fact.plan(&ctx, id).await?;
    let (now, lease) = (ctx.now(), Uuid::now_v7());
    let claimed = ctx.db.many(&CLAIM, params![id, lease, now, now + LEASE]).await?;
    // At once: one slow conversation delays nobody else.
    let sent = join_all(claimed.into_iter().map(async |letter| {
        let (state, why) = send(&ctx, &letter).await;
        ctx.db.one(&SETTLE, params![letter.id, lease, state, why, ctx.now()]).await
    }));
    sent.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Somebody else's lease counts too: if they are killed, the event must come again.
    let waiting = ctx.db.one(&WAITING, params![id]).await?.waiting;
    Ok(if waiting == 0 {
        Outcome::Done
    } else {
        Outcome::Retry(Problem::new(Kind::Unavailable).because(Waiting { waiting }))
    })
}

/// Sends if it is still worth sending, and says how that ended: state and why.
async fn send(ctx: &Ctx, letter: &Letter) -> (&'static str, Option<String>) {
    if let Some(why) = letter::overtaken(letter.kind, letter.link, letter.verified, ctx.now()) {
        return ("skipped", Some(why.into()));
    }
    let (Some(key), Some(contact)) = (&letter.wrapped_key, &letter.contact) else {
        return ("skipped", Some("no address".into()));
    };
    let contact = match Contact::open(&ctx.keys, letter.account, key, contact).await {
        Ok(contact) => contact,
        // A key that is away comes back; one that is wrong is seen by an operator once the event is dead.
        Err(error) => return ("planned", Some(error.to_string())),
    };
    let mail = match words::mail(letter, contact.email, ctx) {
        Ok(mail) => mail,
        Err(error) => return ("failed", Some(error.to_string())),
    };
    match ctx.mail.send(&mail).await {
        Ok(()) => ("sent", None),
        Err(error) => (if error.is_transient() { "planned" } else { "failed" }, Some(MailError::to_string(&error))),
    }
}
