//! Book an open slot for a patient, or hold it for a few minutes and let it go.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::appointment::{self, Booking, BookingError, HOLD_MINUTES, MAX_HOLDS, OfferPatient, Status};
use domain::ids::{AppointmentId, PatientId};
use domain::person::Note;
use domain::slot_token::SlotToken;
use domain::{SignedDuration, Timestamp};
use runtime::keys::KeyError;
use runtime::problem::booking_refused;
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Actor, Ctx, Function, IdempotencyKey, Input, Kind, Lang, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::shared::OFFER;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "book", manifest: include_str!("../function.yaml"), routes: router, events: None };

const BOOK: Statement<Booked> = statement!("book");
const SECRECY: Statement<Secrecy> = statement!("secrecy");
const REPLAY: Statement<Booked> = statement!("replay");
const RELEASE: Statement<Value> = statement!("release");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(book)).routes(routes!(hold)).routes(routes!(release))
}

/// What is asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingWish {
    /// As a search returned it.
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    slot: Words<200>,
    /// Who comes; the account's own patient when not given.
    patient: Option<PatientId>,
    /// Words for the practitioner; kept sealed.
    note: Option<Note>,
    /// Whether those who act for a minor are never to see the visit nor to be told of it. For the minor themself, and for
    /// those who work for the practitioner when the minor asks. A secret hold makes a secret visit.
    // Not written when it is not asked for: keys of former requests keep their hash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    secret: bool,
}

/// Of whom a visit may be kept secret by the actor.
#[derive(Debug, Deserialize)]
struct Secrecy {
    of_age: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum Booked {
    Created { appointment: Box<AppointmentRow> },
    Replayed { appointment: Box<AppointmentRow> },
    KeyReused,
}

/// Books a slot. The same key always gives the same appointment.
#[utoipa::path(post, path = "/v1/appointments", operation_id = "book_appointment", tag = "book", request_body = BookingWish,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "The client's name for this booking; sent again, it gives the same answer.")),
    responses((status = 201, body = Appointment, links(
        ("read" = (operation_id = "read_appointment", parameters(("id" = "$response.body#/id")))),
        ("cancel" = (operation_id = "cancel_appointment", parameters(("id" = "$response.body#/id")))),
        ("move" = (operation_id = "move_appointment", parameters(("id" = "$response.body#/id")))))),
              (status = 404, description = "No such slot, or no such patient for you."),
              (status = 409, description = "The slot cannot be had, or the patient of a secret visit is of age.")))]
async fn book(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, key: IdempotencyKey, Input(wish): Input<BookingWish>,
) -> Result<Created, Problem> {
    book_or_hold(&ctx, &actor, lang, &key, wish, Status::Booked).await
}

/// Holds a slot for five minutes. Booking it, or anything that overlaps it, for the same patient takes the hold up.
#[utoipa::path(post, path = "/v1/holds", operation_id = "hold_slot", tag = "book", request_body = BookingWish,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "The client's name for this hold; sent again, it gives the same answer.")),
    responses((status = 201, body = Appointment, links(
        ("read" = (operation_id = "read_appointment", parameters(("id" = "$response.body#/id")))),
        ("release" = (operation_id = "release_hold", parameters(("id" = "$response.body#/id")))))),
              (status = 404, description = "No such slot, or no such patient for you."),
              (status = 409, description = "The slot cannot be had, the account holds five already, or the patient of a secret visit is of age.")))]
async fn hold(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, key: IdempotencyKey, Input(wish): Input<BookingWish>,
) -> Result<Created, Problem> {
    book_or_hold(&ctx, &actor, lang, &key, wish, Status::Held).await
}

/// Lets a hold go before its time. Sent again, or after the hold has ended by itself, it gives the same answer.
#[utoipa::path(delete, path = "/v1/holds/{id}", operation_id = "release_hold", tag = "book",
    params(("id" = AppointmentId, Path)),
    responses((status = 204, description = "The slot is free again."), (status = 404, description = "No such hold of yours.")))]
async fn release(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<AppointmentId>,
) -> Result<StatusCode, Problem> {
    let released = ctx.db.optional(&RELEASE, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    released.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::new(Kind::NotFound))
}

type Created = (StatusCode, Json<Appointment>);

async fn book_or_hold(
    ctx: &Ctx, actor: &Actor, lang: Lang, key: &IdempotencyKey, wish: BookingWish, status: Status,
) -> Result<Created, Problem> {
    let now = ctx.now();
    let named = wish.patient;
    // The trace of a refusal says whom it was about.
    let about = |refused: Problem| match named {
        Some(patient) => refused.about(patient.as_uuid()),
        None => refused,
    };
    let request = Request {
        actor,
        who: actor.who(now),
        key,
        status,
        now,
        hash: ctx.keys.fingerprint(&serde_json::to_vec(&wish).unwrap_or_default())?,
    };
    let booked = match load_and_decide(ctx, &request, wish).await {
        Ok((document, patient)) => write(ctx, &request, document, patient).await.map_err(about)?,
        // What was booked under this key stays booked, though the slot be past by now or the rules others.
        Err(refused) if refused.kind.status().is_client_error() => {
            replay(ctx, &request).await?.ok_or_else(|| about(refused))?
        }
        Err(failed) => return Err(failed),
    };
    match booked {
        Booked::Created { appointment } | Booked::Replayed { appointment } => {
            Ok((StatusCode::CREATED, Json(appointment.view(lang))))
        }
        Booked::KeyReused => Err(Problem::new(Kind::IdempotencyKeyReused).field("Idempotency-Key")),
    }
}

