use proptest::prelude::*;
use serde_json::json;

use super::*;

const SITE: &str = "https://carnet.example/v1/sms/twilio/token";

fn read(provider: Provider, url: &str, body: &str) -> Vec<Received> {
    receipts(provider, None, &HeaderMap::new(), url, body.as_bytes()).unwrap()
}

fn receipt(reference: &str, tag: Option<&str>, state: State, why: Option<&str>) -> Received {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Received::Receipt(Receipt { reference: reference.into(), tag: owned(tag), state, why: owned(why) })
}

fn signed(token: &str, said: &str) -> HeaderMap {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let signature = BASE64.encode(hmac::sign(&key, said.as_bytes()));
    HeaderMap::from_iter([("x-twilio-signature".parse().unwrap(), signature.parse().unwrap())])
}

#[test]
fn what_brevo_tells_is_read() {
    // As "Transactional webhooks" shows it.
    let event = json!({"id": 26527, "status": "OK", "msg_status": "delivered", "description": "delivered",
        "to": "33639980102", "ts_event": 1_728_459_617, "date": "2024-10-09 13:10:17", "messageId": 123,
        "reference": {"1": "1hi8srff049z0qzvgt3f"}, "tag": ["0199"], "type": "transactional"});
    let with = |changes: Value| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        event
    };
    let of = |changes: Value| read(Provider::Brevo, "", &with(changes).to_string());
    assert_eq!(of(json!({})), [receipt("123", Some("0199"), State::Delivered, None)]);
    assert_eq!(of(json!({"msg_status": "sent"})), [receipt("123", Some("0199"), State::Sent, None)]);
    assert_eq!(of(json!({"msg_status": "accepted", "tag": "0199"})), [receipt("123", Some("0199"), State::Sent, None)]);
    assert_eq!(
        of(json!({"msg_status": "hard_bounce", "error_code": 105, "tag": null})),
        [receipt("123", None, State::Failed, Some("hardbounce 105"))]
    );
    assert_eq!(
        of(json!({"msg_status": null, "event": "softBounces", "messageId": 1.5e15})),
        [receipt("1500000000000000", Some("0199"), State::Failed, Some("softbounces"))]
    );
    assert_eq!(of(json!({"msg_status": "listened"})), [], "what is new to us is left out");
    let answer = |text: &str| {
        let (reference, tag) = (Some("123".into()), Some("0199".into()));
        [Received::Reply(Reply { id: None, from: "+33639980102".into(), text: text.into(), reference, tag })]
    };
    assert_eq!(of(json!({"msg_status": "replied", "reply": "Annuler"})), answer("Annuler"));
    assert_eq!(of(json!({"msg_status": "unsubscribe"})), answer("STOP"));
    let batch = json!([with(json!({})), with(json!({"msg_status": "opened"})), with(json!({"messageId": "x-2"})), 1]);
    assert_eq!(
        read(Provider::Brevo, "", &batch.to_string()),
        [receipt("123", Some("0199"), State::Delivered, None), receipt("x-2", Some("0199"), State::Delivered, None)]
    );
}

#[test]
fn what_ovh_tells_is_read_from_the_address_or_a_form() {
    let called = "https://carnet.example/v1/sms/ovh/token?id=26929925&ptt=1&dlr=1&tag=0199";
    assert_eq!(read(Provider::Ovh, called, ""), [receipt("26929925", Some("0199"), State::Delivered, None)]);
    for (dlr, state, why) in [
        ("1", State::Delivered, None),
        ("2", State::Failed, Some("ptt 1004")),
        ("16", State::Failed, Some("ptt 1004")),
        ("4", State::Sent, Some("ptt 1004")),
        ("8", State::Sent, Some("ptt 1004")),
    ] {
        let form = format!("id=26929925&ptt=1004&dlr={dlr}");
        assert_eq!(read(Provider::Ovh, "/v1/sms/ovh/token", &form), [receipt("26929925", None, state, why)], "{dlr}");
    }
    assert_eq!(read(Provider::Ovh, "/?id=7&ptt=3", ""), [receipt("7", None, State::Sent, Some("ptt 3"))]);
    let form = "id=51&shortcode=36063&senderid=%2B33639980102&message=+Stop+&tag=0199&date=2026-03-02";
    let reply = Reply {
        id: Some("51".into()),
        from: "+33639980102".into(),
        text: "Stop".into(),
        reference: None,
        tag: Some("0199".into()),
    };
    for (url, body) in [("/", form.to_owned()), (&*format!("/?{form}"), String::new())] {
        assert_eq!(read(Provider::Ovh, url, &body), [Received::Reply(reply.clone())]);
    }
    assert_eq!(read(Provider::Ovh, "/", &form.replace("%2B33", "0033")), [Received::Reply(reply)]);
}

