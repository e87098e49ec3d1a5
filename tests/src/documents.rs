//! Documents: from the deposit to who sees them.

mod buckets;
mod bytes;
mod faults;
mod hostile;
mod keeping;
mod secret;
mod steps;
mod visibility;

use axum::body::Body;
use axum::http::Method;
use domain::SignedDuration;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::guardians::{book_for, bring_in, child, prove_identity, young};
use crate::support::client::Answer;
use crate::support::{App, Client, objects};

/// Nobody would write this into any other field.
pub const WORDS: &str = "Otite moyenne aiguë, amoxicilline";

/// A PDF of one page with those words (ISO 32000-1 §7.5).
pub fn letter(words: &str) -> Vec<u8> {
    drawn(&format!("BT /F1 12 Tf 72 720 Td ({words}) Tj ET"))
}

/// A PDF of one page on which that is drawn.
pub fn drawn(text: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", number + 1).as_bytes());
    }
    let end =
        format!("{table}trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n", objects.len() + 1, pdf.len());
    pdf.extend_from_slice(end.as_bytes());
    pdf
}

pub fn sha256(bytes: &[u8]) -> String {
    runtime::seals::hex(digest(&SHA256, bytes).as_ref())
}

/// What is said of some bytes when they are announced.
pub fn announced(media_type: &str, bytes: &[u8]) -> Value {
    json!({"media_type": media_type, "size_bytes": bytes.len(), "sha256": sha256(bytes)})
}

/// A consultation report.
pub fn report(patient: &str, media_type: &str, bytes: &[u8]) -> Value {
    let mut wish = announced(media_type, bytes);
    let said = json!({"patient": patient, "type": "11488-4", "title": "Compte rendu", "act_date": "2026-03-01"});
    wish.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    wish
}

pub fn with(mut wish: Value, more: Value) -> Value {
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wish
}

pub async fn open(client: &Client, wish: &Value) -> Answer {
    client.post_with_key("/v1/documents", wish, &Uuid::now_v7().to_string()).await
}

/// Deposits a document, whose bytes are not judged yet; its identifier.
pub async fn uploaded(client: &Client, wish: &Value, bytes: &[u8]) -> String {
    let opened = open(client, wish).await.expect(201);
    assert_eq!(opened["document"]["state"], "awaiting_upload");
    assert_eq!(objects::send(&opened["upload"]["whole"], bytes.to_vec()).await, 200);
    let id = opened["document"]["id"].as_str().unwrap().to_owned();
    complete(client, &id).await.expect(200);
    id
}

/// Deposits a document and lets it be judged; its identifier.
pub async fn deposit(app: &App, client: &Client, wish: &Value, bytes: &[u8]) -> String {
    let id = uploaded(client, wish, bytes).await;
    app.settle().await;
    id
}

pub async fn complete(client: &Client, id: &str) -> Answer {
    client.post(&format!("/v1/documents/{id}/completion"), &json!({})).await
}

pub async fn read(client: &Client, id: &str) -> Answer {
    client.get(&format!("/v1/documents/{id}")).await
}

pub async fn link(client: &Client, id: &str) -> Answer {
    client.post(&format!("/v1/documents/{id}/link"), &json!({})).await
}

/// What a link gives, by whoever follows it.
pub async fn follow(client: &Client, link: &Value, range: Option<&str>) -> Answer {
    let mut request = client.request(Method::GET, link["url"].as_str().unwrap());
    if let Some(range) = range {
        request = request.header("range", range);
    }
    client.send(request.body(Body::empty()).unwrap()).await
}

/// The bytes of a document, as somebody gets them.
pub async fn bytes_of(app: &App, client: &Client, id: &str) -> Vec<u8> {
    let link = link(client, id).await.expect(200);
    let answer = follow(&app.nobody(), &link, None).await;
    assert_eq!(answer.status, 200);
    answer.bytes.to_vec()
}

