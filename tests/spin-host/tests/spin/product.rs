//! The product as guests: the main job by HTTP, triggers, and what a shared guest must not give away.

use futures_util::future::join_all;
use gateway::dev::objects;
use gateway::registry::FUNCTIONS;
use gateway::spin::{Component, manifest};
use gateway::tools::client::Client as Json;
use gateway::tools::story;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use runtime::config::Config;
use runtime::keys::Keys;
use runtime::seals::SealKey;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::world::{Database, Manifest, Running, block_on, components, root, scratch, up, variables};

/// The functions as guests, and beside them, on the same database, a gateway that carries events and sends mails.
struct Product {
    guests: Running,
    gateway: String,
    database: Database,
}

pub const SECRET: &str = "the secret of events";

async fn product() -> &'static Product {
    static PRODUCT: OnceCell<Product> = OnceCell::const_new();
    PRODUCT.get_or_init(start).await
}

async fn start() -> Product {
    let database = Database::migrated("product").await;
    let (signing, master) = Keys::generate().unwrap();
    let seal = SealKey::generate().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let state = scratch().join("state").display().to_string();
    let config = |name: &str| {
        let value = match name {
            "CARNET_ENV" => "development",
            "DATABASE_URL" => &database.owner,
            "CARNET_SIGNING_KEY" => &signing,
            "CARNET_MASTER_KEY" => &master,
            "CARNET_SEAL_KEY" => &seal,
            "CARNET_STATE" => &state,
            "PORT" => &port,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let config = Config::read(config).unwrap();
    let verifying = Keys::of(&config).unwrap().public()[0].x.clone();
    tokio::spawn(async move {
        let ended = gateway::serve::serve(config).await;
        panic!("the gateway ended: {ended:?}");
    });
    let gateway = format!("http://127.0.0.1:{port}");
    wait_for(&gateway, "/v1/practitioners?specialty=orthophoniste&place=Lyon").await;
    let store = std::path::absolute(scratch().join("objects")).unwrap();
    let key = objects::new_key().unwrap();
    let router = objects::router(&store, &key).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let given = variables([
        ("carnet_documents", objects::url(&place, "guests").as_str()),
        ("aws_access_key_id", &key.id),
        ("aws_secret_access_key", &key.secret),
        ("aws_host", &format!("http://{place}")),
        ("database_url", database.tcp.as_str()),
        ("database_host", &database.host),
        ("carnet_verifying_keys", &verifying),
        ("carnet_signing_key", &signing),
        ("carnet_master_key", &master),
        ("carnet_lookup_key", &master),
        ("carnet_seal_key", &seal),
        ("events_secret", SECRET),
        ("rate_limit_address_per_minute", "100000"),
        ("rate_limit_account_per_minute", "100000"),
    ]);
    let guests = up("product", application(), given).await;
    wait_for(&guests.address, "/readyz").await;
    Product { guests, gateway, database }
}

/// All in one component, as cargo keeps it; or as the file has it, a component for each, once those are built.
pub fn application() -> Manifest {
    if let Some(file) = std::env::var_os("CARNET_SPIN_MANIFEST") {
        return Manifest::File(root().join(file));
    }
    let wasm = components().join("guest.wasm").display().to_string();
    Manifest::Text(manifest(&[Component::together(FUNCTIONS).unwrap()], &|_| wasm.clone()))
}

/// Until there are people to find.
async fn wait_for(address: &str, path: &str) {
    let client = Json::new(address);
    for _ in 0..600 {
        if let Ok((StatusCode::OK, answer)) = client.send(Method::GET, path, None, None).await
            && answer["items"].as_array().is_none_or(|items| !items.is_empty())
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{address}{path} does not answer");
}

#[test]
fn the_main_job_is_done_by_guests() {
    block_on(async {
        let product = product().await;
        story::tell(&product.guests.address, &product.gateway).await.unwrap();
    });
}

/// Of one address, in one guest: they wait for each other in Rust, on a lock over what may be asked for.
#[test]
fn many_at_once_are_answered_each() {
    block_on(async {
        let product = product().await;
        let client = Json::new(&product.guests.address);
        let slots = "/v1/practitioners?specialty=orthophoniste&place=Lyon&limit=3";
        for _ in 0..4 {
            let all = (0..64).map(|n| {
                let path = if n % 2 == 0 { "/v1/specialties" } else { slots };
                client.send(Method::GET, path, None, None)
            });
            for answer in join_all(all).await {
                let (status, answer) = answer.unwrap();
                assert_eq!(status, StatusCode::OK, "{answer}");
            }
        }
    });
}

pub async fn post_to(address: &str, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::post(format!("{address}{path}")).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.request(request.body(Full::new(Bytes::from("{}"))).unwrap()).await.unwrap().status()
}

#[test]
fn a_trigger_comes_by_post_with_the_secret_and_not_without() {
    block_on(async {
        let product = product().await;
        let address = &product.guests.address;
        let bearing = format!("Bearer {SECRET}");
        for name in ["expire-holds", "seal-audit", "purge", "tend-accounts"] {
            let path = format!("/_events/{name}");
            assert_eq!(post_to(address, &path, &[]).await, StatusCode::NOT_FOUND, "{name}");
            assert_eq!(post_to(address, &path, &[("authorization", "Bearer another")]).await, StatusCode::NOT_FOUND);
            let status = post_to(address, &path, &[("authorization", &bearing)]).await;
            assert!(status.is_success(), "{name}: {status}");
        }
        // It does not run there, and nothing says so but that.
        assert_eq!(post_to(address, "/_events/notify", &[("authorization", &bearing)]).await, StatusCode::NOT_FOUND);
        assert!(product.database.number("select count(*) from audit_seal").await > 0, "nothing was sealed");
    });
}

/// A file that goes in parts is begun in the store by the guest itself; what it signs, the store takes.
#[test]
fn a_document_is_sent_in_parts_by_what_a_guest_has_signed() {
    block_on(async {
        let address = &product().await.guests.address;
        let nobody = Json::new(address);
        let sign_in = json!({"email": "parts@famille.example", "password": "une phrase assez longue"});
        let mut account = json!({"given_name": "Ada", "family_name": "Exemple", "birth_date": "1988-05-12"});
        account.as_object_mut().unwrap().extend(sign_in.as_object().unwrap().clone());
        let (status, opened) = nobody.send(Method::POST, "/v1/accounts", Some(&account), None).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let (_, session) = nobody.send(Method::POST, "/v1/sessions", Some(&sign_in), None).await.unwrap();
        let ada = nobody.bearing(session["access_token"].as_str().unwrap());
        let (_, patients) = ada.send(Method::GET, "/v1/patients", None, None).await.unwrap();
        let wish = json!({"patient": patients["items"][0]["id"], "type": "EXPPAT_2", "title": "Radio", "act_date": "2026-03-01",
            "media_type": "image/tiff", "size_bytes": 60 << 20, "sha256": "0".repeat(64)});
        let (status, opened) = ada.send(Method::POST, "/v1/documents", Some(&wish), Some("parts")).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let parts = opened["upload"]["parts"].as_array().unwrap();
        assert_eq!(parts.len(), 4);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let last = &parts[3];
        let length = usize::try_from(last["size_bytes"].as_u64().unwrap()).unwrap();
        let request = Request::put(last["request"]["url"].as_str().unwrap());
        let sent = client.request(request.body(Full::new(Bytes::from(vec![7; length]))).unwrap()).await.unwrap();
        assert_eq!(sent.status(), StatusCode::OK);
        let path = format!("/v1/documents/{}/upload", opened["document"]["id"].as_str().unwrap());
        let (_, resumed) = ada.send(Method::GET, &path, None, None).await.unwrap();
        assert_eq!(resumed["upload"]["received_parts"], json!([4]));
    });
}

/// What a client writes of itself comes before what the host says, and counts for nothing: the trail has who came.
#[test]
fn nobody_names_an_address_of_their_own() {
    block_on(async {
        let product = product().await;
        for forged in ["203.0.113.7:1", "[2001:db8::1]:1", "nobody"] {
            let status = post_to(&product.guests.address, "/v1/holds", &[("spin-client-addr", forged)]).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
        let traced = "select count(*) from audit where address = '127.0.0.1'";
        assert!(product.database.number(traced).await >= 3, "the refusals are not traced");
        let forged = "select count(*) from audit where address like '203.%' or address like '2001:%'";
        assert_eq!(product.database.number(forged).await, 0);
    });
}

#[test]
fn what_is_not_there_and_what_is_too_much_is_told_as_everywhere() {
    block_on(async {
        let address = &product().await.guests.address;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let get = |path: &str| Request::get(format!("{address}{path}")).body(Empty::new()).unwrap();
        let answer = client.request(get("/v1/appointments/00000000-0000-7000-8000-000000000000")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"status\":401"), "{body:?}");
        let mut many = get("/v1/specialties");
        for n in 0..110 {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            many.headers_mut().insert(name, "1".parse().unwrap());
        }
        assert_eq!(client.request(many).await.unwrap().status().as_u16(), 431);
    });
}
