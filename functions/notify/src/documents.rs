//! Telling people that a document is there.

use domain::ids::{AccountId, DocumentId, NoticeId};
use futures_util::future::join_all;
use runtime::events::{Event, Outcome};
use runtime::keys::KeyError;
use runtime::people::Contact;
use runtime::{Ctx, Kind, Lang, Problem};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use uuid::Uuid;

use crate::{LEASE, SETTLE, letter, outcome, send};

/// What it is told by.
pub(crate) const EVENT: &str = "document.available.v1";

const PLAN_DOCUMENT: Statement<Value> = statement!("plan_document");
const CLAIM_DOCUMENT: Statement<Notice> = statement!("claim_document");

#[derive(Debug, Deserialize)]
struct Data {
    document: DocumentId,
    version: i64,
}

/// A planned message with all that is needed to write it.
#[derive(Debug, Deserialize)]
struct Notice {
    id: NoticeId,
    document: DocumentId,
    /// Whether the recipient may see the document still.
    still_theirs: bool,
    recipient: Uuid,
    address: Option<String>,
    contact: Option<String>,
    wrapped_key: Option<String>,
    language: Lang,
}

impl Notice {
    /// A practitioner's of the directory, or an account's, opened.
    async fn address(&self, ctx: &Ctx) -> Result<Option<String>, KeyError> {
        match (&self.contact, &self.wrapped_key) {
            (Some(contact), Some(key)) => {
                let account = AccountId::from_uuid(self.recipient);
                Ok(Some(Contact::open(&ctx.keys, account, key, contact).await?.email))
            }
            _ => Ok(self.address.clone()),
        }
    }

    async fn tell(&self, ctx: &Ctx) -> (&'static str, Option<String>) {
        if !self.still_theirs {
            return ("skipped", Some("not theirs to see".into()));
        }
        let to = match self.address(ctx).await {
            Ok(Some(to)) => to,
            Ok(None) => return ("skipped", Some("no address".into())),
            Err(error) => return ("planned", Some(error.to_string())),
        };
        match letter::of_document(to, self.language, self.document, self.id, &ctx.config) {
            Ok(mail) => send(ctx, &mail).await,
            Err(error) => ("failed", Some(error.to_string())),
        }
    }
}

/// Plans one notice for each person concerned and sends those that are still worth it.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn notify(ctx: &Ctx, event: Event) -> Result<Outcome, Problem> {
    let Ok(data) = serde_json::from_value::<Data>(event.data) else {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    };
    let now = ctx.now();
    ctx.db.one(&PLAN_DOCUMENT, params![event.id, data.document.as_uuid(), data.version, now]).await?;
    let lease = Uuid::now_v7();
    let claimed = ctx.db.many(&CLAIM_DOCUMENT, params![event.id, lease, now, now + LEASE]).await?;
    let told = join_all(claimed.into_iter().map(async |notice| {
        let (state, why) = notice.tell(ctx).await;
        ctx.db.one(&SETTLE, params![notice.id.as_uuid(), lease, state, why, ctx.now()]).await
    }));
    told.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    outcome(ctx, event.id).await
}