pub async fn list(client: &Client, patient: &str) -> Vec<String> {
    let page = client.get(&format!("/v1/documents?patient={patient}&limit=200")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

/// A mother, her child, and the practitioner who has seen the child.
pub async fn family(app: &App, born: &str) -> (Client, String, Client) {
    let mother = app.patient().await;
    let child = child(&mother, born).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    book_for(&mother, &child, &slots[0]).await.expect(201);
    app.settle().await;
    (mother, child, app.staff("practitioner-pentes").await)
}

#[tokio::test]
async fn the_practitioner_deposits_a_letter_and_those_who_may_read_it() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2010-05-01").await;
    let secretary = app.staff("secretary-pentes").await;
    let father = app.patient().await;
    bring_in(&mother, &father, &child, &["book", "notices"]).await;
    let told = app.mails(&mother.email).len();

    let bytes = letter(WORDS);
    let id = deposit(&app, &practitioner, &report(&child, "application/pdf", &bytes), &bytes).await;

    // The mother is told, of nothing but that something is there, and reads it.
    let mails = app.mails(&mother.email);
    assert_eq!(mails.len(), told + 1);
    let mail = &mails[told];
    assert_eq!(mail.subject, "Un document est disponible");
    for secret in ["Otite", "Compte rendu", "Noé", "Bihannic"] {
        assert!(!mail.text.contains(secret) && !mail.html.contains(secret), "{secret}");
    }
    let seen = read(&mother, &id).await.expect(200);
    assert_eq!((&seen["state"], &seen["title"]), (&json!("available"), &json!("Compte rendu")));
    assert_eq!(
        seen["type"],
        json!({"code": "11488-4", "label": "Compte rendu de consultation", "administrative": false})
    );
    assert_eq!(seen["author"]["kind"], "professional");
    assert_eq!(list(&mother, &child).await, [id.as_str()]);
    assert_eq!(bytes_of(&app, &mother, &id).await, bytes);
    // She sees that the secretary could not, and who looked.
    assert_eq!(read(&secretary, &id).await.problem(404), "not-found");
    assert_eq!(link(&secretary, &id).await.problem(404), "not-found");
    assert_eq!(list(&secretary, &child).await, Vec::<String>::new());
    let log = mother.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    let lines = log["items"].as_array().unwrap();
    let refused: Vec<&Value> = lines.iter().filter(|line| line["outcome"] == "refused").collect();
    assert!(
        refused
            .iter()
            .any(|line| line["who"]["name"] == "Odile Marchandeau"
                && line["what"] == "Refusé : Consultation d’un document"),
        "{refused:?}"
    );
    assert!(lines.iter().any(|line| line["event"] == "document.content" && line["who"]["kind"] == "you"));
    let of_documents =
        lines.iter().filter(|line| line["event"] == "document.read" || line["event"] == "document.content");
    assert!(of_documents.clone().all(|line| line["document"] == *id), "which document: {lines:?}");
    assert!(of_documents.count() > 2);

    // The separated father, who has no right to documents, cannot, and was not told.
    assert_eq!(read(&father, &id).await.problem(404), "not-found");
    assert_eq!(father.get("/v1/documents").await.expect(200)["items"], json!([]));
    assert!(app.mails(&father.email).iter().all(|mail| !mail.subject.contains("document")));

    // The minor hides it from those who act for them.
    let zoe = young(&app, &mother, &child, "2010-05-01").await;
    let hide = json!({"hidden_from_representatives": true});
    let path = format!("/v1/documents/{id}/visibility");
    assert_eq!(zoe.post(&path, &hide).await.problem(422), "field-invalid", "not before it is sure who asks");
    prove_identity(&app, &zoe, &child).await;
    assert_eq!(mother.post(&path, &hide).await.problem(422), "field-invalid", "nor those it would be kept from");
    let open_link = link(&mother, &id).await.expect(200);
    let hidden = zoe.post(&path, &hide).await.expect(200);
    assert_eq!(hidden["visibility"]["hidden_from_representatives"], true);
    assert_eq!(read(&mother, &id).await.problem(404), "not-found");
    assert_eq!(list(&mother, &child).await, Vec::<String>::new());
    assert_eq!(follow(&app.nobody(), &open_link, None).await.problem(422), "link-invalid", "a link asks again");
    assert_eq!(bytes_of(&app, &zoe, &id).await, bytes);
    assert_eq!(bytes_of(&app, &practitioner, &id).await, bytes);
    let log = mother.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    let tells =
        |line: &&Value| line["event"].as_str().unwrap().starts_with("document.") && line["event"] != "document.list";
    let items = log["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(tells).count(), 0, "nor does the log tell of it: {log}");
    zoe.post(&path, &json!({"hidden_from_representatives": false})).await.expect(200);
    read(&mother, &id).await.expect(200);
}

#[tokio::test]
async fn nothing_is_visible_before_it_was_judged() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let bytes = letter(WORDS);
    let opened = open(&practitioner, &report(&child, "application/pdf", &bytes)).await.expect(201);
    let id = opened["document"]["id"].as_str().unwrap().to_owned();
    for state in ["awaiting_upload", "checking"] {
        assert_eq!(read(&mother, &id).await.problem(404), "not-found");
        assert_eq!(list(&mother, &child).await, Vec::<String>::new());
        assert_eq!(read(&practitioner, &id).await.expect(200)["state"], state, "its author sees how it stands");
        assert_eq!(link(&practitioner, &id).await.problem(409), "document-not-available");
        if state == "awaiting_upload" {
            assert_eq!(complete(&practitioner, &id).await.problem(409), "upload-incomplete");
            assert_eq!(objects::send(&opened["upload"]["whole"], bytes.clone()).await, 200);
            assert_eq!(complete(&practitioner, &id).await.expect(200)["state"], "checking");
            assert_eq!(complete(&practitioner, &id).await.expect(200)["state"], "checking", "said again");
        }
    }
    assert_eq!(app.count("select count(*) from outbox where kind = 'document.uploaded.v1'").await, 1);
    app.settle().await;
    assert_eq!(read(&mother, &id).await.expect(200)["state"], "available");
    assert_eq!(complete(&practitioner, &id).await.expect(200)["state"], "available");
    // What came in clear is gone, and what is kept says nothing.
    assert_eq!(app.store.names("staging"), Vec::<String>::new());
    let kept = app.store.names("documents");
    assert!(!kept.is_empty());
    for name in kept {
        let sealed = std::fs::read(app.store.path(&name)).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"Otite" || part == b"%PDF-"), "{name}");
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_document() {
    let app = App::start().await;
    let (_, child, practitioner) = family(&app, "2019-09-01").await;
    let wish = report(&child, "text/plain", b"bonjour");
    let first = practitioner.post_with_key("/v1/documents", &wish, "k").await.expect(201);
    let again = practitioner.post_with_key("/v1/documents", &wish, "k").await.expect(201);
    assert_eq!(first["document"]["id"], again["document"]["id"]);
    assert_eq!(app.count("select count(*) from document").await, 1);
    let other = report(&child, "text/plain", b"bonsoir");
    assert_eq!(practitioner.post_with_key("/v1/documents", &other, "k").await.problem(422), "idempotency-key-reused");
}

#[tokio::test]
async fn another_version_takes_the_place_of_the_one_before_once_it_is_judged() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", b"premier"), b"premier").await;
    let path = format!("/v1/documents/{id}/versions");
    let wish = announced("text/plain", b"second");
    assert_eq!(mother.post_with_key(&path, &wish, "k").await.problem(409), "document-not-yours");
    let opened = practitioner.post_with_key(&path, &wish, "k").await.expect(201);
    assert_eq!(opened["version"], 2);
    assert_eq!(bytes_of(&app, &mother, &id).await, b"premier");
    assert_eq!(objects::send(&opened["upload"]["whole"], &b"second"[..]).await, 200);
    let pending = complete(&practitioner, &id).await.expect(200);
    assert_eq!((&pending["state"], &pending["pending"]["state"]), (&json!("available"), &json!("checking")));
    assert_eq!(read(&mother, &id).await.expect(200)["pending"], Value::Null);
    app.settle().await;
    assert_eq!(bytes_of(&app, &mother, &id).await, b"second");
    assert_eq!(read(&mother, &id).await.expect(200)["version"]["number"], 2);
    let kept = app.count("select count(*) from document_object where part = 'content' and state = 'written'").await;
    assert_eq!(kept, 2, "nothing is overwritten");
}

