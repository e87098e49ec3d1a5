//! Mailboxes, each beside one agenda.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{ExchangeServerId, MailboxId, PractitionerId};
use domain::person::Email;
use domain::sync::WhenSilent;
use runtime::mailboxes::{Address, address_lookup};
use runtime::page::Page;
use runtime::{Actor, Ctx, Input, Kind, Lang, Problem, Segment, texts};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::desk::{Turn, turn};
use crate::servers::ExchangeKind;

const LIST: Statement<Sealed> = statement!("mailboxes");
const READ: Statement<Sealed> = statement!("read");
const SERVER_KEY: Statement<ServerKey> = statement!("server_key");
const CONNECT: Statement<Outcome> = statement!("connect");

/// A calendar of Exchange beside the agenda of a practitioner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mailbox {
    /// Its address.
    address: String,
    #[serde(flatten)]
    rest: MailboxState,
    /// What is wrong and what to do about it, in the reader's language; none while nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// How a mailbox does.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MailboxState {
    id: MailboxId,
    server: ExchangeServerId,
    kind: ExchangeKind,
    practitioner: PractitionerId,
    practitioner_name: String,
    state: MailboxStanding,
    /// Whether what is provisional counts as busy.
    tentative_blocks: bool,
    when_silent: WhenSilent,
    /// Whether a visit follows its item to another time that is on offer and free.
    follow_moves: bool,
    /// When everything that had changed was last known.
    #[schema(value_type = Option<String>, format = DateTime)]
    read_last_at: Option<Timestamp>,
    /// When it is looked at next.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// How long it has been due.
    late_seconds: i64,
    /// Visits that were booked without its answer since it was last read, where those are counted.
    unasked: i64,
    /// Since when it has not answered as it should.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// What is wrong, in a word.
    fault: Option<MailboxFault>,
    /// The server's own word for it.
    fault_code: Option<String>,
    /// Until when it is left alone.
    #[schema(value_type = Option<String>, format = DateTime)]
    rests_until: Option<Timestamp>,
    /// Whether its server tells of changes.
    told_of_changes: bool,
    /// Visits that it shows.
    visits: i64,
    /// Times that something in it takes, now and to come.
    blocks: i64,
    /// Of these, those in which a visit stands.
    clashes: i64,
    /// What is asked of the staff.
    questions: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A mailbox as the database has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Sealed {
    address: String,
    wrapped_key: String,
    #[serde(flatten)]
    rest: MailboxState,
}

/// Where a mailbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MailboxStanding {
    /// It is read and written.
    Active,
    /// It is left alone until it is resumed; times that it took stay taken.
    Paused,
    /// What was written into it is being taken away.
    Leaving,
    /// It is beside the agenda no more.
    Left,
}

/// What is wrong with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MailboxFault {
    /// Our credentials are not taken.
    Unauthenticated,
    /// We may not.
    Forbidden,
    /// There is no such mailbox there.
    NoMailbox,
    /// Too much was asked.
    Throttled,
    /// What was asked is refused.
    Refused,
    /// The answer is not understood.
    Malformed,
    /// No answer.
    Unavailable,
    /// The fault is on our side.
    Ours,
}

impl MailboxFault {
    const fn word(self) -> &'static str {
        match self {
            Self::Unauthenticated => "mailbox-unauthenticated",
            Self::Forbidden => "mailbox-forbidden",
            Self::NoMailbox => "mailbox-none",
            Self::Throttled => "mailbox-throttled",
            Self::Refused => "mailbox-refused",
            Self::Malformed => "mailbox-malformed",
            Self::Unavailable => "mailbox-unavailable",
            Self::Ours => "mailbox-ours",
        }
    }
}

#[derive(Debug, Deserialize)]
struct ServerKey {
    wrapped_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Created { mailbox: Box<Sealed> },
    Taken,
    Unknown,
}

/// Opens what was sealed, for who may see it.
pub(crate) async fn shown(ctx: &Ctx, lang: Lang, sealed: Sealed) -> Result<Mailbox, Problem> {
    let Sealed { address, wrapped_key, rest } = sealed;
    let address = Address::open(&ctx.keys, rest.server, &wrapped_key, rest.id, &address).await?;
    let trouble = rest.fault.map(|fault| texts::text(lang, fault.word(), &[]));
    Ok(Mailbox { address, rest, trouble })
}

