//! Passkeys, with a real authenticator and what a browser does with it (1Password's).

use domain::SignedDuration;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client as Browser, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::second_factors::{PASSWORD, renewed, sign_in};
use crate::support::client::Answer;
use crate::support::{App, Client};

const HOME: &str = "http://localhost:8080";
const OPTIONS: &str = "/v1/second-factors/passkeys/options";
const ADD: &str = "/v1/second-factors/passkeys";

/// A user who is there, and shows a finger or does not.
struct User {
    verified: bool,
}

#[async_trait::async_trait]
impl UserValidationMethod for User {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: self.verified })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A telephone with one key, or none yet, and its browser.
#[derive(Clone)]
struct Device {
    key: Option<Passkey>,
    verified: bool,
    /// Where the browser is.
    at: &'static str,
}

impl Device {
    fn new() -> Self {
        Self { key: None, verified: true, at: HOME }
    }

    fn authenticator(&self) -> Authenticator<Option<Passkey>, User, RustCryptoBackend> {
        let user = User { verified: self.verified };
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), self.key.clone(), user, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        authenticator
    }

    /// Without a finger, the browser must be asked for none.
    fn asked(&self, options: &Value) -> Value {
        let mut options = options["public_key"].clone();
        if !self.verified {
            if options.get("authenticatorSelection").is_some() {
                options["authenticatorSelection"]["userVerification"] = json!("discouraged");
            } else {
                options["userVerification"] = json!("discouraged");
            }
        }
        json!({"publicKey": options})
    }

    async fn create(&mut self, options: &Value) -> Value {
        let mut browser = Browser::new(self.authenticator()).allows_insecure_localhost(true);
        let asked = serde_json::from_value(self.asked(options)).unwrap();
        let created = browser.register(&Url::parse(self.at).unwrap(), asked, DefaultClientData).await.unwrap();
        self.key = browser.authenticator().store().clone();
        serde_json::to_value(created).unwrap()
    }

    async fn get(&mut self, options: &Value) -> Value {
        let mut browser = Browser::new(self.authenticator()).allows_insecure_localhost(true);
        let asked = serde_json::from_value(self.asked(options)).unwrap();
        let got = browser.authenticate(&Url::parse(self.at).unwrap(), asked, DefaultClientData).await.unwrap();
        self.key = browser.authenticator().store().clone();
        serde_json::to_value(got).unwrap()
    }
}

async fn begin(app: &App) -> Value {
    app.nobody().post("/v1/sessions/passkey/options", &json!({})).await.expect(201)
}

async fn finish(app: &App, options: &Value, credential: &Value) -> Answer {
    let answer = json!({"ceremony": options["ceremony"], "credential": credential});
    app.nobody().post("/v1/sessions/passkey", &answer).await
}

/// Signs in with the device's key.
async fn with(app: &App, device: &mut Device) -> Answer {
    let options = begin(app).await;
    let credential = device.get(&options).await;
    finish(app, &options, &credential).await
}

/// Adds a passkey on a new device.
async fn registered(client: &Client) -> (Device, Value) {
    let mut device = Device::new();
    let options = client.post(OPTIONS, &json!({})).await.expect(201);
    let credential = device.create(&options).await;
    let new = json!({"ceremony": options["ceremony"], "label": "Téléphone", "credential": credential});
    let added = client.post(ADD, &new).await.expect(201);
    (device, added)
}

#[tokio::test]
async fn a_passkey_signs_in_alone_and_is_worth_two_factors() {
    let app = App::start().await;
    let ada = app.patient().await;
    let options = ada.post(OPTIONS, &json!({})).await.expect(201);
    let asked = &options["public_key"];
    assert_eq!(asked["rp"], json!({"name": "Carnet", "id": "localhost"}));
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["user"]["name"], json!(ada.email));
    let (mut device, added) = registered(&ada).await;
    assert_eq!(added["recovery_codes"].as_array().unwrap().len(), 10, "with the first factor");

    let asked = begin(&app).await;
    assert_eq!(asked["public_key"]["userVerification"], "required");
    assert_eq!(asked["public_key"]["allowCredentials"], json!([]), "nobody is asked who they are");
    for _ in 0..2 {
        let pair = with(&app, &mut device).await.expect(201);
        let me = ada.clone().bearing(pair["access_token"].as_str().unwrap());
        let list = me.get("/v1/second-factors").await.expect(200);
        assert_eq!((&list["items"][0]["kind"], &list["items"][0]["label"]), (&json!("passkey"), &json!("Téléphone")));
        assert!(list["items"][0]["last_used_at"].is_string());
    }
    let opened = "select count(*) from session where method = 'passkey' and level = 2 and role = 'patient'";
    assert_eq!(app.count(opened).await, 2);

    // The password alone opens nothing any more.
    let refused = sign_in(&app, &ada, None).await;
    assert_eq!(refused.problem(401), "second-factor-needed-at-sign-in");
    assert_eq!(refused.body["factors"], json!(["recovery-code", "passkey"]));
    assert_eq!(sign_in(&app, &ada, Some("123456")).await.problem(401), "sign-in-failed");
    sign_in(&app, &ada, added["recovery_codes"][0].as_str()).await.expect(201);
}

