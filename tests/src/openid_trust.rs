//! Which answers of an identity provider are believed: against real providers that can be told to misbehave.

use domain::SignedDuration;
use serde_json::{Value, json};

use crate::sign_in_with::{ANGELA, SESSIONS, answer, citizens, professionals, signed_in};
use crate::support::openid::{BACK, Issuer, app_with, go};

#[tokio::test]
async fn an_answer_that_is_not_sound_signs_nobody_in() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let id_tokens = [
        "nonce",
        "no nonce",
        "audience",
        "two audiences",
        "party",
        "issuer",
        "expired",
        "not yet",
        "issued later",
        "issued long ago",
        "acr",
        "no acr",
        "access token",
        "subject",
        "none",
        "HS256 with the public key",
        "HS256 with the client secret",
        "another key",
        "key in the header",
        "unknown key",
        "critical",
        "signature",
        "truncated",
        "absent",
    ];
    let userinfos = [
        "audience",
        "two audiences",
        "issuer",
        "expired",
        "not yet",
        "subject",
        "none",
        "HS256 with the public key",
        "HS256 with the client secret",
        "another key",
        "key in the header",
        "unknown key",
        "critical",
        "signature",
        "truncated",
        "unsigned",
    ];
    let all =
        id_tokens.map(|how| json!({"id_token": how})).into_iter().chain(userinfos.map(|how| json!({"userinfo": how})));
    let mut refused = 0;
    for how in all {
        let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
        issuer.behave(how.clone()).await;
        let told = answer(&app, "franceconnect", &sent).await;
        assert_eq!(
            (told.status.as_u16(), &told.body["type"]),
            (401, &json!("/problems/sign-in-refused")),
            "{how}: {}",
            told.body
        );
        issuer.behave(json!({})).await;
        assert_eq!(answer(&app, "franceconnect", &sent).await.problem(401), "sign-in-refused", "{how}: a second time");
        refused += 2;
    }
    assert_eq!(app.count(SESSIONS).await, 0);
    assert_eq!(app.count("select count(*) from external_identity").await, 0);
    assert_eq!(app.count("select count(*) from openid_attempt").await, 0);
    assert_eq!(
        app.count("select count(*) from audit where event = 'session.open.franceconnect' and outcome = 'refused'")
            .await,
        refused
    );
    // Signed again with nothing changed, and then as it should be, it does: the refusals were for what was changed.
    for how in [json!({"id_token": "signed again"}), json!({"userinfo": "signed again"}), json!({})] {
        issuer.behave(how).await;
        signed_in(&app, "franceconnect", ANGELA).await;
    }
    assert_eq!(app.count(SESSIONS).await, 3);
}

#[tokio::test]
async fn a_client_may_sign_who_it_is_instead_of_sending_a_secret() {
    let wanted = json!({"kind": "franceconnect", "redirect_uri": BACK, "people": citizens(), "private_key_jwt": true});
    let settings = json!({
        "name": "franceconnect", "kind": "franceconnect", "label": "FranceConnect", "authentication": "private_key_jwt",
        "private_key_id": "ours", "scopes": ["openid", "identite_pivot", "email"], "acr_values": ["eidas1"],
        "id_token_algorithms": ["ES256"], "userinfo_algorithms": ["ES256"],
    });
    let issuer = Issuer::start(&wanted, &settings).await;
    let app = app_with(&[&issuer]).await;
    signed_in(&app, "franceconnect", ANGELA).await;
    // Without a key of its own, a secret is not enough for this provider: its refusal of us is our failure, not the person's.
    let mut secret = issuer;
    secret.settings["authentication"] = json!("client_secret_post");
    let app = app_with(&[&secret]).await;
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(500), "internal");
    assert_eq!(app.count(SESSIONS).await, 0);
}

#[tokio::test]
async fn a_shared_secret_signs_where_the_configuration_says_so_and_nowhere_else() {
    let wanted =
        json!({"kind": "psc", "redirect_uri": BACK, "people": professionals("99700218896"), "id_token_alg": "HS256"});
    let settings = json!({
        "name": "psc", "kind": "psc", "label": "Pro Santé Connect", "discovery": ".well-known/wallet-openid-configuration",
        "authentication": "client_secret_basic", "scopes": ["openid", "scope_all"], "acr_values": ["eidas1"],
        "id_token_algorithms": ["HS256"],
    });
    let mut issuer = Issuer::start(&wanted, &settings).await;
    let app = app_with(&[&issuer]).await;
    signed_in(&app, "psc", "paul").await;
    issuer.settings["id_token_algorithms"] = json!(["RS256", "ES256"]);
    let app = app_with(&[&issuer]).await;
    let sent = go(&app.nobody(), "/v1/sign-in-with/psc", "paul").await;
    assert_eq!(answer(&app, "psc", &sent).await.problem(401), "sign-in-refused");
}

