//! The database and the domain decide alike, in worlds that nobody thought of.

use domain::access::{Action, Resource, Role};
use gateway::fixtures::id;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::App;
use crate::support::app::MONDAY;
use crate::support::world::{Bond, Person, Thing, Tie, Visit, World};

const RIGHTS: [&str; 4] = ["book", "documents", "messages", "notices"];

/// A uuid that the seed gives.
fn uuid(chance: &mut StdRng) -> Uuid {
    Uuid::from_u128(chance.random())
}

fn maybe<T: Copy>(chance: &mut StdRng, among: &[T]) -> Option<T> {
    if chance.random_bool(0.15) { None } else { among.choose(chance).copied() }
}

fn some<T: Copy>(chance: &mut StdRng, among: &[T], likely: f64) -> Vec<T> {
    among.iter().copied().filter(|_| chance.random_bool(likely)).collect()
}

/// Three patients, a few accounts, and whatever happens to hold between them; with the rows that say so.
fn world(chance: &mut StdRng, places: &[(Uuid, Option<Uuid>)], practitioners: &[Uuid]) -> (World, Vec<Person>, Value) {
    let patients: Vec<Uuid> = (0..3).map(|_| uuid(chance)).collect();
    let accounts: Vec<Uuid> = (0..5).map(|_| uuid(chance)).collect();
    let establishments: Vec<Uuid> = places.iter().filter_map(|place| place.1).collect();
    let mut world = World { patients: patients.clone(), ..World::default() };
    let (mut bonds, mut visits, mut blocks, mut emergencies) = (vec![], vec![], vec![], vec![]);
    let births: Vec<&str> = patients.iter().map(|_| *["2018-05-01", "2009-12-31"].choose(chance).unwrap()).collect();
    for account in &accounts {
        let mut has_self = false;
        for (patient, birth) in patients.iter().zip(&births) {
            if chance.random_bool(0.5) {
                continue;
            }
            let taken = world.bonds.iter().any(|bond| bond.patient == *patient && bond.tie != Tie::Guardian);
            let oneself = !has_self && !taken && chance.random_bool(0.2);
            has_self |= oneself;
            let rights = some(chance, &RIGHTS, 0.5);
            let (refused, ended) = (chance.random_bool(0.15), chance.random_bool(0.15));
            let (invited, proven) = (chance.random_bool(0.5), !refused && chance.random_bool(0.5));
            let state = if refused {
                "refused"
            } else if proven {
                "proven"
            } else {
                "declared"
            };
            bonds.push(
                json!({"account": account, "patient": patient, "relation": if oneself { "self" } else { "parent" },
                "rights": rights, "state": state,
                "invited_by": invited.then_some(accounts[0]), "proof": proven.then_some("identity_document"),
                "until": ended.then_some("2026-03-02T08:00:00Z")}),
            );
            world.bonds.push(Bond {
                account: *account,
                patient: *patient,
                tie: match (oneself, invited && !proven) {
                    (true, false) => Tie::Oneself,
                    (true, true) => Tie::Doubtful,
                    (false, _) => Tie::Guardian,
                },
                rights,
                in_force: !refused && !ended,
                sixteen: *birth < "2010-03-02",
            });
        }
    }
    for number in 0..8 {
        let (site, establishment) = *places.choose(chance).unwrap();
        let (patient, practitioner) = (*patients.choose(chance).unwrap(), *practitioners.choose(chance).unwrap());
        let starts = *["2026-04-01T09:00:00Z", "2025-04-01T09:00:00Z", "2024-03-02T07:00:00Z", "2020-01-01T09:00:00Z"]
            .choose(chance)
            .unwrap();
        let status = *["booked", "booked", "booked", "cancelled", "expired"].choose(chance).unwrap();
        let care = chance.random_bool(0.8);
        visits.push(json!({"id": uuid(chance), "patient": patient, "practitioner": practitioner, "site": site,
                           "starts": starts, "status": status, "care": care, "number": number}));
        // Two years before 8:00 on 2 March 2026: a visit from 7:00 to 7:30 two years ago is over.
        let counts = care && status == "booked" && starts > "2024-03-02T08:00:00Z";
        world.visits.push(Visit { patient, practitioner, establishment, counts });
    }
    for patient in &patients {
        for practitioner in practitioners {
            if chance.random_bool(0.2) {
                let lifted = chance.random_bool(0.3);
                blocks.push(json!({"patient": patient, "practitioner": practitioner,
                                   "until": lifted.then_some("2026-03-02T08:00:00Z")}));
                if !lifted {
                    world.blocks.push((*patient, *practitioner));
                }
            }
        }
    }
    for account in &accounts {
        if chance.random_bool(0.4) {
            let (patient, establishment) = (*patients.choose(chance).unwrap(), *establishments.choose(chance).unwrap());
            let over = chance.random_bool(0.3);
            emergencies.push(json!({"id": uuid(chance), "account": account, "patient": patient,
                "establishment": establishment, "until": if over { MONDAY } else { "2026-03-02T12:00:00Z" }}));
            if !over {
                world.emergencies.push((*account, patient, establishment));
            }
        }
    }
    let people = Role::ALL.iter().flat_map(|role| [*role; 2]).map(|role| {
        let works = !matches!(role, Role::Patient | Role::Operator | Role::Support);
        let staff = matches!(role, Role::Nurse | Role::Secretary);
        Person {
            role,
            account: *accounts.choose(chance).unwrap(),
            establishment: if works { establishments.choose(chance).copied() } else { None },
            practitioner: if role == Role::Practitioner { practitioners.choose(chance).copied() } else { None },
            attached: if staff { some(chance, practitioners, 0.4) } else { vec![] },
        }
    });
    let people: Vec<Person> = people.collect();
    let patients: Vec<Value> =
        patients.iter().zip(births).map(|(patient, birth)| json!({"id": patient, "birth": birth})).collect();
    let rows = json!({"accounts": accounts, "patients": patients, "bonds": bonds, "visits": visits, "blocks": blocks,
                      "emergencies": emergencies});
    (world, people, rows)
}