/// Who asks for what, when, under which key.
struct Request<'a> {
    actor: &'a Actor,
    who: Value,
    key: &'a IdempotencyKey,
    status: Status,
    now: Timestamp,
    hash: String,
}

impl Request<'_> {
    /// Keys of bookings and of holds are apart.
    fn operation(&self) -> &'static str {
        if self.status == Status::Held { "hold" } else { "book" }
    }
}

/// Reads the rules and decides: the document of the write, or why not.
async fn load_and_decide(ctx: &Ctx, request: &Request<'_>, wish: BookingWish) -> Result<(Value, PatientId), Problem> {
    let slot: SlotToken = wish.slot.parse().map_err(|_| BookingError::SlotUnknown)?;
    let offer = ctx.db.optional(
        &OFFER,
        params![
            request.who.clone(),
            slot.practitioner.as_uuid(),
            slot.site.as_uuid(),
            slot.reason.as_uuid(),
            wish.patient.map(PatientId::as_uuid),
            slot.starts_at(),
            "create",
        ],
    );
    let offer = offer.await?.ok_or(BookingError::SlotUnknown)?;
    let patient = offer.patient.as_ref().ok_or(BookingError::NoSuchPatient)?;
    if wish.secret {
        require_secrecy(ctx, request, &slot, patient).await?;
    }
    let Booking { slot, reserved } = appointment::decide(&offer, &slot, request.now)?;
    runtime::mailboxes::ask(ctx, offer.calendar.as_ref(), slot.starts_at, slot.ends_at).await?;
    let id = AppointmentId::from_uuid(Uuid::now_v7());
    let note = match &wish.note {
        Some(note) => Some(sealed_note(ctx, patient, id, note).await?),
        None => None,
    };
    let document = json!({
        "id": id, "practitioner": slot.practitioner, "patient": patient.id,
        "site": slot.site, "reason": slot.reason, "channel": slot.channel,
        "starts_at": slot.starts_at, "ends_at": slot.ends_at,
        "reserved_from": reserved.start(), "reserved_until": reserved.end(), "agenda_version": offer.agenda_version,
        "note": note, "secret": wish.secret, "status": request.status,
        "hold_expires_at": (request.status == Status::Held).then(|| request.now + SignedDuration::from_mins(HOLD_MINUTES)),
        "most_holds": MAX_HOLDS, "operation": request.operation(), "key": request.key.as_str(), "request_hash": request.hash,
    });
    Ok((document, patient.id))
}

/// Whether the visit may be kept from those who act for the patient: as for one that is booked already.
async fn require_secrecy(
    ctx: &Ctx, request: &Request<'_>, slot: &SlotToken, patient: &OfferPatient,
) -> Result<(), Problem> {
    let parameters =
        params![request.who.clone(), patient.id.as_uuid(), slot.practitioner.as_uuid(), slot.site.as_uuid()];
    match ctx.db.optional(&SECRECY, parameters).await? {
        None => Err(BookingError::NoSuchPatient.into()),
        Some(Secrecy { of_age: true }) => Err(BookingError::OfAge.into()),
        Some(Secrecy { of_age: false }) => Ok(()),
    }
}

async fn sealed_note(
    ctx: &Ctx, patient: &OfferPatient, appointment: AppointmentId, note: &Note,
) -> Result<String, KeyError> {
    let key = ctx.keys.owner(patient.id, patient.wrapped_key.as_deref()).await?;
    key.seal("appointment.note", appointment.as_uuid(), note.as_str())
}

async fn write(ctx: &Ctx, request: &Request<'_>, document: Value, patient: PatientId) -> Result<Booked, Problem> {
    let booked = ctx.db.one(&BOOK, params![request.who.clone(), document]).await;
    booked.map_err(|error| booking_refused(error, patient, request.actor.standing.role))
}

async fn replay(ctx: &Ctx, request: &Request<'_>) -> Result<Option<Booked>, Problem> {
    let parameters = params![request.who.clone(), request.operation(), request.key.as_str(), request.hash.as_str()];
    match ctx.db.optional(&REPLAY, parameters).await {
        // Booked by who may not read it any more.
        Err(error) if error.is_constraint("right_needed") => Ok(None),
        replayed => Ok(replayed?),
    }
}
