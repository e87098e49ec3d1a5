//! Loads the synthetic people and places of `fixtures/` into a migrated database.
//!
//! Every row has a fixed id (a version 5 uuid of its stable name), so loading twice changes nothing and loading after an
//! edit changes what was edited. What a user made has version 7 ids and is never touched: an opening that left the files
//! is removed, a reason that left them is only no longer bookable (an appointment may point to it), and an account or a
//! patient is created once and then belongs to whoever signs in.

mod files;
mod staff;

use std::collections::HashSet;

use domain::age::{Change, step};
use domain::ids::{AccountId, PatientId};
use runtime::keys::{KeyError, Keys};
use runtime::people::Contact;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use files::{Family, Practitioner, Site, Tables};
use staff::{Establishment, Member as Staff};

/// What a run found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Practitioners in the files.
    pub practitioners: usize,
    /// Sites in the files.
    pub sites: usize,
    /// Families in the files.
    pub families: usize,
    /// Members of staff in the files.
    pub staff: usize,
    /// Rows inserted, updated or removed; 0 when the database already agreed with the files.
    pub changed: u64,
}

/// A person one may sign in as, for the start page and the walk through the main job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoAccount {
    /// The sign-in.
    pub email: String,
    /// Its password, documented and worthless.
    pub password: String,
    /// What it may act as beside as a patient: `secretary`, `operator` …
    pub role: Option<String>,
}

/// The fixed id of a fixture row: `id("site", "pentes")`, `id("patient", "martin/leo")`.
pub fn id(kind: &str, key: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("https://carnet.example/{kind}/{key}").as_bytes())
}

/// The demo accounts of the families and of the staff.
///
/// # Errors
/// When `families.json` or `staff.json` is not what it should be.
pub fn demo_accounts() -> Result<Vec<DemoAccount>, sqlx::Error> {
    let families = files::families()?.into_iter().map(|it| (it.email, it.password, None));
    let staff = staff::members()?.into_iter().map(|it| (it.email, it.password, Some(it.role)));
    Ok(families.chain(staff).map(|(email, password, role)| DemoAccount { email, password, role }).collect())
}

/// One statement a table, in the order the foreign keys want. Each takes `(jsonb, now)` and returns the rows it changed.
const STATEMENTS: [(&str, &str); 12] = [
    ("specialty", include_str!("../sql/fixtures/specialty.sql")),
    ("resource", include_str!("../sql/fixtures/resource.sql")),
    ("establishment", include_str!("../sql/fixtures/establishment.sql")),
    ("site", include_str!("../sql/fixtures/site.sql")),
    ("practitioner", include_str!("../sql/fixtures/practitioner.sql")),
    ("practitioner_specialty", include_str!("../sql/fixtures/practitioner_specialty.sql")),
    ("practice", include_str!("../sql/fixtures/practice.sql")),
    ("reason", include_str!("../sql/fixtures/reason.sql")),
    ("opening", include_str!("../sql/fixtures/opening.sql")),
    ("opening_exception", include_str!("../sql/fixtures/opening_exception.sql")),
    ("family", include_str!("../sql/fixtures/family.sql")),
    ("staff", include_str!("../sql/fixtures/staff.sql")),
];

