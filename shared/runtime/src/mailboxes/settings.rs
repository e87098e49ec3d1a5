use std::sync::Arc;

use domain::ids::{ExchangeServerId, MailboxId};
use exchange::auth::Tokens;
use exchange::auth::assertion::Certificate;
use exchange::auth::bearer::Bearer;
use exchange::auth::scheme::{Wanted, session};
use exchange::auth::tokens::{Authority, ClientCredentials, Credential, GRAPH};
use exchange::ews::session::{Basic, Session};
use exchange::ews::{Account, Ews, Reach, ServerVersion};
use exchange::graph::{Graph, Place};
use exchange::{Calendar, Fault, TIMEOUT, Why};
use http::Uri;
use serde::{Deserialize, Serialize};

use super::{Exchange, keep, kept};
use crate::keys::{self, KeyError, Keys};

/// What the settings of a server are sealed as.
const SETTINGS: &str = "exchange_server.settings";
/// What the address of a mailbox is sealed as.
const ADDRESS: &str = "exchange_mailbox.address";

/// How the mailboxes of an establishment are reached. Kept sealed, and shown to nobody.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    /// A tenant of Exchange Online, by an application that is registered there.
    Graph {
        /// The tenant's number, or one of its domains.
        tenant: String,
        /// The application's number.
        client: String,
        /// A secret of the application.
        secret: Option<String>,
        /// A certificate of the application and its key, in PEM: better than a secret.
        certificate: Option<(String, String)>,
    },
    /// A server of the establishment's own.
    Ews {
        /// `https://…/EWS/Exchange.asmx`.
        url: String,
        /// Who signs in.
        user: String,
        /// With what.
        password: String,
        /// How.
        sign_in: EwsSignIn,
        /// Whether it acts as the owner of a mailbox (`ApplicationImpersonation`), or was let into each calendar.
        impersonation: bool,
    },
}

/// How an account signs in to a server of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EwsSignIn {
    /// The best way that the server offers.
    Auto,
    /// NTLM, bound to the connection.
    Ntlm,
    /// Name and password with each request, over TLS.
    Basic,
    /// A token of AD FS; `user` and `password` are the application and its secret.
    Adfs {
        /// `https://sts.example.fr`.
        authority: String,
        /// The server as it is registered there.
        resource: String,
    },
}

/// The address of a mailbox, as it is kept: sealed with the key of its server.
pub struct Address;

impl Address {
    /// Sealed.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn seal(
        keys: &Keys, server: ExchangeServerId, wrapped: &str, mailbox: MailboxId, address: &str,
    ) -> Result<String, KeyError> {
        keys.owner(server, Some(wrapped)).await?.seal(ADDRESS, mailbox.as_uuid(), address)
    }

    /// Opened again.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn open(
        keys: &Keys, server: ExchangeServerId, wrapped: &str, mailbox: MailboxId, sealed: &str,
    ) -> Result<String, KeyError> {
        keys.owner(server, Some(wrapped)).await?.open(ADDRESS, mailbox.as_uuid(), sealed)
    }
}

/// By what mailboxes at one address are found: letters large and small are one there.
///
/// # Errors
/// [`KeyError::Missing`] without a lookup key.
pub fn address_lookup(keys: &Keys, address: &str) -> Result<String, KeyError> {
    keys.lookup("exchange-mailbox", &address.to_lowercase())
}

/// Why settings are of no use.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They do not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// They are not understood.
    #[error("the settings are not understood")]
    Shape,
}

/// A calendar that can be asked, and by what way.
pub enum Opened {
    /// Of Exchange Online.
    Graph(Graph),
    /// Of a server of one's own.
    Ews(Ews),
}

impl Opened {
    /// The calendar.
    pub fn calendar(&self) -> &dyn Calendar {
        match self {
            Self::Graph(graph) => graph,
            Self::Ews(ews) => ews,
        }
    }
}

impl Settings {
    /// Sealed for a new server: the row's wrapped key, and the text.
    ///
    /// # Errors
    /// As [`Keys::new_owner`].
    pub async fn sealed(&self, keys: &Keys, server: ExchangeServerId) -> Result<(String, String), SettingsError> {
        let (wrapped, key) = keys.new_owner(server).await?;
        let text = serde_json::to_string(self).map_err(|_| SettingsError::Shape)?;
        Ok((wrapped, key.seal(SETTINGS, server.as_uuid(), &text)?))
    }

