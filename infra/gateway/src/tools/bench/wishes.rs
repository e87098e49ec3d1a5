//! Distinct bookings: free slots as a search returns them, each for a patient who has time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use domain::ids::{AccountId, SessionId};
use domain::{SignedDuration, Timestamp};
use runtime::host::StartError;
use runtime::keys::{Keys, digest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Bench;
use super::load;

const PEOPLE: &str = include_str!("../../../sql/bench/people.sql");
const PRACTITIONERS: &str = include_str!("../../../sql/bench/practitioners.sql");
const PATIENTS: i64 = 6_000;
/// Of one practitioner, so that a run touches many agendas.
const SLOTS_EACH: usize = 12;
/// Agendas read between two looks at how many slots there are.
const AGENDAS: usize = 64;
/// Slots this far ahead are mostly free and within everybody's horizon.
const AHEAD_DAYS: [i64; 2] = [40, 170];

/// Accounts and patients of one run, and the practitioners they go to.
pub(super) struct World {
    /// Of the run, for names.
    run: String,
    people: Vec<Person>,
    /// Whose turn it was last.
    turn: usize,
    practitioners: Vec<Target>,
    /// The first whose agenda was not read yet.
    next: usize,
}

struct Person {
    account: Uuid,
    id: Uuid,
    busy: Vec<(Timestamp, Timestamp)>,
}

/// Practitioner, reason, seconds kept free before and after, version of the rules.
type Target = (Uuid, Uuid, i64, i64, i64);

/// One booking to be made.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) account: Uuid,
    patient: Uuid,
    slot: Value,
    target: Target,
    /// Which of its agenda's.
    nth: usize,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl World {
    pub(super) async fn new(bench: &Bench, now: Timestamp) -> Result<Self, StartError> {
        let run = Uuid::now_v7().simple().to_string();
        let people = sqlx::query_as(PEOPLE).bind(&run).bind(PATIENTS).bind(now.to_string());
        let people: Vec<(Uuid, Uuid)> = people.fetch_all(&bench.pool).await?;
        let practitioners = sqlx::query_as(PRACTITIONERS).bind(&run).fetch_all(&bench.pool).await?;
        sqlx::query("analyze account, patient, guardianship, resource").execute(&bench.pool).await?;
        let people = people.into_iter().map(|(account, id)| Person { account, id, busy: Vec::new() }).collect();
        Ok(Self { run, people, turn: 0, practitioners, next: 0 })
    }

    pub(super) fn accounts(&self) -> Vec<Uuid> {
        let mut accounts: Vec<Uuid> = self.people.iter().map(|person| person.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    /// So many wishes that none has seen before, in an order that follows neither time nor agenda.
    pub(super) async fn wishes(&mut self, count: usize, search: u16, now: Timestamp) -> Result<Vec<Wish>, StartError> {
        let mut found = Vec::new();
        while found.len() < count {
            let last = (self.next + AGENDAS).min(self.practitioners.len());
            let targets = &self.practitioners[self.next..last];
            if targets.is_empty() {
                return Err(format!("only {} of {count} free slots: more practitioners are needed", found.len()).into());
            }
            self.next = last;
            for target in targets {
                found.extend(slots(target, search, now).await?);
            }
        }
        // From one agenda to the next: neighbours in this order never wait for each other.
        found.sort_by_cached_key(|wish| (wish.nth, shuffled(&self.run, &wish.slot)));
        found.truncate(count);
        for wish in &mut found {
            (wish.account, wish.patient) = self.somebody(wish.starts_at, wish.ends_at).ok_or("too few patients")?;
        }
        Ok(found)
    }

    /// One free slot, wanted by so many.
    pub(super) async fn rush(&mut self, crowd: usize, search: u16, now: Timestamp) -> Result<Vec<Wish>, StartError> {
        let wish = self.wishes(1, search, now).await?.pop().ok_or("no free slot")?;
        let everybody = self.people.iter().take(crowd);
        Ok(everybody.map(|person| Wish { account: person.account, patient: person.id, ..wish.clone() }).collect())
    }

    /// The next patient in turn who has nothing else at that time, with the account that books for them.
    fn somebody(&mut self, starts_at: Timestamp, ends_at: Timestamp) -> Option<(Uuid, Uuid)> {
        for _ in 0..self.people.len() {
            self.turn = (self.turn + 1) % self.people.len();
            let person = &mut self.people[self.turn];
            if person.busy.iter().all(|(from, until)| *until <= starts_at || ends_at <= *from) {
                person.busy.push((starts_at, ends_at));
                return Some((person.account, person.id));
            }
        }
        None
    }
}

/// Free slots of one reason, spread over the window, as anybody gets them.
async fn slots(target: &Target, search: u16, now: Timestamp) -> Result<Vec<Wish>, StartError> {
    let [from, to] = AHEAD_DAYS.map(|days| (now + SignedDuration::from_hours(24 * days)).to_string());
    let path = format!("/v1/slots?practitioner={}&reason={}&from={from}&to={to}&limit=500", target.0, target.1);
    let round = load::run(search, vec![load::get(&path)], 1).await?;
    if let Some(refusal) = round.refusal(200) {
        return Err(format!("{path}: {refusal}").into());
    }
    let body = round.answers.first().map(|answer| answer.body.as_slice()).unwrap_or_default();
    let page: Value = serde_json::from_slice(body)?;
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut wishes: Vec<Wish> = Vec::new();
    for (nth, item) in items.iter().step_by((items.len() / SLOTS_EACH).max(1)).take(SLOTS_EACH).enumerate() {
        let at = |name: &str| item[name].as_str().unwrap_or_default().parse::<Timestamp>();
        wishes.push(Wish {
            account: Uuid::nil(),
            patient: Uuid::nil(),
            slot: item.clone(),
            target: *target,
            nth,
            starts_at: at("starts_at")?,
            ends_at: at("ends_at")?,
        });
    }
    Ok(wishes)
}

fn shuffled(run: &str, slot: &Value) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((run, slot["slot"].as_str()))
}

impl Wish {
    fn request(&self) -> Value {
        json!({"slot": self.slot["slot"], "patient": self.patient})
    }

    /// The booking as a client sends it.
    pub(super) fn http(&self, token: &str) -> Vec<u8> {
        let body = self.request().to_string();
        let (key, length) = (Uuid::now_v7(), body.len());
        format!(
            "POST /v1/appointments HTTP/1.1\r\nhost: carnet\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// The same booking as `book` hands it to the database, once decided.
    pub(super) fn document(&self) -> String {
        let (practitioner, reason, before, after, agenda_version) = self.target;
        json!({
            "id": Uuid::now_v7(), "practitioner": practitioner, "patient": self.patient, "site": self.slot["site"],
            "reason": reason, "channel": self.slot["channel"], "starts_at": self.starts_at, "ends_at": self.ends_at,
            "reserved_from": self.starts_at - SignedDuration::from_secs(before),
            "reserved_until": self.ends_at + SignedDuration::from_secs(after),
            "agenda_version": agenda_version, "note": null, "status": "booked", "hold_expires_at": null,
            "operation": "book", "key": Uuid::now_v7(), "request_hash": digest(self.request().to_string().as_bytes()),
        })
        .to_string()
    }

    /// Who asks, as `book` hands it to the database.
    pub(super) fn who(&self, now: Timestamp) -> String {
        json!({
            "at": now, "account": self.account, "session": self.account, "role": "patient", "level": 1,
            "establishment": null, "practitioner": null, "attached": [], "address": "127.0.0.1",
            "request": Uuid::now_v7(), "purpose": "PATRQT",
        })
        .to_string()
    }
}

/// A token for every account of the wishes, as a sign-in gives it.
pub(super) fn tokens(wishes: &[Wish], keys: &Keys, now: Timestamp) -> Result<HashMap<Uuid, String>, StartError> {
    let mut tokens = HashMap::new();
    for wish in wishes {
        if let Entry::Vacant(first) = tokens.entry(wish.account) {
            let (account, session) = (AccountId::from_uuid(wish.account), SessionId::from_uuid(wish.account));
            first.insert(keys.issue(account, session, now)?);
        }
    }
    Ok(tokens)
}
