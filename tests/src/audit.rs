//! The audit trail is sealed, and whoever changes it afterwards is found out, superuser or not.

mod reading;
mod store;
mod tampering;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway::tools::audit::{Kind, Trail, Verified};
use runtime::seals::{SealKey, open};
use serde_json::json;
use uuid::Uuid;

use crate::support::app::book;
use crate::support::{App, database};

/// Calls every statement of sealing.
pub async fn walk(app: &App) {
    let directory = directory();
    let seals = format!("file://{}", directory.display());
    let config = database::config(&[("CARNET_SEALS", &seals)]);
    let gateway = gateway::serve::gateway(&config, app.db.clone(), Arc::default(), None).unwrap();
    assert!(gateway::loops::trigger(&gateway.app.events, "seal-audit").await.is_some());
    reading::walk(app).await;
}

/// Where the copies of one test lie.
fn directory() -> PathBuf {
    database::scratch().join("seals").join(Uuid::new_v4().to_string())
}

/// A product whose seals are copied, with rows of every sort and a few seals.
struct Sealed {
    app: App,
    directory: PathBuf,
}

/// Rows with what a form could trip over: every column null, and none; instants at both ends; text of all sorts.
const ODD_ROWS: &str = r#"insert into audit
    (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id, session_id, role, establishment_id, level,
     address, purpose, outcome, changes) values
    ('2026-03-02 08:00:00.000001+00', 'account', gen_random_uuid(), 'update', 'appointment.move', gen_random_uuid(),
     gen_random_uuid(), 'r', gen_random_uuid(), 'secretary', gen_random_uuid(), 2, '2001:db8::1', 'HOPERAT', 'success',
     '{"b": [1, 2.50, "é\n\"😀"], "aa": {"z": null, "y": true}, "c": 1e30}'),
    ('1969-12-31 23:59:59.5+00', 'system', null, 'execute', '', null, null, '', null, '', null, -1, ',', '-', 'failed', '[]'),
    ('0044-03-15 12:00:00+00 BC', 'anonymous', null, 'read', E'3:abc,\t\\', null, null, null, null, null, null, null, null, null,
     'refused', 'null'),
    ('infinity', 'anonymous', null, 'read', 'a', null, null, null, null, null, null, null, null, null, 'refused', '"x"'),
    ('-infinity', 'anonymous', null, 'read', 'a', null, null, null, null, null, null, null, null, null, 'refused', '0.10')"#;

impl Sealed {
    async fn start() -> Self {
        let directory = directory();
        let seals = format!("file://{}", directory.display());
        let app = App::on(database::fresh().await, &[("CARNET_SEALS", &seals)]).await;
        let sealed = Self { app, directory };
        let ada = sealed.app.patient().await;
        book(&ada, &sealed.app.lyon_slots().await[0]).await.expect(201);
        sealed.seal().await;
        for _ in 0..3 {
            ada.get("/v1/patients").await.expect(200);
            sealed.run(ODD_ROWS).await;
            ada.get("/v1/appointments/00000000-0000-7000-8000-000000000000").await.problem(404);
            ada.get("/v1/appointments").await.expect(200);
            sealed.seal().await;
        }
        sealed
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(self.app.pool()).await.unwrap();
    }

    /// Ticks until every row there is has its seal: transactions of other tests may be under way.
    async fn seal(&self) {
        let open = "select count(*) from audit where transaction_id >= coalesce(
                        (select until_transaction from audit_seal order by number desc limit 1), '0'::xid8)";
        for _ in 0..400 {
            let (status, body) = self.app.event("seal-audit", "").await;
            assert!(status.is_success(), "{status} {body}");
            if self.app.count(open).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("rows stay without a seal");
    }

    async fn verify(&self) -> Verified {
        self.verify_with(true).await
    }

    async fn verify_with(&self, copies: bool) -> Verified {
        let objects = copies.then(|| open(&format!("file://{}", self.directory.display()), None).unwrap());
        let key = self.app.gateway.ctx.seals.as_ref().unwrap().key.public();
        let trail = Trail::new(self.app.pool().clone(), vec![key], objects);
        trail.verify(Arc::new(|_, _| {})).await.unwrap()
    }
}

fn kinds(found: &Verified) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = found.findings.iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn an_untouched_trail_verifies_with_the_public_key_whatever_it_holds() {
    let sealed = Sealed::start().await;
    let rows = sealed.app.count("select count(*) from audit").await;
    let found = sealed.verify().await;
    assert_eq!(found.findings, []);
    assert_eq!(found.rows, rows.unsigned_abs());
    assert!(found.seals >= 4 && found.copies == found.seals && found.unsealed == 0, "{found:?}");
    assert_eq!(sealed.verify_with(false).await.findings, []);
    // With another key nothing of it is proven.
    let other = SealKey::from_base64(&SealKey::generate().unwrap()).unwrap().public();
    let trail = Trail::new(sealed.app.pool().clone(), vec![other], None);
    assert_eq!(kinds(&trail.verify(Arc::new(|_, _| {})).await.unwrap()), [Kind::SealForged]);
}

