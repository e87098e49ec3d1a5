//! The trail as families and administrators read it.

use std::collections::BTreeSet;

use domain::ids::{AccountId, SessionId};
use serde_json::Value;

use super::*;
use crate::support::Client;

/// Staff of one establishment that runs the place of some slot.
pub(super) struct Staff {
    pub establishment: Uuid,
    /// The practitioner of the slot.
    pub doctor: Client,
    pub secretary: Client,
    pub administrator: Client,
}

impl Staff {
    /// Makes an establishment of the slot's place, with people.
    pub(super) async fn of(app: &App, slot: &Value) -> Self {
        let id = |name: &str| slot[name].as_str().unwrap().parse::<Uuid>().unwrap();
        let establishment = Uuid::now_v7();
        let make = "with made as (insert into establishment (id, name, created_at) values ($1, 'Maison de santé', now()) returning id)
                    update site set establishment_id = (select id from made) where id = $2";
        sqlx::query(make).bind(establishment).bind(id("site")).execute(app.pool()).await.unwrap();
        let join = async |role: &str| {
            let (account, session, membership) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
            let sql = "with a as (insert into account (id, password_hash, created_at)
                                  values ($1, '-', now()) returning id),
                m as (insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
                      select $2, id, $3, $4, case $4 when 'practitioner' then $5::uuid end, '2020-01-01' from a returning id),
                t as (insert into attachment (membership_id, practitioner_id, since)
                      select id, $5, '2020-01-01' from m where $4 = 'secretary')
                insert into session (id, account_id, created_at, expires_at, role, membership_id, level)
                select $6, a.id, now(), 'infinity', $4, m.id, 2 from a, m";
            let bound = sqlx::query(sql).bind(account).bind(membership).bind(establishment).bind(role);
            bound.bind(id("practitioner")).bind(session).execute(app.pool()).await.unwrap();
            let (account, session) = (AccountId::from_uuid(account), SessionId::from_uuid(session));
            app.nobody().bearing(&app.gateway.ctx.keys.issue(account, session, app.now()).unwrap())
        };
        Self {
            establishment,
            doctor: join("practitioner").await,
            secretary: join("secretary").await,
            administrator: join("administrator").await,
        }
    }
}

