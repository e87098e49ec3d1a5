//! One person, some visits, and everything that may happen to them in any order: booked, moved, called off, the relay away, the
//! sender not running, clocks that jump. Whatever happens, each notice that is due is told once, or it is written down why not.

use std::collections::BTreeMap;

use super::*;

const MINUTE: i64 = 60;
/// Sunday 1 March 2026, before clocks change; offsets below reach beyond the change.
const BEGIN: i64 = 1_772_323_200;

#[derive(Debug, Clone)]
enum Happening {
    /// A visit that begins so many minutes from now.
    Book(i64),
    /// To so many minutes from now.
    Move(usize, i64),
    Cancel(usize),
    /// The relay takes nothing, or takes all again.
    Relay(bool),
    /// Time passes with a tick at its end, so many minutes.
    Pass(i64),
    /// Time passes in which nothing runs.
    Stand(i64),
    /// The clock is set back.
    Back(i64),
    /// The recipient wants other reminders.
    Want(Vec<i64>),
}

#[derive(Debug, Clone)]
struct Visit {
    starts_at: Timestamp,
    agreed_at: Timestamp,
    version: i64,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Planned(Timestamp),
    Sent(Timestamp),
    Skipped(&'static str),
}

#[derive(Debug)]
struct Row {
    told: Told,
    attempts: u32,
    stands: Stands,
}

type Key = (usize, i64, NoticeKind, Option<Step>);

struct World {
    now: Timestamp,
    relay: bool,
    place: Zone,
    preferences: Preferences,
    visits: Vec<Visit>,
    rows: BTreeMap<(usize, i64, &'static str, Option<Step>), Row>,
    /// The latest instant at which something ran, and the longest time in which nothing did.
    ran_at: Timestamp,
    stood: SignedDuration,
    changed_mind: bool,
}

impl World {
    fn key((visit, version, kind, step): Key) -> (usize, i64, &'static str, Option<Step>) {
        (visit, version, kind.name(), step)
    }

    fn tell(&mut self, visit: usize, kind: NoticeKind) {
        let it = &self.visits[visit];
        let told = Told { version: it.version, starts_at: it.starts_at, ends_at: None };
        let row = Row { told, attempts: 0, stands: Stands::Planned(self.now) };
        self.rows.insert(Self::key((visit, it.version, kind, None)), row);
    }

    fn tick(&mut self) {
        self.stood = self.stood.max(self.now.duration_since(self.ran_at));
        self.ran_at = self.ran_at.max(self.now);
        for (number, visit) in self.visits.iter().enumerate() {
            for step in self.preferences.steps.as_slice() {
                let ahead = step.duration() + Night::AHEAD;
                let key = Self::key((number, visit.version, NoticeKind::Reminder, Some(*step)));
                let near = visit.starts_at > self.now - LOOK_BACK && visit.starts_at <= self.now + ahead;
                if visit.status != Status::Booked || !near || self.rows.contains_key(&key) {
                    continue;
                }
                let seen = super::Visit { starts_at: visit.starts_at, agreed_at: visit.agreed_at };
                let stands = match reminder(*step, seen, &self.preferences, &self.place, self.now) {
                    Due::At(at) => Stands::Planned(at),
                    Due::Never(why) => Stands::Skipped(why),
                };
                let told = Told { version: visit.version, starts_at: visit.starts_at, ends_at: None };
                self.rows.insert(key, Row { told, attempts: 0, stands });
            }
        }
        let due = self.rows.iter().filter(|(_, row)| matches!(row.stands, Stands::Planned(at) if at <= self.now));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        for key in due {
            self.send(key);
        }
    }

