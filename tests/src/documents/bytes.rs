//! How bytes come: in parts, resumed, doubled, cut off; and what of them is where.

use serde_json::{Value, json};

use super::{bytes_of, complete, family, open, read, report, sha256, with};
use crate::support::{App, Client, objects};

/// More than goes in one request: text, so that it is judged like any other.
pub fn large(bytes: usize) -> Vec<u8> {
    let line = b"Il dort bien, il mange bien, il joue. \n";
    line.iter().copied().cycle().take(bytes).collect()
}

fn part(bytes: &[u8], request: &Value) -> Vec<u8> {
    let (from, size) = (request["offset"].as_u64().unwrap() as usize, request["size_bytes"].as_u64().unwrap() as usize);
    bytes[from..from + size].to_vec()
}

async fn resumed(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/documents/{id}/upload")).await.expect(200)["upload"].clone()
}

#[tokio::test]
async fn a_large_file_comes_in_parts_and_goes_on_where_it_was_cut() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let bytes = large((50 << 20) + 1);
    let opened = open(&practitioner, &report(&child, "text/plain", &bytes)).await.expect(201);
    let id = opened["document"]["id"].as_str().unwrap().to_owned();
    assert_eq!(opened["upload"]["whole"], Value::Null);
    let parts = opened["upload"]["parts"].as_array().unwrap().clone();
    assert_eq!(parts.len(), 4);
    // Cut off and doubled on the way.
    assert!(!objects::send(&parts[0]["request"], part(&bytes, &parts[0])[..1000].to_vec()).await.is_success());
    for _ in 0..2 {
        assert_eq!(objects::send(&parts[1]["request"], part(&bytes, &parts[1])).await, 200);
    }
    assert_eq!(complete(&practitioner, &id).await.body["missing_parts"], json!([1, 3, 4]));
    // The rest with fresh signatures, as another device would.
    let rest = resumed(&practitioner, &id).await;
    assert_eq!(rest["received_parts"], json!([2]));
    for request in rest["parts"].as_array().unwrap() {
        assert_eq!(objects::send(&request["request"], part(&bytes, request)).await, 200);
    }
    assert_eq!(resumed(&practitioner, &id).await["parts"], json!([]));
    // Twice at once.
    let (one, other) = futures_util::future::join(complete(&practitioner, &id), complete(&practitioner, &id)).await;
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{} {}", one.body, other.body);
    assert_eq!(complete(&practitioner, &id).await.expect(200)["version"]["number"], 1);
    judged(&app, &practitioner, &id).await;
    assert_eq!(sha256(&bytes_of(&app, &mother, &id).await), sha256(&bytes));
    // Of all that was in clear, nothing is left.
    assert_eq!(app.store.names("staging"), Vec::<String>::new());
}

