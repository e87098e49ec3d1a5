//! Documents: opening an upload, from its bytes to where they are seen, beside a bare copy; the list; memory; the cipher.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{Method, Request};
use domain::document::PART_BYTES;
use domain::ids::{AccountId, DocumentId, SessionId};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::digest::{Context, SHA256, digest};
use runtime::clock::Clock;
use runtime::documents::place;
use runtime::host::StartError;
use runtime::keys::stream::{CHUNK, DataKey};
use runtime::keys::{Keys, OwnerKey};
use runtime::objects::{Objects, PIECE, STAGING, write_sealed};
use runtime::seals::hex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::Bench;
use super::load::{self, percentile};
use super::report::Report;
use super::server::Server;
use crate::dev::objects;

const DEPOSITOR: &str = include_str!("../../../sql/bench/depositor.sql");
/// Documents of one patient.
const DOCUMENTS: usize = 2_000;
const LISTS: usize = 200;
/// File, and how often it is sent.
const FILES: [(&str, usize, usize); 2] = [("1 MB", 1_000_000, 20), ("100 MB", 100_000_000, 5)];
/// Whole files that pass at once.
const LARGE: (usize, usize) = (200 << 20, 10);
const GLANCE: Duration = Duration::from_millis(20);
const SEALED_AT_ONCE: usize = 64 << 20;

/// The functions, the store that they and the clients use, and who deposits.
struct Stage {
    upload: Server,
    check: Server,
    documents: Server,
    events: u16,
    store: Arc<Objects>,
    client: Hyper<HttpConnector, Full<Bytes>>,
    token: String,
    patient: Uuid,
    owner: OwnerKey,
}

/// A document whose bytes are there.
struct Sent {
    id: String,
    event: Value,
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let stage = stage(bench).await?;
    opening(&stage, report).await?;
    for (name, length, times) in FILES {
        visible(&stage, name, &pdf(length), times, report).await?;
    }
    memory(&stage, report).await?;
    cipher(&stage.owner, report)
}

async fn stage(bench: &Bench) -> Result<Stage, StartError> {
    let key = objects::new_key()?;
    let router = objects::router(&std::path::absolute(bench.config.state.join("objects"))?, &key)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = objects::url(&listener.local_addr()?.to_string(), &Uuid::now_v7().to_string());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let events = crate::lambda::free_port()?;
    let mut more = vec![
        ("CARNET_DOCUMENTS", url.clone()),
        ("AWS_ACCESS_KEY_ID", key.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
    ];
    let [upload, documents] =
        ["upload-document", "documents"].map(|function| Server::ready_with(function, &bench.config, &more));
    // Nobody scans unless `CLAMD` says who; only in development is anything shown then.
    more.extend([
        ("EVENTS_PORT", events.to_string()),
        ("CARNET_ENV", "development".into()),
        ("RUST_LOG", "warn".into()),
    ]);
    let check = Server::ready_with("check-document", &bench.config, &more)?;

    let keys = Keys::of(&bench.config)?;
    let [account, patient, session] = [(); 3].map(|()| Uuid::now_v7());
    let (wrapped, owner) = keys.new_owner(patient).await?;
    let now = Clock::default().now();
    let depositor =
        sqlx::query(DEPOSITOR).bind(account).bind(patient).bind(session).bind(wrapped).bind(now.to_string());
    depositor.execute(&bench.pool).await?;
    let token = keys.issue(AccountId::from_uuid(account), SessionId::from_uuid(session), now)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Ok(Stage {
        upload: upload?,
        check,
        documents: documents?,
        events,
        store: Arc::new(Objects::new(&url, None, Some(&key))?),
        client: Hyper::builder(TokioExecutor::new()).build(connector),
        token,
        patient,
        owner,
    })
}

/// A PDF of about that many bytes, most of them a picture's that nobody can compress.
fn pdf(length: usize) -> Bytes {
    let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>";
    let text = "BT /F1 24 Tf 72 720 Td (Bonjour) Tj ET";
    let mut bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut begins = Vec::new();
    let mut noise = vec![0; length];
    // Nothing secret: a sequence without repetition (xorshift64).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for word in noise.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    let stream = |dict: &str, body: &[u8]| {
        [format!("<<{dict}/Length {}>>\nstream\n", body.len()).as_bytes(), body, b"\nendstream"].concat()
    };
    let picture = "/Type/XObject/Subtype/Image/Width 1000/Height 1000/BitsPerComponent 8/ColorSpace/DeviceGray";
    for (number, object) in [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>".to_vec(),
        page.as_bytes().to_vec(),
        stream("", text.as_bytes()),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_vec(),
        stream(picture, &noise),
    ]
    .iter()
    .enumerate()
    {
        begins.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", number + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", begins.len() + 1).bytes());
    bytes.extend(begins.iter().flat_map(|begin| format!("{begin:010} 00000 n \n").into_bytes()));
    bytes.extend(format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n", begins.len() + 1).bytes());
    bytes.into()
}