/// Makes the database agree with the files. `now` is RFC 3339. All or nothing, and one at a time.
///
/// # Errors
/// When the database refuses, or a file is not what it should be ([`sqlx::Error::Decode`]).
pub async fn load(pool: &PgPool, keys: &Keys, now: &str) -> Result<Loaded, sqlx::Error> {
    let sites: Vec<Site> = files::sites()?;
    let practitioners: Vec<Practitioner> = files::practitioners()?;
    let establishments: Vec<Establishment> = staff::establishments()?;
    let staff: Vec<Staff> = staff::members()?;
    let mut tables = Tables::of(&files::specialties()?, &establishments, &sites, &practitioners)?;
    tables.put("staff", staff::rows(&staff, &establishments, &practitioners, keys).await?);
    // Each of the staff is also a person, with a file of their own like anybody who signs up.
    let households = files::families()?;
    let families: Vec<Family> = households.into_iter().chain(staff.iter().map(Staff::household)).collect();

    let mut work = pool.begin().await?;
    // Two gateways may start at once.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('carnet fixtures', 0))").execute(&mut *work).await?;
    let known: HashSet<String> = sqlx::query_scalar(include_str!("../sql/fixtures/known.sql"))
        .bind(people(&families, keys)?)
        .fetch_all(&mut *work)
        .await?
        .into_iter()
        .collect();
    tables.put("family", new_people(&families, &known, keys).await?);

    let mut changed = 0;
    for (table, statement) in STATEMENTS {
        let rows: i64 = sqlx::query_scalar(statement).bind(tables.take(table)).bind(now).fetch_one(&mut *work).await?;
        changed += rows.unsigned_abs();
    }
    work.commit().await?;
    Ok(Loaded {
        practitioners: practitioners.len(),
        sites: sites.len(),
        families: families.len() - staff.len(),
        staff: staff.len(),
        changed,
    })
}

fn people(families: &[Family], keys: &Keys) -> Result<Value, sqlx::Error> {
    let people = families.iter().map(|family| Ok(json!({
        "email_lookup": keys.lookup("email", &family.email).map_err(unusable)?,
        "ids": family.members.iter().map(|member| family.patient_id(member)).chain([family.account_id()]).collect::<Vec<_>>(),
    })));
    people.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// The rows of accounts, patients and guardianships that are not there yet. A family whose e-mail is somebody's already is
/// left out: its children must not become another person's.
async fn new_people(families: &[Family], known: &HashSet<String>, keys: &Keys) -> Result<Value, sqlx::Error> {
    let is_known = |id: &Uuid| known.contains(&id.to_string());
    let (mut accounts, mut patients, mut guardianships) = (Vec::new(), Vec::new(), Vec::new());
    for family in families {
        let account = AccountId::from_uuid(family.account_id());
        if !is_known(&account.as_uuid()) {
            let email_lookup = keys.lookup("email", &family.email).map_err(unusable)?;
            if known.contains(&email_lookup) {
                continue;
            }
            let contact = Contact { email: family.email.clone(), phone: Some(family.phone.clone()) };
            let (wrapped_key, sealed) = contact.sealed(keys, account).await.map_err(unusable)?;
            accounts.push(json!({
                "id": account, "wrapped_key": wrapped_key, "contact": sealed, "email_lookup": email_lookup,
                "language": family.language,
                "password_hash": keys.hash_password(family.password.clone()).await.map_err(unusable)?,
            }));
        }
        for member in &family.members {
            let patient = PatientId::from_uuid(family.patient_id(member));
            if is_known(&patient.as_uuid()) {
                continue;
            }
            let identity = member.identity()?;
            let (wrapped_key, sealed) = identity.sealed(keys, patient).await.map_err(unusable)?;
            patients.push(json!({
                "id": patient, "wrapped_key": wrapped_key, "identity": sealed, "twin_lookup": identity.twin(keys).map_err(unusable)?,
                "private_from": step(identity.birth_date, Change::PrivateMessages),
                "adult_from": step(identity.birth_date, Change::Independence),
            }));
            guardianships.push(json!({
                "account_id": account, "patient_id": patient, "relation": member.relation,
            }));
        }
    }
    Ok(json!({ "account": accounts, "patient": patients, "guardianship": guardianships }))
}

fn unusable(error: KeyError) -> sqlx::Error {
    sqlx::Error::Configuration(error.into())
}

/// Loads with the keys of a context.
///
/// # Errors
/// As [`load`].
pub async fn load_with(pg: &store::pg::Pg, ctx: &runtime::Ctx) -> Result<Loaded, sqlx::Error> {
    load(pg.pool(), &ctx.keys, &ctx.now().to_string()).await
}