#[tokio::test]
async fn a_link_is_for_a_session_that_lives_and_for_two_minutes() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|at| b'a' + (at % 26) as u8).collect();
    let wish = with(report(&child, "text/plain", &bytes), json!({"title": "Lettre ../\u{e9}\u{e0} n° 1"}));
    let id = deposit(&app, &practitioner, &wish, &bytes).await;
    let made = link(&mother, &id).await.expect(200);
    let whole = follow(&app.nobody(), &made, None).await;
    assert_eq!(whole.bytes, bytes);
    for (name, value) in [
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("accept-ranges", "bytes"),
        (
            "content-disposition",
            "attachment; filename=\"Lettre __ n 1.txt\"; filename*=UTF-8''Lettre%20%C3%A9%C3%A0%20n%201.txt",
        ),
    ] {
        assert_eq!(whole.headers[name], value, "{name}");
    }
    assert!(whole.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
    for (range, from, until) in
        [("bytes=0-0", 0, 1), ("bytes=262100-262200", 262_100, 262_201), ("bytes=-5", 699_995, 700_000)]
    {
        let part = follow(&app.nobody(), &made, Some(range)).await;
        assert_eq!((part.status.as_u16(), &part.bytes[..]), (206, &bytes[from..until]));
        assert_eq!(part.headers["content-range"], format!("bytes {from}-{}/700000", until - 1));
    }
    assert_eq!(follow(&app.nobody(), &made, Some("bytes=700000-")).await.problem(416), "range-not-satisfiable");
    // Of another version it is no range that is wanted, but all of this one.
    let tag = whole.headers["etag"].to_str().unwrap();
    for (tag, status) in [(tag, 206), ("\"another\"", 200)] {
        let request = app.nobody().request(Method::GET, made["url"].as_str().unwrap()).header("range", "bytes=0-9");
        let answer = app.nobody().send(request.header("if-range", tag).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{tag}");
    }
    // A token that comes with it is of that session, or it is nobody's.
    assert_eq!(follow(&mother, &made, None).await.status, 200);
    assert_eq!(follow(&practitioner, &made, None).await.problem(422), "link-invalid");
    let forged = json!({"url": made["url"].as_str().unwrap().replace("content/", "content/A")});
    assert_eq!(follow(&app.nobody(), &forged, None).await.problem(422), "link-invalid");
    assert_eq!(app.count("select count(*) from audit where event = 'document.content'").await, 1, "one look");
    app.later(SignedDuration::from_secs(119));
    assert_eq!(follow(&app.nobody(), &made, None).await.status, 200);
    app.later(SignedDuration::from_secs(2));
    assert_eq!(follow(&app.nobody(), &made, None).await.problem(422), "link-invalid");
    let other = link(&mother, &id).await.expect(200);
    mother.post("/v1/sessions/end", &json!({})).await.expect(204);
    assert_eq!(follow(&app.nobody(), &other, None).await.problem(422), "link-invalid", "of a session that has ended");
}

/// Makes every event of documents.
pub async fn told(app: &App) {
    let mother = app.patient().await;
    deposit(app, &mother, &report(&mother.patient, "text/plain", b"x"), b"x").await;
}

/// Calls every statement of documents.
pub async fn walk(app: &App) {
    let (mother, child, practitioner) = family(app, "2019-09-01").await;
    let id = deposit(app, &practitioner, &report(&child, "text/plain", b"x"), b"x").await;
    bytes_of(app, &mother, &id).await;
    list(&mother, &child).await;
    practitioner.get(&format!("/v1/documents/{id}/upload")).await.expect(200);
    let version = announced("text/plain", b"y");
    practitioner.post_with_key(&format!("/v1/documents/{id}/versions"), &version, "walk").await.expect(201);
    let change = json!({"title": "Autre", "language": "en"});
    let request =
        practitioner.request(Method::PATCH, &format!("/v1/documents/{id}")).header("content-type", "application/json");
    practitioner.send(request.body(Body::from(change.to_string())).unwrap()).await.expect(200);
    let path = format!("/v1/documents/{id}/visibility");
    mother.post(&path, &json!({"hidden_from_professionals": true})).await.expect(200);
    practitioner.post(&format!("/v1/documents/{id}/withdrawal"), &json!({})).await.expect(200);
    let large = json!({"size_bytes": 60 << 20});
    let large = open(&practitioner, &with(report(&child, "text/plain", b"x"), large)).await.expect(201);
    complete(&practitioner, large["document"]["id"].as_str().unwrap()).await.problem(409);
    let choice = json!({"practitioner": App::practitioner("nolwenn-le-bihannic")});
    mother.post(&format!("/v1/patients/{child}/attending-physician"), &choice).await.expect(200);
    let operator = app.staff("operator").await;
    operator.post(&format!("/v1/patients/{child}/legal-hold"), &json!({"legal_hold": false})).await.expect(200);
    faults::walk(app).await;
    keeping::walk(app).await;
}
