//! What is kept tells nobody anything without the keys: neither a copy of the database nor a log.

use gateway::sealing;
use runtime::keys::Keys;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::moto::Moto;
use crate::support::{App, Client, database, logs};

/// Every row of every table, as text.
pub async fn dump(pool: &PgPool) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("select quote_ident(tablename) from pg_tables where schemaname = 'public' order by 1")
            .fetch_all(pool)
            .await
            .unwrap();
    assert!(tables.len() > 25, "{tables:?}");
    let mut dump = String::new();
    for table in tables {
        let rows = format!("select coalesce(string_agg(row::text, e'\\n'), '') from {table} row");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(pool).await.unwrap();
        dump.push_str(&format!("== {table}\n{rows}\n"));
    }
    dump.to_lowercase()
}

const EMAIL: &str = "Ada.Secrete@famille.example";
const PHONE: &str = "+33639987654";
const PASSWORD: &str = "le chien aboie, la caravane passe";

/// Somebody with a child, an appointment with a note, and one called off.
async fn story(app: &App) -> (Client, Vec<String>) {
    let account = json!({"email": EMAIL, "password": PASSWORD, "given_name": "Adalbertine", "family_name": "Quelquonque",
                         "birth_date": "1977-01-23", "phone": PHONE});
    app.nobody().post("/v1/accounts", &account).await.expect(201);
    let session = app.nobody().post("/v1/sessions", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    let tokens = ["access_token", "refresh_token"].map(|token| session[token].as_str().unwrap().to_owned());
    let ada = app.nobody().bearing(&tokens[0]);
    let child = json!({"given_name": "Zéphyrine", "family_name": "Quelquonque", "birth_date": "2018-11-19"});
    let child = ada.post("/v1/patients", &child).await.expect(201);
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child["id"], "note": "Elle a la varicelle depuis hier."});
    let booked = ada.post_with_key("/v1/appointments", &wish, "a-key").await.expect(201);
    let path = format!("/v1/appointments/{}/cancellation", booked["id"].as_str().unwrap());
    ada.post(&path, &json!({"reason": "Toujours la varicelle."})).await.expect(200);
    app.settle().await;
    (ada, tokens.into())
}

/// Names, addresses, telephones, birth dates and passwords of the demo's families and staff, but for practitioners' names,
/// which the directory publishes.
fn people_of_the_fixtures() -> Vec<String> {
    let files = [include_str!("../../fixtures/families.json"), include_str!("../../fixtures/staff.json")];
    let people = files.into_iter().flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap());
    let public = include_str!("../../fixtures/practitioners-lyon.json").to_lowercase()
        + &include_str!("../../fixtures/practitioners-elsewhere.json").to_lowercase()
        + &include_str!("../../fixtures/sites.json").to_lowercase();
    let mut secrets = Vec::new();
    for person in people {
        let members = person["members"].as_array().cloned().unwrap_or_default();
        for holder in members.iter().chain([&person]) {
            for field in ["email", "phone", "password", "given_name", "family_name", "birth_date"] {
                secrets.extend(holder[field].as_str().map(str::to_lowercase));
            }
        }
    }
    secrets.retain(|secret| !public.contains(secret));
    secrets.sort();
    secrets.dedup();
    secrets
}

/// Where a secret stands. Four letters stand in what is sealed now and then by chance; there more of its alphabet is around them.
fn stands(dump: &str, secret: &str) -> Option<usize> {
    let sealed = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let alone = |at: usize| {
        let (before, after) = (dump[..at].chars().next_back(), dump[at + secret.len()..].chars().next());
        !before.is_some_and(sealed) && !after.is_some_and(sealed)
    };
    dump.match_indices(secret).map(|(at, _)| at).find(|at| secret.len() > 6 || alone(*at))
}