    /// Opened again.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn open(
        keys: &Keys, server: ExchangeServerId, wrapped: &str, sealed: &str,
    ) -> Result<Self, SettingsError> {
        let key = keys.owner(server, Some(wrapped)).await?;
        let text = key.open(SETTINGS, server.as_uuid(), sealed)?;
        serde_json::from_str(&text).map_err(|_| SettingsError::Shape)
    }
}

impl Exchange {
    /// The calendar at an address, by these settings. `time_zone` is where its owner works.
    ///
    /// # Errors
    /// [`Fault`] when the way cannot be taken; nothing was asked of the calendar yet.
    pub async fn open(&self, settings: &Settings, address: &str, time_zone: &str) -> Result<Opened, Fault> {
        // Other settings are other tokens, even of the same server.
        let name = keys::digest(serde_json::to_string(settings).unwrap_or_default().as_bytes());
        match settings {
            Settings::Graph { tenant, client, secret, certificate } => {
                let tokens = if let Some(tokens) = kept(&self.tokens, &name) {
                    tokens
                } else {
                    self.tokens(name, (tenant, client), credential(secret.as_deref(), certificate.as_ref())?)?
                };
                let place = Place {
                    base: self.online.graph.clone(),
                    user: address.to_owned(),
                    address: address.to_owned(),
                    calendar: None,
                    time_zone: time_zone.to_owned(),
                };
                Graph::new(self.transport()?, tokens, place).map(Opened::Graph)
            }
            Settings::Ews { url, user, password, sign_in, impersonation } => {
                let session = if let Some(session) = kept(&self.sessions, &name) {
                    session
                } else {
                    let made = self.session(url, (user, password), sign_in).await?;
                    keep(&self.sessions, name, &made);
                    made
                };
                let own = user.eq_ignore_ascii_case(address);
                let reach = match impersonation {
                    _ if own => Reach::Own,
                    true => Reach::Impersonation,
                    false => Reach::Delegate,
                };
                let account = Account { mailbox: address.to_owned(), reach, version: ServerVersion::default() };
                Ews::new(session, account).map(Opened::Ews)
            }
        }
    }

    fn tokens(
        &self, name: String, (tenant, client): (&str, &str), credential: Credential,
    ) -> Result<Arc<dyn Tokens>, Fault> {
        let authority = Authority::entra(&self.online.entra, tenant, GRAPH)?;
        let made = ClientCredentials::new(self.transport()?, authority, client, credential, self.now());
        let made: Arc<dyn Tokens> = Arc::new(made);
        keep(&self.tokens, name, &made);
        Ok(made)
    }

    async fn session(&self, url: &str, account: (&str, &str), sign_in: &EwsSignIn) -> Result<Arc<dyn Session>, Fault> {
        let endpoint: Uri = url.parse().map_err(|_| Fault::new(Why::Refused, "not an address"))?;
        let transport = self.transport()?;
        let wanted = match sign_in {
            EwsSignIn::Basic => return Ok(Arc::new(Basic::new(transport, endpoint, account.0, account.1)?)),
            EwsSignIn::Adfs { authority, resource } => {
                let authority = Authority::adfs(authority, resource.as_str())?;
                let secret = Credential::Secret(account.1.to_owned());
                let tokens = ClientCredentials::new(transport.clone(), authority, account.0, secret, self.now());
                return Ok(Arc::new(Bearer::new(transport, endpoint, Arc::new(tokens))));
            }
            EwsSignIn::Ntlm => Wanted::Ntlm,
            EwsSignIn::Auto => Wanted::Auto,
        };
        session(transport, endpoint, wanted, account, self.now(), TIMEOUT).await.map(Arc::from)
    }
}

fn credential(secret: Option<&str>, certificate: Option<&(String, String)>) -> Result<Credential, Fault> {
    if let Some((certificate, key)) = certificate {
        let certificate = Certificate::from_pem(certificate, key);
        let refused = |_| Fault::new(Why::Unauthenticated, "the certificate is of no use");
        return certificate.map(|certificate| Credential::Certificate(Box::new(certificate))).map_err(refused);
    }
    let secret = secret.ok_or_else(|| Fault::new(Why::Unauthenticated, "neither secret nor certificate"))?;
    Ok(Credential::Secret(secret.to_owned()))
}