    fn send(&mut self, key: (usize, i64, &'static str, Option<Step>)) {
        let (number, version, kind, step) = key;
        let visit = &self.visits[number];
        let kind = NoticeKind::ALL.into_iter().find(|it| it.name() == kind).unwrap();
        let lately = self.rows.iter().filter_map(|((other, of, kind, _), row)| match row.stands {
            Stands::Sent(at) if (*other, *of, *kind) == (number, version, "reminder") => Some(at),
            _ => None,
        });
        let case = Case {
            kind,
            channel: NoticeChannel::Email,
            told: self.rows[&key].told,
            step,
            standing: Standing { status: visit.status, version: visit.version, still_theirs: true },
            preferences: &self.preferences,
            place: &self.place,
            told_at: lately.max(),
        };
        let stands = match decide(&case, self.now) {
            Decision::Skip(why) => Stands::Skipped(why),
            Decision::Later(at, _) => {
                assert!(at > self.now, "later is later");
                Stands::Planned(at)
            }
            Decision::Send if self.relay => {
                assert!(self.now < visit.starts_at, "nothing is told after the beginning");
                assert_eq!(version, visit.version, "nothing is told of what was changed since");
                assert_eq!(visit.status == Status::Cancelled, kind == NoticeKind::Cancellation);
                if kind == NoticeKind::Reminder {
                    let asleep = self.preferences.night.and_then(|night| night.at(&self.place, self.now));
                    assert_eq!(asleep, None, "no reminder at night");
                }
                Stands::Sent(self.now)
            }
            Decision::Send => Stands::Planned(self.now + pause(self.rows[&key].attempts + 1, 500)),
        };
        let row = self.rows.get_mut(&key).unwrap();
        assert!(!matches!(row.stands, Stands::Sent(_)), "told twice");
        row.attempts += 1;
        row.stands = stands;
    }

    fn happen(&mut self, happening: &Happening) {
        let later = |now: Timestamp, minutes: i64| now + SignedDuration::from_mins(minutes);
        match happening {
            Happening::Book(minutes) => {
                let starts_at = later(self.now, *minutes);
                self.visits.push(Visit { starts_at, agreed_at: self.now, version: 1, status: Status::Booked });
                self.tell(self.visits.len() - 1, NoticeKind::Confirmation);
            }
            Happening::Move(which, minutes) => {
                let Some(number) = self.standing(*which) else { return };
                let (starts_at, agreed_at) = (later(self.now, *minutes), self.now);
                let visit = &mut self.visits[number];
                *visit = Visit { starts_at, agreed_at, version: visit.version + 1, status: Status::Booked };
                self.tell(number, NoticeKind::Change);
            }
            Happening::Cancel(which) => {
                let Some(number) = self.standing(*which) else { return };
                let visit = &mut self.visits[number];
                (visit.status, visit.version) = (Status::Cancelled, visit.version + 1);
                self.tell(number, NoticeKind::Cancellation);
            }
            Happening::Relay(well) => self.relay = *well,
            Happening::Stand(minutes) => self.now = later(self.now, *minutes),
            Happening::Back(minutes) => self.now = later(self.now, -minutes),
            Happening::Want(steps) => {
                let steps: Vec<Step> = steps.iter().map(|it| Step::try_from(*it).unwrap()).collect();
                self.preferences.steps = steps.try_into().unwrap();
                self.changed_mind = true;
            }
            Happening::Pass(minutes) => {
                self.now = later(self.now, *minutes);
                self.tick();
            }
        }
    }

    /// One of the visits that stand and have not begun.
    fn standing(&self, which: usize) -> Option<usize> {
        let standing: Vec<usize> = (0..self.visits.len())
            .filter(|it| self.visits[*it].status == Status::Booked && self.visits[*it].starts_at > self.now)
            .collect();
        (!standing.is_empty()).then(|| standing[which % standing.len()])
    }

    /// The relay is well again, and everything runs until the last visit is over.
    fn end(&mut self) {
        self.relay = true;
        // Also of times that were left: what is planned of them says when it is due that it is not so.
        let told = self.rows.values().map(|row| row.told.starts_at);
        let last = self.visits.iter().map(|visit| visit.starts_at).chain(told).max().unwrap_or(self.now);
        while self.now <= last {
            self.tick();
            self.now += SignedDuration::from_hours(3);
        }
        self.tick();
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let ahead = 5_i64..20 * 24 * 60;
    prop_oneof![
        3 => ahead.clone().prop_map(Happening::Book),
        2 => (0_usize..4, ahead).prop_map(|(which, minutes)| Happening::Move(which, minutes)),
        1 => (0_usize..4).prop_map(Happening::Cancel),
        1 => any::<bool>().prop_map(Happening::Relay),
        6 => (1_i64..600).prop_map(Happening::Pass),
        1 => (1_i64..3000).prop_map(Happening::Stand),
        1 => (1_i64..200).prop_map(Happening::Back),
        1 => prop::collection::vec(30_i64..10_080, 0..4).prop_map(Happening::Want),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]
    #[test]
    fn each_due_notice_is_told_once_or_it_is_written_down_why_not(
        happenings in prop::collection::vec(happening(), 1..25), at in 0_i64..60 * 24 * 60,
        place in prop::sample::select(vec!["Europe/Paris", "Indian/Reunion", "America/Cayenne", "Pacific/Noumea"]),
        sleeps: bool,
    ) {
        let night = Night::usual().filter(|_| sleeps);
        let mut world = World {
            now: Timestamp::from_second(BEGIN + at * MINUTE).unwrap(), relay: true, place: zone(place),
            preferences: Preferences { night, ..Preferences::default() }, visits: vec![], rows: BTreeMap::new(),
            ran_at: Timestamp::from_second(BEGIN + at * MINUTE).unwrap(), stood: SignedDuration::ZERO, changed_mind: false,
        };
        for happening in &happenings {
            world.happen(happening);
        }
        world.end();
        for (key, row) in &world.rows {
            prop_assert!(!matches!(row.stands, Stands::Planned(_)), "left behind: {key:?} {row:?}");
        }
        // What stood to the end was told, and reminded of as the person wants by now, or it says why not.
        for (number, visit) in world.visits.iter().enumerate() {
            let told = ["confirmation", "change", "cancellation"].iter().any(|kind| {
                world.rows.contains_key(&(number, visit.version, *kind, None))
            });
            prop_assert!(told, "{visit:?}");
            if visit.status == Status::Booked && !world.changed_mind && world.stood < LOOK_BACK {
                for step in world.preferences.steps.as_slice() {
                    let key = (number, visit.version, "reminder", Some(*step));
                    prop_assert!(world.rows.contains_key(&key), "{key:?} {visit:?}");
                }
            }
        }
    }
}