#[tokio::test]
async fn nothing_sensitive_stands_in_clear_in_the_database() {
    let app = App::start().await;
    let (ada, tokens) = story(&app).await;
    assert!(!app.mails(EMAIL).is_empty(), "the address was found again to write to");
    let mine = ada.get("/v1/patients").await.expect(200);
    assert_eq!(mine["items"][1]["given_name"], "Zéphyrine");
    // An app that is called after the child, and the codes that come with it.
    let (_, secret, codes) = crate::second_factors::with_app(&app, &ada).await;
    let plain = codes.iter().map(|code| code.replace('-', ""));
    let tokens: Vec<String> = tokens.into_iter().chain(plain).chain(codes.clone()).chain([secret]).collect();
    // What people write about one another.
    let administrator = app.staff("administrator-pentes").await;
    for name in ["Gwendoline Passagère", "Fulbert Invité"] {
        let invitation = json!({"role": "secretary", "name": name});
        let invitation = administrator.post("/v1/members/invitations", &invitation).await.expect(201);
        if name.starts_with('G') {
            ada.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
        }
    }
    let members = administrator.get("/v1/members").await.expect(200);
    let names: Vec<&Value> = members["items"].as_array().unwrap().iter().map(|member| &member["name"]).collect();
    assert!(
        names.contains(&&json!("Gwendoline Passagère")) && names.contains(&&json!("Odile Marchandeau")),
        "{names:?}"
    );
    let operator = app.staff("operator").await;
    let claims = operator.get("/v1/professionals").await.expect(200);
    let claim = format!("/v1/professionals/{}/decision", claims["items"][0]["id"].as_str().unwrap());
    let decision = json!({"decision": "suspend", "reason": "Radiation pour ivresse."});
    let decided = operator.post(&claim, &decision).await.expect(200);
    assert_eq!(decided["reason"], "Radiation pour ivresse.");
    assert_eq!(operator.get("/v1/professionals").await.expect(200)["items"][0]["reason"], decided["reason"]);

    let dump = dump(app.pool()).await;
    let fixtures = people_of_the_fixtures();
    assert!(fixtures.len() > 60, "{fixtures:?}");
    let told = [
        "ada.secrete",
        "secrete@famille",
        "adalbertine",
        "quelquonque",
        "zéphyrine",
        "639987654",
        "caravane",
        "varicelle",
        "1977-01-23",
        "2018-11-19",
        "gwendoline",
        "fulbert",
        "ivresse",
    ];
    for secret in told.into_iter().map(str::to_owned).chain(fixtures).chain(tokens) {
        let found = stands(&dump, &secret.to_lowercase());
        let around = found.map(|at| dump.get(at.saturating_sub(200)..at + 100).unwrap_or_default().to_owned());
        assert_eq!(around, None, "{secret}");
    }
}

#[tokio::test]
async fn a_secret_in_a_log_would_be_seen() {
    let app = App::start().await;
    story(&app).await;
    let before = logs::leaked();
    tracing::info!("nothing to see here");
    assert_eq!(before, Vec::<String>::new());
    assert_eq!(logs::leaked(), before);
}

fn keys(pairs: &[(&str, &str)]) -> Keys {
    Keys::of(&database::config(pairs)).unwrap()
}

#[tokio::test]
async fn a_new_master_key_is_taken_into_use_while_the_product_goes_on() {
    let app = App::start().await;
    let (ada, _) = story(&app).await;
    let former = database::keys().1.clone();
    let (_, next) = Keys::generate().unwrap();
    let pairs = [
        ("CARNET_MASTER_KEY", next.as_str()),
        ("CARNET_MASTER_KEYS_BEFORE", former.as_str()),
        ("CARNET_LOOKUP_KEY", former.as_str()),
    ];
    let both = App::on(app.url.clone(), &pairs).await;
    let list = |app: &App| app.nobody().bearing(ada.token());
    assert_eq!(list(&both).get("/v1/patients").await.expect(200)["items"][1]["given_name"], "Zéphyrine");

    let steps = std::sync::Mutex::new(Vec::new());
    let keys = keys(&pairs);
    let step = |done, all| steps.lock().unwrap().push((done, all));
    let done = sealing::rewrap(app.pool(), &keys, &step).await.unwrap();
    let people = app
        .count(
            "select count(*) from (
                 select wrapped_key from account union all select wrapped_key from patient union all
                 select name_key from membership union all select name_key from invitation union all
                 select reason_key from professional union all select wrapped_key from webhook) k
             where wrapped_key is not null",
        )
        .await;
    assert_eq!((done.changed, done.unopened), (people.unsigned_abs(), 0));
    assert_eq!(steps.lock().unwrap().last(), Some(&(done.changed, done.changed)));
    let again = sealing::rewrap(app.pool(), &keys, &|_, _| {}).await.unwrap();
    assert_eq!(again, sealing::Done::default(), "stopped and started again, it does nothing twice");

    // The former key is forgotten: lookups have one of their own by now.
    let only = [("CARNET_MASTER_KEY", next.as_str()), ("CARNET_LOOKUP_KEY", former.as_str())];
    let after = App::on(app.url.clone(), &only).await;
    assert_eq!(list(&after).get("/v1/patients").await.expect(200)["items"][1]["given_name"], "Zéphyrine");
    let session = json!({"email": EMAIL, "password": PASSWORD});
    after.nobody().post("/v1/sessions", &session).await.expect(201);
}

