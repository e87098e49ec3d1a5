//! Signing in with an identity provider: one `OpenID` Connect client, and providers that are described by configuration.
//!
//! Code flow with PKCE (S256), `state` and `nonce`. What a provider says is believed only after the checks of `verify`. A
//! provider that does not answer is told apart from one whose answer is refused.

mod assertion;
mod http;
mod known;
mod settings;
mod verify;

use std::time::Duration;

use domain::identity::{self, ProviderKind};
use jiff::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AdditionalClaims, AuthType, AuthenticationContextClass, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpResponse, IdTokenFields, LogoutRequest,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::http::{Http, HttpError};
use self::known::{Cache, Known};
pub use self::settings::SettingsError;
use self::settings::{Authentication, Settings};
use crate::config::Config;
use crate::keys::{KeyError, Keys};
use crate::{Kind, Problem};

/// Longest conversation with a provider within one request of ours; the edge cuts at 10 s.
const CONVERSATION: Duration = Duration::from_secs(8);

/// Claims of an id token that the library does not read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
}
impl AdditionalClaims for Extra {}

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum OpenidError {
    /// The provider does not answer as one: down, slow, sending elsewhere. Worth another try later.
    #[error("the provider does not answer: {0}")]
    Unavailable(String),
    /// What it answered is not believed. The word says which check refused it; nothing personal.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// It does not accept us as its client: our configuration is wrong.
    #[error("the provider refuses this client: {0}")]
    Misconfigured(String),
}

impl From<HttpError> for OpenidError {
    fn from(error: HttpError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<OpenidError> for Problem {
    fn from(error: OpenidError) -> Self {
        let kind = match error {
            OpenidError::Unavailable(_) => Kind::Unavailable,
            OpenidError::Refused(_) => Kind::SignInRefused,
            OpenidError::Misconfigured(_) => Kind::Internal,
        };
        Self::new(kind).because(error)
    }
}

/// Every provider of the configuration.
#[derive(Default)]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// From `OPENID_PROVIDERS`: a JSON list, or the path of a file that holds one.
    ///
    /// # Errors
    /// Says what is wrong, never a value.
    pub fn from_config(config: &Config) -> Result<Self, SettingsError> {
        let Some(given) = config.openid_providers.as_deref().map(str::trim) else { return Ok(Self::default()) };
        let read = |path| std::fs::read_to_string(path).map_err(|_| SettingsError("the file cannot be read".into()));
        let text = if given.starts_with('[') { given.to_owned() } else { read(given)? };
        let plain = config.is_development();
        let settings = settings::parse(&text, plain)?;
        Ok(Self(settings.into_iter().map(Provider::new).collect::<Result<_, _>>()?))
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }

    /// The provider of that name.
    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.settings.name == name)
    }
}

/// The secrets of one attempt to sign in. All come from one random ticket by HMAC, so that a copy of the database, which
/// holds the ticket's hash, gives none of them.
pub struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
}

impl Attempt {
    /// The attempt that a ticket opens.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn of(keys: &Keys, provider: &Provider, ticket: &str) -> Result<Self, KeyError> {
        // 43 characters each: nonces of 22 and verifiers of 43 are the least that is accepted.
        let derive = |what: &str| keys.fingerprint(format!("openid {what} {} {ticket}", provider.name()).as_bytes());
        Ok(Self { state: derive("state")?, nonce: derive("nonce")?, verifier: derive("verifier")? })
    }

    /// What the provider sends back with its answer.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Whether a state is this attempt's, in a time that tells nothing of it.
    pub fn is_of_state(&self, given: &str) -> bool {
        crate::keys::digest(given.as_bytes()) == crate::keys::digest(self.state.as_bytes())
    }
}

/// Who the provider says it is, after all checks.
pub struct Identity {
    /// Who, at this provider and for this client.
    pub subject: String,
    /// How surely authenticated.
    pub acr: Option<String>,
    /// Everything else it says of them.
    pub claims: Value,
    /// Where a browser goes to sign out there too.
    pub logout_url: Option<String>,
}