#[tokio::test]
async fn an_answer_counts_once_in_time_and_for_its_own_challenge() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (mut device, _) = registered(&ada).await;
    let options = begin(&app).await;
    let credential = device.get(&options).await;
    finish(&app, &options, &credential).await.expect(201);
    assert_eq!(finish(&app, &options, &credential).await.problem(401), "sign-in-failed", "replayed");
    let other = begin(&app).await;
    assert_eq!(finish(&app, &other, &credential).await.problem(401), "sign-in-failed", "another challenge's");
    // What failed is used up as well.
    let credential = device.get(&other).await;
    assert_eq!(finish(&app, &other, &credential).await.problem(401), "sign-in-failed");
    let late = begin(&app).await;
    let credential = device.get(&late).await;
    app.later(SignedDuration::from_mins(6));
    assert_eq!(finish(&app, &late, &credential).await.problem(401), "sign-in-failed", "too late");
    let nowhere = json!({"ceremony": "00000000-0000-7000-8000-000000000000"});
    assert_eq!(finish(&app, &nowhere, &credential).await.problem(401), "sign-in-failed");
    let two = begin(&app).await;
    let credential = device.get(&two).await;
    let (one, other) = tokio::join!(finish(&app, &two, &credential), finish(&app, &two, &credential));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401], "of two at once, one");
    // A registration's challenge signs nobody in, nor the other way round, nor for somebody else.
    let ben = app.patient().await;
    let options = ben.post(OPTIONS, &json!({})).await.expect(201);
    let credential = Device::new().create(&options).await;
    assert_eq!(finish(&app, &options, &credential).await.problem(401), "sign-in-failed");
    let cyd = app.patient().await;
    let stolen = json!({"ceremony": options["ceremony"], "credential": credential});
    let refused = cyd.post(ADD, &stolen).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("ceremony")));
    ben.post(ADD, &stolen).await.expect(201);
    assert_eq!(ben.post(ADD, &stolen).await.problem(422), "field-invalid", "its challenge is used up");
    assert_eq!(app.count("select count(*) from passkey_ceremony").await, 1, "the one that was answered too late");
    app.later(SignedDuration::from_mins(6));
    app.event("sign-in", "").await;
    assert_eq!(app.count("select count(*) from passkey_ceremony").await, 0);
}

#[tokio::test]
async fn another_place_key_or_person_is_refused() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let (device, _) = registered(&ada).await;
    let (bens, _) = registered(&ben).await;
    let account = async |client: &Client| -> Uuid {
        let account = sqlx::query_scalar("select id from account where email_lookup = $1");
        account.bind(app.email_lookup(&client.email)).fetch_one(app.pool()).await.unwrap()
    };
    let refused = async |mut device: Device, why: &str| {
        assert_eq!(with(&app, &mut device).await.problem(401), "sign-in-failed", "{why}");
    };
    // The same name, another origin: a page of another port.
    refused(Device { at: "http://localhost:9999", ..device.clone() }, "origin").await;
    refused(Device { verified: false, ..device.clone() }, "no finger").await;
    let mut swapped = device.clone();
    let handle = account(&ben).await.as_bytes().to_vec();
    swapped.key.as_mut().unwrap().user_handle = Some(handle.into());
    refused(swapped, "Ada's key for Ben's account").await;
    let mut forged = device.clone();
    forged.key.as_mut().unwrap().key = bens.key.as_ref().unwrap().key.clone();
    refused(forged, "Ben's key under the name of Ada's").await;
    let mut unknown = Device::new();
    let options = app.patient().await.post(OPTIONS, &json!({})).await.expect(201);
    unknown.create(&options).await;
    refused(unknown, "a key that was never added").await;
    let options = begin(&app).await;
    let credential = device.clone().get(&options).await;
    for (path, value) in [
        ("/response/signature", json!("AAAA")),
        ("/response/userHandle", Value::Null),
        ("/response/authenticatorData", json!("AAAA")),
        ("/response", json!({})),
        ("/rawId", json!("é")),
    ] {
        let options = begin(&app).await;
        let mut broken = device.clone().get(&options).await;
        *broken.pointer_mut(path).unwrap() = value;
        assert_eq!(finish(&app, &options, &broken).await.problem(401), "sign-in-failed", "{path}");
    }
    finish(&app, &options, &credential).await.expect(201);
    // A closed or suspended account.
    sqlx::query("update account set state = 'suspended' where id = $1")
        .bind(account(&ben).await)
        .execute(app.pool())
        .await
        .unwrap();
    refused(bens, "suspended").await;
}