/// A certificate authority, and what it signed for a server and for us, in PEM: authority, certificate and key of each.
fn certificates() -> [String; 5] {
    let mut authority = rcgen::CertificateParams::default();
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Autorité des tests");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key).unwrap();
    let signed = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        certificate.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (server, ours) = (signed("localhost"), signed("carnet.example"));
    [authority.pem(), server.0, server.1, ours.0, ours.1]
}

#[tokio::test]
async fn a_provider_is_known_by_its_certificate_and_knows_us_by_ours() {
    let [authority, certificate, key, own_certificate, own_key] = certificates();
    let tls = json!({"ca": authority, "cert": certificate, "key": key});
    let wanted = json!({"kind": "psc", "redirect_uri": BACK, "people": professionals("99700218896"), "tls": tls});
    let settings = json!({
        "name": "psc", "kind": "psc", "label": "Pro Santé Connect", "discovery": ".well-known/wallet-openid-configuration",
        "authentication": "client_secret_basic", "scopes": ["openid", "scope_all"], "acr_values": ["eidas1"],
        "ca_certificate": authority, "client_certificate": own_certificate, "client_certificate_key": own_key,
    });
    let mut issuer = Issuer::start(&wanted, &settings).await;
    assert!(issuer.address.starts_with("https://"));
    let app = app_with(&[&issuer]).await;
    signed_in(&app, "psc", "paul").await;
    // Without our certificate it does not speak to us.
    let whole = issuer.settings.clone();
    for field in ["client_certificate", "client_certificate_key"] {
        issuer.settings.as_object_mut().unwrap().remove(field);
    }
    let refused = async |issuer: &Issuer| {
        let app = app_with(&[issuer]).await;
        assert_eq!(app.nobody().post("/v1/sign-in-with/psc", &json!({})).await.problem(503), "unavailable");
    };
    refused(&issuer).await;
    // And we do not speak to whom an authority we do not trust has signed for.
    issuer.settings = whole;
    issuer.settings["ca_certificate"] = json!(certificates()[0]);
    refused(&issuer).await;
    issuer.settings.as_object_mut().unwrap().remove("ca_certificate");
    refused(&issuer).await;
}

#[tokio::test]
async fn a_plain_userinfo_of_somebody_else_signs_nobody_in() {
    let issuer = Issuer::psc(professionals("99700218896")).await;
    let app = app_with(&[&issuer]).await;
    for how in [
        json!({"userinfo": "json of another"}),
        json!({"id_token": "HS256 with the public key"}),
        json!({"id_token": "none"}),
    ] {
        let sent = go(&app.nobody(), "/v1/sign-in-with/psc", "paul").await;
        issuer.behave(how.clone()).await;
        assert_eq!(answer(&app, "psc", &sent).await.problem(401), "sign-in-refused", "{how}");
        issuer.behave(json!({})).await;
    }
    assert_eq!(app.count(SESSIONS).await, 0);
}

