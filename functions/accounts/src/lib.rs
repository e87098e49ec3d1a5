//! Sign up; what an account is, what protects it, and its end; its patients.

mod devices;
mod email_change;
mod holder;
mod own;
mod passwords;
mod patients;
mod phone;
mod verification;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Date;
use domain::age::{Change, has_reached, step};
use domain::availability::Day;
use domain::ids::{AccountId, PatientId};
use domain::letter::VERIFY_LIFE;
use domain::person::{self, Email, Name, NewPassword, Phone};
use runtime::actor::anonymous;
use runtime::edge::{ClientAddress, RequestId};
use runtime::people::{Contact, Identity};
use runtime::{Ctx, Function, Input, Kind, Lang, Problem};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "accounts", manifest: include_str!("../function.yaml"), routes: router, events: None };

const SIGN_UP: Statement<Account> = statement!("sign_up");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(patients::list, patients::add))
        .routes(routes!(verification::verify))
        .routes(routes!(verification::ask))
        .routes(routes!(passwords::ask_reset))
        .routes(routes!(passwords::reset))
        .routes(routes!(passwords::change))
        .routes(routes!(email_change::ask))
        .routes(routes!(email_change::confirm))
        .routes(routes!(email_change::refuse))
        .routes(routes!(phone::change))
        .routes(routes!(phone::verify))
        .routes(routes!(phone::ask))
        .routes(routes!(devices::list))
        .routes(routes!(devices::end_one))
        .routes(routes!(devices::end_all))
        .routes(routes!(devices::revoke))
        .routes(routes!(holder::read))
        .routes(routes!(holder::close))
}

/// Who signs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    email: Email,
    password: NewPassword,
    given_name: Name,
    family_name: Name,
    #[schema(value_type = String, format = Date, example = "1988-05-12")]
    birth_date: Day,
    phone: Option<Phone>,
}

/// An account and its own patient file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Account {
    id: AccountId,
    /// The account holder as a patient.
    patient: PatientId,
}

/// Opens an account. Messages will be written in the language it is opened in. The answer is the same whether or not
/// somebody has an account with that address: whose it is, the mail to it finds out. From the age of 15; for whoever is
/// younger a parent acts.
#[utoipa::path(post, path = "/v1/accounts", operation_id = "sign_up", tag = "accounts", request_body = NewAccount,
    responses((status = 201, body = Account)))]
async fn sign_up(
    State(ctx): State<Ctx>, lang: Lang, request: RequestId, address: ClientAddress, Input(new): Input<NewAccount>,
) -> Result<(StatusCode, Json<Account>), Problem> {
    let now = ctx.now();
    let birth_date = checked_birth_date(new.birth_date, now)?;
    if !has_reached(birth_date, Change::OwnAccount, now) {
        return Err(Problem::new(Kind::FieldInvalid).field("birth_date").hint("too-young"));
    }
    let account = AccountId::from_uuid(Uuid::now_v7());
    let contact = Contact { email: new.email.into(), phone: new.phone.map(String::from) };
    let (account_key, contact_sealed) = contact.sealed(&ctx.keys, account).await?;
    let identity = Identity::new(&new.given_name, &new.family_name, birth_date);
    let password_hash = own::new_hash(&ctx, "password", new.password, &contact, Some(&identity)).await?;
    let patient = PatientId::from_uuid(Uuid::now_v7());
    let (patient_key, identity_sealed) = identity.sealed(&ctx.keys, patient).await?;
    let document = json!({
        "account": account, "account_key": account_key, "contact": contact_sealed,
        "email_lookup": ctx.keys.lookup("email", &contact.email)?, "password_hash": password_hash,
        "language": lang, "patient": patient, "patient_key": patient_key, "identity": identity_sealed,
        "twin_lookup": identity.twin(&ctx.keys)?,
        "private_from": step(birth_date, Change::PrivateMessages), "adult_from": step(birth_date, Change::Independence),
        "link": Uuid::now_v7(), "link_until": now + VERIFY_LIFE,
    });
    let account = ctx.db.one(&SIGN_UP, params![anonymous(request, address, now), document]).await?;
    Ok((StatusCode::CREATED, Json(account)))
}

fn checked_birth_date(day: Day, now: domain::Timestamp) -> Result<Date, Problem> {
    person::birth_date(day.date(), now)
        .map_err(|refused| Problem::new(Kind::FieldInvalid).field("birth_date").hint(refused.code()))
}