#[tokio::test]
async fn a_counter_that_goes_back_tells_of_a_copy() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (mut device, _) = registered(&ada).await;
    let mut copy = device.clone();
    for _ in 0..3 {
        with(&app, &mut device).await.expect(201);
    }
    assert_eq!(with(&app, &mut copy).await.problem(401), "sign-in-failed", "1 after 3");
    with(&app, &mut device).await.expect(201);
    // A passkey that counts nothing, as those that are kept on several devices, works all the same.
    let ben = app.patient().await;
    let (mut synchronised, _) = registered(&ben).await;
    synchronised.key.as_mut().unwrap().counter = None;
    for _ in 0..2 {
        with(&app, &mut synchronised).await.expect(201);
    }
}

#[tokio::test]
async fn what_a_registration_answers_is_checked_too() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (device, _) = registered(&ada).await;
    let ben = app.patient().await;
    for (mut device, why) in [
        (Device { at: "http://localhost:9999", ..Device::new() }, "origin"),
        (Device { verified: false, ..Device::new() }, "no finger"),
    ] {
        let options = ben.post(OPTIONS, &json!({})).await.expect(201);
        let credential = device.create(&options).await;
        let refused = ben.post(ADD, &json!({"ceremony": options["ceremony"], "credential": credential})).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("credential")), "{why}");
    }
    // Ada adds another; her devices hear of those that there are.
    let mut device = device;
    let pair = with(&app, &mut device).await.expect(201);
    let ada = ada.bearing(pair["access_token"].as_str().unwrap());
    let options = ada.post(OPTIONS, &json!({})).await.expect(201);
    assert_eq!(options["public_key"]["excludeCredentials"].as_array().unwrap().len(), 1);
    let (_, added) = registered(&ada).await;
    assert_eq!(added["recovery_codes"], Value::Null, "those of the first are still there");
    // Fresh from the passkey, the password is enough to remove one.
    let removal = format!("/v1/second-factors/{}/removal", added["id"].as_str().unwrap());
    ada.post(&removal, &json!({"password": PASSWORD})).await.expect(204);
    let list = ada.get("/v1/second-factors").await.expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["recovery_codes"]), (1, &json!(10)));
}

#[tokio::test]
async fn without_a_public_address_there_are_no_passkeys() {
    let development = App::start().await;
    let app = App::on(development.url.clone(), &[("CARNET_ENV", "production")]).await;
    let options = app.nobody().post("/v1/sessions/passkey/options", &json!({})).await;
    assert_eq!(options.problem(404), "not-found");
    let named = [("CARNET_ENV", "production"), ("PUBLIC_URL", "https://carnet.example/app")];
    let app = App::on(development.url.clone(), &named).await;
    assert_eq!(begin(&app).await["public_key"]["rpId"], "carnet.example");
}

#[tokio::test]
async fn wrong_passwords_never_keep_a_passkey_out() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (mut device, _) = registered(&ada).await;
    for _ in 0..11 {
        let wrong = json!({"email": ada.email, "password": "pas celle-là"});
        app.nobody().post("/v1/sessions", &wrong).await;
    }
    assert_eq!(sign_in(&app, &ada, None).await.problem(429), "too-many-attempts");
    with(&app, &mut device).await.expect(201);
}

/// Calls every statement of passkeys.
pub async fn walk(app: &App) {
    let ada = app.patient_named("cle@famille.example", "fr").await;
    let ada = renewed(app, &ada, None).await;
    let (mut device, _) = registered(&ada).await;
    with(app, &mut device).await.expect(201);
}
