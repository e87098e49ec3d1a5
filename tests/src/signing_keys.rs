//! Access tokens: whose signature counts, and what else a token must be.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use domain::SignedDuration;
use ring::signature::Ed25519KeyPair;
use runtime::keys::Keys;
use serde_json::{Value, json};

use crate::support::{App, Client, database};

/// Header and claims of a good token, to be spoilt.
fn parts(token: &str) -> (Value, Value) {
    let part = |n| serde_json::from_slice(&BASE64_URL.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap();
    (part(0), part(1))
}

/// Signs any header and claims with an Ed25519 key, as texts: also what no library would write.
fn signed(key: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", BASE64_URL.encode(header), BASE64_URL.encode(claims));
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&BASE64.decode(key).unwrap()).unwrap();
    format!("{message}.{}", BASE64_URL.encode(key.sign(message.as_bytes())))
}

async fn status(client: &Client) -> u16 {
    client.get("/v1/patients").await.status.as_u16()
}

#[tokio::test]
async fn a_token_that_is_not_exactly_ours_is_refused() {
    let app = App::start().await;
    let ada = app.patient().await;
    let ours = database::keys().0.clone();
    let (others, _) = Keys::generate().unwrap();
    let (header, claims) = parts(ada.token());
    let now = app.now().as_second();
    let with = |base: &Value, name: &str, value: Value| {
        let mut changed = base.clone();
        changed[name] = value;
        changed.to_string()
    };
    let without = |base: &Value, name: &str| {
        let mut changed = base.clone();
        changed.as_object_mut().unwrap().remove(name);
        changed.to_string()
    };
    let (h, c) = (header.to_string(), claims.to_string());
    let public =
        app.nobody().get("/.well-known/jwks.json").await.expect(200)["keys"][0]["x"].as_str().unwrap().to_owned();
    let (body, _) = ada.token().rsplit_once('.').unwrap();
    let twice = h.replacen('{', "{\"alg\":\"none\",", 1);
    let claim_twice = c.replacen('{', "{\"sub\":\"00000000-0000-7000-8000-000000000000\",", 1);
    let hs256 = {
        let header = with(&header, "alg", json!("HS256"));
        let message = format!("{}.{}", BASE64_URL.encode(header), BASE64_URL.encode(&c));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &BASE64_URL.decode(public).unwrap());
        format!("{message}.{}", BASE64_URL.encode(ring::hmac::sign(&key, message.as_bytes())))
    };
    let bad = [
        ("nothing", String::new()),
        ("no parts", "abc".into()),
        ("garbage", "a.b.c".into()),
        ("a part more", format!("{}.e30", ada.token())),
        ("no signature", format!("{body}.")),
        ("half a signature", ada.token()[..ada.token().len() - 8].to_owned()),
        ("padding", format!("{}==", ada.token())),
        ("other claims under our signature", {
            let signature = ada.token().rsplit_once('.').unwrap().1;
            format!(
                "{}.{}.{signature}",
                BASE64_URL.encode(&h),
                BASE64_URL.encode(with(&claims, "exp", json!(now + 500)))
            )
        }),
        ("somebody else's key under our name", signed(&others, &h, &c)),
        ("unknown key", signed(&ours, &with(&header, "kid", json!("x")), &c)),
        ("no key named", signed(&ours, &without(&header, "kid"), &c)),
        ("alg none", format!("{}.{}.", BASE64_URL.encode(with(&header, "alg", json!("none"))), BASE64_URL.encode(&c))),
        ("alg none, signed", signed(&ours, &with(&header, "alg", json!("none")), &c)),
        ("HS256 with the public key", hs256),
        ("ES256", signed(&ours, &with(&header, "alg", json!("ES256")), &c)),
        ("alg twice", signed(&ours, &twice, &c)),
        ("another type", signed(&ours, &with(&header, "typ", json!("at+jwt")), &c)),
        ("a key of its own", signed(&ours, &with(&header, "jwk", json!({"kty": "OKP"})), &c)),
        ("an address of keys", signed(&ours, &with(&header, "jku", json!("https://x.example")), &c)),
        ("critical extensions", signed(&ours, &with(&header, "crit", json!(["exp"])), &c)),
        ("another issuer", signed(&ours, &h, &with(&claims, "iss", json!("autre")))),
        ("no issuer", signed(&ours, &h, &without(&claims, "iss"))),
        ("another audience", signed(&ours, &h, &with(&claims, "aud", json!("autre")))),
        ("no audience", signed(&ours, &h, &without(&claims, "aud"))),
        ("issued in two minutes", {
            let mut later = claims.clone();
            (later["iat"], later["exp"]) = (json!(now + 120), json!(now + 700));
            signed(&ours, &h, &later.to_string())
        }),
        ("good in two minutes", signed(&ours, &h, &with(&claims, "nbf", json!(now + 120)))),
        ("expired a second ago", {
            let mut past = claims.clone();
            (past["iat"], past["exp"]) = (json!(now - 601), json!(now - 1));
            signed(&ours, &h, &past.to_string())
        }),
        ("good for a day", signed(&ours, &h, &with(&claims, "exp", json!(now + 86_400)))),
        ("no expiry", signed(&ours, &h, &without(&claims, "exp"))),
        ("expiry as text", signed(&ours, &h, &with(&claims, "exp", json!("2099-01-01")))),
        ("nobody", signed(&ours, &h, &without(&claims, "sub"))),
        ("somebody else's session", {
            signed(&ours, &h, &with(&claims, "sub", json!("00000000-0000-7000-8000-000000000000")))
        }),
        ("no such session", signed(&ours, &h, &with(&claims, "sid", json!("00000000-0000-7000-8000-000000000000")))),
        ("a claim twice", signed(&ours, &h, &claim_twice)),
        ("5 KiB", signed(&ours, &h, &with(&claims, "x", json!("x".repeat(5000))))),
    ];
    for (why, token) in &bad {
        let answer = app.nobody().bearing(token).get("/v1/patients").await;
        assert_eq!(answer.problem(401), "unauthenticated", "{why}");
    }
    // And these are good: the signature is made as ours, and a clock may be a little ahead.
    assert_eq!(status(&app.nobody().bearing(&signed(&ours, &h, &c))).await, 200);
    let mut ahead = claims.clone();
    (ahead["iat"], ahead["exp"]) = (json!(now + 30), json!(now + 600));
    assert_eq!(status(&app.nobody().bearing(&signed(&ours, &h, &ahead.to_string()))).await, 200);
    // Two headers, or another scheme.
    let two = ada.request("GET".parse().unwrap(), "/v1/patients").header("authorization", "Bearer a.b.c");
    assert_eq!(app.nobody().send(two.body(axum::body::Body::empty()).unwrap()).await.status, 401);
    for other in ["Basic", "Bearer:", "Token"] {
        let request = app.nobody().request("GET".parse().unwrap(), "/v1/patients");
        let request = request.header("authorization", format!("{other} {}", ada.token()));
        assert_eq!(app.nobody().send(request.body(axum::body::Body::empty()).unwrap()).await.status, 401, "{other}");
    }
}