impl Stage {
    fn wish(&self, length: usize, sha256: &str) -> Value {
        json!({"patient": self.patient, "type": "EXPPAT_2", "title": "Courrier", "act_date": "2026-03-01",
               "media_type": "application/pdf", "size_bytes": length, "sha256": sha256})
    }

    async fn send(
        &self, method: Method, url: &str, headers: &[(&str, &str)], body: Bytes,
    ) -> Result<(u16, Bytes), StartError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body))?).await.map_err(|it| it.to_string())?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// As who deposits.
    async fn ask(&self, port: u16, method: Method, path: &str, body: &Value) -> Result<Value, StartError> {
        let bearer = format!("Bearer {}", self.token);
        let key = Uuid::now_v7().to_string();
        let headers = [("authorization", &*bearer), ("content-type", "application/json"), ("idempotency-key", &*key)];
        let body = if method == Method::GET { Bytes::new() } else { serde_json::to_vec(body)?.into() };
        let (status, answer) = self.send(method, &format!("http://127.0.0.1:{port}{path}"), &headers, body).await?;
        if !(200..300).contains(&status) {
            return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Opens an upload.
    async fn open(&self, bytes: &Bytes, sha256: &str) -> Result<Value, StartError> {
        self.ask(self.upload.port, Method::POST, "/v1/documents", &self.wish(bytes.len(), sha256)).await
    }

    /// Sends the bytes to the store and says so.
    async fn sent(&self, opened: &Value, bytes: &Bytes) -> Result<Sent, StartError> {
        if opened["upload"]["whole"].is_object() {
            self.put(&opened["upload"]["whole"], bytes.clone()).await?;
        }
        for part in opened["upload"]["parts"].as_array().into_iter().flatten() {
            let number = |name: &str| part[name].as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
            let (from, length) = (number("offset"), number("size_bytes"));
            self.put(&part["request"], bytes.slice(from..from + length)).await?;
        }
        let id = opened["document"]["id"].as_str().unwrap_or_default().to_owned();
        self.ask(self.upload.port, Method::POST, &format!("/v1/documents/{id}/completion"), &json!({})).await?;
        let event = json!({"specversion": "1.0", "id": Uuid::now_v7(), "source": "/carnet", "type": "document.uploaded.v1",
            "subject": id, "time": Clock::default().now().to_string(), "datacontenttype": "application/json",
            "data": {"document": id, "version": 1}});
        Ok(Sent { id, event })
    }

    async fn put(&self, signed: &Value, bytes: Bytes) -> Result<(), StartError> {
        let headers = signed["headers"].as_object().into_iter().flatten();
        let headers: Vec<(&str, &str)> = headers
            .filter(|(name, _)| *name != "content-length")
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        let url = signed["url"].as_str().unwrap_or_default();
        match self.send(Method::PUT, url, &headers, bytes).await? {
            (200, _) => Ok(()),
            (status, answer) => Err(format!("the store: {status} {}", String::from_utf8_lossy(&answer)).into()),
        }
    }

    /// Has the bytes judged, as a queue does: what is under way is asked for again.
    async fn judged(&self, sent: &Sent) -> Result<(), StartError> {
        let url = format!("http://127.0.0.1:{}/_events/check-document", self.events);
        let headers = [("content-type", "application/cloudevents+json")];
        let body = Bytes::from(serde_json::to_vec(&sent.event)?);
        let began = Instant::now();
        while began.elapsed() < Duration::from_mins(10) {
            match self.send(Method::POST, &url, &headers, body.clone()).await? {
                (200..300, _) => return Ok(()),
                (503, _) => tokio::time::sleep(GLANCE).await,
                (status, answer) => {
                    return Err(format!("check-document: {status} {}", String::from_utf8_lossy(&answer)).into());
                }
            }
        }
        Err("not judged in ten minutes".into())
    }

    async fn is_available(&self, sent: &Sent) -> Result<(), StartError> {
        let read =
            self.ask(self.documents.port, Method::GET, &format!("/v1/documents/{}", sent.id), &Value::Null).await?;
        if read["state"] == "available" { Ok(()) } else { Err(format!("not available: {read}").into()) }
    }

    /// A key for bytes of nobody's.
    fn data_key(&self) -> Result<DataKey, StartError> {
        let place = place(DocumentId::from_uuid(Uuid::now_v7()), 1, "content");
        Ok(self.owner.new_data_key(place)?.1)
    }

    /// What nobody can do without: the bytes are sent, fetched, hashed, sealed and written. The second figure is without the
    /// first two.
    async fn bare(&self, bytes: &Bytes) -> Result<(Duration, Duration), StartError> {
        let name = format!("{STAGING}/bare-{}", Uuid::now_v7());
        let began = Instant::now();
        let part = usize::try_from(PART_BYTES)?;
        if bytes.len() <= part {
            self.store.put(&name, bytes.clone()).await?;
        } else {
            let upload = self.store.begin(&name).await?;
            let mut tags = Vec::new();
            for number in 0..bytes.len().div_ceil(part) {
                let slice = bytes.slice(number * part..bytes.len().min((number + 1) * part));
                tags.push(self.store.put_part(&name, &upload, u16::try_from(number + 1)?, slice).await?);
            }
            self.store.finish(&name, &upload, &tags).await?;
        }
        let mut fetched = Vec::with_capacity(bytes.len());
        while fetched.len() < bytes.len() {
            let wanted = (bytes.len() - fetched.len()).min(PIECE);
            fetched.extend(self.store.get(&name, fetched.len() as u64, wanted).await?);
        }
        let copying = Instant::now();
        let mut hash = Context::new(&SHA256);
        hash.update(&fetched);
        hash.finish();
        let (mut at, fetched) = (0, Bytes::from(fetched));
        let read = |length: usize| {
            let piece = fetched.slice(at..at + length).to_vec();
            at += length;
            async move { Ok(piece) }
        };
        write_sealed(&self.store, &format!("bare/{}", Uuid::now_v7()), self.data_key()?, bytes.len() as u64, read)
            .await?;
        let took = (began.elapsed(), copying.elapsed());
        self.store.remove(&name).await?;
        Ok(took)
    }
}

/// Opening uploads one after the other, then lists of them.
async fn opening(stage: &Stage, report: &mut Report) -> Result<(), StartError> {
    let authorization = format!("host: carnet\r\nauthorization: Bearer {}\r\n", stage.token);
    let hash = hex(digest(&SHA256, b"x").as_ref());
    let requests = (0..DOCUMENTS).map(|number| {
        let body = stage.wish(1 + number, &hash).to_string();
        let head = format!("content-type: application/json\r\nidempotency-key: {}\r\n", Uuid::now_v7());
        let length = format!("content-length: {}\r\n", body.len());
        format!("POST /v1/documents HTTP/1.1\r\n{authorization}{head}{length}\r\n{body}").into_bytes()
    });
    let round = load::run(stage.upload.port, requests.collect(), 1).await?;
    if let Some(refusal) = round.refusal(201) {
        return Err(format!("an upload was answered {refusal}").into());
    }
    let mut times: Vec<Duration> = round.answers.iter().map(|answer| answer.took).collect();
    report.figure("opening an upload: p50", percentile(&mut times, 0.5), "ms");
    report.under("opening an upload: p95", percentile(&mut times, 0.95), "ms", 10.0);
    for limit in [50, 200] {
        let path = format!("/v1/documents?patient={}&limit={limit}", stage.patient);
        let request = format!("GET {path} HTTP/1.1\r\n{authorization}\r\n").into_bytes();
        let round = load::run(stage.documents.port, vec![request; LISTS], 1).await?;
        if let Some(refusal) = round.refusal(200) {
            return Err(format!("a list was answered {refusal}").into());
        }
        let mut times: Vec<Duration> = round.answers.iter().map(|answer| answer.took).collect();
        let name = format!("list of {DOCUMENTS} documents, {limit} a page: p95");
        report.under(name, percentile(&mut times, 0.95), "ms", 30.0);
    }
    Ok(())
}

async fn visible(
    stage: &Stage, name: &str, bytes: &Bytes, times: usize, report: &mut Report,
) -> Result<(), StartError> {
    let sha256 = hex(digest(&SHA256, bytes).as_ref());
    let (mut ours, mut bare, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    // The first is for connections and caches.
    for round in 0..=times {
        let opened = stage.open(bytes, &sha256).await?;
        let began = Instant::now();
        let sent = stage.sent(&opened, bytes).await?;
        stage.judged(&sent).await?;
        let took = began.elapsed();
        stage.is_available(&sent).await?;
        let (whole, copy) = stage.bare(bytes).await?;
        if round > 0 {
            ours.push(took);
            bare.push(whole);
            copies.push(copy);
        }
    }
    let [p95, bare, copy] = [&mut ours, &mut bare, &mut copies].map(|times| percentile(times, 0.95));
    report.figure(format!("{name}, from the first byte sent to visible: p95"), p95, "ms");
    report.figure(format!("{name}, sent, fetched, hashed, sealed, written: p95"), bare, "ms");
    report.under(format!("{name}, visible / bare: p95"), p95 / bare, "", 2.0);
    report.figure(format!("{name}, visible / hashed, sealed and written only: p95"), p95 / copy, "");
    Ok(())
}

/// What the functions hold more than at rest, while large files are judged, and while they are read.
async fn memory(stage: &Stage, report: &mut Report) -> Result<(), StartError> {
    let (length, count) = LARGE;
    let bytes = pdf(length - 2048);
    let sha256 = hex(digest(&SHA256, &bytes).as_ref());
    let mut all = Vec::new();
    for _ in 0..count {
        let opened = stage.open(&bytes, &sha256).await?;
        all.push(stage.sent(&opened, &bytes).await?);
    }
    let judged = futures_util::future::try_join_all(all.iter().map(|sent| stage.judged(sent)));
    let above = above_idle(&stage.check, judged).await?;
    report.under(format!("{count} files of 200 MiB judged: above idle"), above, "MiB", 64.0);
    let read = futures_util::future::try_join_all(all.iter().map(|sent| downloaded(stage, sent, bytes.len())));
    let above = above_idle(&stage.documents, read).await?;
    report.under(format!("{count} files of 200 MiB read at once: above idle"), above, "MiB", 64.0);
    Ok(())
}

async fn downloaded(stage: &Stage, sent: &Sent, length: usize) -> Result<(), StartError> {
    let path = format!("/v1/documents/{}/link", sent.id);
    let link = stage.ask(stage.documents.port, Method::POST, &path, &json!({})).await?;
    let url = format!("http://127.0.0.1:{}{}", stage.documents.port, link["url"].as_str().unwrap_or_default());
    let request = Request::get(url).body(Full::default())?;
    let mut body = stage.client.request(request).await.map_err(|error| error.to_string())?.into_body();
    let mut got = 0;
    // Piece by piece: this process is not to hold ten of them.
    while let Some(frame) = body.frame().await {
        got += frame?.data_ref().map_or(0, Bytes::len);
    }
    if got == length { Ok(()) } else { Err(format!("{got} bytes of {length}").into()) }
}

/// The most resident memory of a process while something is done, above what it holds before, in MiB.
async fn above_idle<T>(server: &Server, work: impl Future<Output = Result<T, StartError>>) -> Result<f64, StartError> {
    let resident = || server.resident_mib().ok_or("this system does not say how much memory is held");
    let idle = resident()?;
    let mut most = idle;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                done?;
                return Ok(most - idle);
            }
            () = tokio::time::sleep(GLANCE) => most = most.max(resident()?),
        }
    }
}

