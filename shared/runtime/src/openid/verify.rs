//! What is checked before a provider's word is taken (`OpenID` Connect Core §3.1.3.7, §5.3.2; RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use chrono::{DateTime, Utc};
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm as Jws,
};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, ClientSecret, HttpResponse, IdToken,
    IdTokenClaims, IdTokenVerifier, JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse, JwsSigningAlgorithm as _, Nonce,
    SignatureVerificationError,
};
use serde::Deserialize;
use serde_json::Value;

use super::known::Known;
use super::settings::Settings;
use super::{Extra, OpenidError};

/// How far two clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// A token that was just asked for is not older than this.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// The refusal after which the keys are looked at again.
pub(super) const UNKNOWN_KEY: &str = "unknown key";

type Token = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, Jws>;
type Claims = IdTokenClaims<Extra, CoreGenderClaim>;

fn verifier<'a>(settings: &'a Settings, known: &Known, now: Timestamp) -> IdTokenVerifier<'a, CoreJsonWebKey> {
    let client = ClientId::new(settings.client_id.clone());
    let (issuer, keys) = (known.metadata.issuer().clone(), known.keys().clone());
    // A public key must never serve as the secret of an HMAC: the client secret is at hand only where HS256 is configured.
    let verifier = match &settings.client_secret {
        Some(secret) if settings.id_token_algorithms.contains(&Jws::HmacSha256) => {
            IdTokenVerifier::new_confidential_client(client, ClientSecret::new(secret.clone()), issuer, keys)
        }
        _ => IdTokenVerifier::new_public_client(client, issuer, keys),
    };
    verifier
        .set_allowed_algs(settings.id_token_algorithms.iter().cloned())
        .set_time_fn(move || chrono(now - SKEW))
        .set_issue_time_verifier_fn(move |issued| {
            let sound = chrono(now - OLDEST) <= issued && issued <= chrono(now + SKEW);
            if sound { Ok(()) } else { Err("issued at".into()) }
        })
}

/// Signature by an allowed algorithm and a key of the provider, issuer, audience, times, nonce.
pub(super) fn id_token<'t>(
    settings: &Settings, known: &Known, token: &'t Token, nonce: &Nonce, now: Timestamp,
) -> Result<&'t Claims, OpenidError> {
    let claims =
        token.claims(&verifier(settings, known, now), nonce).map_err(|error| OpenidError::Refused(reason(&error)))?;
    // These two the library leaves to us.
    if claims.additional_claims().nbf.is_some_and(|nbf| nbf > seconds(now + SKEW)) {
        return Err(OpenidError::Refused("not yet valid"));
    }
    if claims.authorized_party().is_some_and(|party| party.as_str() != settings.client_id) {
        return Err(OpenidError::Refused("authorized party"));
    }
    Ok(claims)
}

/// The access token that came with it, when it says which (`at_hash`).
pub(super) fn access_token(
    settings: &Settings, known: &Known, token: &Token, claims: &Claims, given: &AccessToken,
) -> Result<(), OpenidError> {
    let Some(expected) = claims.access_token_hash() else { return Ok(()) };
    let refused = || OpenidError::Refused("access token");
    let algorithm = token.signing_alg().map_err(|_| refused())?;
    let verifier = verifier(settings, known, Timestamp::UNIX_EPOCH);
    let actual = if algorithm.uses_shared_secret() {
        AccessTokenHash::from_token(given, algorithm, &CoreJsonWebKey::new_symmetric(Vec::new()))
    } else {
        AccessTokenHash::from_token(given, algorithm, token.signing_key(&verifier).map_err(|_| refused())?)
    };
    if actual.is_ok_and(|actual| actual == *expected) { Ok(()) } else { Err(refused()) }
}

/// Which check refused, in a word. The library's own words quote what was given.
fn reason(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "expired",
        ClaimsVerificationError::InvalidAudience(_) => "audience",
        ClaimsVerificationError::InvalidIssuer(_) => "issuer",
        ClaimsVerificationError::InvalidNonce(_) => "nonce",
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => UNKNOWN_KEY,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::DisallowedAlg(_)) => "algorithm",
        ClaimsVerificationError::SignatureVerification(_) => "signature",
        _ => "id token",
    }
}

