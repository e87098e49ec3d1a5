//! SMS through each of the three providers, against a double of each that answers as its documentation says, and what they tell
//! of them afterwards.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::hmac;
use runtime::keys::Keys;
use runtime::sms::received::{Received, ReceivedError, Reply, State as Way};
use runtime::sms::{Provider, Sent, Sms, TIMEOUT, callback};
use serde_json::{Value, json};

use crate::support::database;

const NUMBER: &str = "+33639980102";
const ACCOUNT: &str = "AC00112233445566778899aabbccddeeff";
const TAG: &str = "0199c1e2-7d3f-7aaa-8bbb-0123456789ab";
const SITE: &str = "https://carnet.example";
/// The clock of `OVHcloud`'s double: some hours ahead of anybody's.
const THEIR_TIME: i64 = 1_900_000_000;

/// What a double does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Says so of the number.
    NoSuchNumber,
    Answers(u16),
    Hangs,
    /// Takes the message and says nothing more.
    Silent,
    /// Refuses it, with a code of its own.
    Says(u16, &'static str),
}

#[derive(Clone)]
pub struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A provider of SMS on a port of this machine.
pub struct Double {
    address: String,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<Asked>>,
}

impl Double {
    pub async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let double = Arc::new(Self { address, mood: Mutex::new(Mood::Well), asked: Mutex::default() });
        let router = Router::new().fallback(take).with_state(double.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        double
    }