#[tokio::test]
async fn a_signing_key_is_changed_while_tokens_of_the_former_live_on() {
    let app = App::start().await;
    let ada = app.patient().await;
    let former = database::keys().0.clone();
    let (next, _) = Keys::generate().unwrap();
    let jwks = app.nobody().get("/.well-known/jwks.json").await;
    assert_eq!(jwks.headers["cache-control"], "public, max-age=300");
    let jwk = jwks.expect(200)["keys"][0].clone();
    assert_eq!(
        (&jwk["kty"], &jwk["crv"], &jwk["alg"], &jwk["use"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
    );
    assert!(jwk.get("d").is_none());
    // RFC 7638: of the required members, in order of their names.
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, jwk["x"].as_str().unwrap());
    assert_eq!(jwk["kid"], json!(runtime::keys::digest(canonical.as_bytes())));
    assert_eq!(parts(ada.token()).0["kid"], jwk["kid"]);

    let public = BASE64.encode(BASE64_URL.decode(jwk["x"].as_str().unwrap()).unwrap());
    for before in [former.as_str(), public.as_str()] {
        let keys = [("CARNET_SIGNING_KEY", next.as_str()), ("CARNET_SIGNING_KEYS_BEFORE", before)];
        let changed = App::on(app.url.clone(), &keys).await;
        assert_eq!(status(&changed.nobody().bearing(ada.token())).await, 200, "what was signed before");
        let both = changed.nobody().get("/.well-known/jwks.json").await.expect(200);
        assert_eq!((both["keys"].as_array().unwrap().len(), &both["keys"][1]), (2, &jwk));
        let session = json!({"email": ada.email, "password": "une phrase assez longue"});
        let session = changed.nobody().post("/v1/sessions", &session).await.expect(201);
        let token = session["access_token"].as_str().unwrap();
        assert_eq!(parts(token).0["kid"], both["keys"][0]["kid"]);
        assert_eq!(status(&changed.nobody().bearing(token)).await, 200);
        assert_eq!(status(&app.nobody().bearing(token)).await, 401, "who does not know the new key yet");
    }
    let after = App::on(app.url.clone(), &[("CARNET_SIGNING_KEY", &next)]).await;
    assert_eq!(status(&after.nobody().bearing(ada.token())).await, 401, "the former is forgotten");
    let wrong = database::config(&[("CARNET_SIGNING_KEYS_BEFORE", "AAAA")]);
    let error = Keys::of(&wrong).map(drop).unwrap_err().to_string();
    assert!(error.contains("CARNET_SIGNING_KEYS_BEFORE"), "{error}");
    app.later(SignedDuration::from_mins(10));
    assert_eq!(status(&ada).await, 401, "ten minutes and not one second more");
}
