//! Keys are changed as `docs/configuration.md` says, and what hangs on them is still found and proven.

use std::sync::Arc;

use gateway::sealing;
use gateway::tools::audit::{Kind, Trail};
use gateway::tools::rotate_keys::keep_seals_provable;
use runtime::keys::Keys;
use runtime::lookup_key::LookupKeyError;
use runtime::seals::{SealKey, trusted};
use serde_json::json;

use crate::killing::gateway_process;
use crate::support::{App, database};

const MASTER: &str = "CARNET_MASTER_KEY";
const BEFORE: &str = "CARNET_MASTER_KEYS_BEFORE";
const LOOKUP: &str = "CARNET_LOOKUP_KEY";
const SEAL: &str = "CARNET_SEAL_KEY";

fn new_master() -> String {
    Keys::generate().unwrap().1
}

/// What a gateway of these variables says when it ends by itself.
async fn said(url: &str, variables: &[(&str, &str)]) -> String {
    let (signing, _) = database::keys();
    let mut process = gateway_process();
    process.envs([("DATABASE_URL", url), ("CARNET_SIGNING_KEY", signing.as_str()), ("PORT", "0")]);
    process
        .envs([("BIND", "127.0.0.1"), ("CARNET_VERIFYING_KEYS", &database::verifying())])
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), process.output()).await;
    let output = ended.expect("it does not serve").unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_rotations_a_start_under_another_lookup_key_is_refused() {
    let app = App::start().await;
    let ada = app.patient().await;
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let first = database::keys().1.clone();
    let mut before = Vec::from([first.clone()]);
    let mut present = String::new();
    for _ in 0..2 {
        present = new_master();
        let list = before.join(",");
        let variables = [(MASTER, present.as_str()), (BEFORE, &list), (LOOKUP, &first)];
        let rotated = App::on(app.url.clone(), &variables).await;
        let keys = Keys::of(&database::config(&variables)).unwrap();
        let done = sealing::rewrap(app.pool(), &keys, &|_, _| {}).await.unwrap();
        assert!(done.changed > 0 && done.unopened == 0, "{done:?}");
        rotated.nobody().post("/v1/sessions", &session).await.expect(201);
        before.insert(0, present.clone());
    }
    let list = before[1..].join(",");
    // The list is kept and the key is forgotten; both are forgotten; another key is given: nobody would be found.
    let wrong = new_master();
    for variables in [
        &[(MASTER, present.as_str()), (BEFORE, &list)][..],
        &[(MASTER, &present)],
        &[(MASTER, &present), (LOOKUP, &wrong)],
    ] {
        let said = said(&app.url, variables).await;
        assert!(said.contains("cannot start") && said.contains(LOOKUP), "{said}");
        for function in ["search", "book"] {
            let mut alone = variables.to_vec();
            alone.push(("FUNCTION", function));
            let said = self::said(&app.url, &alone).await;
            assert!(said.contains("cannot start") && said.contains(LOOKUP), "{function}: {said}");
        }
    }
    // Nor does a statement run meanwhile: nothing is entered a second time.
    let config = database::config(&[(MASTER, &present), (LOOKUP, &wrong)]);
    let db = Arc::new(store::pg::Pg::lazy(&app.url, 2).unwrap());
    let gateway = gateway::serve::gateway(&config, db, app.gateway.ctx.clock.clone(), None).unwrap();
    let nobody = crate::support::Client::new(gateway.public.clone());
    assert_eq!(nobody.get("/readyz").await.problem(503), "unavailable");
    assert_eq!(nobody.post("/v1/sessions", &session).await.problem(503), "unavailable");
    assert!(matches!(gateway.ctx.bound.prove().await, Err(LookupKeyError::Another)));

    let after = App::on(app.url.clone(), &[(MASTER, &present), (LOOKUP, &first)]).await;
    after.nobody().post("/v1/sessions", &session).await.expect(201);
    let marks = app.sql("select to_jsonb(mark) from lookup_key").await;
    assert_eq!(marks, [json!(app.gateway.ctx.keys.lookup_mark())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_start_at_once_all_agree_on_the_lookup_key_that_is_noted() {
    let url = database::fresh().await;
    let db = Arc::new(store::pg::Pg::lazy(&url, 16).unwrap());
    let one = Keys::of(&database::config(&[])).unwrap();
    let other = Keys::of(&database::config(&[(MASTER, &new_master())])).unwrap();
    let asked = (0..16).map(|n| {
        let bound = runtime::lookup_key::Bound::new(db.clone(), if n % 2 == 0 { &one } else { &other });
        async move { bound.prove().await.map_err(|error| error.to_string()) }
    });
    let answers = futures_util::future::join_all(asked).await;
    let of = |half: usize| answers.iter().skip(half).step_by(2).collect::<Vec<_>>();
    let (yes, no) = if of(0)[0].is_ok() { (of(0), of(1)) } else { (of(1), of(0)) };
    assert!(yes.iter().all(|answer| answer.is_ok()), "{answers:?}");
    assert!(no.iter().all(|answer| answer.as_ref().is_err_and(|error| error.contains(LOOKUP))), "{answers:?}");
}

#[tokio::test]
async fn seals_of_a_master_key_that_was_changed_still_verify() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (first, next) = (database::keys().1.clone(), new_master());
    let seal = async |app: &App| {
        ada.get("/v1/patients").await.expect(200);
        let (status, body) = app.event("seal-audit", "").await;
        assert!(status.is_success(), "{status} {body}");
    };
    let verify = async |variables: &[(&str, &str)]| {
        let trail = Trail::new(app.pool().clone(), trusted(&database::config(variables)).unwrap(), None);
        let found = trail.verify(Arc::new(|_, _| {})).await.unwrap();
        let kinds: Vec<Kind> = found.findings.iter().map(|finding| finding.kind).collect();
        (found.seals, kinds)
    };
    seal(&app).await;
    let derived = [(MASTER, next.as_str()), (BEFORE, &first), (LOOKUP, &first)];
    let rotated = App::on(app.url.clone(), &derived).await;
    // A seal is made once in half an hour where nothing came.
    rotated.later(domain::SignedDuration::from_hours(1));
    seal(&rotated).await;
    let ids = app.count("select count(distinct key_id) from audit_seal").await;
    assert_eq!(ids, 2, "each master key derives its own");
    let (seals, findings) = verify(&derived).await;
    assert!(seals >= 2 && findings.is_empty(), "{findings:?}");

    // Before the former is forgotten, seals have a key of their own, and the public key of those there are is noted.
    let refused = async |variables: &[(&str, &str)]| {
        let config = database::config(variables);
        keep_seals_provable(app.pool(), &config).await.map_err(|error| error.to_string())
    };
    let said = refused(&derived).await.unwrap_err();
    assert!(said.starts_with("CARNET_SEAL_KEY: is missing"), "{said}");
    let own = SealKey::generate().unwrap();
    let mut variables = derived.to_vec();
    variables.push((SEAL, &own));
    let said = refused(&variables).await.unwrap_err();
    let public = |master: &str| SealKey::derived(master).unwrap().public().base64();
    assert!(said.starts_with("CARNET_SEAL_KEYS_BEFORE: lacks") && said.contains(&public(&first)), "{said}");
    let noted = format!("{},{}", public(&first), public(&next));
    variables.push(("CARNET_SEAL_KEYS_BEFORE", &noted));
    assert_eq!(refused(&variables).await, Ok(()));
    variables.retain(|(name, _)| *name != BEFORE);
    let (_, findings) = verify(&variables).await;
    assert_eq!(findings, [], "the former master key is forgotten");
    variables.retain(|(name, _)| *name != "CARNET_SEAL_KEYS_BEFORE");
    let (_, findings) = verify(&variables).await;
    assert!(findings.contains(&Kind::SealForged), "nobody vouches for them");
    let wrong = database::config(&[(SEAL, &own), ("CARNET_SEAL_KEYS_BEFORE", "AAAA")]);
    assert!(trusted(&wrong).unwrap_err().to_string().contains("CARNET_SEAL_KEYS_BEFORE"));
}

#[test]
fn a_master_key_of_kms_derives_no_seal_key_and_only_who_seals_needs_one() {
    let config = database::config(&[(MASTER, "aws-kms:key?region=eu-west-3")]);
    let error = runtime::seals::Seals::new(&config).map(drop).unwrap_err().to_string();
    assert_eq!(error, "CARNET_SEAL_KEY: is missing");
    let (master, verifying) = (new_master(), database::verifying());
    let pairs = [
        ("CARNET_VERIFYING_KEYS", verifying.as_str()),
        (MASTER, "aws-kms:key?region=eu-west-3"),
        (LOOKUP, &master),
        ("DATABASE_URL", "postgres://localhost/x"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let config = database::config(&pairs);
    for function in gateway::registry::FUNCTIONS {
        let context = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(async { runtime::host::context(&config, &function.manifest().unwrap()).map(drop) });
        match context {
            Ok(()) => assert_ne!(function.name, "seal-audit"),
            Err(error) => {
                assert_eq!((function.name, error.to_string().as_str()), ("seal-audit", "CARNET_SEAL_KEY: is missing"));
            }
        }
    }
}
