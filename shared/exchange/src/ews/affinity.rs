//! Which of several servers a mailbox's requests go to: they say it by cookies, and want them back.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};

/// How many cookies are kept. Exchange gives three: `exchangecookie`, `X-BackEndCookie`, `X-BackEndOverrideCookie`; a balancer one more.
const MOST_COOKIES: usize = 8;
/// The longest that is kept, in bytes: what browsers take (RFC 6265, 6.1).
const LONGEST_COOKIE: usize = 4096;

/// The cookies of one mailbox.
#[derive(Default)]
pub struct Affinity(Mutex<Vec<(String, String)>>);

impl Affinity {
    /// What to send back.
    pub fn cookie(&self) -> Option<HeaderValue> {
        let kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let pairs: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut cookie = HeaderValue::try_from(pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    /// Keeps what an answer sets, each name once, the newest; an empty value forgets it.
    pub fn keep(&self, headers: &HeaderMap) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for set in headers.get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
                continue;
            };
            if name.is_empty() || pair.len() > LONGEST_COOKIE {
                continue;
            }
            kept.retain(|(known, _)| known != name);
            if !value.is_empty() && kept.len() < MOST_COOKIES {
                kept.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// One way to one of several servers, for requests about several mailboxes that have to come to the same: subscriptions are heard over one
/// connection only where they live together. All name the mailbox of one, and bring back its cookies.
#[derive(Clone)]
pub struct Route {
    pub(super) anchor: String,
    pub(super) affinity: Arc<Affinity>,
}

impl Route {
    /// To the server that has this mailbox, by its address.
    pub fn new(anchor: impl Into<String>) -> Self {
        Self { anchor: anchor.into(), affinity: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_back_the_newest_of_each_name() {
        let affinity = Affinity::default();
        assert_eq!(affinity.cookie(), None);
        let set = |cookies: &[&str]| {
            let pairs = cookies.iter().map(|cookie| (SET_COOKIE, HeaderValue::from_str(cookie).unwrap()));
            affinity.keep(&pairs.collect());
        };
        set(&["X-BackEndCookie=one; path=/EWS; secure; HttpOnly", "a=b", "nonsense", "=x"]);
        set(&["X-BackEndCookie=two; expires=Sat", "a=; path=/"]);
        assert_eq!(affinity.cookie().unwrap(), "X-BackEndCookie=two");
        set(&(0..20).map(|n| format!("c{n}=1")).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(affinity.cookie().unwrap().to_str().unwrap().split("; ").count(), MOST_COOKIES);
    }
}
