//! How the mailboxes of an establishment are reached.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::ExchangeServerId;
use exchange::auth::assertion::Certificate;
use exchange::ews::is_online;
use runtime::mailboxes::{EwsSignIn, Settings, SettingsError};
use runtime::page::Page;
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const LIST: Statement<ExchangeServer> = statement!("servers");
const CONNECT: Statement<Outcome> = statement!("connect_server");
const REMOVE: Statement<Removed> = statement!("remove_server");
/// Most servers of one establishment: a tenant, a server of its own, and one of each that is being left.
const MOST: i64 = 4;

/// How mailboxes of the establishment are reached (FHIR `Endpoint`). Its credentials are shown to nobody.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExchangeServer {
    id: ExchangeServerId,
    kind: ExchangeKind,
    /// For people.
    name: String,
    /// How many mailboxes are reached by it.
    mailboxes: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Of which kind a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExchangeKind {
    /// Exchange Online, by Microsoft Graph.
    Graph,
    /// Exchange Server in a house of its own, by Exchange Web Services.
    Ews,
}

/// A server, and who we are to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeServerWish {
    /// For people.
    #[schema(value_type = String, max_length = 200)]
    name: Words<200>,
    access: ExchangeAccess,
}

/// Who we are to a server. Kept sealed, never shown.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ExchangeAccess {
    /// An application that is registered in a tenant of Exchange Online, and may read and write the calendars it was given.
    Graph {
        /// The tenant's number, or one of its domains.
        #[schema(value_type = String, max_length = 200)]
        tenant: Words<200>,
        /// The application's number.
        #[schema(value_type = String, max_length = 200)]
        client: Words<200>,
        /// A secret of the application; or else a certificate.
        #[schema(value_type = Option<String>, max_length = 1000)]
        secret: Option<Words<1000>>,
        /// The application's certificate in PEM.
        #[schema(value_type = Option<String>, max_length = 20000)]
        certificate: Option<Words<20_000>>,
        /// The certificate's key in PEM, PKCS#8 or PKCS#1, unsealed.
        #[schema(value_type = Option<String>, max_length = 20000)]
        key: Option<Words<20_000>>,
    },
    /// An account of an Exchange Server 2013 SP1 or later.
    Ews {
        /// `https://…/EWS/Exchange.asmx`.
        #[schema(value_type = String, max_length = 500)]
        url: Words<500>,
        /// `DOMAIN\name` or `name@domain`.
        #[schema(value_type = String, max_length = 200)]
        user: Words<200>,
        #[schema(value_type = String, max_length = 1000)]
        password: Words<1000>,
        /// How the account signs in; the best way that the server offers when not given.
        sign_in: Option<EwsSignIn>,
        /// Whether the account acts as the owner of each mailbox (`ApplicationImpersonation`), or was let into each calendar.
        #[serde(default)]
        impersonation: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Created { server: ExchangeServer },
    TooMany,
    Unknown,
}

#[derive(Debug, Deserialize)]
struct Removed {
    used: bool,
}

/// Lists how mailboxes of the establishment of the session are reached.
#[utoipa::path(get, path = "/v1/exchange-servers", operation_id = "list_exchange_servers", tag = "exchange",
    responses((status = 200, body = Page<ExchangeServer>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<ExchangeServer>>, Problem> {
    let items = ctx.db.many(&LIST, params![actor.who(ctx.now())]).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Connects a server. Nothing is asked of it before a mailbox is put to it.
#[utoipa::path(post, path = "/v1/exchange-servers", operation_id = "connect_exchange_server", tag = "exchange",
    request_body = ExchangeServerWish,
    responses((status = 201, body = ExchangeServer), (status = 409, description = "There are four already."),
              (status = 422, description = "Not an address that we go to, or a certificate that is of no use.")))]
pub(crate) async fn connect(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<ExchangeServerWish>,
) -> Result<(StatusCode, Json<ExchangeServer>), Problem> {
    let id = ExchangeServerId::from_uuid(Uuid::now_v7());
    let kind =
        if matches!(wish.access, ExchangeAccess::Graph { .. }) { ExchangeKind::Graph } else { ExchangeKind::Ews };
    let settings = settings(wish.access)?;
    let (wrapped_key, sealed) = settings.sealed(&ctx.keys, id).await.map_err(|error| match error {
        SettingsError::Key(error) => error.into(),
        error @ SettingsError::Shape => Problem::internal(error),
    })?;
    let row = json!({
        "id": id, "kind": kind, "name": &*wish.name, "wrapped_key": wrapped_key, "settings": sealed, "most": MOST,
    });
    match ctx.db.one(&CONNECT, params![actor.who(ctx.now()), row]).await? {
        Outcome::Created { server } => Ok((StatusCode::CREATED, Json(server))),
        Outcome::TooMany => Err(Problem::new(Kind::ExchangeServersTooMany).with("most", MOST)),
        Outcome::Unknown => Err(Problem::new(Kind::NotFound)),
    }
}

/// Removes a server and its credentials, once no mailbox is reached by it.
#[utoipa::path(post, path = "/v1/exchange-servers/{id}/removal", operation_id = "remove_exchange_server", tag = "exchange",
    params(("id" = ExchangeServerId, Path)),
    responses((status = 204, description = "It is gone."), (status = 409, description = "Mailboxes are reached by it.")))]
pub(crate) async fn remove(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<ExchangeServerId>,
) -> Result<StatusCode, Problem> {
    match ctx.db.optional(&REMOVE, params![actor.who(ctx.now()), id.as_uuid()]).await? {
        Some(Removed { used: false }) => Ok(StatusCode::NO_CONTENT),
        Some(Removed { used: true }) => Err(Problem::new(Kind::ExchangeServerInUse)),
        None => Err(Problem::new(Kind::NotFound)),
    }
}

fn settings(access: ExchangeAccess) -> Result<Settings, Problem> {
    let wrong = |field: &'static str, hint: &'static str| Problem::new(Kind::FieldInvalid).field(field).hint(hint);
    match access {
        ExchangeAccess::Graph { tenant, client, secret, certificate, key } => {
            if let (Some(certificate), Some(key)) = (&certificate, &key) {
                let sound = Certificate::from_pem(certificate, key);
                sound.map_err(|error| wrong("access", "exchange-certificate").because(error))?;
            } else if secret.is_none() {
                return Err(wrong("access", "exchange-secret"));
            }
            let certificate = certificate.zip(key).map(|(certificate, key)| (certificate.into(), key.into()));
            let (tenant, client) = (tenant.into(), client.into());
            Ok(Settings::Graph { tenant, client, secret: secret.map(Into::into), certificate })
        }
        ExchangeAccess::Ews { url, user, password, sign_in, impersonation } => {
            let address = || wrong("access", "exchange-address");
            let uri: axum::http::Uri = url.parse().map_err(|_| address())?;
            let sound = matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some();
            if !sound || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return Err(address());
            }
            if uri.host().is_some_and(is_online) {
                return Err(wrong("access", "exchange-online"));
            }
            let (url, user, password) = (url.into(), user.into(), password.into());
            Ok(Settings::Ews { url, user, password, sign_in: sign_in.unwrap_or(EwsSignIn::Auto), impersonation })
        }
    }
}