/// Large files are judged beside their event.
pub async fn judged(app: &App, client: &Client, id: &str) {
    for _ in 0..600 {
        app.settle().await;
        if !["checking", "quarantined"].contains(&read(client, id).await.expect(200)["state"].as_str().unwrap()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not judged in a minute");
}

/// The same for what failed before: its event comes again after a while.
pub async fn judged_later(app: &App, client: &Client, id: &str) {
    app.later(domain::SignedDuration::from_mins(2));
    judged(app, client, id).await;
}

#[tokio::test]
async fn what_is_sent_is_what_was_announced_or_it_is_not_taken() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let wish = report(&child, "text/plain", b"dix octets");
    let opened = open(&practitioner, &wish).await.expect(201);
    let whole = &opened["upload"]["whole"];
    // The signature holds for that type, that length and that hash.
    for (header, value) in [("content-type", "text/html"), ("x-amz-checksum-sha256", "AAAA")] {
        let mut forged = whole.clone();
        forged["headers"][header] = json!(value);
        assert_eq!(objects::send(&forged, &b"dix octets"[..]).await, 403, "{header}");
    }
    assert!(!objects::send(whole, &b"plus de dix octets"[..]).await.is_success());
    let id = opened["document"]["id"].as_str().unwrap();
    read(&mother, id).await.problem(404);
    // A store that looked at nothing changes nothing: it is looked at here.
    for (said, sent, why) in [(&b"abc"[..], &b"abd"[..], "hash_differs"), (b"abc", b"abcd", "size_differs")] {
        let opened = open(&practitioner, &report(&child, "text/plain", said)).await.expect(201);
        assert_eq!(objects::send(&opened["upload"]["whole"], said.to_vec()).await, 200);
        let id = opened["document"]["id"].as_str().unwrap();
        complete(&practitioner, id).await.expect(200);
        let names = app.store.names("staging");
        let staged = names.iter().find(|name| std::fs::read(app.store.path(name)).unwrap() == said).unwrap();
        std::fs::write(app.store.path(staged), sent).unwrap();
        app.settle().await;
        let refused = read(&practitioner, id).await.expect(200);
        assert_eq!((&refused["state"], &refused["version"]["reason"]["code"]), (&json!("refused"), &json!(why)));
        assert!(!refused["version"]["reason"]["title"].as_str().unwrap().contains("document-refused"));
        read(&mother, id).await.problem(404);
        assert!(!app.store.path(staged).exists(), "what is not taken is not kept");
    }
}

#[tokio::test]
async fn odd_names_sizes_and_types_are_refused_by_their_field() {
    let app = App::start().await;
    let (_, child, practitioner) = family(&app, "2019-09-01").await;
    let wish = report(&child, "text/plain", b"x");
    for (field, odd) in [
        ("title", json!("a\0b")),
        ("title", json!("")),
        ("title", json!("x".repeat(300))),
        ("title", json!("cod\u{202e}fdp.exe")),
        ("size_bytes", json!(0)),
        ("size_bytes", json!((200 << 20) + 1)),
        ("size_bytes", json!(-1)),
        ("sha256", json!("abc")),
        ("media_type", json!("text/html")),
        ("media_type", json!("../pdf")),
        ("type", json!("0-0")),
        ("act_date", json!("hier")),
        ("language", json!("français")),
    ] {
        let refused = open(&practitioner, &with(wish.clone(), json!({field: odd}))).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!(field)), "{odd}");
    }
    let path = with(wish, json!({"title": "../../etc/passwd"}));
    assert_eq!(
        open(&practitioner, &path).await.expect(201)["document"]["title"],
        "../../etc/passwd",
        "a title, no more"
    );
}

#[tokio::test]
async fn without_the_master_key_no_word_of_a_document_is_anywhere() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let secret = "Zygomorphisme";
    let bytes = format!("{secret} du patient").into_bytes();
    let wish = with(report(&child, "text/plain", &bytes), json!({"title": secret}));
    let id = super::deposit(&app, &practitioner, &wish, &bytes).await;
    assert_eq!(bytes_of(&app, &mother, &id).await, bytes);
    // Every byte of the store, whatever it is called.
    let mut files = 0;
    for name in app.store.names("documents").iter().chain(&app.store.names("staging")) {
        let kept = std::fs::read(app.store.path(name)).unwrap();
        assert!(!holds(&kept, secret), "{name}");
        files += 1;
    }
    assert!(files > 0);
    // Every row of every table.
    let tables: Vec<String> =
        sqlx::query_scalar("select format('%I', tablename) from pg_tables where schemaname = 'public'")
            .fetch_all(app.pool())
            .await
            .unwrap();
    assert!(tables.len() > 30);
    let hash = sha256(&bytes);
    for table in tables {
        let rows: Option<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select string_agg(t::text, ' ') from {table} t")))
                .fetch_one(app.pool())
                .await
                .unwrap();
        let rows = rows.unwrap_or_default();
        assert!(!holds(rows.as_bytes(), secret) && !rows.contains(&hash), "{table}");
    }
    // Erasing the patient's key makes every copy unreadable.
    sqlx::query("update patient set wrapped_key = null where id = $1::uuid")
        .bind(child.parse::<uuid::Uuid>().unwrap())
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(read(&practitioner, &id).await.problem(404), "not-found");
    // Those of others are listed as ever.
    let own = super::deposit(&app, &mother, &report(&mother.patient, "text/plain", b"x"), b"x").await;
    let page = mother.get("/v1/documents").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>(), [json!(own)]);
}

/// As it is, and as it would look in base64, at each of the three places that it may begin at.
fn holds(bytes: &[u8], word: &str) -> bool {
    use base64::Engine as _;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let mut forms = vec![word.as_bytes().to_vec(), word.to_lowercase().into_bytes()];
    forms.extend((0..3).map(|at| encode(format!("{}{word}", "x".repeat(at))).into_bytes()[4..12].to_vec()));
    forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == form))
}
