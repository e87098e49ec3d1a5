use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters};
use serde_json::Value;

use super::*;

// Made by OpenSSL for this test: `openssl req -x509 -newkey rsa:2048 -nodes`, and the same key in its other form.
const CERTIFICATE: &str = include_str!("certificate.pem");
const KEY: &str = include_str!("key.pem");
const KEY_PKCS1: &str = include_str!("key-pkcs1.pem");
const ELLIPTIC: &str = include_str!("elliptic-key.pem");
// What `openssl x509 -fingerprint` says of it.
const SHA1: &str = "B9B3170E92E33FF9F5A91A7E9E5E8959719EF08C";
const SHA256: &str = "3505AC69A03A6719092CE4E86953B5CD6ACDB07704B0E210DC37CF963BD73719";
const AUDIENCE: &str = "https://login.microsoftonline.com/t/oauth2/v2.0/token";

fn json(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL.decode(part).unwrap()).unwrap()
}

fn hex(named: &Value) -> String {
    BASE64_URL.decode(named.as_str().unwrap()).unwrap().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn verify(certificate: &Certificate, statement: &str, by: &'static RsaParameters) -> bool {
    let (said, signature) = statement.rsplit_once('.').unwrap();
    let key: PublicKeyComponents<Vec<u8>> = certificate.key.public().into();
    key.verify(by, said.as_bytes(), &BASE64_URL.decode(signature).unwrap()).is_ok()
}

#[test]
fn a_statement_names_the_certificate_whom_it_is_for_and_how_long_it_is_good() {
    let certificate = Certificate::from_pem(CERTIFICATE, KEY).unwrap();
    let now = "2026-11-28T10:00:00Z".parse::<Timestamp>().unwrap();
    let statement = certificate.statement("client", AUDIENCE, Signing::Ps256, now).unwrap();
    let parts: Vec<_> = statement.split('.').collect();
    let (head, claims) = (json(parts[0]), json(parts[1]));
    assert_eq!((&head["alg"], hex(&head["x5t#S256"])), (&json!("PS256"), SHA256.to_owned()));
    assert_eq!(
        (&claims["aud"], &claims["iss"], &claims["sub"]),
        (&json!(AUDIENCE), &json!("client"), &json!("client"))
    );
    let at = now.as_second();
    assert_eq!((&claims["nbf"], &claims["iat"], &claims["exp"]), (&json!(at - 60), &json!(at), &json!(at + 540)));
    assert!(verify(&certificate, &statement, &RSA_PSS_2048_8192_SHA256));
    assert!(!verify(&certificate, &statement, &RSA_PKCS1_2048_8192_SHA256));
    let again = certificate.statement("client", AUDIENCE, Signing::Ps256, now).unwrap();
    assert_ne!(json(again.split('.').nth(1).unwrap())["jti"], claims["jti"]);
}

#[test]
fn a_server_on_premises_gets_what_it_knows() {
    let certificate = Certificate::from_pem(CERTIFICATE, KEY_PKCS1).unwrap();
    let statement = certificate.statement("client", AUDIENCE, Signing::Rs256, Timestamp::UNIX_EPOCH).unwrap();
    let head = json(statement.split('.').next().unwrap());
    assert_eq!((&head["alg"], hex(&head["x5t"])), (&json!("RS256"), SHA1.to_owned()));
    assert!(verify(&certificate, &statement, &RSA_PKCS1_2048_8192_SHA256));
}

#[test]
fn what_is_of_no_use_is_refused_when_it_is_given() {
    let with = |certificate: &str, key: &str| Certificate::from_pem(certificate, key).err();
    assert_eq!(with(CERTIFICATE, KEY), None);
    assert_eq!(with(KEY, KEY), Some(NotACertificate::Certificate));
    assert_eq!(with(CERTIFICATE, CERTIFICATE), Some(NotACertificate::Key));
    assert_eq!(with(CERTIFICATE, ELLIPTIC), Some(NotACertificate::Kind));
    let sealed = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(with(CERTIFICATE, sealed), Some(NotACertificate::Key));
    let foreign = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert_eq!(with(foreign, KEY), Some(NotACertificate::Apart));
}