#[test]
fn what_twilio_tells_is_read_when_it_signed_it() {
    let form = "MessageSid=SM0123&MessageStatus=undelivered&ErrorCode=30003&To=%2B33639980102&AccountSid=AC1";
    let said = "AccountSidAC1ErrorCode30003MessageSidSM0123MessageStatusundeliveredTo+33639980102";
    let url = format!("{SITE}?tag=0199");
    let of = |headers: &HeaderMap, url: &str, form: &str| {
        receipts(Provider::Twilio, Some("t0ken"), headers, url, form.as_bytes()).ok()
    };
    let failed = Some(vec![receipt("SM0123", Some("0199"), State::Failed, Some("30003"))]);
    assert_eq!(of(&signed("t0ken", &format!("{url}{said}")), &url, form), failed);
    // As some of its servers sign.
    let ported = url.replace(".example", ".example:443");
    assert_eq!(of(&signed("t0ken", &format!("{ported}{said}")), &url, form), failed);
    let good = signed("t0ken", &format!("{url}{said}"));
    let mut twice = good.clone();
    twice.append("x-twilio-signature", good["x-twilio-signature"].clone());
    for (headers, url, form) in [
        (&HeaderMap::new(), &*url, form),
        (&signed("other", &format!("{url}{said}")), &*url, form),
        (&good, SITE, form),
        (&good, &*url, &*form.replace("undelivered", "delivered")),
        (&good, &*url, &*format!("{form}&MessageStatus=delivered")),
        (&twice, &*url, form),
    ] {
        let refused = receipts(Provider::Twilio, Some("t0ken"), headers, url, form.as_bytes()).unwrap_err();
        assert!(matches!(refused, ReceivedError::NotTheirs), "{refused}");
    }
    // Of an account that is ours no more nothing is believed.
    assert!(receipts(Provider::Twilio, None, &good, &url, form.as_bytes()).is_err());
    let (form, said) = (
        "From=%2B33639980102&MessageSid=SM9&Body=1+%C3%A9&SmsStatus=received",
        "Body1 éFrom+33639980102MessageSidSM9SmsStatusreceived",
    );
    let reply =
        Reply { id: Some("SM9".into()), from: "+33639980102".into(), text: "1 é".into(), reference: None, tag: None };
    assert_eq!(of(&signed("t0ken", &format!("{SITE}{said}")), SITE, form), Some(vec![Received::Reply(reply)]));
}

#[test]
fn the_example_of_twilio_s_own_documentation_is_one_it_signed() {
    let form = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";
    let headers = HeaderMap::from_iter([(
        "x-twilio-signature".parse().unwrap(),
        "0/KCTR6DLpKmkAf8muzZqo1nDgQ=".parse().unwrap(),
    )]);
    assert!(is_signed("12345", &headers, "https://mycompany.com/myapp.php?foo=1&bar=2", form.as_bytes()));
}