/// One statement writes a whole world, and only what the product would write.
const WRITE: &str = "with accounts as (
        insert into account (id, email, password_hash, created_at)
        select id::uuid, id || '@monde.example', '-', '2020-01-01' from jsonb_array_elements_text($1 -> 'accounts') id
    ), resources as (
        insert into resource (id, kind) select id, 'patient' from jsonb_to_recordset($1 -> 'patients') as p (id uuid)
    ), patients as (
        insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
        select id, 'Un', 'Monde', birth, '-', '2020-01-01' from jsonb_to_recordset($1 -> 'patients') as p (id uuid, birth date)
    ), visits as (
        insert into appointment (id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, status,
                                 created_at, agreed_at, care)
        select id, practitioner, patient, site, (select min(reason.id::text)::uuid from reason), 'in_person', starts,
               starts + interval '30 min', status, '2020-01-01', '2020-01-01', care
        from jsonb_to_recordset($1 -> 'visits') as v (id uuid, practitioner uuid, patient uuid, site uuid, starts timestamptz, status text, care boolean)
    ), blocks as (
        insert into block (patient_id, practitioner_id, since, until)
        select patient, practitioner, '2026-01-01', until
        from jsonb_to_recordset($1 -> 'blocks') as b (patient uuid, practitioner uuid, until timestamptz)
    )
    insert into emergency_access (id, account_id, patient_id, establishment_id, reason, since, until)
    select id, account, patient, establishment, '-', '2026-03-01', until
    from jsonb_to_recordset($1 -> 'emergencies') as e (id uuid, account uuid, patient uuid, establishment uuid, until timestamptz)";
/// After the patients: their birth dates set the steps of age.
const BIND: &str = "insert into guardianship (account_id, patient_id, relation, rights, state, since, until, invited_by, proof)
    select account, patient, relation, rights, state, '2020-01-01', until, invited_by, proof
    from jsonb_to_recordset($1 -> 'bonds') as g (account uuid, patient uuid, relation text, rights text[], state text, until timestamptz,
                                                      invited_by uuid, proof text)";

#[tokio::test]
async fn the_database_and_the_policy_decide_alike_in_any_world() {
    let app = App::start().await;
    let nowhere: Uuid = Uuid::now_v7();
    let site =
        "insert into site (id, name, postal_code, city, time_zone) values ($1, 'x', '69001', 'Lyon', 'Europe/Paris')";
    sqlx::query(site).bind(nowhere).execute(app.pool()).await.unwrap();
    let home = |key: &str| Some(id("establishment", key));
    let places = [
        (id("site", "pentes"), home("pentes-plateau")),
        (id("site", "confluence"), home("confluent")),
        (nowhere, None),
    ];
    let practitioners =
        ["nolwenn-le-bihannic", "etienne-bouvarel", "samira-ait-oumeziane"].map(|key| id("practitioner", key));
    let (mut allowed, mut asked) = (0, 0);
    for seed in 0..40 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (world, people, rows) = world(&mut chance, &places, &practitioners);
        for sql in [WRITE, BIND] {
            sqlx::query(sql).bind(&rows).execute(app.pool()).await.unwrap();
        }
        let establishments: Vec<Uuid> = places.iter().filter_map(|place| place.1).collect();
        let mut patients = world.patients.clone();
        patients.push(uuid(&mut chance));
        let questions: Vec<(usize, Resource, Action, Thing)> = (0..1200)
            .map(|_| {
                let thing = Thing {
                    patient: maybe(&mut chance, &patients),
                    practitioner: maybe(&mut chance, &practitioners),
                    establishment: maybe(&mut chance, &establishments),
                };
                let person = chance.random_range(0..people.len());
                (person, *Resource::ALL.choose(&mut chance).unwrap(), *Action::ALL.choose(&mut chance).unwrap(), thing)
            })
            .collect();
        let written: Vec<Value> = questions
            .iter()
            .map(|(person, resource, action, thing)| {
                json!([
                    people[*person].who(MONDAY),
                    resource,
                    action,
                    thing.patient,
                    thing.practitioner,
                    thing.establishment
                ])
            })
            .collect();
        let sql = "select may(q -> 0, q ->> 1, q ->> 2, (q ->> 3)::uuid, (q ->> 4)::uuid, (q ->> 5)::uuid)
                   from jsonb_array_elements($1) with ordinality as w (q, place) order by place";
        let answers: Vec<bool> =
            sqlx::query_scalar(sql).bind(Value::Array(written)).fetch_all(app.pool()).await.unwrap();
        for ((person, resource, action, thing), answer) in questions.iter().zip(answers) {
            let expected = world.allows(&people[*person], thing, *resource, *action);
            assert_eq!(
                answer, expected,
                "seed {seed}: {:?} {resource}.{action} {thing:?} in {world:?}",
                people[*person]
            );
            asked += 1;
            allowed += i32::from(answer);
        }
    }
    assert!(allowed * 20 > asked, "{allowed} of {asked}: a test of refusals alone proves little");
}
