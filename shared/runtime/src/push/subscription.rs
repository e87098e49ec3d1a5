//! Where a browser is reached.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use domain::ids::AccountId;
use http::Uri;
use p256::PublicKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::encryption::{POINT, Receiver, SECRET};
use crate::keys::{KeyError, Keys, OwnerKey};

/// Browsers write no padding, and some libraries do.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longest address, in bytes: those of today's push services have some 250.
const LONGEST_ADDRESS: usize = 1024;
const SEALED: &str = "push_subscription";

/// What a browser gave us (Push API, `PushSubscription`): whoever knows it can only send to it as we do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    endpoint: String,
    /// The browser's key, and what it shares with us: in base64url.
    p256dh: String,
    auth: String,
    /// What its owner calls the browser.
    pub label: Option<String>,
}

/// Which part of a subscription is none: the field, and the text that tells more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is none of a subscription")]
pub struct BadSubscription(pub &'static str, pub &'static str);

impl Subscription {
    /// From what a browser gave. An address in clear is for development, where it may lead to this machine.
    ///
    /// # Errors
    /// [`BadSubscription`] names the field.
    pub fn new(endpoint: &str, p256dh: &str, auth: &str, development: bool) -> Result<Self, BadSubscription> {
        let made =
            Self { endpoint: endpoint.to_owned(), p256dh: p256dh.to_owned(), auth: auth.to_owned(), label: None };
        let uri = made.uri()?;
        if uri.scheme_str() != Some("https") && !(development && uri.scheme_str() == Some("http")) {
            return Err(BadSubscription("endpoint", "push-endpoint"));
        }
        made.receiver()?;
        Ok(made)
    }

    /// Where messages to it are posted.
    pub(super) fn uri(&self) -> Result<Uri, BadSubscription> {
        let bad = BadSubscription("endpoint", "push-endpoint");
        let plain = self.endpoint.len() <= LONGEST_ADDRESS
            && self.endpoint.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let uri: Uri = Some(&self.endpoint).filter(|_| plain).and_then(|text| text.parse().ok()).ok_or(bad)?;
        let named =
            uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        if named && uri.scheme().is_some() { Ok(uri) } else { Err(bad) }
    }

    pub(super) fn receiver(&self) -> Result<Receiver, BadSubscription> {
        let bytes = |text: &str| BASE64_URL.decode(text.trim()).ok();
        let point = bytes(&self.p256dh).filter(|bytes| bytes.len() == POINT);
        let key = point.and_then(|point| PublicKey::from_sec1_bytes(&point).ok());
        let secret = bytes(&self.auth).and_then(|bytes| <[u8; SECRET]>::try_from(bytes).ok());
        Ok(Receiver {
            key: key.ok_or(BadSubscription("keys.p256dh", "push-key"))?,
            secret: secret.ok_or(BadSubscription("keys.auth", "push-key"))?,
        })
    }

    /// The host of the push service: by it people know which browser it may be.
    pub fn service(&self) -> String {
        self.uri().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
    }

    /// The keyed hash by which the same address is found again.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn lookup(&self, keys: &Keys) -> Result<String, KeyError> {
        keys.fingerprint(format!("push\0{}", self.endpoint).as_bytes())
    }

    /// Which row it has: the same address of the same account always the same.
    pub fn id(account: AccountId, lookup: &str) -> Uuid {
        Uuid::new_v5(&account.as_uuid(), lookup.as_bytes())
    }

    /// Sealed for its row.
    ///
    /// # Errors
    /// As [`OwnerKey::seal`].
    pub fn sealed(&self, key: &OwnerKey, row: Uuid) -> Result<String, KeyError> {
        let text = serde_json::to_string(self).map_err(|_| KeyError::Failed("serialise"))?;
        key.seal(SEALED, row, &text)
    }
}

/// A subscription as statements return it: still sealed.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    /// Its row.
    pub id: Uuid,
    account: AccountId,
    /// Null once the account was closed.
    wrapped_key: Option<String>,
    sealed: String,
}

impl Stored {
    /// As it stands there: what it is forgotten by.
    pub fn as_sealed(&self) -> &str {
        &self.sealed
    }

    /// Opened.
    ///
    /// # Errors
    /// As [`Keys::owner`] and [`OwnerKey::open`].
    pub async fn open(&self, keys: &Keys) -> Result<Subscription, KeyError> {
        let key = keys.owner(self.account, self.wrapped_key.as_deref()).await?;
        serde_json::from_str(&key.open(SEALED, self.id, &self.sealed)?).map_err(|_| KeyError::DoesNotOpen)
    }
}
