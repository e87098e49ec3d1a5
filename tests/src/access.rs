//! Every route, as every role, on what is their own, of those they act or work for, of another patient, of another
//! establishment, and as nobody: each answer is what the policy says. A route that is missing here fails the test.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Method;
use domain::access::{Access, Decision, Level, Resource, Role, admit, matrix};
use gateway::fixtures::id;
use serde_json::{Value, json};
use uuid::Uuid;

use calendars::Calendars;

use crate::support::client::Answer;
use crate::support::world::{Bond, Person, Thing, Tie, Visit, World};
use crate::support::{App, Client};

mod calendars;
mod documents;

/// Somebody of the world, with what they are called in a failure.
struct Someone {
    name: &'static str,
    person: Person,
    membership: Option<Uuid>,
}

/// What one call is about: made anew for each, so that no call finds what another left.
struct Case {
    world: World,
    thing: Thing,
    /// Whose guardianship is named by each account that has one; the first parent's by all others.
    guardianships: BTreeMap<Uuid, Uuid>,
    parent: Uuid,
    visit: Uuid,
    member: Uuid,
    claim: Uuid,
    webhook: Uuid,
    calendars: Calendars,
    /// Administrative, and medical.
    documents: [Uuid; 2],
}

const HERE: &str = "pentes-plateau";
/// Has the visit that is asked for.
const VISITED: &str = "nolwenn-le-bihannic";
/// Cared for the child and was shut out.
const SHUT_OUT: &str = "helene-jacquemond";

/// Everybody who asks. Roles that the fixtures have nobody for get a member of their own.
async fn everybody(app: &App) -> Vec<Someone> {
    let account = |key: &str| id("account", key);
    let who = |role, account, place: Option<&str>, practitioner: Option<&str>, attached: &[&str]| Person {
        role,
        account,
        establishment: place.map(|key| id("establishment", key)),
        practitioner: practitioner.map(|key| id("practitioner", key)),
        attached: attached.iter().map(|key| id("practitioner", key)).collect(),
    };
    let mut all = vec![];
    for name in [
        "parent",
        "guardian who books",
        "guardian who sees documents",
        "guardian without rights",
        "the patient",
        "another patient",
    ] {
        all.push((name, who(Role::Patient, Uuid::now_v7(), None, None, &[])));
    }
    let new = Uuid::now_v7;
    all.extend([
        ("practitioner of the visit", who(Role::Practitioner, new(), Some(HERE), Some(VISITED), &[])),
        ("practitioner next door", who(Role::Practitioner, new(), Some(HERE), Some("etienne-bouvarel"), &[])),
        ("practitioner shut out", who(Role::Practitioner, new(), Some(HERE), Some(SHUT_OUT), &[])),
        (
            "practitioner elsewhere",
            who(Role::Practitioner, new(), Some("confluent"), Some("samira-ait-oumeziane"), &[]),
        ),
        ("practitioner of the visit, elsewhere", who(Role::Practitioner, new(), Some("confluent"), Some(VISITED), &[])),
        (
            "practitioner in an emergency",
            who(Role::Practitioner, new(), Some("montchat"), Some("claire-montessuy"), &[]),
        ),
        ("nurse of the visit", who(Role::Nurse, new(), Some(HERE), None, &[VISITED])),
        ("nurse next door", who(Role::Nurse, new(), Some(HERE), None, &["etienne-bouvarel", SHUT_OUT])),
        (
            "secretary of the visit",
            who(
                Role::Secretary,
                account("staff/secretary-pentes"),
                Some(HERE),
                None,
                &[VISITED, "etienne-bouvarel", SHUT_OUT],
            ),
        ),
        ("secretary next door", who(Role::Secretary, new(), Some(HERE), None, &["etienne-bouvarel"])),
        (
            "secretary elsewhere",
            who(
                Role::Secretary,
                account("staff/secretary-confluent"),
                Some("confluent"),
                None,
                &["samira-ait-oumeziane", "agnieszka-wrobelska"],
            ),
        ),
        ("pharmacist", who(Role::Pharmacist, new(), Some(HERE), None, &[])),
        ("administrator", who(Role::Administrator, account("staff/administrator-pentes"), Some(HERE), None, &[])),
        ("administrator elsewhere", who(Role::Administrator, new(), Some("confluent"), None, &[])),
        ("information department", who(Role::Dim, account("staff/dim-pentes"), Some(HERE), None, &[])),
        ("operator", who(Role::Operator, account("staff/operator"), None, None, &[])),
        ("support", who(Role::Support, new(), None, None, &[])),
    ]);
    let roles: Vec<Role> = all.iter().map(|(_, person)| person.role).collect();
    assert!(Role::ALL.iter().all(|role| roles.contains(role)), "a role that nobody has: {roles:?}");
    let mut everybody = vec![];
    for (name, person) in all {
        let sql = "with a as (
                insert into account (id, wrapped_key, password_hash, created_at, platform_role)
                values ($1::uuid, $5, '-', '2020-01-01',
                        case when $2::text in ('support', 'operator') then $2::text end)
                on conflict do nothing)
            insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
            select gen_random_uuid(), $1::uuid, $3::uuid, $2::text, $4::uuid, '2020-01-01' where $3::uuid is not null
            on conflict do nothing";
        let work = sqlx::query(sql).bind(person.account).bind(person.role.name()).bind(person.establishment);
        let (key, _) = app.gateway.ctx.keys.new_owner(person.account).await.unwrap();
        work.bind(person.practitioner).bind(key).execute(app.pool()).await.unwrap();
        let attach = "insert into attachment (membership_id, practitioner_id, since)
            select m.id, p, '2020-01-01' from membership m, unnest($2::uuid[]) p where m.account_id = $1::uuid on conflict do nothing";
        sqlx::query(attach).bind(person.account).bind(&person.attached).execute(app.pool()).await.unwrap();
        let membership = sqlx::query_scalar("select id from membership where account_id = $1").bind(person.account);
        let membership: Option<Uuid> = membership.fetch_optional(app.pool()).await.unwrap();
        everybody.push(Someone { name, person, membership });
    }
    everybody
}