    fn feel(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// As `SMS_URL` names each, with what it costs and where it may call us.
    fn sms(&self, provider: Provider, sender: &str) -> Sms {
        Sms::new(Some(&self.url(provider, sender)), Some(45_000)).unwrap().at(Some(SITE), &keys())
    }

    pub fn url(&self, provider: Provider, sender: &str) -> String {
        match provider {
            Provider::Brevo => format!("brevo:{sender}?key=k3y&url={}/v3/transactionalSMS/send", self.address),
            Provider::Ovh => format!(
                "ovh:{sender}?service=sms-ab1234-1&application_key=app&application_secret=secret&consumer_key=consumer&url={}/1.0",
                self.address
            ),
            Provider::Twilio => format!("twilio:{sender}?account={ACCOUNT}&token=t0ken&url={}", self.address),
        }
    }
}

fn keys() -> Keys {
    Keys::of(&database::config(&[])).unwrap()
}

async fn take(
    State(double): State<Arc<Double>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    double.asked.lock().unwrap().push(Asked { method: method.clone(), path: path.clone(), headers, body });
    let mood = *double.mood.lock().unwrap();
    if mood == Mood::Hangs {
        std::future::pending::<()>().await;
    }
    match (method.as_str(), path.as_str()) {
        ("GET", "/1.0/auth/time") => THEIR_TIME.to_string().into_response(),
        (_, "/v3/transactionalSMS/send") => brevo(mood),
        ("POST", "/1.0/sms/sms-ab1234-1/jobs") => ovh(mood, &double.last()),
        ("POST", path) if path == format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json") => twilio(mood),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn brevo(mood: Mood) -> Response {
    let told = json!({"reference": "ab1cde2fgh3i4jklmno", "messageId": 1_511_882_900_176_220_i64, "smsCount": 2,
                      "usedCredits": 1.4, "remainingCredits": 82.85});
    match mood {
        Mood::Well | Mood::Hangs => answer(201, told),
        Mood::Silent => StatusCode::CREATED.into_response(),
        Mood::NoSuchNumber => answer(400, json!({"code": "invalid_parameter", "message": "Invalid telephone number"})),
        Mood::Answers(status) => answer(status, json!({"code": "not_today", "message": "not today"})),
        Mood::Says(status, code) => answer(status, json!({"code": code, "message": "not today"})),
    }
}

/// It believes no signature but of its own time.
fn ovh(mood: Mood, asked: &Asked) -> Response {
    let url = format!("http://{}{}", asked.header("host"), asked.path);
    let signed = format!("secret+consumer+POST+{url}+{}+{}", asked.body, asked.header("x-ovh-timestamp"));
    let hash: String = digest(&SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes())
        .as_ref()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect::<Vec<_>>()
        .concat();
    let time: i64 = asked.header("x-ovh-timestamp").parse().unwrap();
    if asked.header("x-ovh-signature") != format!("$1${hash}") || !(0..60).contains(&(time - THEIR_TIME)) {
        return answer(400, json!({"class": "Client::BadRequest", "message": "Invalid signature"}));
    }
    let report =
        json!({"ids": [26_929_925], "totalCreditsRemoved": 3, "invalidReceivers": [], "validReceivers": [NUMBER]});
    match mood {
        Mood::Well | Mood::Hangs => answer(200, report),
        Mood::Silent => StatusCode::OK.into_response(),
        Mood::NoSuchNumber => answer(
            200,
            json!({"ids": [], "totalCreditsRemoved": 0, "invalidReceivers": [NUMBER], "validReceivers": []}),
        ),
        Mood::Answers(status) => answer(status, json!({"class": "Client::NotToday", "message": "not today"})),
        Mood::Says(status, code) => {
            answer(status, json!({"errorCode": code, "httpCode": "400 Bad Request", "message": "not today"}))
        }
    }
}

fn twilio(mood: Mood) -> Response {
    let message = json!({"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued", "num_segments": "1", "price": null,
                         "price_unit": "USD", "error_code": null, "direction": "outbound-api"});
    match mood {
        Mood::Well | Mood::Hangs => answer(201, message),
        Mood::Silent => StatusCode::CREATED.into_response(),
        Mood::NoSuchNumber => {
            answer(400, json!({"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}))
        }
        Mood::Answers(status) => answer(status, json!({"code": 20001, "message": "not today", "status": status})),
        Mood::Says(status, code) => {
            answer(status, json!({"code": code.parse::<u32>().unwrap(), "message": "not today", "status": status}))
        }
    }
}

#[tokio::test]
async fn brevo_is_asked_as_its_documentation_says() {
    let double = Double::start().await;
    let sms = double.sms(Provider::Brevo, "Carnet");
    let sent = sms.send(NUMBER, "Rendez-vous demain à 9 h.", Some(TAG)).await.unwrap();
    let asked = double.last();
    assert_eq!((&asked.method, asked.header("api-key")), (&Method::POST, "k3y"));
    let message = json!({"sender": "Carnet", "recipient": "33639980102", "content": "Rendez-vous demain à 9 h.",
                         "type": "transactional", "unicodeEnabled": false, "tag": TAG});
    assert_eq!(asked.json(), message);
    // A thousandth of a credit, of what a credit costs.
    let reference = Some("1511882900176220".into());
    assert_eq!(sent, Sent { provider: Provider::Brevo, reference, segments: 2, cost: Some(63_000) });
    sms.send(NUMBER, "Reçu ?", None).await.unwrap();
    assert_eq!((&double.last().json()["unicodeEnabled"], &double.last().json()["tag"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn ovh_is_asked_with_a_signature_of_its_own_time() {
    let double = Double::start().await;
    let sms = double.sms(Provider::Ovh, "Carnet");
    let sent = sms.send(NUMBER, "Rendez-vous demain.", Some(TAG)).await.unwrap();
    let reference = Some("26929925".into());
    assert_eq!(sent, Sent { provider: Provider::Ovh, reference, segments: 1, cost: Some(135_000) });
    let asked = double.last();
    assert_eq!((asked.header("x-ovh-application"), asked.header("x-ovh-consumer")), ("app", "consumer"));
    let job = json!({"charset": "UTF-8", "class": "phoneDisplay", "coding": "7bit", "message": "Rendez-vous demain.",
                     "noStopClause": true, "priority": "high", "receivers": [NUMBER], "validityPeriod": 2880, "sender": "Carnet",
                     "tag": TAG});
    assert_eq!(asked.json(), job);
    // Its time is asked once, and again after it refused.
    sms.send(NUMBER, "Reçu ?", None).await.unwrap();
    assert_eq!((double.count(), &double.last().json()["coding"]), (3, &json!("8bit")));
    double.feel(Mood::Answers(403));
    assert!(sms.send(NUMBER, "x", None).await.unwrap_err().is_transient());
    double.feel(Mood::Well);
    sms.send(NUMBER, "x", None).await.unwrap();
    assert_eq!(double.count(), 6);
    // People can answer to a short number only.
    let answered = double.address.clone();
    let url = format!(
        "ovh:?service=sms-ab1234-1&application_key=app&application_secret=secret&consumer_key=consumer&replies=yes&url={answered}/1.0"
    );
    Sms::new(Some(&url), None).unwrap().send(NUMBER, "x", None).await.unwrap();
    let job = double.last().json();
    assert_eq!((&job["senderForResponse"], &job["sender"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn twilio_is_asked_with_a_form_and_told_where_to_call() {
    let double = Double::start().await;
    let sent =
        double.sms(Provider::Twilio, "Carnet").send(NUMBER, "Rendez-vous demain à 9 h.", Some(TAG)).await.unwrap();
    let reference = Some("SM0123456789abcdef0123456789abcdef".into());
    assert_eq!(sent, Sent { provider: Provider::Twilio, reference, segments: 1, cost: Some(45_000) });
    let asked = double.last();
    assert_eq!(asked.header("authorization"), format!("Basic {}", BASE64.encode(format!("{ACCOUNT}:t0ken"))));
    let address = format!("{}?tag={TAG}", callback(SITE, Provider::Twilio, &keys()).unwrap());
    let fields = [
        ("To", NUMBER),
        ("From", "Carnet"),
        ("Body", "Rendez-vous demain à 9 h."),
        ("StatusCallback", address.as_str()),
    ];
    assert_eq!(asked.form(), fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // What nobody asks after is told of to nobody.
    for sender in ["+33644630000", "MG00112233445566778899aabbccddeeff"] {
        double.sms(Provider::Twilio, sender).send(NUMBER, "x", None).await.unwrap();
        let form = double.last().form();
        let name = if sender.starts_with('+') { "From" } else { "MessagingServiceSid" };
        assert!(form.contains(&(name.to_owned(), sender.to_owned())), "{form:?}");
        assert!(form.iter().all(|(name, _)| name != "StatusCallback"), "{form:?}");
    }
}

#[tokio::test]
async fn what_is_about_the_number_is_final_and_all_else_is_tried_again() {
    for (provider, no_such_number) in
        [(Provider::Brevo, "refused (400)"), (Provider::Ovh, "refused (200)"), (Provider::Twilio, "refused (21211)")]
    {
        let double = Double::start().await;
        let sms = double.sms(provider, "Carnet");
        for status in [401, 402, 403, 408, 429, 500, 502, 503, 302] {
            double.feel(Mood::Answers(status));
            let error = sms.send(NUMBER, "x", None).await.unwrap_err();
            assert!(error.is_transient(), "{provider:?}: {status}");
            assert_eq!(error.to_string(), format!("provider unavailable: answered {status}"), "{provider:?}");
        }
        double.feel(Mood::NoSuchNumber);
        let error = sms.send(NUMBER, "x", None).await.unwrap_err();
        assert_eq!((error.is_transient(), error.to_string().as_str()), (false, no_such_number), "{provider:?}");
        assert!(!error.to_string().contains("639980102"));
        // Taken, whatever more is said or not: it must not be sent twice.
        double.feel(Mood::Silent);
        let sent = sms.send(NUMBER, &"a".repeat(161), None).await.unwrap();
        assert_eq!(sent, Sent { provider, reference: None, segments: 2, cost: Some(90_000) });
        double.feel(Mood::Hangs);
        let began = Instant::now();
        assert_eq!(sms.send(NUMBER, "x", None).await.unwrap_err().to_string(), "provider unavailable: took too long");
        assert!(began.elapsed() < TIMEOUT + std::time::Duration::from_secs(1), "{provider:?}");
    }
    let unset = Sms::new(None, None).unwrap().send(NUMBER, "x", None).await.unwrap_err();
    assert!(unset.is_transient());
}

#[tokio::test]
async fn a_provider_whose_sender_or_account_is_wrong_is_no_fault_of_the_number() {
    let double = Double::start().await;
    for (provider, status) in [(Provider::Ovh, 404), (Provider::Twilio, 404)] {
        double.feel(Mood::Answers(status));
        assert!(double.sms(provider, "Carnet").send(NUMBER, "x", None).await.unwrap_err().is_transient());
    }
    for (provider, status, code) in [
        (Provider::Brevo, 404, "document_not_found"),
        (Provider::Brevo, 400, "not_enough_credits"),
        (Provider::Brevo, 400, "account_under_validation"),
        (Provider::Ovh, 400, "INVALID_SIGNATURE"),
        (Provider::Ovh, 400, "QUERY_TIME_OUT"),
        (Provider::Ovh, 400, "INVALID_CREDENTIAL"),
        (Provider::Twilio, 400, "21609"),
        (Provider::Twilio, 400, "21703"),
    ] {
        double.feel(Mood::Says(status, code));
        let error = double.sms(provider, "Carnet").send(NUMBER, "x", None).await.unwrap_err();
        assert!(error.is_transient(), "{provider:?} {code}: {error}");
    }
    double.feel(Mood::Says(400, "INVALID_PARAMETER"));
    assert!(!double.sms(Provider::Ovh, "Carnet").send(NUMBER, "x", None).await.unwrap_err().is_transient());
    double.feel(Mood::Well);
    // Keys of another: its own words for a signature that is not ours, without a code.
    let another = double.url(Provider::Ovh, "Carnet").replace("application_secret=secret", "application_secret=other");
    let error = Sms::new(Some(&another), None).unwrap().send(NUMBER, "x", None).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let nobody = Sms::new(Some("brevo:Carnet?key=k&url=http://127.0.0.1:9/"), None).unwrap();
    let error = nobody.send(NUMBER, "x", None).await.unwrap_err();
    assert_eq!(error.to_string(), "provider unavailable: connection failed");
}

#[tokio::test]
async fn what_a_provider_tells_of_a_message_names_it_as_it_was_named_when_it_was_taken() {
    let (double, keys, none) = (Double::start().await, keys(), HeaderMap::new());
    let brevo = double.sms(Provider::Brevo, "Carnet");
    let sent = brevo.send(NUMBER, "x", Some(TAG)).await.unwrap();
    let token = Provider::Brevo.callback_token(&keys).unwrap();
    let event = json!({"id": 26527, "status": "OK", "msg_status": "delivered", "to": "33639980102",
                       "messageId": 1_511_882_900_176_220_i64, "tag": [TAG], "type": "transactional"});
    let told = brevo.received(&keys, ["brevo", &token], &none, "/", event.to_string().as_bytes()).unwrap();
    let [Received::Receipt(receipt)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((Some(&receipt.reference), receipt.tag.as_deref()), (sent.reference.as_ref(), Some(TAG)));
    assert_eq!(receipt.state, Way::Delivered);

    let ovh = double.sms(Provider::Ovh, "Carnet");
    let sent = ovh.send(NUMBER, "x", Some(TAG)).await.unwrap();
    let address = format!("{}?id=26929925&ptt=1&dlr=1", callback(SITE, Provider::Ovh, &keys).unwrap());
    let token = address.rsplit('/').next().unwrap().split('?').next().unwrap();
    let told = ovh.received(&keys, ["ovh", token], &none, &address, b"").unwrap();
    let [Received::Receipt(receipt)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(Some(&receipt.reference), sent.reference.as_ref());

    let twilio = double.sms(Provider::Twilio, "Carnet");
    let sent = twilio.send(NUMBER, "x", Some(TAG)).await.unwrap();
    let address = double.last().form().into_iter().find(|(name, _)| name == "StatusCallback").unwrap().1;
    let token = Provider::Twilio.callback_token(&keys).unwrap();
    let form = "MessageSid=SM0123456789abcdef0123456789abcdef&MessageStatus=delivered";
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"t0ken");
    let said = format!("{address}MessageSidSM0123456789abcdef0123456789abcdefMessageStatusdelivered");
    let signature = BASE64.encode(hmac::sign(&key, said.as_bytes()));
    let signed = HeaderMap::from_iter([("x-twilio-signature".parse().unwrap(), signature.parse().unwrap())]);
    let told = twilio.received(&keys, ["twilio", &token], &signed, &address, form.as_bytes()).unwrap();
    let [Received::Receipt(receipt)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((Some(&receipt.reference), receipt.tag.as_deref()), (sent.reference.as_ref(), Some(TAG)));
    // Unsigned, of another provider, of a stranger.
    for (names, headers) in [
        (["twilio", &*token], &none),
        (["ovh", &*token], &signed),
        (["twilio", "x"], &signed),
        (["vonage", &*token], &signed),
        (["", ""], &signed),
    ] {
        let refused = twilio.received(&keys, names, headers, &address, form.as_bytes()).unwrap_err();
        assert!(matches!(refused, ReceivedError::NotTheirs), "{names:?}: {refused}");
    }
    // Of who is no more our provider, nothing that has to be signed is believed; the others' addresses are as good as before.
    assert!(brevo.received(&keys, ["twilio", &token], &signed, &address, form.as_bytes()).is_err());
    let token = Provider::Ovh.callback_token(&keys).unwrap();
    let form = "id=51&senderid=%2B33639980102&message=1&tag=0199";
    let told = brevo.received(&keys, ["ovh", &token], &none, "/", form.as_bytes()).unwrap();
    let [Received::Reply(Reply { from, text, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((from.as_str(), domain::sms::Reply::of(text)), (NUMBER, domain::sms::Reply::Confirm));
}
