//! Who we are to a push service (RFC 8292): a token for it alone, signed with the key that browsers were told.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use domain::{SignedDuration, Timestamp};
use http::Uri;
use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;

use super::PushError;
use super::encryption::new_key;
use crate::config::ConfigError;
use crate::keys::KeyError;

/// Life of a token. No push service takes one that lives for more than a day (RFC 8292 §2).
const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// `{"typ":"JWT","alg":"ES256"}`
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9";

pub(super) struct Vapid {
    key: SecretKey,
    public: String,
    contact: String,
}

impl Vapid {
    /// From the two variables.
    pub(super) fn new(key: &str, contact: &str) -> Result<Self, ConfigError> {
        let odd = || ConfigError::new("PUSH_KEY", "is not a private key of P-256: 32 bytes in base64url");
        let bytes = BASE64_URL.decode(key.trim().trim_end_matches('=')).map_err(|_| odd())?;
        let key = Some(bytes).filter(|bytes| bytes.len() == 32).and_then(|bytes| SecretKey::from_slice(&bytes).ok());
        let key = key.ok_or_else(odd)?;
        check_contact(contact)?;
        let public = BASE64_URL.encode(key.public_key().to_sec1_point(false).as_bytes());
        Ok(Self { key, public, contact: contact.to_owned() })
    }

    pub(super) fn public_key(&self) -> &str {
        &self.public
    }

    /// The header of a request to a push service.
    pub(super) fn authorization(&self, to: &Uri, now: Timestamp) -> Result<String, PushError> {
        let said = claims(to, now, &self.contact).ok_or(PushError::Gone)?;
        let signature: Signature = SigningKey::from(&self.key).sign(said.as_bytes());
        Ok(format!("vapid t={said}.{},k={}", BASE64_URL.encode(signature.to_bytes()), self.public))
    }
}

/// Whether somebody can be reached there, as far as can be told.
pub(super) fn check_contact(contact: &str) -> Result<(), ConfigError> {
    let named = ["mailto:", "https://"].iter().find_map(|scheme| contact.strip_prefix(scheme));
    let sound = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
    let odd = || ConfigError::new("PUSH_CONTACT", "is neither mailto:… nor https://…");
    if named.is_some_and(sound) { Ok(()) } else { Err(odd()) }
}

/// What is signed: for whom, until when, and whom they may write to.
fn claims(to: &Uri, now: Timestamp, contact: &str) -> Option<String> {
    let (scheme, host) = (to.scheme_str()?, to.host()?);
    // An origin does not name the port that is usual for it (RFC 6454 §6.2).
    let usual = if scheme == "https" { 443 } else { 80 };
    let origin = match to.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    };
    let claims = serde_json::json!({"aud": origin, "exp": (now + LIFE).as_second(), "sub": contact});
    Some(format!("{HEADER}.{}", BASE64_URL.encode(claims.to_string())))
}

/// A new key.
pub(super) fn generate() -> Result<String, KeyError> {
    let key = new_key().map_err(|_| KeyError::Failed("random"))?;
    Ok(BASE64_URL.encode(key.to_bytes()))
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    fn parts(authorization: &str) -> (String, Signature, VerifyingKey) {
        let (token, key) = authorization.strip_prefix("vapid t=").unwrap().split_once(",k=").unwrap();
        let (said, signature) = token.rsplit_once('.').unwrap();
        let bytes = |text: &str| BASE64_URL.decode(text).unwrap();
        let key = VerifyingKey::from_sec1_bytes(&bytes(key)).unwrap();
        (said.to_owned(), Signature::from_slice(&bytes(signature)).unwrap(), key)
    }

    /// RFC 8292 §2.4.
    #[test]
    fn the_example_of_the_standard_says_what_ours_says_and_was_signed_so() {
        let example = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0\
                       NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiU\
                       fnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA,k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDY\
                       ic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
        let (said, signature, key) = parts(example);
        key.verify(said.as_bytes(), &signature).unwrap();
        let until = Timestamp::from_second(1_453_523_768).unwrap();
        let uri = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV".parse().unwrap();
        assert_eq!(claims(&uri, until - LIFE, "mailto:push@example.com").unwrap(), said);
    }

    #[test]
    fn a_token_is_signed_with_the_key_that_browsers_are_told() {
        let vapid = Vapid::new(&generate().unwrap(), "mailto:carnet@example.fr").unwrap();
        let uri = "https://push.example:8443/p/1?x".parse().unwrap();
        let authorization = vapid.authorization(&uri, Timestamp::UNIX_EPOCH).unwrap();
        let (said, signature, key) = parts(&authorization);
        key.verify(said.as_bytes(), &signature).unwrap();
        assert_eq!(BASE64_URL.encode(key.to_sec1_point(false).as_bytes()), vapid.public_key());
        let claims = String::from_utf8(BASE64_URL.decode(said.split_once('.').unwrap().1).unwrap()).unwrap();
        assert_eq!(claims, r#"{"aud":"https://push.example:8443","exp":43200,"sub":"mailto:carnet@example.fr"}"#);
    }

    #[test]
    fn what_is_no_key_or_no_contact_is_refused_without_its_value() {
        let key = generate().unwrap();
        assert!(Vapid::new(&format!(" {key}=\n"), "https://carnet.example/contact").is_ok());
        let zero = BASE64_URL.encode([0; 32]);
        for (key, contact) in [
            ("s3cret", "mailto:a@b"),
            ("", "mailto:a@b"),
            (&*zero, "mailto:a@b"),
            (&*key, "s3cret"),
            (&*key, "mailto:"),
            (&*key, "mailto:a b"),
        ] {
            let error = Vapid::new(key, contact).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("PUSH_") && !error.contains("s3cret"), "{error}");
        }
    }
}