/// A child with a family, a visit ahead, one in the past of a practitioner who was shut out since, and an emergency; a member
/// of staff and a claim that nobody else has.
async fn case(app: &App, everybody: &[Someone]) -> Case {
    let of = |name: &str| everybody.iter().find(|it| it.name == name).unwrap().person.clone();
    let [child, visit, past, member, claim, webhook, form, letter] = [(); 8].map(|()| Uuid::now_v7());
    let identity = runtime::people::Identity {
        given_name: "Noé".into(),
        family_name: "Exemple".into(),
        birth_date: "2010-06-01".parse().unwrap(),
    };
    let (key, identity) =
        identity.sealed(&app.gateway.ctx.keys, domain::ids::PatientId::from_uuid(child)).await.unwrap();
    let documents = [(form, "51851-4", true), (letter, "11488-4", false)];
    let mut titled = vec![];
    for (document, code, administrative) in documents {
        let (keys, patient) = (&app.gateway.ctx.keys, domain::ids::PatientId::from_uuid(child));
        let named = domain::ids::DocumentId::from_uuid(document);
        let title = runtime::documents::seal_title(keys, patient, Some(&key), named, "Titre").await.unwrap();
        titled.push(json!({"id": document, "title": title, "type": code, "administrative": administrative}));
    }
    let named = domain::ids::WebhookId::from_uuid(webhook);
    let secret = runtime::webhooks::Secret::generate().unwrap();
    let (secret_key, secret) = secret.sealed(&app.gateway.ctx.keys, named).await.unwrap();
    let emergency = of("practitioner in an emergency");
    // The same person is the patient in every case: an account is linked to one file at a time.
    let family = [
        ("parent", "parent", vec!["book", "documents", "messages", "notices"]),
        ("guardian who books", "guardian", vec!["book"]),
        ("guardian who sees documents", "guardian", vec!["documents"]),
        ("guardian without rights", "guardian", vec![]),
        ("the patient", "self", vec![]),
    ];
    let bonds: Vec<Value> = family
        .iter()
        .map(|(name, relation, rights)| json!({"account": of(name).account, "relation": relation, "rights": rights}))
        .collect();
    let rows = json!({"child": child, "key": key, "identity": identity, "visit": visit, "past": past, "member": member, "claim": claim, "bonds": bonds,
        "other": Uuid::now_v7(), "visited": id("practitioner", VISITED), "shut_out": id("practitioner", SHUT_OUT),
        "site": id("site", "pentes"), "site_of_past": id("site", "croix-rousse"), "here": id("establishment", HERE),
        "account": emergency.account, "establishment": emergency.establishment, "patient": of("the patient").account, "documents": titled,
        "webhook": webhook, "secret_key": secret_key, "secret": secret});
    for sql in CASE {
        sqlx::query(*sql).bind(&rows).execute(app.pool()).await.unwrap();
    }
    let other = serde_json::from_value(rows["other"].clone()).unwrap();
    let calendars = Calendars::of(app, visit, other).await;
    let guardianships: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select account_id, id from guardianship where patient_id = $1")
            .bind(child)
            .fetch_all(app.pool())
            .await
            .unwrap();
    let bond = |(name, relation, rights): &(&str, &str, Vec<&'static str>)| Bond {
        account: of(name).account,
        patient: child,
        tie: if *relation == "self" { Tie::Oneself } else { Tie::Guardian },
        rights: rights.clone(),
        in_force: true,
        sixteen: false,
    };
    let here = Some(id("establishment", HERE));
    let seen =
        |key: &str| Visit { patient: child, practitioner: id("practitioner", key), establishment: here, counts: true };
    Case {
        world: World {
            patients: vec![child],
            bonds: family.iter().map(bond).collect(),
            visits: vec![seen(VISITED), seen(SHUT_OUT)],
            blocks: vec![(child, id("practitioner", SHUT_OUT))],
            emergencies: vec![(emergency.account, child, emergency.establishment.unwrap())],
        },
        thing: Thing { patient: Some(child), practitioner: Some(id("practitioner", VISITED)), establishment: here },
        guardianships: guardianships.into_iter().collect(),
        parent: of("parent").account,
        visit,
        member,
        claim,
        webhook,
        calendars,
        documents: [form, letter],
    }
}