#[test]
fn what_is_too_large_or_nothing_of_theirs_is_refused() {
    let large = "a".repeat(MAX_CALL + 1);
    for provider in Provider::ALL {
        let refused = receipts(provider, Some("t"), &HeaderMap::new(), "/", large.as_bytes()).unwrap_err();
        assert!(matches!(refused, ReceivedError::TooLarge), "{provider:?}: {refused}");
    }
    for body in [
        "",
        "{",
        "null",
        "[1]",
        "[[]]",
        "{}",
        r#"{"msg_status":1}"#,
        r#"{"msg_status":"delivered"}"#,
        r#"{"msg_status":"delivered","messageId":-1}"#,
        r#"{"msg_status":"delivered","messageId":"a b"}"#,
        r#"{"msg_status":"replied","to":"33639980102"}"#,
        r#"{"msg_status":"replied","reply":"1","to":"Ada"}"#,
    ] {
        let refused = receipts(Provider::Brevo, None, &HeaderMap::new(), "/", body.as_bytes()).unwrap_err();
        assert!(matches!(refused, ReceivedError::NotUnderstood("brevo")), "{body}: {refused}");
    }
    for form in
        ["", "id=1", "dlr=1", "id=&dlr=1", "id=1&dlr=x", "id=1&id=2&dlr=1", "senderid=Ada&message=1", "id=1&message=1"]
    {
        let refused = receipts(Provider::Ovh, None, &HeaderMap::new(), "/", form.as_bytes()).unwrap_err();
        assert!(matches!(refused, ReceivedError::NotUnderstood("ovh")), "{form}: {refused}");
    }
    let batch = format!("[{}]", vec![r#"{"msg_status":"opened"}"#; MAX_EVENTS + 1].join(","));
    assert!(receipts(Provider::Brevo, None, &HeaderMap::new(), "/", batch.as_bytes()).is_err());
}

#[test]
fn states_come_in_any_order_and_the_furthest_stays() {
    assert!(State::Sent < State::Failed && State::Failed < State::Delivered);
    let told = ["8", "1", "4", "1", "8"].map(|dlr| read(Provider::Ovh, &format!("/?id=7&dlr={dlr}"), ""));
    let furthest = told.iter().flatten().filter_map(|one| match one {
        Received::Receipt(receipt) => Some(receipt.state),
        Received::Reply(_) => None,
    });
    assert_eq!(furthest.max(), Some(State::Delivered));
}

/// Bytes that are nearly what providers send.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"msg_status\"",
        "\"delivered\"",
        "\"replied\"",
        "\"messageId\"",
        "\"tag\"",
        "\"to\"",
        "\"reply\"",
        "1e99",
        "-0",
        "null",
        "\"\\u0000\"",
        "id",
        "=",
        "&",
        "dlr",
        "ptt",
        "senderid",
        "message",
        "%",
        "%00",
        "%ff",
        "+33639980102",
        "MessageSid",
        "MessageStatus",
        "Body",
        "From",
        "é",
        "?",
        "#",
    ]);
    let texts = prop::collection::vec(words, 0..30).prop_map(|words| words.concat().into_bytes());
    prop_oneof![texts, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_or_refused_and_nothing_kept_is_long_or_holds_a_nul(
        body in nearly(), query in nearly(), provider in proptest::sample::select(Provider::ALL.to_vec()),
    ) {
        let url = format!("{SITE}?{}", String::from_utf8_lossy(&query));
        let mut pairs: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
        pairs.sort();
        let form: String = pairs.into_iter().map(|(name, value)| name + &value).collect();
        let headers = signed("t", &format!("{url}{form}"));
        for received in receipts(provider, Some("t"), &headers, &url, &body).unwrap_or_default() {
            let (names, texts) = match received {
                Received::Receipt(it) => (vec![Some(it.reference), it.tag, it.why], vec![]),
                Received::Reply(it) => {
                    prop_assert_eq!(dialled(&it.from), Some(it.from));
                    (vec![it.id, it.reference, it.tag], vec![it.text])
                }
            };
            prop_assert!(names.iter().flatten().all(|name| name.len() <= MAX_WORD + 10 && name.is_ascii()));
            prop_assert!(texts.iter().all(|text| text.chars().count() <= MAX_TEXT && !text.contains('\0')));
        }
        prop_assert!(
            receipts(Provider::Twilio, Some("other"), &headers, &url, &body).is_err(),
            "signed by nobody we know"
        );
    }
}