/// Lists the mailboxes of the establishment of the session: all of them for its administrators, those beside their agendas for others.
#[utoipa::path(get, path = "/v1/exchange-mailboxes", operation_id = "list_mailboxes", tag = "exchange",
    responses((status = 200, body = Page<Mailbox>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, actor: Actor, lang: Lang) -> Result<Json<Page<Mailbox>>, Problem> {
    let mut items = Vec::new();
    for sealed in ctx.db.many(&LIST, params![actor.who(ctx.now())]).await? {
        items.push(shown(&ctx, lang, sealed).await?);
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Which calendar, beside whose agenda.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailboxWish {
    server: ExchangeServerId,
    practitioner: PractitionerId,
    /// The mailbox's primary address.
    address: Email,
    /// Whether what is provisional counts as busy; so it does when not given.
    tentative_blocks: Option<bool>,
    /// What happens to a booking when the calendar does not answer; it is made when not given.
    when_silent: Option<WhenSilent>,
    /// Whether a visit follows its item to another time that is on offer and free; the staff are asked when not given.
    follow_moves: Option<bool>,
}

/// Puts a calendar beside an agenda. It is read at once; what is booked shows in it from then on.
#[utoipa::path(post, path = "/v1/exchange-mailboxes", operation_id = "connect_mailbox", tag = "exchange", request_body = MailboxWish,
    responses((status = 201, body = Mailbox), (status = 404, description = "No such server or practitioner there."),
              (status = 409, description = "The agenda has a calendar already.")))]
pub(crate) async fn connect(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Input(wish): Input<MailboxWish>,
) -> Result<(StatusCode, Json<Mailbox>), Problem> {
    let who = actor.who(ctx.now());
    let key = ctx.db.optional(&SERVER_KEY, params![who.clone(), wish.server.as_uuid()]).await?;
    let key = key.ok_or_else(|| Problem::new(Kind::NotFound).field("server"))?;
    let id = MailboxId::from_uuid(Uuid::now_v7());
    let address = wish.address.as_str();
    let row = json!({
        "id": id, "server": wish.server, "practitioner": wish.practitioner,
        "address": Address::seal(&ctx.keys, wish.server, &key.wrapped_key, id, address).await?,
        "address_lookup": address_lookup(&ctx.keys, address)?,
        "tentative_blocks": wish.tentative_blocks.unwrap_or(true),
        "when_silent": wish.when_silent.unwrap_or(WhenSilent::Accept),
        "follow_moves": wish.follow_moves.unwrap_or(false),
    });
    match ctx.db.one(&CONNECT, params![who, row]).await? {
        Outcome::Created { mailbox } => Ok((StatusCode::CREATED, Json(shown(&ctx, lang, *mailbox).await?))),
        Outcome::Taken => Err(Problem::new(Kind::MailboxTaken)),
        Outcome::Unknown => Err(Problem::new(Kind::NotFound)),
    }
}

/// Reads a mailbox.
#[utoipa::path(get, path = "/v1/exchange-mailboxes/{id}", operation_id = "read_mailbox", tag = "exchange",
    params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn read(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>,
) -> Result<Json<Mailbox>, Problem> {
    let sealed = ctx.db.optional(&READ, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let sealed = sealed.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(shown(&ctx, lang, sealed).await?))
}

/// What is changed; what is not given stays.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailboxChange {
    tentative_blocks: Option<bool>,
    when_silent: Option<WhenSilent>,
    follow_moves: Option<bool>,
}

/// Changes a mailbox's rules.
#[utoipa::path(patch, path = "/v1/exchange-mailboxes/{id}", operation_id = "change_mailbox", tag = "exchange",
    request_body = MailboxChange, params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn change(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>,
    Input(wish): Input<MailboxChange>,
) -> Result<Json<Mailbox>, Problem> {
    turn(&ctx, &actor, lang, id, Turn::Change(wish)).await
}