#[tokio::test]
async fn an_attempt_is_good_once_for_who_began_it_and_not_for_long() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let refused = async |sent: &Value| {
        assert_eq!(answer(&app, "franceconnect", sent).await.problem(401), "sign-in-refused", "{sent}");
    };
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    // Another's answer under one's own ticket, and the other way round: the state is not this attempt's.
    let other = go(&app.nobody(), "/v1/sign-in-with/franceconnect", "jean").await;
    refused(&json!({"code": sent["code"], "state": sent["state"], "ticket": other["ticket"]})).await;
    refused(&json!({"code": sent["code"], "state": sent["state"], "ticket": "guessed"})).await;
    refused(&json!({"code": other["code"], "state": other["state"], "ticket": other["ticket"]})).await;
    // Another issuer than this provider.
    let third = go(&app.nobody(), "/v1/sign-in-with/franceconnect", "jean").await;
    let mut mixed = third.clone();
    mixed["iss"] = json!("https://elsewhere.example");
    refused(&mixed).await;
    refused(&third).await;
    // Nor of nobody: this provider says in its discovery document that it names itself.
    let mut unnamed = go(&app.nobody(), "/v1/sign-in-with/franceconnect", "jean").await;
    assert!(unnamed["iss"].is_string());
    unnamed["iss"] = Value::Null;
    refused(&unnamed).await;
    // A code that belongs to another attempt: the provider knows no such verifier.
    let (one, two) = (
        go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await,
        go(&app.nobody(), "/v1/sign-in-with/franceconnect", "jean").await,
    );
    refused(&json!({"code": one["code"], "state": two["state"], "ticket": two["ticket"]})).await;
    // The right one opens one session; the same once more opens none.
    answer(&app, "franceconnect", &sent).await.expect(201);
    refused(&sent).await;
    assert_eq!(app.count(SESSIONS).await, 1);
    // Two at once.
    let twice = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    let both =
        futures_util::future::join(answer(&app, "franceconnect", &twice), answer(&app, "franceconnect", &twice)).await;
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [201, 401] || statuses == [401, 401], "{statuses:?}");
    // Too late.
    let late = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    app.later(SignedDuration::from_mins(11));
    let sessions = app.count(SESSIONS).await;
    refused(&late).await;
    assert_eq!(app.count(SESSIONS).await, sessions);
    for broken in
        [json!({}), json!({"code": "x", "state": "y"}), json!({"code": "a\u{0}", "state": "b", "ticket": "c"})]
    {
        assert_eq!(answer(&app, "franceconnect", &broken).await.status, 422);
    }
}

#[tokio::test]
async fn keys_are_fetched_again_once_when_they_change_and_not_at_every_strange_token() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    signed_in(&app, "franceconnect", ANGELA).await;
    signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!(issuer.calls("/jwks").await, 1, "kept");
    app.later(SignedDuration::from_secs(15));
    issuer.rotate().await;
    signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!(issuer.calls("/jwks").await, 2, "fetched again, once");
    // Strange keys make us ask no more often than the floor allows, however long this machine takes.
    let then = app.now();
    for _ in 0..3 {
        let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
        issuer.behave(json!({"id_token": "unknown key"})).await;
        app.gateway.ctx.clock.set(then);
        answer(&app, "franceconnect", &sent).await.problem(401);
        issuer.behave(json!({})).await;
    }
    assert_eq!(issuer.calls("/jwks").await, 2);
    assert_eq!(issuer.calls("/.well-known/openid-configuration").await, 2);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_and_the_answer_can_be_sent_again() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    issuer.behave(json!({"status": 503})).await;
    let away = app.nobody().post("/v1/sign-in-with/franceconnect", &json!({})).await;
    assert_eq!(away.problem(503), "unavailable");
    assert!(away.headers.contains_key("retry-after"));
    assert_eq!(app.count("select count(*) from openid_attempt").await, 0);
    issuer.behave(json!({})).await;
    app.later(SignedDuration::from_secs(3));
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    for how in [json!({"status": 500}), json!({"status": 302})] {
        issuer.behave(how.clone()).await;
        let told = answer(&app, "franceconnect", &sent).await;
        assert_eq!(told.problem(503), "unavailable", "{how}");
        assert!(told.headers.contains_key("retry-after"));
    }
    issuer.behave(json!({})).await;
    answer(&app, "franceconnect", &sent).await.expect(201);
    // Three tries of an attempt, whatever they end as; too much of an answer, or none at all.
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    for how in [json!({"large": true}), json!({"slow": true}), json!({"status": 500})] {
        issuer.behave(how.clone()).await;
        assert_eq!(answer(&app, "franceconnect", &sent).await.problem(503), "unavailable", "{how}");
    }
    issuer.behave(json!({})).await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(401), "sign-in-refused");
    assert_eq!(app.count(SESSIONS).await, 1);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_or_with_unsafe_addresses_is_not_used() {
    for changed in [
        json!({"issuer": "https://elsewhere.example"}),
        json!({"token_endpoint": "http://elsewhere.example/token"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"end_session_endpoint": "http://192.0.2.1/out"}),
    ] {
        let issuer = Issuer::psc(professionals("99700218896")).await;
        let app = app_with(&[&issuer]).await;
        issuer.behave(json!({"discovery": changed})).await;
        assert_eq!(
            app.nobody().post("/v1/sign-in-with/psc", &json!({})).await.problem(503),
            "unavailable",
            "{changed}"
        );
    }
}
