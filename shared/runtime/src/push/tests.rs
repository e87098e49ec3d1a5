use domain::ids::AccountId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::keys::Keys;

/// RFC 8291, appendix A.
const KEY: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const SECRET: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const ADDRESS: &str = "https://push.example/p/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV";

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

#[test]
fn a_subscription_is_what_a_browser_gives_or_none() {
    let sound = Subscription::new(ADDRESS, KEY, SECRET, false).unwrap();
    assert_eq!(sound.service(), "push.example");
    assert!(Subscription::new(ADDRESS, &format!("{KEY}="), &format!("{SECRET}=="), false).is_ok());
    assert!(Subscription::new("http://127.0.0.1:8025/p", KEY, SECRET, true).is_ok());
    let long = format!("https://push.example/{}", "a".repeat(1024));
    for endpoint in [
        "",
        "push",
        "/p",
        "ftp://push.example/p",
        "http://push.example/p",
        "https:///p",
        "https://ada:secret@push.example/p",
        "https://push.example/p#x",
        "https://push.example/é",
        "https://push.example/a b",
        &long,
    ] {
        let bad = Subscription::new(endpoint, KEY, SECRET, false).unwrap_err();
        assert_eq!(bad, BadSubscription("endpoint", "push-endpoint"), "{endpoint}");
    }
    // Too short, compressed, not on the curve.
    let off = format!("{}A", &KEY[..KEY.len() - 1]);
    for key in ["", "AAAA", "A", &KEY[..KEY.len() - 3], &off, "AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"] {
        let bad = Subscription::new(ADDRESS, key, SECRET, false).unwrap_err();
        assert_eq!(bad, BadSubscription("keys.p256dh", "push-key"), "{key}");
    }
    for secret in ["", "AAAA", KEY, "é"] {
        let bad = Subscription::new(ADDRESS, KEY, secret, false).unwrap_err();
        assert_eq!(bad, BadSubscription("keys.auth", "push-key"), "{secret}");
    }
}

#[tokio::test]
async fn a_subscription_opens_in_its_row_and_is_found_by_its_whole_address() {
    let keys = Keys::any();
    let account = AccountId::from_uuid(Uuid::from_u128(7));
    let mut subscription = Subscription::new(ADDRESS, KEY, SECRET, false).unwrap();
    subscription.label = Some("Téléphone".into());
    let lookup = subscription.lookup(&keys).unwrap();
    let other = Subscription::new(&ADDRESS.replace("JzL", "jzl"), KEY, SECRET, false).unwrap();
    assert_ne!(other.lookup(&keys).unwrap(), lookup, "case tells addresses apart");
    let row = Subscription::id(account, &lookup);
    assert_ne!(row, Subscription::id(AccountId::from_uuid(Uuid::from_u128(8)), &lookup));
    let (wrapped, key) = keys.new_owner(account).await.unwrap();
    let stored = |id: Uuid, sealed: &str| -> Stored {
        serde_json::from_value(
            serde_json::json!({"id": id, "account": account, "wrapped_key": wrapped, "sealed": sealed}),
        )
        .unwrap()
    };
    let sealed = subscription.sealed(&key, row).unwrap();
    assert_eq!(stored(row, &sealed).open(&keys).await.unwrap(), subscription);
    assert!(stored(Uuid::nil(), &sealed).open(&keys).await.is_err());
}

#[test]
fn answers_mean_what_the_standard_says() {
    let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let of = |status: u16, after: Option<&str>| {
        let mut headers = HeaderMap::new();
        after.map(|after| headers.insert("retry-after", after.parse().unwrap()));
        judged(StatusCode::from_u16(status).unwrap(), &headers, now)
    };
    for taken in [200, 201, 202, 204] {
        assert!(of(taken, None).is_ok(), "{taken}");
    }
    for gone in [404, 410] {
        assert!(matches!(of(gone, None), Err(PushError::Gone)), "{gone}");
    }
    assert!(matches!(of(413, None), Err(PushError::TooLarge)));
    for refused in [400, 401, 403, 406] {
        assert!(matches!(of(refused, None), Err(PushError::Refused(status)) if status == refused));
    }
    for (status, after, seconds) in [
        (429, Some("120"), Some(120)),
        (429, Some("0"), Some(1)),
        (503, Some("-5"), Some(1)),
        (503, Some("99999999"), Some(86_400)),
        (503, Some("Mon, 02 Mar 2026 08:05:00 GMT"), Some(300)),
        (503, Some("Sun, 01 Mar 2026 08:05:00 GMT"), Some(1)),
        (500, Some("soon"), None),
        (502, None, None),
        (302, None, None),
        (408, None, None),
    ] {
        let error = of(status, after).unwrap_err();
        assert!(error.is_transient(), "{status}");
        let PushError::Away { retry_after_seconds, .. } = error else { panic!("{error}") };
        assert_eq!(retry_after_seconds, seconds, "{status} {after:?}");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_with_one_it_says_who_we_are() {
    let subscription = Subscription::new(ADDRESS, KEY, SECRET, false).unwrap();
    let message = Message { text: b"x", ttl_seconds: 60, urgency: Urgency::Normal, topic: None };
    let none = Push::of(&config(&[])).unwrap();
    assert_eq!(none.public_key(), None);
    assert!(none.send(&subscription, message, Timestamp::UNIX_EPOCH).await.unwrap_err().is_transient());
    // RFC 8291, appendix A: a key and its public half.
    let push = Push::of(&config(&[("PUSH_KEY", "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")])).unwrap();
    assert_eq!(push.public_key(), Some(KEY));
    for topic in ["", "é", "a b", &"a".repeat(33)] {
        let sent = push.send(&subscription, Message { topic: Some(topic), ..message }, Timestamp::UNIX_EPOCH).await;
        assert!(matches!(sent, Err(PushError::Unwritten(_))), "{topic}");
    }
    let long = vec![b'a'; LONGEST + 1];
    let sent = push.send(&subscription, Message { text: &long, ..message }, Timestamp::UNIX_EPOCH).await;
    assert!(matches!(sent, Err(PushError::TooLarge)));
    // Where strangers must not send us: nothing is sent, and it is to be forgotten.
    for inside in ["https://127.0.0.1/p", "https://169.254.169.254/latest", "https://[::1]/p", "http://127.0.0.1:9/p"] {
        let inside = Subscription::new(inside, KEY, SECRET, true).unwrap();
        assert!(matches!(push.send(&inside, message, Timestamp::UNIX_EPOCH).await, Err(PushError::Gone)));
    }
    assert!(Push::of(&config(&[("PUSH_KEY", KEY)])).is_err());
    let refused = Push::of(&config(&[("PUSH_KEY", &generate_key().unwrap()), ("PUSH_CONTACT", "Ada")])).err().unwrap();
    assert!(refused.to_string().starts_with("PUSH_CONTACT: "), "{refused}");
}

proptest! {
    #[test]
    fn whatever_a_browser_gives_is_taken_or_refused(endpoint in "\\PC{0,60}", key in "\\PC{0,100}", secret in "\\PC{0,40}") {
        if let Ok(taken) = Subscription::new(&format!("https://{endpoint}"), KEY, SECRET, false) {
            prop_assert!(!taken.service().is_empty());
        }
        let _ = Subscription::new(ADDRESS, &key, &secret, true);
    }
}