#[tokio::test]
async fn the_form_of_a_row_knows_every_column_and_no_setting() {
    let sealed = Sealed::start().await;
    let columns =
        "select to_jsonb(attname) from pg_attribute where attrelid = 'audit'::regclass and attnum > 0 order by attnum";
    // A column that the table gains needs a form of its own: docs/audit.md.
    assert_eq!(json!(sealed.app.sql(columns).await), json!(gateway::tools::audit::row::columns()));
    let digest = "select encode(sha256(convert_to(string_agg(audit_line(audit), '' order by transaction_id, seq), 'UTF8')), 'hex') from audit";
    let mut digests = Vec::new();
    for settings in [
        "",
        "set timezone = 'Pacific/Auckland'; set datestyle = 'German'; set bytea_output = 'escape'; set extra_float_digits = -15; set intervalstyle = 'sql_standard'; set lc_numeric = 'C'",
    ] {
        let mut connection = sealed.app.pool().acquire().await.unwrap().detach();
        sqlx::raw_sql(sqlx::AssertSqlSafe(settings.to_owned())).execute(&mut connection).await.unwrap();
        digests.push(sqlx::query_scalar::<_, String>(digest).fetch_one(&mut connection).await.unwrap());
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn a_tail_that_moves_while_many_write_and_several_seal_is_sealed_without_a_gap() {
    let directory = directory();
    let seals = format!("file://{}", directory.display());
    let app = App::on(database::fresh().await, &[("CARNET_SEALS", &seals)]).await;
    let people = app.crowd(8).await;
    let sealed = Sealed { app, directory };
    let writers = people.iter().map(|one| async {
        for _ in 0..15 {
            one.get("/v1/patients").await.expect(200);
        }
    });
    // Transactions that take their number early and end late.
    let slow = (0..4_u64).map(|number| {
        let pool = sealed.app.pool().clone();
        async move {
            for _ in 0..5 {
                let mut work = pool.begin().await.unwrap();
                let row =
                    "insert into audit (at, actor_kind, action, event) values (now(), 'system', 'execute', 'slow')";
                sqlx::query(row).execute(&mut *work).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10 * (number + 1))).await;
                sqlx::query(row).execute(&mut *work).await.unwrap();
                if number == 3 { work.rollback().await.unwrap() } else { work.commit().await.unwrap() }
            }
        }
    });
    let sealers = (0..3).map(|_| async {
        for _ in 0..20 {
            let (status, body) = sealed.app.event("seal-audit", "").await;
            assert!(status.is_success(), "{body}");
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    });
    let (writers, slow) = (futures_util::future::join_all(writers), futures_util::future::join_all(slow));
    futures_util::future::join3(writers, slow, futures_util::future::join_all(sealers)).await;
    sealed.seal().await;
    let found = sealed.verify().await;
    assert_eq!(found.findings, []);
    assert_eq!(found.rows, sealed.app.count("select count(*) from audit").await.unsigned_abs());
    assert!(sealed.app.count("select count(*) from audit where event = 'slow'").await == 30 && found.seals > 1);
}

#[tokio::test]
async fn a_row_of_a_transaction_under_way_is_sealed_once_that_has_ended() {
    let sealed = Sealed::start().await;
    let mut work = sealed.app.pool().begin().await.unwrap();
    let early = "insert into audit (at, actor_kind, action, event) values (now(), 'system', 'execute', 'early')";
    sqlx::query(early).execute(&mut *work).await.unwrap();
    sealed.run(&early.replace("early", "late")).await;
    sealed.app.event("seal-audit", "").await;
    assert_eq!(sealed.verify().await.unsealed, 1, "the late row waits for the early one");
    work.commit().await.unwrap();
    sealed.seal().await;
    let found = sealed.verify().await;
    assert_eq!((found.findings.len(), found.unsealed), (0, 0));
}

#[tokio::test]
async fn a_store_that_is_away_stops_no_seal_and_gets_its_copies_later() {
    let directory = directory();
    std::fs::create_dir_all(directory.parent().unwrap()).unwrap();
    std::fs::write(&directory, "in the way").unwrap();
    let seals = format!("file://{}", directory.display());
    let app = App::on(database::fresh().await, &[("CARNET_SEALS", &seals)]).await;
    app.patient().await;
    assert_eq!(app.event("seal-audit", "").await.0, 503);
    assert!(app.count("select count(*) from audit_seal").await > 0);
    std::fs::remove_file(&directory).unwrap();
    let sealed = Sealed { app, directory };
    sealed.seal().await;
    let found = sealed.verify().await;
    assert_eq!((found.findings.len(), found.copies), (0, found.seals));
    // A copy that says something else is kept, and found.
    let last = sealed.app.count("select max(number) from audit_seal").await.unsigned_abs();
    let next = sealed.directory.join(domain::audit::SignedSeal::file_name(last + 1));
    std::fs::write(&next, "else").unwrap();
    sealed.run(ODD_ROWS).await;
    sealed.seal().await;
    assert_eq!(std::fs::read_to_string(&next).unwrap(), "else");
    assert_eq!(kinds(&sealed.verify().await), [Kind::CopyChanged]);
}

#[tokio::test]
async fn the_role_of_the_functions_can_only_add() {
    let sealed = Sealed::start().await;
    let mut connection = sealed.app.pool().acquire().await.unwrap().detach();
    sqlx::query("set role carnet_app").execute(&mut connection).await.unwrap();
    for statement in [
        "update audit set event = 'x'",
        "delete from audit",
        "truncate audit",
        "alter table audit disable trigger all",
        "alter table audit disable trigger audit_append_only",
        "drop trigger audit_append_only on audit",
        "drop table audit",
        "update audit_seal set rows = 0",
        "delete from audit_seal",
        "truncate audit_seal, audit_seal_copy",
        "alter table audit_seal disable trigger all",
        "update audit_seal_copy set number = 0",
        "delete from audit_seal_copy",
        "create or replace function audit_line(a audit) returns text language sql as 'select 1::text'",
        "set session_replication_role = replica",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap_err();
        let code =
            refused.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{statement}: {refused}");
    }
    // The owner meets the triggers.
    for statement in ["update audit set event = 'x'", "delete from audit_seal_copy", "truncate audit_seal cascade"] {
        let refused = sqlx::raw_sql(statement).execute(sealed.app.pool()).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(sealed.verify().await.findings, []);
}
