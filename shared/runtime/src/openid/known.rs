//! What is known of a provider: its discovery document and its keys, for a while.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::CoreJsonWebKey;
use openidconnect::{AsyncHttpClient as _, EndSessionUrl, JsonWebKeySet, ProviderMetadataWithLogout};
use serde::de::DeserializeOwned;
use serde_json::Value;
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

/// Least length of a provider's RSA key, in bits (NIST SP 800-131A).
const LEAST_RSA: usize = 2048;

/// A discovery document with its keys.
pub(super) struct Known {
    pub metadata: ProviderMetadataWithLogout,
    pub logout: Option<EndSessionUrl>,
    /// Whether every authorization response has `iss` (RFC 9207): then one without is not this provider's.
    pub names_itself: bool,
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
        let mut held = crate::pace::lock(&self.0).await;
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
    let document: Value = json(http, settings.discovery.as_str()).await?;
    let names_itself = document["authorization_response_iss_parameter_supported"] == true;
    let metadata: ProviderMetadataWithLogout = serde_json::from_value(document)
        .map_err(|_| OpenidError::Unavailable("its discovery document is not what it should be".into()))?;
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
    let mut keys: Value = json(http, metadata.jwks_uri().as_str()).await?;
    let before = keys["keys"].as_array().map_or(0, Vec::len);
    forget_weak(&mut keys);
    if keys["keys"].as_array().map_or(0, Vec::len) < before {
        tracing::warn!(provider = settings.name, "RSA keys of less than {LEAST_RSA} bits are not believed");
    }
    let keys: JsonWebKeySet<CoreJsonWebKey> = serde_json::from_value(keys)
        .map_err(|_| OpenidError::Unavailable("its keys are not what they should be".into()))?;
    if keys.keys().len() > MOST_KEYS {
        return Err(OpenidError::Unavailable("it has too many keys".into()));
    }
    Ok(Known { metadata: metadata.set_jwks(keys), logout, names_itself, fetched_at: now })
}

/// Takes out RSA keys that are too short, or whose length cannot be told: what they signed is signed by nobody.
fn forget_weak(keys: &mut Value) {
    let Some(keys) = keys.get_mut("keys").and_then(Value::as_array_mut) else { return };
    keys.retain(|key| key["kty"] != "RSA" || bits(key["n"].as_str().unwrap_or_default()) >= LEAST_RSA);
}

/// Length of a number in base64url (RFC 7518 §6.3.1.1), in bits; leading zeros do not count.
fn bits(number: &str) -> usize {
    let bytes = BASE64_URL.decode(number).unwrap_or_default();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let zeros = significant.first().map_or(0, |byte| byte.leading_zeros());
    (significant.len() * 8).saturating_sub(zeros as usize)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_rsa_key_of_less_than_2048_bits_is_not_believed() {
        // A number of so many bits, perhaps with zeros before it.
        let number = |bits: usize, zeros: usize| {
            let mut bytes = vec![0xff; bits.div_ceil(8)];
            bytes[0] = 0xff >> (bytes.len() * 8 - bits);
            BASE64_URL.encode([vec![0; zeros], bytes].concat())
        };
        assert_eq!([bits(""), bits("*"), bits(&number(2047, 1)), bits(&number(2048, 0))], [0, 0, 2047, 2048]);
        let key = |kid: &str, n: &str| json!({"kty": "RSA", "use": "sig", "kid": kid, "n": n, "e": "AQAB"});
        let mut keys = json!({"keys": [
            key("512", &number(512, 0)), key("1024", &number(1024, 0)), key("2047", &number(2047, 0)),
            key("padded", &number(1024, 128)), key("garbage", "not base64!"), {"kty": "RSA", "kid": "none", "e": "AQAB"},
            key("2048", &number(2048, 1)), key("3072", &number(3072, 0)),
            {"kty": "EC", "kid": "elliptic", "crv": "P-256", "x": "x", "y": "y"},
        ]});
        forget_weak(&mut keys);
        let left: Vec<&str> = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(left, ["2048", "3072", "elliptic"]);
        for other in [json!({}), json!([]), json!({"keys": 1})] {
            let mut same = other.clone();
            forget_weak(&mut same);
            assert!(serde_json::from_value::<JsonWebKeySet<CoreJsonWebKey>>(same).is_err(), "{other}");
        }
    }
}
