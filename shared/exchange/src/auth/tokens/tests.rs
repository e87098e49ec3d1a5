use std::sync::Mutex as Plain;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures_executor::block_on;
use futures_util::future::{BoxFuture, join_all};
use proptest::prelude::*;

use super::*;
use crate::{Line, Response};

/// An answer; none for no connection.
#[derive(Clone)]
struct Says(Option<(u16, String)>);

/// Who gives tokens: each time what is next, the last for ever.
struct Authorities {
    answers: Plain<Vec<Says>>,
    seen: Plain<Vec<Request>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Transport for Authorities {
    fn send(&self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            self.seen.lock().unwrap().push(request);
            // Whoever waits beside it gets a turn before the answer is there.
            pending_once().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            let (status, body) = answer.0.ok_or(TransportError::Unreached("x".into()))?;
            Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
        })
    }

    fn open<'a>(&'a self, _: &'a Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async { Err(TransportError::Unsupported) })
    }
}

async fn pending_once() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

fn good(token: &str, seconds: i64) -> Says {
    Says(Some((200, format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{token}"}}"#))))
}

fn bad(status: u16, error: &str) -> Says {
    Says(Some((status, format!(r#"{{"error":"{error}"}}"#))))
}

struct Setting {
    tokens: ClientCredentials,
    authorities: Arc<Authorities>,
    clock: Arc<AtomicI64>,
}

impl Setting {
    fn of(answers: Vec<Says>) -> Self {
        Self::with(
            answers,
            Authority::entra(ENTRA, "clinic.example", GRAPH).unwrap(),
            Credential::Secret("a&b =é".into()),
        )
    }

    fn with(answers: Vec<Says>, authority: Authority, credential: Credential) -> Self {
        let (seen, at_once, most_at_once) = Default::default();
        let authorities = Arc::new(Authorities { answers: Plain::new(answers), seen, at_once, most_at_once });
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let hands = clock.clone();
        let now: Now = Arc::new(move || Timestamp::from_second(hands.load(Ordering::SeqCst)).unwrap());
        let tokens = ClientCredentials::new(authorities.clone(), authority, "client", credential, now);
        Self { tokens, authorities, clock }
    }

    fn get(&self, refused: Option<&str>) -> Result<String, (Why, String)> {
        block_on(self.tokens.get(refused)).map_err(|fault| (fault.why, fault.code))
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.authorities.seen.lock().unwrap().len()
    }

    fn form(&self) -> (String, Vec<(String, String)>) {
        let seen = self.authorities.seen.lock().unwrap();
        let form = form_urlencoded::parse(seen[0].body());
        (seen[0].uri().to_string(), form.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }
}

#[test]
fn a_token_is_asked_for_once_for_all_who_wait() {
    let setting = Setting::of(vec![good("one", 3600), good("two", 3600)]);
    let all = block_on(join_all((0..50).map(|_| setting.tokens.get(None))));
    assert!(all.iter().all(|token| token.as_deref() == Ok("one")));
    let most = setting.authorities.most_at_once.load(Ordering::SeqCst);
    assert_eq!((setting.asked(), most), (1, 1));
}

#[test]
fn all_who_wait_get_the_same_failure() {
    let setting = Setting::of(vec![bad(401, "invalid_client"), good("one", 3600)]);
    let all = block_on(join_all((0..50).map(|_| setting.tokens.get(None))));
    assert!(all.iter().all(|token| token.as_ref().is_err_and(|fault| fault.why == Why::Unauthenticated)));
    assert_eq!(setting.asked(), 1);
    setting.pass(5);
    assert_eq!(setting.get(None), Ok("one".into()));
}

#[test]
fn a_token_is_replaced_before_it_ends_and_outlives_a_failure_until_then() {
    let setting = Setting::of(vec![good("one", 3600), bad(503, "x"), good("two", 3600)]);
    assert_eq!(setting.get(None), Ok("one".into()));
    setting.pass(3600 - 301);
    assert_eq!((setting.get(None), setting.asked()), (Ok("one".into()), 1));
    setting.pass(1);
    assert_eq!((setting.get(None), setting.asked()), (Ok("one".into()), 2));
    setting.pass(4);
    assert_eq!((setting.get(None), setting.asked()), (Ok("one".into()), 2));
    setting.pass(1);
    assert_eq!((setting.get(None), setting.asked()), (Ok("two".into()), 3));
}

#[test]
fn a_token_that_ended_is_given_to_nobody() {
    let setting = Setting::of(vec![good("one", 60), Says(None)]);
    assert_eq!(setting.get(None), Ok("one".into()));
    setting.pass(60);
    assert_eq!(setting.get(None), Err((Why::Unavailable, "the authority does not answer".into())));
    // A clock set back does not bring it to life.
    setting.pass(-600);
    assert!(setting.get(None).is_err());
}

#[test]
fn who_gives_tokens_is_left_alone_as_long_as_it_wants() {
    let setting = Setting::of(vec![bad(429, "x"), good("one", 60)]);
    let busy = Fault::new(Why::Throttled, "x").after(Some(Duration::from_secs(40)));
    block_on(setting.tokens.kept.lock()).failed = Some((busy, (setting.tokens.now)()));
    setting.pass(39);
    assert_eq!((setting.get(None), setting.asked()), (Err((Why::Throttled, "x".into())), 0));
    setting.pass(1);
    assert!(setting.get(None).is_err_and(|(why, _)| why == Why::Throttled));
    assert_eq!(setting.asked(), 1);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let setting = Setting::of(vec![good("one", 3600), good("two", 3600), good("three", 3600)]);
    assert_eq!(setting.get(None), Ok("one".into()));
    assert_eq!(setting.get(Some("one")), Ok("two".into()));
    // Another who was refused the former one takes what came meanwhile.
    assert_eq!((setting.get(Some("one")), setting.asked()), (Ok("two".into()), 2));
    setting.pass(59);
    assert_eq!(setting.get(Some("two")), Err((Why::Unauthenticated, "the server takes no token".into())));
    setting.pass(1);
    assert_eq!((setting.get(Some("two")), setting.asked()), (Ok("three".into()), 3));
}

#[test]
fn a_refused_token_is_not_given_again_when_no_other_can_be_had() {
    let setting = Setting::of(vec![good("one", 3600), bad(503, "x")]);
    assert_eq!(setting.get(None), Ok("one".into()));
    assert_eq!(setting.get(Some("one")), Err((Why::Unavailable, "x".into())));
    assert_eq!((setting.get(Some("one")), setting.asked()), (Err((Why::Unavailable, "x".into())), 2));
}

#[test]
fn entra_is_asked_with_a_secret_and_ad_fs_with_a_statement() {
    let setting = Setting::of(vec![good("one", 3600)]);
    setting.get(None).unwrap();
    let (uri, form) = setting.form();
    assert_eq!(uri, "https://login.microsoftonline.com/clinic.example/oauth2/v2.0/token");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        form,
        [
            pair("grant_type", "client_credentials"),
            pair("client_id", "client"),
            pair("scope", GRAPH),
            pair("client_secret", "a&b =é")
        ]
    );
    let (certificate, key) = (include_str!("../assertion/certificate.pem"), include_str!("../assertion/key.pem"));
    let certificate = Box::new(Certificate::from_pem(certificate, key).unwrap());
    let authority = Authority::adfs("https://sts.clinic.example/", "https://mail.clinic.example/").unwrap();
    let setting = Setting::with(vec![good("one", 3600)], authority, Credential::Certificate(certificate));
    setting.get(None).unwrap();
    let (uri, form) = setting.form();
    assert_eq!(uri, "https://sts.clinic.example/adfs/oauth2/token");
    assert_eq!(form[2], pair("resource", "https://mail.clinic.example/"));
    assert_eq!(form[3], pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    assert_eq!((&form[4].0[..], form[4].1.split('.').count(), form.len()), ("client_assertion", 3, 5));
}

#[test]
fn a_tenant_is_a_name_and_no_path() {
    for tenant in ["", ".", "..", "a/b", "a?b", "a%2fb", "a#b", "é"] {
        assert!(Authority::entra(ENTRA, tenant, GRAPH).is_err(), "{tenant}");
    }
    assert!(Authority::entra(ENTRA, "72f988bf-86f1-41af-91ab-2d7cd011db47", GRAPH).is_ok());
    assert!(Authority::adfs("/relative", "x").is_err() && Authority::adfs("https://a.example/?x", "x").is_err());
}

proptest! {
    /// Whatever time passes and whatever is answered, no token is given that has ended.
    #[test]
    fn no_token_is_given_that_has_ended(steps in prop::collection::vec((-400_i64..4000, 1_i64..4000, any::<bool>()), 1..30)) {
        let setting = Setting::of(vec![good("0", 1)]);
        for (passes, lives, answers) in steps {
            setting.pass(passes);
            let now = setting.clock.load(Ordering::SeqCst);
            // A token says when it ends.
            let answer = if answers { good(&(now + lives).to_string(), lives) } else { bad(500, "x") };
            *setting.authorities.answers.lock().unwrap() = vec![answer];
            if let Ok(token) = setting.get(None) {
                prop_assert!(token.parse::<i64>().unwrap() > now, "{token} at {now}");
            }
        }
    }
}