/// What the provider says of a person: signed where the configuration says so, and of the person of the id token.
pub(super) fn userinfo(
    settings: &Settings, known: &Known, answer: &HttpResponse, subject: &str, now: Timestamp,
) -> Result<Value, OpenidError> {
    let refused = |_| OpenidError::Refused("userinfo");
    let content = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let claims = match (content.as_str(), settings.userinfo_algorithms.is_empty()) {
        ("application/json", true) => serde_json::from_slice(answer.body()).map_err(refused)?,
        ("application/jwt", false) => signed(settings, known, answer.body(), now)?,
        _ => return Err(OpenidError::Refused("userinfo content type")),
    };
    // Else the person of one token could be told as another (§5.3.2).
    if claims["sub"] == subject { Ok(claims) } else { Err(OpenidError::Refused("userinfo of somebody else")) }
}

#[derive(Deserialize)]
struct Header {
    alg: Jws,
    kid: Option<String>,
    crit: Option<Value>,
}

/// A signed `userinfo`. The library would take RS256 alone.
fn signed(settings: &Settings, known: &Known, body: &[u8], now: Timestamp) -> Result<Value, OpenidError> {
    let refused = || OpenidError::Refused("userinfo signature");
    let text = std::str::from_utf8(body).map_err(|_| refused())?.trim();
    let mut parts = text.rsplitn(2, '.');
    let (Some(signature), Some(message)) = (parts.next(), parts.next()) else { return Err(refused()) };
    let (header, payload) = message.split_once('.').ok_or_else(refused)?;
    let decode = |part: &str| BASE64_URL.decode(part).map_err(|_| refused());
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| refused())?;
    if header.crit.is_some() || !settings.userinfo_algorithms.contains(&header.alg) {
        return Err(refused());
    }
    let key = match &settings.client_secret {
        Some(secret) if header.alg.uses_shared_secret() => CoreJsonWebKey::new_symmetric(secret.clone().into_bytes()),
        _ => key_of(known, &header).ok_or(OpenidError::Refused(UNKNOWN_KEY))?.clone(),
    };
    key.verify_signature(&header.alg, message.as_bytes(), &decode(signature)?).map_err(|_| refused())?;
    let claims: Value = serde_json::from_slice(&decode(payload)?).map_err(|_| refused())?;
    let ours = |aud: &Value| *aud == settings.client_id;
    let audience = match &claims["aud"] {
        Value::Array(list) => list.iter().all(ours) && !list.is_empty(),
        one => ours(one),
    };
    let time = |claim: &str| claims[claim].as_f64();
    let (latest, earliest) = (seconds(now + SKEW), seconds(now - SKEW));
    let timely = time("exp").is_none_or(|exp| exp > earliest)
        && time("nbf").is_none_or(|nbf| nbf <= latest)
        && time("iat").is_none_or(|iat| iat <= latest);
    let sound = claims["iss"] == settings.issuer.as_str() && audience && timely;
    if sound { Ok(claims) } else { Err(OpenidError::Refused("userinfo claims")) }
}

/// The one key that fits, as for id tokens: by its id where there is one, for signatures, of that type and algorithm.
fn key_of<'k>(known: &'k Known, header: &Header) -> Option<&'k CoreJsonWebKey> {
    let mut fitting = known.keys().keys().iter().filter(|key| {
        header.kid.as_ref().is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid))
            && key.key_use().is_none_or(JsonWebKeyUse::allows_signature)
            && header.alg.key_type().as_ref() == Some(key.key_type())
            && match key.signing_alg() {
                JsonWebKeyAlgorithm::Algorithm(algorithm) => *algorithm == header.alg,
                JsonWebKeyAlgorithm::Unspecified => true,
                JsonWebKeyAlgorithm::Unsupported => false,
            }
    });
    fitting.next().filter(|_| fitting.next().is_none())
}

fn chrono(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a date are far below 2^52")]
fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}
