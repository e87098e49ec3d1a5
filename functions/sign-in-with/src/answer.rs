//! The provider's answer: believed, or refused with nothing left of it but the trace.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::Role;
use domain::age::{Change, has_reached, step};
use domain::identity::{Activity, Capacity, Missing, Pivot, Professional, ProviderKind};
use domain::ids::{AccountId, EstablishmentId, PatientId, SessionId};
use domain::person;
use runtime::actor::anonymous;
use runtime::device::Device;
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::{ACCESS_TOKEN_LIFE, SESSION_LIFE};
use runtime::openid::{Attempt, Identity, OpenidError, Provider};
use runtime::people::{self, Contact};
use runtime::{Ctx, Input, Kind, Lang, Problem, Segment, Words, texts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const TRY: Statement<Tried> = statement!("try");
const KNOWN: Statement<Known> = statement!("known");
const OPEN: Statement<Outcome> = statement!("open");
const REFUSE: Statement<Value> = statement!("refuse");

#[derive(Debug, Deserialize)]
struct Tried {
    linking: bool,
}

#[derive(Debug, Deserialize)]
struct Known {
    known: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Outcome {
    Refused { refused: String },
    Opened(Opened),
}

#[derive(Debug, Deserialize)]
struct Opened {
    account: AccountId,
    role: Role,
    establishment: Option<EstablishmentId>,
    capacities: Vec<Capacity>,
    in_directory: bool,
    opened: bool,
    linked: bool,
}

/// What came back from the provider, and the ticket that was not sent there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderAnswer {
    #[schema(value_type = String, max_length = 4000, pattern = r"^[^\x00]*$")]
    code: Words<4000>,
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    state: Words<200>,
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    ticket: Words<200>,
    /// As the provider sent it, where it does (RFC 9207).
    #[schema(value_type = Option<String>, max_length = 1000, pattern = r"^[^\x00]*$")]
    iss: Option<Words<1000>>,
}

/// Why a professional's session is a patient's, or must be told where it acts.
#[derive(Debug, Serialize, ToSchema)]
struct WhatIsMissing {
    /// `rpps`, `directory`, `membership` or `choice`.
    code: &'static str,
    /// In the caller's language.
    explanation: String,
}

/// A session, and in what capacity it acts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// Bearer token of every request.
    access_token: String,
    /// Good once, for the next pair.
    refresh_token: String,
    /// Life of the access token, in seconds.
    expires_in: i64,
    /// `Bearer`
    token_type: &'static str,
    /// In what capacity.
    role: Role,
    /// Where, for who works in one.
    establishment: Option<EstablishmentId>,
    /// Whether the account is new.
    account_opened: bool,
    /// Whether the identity was linked to the account just now.
    identity_linked: bool,
    /// What keeps a professional from acting as one, if anything.
    missing: Option<WhatIsMissing>,
    /// What the professional may choose between.
    capacities: Vec<Capacity>,
    /// Where the provider says the professional works.
    activities: Vec<Activity>,
    /// Where the browser goes to sign out at the provider too, after the session here has been ended.
    logout_url: Option<String>,
}

/// Ends what was begun: changes the provider's code for an identity, and opens a session for it.
#[utoipa::path(post, path = "/v1/sign-in-with/{provider}/answer", operation_id = "end_sign_in_with", tag = "sign-in-with",
    request_body = ProviderAnswer, params(("provider" = String, Path)),
    responses((status = 201, body = SignedIn),
              (status = 401, description = "The attempt is over, or the provider's answer is not believed."),
              (status = 403, description = "Who works here links only with two factors, or the identity of that professional."),
              (status = 404, description = "No such provider."),
              (status = 409, description = "The identity is another account's."),
              (status = 503, description = "The provider does not answer: the same may be sent again.")))]