/// The rows of a case. Visits are in the far future, one an hour, so that none is in the way of a booking.
const CASE: &[&str] = &[
    "delete from guardianship where account_id = ($1 ->> 'patient')::uuid",
    "insert into resource (id, kind) select ($1 ->> 'child')::uuid, 'patient'",
    "insert into patient (id, identity, private_from, adult_from, wrapped_key, created_at)
     select ($1 ->> 'child')::uuid, $1 ->> 'identity', '2026-06-01', '2028-06-01', $1 ->> 'key', '2020-01-01'",
    "insert into guardianship (account_id, patient_id, relation, rights, since)
     select account, ($1 ->> 'child')::uuid, relation, rights, '2020-01-01'
     from jsonb_to_recordset($1 -> 'bonds') as b (account uuid, relation text, rights text[])",
    "insert into appointment (id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, status, created_at, agreed_at, care)
     select v.id, v.practitioner, ($1 ->> 'child')::uuid, v.site, reason.id, 'in_person', v.starts, v.starts + interval '30 min',
            'booked', '2020-01-01', '2020-01-01', true
     from (values (($1 ->> 'visit')::uuid, ($1 ->> 'visited')::uuid, ($1 ->> 'site')::uuid, '2026-09-01'::timestamptz),
                  (($1 ->> 'past')::uuid, ($1 ->> 'shut_out')::uuid, ($1 ->> 'site_of_past')::uuid, '2026-01-15')) as v (id, practitioner, site, starts)
     join lateral (select id from reason where practitioner_id = v.practitioner order by position limit 1) reason on true",
    "insert into notice (id, appointment_id, kind, recipient_kind, recipient_id, channel, version, starts_at, establishment_id, planned_at)
     select id, id, 'confirmation', 'account', ($1 ->> 'patient')::uuid, 'letter', 1, starts_at, ($1 ->> 'here')::uuid, created_at
     from appointment where id = ($1 ->> 'visit')::uuid",
    "insert into block (patient_id, practitioner_id, since) select ($1 ->> 'child')::uuid, ($1 ->> 'shut_out')::uuid, '2026-01-20'",
    "insert into emergency_access (id, account_id, patient_id, establishment_id, reason, since, until)
     select gen_random_uuid(), ($1 ->> 'account')::uuid, ($1 ->> 'child')::uuid, ($1 ->> 'establishment')::uuid, '-', '2026-03-01', '2026-03-03'",
    "insert into account (id, password_hash, created_at) select ($1 ->> 'other')::uuid, '-', '2020-01-01'",
    "insert into membership (id, account_id, establishment_id, role, since)
     select ($1 ->> 'member')::uuid, ($1 ->> 'other')::uuid, ($1 ->> 'here')::uuid, 'secretary', '2020-01-01'",
    "insert into attachment (membership_id, practitioner_id, since) select ($1 ->> 'member')::uuid, ($1 ->> 'visited')::uuid, '2020-01-01'",
    "insert into professional (id, account_id, practitioner_id, profession, state, applied_at)
     select ($1 ->> 'claim')::uuid, ($1 ->> 'other')::uuid, ($1 ->> 'shut_out')::uuid, 'SM54', 'pending', '2020-01-01'",
    "delete from webhook",
    "insert into webhook (id, establishment_id, url, description, events, state, wrapped_key, secret, created_by, created_at)
     select ($1 ->> 'webhook')::uuid, ($1 ->> 'here')::uuid, 'https://127.0.0.1/', '', '{appointment.booked.v1}', 'unverified',
            $1 ->> 'secret_key', $1 ->> 'secret', ($1 ->> 'other')::uuid, '2026-01-15'",
    "insert into document (id, patient_id, type_code, administrative, title, act_date, language, author_id, author_role, practitioner_id, establishment_id, created_at)
     select d.id, ($1 ->> 'child')::uuid, d.type, d.administrative, d.title, '2026-01-15', 'fr', ($1 ->> 'other')::uuid, 'practitioner', ($1 ->> 'visited')::uuid, ($1 ->> 'here')::uuid, '2026-01-15'
     from jsonb_to_recordset($1 -> 'documents') as d (id uuid, type text, administrative boolean, title text)",
    "insert into document_version (document_id, number, state, media_type, size_bytes, content_hash, author_id, created_at, settled_at)
     select id, 1, 'available', 'text/plain', 1, '-', author_id, created_at, created_at from document where patient_id = ($1 ->> 'child')::uuid",
    "update document set current_version = 1 where patient_id = ($1 ->> 'child')::uuid",
    "insert into document_object (key, document_id, version, part, state, wrapped_key, media_type, clear_bytes, planned_at)
     select 'documents/' || id, id, 1, 'content', 'written', '-', 'text/plain', 1, created_at from document where patient_id = ($1 ->> 'child')::uuid",
];