async fn log(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/v1/me/access-log?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

/// Calls the statements of reading.
pub(super) async fn walk(app: &App) {
    let slot = &app.lyon_slots().await[5];
    let staff = Staff::of(app, slot).await;
    let ada = app.patient().await;
    log(&ada, "").await;
    staff.administrator.get("/v1/audit?date=ge2026-03-01&date=le2026-03-31").await.expect(200);
}

#[tokio::test]
async fn a_family_reads_who_looked_when_why_and_at_whom() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let staff = Staff::of(&app, &slots[0]).await;
    let hers = book(&ada, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", hers["id"].as_str().unwrap());
    staff.doctor.get(&path).await.expect(200);
    staff.secretary.get("/v1/appointments").await.expect(200);
    ben.get(&path).await.problem(404);
    app.nobody().get(&path).await.problem(401);

    let lines = log(&ada, "").await;
    let by = |kind: &str| lines.iter().find(|line| line["who"]["kind"] == kind).unwrap_or_else(|| panic!("{lines:?}"));
    let doctor = lines.iter().find(|line| line["who"]["role"] == "praticien").unwrap();
    assert_eq!(doctor["who"]["kind"], "professional");
    assert_eq!(doctor["who"]["name"], hers["practitioner_name"]);
    assert_eq!(doctor["who"]["establishment"], "Maison de santé");
    assert_eq!((&doctor["what"], &doctor["why"]), (&json!("Consultation d’un rendez-vous"), &json!("Soins")));
    // The clock goes on.
    let at = doctor["at"].as_str().unwrap();
    assert!(at.starts_with("2026-03-02T09:0") && at.ends_with("+01:00"), "{at}");
    assert_eq!(doctor["outcome"], "success");
    assert_eq!((&doctor["patient"], &doctor["patient_name"]), (&json!(ada.patient), &json!("Ada Exemple")));
    assert_eq!(doctor["emergency"], false);
    let secretary = lines.iter().find(|line| line["who"]["role"] == "secrétariat").unwrap();
    assert_eq!(secretary["why"], "Organisation du cabinet ou de l’établissement");
    assert_eq!(by("you")["who"]["name"], "Ada Exemple");
    // Refusals: of another account, whose name is nobody's business, and of nobody.
    for (kind, role) in [("other", "titulaire d’un autre compte"), ("stranger", "personne non connectée")] {
        let line = by(kind);
        assert_eq!((&line["who"]["name"], &line["who"]["role"]), (&Value::Null, &json!(role)));
        assert_eq!(
            (&line["what"], &line["outcome"]),
            (&json!("Refusé : Consultation d’un rendez-vous"), &json!("refused"))
        );
    }
    let text = json!(lines).to_string();
    for contact in ["@", "famille.example", "+33"] {
        assert!(!text.contains(contact), "{contact}");
    }
    // The reading is in the log, in the other language too.
    let english = log(&ada.clone().speaking("en"), "limit=1").await;
    assert_eq!(
        (&english[0]["what"], &english[0]["who"]["role"]),
        (&json!("Looking at the access log"), &json!("patient"))
    );
}

#[tokio::test]
async fn a_look_under_emergency_access_is_marked() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let staff = Staff::of(&app, &slots[0]).await;
    let hers = book(&ada, &slots[0]).await.expect(201);
    let declared = "insert into emergency_access (id, account_id, patient_id, establishment_id, reason, since, until)
        select gen_random_uuid(), membership.account_id, $1::uuid, establishment_id, 'x', '2026-03-02 08:30Z', '2026-03-02 09:30Z'
        from membership where establishment_id = $2 and role = 'practitioner'";
    sqlx::query(declared).bind(&ada.patient).bind(staff.establishment).execute(app.pool()).await.unwrap();
    let path = format!("/v1/appointments/{}", hers["id"].as_str().unwrap());
    // Before it, during it, and by somebody else during it.
    staff.doctor.get(&path).await.expect(200);
    app.at("2026-03-02T08:31:00Z");
    let renew = |client: &Client| client.clone().bearing(&renewed(&app, client));
    renew(&staff.doctor).get(&path).await.expect(200);
    renew(&staff.secretary).get(&path).await.expect(200);
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let marked: Vec<_> = log(&ada, "")
        .await
        .into_iter()
        .filter(|line| line["who"]["kind"] == "professional")
        .map(|line| (line["who"]["role"].clone(), line["emergency"].clone()))
        .collect();
    let wanted = [("secrétariat", false), ("praticien", true), ("praticien", false)];
    assert_eq!(marked, wanted.map(|(role, emergency)| (json!(role), json!(emergency))));
}

/// A token of the same session at the present time.
fn renewed(app: &App, client: &Client) -> String {
    use base64::Engine as _;
    let claims = client.token().split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let id = |name: &str| claims[name].as_str().unwrap().parse::<Uuid>().unwrap();
    let (account, session) = (AccountId::from_uuid(id("sub")), SessionId::from_uuid(id("sid")));
    app.gateway.ctx.keys.issue(account, session, app.now()).unwrap()
}

