use super::*;
use crate::{Lang, texts};
use domain::sms::Alphabet;

const ACCOUNT: &str = "AC00112233445566778899aabbccddeeff";

#[test]
fn each_text_is_one_message() {
    for (lang, whole) in [
        (Lang::Fr, "Carnet : votre code est 123 456. Il est valable 10 minutes."),
        (Lang::En, "Carnet: your code is 123 456. It is good for 10 minutes."),
    ] {
        let text = texts::text(lang, "sms-phone-code", &[("code", "123 456")]);
        assert_eq!(text, whole);
        let counted = segments(&text);
        assert_eq!((counted.count, counted.alphabet), (1, Alphabet::Gsm7), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused_without_its_value() {
    assert!(Sms::new(None, None).is_ok());
    let ovh = "service=sms-ab1-1&application_key=s3cret&application_secret=s3cret&consumer_key=s3cret";
    for sound in [
        "brevo:Carnet?key=s3cret",
        "brevo:Carnet2026?key=s3cret&url=http://127.0.0.1:8025/send",
        &format!("ovh:Carnet?{ovh}"),
        &format!("ovh:?{ovh}&replies=yes"),
        &format!("twilio:Carnet?account={ACCOUNT}&token=s3cret"),
        &format!("twilio:+33644630000?account={ACCOUNT}&token=s3cret"),
        &format!("twilio:MG00112233445566778899aabbccddeeff?account={ACCOUNT}&token=s3cret"),
    ] {
        assert!(Sms::new(Some(sound), Some(1)).is_ok(), "{sound}");
    }
    for wrong in [
        "",
        "s3cret",
        "brevo:Carnet",
        "brevo:Carnet?",
        "brevo:Carnet?key=",
        "brevo:?key=s3cret",
        "brevo:Carnet-sante?key=s3cret",
        "brevo:CarnetDeSante?key=s3cret",
        "brevo:0123456?key=s3cret",
        "brevo:Carnet?key=s3cret&url=http://ailleurs.example/",
        "brevo:Carnet?key=s3cret&url=nowhere",
        "smtp:Carnet?key=s3cret",
        "ovh:Carnet?service=sms-ab1-1&application_key=s3cret&application_secret=s3cret",
        "ovh:Carnet?service=../s3cret&application_key=s3cret&application_secret=s3cret&consumer_key=s3cret",
        &format!("ovh:?{ovh}"),
        "twilio:Carnet?account=s3cret&token=s3cret",
        &format!("twilio:Carnet?account={ACCOUNT}"),
        &format!("twilio:0644630000?account={ACCOUNT}&token=s3cret"),
        &format!("twilio:MGs3cret0123?account={ACCOUNT}&token=s3cret"),
    ] {
        let error = Sms::new(Some(wrong), None).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("SMS_URL: ") && !error.contains("s3cret"), "{wrong}: {error}");
    }
}

#[test]
fn people_can_answer_to_a_number_and_to_no_word() {
    let ovh = "service=sms-ab1-1&application_key=a&application_secret=b&consumer_key=c";
    for (url, takes) in [
        (format!("ovh:?{ovh}&replies=yes"), true),
        (format!("ovh:Carnet?{ovh}"), false),
        (format!("twilio:+33644630000?account={ACCOUNT}&token=t"), true),
        (format!("twilio:MG00112233445566778899aabbccddeeff?account={ACCOUNT}&token=t"), true),
        (format!("twilio:Carnet?account={ACCOUNT}&token=t"), false),
        ("brevo:Carnet?key=k".into(), false),
        ("nonsense".into(), false),
    ] {
        assert_eq!(takes_answers(Some(&url)), takes, "{url}");
    }
    assert!(!takes_answers(None));
}

#[test]
fn an_address_is_told_to_one_provider() {
    let (keys, others) = (Keys::any(), Keys::any());
    let token = Provider::Ovh.callback_token(&keys).unwrap();
    assert_eq!(token, Provider::Ovh.callback_token(&keys).unwrap(), "it is asked for again at each start");
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
    assert!(Provider::Ovh.is_callback_token(&keys, &token).unwrap());
    assert!(!Provider::Brevo.is_callback_token(&keys, &token).unwrap());
    assert!(!Provider::Ovh.is_callback_token(&others, &token).unwrap());
    assert!(
        !Provider::Ovh.is_callback_token(&keys, &keys.link_token("sms-callback-ovh", Uuid::max()).unwrap()).unwrap()
    );
    assert_eq!(
        callback("https://c.example", Provider::Ovh, &keys).unwrap(),
        format!("https://c.example/v1/sms/ovh/{token}")
    );
}

#[test]
fn what_providers_count_is_told_in_thousandths_or_not_at_all() {
    for (amount, counted) in [(1.0, Some(1000)), (1.5, Some(1500)), (0.0, Some(0)), (0.0004, Some(0))] {
        assert_eq!(thousandths(amount), counted, "{amount}");
    }
    for nonsense in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(thousandths(nonsense), None, "{nonsense}");
    }
}