/// What a route is about: whether it names something of the case, its path, and what is sent. `slot` is one that can be had.
fn asked(template: &str, method: &str, case: &Case, account: Uuid, slot: &str) -> (Option<Thing>, String, Value) {
    let patient = case.thing.patient.unwrap();
    let named = |id: Uuid| template.replace("{id}", &id.to_string());
    let whole = Some(case.thing);
    let of_patient = Some(Thing { patient: Some(patient), ..Thing::default() });
    let of_place = Some(Thing { establishment: case.thing.establishment, ..Thing::default() });
    let guardianship = case.guardianships.get(&account).unwrap_or(&case.guardianships[&case.parent]);
    let (about, path, body) = match (method, template) {
        (
            "GET",
            "/v1/appointments"
            | "/v1/patients"
            | "/v1/me"
            | "/v1/members"
            | "/v1/me/access-log"
            | "/v1/me/notice-preferences"
            | "/v1/me/notices"
            | "/v1/letters"
            | "/v1/notice-statistics"
            | "/v1/notice-templates"
            | "/v1/accounts/me"
            | "/v1/sessions"
            | "/v1/second-factors"
            | "/v1/push-subscriptions"
            | "/v1/professionals"
            | "/v1/documents"
            | "/v1/calendar-feeds"
            | "/v1/guardianship-proofs"
            | "/v1/webhooks"
            | "/v1/exchange-servers"
            | "/v1/exchange-mailboxes",
        ) => (None, template.to_owned(), Value::Null),
        ("GET", "/v1/audit") => (None, format!("{template}?date=ge2026-03-01&date=le2026-03-02"), Value::Null),
        ("DELETE", "/v1/holds/{id}") => (None, named(Uuid::nil()), Value::Null),
        // What somebody does to their own account, which nobody else's name leads to.
        (_, path) if path.starts_with("/v1/sign-in-with/") => {
            let body = if method == "POST" && path.ends_with("/choice") {
                json!({"membership": Uuid::nil()})
            } else {
                json!({})
            };
            (None, template.replace("{provider}", "none"), if method == "POST" { body } else { Value::Null })
        }
        ("POST", "/v1/calendar-feeds") => (None, template.to_owned(), json!({})),
        ("POST", "/v1/calendar-feeds/{id}/revocation") => (None, named(Uuid::nil()), json!({})),
        ("DELETE", "/v1/sessions/{id}") => (None, named(Uuid::nil()), Value::Null),
        ("POST", "/v1/push-subscriptions") => {
            (None, template.to_owned(), crate::push::wish("https://push.example/walk"))
        }
        ("POST", "/v1/push-subscriptions/{id}/removal") => (None, named(Uuid::nil()), json!({})),
        ("POST", "/v1/second-factors/{id}/removal") => {
            (None, named(Uuid::nil()), json!({"password": "x", "otp": "123456"}))
        }
        ("POST", "/v1/second-factors/totp/confirmation") => (None, template.to_owned(), json!({"code": "123456"})),
        ("POST", "/v1/second-factors/passkeys") => {
            (None, template.to_owned(), json!({"ceremony": Uuid::nil(), "credential": {}}))
        }
        ("POST", "/v1/accounts/email-verification" | "/v1/accounts/email-change/confirmation") => {
            (None, template.to_owned(), json!({"token": "x"}))
        }
        ("POST", "/v1/accounts/password") => {
            (None, template.to_owned(), json!({"current_password": "x", "password": "une autre phrase longue"}))
        }
        ("POST", "/v1/accounts/email-change") => {
            (None, template.to_owned(), json!({"email": "x@famille.example", "password": "x"}))
        }
        ("POST", "/v1/accounts/phone") => (None, template.to_owned(), json!({"phone": null, "password": "x"})),
        ("POST", "/v1/accounts/phone-verification") => (None, template.to_owned(), json!({"code": "123456"})),
        ("POST", "/v1/accounts/closure") => (None, template.to_owned(), json!({"password": "x"})),
        (
            "POST",
            "/v1/accounts/email-verification/request"
            | "/v1/accounts/phone-verification/request"
            | "/v1/sessions/end-all"
            | "/v1/second-factors/totp"
            | "/v1/second-factors/passkeys/options"
            | "/v1/second-factors/recovery-codes",
        ) => (None, template.to_owned(), json!({})),
        ("POST", "/v1/appointments" | "/v1/holds") => {
            (whole, template.to_owned(), json!({"slot": slot, "patient": patient}))
        }
        ("PUT", "/v1/me/notice-preferences") => (None, template.to_owned(), json!({})),
        (_, path) if path.starts_with("/v1/notice-templates") => {
            let which = json!({"kind": "reminder", "channel": "email", "language": "fr"});
            let words = json!({"kind": "reminder", "channel": "email", "language": "fr", "body": "Le {{ date }}."});
            (None, template.to_owned(), if path.ends_with("/reset") { which } else { words })
        }
        ("POST", "/v1/notices/{id}/read") => (None, named(Uuid::nil()), json!({})),
        ("POST", "/v1/letters/{id}/printed") => (whole, named(case.visit), json!({})),
        ("GET", "/v1/appointments/{id}" | "/v1/appointments/{id}/notices") => (whole, named(case.visit), Value::Null),
        ("POST", "/v1/appointments/{id}/move") => (whole, named(case.visit), json!({"slot": slot})),
        ("POST", "/v1/appointments/{id}/cancellation") => (whole, named(case.visit), json!({"reason": "x"})),
        ("POST", "/v1/appointments/{id}/secrecy") => (whole, named(case.visit), json!({"secret": true})),
        ("POST", "/v1/patients") => {
            (None, template.to_owned(), json!({"given_name": "A", "family_name": "B", "birth_date": "2019-01-01"}))
        }
        ("GET", "/v1/patients/{id}" | "/v1/patients/{id}/guardians" | "/v1/patients/{id}/blocks") => {
            (of_patient, named(patient), Value::Null)
        }
        ("POST", "/v1/patients/{id}/guardians") => {
            (of_patient, named(patient), json!({"relation": "guardian", "rights": []}))
        }
        ("POST", "/v1/patients/{id}/blocks") => {
            (of_patient, named(patient), json!({"practitioner": id("practitioner", "samira-ait-oumeziane")}))
        }
        ("POST", "/v1/patients/{id}/blocks/lift") => {
            (of_patient, named(patient), json!({"practitioner": id("practitioner", SHUT_OUT)}))
        }
        ("POST", "/v1/patients/{id}/attending-physician") => {
            (of_patient, named(patient), json!({"practitioner": id("practitioner", VISITED)}))
        }
        ("POST", "/v1/patients/{id}/legal-hold") => (of_patient, named(patient), json!({"legal_hold": true})),
        ("POST", "/v1/patients/{id}/emergency-access") => {
            (of_patient, named(patient), json!({"reason": "Enfant inconscient, seul à l’accueil."}))
        }
        ("POST", "/v1/guardianships" | "/v1/memberships") => {
            (None, template.to_owned(), json!({"code": "0000-0000-0000"}))
        }
        ("POST", "/v1/guardianships/{id}/rights") => (of_patient, named(*guardianship), json!({"rights": []})),
        ("POST", "/v1/guardianships/{id}/end") => (of_patient, named(*guardianship), json!({})),
        ("POST", "/v1/guardianships/{id}/proof") => (of_patient, named(*guardianship), json!({"proof": "judgment"})),
        ("POST", "/v1/guardianships/{id}/decision") => (of_patient, named(*guardianship), json!({"state": "refused"})),
        ("POST", "/v1/members") => {
            (None, template.to_owned(), json!({"practitioner": id("practitioner", "etienne-bouvarel")}))
        }
        ("POST", "/v1/members/invitations") => (None, template.to_owned(), json!({"role": "nurse", "name": "A"})),
        ("POST", "/v1/members/{id}/end") => (of_place, named(case.member), json!({})),
        ("POST", "/v1/members/{id}/attachments") => {
            (of_place, named(case.member), json!({"practitioner": id("practitioner", "etienne-bouvarel")}))
        }
        ("POST", "/v1/members/{id}/attachments/end") => {
            (of_place, named(case.member), json!({"practitioner": id("practitioner", VISITED)}))
        }
        ("POST", "/v1/establishments/{id}/administrators") => {
            (of_place, named(id("establishment", HERE)), json!({"name": "A"}))
        }
        ("POST", "/v1/webhooks") => {
            (None, template.to_owned(), json!({"url": "https://9.9.9.9/", "events": ["appointment.booked.v1"]}))
        }
        ("PATCH", "/v1/webhooks/{id}") => (of_place, named(case.webhook), json!({"description": "x"})),
        ("POST", "/v1/webhooks/{id}/replay") => {
            (of_place, named(case.webhook), json!({"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}))
        }
        ("GET", path) if path.starts_with("/v1/webhooks/") => (of_place, named(case.webhook), Value::Null),
        ("POST", path) if path.starts_with("/v1/webhooks/") => (of_place, named(case.webhook), json!({})),
        ("POST", "/v1/exchange-servers") => (None, template.to_owned(), case.calendars.sent(method, template)),
        ("POST", "/v1/exchange-mailboxes") => (of_place, template.to_owned(), case.calendars.sent(method, template)),
        (_, path) if path.starts_with("/v1/exchange-servers/") => {
            (of_place, named(case.calendars.server), case.calendars.sent(method, path))
        }
        (_, path) if path.starts_with("/v1/exchange-mailboxes/") => {
            let about = Some(Thing { patient: None, ..case.thing });
            (about, named(case.calendars.mailbox), case.calendars.sent(method, path))
        }
        ("POST", "/v1/sessions/capacity") => (None, template.to_owned(), json!({"role": "patient"})),
        ("POST", "/v1/sessions/revocation") => {
            (None, template.to_owned(), json!({"account": Uuid::nil(), "reason": "requested"}))
        }
        ("POST", "/v1/second-factors/reset") => (
            None,
            template.to_owned(),
            json!({"email": "camille.martin@famille.example", "evidence": "identity-document"}),
        ),
        ("POST", "/v1/sessions/second-factor") => (None, template.to_owned(), json!({"otp": "123456"})),
        ("POST", "/v1/sessions/end") => (None, template.to_owned(), json!({})),
        ("POST", "/v1/professionals") => {
            (None, template.to_owned(), json!({"rpps": "99900000086", "profession": "SM54"}))
        }
        ("POST", "/v1/documents") => (of_patient, template.to_owned(), documents::form(patient)),
        (_, path) if path.starts_with("/v1/documents/{id}") => {
            (of_patient, named(case.documents[0]), documents::sent(method, path))
        }
        ("POST", "/v1/professionals/{id}/decision") => {
            (None, named(case.claim), json!({"decision": "refuse", "reason": "x"}))
        }
        _ => panic!("say what {method} {template} is about and what to send to it"),
    };
    (about, path, body)
}

async fn call(client: &Client, method: &str, path: &str, body: &Value) -> Answer {
    let request = client.request(method.parse::<Method>().unwrap(), path);
    let request = request.header("idempotency-key", Uuid::now_v7().to_string());
    let request = if body.is_null() {
        request.body(Body::empty())
    } else {
        request.header("content-type", "application/json").body(Body::from(body.to_string()))
    };
    client.send(request.unwrap()).await
}

/// Every route that is not public, with what it touches.
fn routes(app: &App) -> Vec<(String, String, Access)> {
    let routes = app.gateway.app.manifests.iter().flat_map(|manifest| &manifest.routes).filter(|route| !route.public);
    routes.map(|route| (route.method.clone(), route.path.clone(), route.access.unwrap())).collect()
}

#[tokio::test]
async fn each_route_answers_each_role_as_the_policy_says() {
    let app = App::start().await;
    let everybody = everybody(&app).await;
    let slots = app.slots_with(VISITED).await;
    // Far enough apart that none overlaps another.
    let mut slots = slots.iter().step_by(4).map(|slot| slot["slot"].as_str().unwrap().to_owned()).cycle();
    let mut slot = slots.next().unwrap();
    let (mut wrong, mut classes) = (vec![], BTreeMap::<u16, usize>::new());
    let mut case = case(&app, &everybody).await;
    for (method, template, access) in routes(&app) {
        for someone in &everybody {
            let person = &someone.person;
            let client = app.acting(person.account, person.role.name(), someone.membership, 2).await;
            let (about, path, body) = asked(&template, &method, &case, person.account, &slot);
            let answer = call(&client, &method, &path, &body).await;
            let status = answer.status.as_u16();
            let expected = match (admit(person.role, Level::Two, access), about) {
                (Err(_), _) => 403,
                (Ok(_), Some(thing)) if !case.world.allows(person, &thing, access.resource, access.action) => 404,
                _ => 200,
            };
            let as_said = match expected {
                // Of one's own there may be no such session, factor, provider, feed or hold.
                200 if [Resource::Account, Resource::CalendarFeed].contains(&access.resource)
                    || template == "/v1/holds/{id}" =>
                {
                    status < 500 && ![401, 403].contains(&status)
                }
                200 => status < 500 && ![401, 403, 404].contains(&status),
                other => status == other,
            };
            if !as_said {
                wrong.push(format!(
                    "{method} {template} as {}: {status}, not {expected}: {}",
                    someone.name, answer.body
                ));
            }
            *classes.entry(expected).or_default() += 1;
            if status == 201 {
                slot = slots.next().unwrap();
            }
            if status < 300 && method != "GET" {
                case = self::case(&app, &everybody).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(classes.values().all(|count| *count > 50) && classes.len() == 3, "{classes:?}");
}

#[tokio::test]
async fn with_one_factor_whoever_works_here_looks_after_their_account_and_no_more() {
    let app = App::start().await;
    let everybody = everybody(&app).await;
    let case = case(&app, &everybody).await;
    for (method, template, access) in routes(&app) {
        for someone in everybody.iter().filter(|it| it.person.role != Role::Patient) {
            let client = app.acting(someone.person.account, someone.person.role.name(), someone.membership, 1).await;
            let (_, path, body) = asked(&template, &method, &case, someone.person.account, "x");
            let answer = call(&client, &method, &path, &body).await;
            match admit(someone.person.role, Level::One, access) {
                Ok(_) => {
                    assert!(![401, 403].contains(&answer.status.as_u16()), "{method} {template} as {}", someone.name);
                }
                Err(Decision::NeedsSecondFactor) => assert_eq!(answer.problem(403), "second-factor-needed"),
                Err(_) => assert_eq!(answer.problem(403), "forbidden", "{method} {template} as {}", someone.name),
            }
        }
    }
}

#[tokio::test]
async fn a_list_holds_what_could_be_read_and_nothing_else() {
    let app = App::start().await;
    let everybody = everybody(&app).await;
    let case = case(&app, &everybody).await;
    for someone in &everybody {
        let person = &someone.person;
        let client = app.acting(person.account, person.role.name(), someone.membership, 2).await;
        let list = client.get("/v1/appointments").await;
        if list.status == 403 {
            continue;
        }
        let list = list.expect(200);
        let has = list["items"].as_array().unwrap().iter().any(|it| it["id"] == json!(case.visit));
        let read = client.get(&format!("/v1/appointments/{}", case.visit)).await.status == 200;
        assert_eq!(has, read, "{}", someone.name);
    }
}

#[tokio::test]
async fn what_is_medical_is_for_those_whom_the_policy_lets_see_medical_documents() {
    let app = App::start().await;
    let everybody = everybody(&app).await;
    let case = case(&app, &everybody).await;
    let thing = Thing { patient: case.thing.patient, ..Thing::default() };
    for someone in &everybody {
        let person = &someone.person;
        let client = app.acting(person.account, person.role.name(), someone.membership, 2).await;
        for (document, resource) in case.documents.iter().zip([Resource::AdministrativeDocument, Resource::Document]) {
            let read = client.get(&format!("/v1/documents/{document}")).await.status;
            let sees = case.world.allows(person, &thing, resource, domain::access::Action::Read);
            assert_eq!(read == 200, sees, "{resource} as {}: {read}", someone.name);
            let list = client.get(&format!("/v1/documents?patient={}", thing.patient.unwrap())).await;
            let listed = list.status == 200
                && list.body["items"].as_array().unwrap().iter().any(|it| it["id"] == json!(document));
            assert_eq!(listed, sees, "{resource} in the list of {}", someone.name);
        }
    }
}

#[test]
fn the_documentation_shows_the_policy_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/access.md");
    let page = std::fs::read_to_string(path).unwrap();
    let shown = page.split("<!-- just matrix -->\n").nth(1).and_then(|rest| rest.split("<!-- end -->").next());
    assert_eq!(shown.unwrap(), matrix(), "run: just matrix");
}