#[tokio::test]
async fn the_log_is_filtered_paged_and_nobody_elses() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let child = ada.post("/v1/patients", &child).await.expect(201)["id"].as_str().unwrap().to_owned();
    for hour in [9, 10, 11] {
        app.at(&format!("2026-03-0{}T08:00:00Z", hour - 6));
        let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
        ada.get("/v1/patients").await.expect(200);
    }
    let (ada, ben) =
        (ada.clone().bearing(&app.fresh_token(&ada).await), ben.clone().bearing(&app.fresh_token(&ben).await));
    let of_child = log(&ada, &format!("patient={child}")).await;
    assert!(of_child.len() >= 4 && of_child.iter().all(|line| line["patient"] == json!(child)));
    let one_day = log(&ada, &format!("patient={child}&from=2026-03-04&to=2026-03-04")).await;
    assert_eq!(one_day.len(), 1, "{one_day:?}");
    assert!(one_day[0]["at"].as_str().unwrap().starts_with("2026-03-04T09:0"), "{one_day:?}");
    assert_eq!(ada.get("/v1/me/access-log?from=2026-03-05&to=2026-03-04").await.problem(422), "range-reversed");
    assert_eq!(ada.get("/v1/me/access-log?cursor=x").await.problem(422), "field-invalid");
    // Page by page it is the whole, once each, though each page adds to it.
    let whole = log(&ada, "to=2026-03-04&limit=200").await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("/v1/me/access-log?to=2026-03-04&limit=2{cursor}")).await.expect(200);
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    // Another's log is empty, and the attempt is in it.
    assert_eq!(log(&ben, &format!("patient={child}")).await, Vec::<Value>::new());
    let newest = log(&ada, &format!("patient={child}")).await;
    let attempt = newest.iter().find(|line| line["outcome"] == "refused").unwrap();
    assert_eq!(attempt["event"], "access-log.read");
    assert_eq!(
        attempt["who"],
        json!({"kind": "other", "name": null, "role": "titulaire d’un autre compte", "establishment": null})
    );
    // Rights: without documents there is no log.
    sqlx::query("update guardianship set rights = '{book}' where relation <> 'self'")
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(log(&ada, &format!("patient={child}")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_administrator_exports_the_trail_of_their_establishment_as_fhir() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let staff = Staff::of(&app, &slots[0]).await;
    let hers = book(&ada, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", hers["id"].as_str().unwrap());
    for _ in 0..3 {
        staff.doctor.get(&path).await.expect(200);
    }
    staff.doctor.get("/v1/appointments/00000000-0000-7000-8000-000000000000").await.problem(404);
    let elsewhere = app.slots("specialty=orthophoniste&place=Paris").await;
    let other = Staff::of(&app, &elsewhere[0]).await;
    other.doctor.get("/v1/appointments").await.expect(200);

    let window = "date=ge2026-03-02&date=le2026-03-02";
    let answer = staff.administrator.get(&format!("/v1/audit?{window}")).await;
    assert_eq!(answer.headers["content-type"], "application/fhir+json; charset=utf-8");
    let bundle = answer.expect(200);
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
    let entries = bundle["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 4, "{bundle}");
    for entry in entries {
        audit_event(&entry["resource"]);
        assert_eq!(entry["resource"]["source"]["site"], json!(staff.establishment));
    }
    let read = &entries[0]["resource"];
    assert_eq!((&read["action"], &read["outcome"]), (&json!("R"), &json!("0")));
    assert!(read["recorded"].as_str().unwrap().starts_with("2026-03-02T08:0"), "{read}");
    assert_eq!(read["subtype"][0]["code"], "appointment.read");
    assert_eq!(read["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    assert_eq!(read["entity"][0]["what"]["reference"], json!(format!("Patient/{}", ada.patient)));
    assert_eq!(entries[3]["resource"]["outcome"], "4", "the refusal");
    assert!(!bundle.to_string().contains("Exemple"), "no names");
    // Page by page; the exports themselves are lines by now.
    let (mut seen, mut next) = (Vec::new(), Some(format!("/v1/audit?{window}&_count=2")));
    while let Some(path) = next {
        let page = staff.administrator.get(&path).await.expect(200);
        seen.extend(page["entry"].as_array().unwrap().iter().map(|entry| entry["resource"]["id"].clone()));
        let links = page["link"].as_array().unwrap();
        next =
            links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap().to_owned());
        assert!(seen.len() < 40);
    }
    let wanted: Vec<Value> = entries.iter().map(|entry| entry["resource"]["id"].clone()).collect();
    assert!(
        seen.starts_with(&wanted) && seen.len() == seen.iter().map(Value::to_string).collect::<BTreeSet<_>>().len()
    );

    for (query, problem) in [
        ("", "field-missing"),
        ("date=ge2026-03-02", "field-invalid"),
        ("date=ge2026-03-02&date=ge2026-03-03", "field-invalid"),
        ("date=2026-03-02&date=le2026-03-03", "field-invalid"),
        ("date=ge2026-13-02&date=le2026-03-03", "field-invalid"),
        ("date=ge2026-03-03&date=le2026-03-02", "range-reversed"),
        ("date=ge2026-01-01&date=le2026-12-31", "range-too-long"),
        ("date=ge2026-03-02&date=le2026-03-02&_count=1001", "field-invalid"),
    ] {
        assert_eq!(staff.administrator.get(&format!("/v1/audit?{query}")).await.problem(422), problem, "{query}");
    }
    for other in [&staff.doctor, &staff.secretary, &ada] {
        assert_eq!(other.get(&format!("/v1/audit?{window}")).await.problem(403), "forbidden");
    }
}

/// What R4 requires of an `AuditEvent`, and the French profile of traces on top.
fn audit_event(event: &Value) {
    assert_eq!(event["resourceType"], "AuditEvent");
    let coding = |coding: &Value| {
        assert!(coding["system"].is_string() && coding["code"].is_string(), "{coding}");
    };
    coding(&event["type"]);
    assert_eq!(event["subtype"].as_array().unwrap().len(), 1);
    coding(&event["subtype"][0]);
    assert!(["C", "R", "U", "D", "E"].contains(&event["action"].as_str().unwrap()));
    assert!(["0", "4", "8", "12"].contains(&event["outcome"].as_str().unwrap()));
    let instant = |value: &Value| assert!(value.as_str().unwrap().parse::<domain::Timestamp>().is_ok(), "{value}");
    for at in [&event["recorded"], &event["period"]["start"], &event["period"]["end"]] {
        instant(at);
    }
    let agents = event["agent"].as_array().unwrap();
    assert!((1..=2).contains(&agents.len()));
    for agent in agents {
        assert!(agent["requestor"].is_boolean() && agent["who"].is_object(), "{agent}");
        if let Some(network) = agent.get("network") {
            assert!(["1", "2", "3", "4", "5"].contains(&network["type"].as_str().unwrap()));
        }
    }
    assert!(event["source"]["observer"]["display"].is_string());
    coding(&event["source"]["type"][0]);
    for entity in event["entity"].as_array().into_iter().flatten() {
        coding(&entity["type"]);
        assert!(entity.get("name").is_none() || entity.get("query").is_none(), "sev-1");
        for detail in entity["detail"].as_array().into_iter().flatten() {
            assert!(detail["type"].is_string() && detail["valueString"].is_string());
        }
    }
    // Only elements that R4 knows.
    let known = [
        "resourceType",
        "id",
        "type",
        "subtype",
        "action",
        "period",
        "recorded",
        "outcome",
        "purposeOfEvent",
        "agent",
        "source",
        "entity",
    ];
    assert!(event.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{event}");
    assert!(sound(event), "{event}");
}

/// JSON of FHIR has neither nulls nor empty lists nor empty objects.
fn sound(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty() && items.iter().all(sound),
        Value::Object(members) => !members.is_empty() && members.values().all(sound),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

#[tokio::test]
async fn the_same_as_syslog() {
    let app = App::start().await;
    let slots = app.lyon_slots().await;
    let staff = Staff::of(&app, &slots[0]).await;
    let odd = r#"insert into audit (at, actor_kind, action, event, establishment_id, address, outcome)
        values ('2026-03-02 07:00:00.25Z', 'system', 'execute', E'a "quoted]\\ event\nand a line that is long', $1, '::1', 'failed')"#;
    sqlx::query(odd).bind(staff.establishment).execute(app.pool()).await.unwrap();
    staff.doctor.get("/v1/appointments/00000000-0000-7000-8000-000000000000").await.problem(404);
    let path = "/v1/audit?date=ge2026-03-02&date=le2026-03-02T08:59:00Z&format=syslog";
    let answer = staff.administrator.get(path).await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let text = answer.expect(200);
    let text = text.as_str().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("<107>1 2026-03-02T07:00:00.250000Z carnet carnet - a"), "{text}");
    assert!(
        lines[0].contains(r#" event="a \"quoted\]\\ event and a line that is long" action="execute" outcome="failed""#),
        "{text}"
    );
    assert!(
        lines[1].starts_with("<108>1 2026-03-02T08:0")
            && lines[1].contains("Z carnet carnet - appointment.read [audit@32473 seq=\""),
        "{text}"
    );
    // By Accept alone, and page by page.
    let request =
        staff.administrator.request(axum::http::Method::GET, "/v1/audit?date=ge2026-03-02&date=le2026-03-02&_count=1");
    let request = request.header("accept", "text/plain").body(axum::body::Body::empty()).unwrap();
    let first = staff.administrator.send(request).await;
    let link = first.headers["link"].to_str().unwrap().to_owned();
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(
        next.contains("format=syslog")
            && staff.administrator.get(next).await.expect(200).as_str().unwrap().starts_with("<108>1")
    );
}