/// Sealing in chunks beside what `openssl` does of the same cipher with pieces of that length.
fn cipher(owner: &OwnerKey, report: &mut Report) -> Result<(), StartError> {
    let (_, key) = owner.new_data_key(place(DocumentId::from_uuid(Uuid::now_v7()), 1, "content"))?;
    let (mut sealing, clear) = (key.seal()?, vec![7_u8; CHUNK]);
    let mut buffer = Vec::with_capacity(CHUNK + 64);
    let began = Instant::now();
    for _ in 0..SEALED_AT_ONCE / CHUNK {
        buffer.clear();
        buffer.extend_from_slice(&clear);
        sealing.chunk(&mut buffer, 0, false)?;
    }
    let ours = mib_per_second(SEALED_AT_ONCE, began.elapsed());
    report.figure("cipher: sealing in chunks", ours, "MiB/s");
    if let Some(theirs) = openssl() {
        report.figure("cipher: openssl speed, aes-256-gcm", theirs, "MiB/s");
        report.at_least("cipher: ours / openssl", ours / theirs, "", 0.5);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "lengths here are far below 2^52")]
fn mib_per_second(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / f64::from(1 << 20) / took.as_secs_f64()
}

/// Where there is `openssl`: its last line is `AES-256-GCM  4012345.67k`, thousands of bytes a second.
fn openssl() -> Option<f64> {
    let arguments = ["speed", "-elapsed", "-seconds", "1", "-bytes", "262144", "-evp", "aes-256-gcm"];
    let output = Command::new("openssl").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let figure: f64 = text.lines().last()?.split_whitespace().last()?.strip_suffix('k')?.parse().ok()?;
    Some(figure * 1000.0 / f64::from(1 << 20))
}
