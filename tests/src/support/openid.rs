//! Real identity providers (npm `oidc-provider`), and a browser that signs in on their pages.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use gateway::tools::client::Client as Json;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{App, Client, database};

/// Where people come back to; no test follows it there.
pub const BACK: &str = "https://carnet.example/connexion";

/// Where `./just test` puts the packages.
fn modules() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("carnet/openid")
}

/// The process of all providers of this run; it ends with ours, whose end of the pipe closes.
fn control() -> Json {
    static PROCESS: OnceLock<(Child, String)> = OnceLock::new();
    let (_, control) = PROCESS.get_or_init(|| {
        let modules = modules();
        assert!(modules.join("node_modules/oidc-provider").is_dir(), "no OpenID provider: ./just test installs it");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/openid/provider.mjs");
        let mut node = Command::new("node");
        node.arg(script).env("OPENID_MODULES", modules).stdin(Stdio::piped()).stdout(Stdio::piped());
        // What goes wrong there is in this file.
        let log = std::fs::File::create(database::scratch().with_file_name("openid.log")).unwrap();
        let mut node = node.stderr(log).spawn().expect("node: ./just test installs it");
        let mut line = String::new();
        std::io::BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).expect("the provider says where it listens");
        (node, said["control"].as_str().unwrap().to_owned())
    });
    Json::new(control)
}

/// A provider of a test's own.
pub struct Issuer {
    n: u64,
    pub address: String,
    /// Its entry of `OPENID_PROVIDERS`.
    pub settings: Value,
}

impl Issuer {
    /// As Pro Santé Connect is: discovery at its own path, people sent to another host, RS256, plain `userinfo`.
    pub async fn psc(people: Value) -> Self {
        Self::start(&json!({"kind": "psc", "redirect_uri": BACK, "people": people}), &json!({
            "name": "psc", "kind": "psc", "label": "Pro Santé Connect", "discovery": ".well-known/wallet-openid-configuration",
            "authentication": "client_secret_basic", "scopes": ["openid", "scope_all"], "acr_values": ["eidas1"],
            "id_token_algorithms": ["RS256"],
        }))
        .await
    }

    /// As FranceConnect is: long nonces, ES256, pairwise subjects, signed `userinfo`.
    pub async fn franceconnect(people: Value) -> Self {
        Self::start(&json!({"kind": "franceconnect", "redirect_uri": BACK, "people": people}), &json!({
            "name": "franceconnect", "kind": "franceconnect", "label": "FranceConnect", "authentication": "client_secret_post",
            "scopes": ["openid", "identite_pivot", "email"], "acr_values": ["eidas1"],
            "id_token_algorithms": ["ES256"], "userinfo_algorithms": ["ES256"], "post_logout_redirect_uri": BACK,
        }))
        .await
    }

    pub async fn start(wanted: &Value, settings: &Value) -> Self {
        let (status, made) = control().send(Method::POST, "/issuers", Some(wanted), None).await.unwrap();
        assert_eq!(status, 200, "{made}");
        let mut settings = settings.clone();
        settings["redirect_uri"] = json!(BACK);
        for field in ["issuer", "client_id", "client_secret", "private_key"] {
            settings[field] = made[field].clone();
        }
        let address = made["issuer"].as_str().unwrap().to_owned();
        Self { n: made["n"].as_u64().unwrap(), address, settings }
    }

    /// From now on it misbehaves like this; `{}` ends it.
    pub async fn behave(&self, how: Value) {
        control().send(Method::POST, &format!("/behave?n={}", self.n), Some(&how), None).await.unwrap();
    }

    /// It signs with other keys from now on.
    pub async fn rotate(&self) {
        control().send(Method::POST, &format!("/rotate?n={}", self.n), Some(&json!({})), None).await.unwrap();
    }

    /// How often a path was asked for.
    pub async fn calls(&self, path: &str) -> u64 {
        let (_, calls) = control().send(Method::GET, &format!("/calls?n={}", self.n), None, None).await.unwrap();
        calls[path].as_u64().unwrap_or_default()
    }
}

/// The product with these providers, at the real time: providers have no other.
pub async fn app_with(issuers: &[&Issuer]) -> App {
    let providers: Vec<&Value> = issuers.iter().map(|issuer| &issuer.settings).collect();
    let providers = serde_json::to_string(&providers).unwrap();
    let app = App::on(database::fresh().await, &[("OPENID_PROVIDERS", &providers)]).await;
    app.gateway.ctx.clock.reset();
    app
}

/// A browser, with its cookies.
pub struct Browser {
    hyper: Hyper<HttpConnector, Body>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new() -> Self {
        Self { hyper: Hyper::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new() }
    }

    async fn request(&mut self, method: Method, url: &str, form: Option<String>) -> (Response<()>, String) {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(url).header("cookie", cookies.join("; "));
        let request = match form {
            Some(form) => {
                request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form)).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        };
        let (parts, body) = self.hyper.request(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (Response::from_parts(parts, ()), text)
    }

    /// What a page answers.
    pub async fn see(&mut self, url: &str) -> (u16, String) {
        let (answer, page) = self.request(Method::GET, url, None).await;
        (answer.status().as_u16(), page)
    }

    /// Goes where the product sends, signs in, agrees, and comes back: what the provider appended to [`BACK`].
    pub async fn sign_in(&mut self, authorize_url: &str, login: &str) -> BTreeMap<String, String> {
        let mut url = authorize_url.to_owned();
        let mut form = None;
        for _ in 0..20 {
            let method = if form.is_some() { Method::POST } else { Method::GET };
            let (answer, page) = self.request(method, &url, form.take()).await;
            if answer.status().is_redirection() {
                let location = answer.headers()["location"].to_str().unwrap();
                if let Some(query) = location.strip_prefix(BACK) {
                    let pairs = form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
                    return pairs.into_owned().collect();
                }
                let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                url = if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() };
            } else if page.contains("<h1>login</h1>") {
                form = Some(
                    form_urlencoded::Serializer::new(String::new())
                        .append_pair("login", login)
                        .append_pair("password", "secret")
                        .finish(),
                );
            } else if page.contains("<h1>consent</h1>") {
                form = Some(String::new());
            } else {
                panic!("{} at {url}: {page}", answer.status());
            }
        }
        panic!("the provider sends in circles");
    }
}

/// Begins at a provider and signs in there: what is to be sent to `…/answer`.
pub async fn go(client: &Client, begin: &str, login: &str) -> Value {
    let begun = client.post(begin, &json!({})).await.expect(201);
    let back = Browser::new().sign_in(begun["authorize_url"].as_str().unwrap(), login).await;
    assert_eq!(back["state"], begun["state"].as_str().unwrap());
    json!({"code": back["code"], "state": back["state"], "ticket": begun["ticket"], "iss": back["iss"]})
}
