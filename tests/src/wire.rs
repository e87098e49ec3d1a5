//! The edge on the wire: headers, origins, slow and oversized clients, TLS.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, Method};
use futures_util::future::join_all;
use runtime::host::connections::{Bounds, Door};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::client::Answer;
use crate::support::{App, database};

const OURS: &str = "https://app.carnet.example";

async fn send(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let client = app.nobody();
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Body::empty()).unwrap()).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_answer_is_strict_with_browsers() {
    let app = App::on(database::fresh().await, &[("TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    for path in ["/v1/specialties", "/v1/patients", "/nothing", "/openapi.json", "/problems/slot-taken", "/healthz"] {
        let answer = send(&app, Method::GET, path, &[]).await;
        let headers = &answer.headers;
        assert_eq!(
            header(headers, "content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            "{path}"
        );
        assert_eq!(header(headers, "x-frame-options"), "DENY");
        assert_eq!(header(headers, "x-content-type-options"), "nosniff");
        assert_eq!(header(headers, "referrer-policy"), "no-referrer");
        assert_eq!(header(headers, "cache-control"), "no-store");
        assert!(header(headers, "permissions-policy").contains("geolocation=()"));
        for policy in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            assert_eq!(header(headers, policy), "same-origin");
        }
        assert_eq!(header(headers, "strict-transport-security"), "", "not over plain HTTP");
        assert_eq!(header(headers, "access-control-allow-origin"), "");
        assert_eq!(header(headers, "vary"), "origin");
        assert_eq!(headers.get_all("content-security-policy").iter().count(), 1);
    }
    let https = async |peer: &str| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let request = app.nobody().request(Method::GET, "/healthz").extension(axum::extract::ConnectInfo(peer));
        let request = request.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", "https");
        app.nobody().send(request.body(Body::empty()).unwrap()).await.headers.contains_key("strict-transport-security")
    };
    assert!(https("10.1.1.1:1").await, "a proxy of ours says so");
    assert!(!https("192.0.2.7:1").await, "anybody says so");
}

#[tokio::test]
async fn pages_run_nothing_that_is_not_theirs() {
    let app = App::start().await;
    let home = send(&app, Method::GET, "/", &[]).await;
    let policy = header(&home.headers, "content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = home.expect(200).as_str().unwrap().to_owned();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = <[u8; 32]>::try_from(ring_sha256(style.as_bytes())).unwrap();
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert!(policy.contains(&hash), "the hash is that of the style: {policy}");
    assert!(!page.contains("style=") && !page.contains("<script"), "nothing inline beside it");

    for path in ["/docs/", "/docs/swagger-ui-bundle.js", "/docs/index.css"] {
        let docs = send(&app, Method::GET, path, &[]).await;
        let policy = header(&docs.headers, "content-security-policy").to_owned();
        for wanted in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(wanted), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'self' 'unsafe-inline'"), "{policy}");
        assert_eq!(docs.status, 200, "{path}");
    }
    // What its page needs: scripts and styles of its own, in files.
    let docs = send(&app, Method::GET, "/docs/", &[]).await.expect(200);
    let docs = docs.as_str().unwrap();
    for script in docs.split("<script").skip(1) {
        assert!(
            script.trim_start().starts_with("src=\"./")
                && script.split("</script>").next().unwrap().trim_end().ends_with('>'),
            "{script}"
        );
    }
    assert!(!docs.contains("<style") && !docs.contains("onload="), "{docs}");
}

fn ring_sha256(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(runtime::keys::digest(bytes)).unwrap()
}

#[tokio::test]
async fn only_sites_of_the_list_may_read_answers_and_ask_for_changes() {
    let app = App::on(database::fresh().await, &[("CORS_ORIGINS", OURS)]).await;
    let answer = send(&app, Method::GET, "/v1/specialties", &[("origin", OURS)]).await;
    assert_eq!(header(&answer.headers, "access-control-allow-origin"), OURS);
    assert!(header(&answer.headers, "access-control-expose-headers").contains("retry-after"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    assert_eq!(header(&answer.headers, "vary"), "origin");
    // A problem may be read too.
    let answer = send(&app, Method::GET, "/v1/patients", &[("origin", OURS)]).await;
    assert_eq!(
        (answer.problem(401), header(&answer.headers, "access-control-allow-origin")),
        ("unauthenticated", OURS)
    );

    let ask = async |origin: &str, method: &str, path: &str| {
        send(
            &app,
            Method::OPTIONS,
            path,
            &[
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", "authorization"),
            ],
        )
        .await
    };
    let answer = ask(OURS, "POST", "/v1/appointments").await;
    assert_eq!(answer.status, 204);
    assert!(header(&answer.headers, "access-control-allow-methods").contains("POST"));
    assert!(header(&answer.headers, "access-control-allow-headers").contains("idempotency-key"));
    assert_eq!(header(&answer.headers, "access-control-allow-origin"), OURS);
    assert_eq!(ask(OURS, "POST", "/v1/nothing").await.problem(404), "not-found");
    assert_eq!(ask(OURS, "DELETE", "/v1/appointments").await.problem(405), "method-not-allowed");
    for foreign in [
        "https://evil.example",
        "null",
        "https://app.carnet.example.evil.example",
        "http://app.carnet.example",
        "https://APP.carnet.example",
    ] {
        let answer = ask(foreign, "POST", "/v1/appointments").await;
        assert_eq!(answer.problem(405), "method-not-allowed");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{foreign}");
        assert!(!answer.headers.contains_key("access-control-allow-methods"), "{foreign}");
        let change = [("origin", foreign), ("sec-fetch-site", "cross-site")];
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(send(&app, method, "/v1/appointments", &change).await.problem(403), "cross-site");
        }
        // Following a link is no change.
        send(&app, Method::GET, "/v1/specialties", &change).await.expect(200);
    }
    let allowed =
        send(&app, Method::POST, "/v1/appointments", &[("origin", OURS), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(allowed.problem(401), "unauthenticated");
    let same = send(&app, Method::POST, "/v1/appointments", &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(same.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_cookie_opens_nothing() {
    let app = App::start().await;
    let ada = app.patient().await;
    let token = ada.token().to_owned();
    for cookie in [
        format!("access_token={token}"),
        format!("Authorization=Bearer {token}"),
        format!("session={token}; token={token}"),
    ] {
        for route in
            app.gateway.app.manifests.iter().flat_map(|manifest| &manifest.routes).filter(|route| !route.public)
        {
            let path = route.path.replace("{id}", "00000000-0000-7000-8000-000000000000");
            let answer = send(&app, route.method.parse().unwrap(), &path, &[("cookie", &cookie)]).await;
            assert_eq!(answer.problem(401), "unauthenticated", "{} {}", route.method, route.path);
        }
    }
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let answer = app.nobody().post("/v1/sessions", &session).await;
    assert!(!answer.headers.contains_key("set-cookie"), "and none is given");
    answer.expect(201);
}

#[tokio::test]
async fn no_route_ignores_a_parameter_it_does_not_know() {
    let app = App::start().await;
    let ada = app.patient().await;
    let mut walked = 0;
    for (path, item) in app.gateway.app.openapi["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = format!("{}?colour=blue", path.replace("{id}", "00000000-0000-7000-8000-000000000000"));
            let request = ada.request(method.to_uppercase().parse().unwrap(), &path).header("idempotency-key", "k");
            let answer = ada.send(request.body(Body::empty()).unwrap()).await;
            // What a route takes is told to who may use it; what providers add to their calls is theirs to say.
            if answer.status != 403 && !path.starts_with("/v1/sms/") && !path.starts_with("/v1/exchange/") {
                assert_eq!(
                    (answer.problem(422), &answer.body["field"]),
                    ("field-unknown", &json!("colour")),
                    "{method} {path}"
                );
            }
            walked += 1;
        }
    }
    assert!(walked >= 18, "{walked} routes");
    ada.get("/v1/patients?").await.expect(200);
    let head = ada.send(ada.request(Method::HEAD, "/v1/patients").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status, 200, "a HEAD is the GET of its route");
}

#[tokio::test]
async fn all_lines_of_accept_language_count() {
    let app = App::start().await;
    let answer =
        send(&app, Method::GET, "/v1/patients", &[("accept-language", "de"), ("accept-language", "en;q=0.5")]).await;
    assert_eq!(header(&answer.headers, "content-language"), "en");
    let answer =
        send(&app, Method::GET, "/v1/patients", &[("accept-language", "en;q=0.5"), ("accept-language", "fr")]).await;
    assert_eq!(header(&answer.headers, "content-language"), "fr");
}

#[tokio::test]
async fn names_and_addresses_are_what_they_seem() {
    let app = App::start().await;
    let account = |email: &str, name: &str| json!({"email": email, "password": "e\u{301}te\u{301} et hiver", "given_name": name, "family_name": "Exemple", "birth_date": "1988-05-12"});
    let refused = app.nobody().post("/v1/accounts", &account("a@famille.example", "A\u{202e}da")).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("given_name")));
    assert!(refused.body["detail"].as_str().unwrap().contains("invisible"));
    let refused = app.nobody().post("/v1/accounts", &account("a@famille.example", "Pаul")).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("alphabets"), "{}", refused.body);
    for relayed in ["a%b@famille.example", "\"a b\"@famille.example", "é@famille.example", "a@famille_.example"] {
        let refused = app.nobody().post("/v1/accounts", &account(relayed, "Ada")).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("email")), "{relayed}");
    }
    app.nobody().post("/v1/accounts", &account("Zoe@Famille.EXAMPLE", "Zoe\u{301}")).await.expect(201);
    // However the device composes the accents of the password.
    for typed in ["\u{e9}t\u{e9} et hiver", "e\u{301}te\u{301} et hiver"] {
        let session = json!({"email": "zoe@famille.example", "password": typed});
        let session = app.nobody().post("/v1/sessions", &session).await.expect(201);
        let zoe = app.nobody().bearing(session["access_token"].as_str().unwrap());
        assert_eq!(zoe.get("/v1/patients").await.expect(200)["items"][0]["given_name"], "Zo\u{e9}");
        assert_eq!(zoe.get("/v1/accounts/me").await.expect(200)["email"], "Zoe@famille.example");
    }
}

/// A port with short patience, and what stops it.
async fn port(app: &App, bounds: Bounds) -> (String, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = watch::channel(false);
    let door = Door { bounds, ..Door::plain(listener, app.gateway.public.clone()) };
    tokio::spawn(door.serve(stopped));
    (address, stop)
}

fn short() -> Bounds {
    Bounds {
        head: Duration::from_millis(600),
        rest: Duration::from_millis(1500),
        pressed: Duration::from_millis(100),
        ..Bounds::default()
    }
}

const GET: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// What comes within five seconds, and after how long the other side hung up.
async fn rest_of(stream: &mut TcpStream) -> (String, Option<Duration>) {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
    (String::from_utf8_lossy(&bytes).into_owned(), ended.is_ok().then(|| began.elapsed()))
}

/// One answer of a connection that stays open.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("\r\n\r\n{") {
        let read =
            tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("an answer").unwrap();
        assert!(read > 0, "hung up after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_cut_and_a_resting_connection_is_kept_for_a_while() {
    let app = App::start().await;
    let (address, _stop) = port(&app, short()).await;
    // Nothing at all; the beginning of either version; drops that never end.
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let mut slow = TcpStream::connect(&address).await.unwrap();
        slow.write_all(beginning.as_bytes()).await.unwrap();
        let (said, after) = rest_of(&mut slow).await;
        let after = after.unwrap_or_else(|| panic!("{beginning:?} is waited for"));
        assert!((Duration::from_millis(500)..Duration::from_millis(1400)).contains(&after), "{beginning:?}: {after:?}");
        assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
    }
    let mut dripping = TcpStream::connect(&address).await.unwrap();
    let began = Instant::now();
    for byte in GET.bytes().cycle().filter(|byte| *byte != b'\n' && *byte != b'\r').take(200) {
        if dripping.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(3), "drops are no sign of life: {:?}", began.elapsed());

    let mut resting = TcpStream::connect(&address).await.unwrap();
    for _ in 0..3 {
        resting.write_all(GET.as_bytes()).await.unwrap();
        assert!(one_answer(&mut resting).await.starts_with("HTTP/1.1 200"));
        // Longer than a head may take: between requests there is another patience.
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    let (said, after) = rest_of(&mut resting).await;
    assert!(said.is_empty() && after.is_some_and(|after| after < Duration::from_secs(2)), "{said} {after:?}");
    // A second head that does not end is cut as a first one is.
    let mut second = TcpStream::connect(&address).await.unwrap();
    second.write_all(GET.as_bytes()).await.unwrap();
    one_answer(&mut second).await;
    second.write_all(b"GET /").await.unwrap();
    let (_, after) = rest_of(&mut second).await;
    assert!(after.is_some_and(|after| after < Duration::from_millis(1200)), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_bounded_in_size_and_in_number() {
    let app = App::start().await;
    let (address, _stop) = port(&app, Bounds::default()).await;
    let exchange = async |request: String| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let send = async { write.write_all(request.as_bytes()).await };
        let receive = tokio::time::timeout(Duration::from_secs(5), read.read_to_end(&mut answer));
        let (_, _) = futures_util::future::join(send, receive).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let head = |lines: String| format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    assert!(exchange(head(format!("a: {}\r\n", "x".repeat(15_000)))).await.starts_with("HTTP/1.1 200"));
    let long = format!("GET /?q={} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "x".repeat(17_000));
    for refused in [head(format!("a: {}\r\n", "x".repeat(17_000))), head("a: x\r\n".repeat(150)), long] {
        let answer = exchange(refused).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        for told in ["application/problem+json", "/problems/head-too-large", "x-request-id", "x-content-type-options"] {
            assert!(answer.contains(told), "{told}: {answer}");
        }
    }
    assert_eq!(app.count("select count(*) from audit where event = 'request' and outcome = 'refused'").await, 3);
    // A token that is no token is one however long it is.
    let token = format!(
        "GET /v1/patients HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        "A".repeat(20_000)
    );
    let answer = exchange(token).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("/problems/unauthenticated"), "{answer}");
    for beyond in [head(format!("a: {}\r\n", "x".repeat(70_000))), head("a: x\r\n".repeat(500))] {
        assert!(exchange(beyond).await.starts_with("HTTP/1.1 431"));
    }
    // A head that never ends is refused when it is too large, not when somebody tires.
    let endless = exchange("GET /healthz HTTP/1.1\r\n".to_owned() + &"x-y: z\r\n".repeat(10_000)).await;
    assert!(endless.starts_with("HTTP/1.1 431"), "{endless}");
    assert!(
        exchange(format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(20_000))).await.starts_with("HTTP/1.1 4")
    );
    for smuggled in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: -1\r\n",
    ] {
        let answer = exchange(format!("POST /v1/sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{smuggled}\r\n{{}}")).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{smuggled}: {answer}");
    }
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_tls_is_spoken_to_whoever_begins_with_it() {
    let app = App::start().await;
    let (address, _stop) = port(&app, Bounds::default()).await;
    let statuses = async |extra: Vec<u8>| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // GET http://x/ in HPACK's static table, and perhaps more.
        let head = [&[0x82, 0x86, 0x84, 0x41, 1, b'x'], extra.as_slice()].concat();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
        let (first, rest) = head.split_at(head.len().min(16_000));
        let whole = rest.is_empty();
        stream.write_all(&frame(1, if whole { 5 } else { 1 }, 1, first)).await.unwrap();
        if !whole {
            stream.write_all(&frame(9, 4, 1, rest)).await.unwrap();
        }
        loop {
            let mut header = [0; 9];
            stream.read_exact(&mut header).await.unwrap();
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await.unwrap();
            if header[3] == 1 {
                // `:status 200` is one byte; others are literals of three digits.
                return if payload[0] == 0x88 {
                    "200".to_owned()
                } else {
                    String::from_utf8_lossy(&payload).into_owned()
                };
            }
            assert_ne!(header[3], 7, "GOAWAY");
        }
    };
    assert_eq!(statuses(vec![]).await, "200");
    // A literal header without indexing: `a: xxx…`, of 17,000 bytes (0x7f and 16,873 in HPACK's integers).
    let mut large = vec![0, 1, b'a', 0x7f, 0xe9, 0x83, 0x01];
    large.extend(vec![b'x'; 17_000]);
    assert_ne!(statuses(large).await, "200", "too large a head");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_cut() {
    let app = App::start().await;
    let (address, _stop) = port(&app, short()).await;
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(
        b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{",
    )
    .await
    .unwrap();
    let began = Instant::now();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(15), slow.read_to_end(&mut bytes)).await;
    let answer = String::from_utf8_lossy(&bytes).into_owned();
    assert!(ended.is_ok() && answer.starts_with("HTTP/1.1 400") && answer.contains("body-unreadable"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_for_those_with_something_to_ask() {
    let app = App::start().await;
    let (address, stop) = port(&app, Bounds { connections: 200, ..short() }).await;
    let idle = join_all((0..200).map(|_| TcpStream::connect(address.clone()))).await;
    let began = Instant::now();
    let asked = join_all((0..50).map(|_| async {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        one_answer(&mut stream).await
    }));
    let answers = tokio::time::timeout(Duration::from_secs(8), asked).await.expect("room is made");
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")));
    println!("50 answers beside 200 idle connections in {:?}", began.elapsed());
    drop(idle);
    stop.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_hundred_idle_connections_cost_little() {
    let app = App::start().await;
    let (address, _stop) = port(&app, Bounds { connections: 4096, head: Duration::from_secs(30), ..short() }).await;
    let mut idle = Vec::new();
    // As many as the limit of open files of a developer's machine leaves to both ends.
    for _ in 0..400 {
        let Ok(stream) = TcpStream::connect(&address).await else { break };
        idle.push(stream);
    }
    let mut latencies = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        latencies.push(began.elapsed());
    }
    latencies.sort();
    assert!(latencies[10] < Duration::from_millis(250), "{latencies:?}");
    assert!(idle.len() >= 400, "{}", idle.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_a_port_answers_what_is_under_way_and_lets_resting_connections_go() {
    let app = App::start().await;
    let (address, stop) = port(&app, Bounds::default()).await;
    let mut resting = TcpStream::connect(&address).await.unwrap();
    resting.write_all(GET.as_bytes()).await.unwrap();
    one_answer(&mut resting).await;
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(
        b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{",
    )
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.send_replace(true);
    let (_, after) = rest_of(&mut resting).await;
    assert!(after.is_some_and(|after| after < Duration::from_secs(1)), "{after:?}");
    half.write_all(b"}").await.unwrap();
    let (answer, ended) = rest_of(&mut half).await;
    assert!(answer.starts_with("HTTP/1.1 422") && ended.is_some(), "{answer}");
    assert!(TcpStream::connect(&address).await.is_err(), "nobody new is let in");
}