#[tokio::test]
async fn what_an_earlier_release_wrote_in_clear_is_sealed_at_the_next_start() {
    let app = App::start().await;
    let (key, _) = app.gateway.ctx.keys.new_owner(uuid::Uuid::from_u128(2)).await.unwrap();
    let nameless = key.split_once('.').unwrap().1.to_owned();
    for sql in [
        "insert into account (id, email, phone, password_hash, created_at)
         select '00000000-0000-0000-0000-000000000001', 'Vieux@famille.example', '+33639000001', '-', now() where $1 <> ''",
        "insert into resource (id, kind) select '00000000-0000-0000-0000-000000000002', 'patient' where $1 <> ''",
        "insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
         values ('00000000-0000-0000-0000-000000000002', 'Vieille', 'Histoire', '1950-05-05', $1, now())",
        "insert into membership (id, account_id, establishment_id, role, name, since)
         select '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
                (select establishment_id from membership where role = 'administrator' order by since, id limit 1), 'nurse', 'Vieille Collègue', now()
         where $1 <> ''",
        "insert into invitation (id, code_hash, invited_by, created_at, expires_at, establishment_id, role, name)
         select gen_random_uuid(), 'hash', account_id, now(), now() + interval '1 day', establishment_id, 'nurse', 'Vieille Invitée'
         from membership where role = 'administrator' and $1 <> '' limit 1",
        "update professional set reason = 'Vieille raison' where $1 <> ''
         and id = (select id from professional order by id limit 1)",
        "insert into external_identity (provider, subject, account_id, linked_at, used_at)
         select 'franceconnect', 'vieux-sujet', '00000000-0000-0000-0000-000000000001', now(), now() where $1 <> ''",
    ] {
        sqlx::query(sql).bind(&nameless).execute(app.pool()).await.unwrap();
    }
    let done = sealing::seal_clear(app.pool(), &app.gateway.ctx.keys).await.unwrap();
    assert_eq!(done, sealing::Done { changed: 6, unopened: 0 });
    let dump = dump(app.pool()).await;
    assert!(!dump.contains("vieux@famille") && !dump.contains("histoire"));
    assert!(!dump.contains("vieille") && !dump.contains("vieux-sujet"));
    let operator = app.staff("operator").await;
    let claims = operator.get("/v1/professionals").await.expect(200);
    let reasons: Vec<&Value> = claims["items"].as_array().unwrap().iter().map(|claim| &claim["reason"]).collect();
    assert!(reasons.contains(&&json!("Vieille raison")), "{reasons:?}");
    let found =
        app.sql("select to_jsonb(email_lookup) from account where id = '00000000-0000-0000-0000-000000000001'").await;
    assert_eq!(found, [Value::from(app.email_lookup("vieux@FAMILLE.example"))]);
    assert_eq!(sealing::seal_clear(app.pool(), &app.gateway.ctx.keys).await.unwrap(), sealing::Done::default());
}

#[tokio::test]
async fn a_master_key_of_kms_takes_over_from_a_local_one_and_never_leaves_it() {
    let app = App::start().await;
    let (ada, _) = story(&app).await;
    let (moto, key) = tokio::task::spawn_blocking(|| {
        let moto = Moto::start();
        let key = moto.kms_key();
        (moto, key)
    })
    .await
    .unwrap();
    let master = format!("aws-kms:{key}?region=us-east-1&endpoint=http://{}/", moto.address);
    let former = database::keys().1.clone();
    let seal = runtime::seals::SealKey::generate().unwrap();
    let pairs = [
        ("CARNET_MASTER_KEY", master.as_str()),
        ("CARNET_MASTER_KEYS_BEFORE", &former),
        ("CARNET_LOOKUP_KEY", &former),
        ("CARNET_SEAL_KEY", &seal),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let list = |app: &App| app.nobody().bearing(ada.token());
    let both = App::on(app.url.clone(), &pairs).await;
    assert_eq!(list(&both).get("/v1/patients").await.expect(200)["items"][1]["given_name"], "Zéphyrine");
    let done = sealing::rewrap(app.pool(), &keys(&pairs), &|_, _| {}).await.unwrap();
    assert!(done.changed > 10 && done.unopened == 0, "{done:?}");
    assert_eq!(
        app.count("select count(*) from patient where identity is not null and wrapped_key not like 'kms.%'").await,
        0
    );

    // The local key is forgotten; what KMS wrapped for one person opens for no other.
    let only: Vec<_> = pairs.iter().copied().filter(|(name, _)| *name != "CARNET_MASTER_KEYS_BEFORE").collect();
    let after = App::on(app.url.clone(), &only).await;
    assert_eq!(list(&after).get("/v1/patients").await.expect(200)["items"][1]["given_name"], "Zéphyrine");
    let (wrapped, _) = keys(&only).new_owner(uuid::Uuid::from_u128(1)).await.unwrap();
    assert!(keys(&only).owner(uuid::Uuid::from_u128(1), Some(&wrapped)).await.is_ok());
    assert!(keys(&only).owner(uuid::Uuid::from_u128(2), Some(&wrapped)).await.is_err());

    // Away, it is waited for by whoever has not asked lately.
    drop(moto);
    let late = App::on(app.url.clone(), &only).await;
    assert_eq!(list(&late).get("/v1/patients").await.problem(503), "unavailable");
    assert_eq!(list(&after).get("/v1/patients").await.expect(200)["items"][1]["given_name"], "Zéphyrine");
}
