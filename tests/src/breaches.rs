//! A password that is known from a data breach: a service is asked by five digits of its hash, and does without it when silent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::json;

use crate::account_life::{PHRASE, signed_in};
use crate::support::App;

/// Long, of no list, and all over the net.
const LEAKED: &str = "ornithorynque sous la pluie";
/// A line of padding, as the service sends them: in no breach.
const PADDING: &str = "une ligne de bourrage ici";

fn hash(text: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat()
}

/// What the service was asked.
type Asked = Arc<Mutex<Vec<String>>>;

async fn range(State(asked): State<Asked>, Path(range): Path<String>, headers: HeaderMap) -> String {
    assert_eq!(headers["add-padding"], "true");
    let known = [(LEAKED, 12), (PADDING, 0)].map(|(text, count)| (hash(text), count));
    let lines = known.iter().filter(|(hash, _)| hash.starts_with(&range));
    let lines: Vec<String> = lines.map(|(hash, count)| format!("{}:{count}\r\n", &hash[range.len()..])).collect();
    asked.lock().unwrap().push(range);
    format!("0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n{}011053FD0102E94D6AE2F8B83D76FAF94F6:0\r\n", lines.concat())
}

#[tokio::test]
async fn a_password_of_a_breach_is_refused_and_the_service_learns_five_digits() {
    let home = App::start().await;
    let asked = Asked::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/range/", listener.local_addr().unwrap());
    let service = Router::new().route("/range/{range}", get(range)).with_state(asked.clone());
    let service = tokio::spawn(async move { axum::serve(listener, service).await });
    let app = App::on(home.url.clone(), &[("BREACHED_PASSWORDS_URL", &url)]).await;

    let sign_up = |email: &str, password: &str| json!({"email": email, "password": password, "given_name": "Ada", "family_name": "Exemple", "birth_date": "1988-05-12"});
    let refused = app.nobody().post("/v1/accounts", &sign_up("ada@famille.example", LEAKED)).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("password")));
    assert_eq!(asked.lock().unwrap().pop(), Some(hash(LEAKED)[..5].to_owned()), "and nothing else of it");
    for (email, sound) in [("ada@famille.example", PHRASE), ("ben@famille.example", PADDING)] {
        app.nobody().post("/v1/accounts", &sign_up(email, sound)).await.expect(201);
    }
    // What the list that is compiled in refuses is asked of nobody.
    asked.lock().unwrap().clear();
    app.nobody().post("/v1/accounts", &sign_up("cleo@famille.example", "motdepasse")).await.problem(422);
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
    // Nor does a new password go round it.
    let ada = signed_in(&app, "ada@famille.example", PHRASE).await;
    let change = |password: &str| json!({"current_password": PHRASE, "password": password});
    let refused = ada.post("/v1/accounts/password", &change(LEAKED)).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("password")));

    // Without an answer it passes: another's outage keeps nobody out.
    service.abort();
    let _ = service.await;
    ada.post("/v1/accounts/password", &change(LEAKED)).await.expect(204);
}
