//! Whether a password is known from a breach: asked of a service that is told five digits of its hash only (k-anonymity, the
//! range API of [Have I Been Pwned](https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange)), which a server of
//! one's own may speak too. It is optional: the list that is compiled in (`domain::person::password`) judges first, and alone
//! where there is no service or it does not answer.

use std::time::Duration;

use domain::person::nfc;
use http::{Request, Uri};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::outbound::Outbound;

/// Longest time for one question, connection and answer together: somebody waits for it.
pub const TIMEOUT: Duration = Duration::from_millis(1500);
/// Largest answer, in bytes: a range has some 1,000 lines of 45.
const MAX_BYTES: usize = 512 * 1024;
/// How many digits of the hash are told.
const TOLD: usize = 5;

/// The variable does not say whom to ask.
#[derive(Debug, thiserror::Error)]
#[error("BREACHED_PASSWORDS_URL: {0}")]
pub struct BreachesUrlError(&'static str);

/// Asks one service, or none.
pub struct Breaches(Option<Service>);

struct Service {
    /// What the five digits are appended to.
    base: String,
    client: Outbound,
}

impl Breaches {
    /// From a URL to which the digits are appended: `https://api.pwnedpasswords.com/range/`.
    ///
    /// # Errors
    /// Names the variable.
    pub fn new(url: Option<&str>) -> Result<Self, BreachesUrlError> {
        url.map(Service::new).transpose().map(Self)
    }

    /// Whether the password is known from a breach. Who cannot be asked knows of none, and that is logged: nobody is kept from
    /// an account by another's outage.
    pub async fn know(&self, password: &str) -> bool {
        let Some(service) = &self.0 else { return false };
        service.knows(password).await.unwrap_or_else(|why| {
            tracing::warn!(why, "the service of breached passwords could not be asked");
            false
        })
    }
}

impl Service {
    fn new(url: &str) -> Result<Self, BreachesUrlError> {
        let base: Uri = url.parse().map_err(|_| BreachesUrlError("is not a URL"))?;
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&base.host().unwrap_or_default());
        if base.scheme_str() != Some("https") && !(local && base.scheme_str() == Some("http")) {
            return Err(BreachesUrlError("is not https://…"));
        }
        if base.query().is_some() || !base.path().ends_with('/') {
            return Err(BreachesUrlError("does not end with /"));
        }
        let client = Outbound::new().map_err(|_| BreachesUrlError("this machine has no root certificates"))?;
        Ok(Self { base: url.to_owned(), client })
    }

    /// One question. The answer is padded, so that its length does not tell which range was asked for.
    async fn knows(&self, password: &str) -> Result<bool, &'static str> {
        let hash = hash(password);
        let (told, kept) = hash.split_at(TOLD);
        let request = Request::get(format!("{}{told}", self.base))
            .header("add-padding", "true")
            .header("user-agent", "carnet")
            .body(axum::body::Bytes::new())
            .map_err(|_| "the URL is not one")?;
        let answer =
            self.client.send(request, TIMEOUT, MAX_BYTES).await.map_err(|_| "no answer in time, or none whole")?;
        if answer.status() != http::StatusCode::OK {
            return Err("answered no range");
        }
        let lines = str::from_utf8(answer.body()).map_err(|_| "the answer is no text")?.lines();
        Ok(lines.filter_map(|line| line.trim().split_once(':')).any(|(rest, count)| {
            // Padding counts nought.
            rest.eq_ignore_ascii_case(kept) && count.parse().is_ok_and(|count: u64| count > 0)
        }))
    }
}

/// SHA-1 in capital hexadecimal digits: what the ranges are made of. Nothing is protected by it.
fn hash(password: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, nfc(password).as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_ranges() {
        // The example of the API's own description.
        assert_eq!(hash("P@ssw0rd"), "21BD12DC183F740EE76F27B78EB39C8AD972A757");
        assert_eq!(hash("e\u{301}t\u{e9}"), hash("\u{e9}t\u{e9}"));
    }

    #[tokio::test]
    async fn without_a_service_or_an_answer_none_is_known() {
        assert!(!Breaches::new(None).unwrap().know("P@ssw0rd").await);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/range/", nobody.local_addr().unwrap());
        drop(nobody);
        assert!(!Breaches::new(Some(&url)).unwrap().know("P@ssw0rd").await);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for sound in ["https://api.pwnedpasswords.com/range/", "http://127.0.0.1:8025/range/"] {
            assert!(Breaches::new(Some(sound)).is_ok(), "{sound}");
        }
        for wrong in ["", "api", "http://api.example/range/", "https://api.example/range", "https://api.example/?a="] {
            let error = Breaches::new(Some(wrong)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("BREACHED_PASSWORDS_URL: "), "{wrong}: {error}");
        }
    }
}
