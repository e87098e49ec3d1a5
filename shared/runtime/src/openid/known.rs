//! What is known of a provider: its discovery document and its keys, for a while.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::CoreJsonWebKey;
use openidconnect::{AsyncHttpClient as _, EndSessionUrl, JsonWebKeySet, ProviderMetadataWithLogout};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::http::Http;
use super::settings::Settings;
use super::{OpenidError, safe};

/// What was fetched is good for so long.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// An unknown key does not make us ask again before: anybody could send one.
const FLOOR: SignedDuration = SignedDuration::from_secs(10);
/// After a failure the next callers are refused at once for so long, instead of waiting each.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);
/// More keys than any provider has.
const MOST_KEYS: usize = 100;

/// A discovery document with its keys.
pub(super) struct Known {
    pub metadata: ProviderMetadataWithLogout,
    pub logout: Option<EndSessionUrl>,
    fetched_at: Timestamp,
}

impl Known {
    pub fn keys(&self) -> &JsonWebKeySet<CoreJsonWebKey> {
        self.metadata.jwks()
    }

    pub fn token_endpoint(&self) -> &str {
        self.metadata.token_endpoint().map_or("", |url| url.as_str())
    }

    pub fn userinfo_endpoint(&self) -> Option<&str> {
        self.metadata.userinfo_endpoint().map(|url| url.as_str())
    }
}

/// The last that was fetched, and the last failure.
#[derive(Default)]
pub(super) struct Cache(Mutex<(Option<Arc<Known>>, Option<Timestamp>)>);

impl Cache {
    /// What is known, fetched when it is too old.
    pub async fn get(&self, settings: &Settings, http: &Http, now: Timestamp) -> Result<Arc<Known>, OpenidError> {
        self.no_older_than(GOOD_FOR, settings, http, now).await
    }

    /// The same after it was found wanting.
    pub async fn newer(&self, settings: &Settings, http: &Http, now: Timestamp) -> Result<Arc<Known>, OpenidError> {
        self.no_older_than(FLOOR, settings, http, now).await
    }

    /// One fetches; the others wait for it.
    async fn no_older_than(
        &self, age: SignedDuration, settings: &Settings, http: &Http, now: Timestamp,
    ) -> Result<Arc<Known>, OpenidError> {
        let mut held = self.0.lock().await;
        // A clock that was set back makes what is known old, not young for ever.
        let younger = |at: Timestamp, age: SignedDuration| now.duration_since(at).abs() < age;
        if let Some(known) = held.0.as_ref().filter(|known| younger(known.fetched_at, age)) {
            return Ok(known.clone());
        }
        if held.1.is_some_and(|failed_at| younger(failed_at, PAUSE)) {
            return Err(OpenidError::Unavailable("it did not a moment ago".into()));
        }
        match fetch(settings, http, now).await {
            Ok(known) => {
                let known = Arc::new(known);
                *held = (Some(known.clone()), None);
                Ok(known)
            }
            Err(error) => {
                held.1 = Some(now);
                Err(error)
            }
        }
    }
}

async fn fetch(settings: &Settings, http: &Http, now: Timestamp) -> Result<Known, OpenidError> {
    let metadata: ProviderMetadataWithLogout = json(http, settings.discovery.as_str()).await?;
    if metadata.issuer().as_str() != settings.issuer {
        return Err(OpenidError::Unavailable("its discovery document is another issuer's".into()));
    }
    let logout = metadata.additional_metadata().end_session_endpoint.clone();
    let endpoints = [
        Some(metadata.authorization_endpoint().url()),
        metadata.token_endpoint().map(openidconnect::TokenUrl::url),
        metadata.userinfo_endpoint().map(openidconnect::UserInfoUrl::url),
        Some(metadata.jwks_uri().url()),
        logout.as_ref().map(EndSessionUrl::url),
    ];
    endpoints.into_iter().flatten().try_for_each(|url| safe(url, settings))?;
    let keys: JsonWebKeySet<CoreJsonWebKey> = json(http, metadata.jwks_uri().as_str()).await?;
    if keys.keys().len() > MOST_KEYS {
        return Err(OpenidError::Unavailable("it has too many keys".into()));
    }
    Ok(Known { metadata: metadata.set_jwks(keys), logout, fetched_at: now })
}

async fn json<T: DeserializeOwned>(http: &Http, url: &str) -> Result<T, OpenidError> {
    let unusable =
        |_| OpenidError::Unavailable("its discovery document or its keys are not what they should be".into());
    let request = ::http::Request::get(url).header("accept", "application/json").body(Vec::new());
    let request = request.map_err(|_| OpenidError::Unavailable("its address is none".into()))?;
    let answer = http.call(request).await?;
    if answer.status() != ::http::StatusCode::OK {
        return Err(OpenidError::Unavailable(format!("status {}", answer.status().as_u16())));
    }
    serde_json::from_slice(answer.body()).map_err(unusable)
}
