//! What one statement writes: each person and each place once, however many lines spoke of them.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use domain::directory::{Place, Record, Rpps, Specialty};
use serde::{Deserialize, Serialize};

use crate::report::Report;

/// How many people are written by one statement.
const PEOPLE: usize = 500;
/// How many lines at most, whoever they speak of.
const LINES: usize = 2000;
/// How many people and how many places of one run are remembered; twice what the directory holds, and under 120 MB.
/// Beyond, lines of one person far apart may disagree on the name and the last one wins.
const REMEMBERED: usize = 3_500_000;

/// Lines that wait to be written.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Batch {
    #[serde(serialize_with = "values")]
    people: BTreeMap<Rpps, Person>,
    #[serde(serialize_with = "values")]
    places: BTreeMap<String, Place>,
    #[serde(serialize_with = "values")]
    specialties: BTreeMap<String, Specialty>,
    #[serde(skip)]
    lines: usize,
    #[serde(skip)]
    last: Option<Rpps>,
}

#[derive(Debug, Serialize)]
struct Person {
    rpps: Rpps,
    /// Whether these are the first lines of the run that name this person: the first name wins, or two lines that
    /// disagree would change it at every run.
    named: bool,
    title: &'static str,
    given_name: String,
    family_name: String,
    phone: Option<String>,
    specialties: BTreeSet<String>,
    places: BTreeSet<String>,
}

/// Who is new and who changed.
#[derive(Debug, Deserialize)]
pub(crate) struct Written {
    created: HashSet<String>,
    updated: HashSet<String>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Whether this line had better begin the next batch; lines of one person that follow each other stay together.
    pub(crate) fn is_full_for(&self, record: &Record) -> bool {
        self.lines >= LINES || (self.people.len() >= PEOPLE && self.last != Some(record.rpps))
    }

    pub(crate) fn add(&mut self, record: Record, seen: &Seen) {
        self.lines += 1;
        self.last = Some(record.rpps);
        let person = self.people.entry(record.rpps).or_insert_with(|| Person {
            rpps: record.rpps,
            named: !seen.people.contains_key(&record.rpps),
            title: record.title,
            given_name: record.given_name,
            family_name: record.family_name,
            phone: record.phone,
            specialties: BTreeSet::new(),
            places: BTreeSet::new(),
        });
        person.specialties.insert(record.specialty.code.clone());
        self.specialties.entry(record.specialty.code.clone()).or_insert(record.specialty);
        if let Some(place) = record.place {
            person.places.insert(place.key.clone());
            if !seen.places.contains(&digest(&place.key)) {
                self.places.entry(place.key.clone()).or_insert(place);
            }
        }
    }
}

/// Who and what this run has already written. A place is remembered by a digest: one taken for another would only not
/// be updated by this run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// With whether anything changed.
    people: HashMap<Rpps, bool>,
    places: HashSet<u64>,
}

impl Seen {
    /// Remembers a batch and counts each of its people once for the whole run.
    pub(crate) fn note(&mut self, batch: &Batch, written: &Written, report: &mut Report) {
        for rpps in batch.people.keys() {
            let name = rpps.to_string();
            let created = written.created.contains(&name);
            let changed = created || written.updated.contains(&name);
            let room = self.people.len() < REMEMBERED;
            match self.people.entry(*rpps) {
                Entry::Occupied(mut before) => {
                    if changed && !before.insert(true) {
                        report.unchanged -= 1;
                        report.updated += 1;
                    }
                    continue;
                }
                Entry::Vacant(place) if room => drop(place.insert(changed)),
                Entry::Vacant(_) => {}
            }
            report.created += u32::from(created);
            report.updated += u32::from(changed && !created);
            report.unchanged += u32::from(!changed);
        }
        for key in batch.places.keys().take(REMEMBERED.saturating_sub(self.places.len())) {
            self.places.insert(digest(key));
        }
    }
}

fn digest(key: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

fn values<K, V: Serialize, S: serde::Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}
