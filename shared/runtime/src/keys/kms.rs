//! A master key that never leaves AWS KMS: it wraps and unwraps the keys of persons there, bound to their owner by the
//! encryption context.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

use super::KeyError;
use super::sealing::{KEY, LocalMaster, MasterKey};
use crate::aws::{CallError, Service};
use crate::config::AwsKey;

/// How the variable begins: `aws-kms:KEY?region=eu-west-3`.
pub(super) const SCHEME: &str = "aws-kms:";
/// Begins every key that KMS wrapped. Which of its keys did, KMS knows from the wrapped key itself.
const NAME: &str = "kms";
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Unwrapped keys are kept so long, and so many: reading a list of visits must not ask KMS for each.
const KEPT_FOR: Duration = Duration::from_mins(5);
const KEPT: usize = 1_000;

/// A key of AWS KMS, and local ones from before that still unwrap.
pub(super) struct Kms {
    key: String,
    service: Service,
    before: Option<LocalMaster>,
    kept: Mutex<HashMap<String, ([u8; KEY], Instant)>>,
}

impl Kms {
    /// From what follows [`SCHEME`]: `KEY?region=…`, perhaps with `&endpoint=…`.
    pub(super) fn new(text: &str, aws: Option<&AwsKey>, before: Option<LocalMaster>) -> Result<Self, KeyError> {
        let unusable = || KeyError::Unusable("CARNET_MASTER_KEY");
        let (key, query) = text.split_once('?').ok_or_else(unusable)?;
        let given: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let region = given.get("region").cloned().ok_or_else(unusable)?;
        let endpoint = given.get("endpoint").cloned().unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com/"));
        let endpoint = endpoint.parse().map_err(|_| unusable())?;
        let aws = aws.cloned().ok_or(KeyError::Unusable("AWS_ACCESS_KEY_ID"))?;
        let service = Service::new(["kms", "TrentService", "1.1"], &region, endpoint, aws);
        let service = service.map_err(|_| KeyError::Failed("this machine has no root certificates"))?;
        Ok(Self { key: key.to_owned(), service, before, kept: Mutex::default() })
    }

    async fn call(&self, action: &str, body: Value) -> Result<Value, KeyError> {
        self.service.call(action, &body, TIMEOUT).await.map_err(|error| match error {
            error if error.is_transient() => KeyError::Away,
            // What KMS says of a wrapped key that is not for this owner, or changed.
            CallError::Refused(_, kind) if kind.ends_with("InvalidCiphertextException") => KeyError::DoesNotOpen,
            _ => KeyError::Failed("kms refuses"),
        })
    }

    fn context(owner: Uuid) -> Value {
        json!({"carnet-owner": owner})
    }

    fn kept(&self, place: &str) -> Option<[u8; KEY]> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(place).filter(|(_, since)| since.elapsed() < KEPT_FOR).map(|(key, _)| *key)
    }

    fn keep(&self, place: String, key: [u8; KEY]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(place, (key, Instant::now()));
    }
}

impl MasterKey for Kms {
    fn id(&self) -> &'static str {
        NAME
    }

    fn wrap<'a>(&'a self, key: &'a [u8; KEY], owner: Uuid) -> BoxFuture<'a, Result<String, KeyError>> {
        Box::pin(async move {
            let wish =
                json!({"KeyId": self.key, "Plaintext": BASE64.encode(key), "EncryptionContext": Self::context(owner)});
            let answer = self.call("Encrypt", wish).await?;
            let wrapped = answer["CiphertextBlob"].as_str().ok_or(KeyError::Failed("kms answer"))?;
            Ok(format!("{NAME}.{wrapped}"))
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a str, owner: Uuid) -> BoxFuture<'a, Result<[u8; KEY], KeyError>> {
        Box::pin(async move {
            let Some(blob) = wrapped.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')) else {
                let before = self.before.as_ref().ok_or(KeyError::DoesNotOpen)?;
                return before.unwrap(wrapped, owner).await;
            };
            let place = format!("{owner}.{blob}");
            if let Some(key) = self.kept(&place) {
                return Ok(key);
            }
            let wish = json!({"KeyId": self.key, "CiphertextBlob": blob, "EncryptionContext": Self::context(owner)});
            let answer = self.call("Decrypt", wish).await?;
            let clear = answer["Plaintext"].as_str().and_then(|clear| BASE64.decode(clear).ok());
            let key = clear.and_then(|clear| clear.try_into().ok()).ok_or(KeyError::DoesNotOpen)?;
            self.keep(place, key);
            Ok(key)
        })
    }
}