pub(crate) async fn answer(
    State(ctx): State<Ctx>, lang: Lang, request: RequestId, address: ClientAddress, device: Device,
    Segment(name): Segment<String>, Input(given): Input<ProviderAnswer>,
) -> Result<(StatusCode, Json<SignedIn>), Problem> {
    let now = ctx.now();
    let provider = crate::found(&ctx, &name)?;
    let who = anonymous(request, address, now);
    let ticket = crate::ticket_hash(&given.ticket);
    let refuse = async |problem: Problem| {
        let trace = params![who.clone(), ticket.clone(), provider.name(), provider.kind().name()];
        ctx.db.one(&REFUSE, trace).await.map_or_else(Problem::from, |_| problem)
    };
    let attempt = Attempt::of(&ctx.keys, provider, &given.ticket)?;
    let tried = if attempt.is_of_state(&given.state) {
        ctx.db.optional(&TRY, params![ticket.clone(), provider.name(), now]).await?
    } else {
        None
    };
    let Some(tried) = tried else { return Err(refuse(Problem::new(Kind::SignInRefused)).await) };
    let identity = match provider.identity(&attempt, &given.code, given.iss.as_deref(), now).await {
        Ok(identity) => identity,
        Err(error @ OpenidError::Refused(_)) => return Err(refuse(error.into()).await),
        Err(error) => return Err(error.into()),
    };
    let professional = professional(provider, &identity);
    let session = SessionId::from_uuid(Uuid::now_v7());
    let (refresh_token, hash) = ctx.keys.new_token()?;
    let mut wish = json!({
        "ticket": ticket, "provider": provider.name(), "method": provider.kind().name(), "subject": identity.subject,
        "subject_lookup": people::identity_lookup(&ctx.keys, provider.name(), &identity.subject)?,
        "rpps": professional.as_ref().and_then(Professional::rpps), "session": session, "hash": hash,
        "expires_at": now + SESSION_LIFE, "level": provider.kind().level(identity.acr.as_deref()), "language": lang,
        "device": device,
    });
    let asked = params![
        provider.name(),
        identity.subject.as_str(),
        wish["rpps"].as_str(),
        now,
        wish["subject_lookup"].as_str()
    ];
    if !tried.linking
        && !ctx.db.one(&KNOWN, asked).await?.known
        && let Err(problem) = prepare_account(&ctx, provider.kind(), &identity, &mut wish, now).await
    {
        return Err(if problem.kind == Kind::FieldInvalid { refuse(problem).await } else { problem });
    }
    let opened = match ctx.db.one(&OPEN, params![who.clone(), wish]).await {
        Ok(Outcome::Opened(opened)) => opened,
        Ok(Outcome::Refused { refused }) => return Err(told(&refused)),
        Err(error) => return Err(error.into()),
    };
    let missing = professional
        .as_ref()
        .and_then(|professional| Missing::of(professional, opened.in_directory, opened.capacities.len()));
    Ok((
        StatusCode::CREATED,
        Json(SignedIn {
            access_token: ctx.keys.issue(opened.account, session, now)?,
            refresh_token,
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            token_type: "Bearer",
            role: opened.role,
            establishment: opened.establishment,
            account_opened: opened.opened,
            identity_linked: opened.linked,
            missing: missing.map(|missing| WhatIsMissing {
                code: missing.code(),
                explanation: texts::text(lang, &format!("missing-{}", missing.code()), &[]),
            }),
            activities: professional.map(|known| known.activities(&opened.capacities)).unwrap_or_default(),
            capacities: opened.capacities,
            logout_url: identity.logout_url,
        }),
    ))
}

fn professional(provider: &Provider, identity: &Identity) -> Option<Professional> {
    let of_professionals = provider.kind() == ProviderKind::ProSanteConnect;
    // What cannot be read gives no rights.
    of_professionals.then(|| Professional::deserialize(&identity.claims).unwrap_or_default())
}

/// Why the database refused, as the caller is told.
fn told(refused: &str) -> Problem {
    match refused {
        "linked" => Problem::new(Kind::IdentityLinked),
        "level" => Problem::new(Kind::SecondFactorNeeded),
        "incomplete" => Problem::new(Kind::IdentityIncomplete),
        // The attempt is used up, the account suspended, the session that began it ended.
        _ => Problem::new(Kind::SignInRefused),
    }
}

/// What a new account needs: families with their own patient file, professionals without one.
async fn prepare_account(
    ctx: &Ctx, kind: ProviderKind, identity: &Identity, wish: &mut Value, now: Timestamp,
) -> Result<(), Problem> {
    let account = AccountId::from_uuid(Uuid::now_v7());
    // Also for who tells no address: second factors are sealed with it.
    let (key, _) = ctx.keys.new_owner(account).await?;
    wish["account_key"] = json!(key);
    match kind {
        ProviderKind::ProSanteConnect => {}
        ProviderKind::FranceConnect => {
            let pivot = Pivot::deserialize(&identity.claims).ok();
            let Some(pivot) = pivot.filter(|pivot| person::birth_date(pivot.birthdate, now).is_ok()) else {
                return Ok(());
            };
            if !has_reached(pivot.birthdate, Change::OwnAccount, now) {
                return Err(Problem::new(Kind::FieldInvalid).field("birth_date").hint("too-young"));
            }
            let patient = PatientId::from_uuid(Uuid::now_v7());
            wish["patient"] = json!(patient);
            let person = people::Identity::new(&pivot.given_name, &pivot.family_name, pivot.birthdate);
            let (patient_key, sealed) = person.sealed(&ctx.keys, patient).await?;
            wish["patient_key"] = json!(patient_key);
            wish["identity"] = json!(sealed);
            wish["twin_lookup"] = json!(person.twin(&ctx.keys)?);
            wish["private_from"] = json!(step(person.birth_date, Change::PrivateMessages));
            wish["adult_from"] = json!(step(person.birth_date, Change::Independence));
            if let Some(email) = pivot.email {
                let contact = Contact { email: email.into(), phone: None };
                wish["contact"] = json!(contact.resealed(&ctx.keys, account, &key).await?);
                wish["email_lookup"] = json!(ctx.keys.lookup("email", &contact.email)?);
            }
        }
    }
    let (unknown, _) = ctx.keys.new_token()?;
    wish["account"] = json!(account);
    wish["password_hash"] = json!(ctx.keys.hash_password(unknown).await?);
    Ok(())
}