/// One provider, with what is known of it.
pub struct Provider {
    settings: Settings,
    http: Http,
    cache: Cache,
}

impl Provider {
    fn new(mut settings: Settings) -> Result<Self, SettingsError> {
        let unusable =
            |name: &str| SettingsError(format!("{name}: no authority to trust, or a certificate without its key"));
        let http =
            Http::new(settings.plain, std::mem::take(&mut settings.trust)).map_err(|_| unusable(&settings.name))?;
        Ok(Self { settings, http, cache: Cache::default() })
    }

    /// In paths.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// On buttons.
    pub fn label(&self) -> &str {
        &self.settings.label
    }

    /// What it vouches for.
    pub fn kind(&self) -> ProviderKind {
        self.settings.kind
    }

    /// Where a browser goes to sign in.
    ///
    /// # Errors
    /// [`OpenidError::Unavailable`] when nothing is known of the provider and it does not answer.
    pub async fn authorize_url(&self, attempt: &Attempt, now: Timestamp) -> Result<String, OpenidError> {
        let known = bounded(self.cache.get(&self.settings, &self.http, now)).await?;
        let client = self.client(&known);
        let (state, nonce) = (CsrfToken::new(attempt.state.clone()), Nonce::new(attempt.nonce.clone()));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(attempt.verifier.clone()));
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let request = client.authorize_url(flow, || state, || nonce).set_pkce_challenge(challenge).add_scopes(scopes);
        let acr = self.settings.acr_values.iter().cloned().map(AuthenticationContextClass::new);
        Ok(acr.fold(request, openidconnect::AuthorizationRequest::add_auth_context_value).url().0.into())
    }

    /// Changes a code for who it is. `iss` is that of the authorization response (RFC 9207): none where the provider sends none.
    ///
    /// # Errors
    /// [`OpenidError::Unavailable`], [`OpenidError::Refused`], [`OpenidError::Misconfigured`].
    pub async fn identity(
        &self, attempt: &Attempt, code: &str, iss: Option<&str>, now: Timestamp,
    ) -> Result<Identity, OpenidError> {
        self.told(bounded(self.ask(attempt, code, iss, now)).await)
    }

    /// Which check refused is for operators: it would tell an attacker how far they came. Other failures the edge logs.
    fn told<T>(&self, answer: Result<T, OpenidError>) -> Result<T, OpenidError> {
        if let Err(error @ OpenidError::Refused(_)) = &answer {
            tracing::warn!(provider = self.name(), %error, "nobody was signed in");
        }
        answer
    }

    async fn ask(
        &self, attempt: &Attempt, code: &str, iss: Option<&str>, now: Timestamp,
    ) -> Result<Identity, OpenidError> {
        let mut known = self.cache.get(&self.settings, &self.http, now).await?;
        if iss.map_or(known.names_itself, |iss| iss != self.settings.issuer) {
            return Err(OpenidError::Refused("iss"));
        }
        let tokens = self.exchange(&known, attempt, code, now).await?;
        let id_token = tokens.id_token().ok_or(OpenidError::Refused("no id token"))?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let verified = match verify::id_token(&self.settings, &known, id_token, &nonce, now) {
            // Perhaps its keys are others since we looked: once again, unless we have just looked.
            Err(OpenidError::Refused(verify::UNKNOWN_KEY)) => {
                known = self.cache.newer(&self.settings, &self.http, now).await?;
                verify::id_token(&self.settings, &known, id_token, &nonce, now)?
            }
            verified => verified?,
        };
        verify::access_token(&self.settings, &known, id_token, verified, tokens.access_token())?;
        let subject = verified.subject().to_string();
        let acr = verified.auth_context_ref().map(|acr| acr.to_string());
        if !identity::acr_suffices(&self.settings.acr_values, acr.as_deref()) {
            return Err(OpenidError::Refused("acr"));
        }
        let answer = self.userinfo(&known, tokens.access_token().secret()).await?;
        let claims = match verify::userinfo(&self.settings, &known, &answer, &subject, now) {
            Err(OpenidError::Refused(verify::UNKNOWN_KEY)) => {
                let known = self.cache.newer(&self.settings, &self.http, now).await?;
                verify::userinfo(&self.settings, &known, &answer, &subject, now)?
            }
            claims => claims?,
        };
        let logout_url = known.logout.clone().map(|endpoint| {
            let request = LogoutRequest::from(endpoint).set_id_token_hint(id_token);
            let request = match &self.settings.post_logout_redirect_uri {
                Some(back) => request
                    .set_state(CsrfToken::new(attempt.state.clone()))
                    .set_post_logout_redirect_uri(PostLogoutRedirectUrl::from_url(back.clone())),
                None => request,
            };
            request.http_get_url().into()
        });
        Ok(Identity { subject, acr, claims, logout_url })
    }

    async fn exchange(
        &self, known: &Known, attempt: &Attempt, code: &str, now: Timestamp,
    ) -> Result<Tokens, OpenidError> {
        let client = self.client(known);
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.map_err(|_| OpenidError::Unavailable("it has no token endpoint".into()))?;
        let mut request = request.set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        if let Some(key) = &self.settings.signing {
            let assertion = key.assertion(&self.settings.client_id, known.token_endpoint(), now);
            let assertion = assertion.ok_or_else(|| OpenidError::Misconfigured("private_key does not sign".into()))?;
            request = request
                .add_extra_param("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .add_extra_param("client_assertion", assertion);
        }
        request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(told) => match told.error() {
                CoreErrorResponseType::InvalidGrant => OpenidError::Refused("code"),
                // The provider's own words; they are about us, not about a person.
                other => OpenidError::Misconfigured(other.as_ref().to_owned()),
            },
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => OpenidError::Refused("token answer"),
        })
    }

    async fn userinfo(&self, known: &Known, access_token: &str) -> Result<HttpResponse, OpenidError> {
        use openidconnect::AsyncHttpClient as _;
        let signed = !self.settings.userinfo_algorithms.is_empty();
        let endpoint =
            known.userinfo_endpoint().ok_or_else(|| OpenidError::Unavailable("it has no userinfo".into()))?;
        let request = ::http::Request::get(endpoint)
            .header("accept", if signed { "application/jwt" } else { "application/json" })
            .header("authorization", format!("Bearer {access_token}"))
            .body(Vec::new())
            .map_err(|_| OpenidError::Refused("access token"))?;
        let answer = self.http.call(request).await?;
        if answer.status() != ::http::StatusCode::OK {
            return Err(OpenidError::Refused("userinfo"));
        }
        Ok(answer)
    }

    fn client(&self, known: &Known) -> Client {
        let secret = match self.settings.authentication {
            Authentication::PrivateKeyJwt => None,
            _ => self.settings.client_secret.clone().map(ClientSecret::new),
        };
        let way = match self.settings.authentication {
            Authentication::ClientSecretBasic => AuthType::BasicAuth,
            Authentication::ClientSecretPost | Authentication::PrivateKeyJwt => AuthType::RequestBody,
        };
        Client::from_provider_metadata(known.metadata.clone(), ClientId::new(self.settings.client_id.clone()), secret)
            .set_auth_type(way)
            .set_redirect_uri(RedirectUrl::from_url(self.settings.redirect_uri.clone()))
    }
}

/// Cuts a conversation that takes too long.
async fn bounded<T>(work: impl Future<Output = Result<T, OpenidError>>) -> Result<T, OpenidError> {
    let late = || OpenidError::Unavailable("no answer in time".into());
    crate::pace::timeout(CONVERSATION, work).await.unwrap_or_else(|_| Err(late()))
}

/// Whether a URL of a provider may be called or sent to.
fn safe(url: &Url, settings: &Settings) -> Result<(), OpenidError> {
    let safe = settings::is_safe(url, settings.plain);
    if safe { Ok(()) } else { Err(OpenidError::Unavailable("it names an address that is not https".into())) }
}
