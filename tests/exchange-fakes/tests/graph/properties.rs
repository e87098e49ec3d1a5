//! Whatever is edited and whatever fails: who reads changes knows the calendar.

use std::collections::BTreeMap;

use domain::SignedDuration;
use domain::sync::{Face, RemoteId};
use exchange::{Calendar as _, Cursor, Why};
use exchange_fakes::mailbox::{Event, Fault, Range, Recurrence, What};
use jiff::civil::Weekday;
use proptest::prelude::*;

use crate::world::{DOCTOR, World, at, during, window};

#[derive(Clone, Debug)]
enum Step {
    Add(i64),
    Series(i64, u32),
    Move(usize, i64),
    Remove(usize),
    MoveOne(usize, usize, i64),
    RemoveOne(usize, usize),
    Fails(u8, u32),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (-100_i64..900).prop_map(Step::Add),
        1 => (-300_i64..700, 1_u32..12).prop_map(|(hour, count)| Step::Series(hour, count)),
        3 => (any::<usize>(), -800_i64..800).prop_map(|(which, by)| Step::Move(which, by)),
        2 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), any::<usize>(), -30_i64..30).prop_map(|(which, one, by)| Step::MoveOne(which, one, by)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(which, one)| Step::RemoveOne(which, one)),
        2 => (any::<u8>(), 0_u32..4).prop_map(|(what, skip)| Step::Fails(what, skip)),
        4 => Just(Step::Read),
    ]
}

/// What a reader knows: each item with its face and series.
#[derive(Default)]
struct Reader {
    cursor: Option<Cursor>,
    known: BTreeMap<String, (Face, Option<RemoteId>)>,
}

impl Reader {
    /// One reading; what failed is tried again another time, and nothing of it is kept.
    async fn read(&mut self, world: &World) -> Result<bool, exchange::Fault> {
        let changes = match world.changes(self.cursor.as_ref(), window()).await {
            Err(fault) if fault.why == Why::CursorLost => {
                self.cursor = None;
                return Err(fault);
            }
            other => other?,
        };
        if changes.whole {
            self.known.clear();
        }
        // Of a series that is gone nothing is left.
        let gone = |id: &RemoteId| changes.gone.contains(id) || changes.series.contains(id);
        self.known.retain(|id, (_, of)| !changes.gone.iter().any(|one| one.0 == *id) && !of.as_ref().is_some_and(gone));
        self.known.extend(changes.items.into_iter().map(|item| (item.id.0, (item.face, item.series))));
        self.cursor = Some(changes.cursor);
        Ok(changes.unread.is_empty())
    }
}

fn apply(world: &World, step: &Step) {
    let base = at("2026-12-01T00:00:00Z");
    let hour = |hour: i64| (base + SignedDuration::from_hours(hour)).to_string();
    let new = |from: i64| Event::between("x", during(&hour(from), &hour(from + 1)));
    let events = world.server.events(DOCTOR);
    let pick = |which: usize| events.get(which % events.len().max(1)).map(|event| event.id.clone());
    let one_of = |which: usize, one: usize| {
        let series: Vec<&Event> = events.iter().filter(|event| event.recurrence.is_some()).collect();
        let all =
            series.get(which % series.len().max(1))?.in_view(during("2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z"));
        all.get(one % all.len().max(1)).map(|event| event.id.clone())
    };
    match step {
        Step::Add(from) => drop(world.server.add(DOCTOR, new(*from))),
        Step::Series(from, count) => {
            let days = vec![Weekday::Monday, Weekday::Thursday];
            world.server.add_series(DOCTOR, new(*from), Recurrence { days, interval: 1, range: Range::Count(*count) });
        }
        Step::Move(which, by) => {
            drop(pick(*which).and_then(|id| world.server.shift(DOCTOR, &id, SignedDuration::from_hours(*by))));
        }
        Step::Remove(which) => drop(pick(*which).and_then(|id| world.server.remove(DOCTOR, &id))),
        Step::MoveOne(which, one, by) => {
            drop(one_of(*which, *one).and_then(|id| world.server.shift(DOCTOR, &id, SignedDuration::from_hours(*by))));
        }
        Step::RemoveOne(which, one) => drop(one_of(*which, *one).and_then(|id| world.server.remove(DOCTOR, &id))),
        Step::Fails(what, skip) => {
            let all = [
                What::Status(500, "ErrorInternalServerError"),
                What::Status(503, "x"),
                What::Throttled(None),
                What::Broken,
                What::Unreached,
                What::Truncated,
                What::Empty,
                What::Page,
                What::LoseCursor,
                What::LostAnswer,
                What::Status(401, "x"),
            ];
            world.server.state().faults.push(Fault { skip: *skip, ..Fault::next(all[usize::from(*what) % all.len()]) });
        }
        Step::Read => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn who_reads_changes_knows_the_calendar(steps in proptest::collection::vec(step(), 1..40), page in 1_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (known, expected) = runtime.block_on(async {
            let world = World::new();
            world.server.state().page = page;
            let mut reader = Reader::default();
            for step in &steps {
                apply(&world, step);
                if matches!(step, Step::Read) {
                    drop(reader.read(&world).await);
                }
            }
            world.server.state().faults.clear();
            // The first may find its cursor lost or fetch what failed before.
            for _ in 0..3 {
                drop(reader.read(&world).await);
            }
            let view = world.server.state().view(DOCTOR, None, window());
            let expected = view.into_iter().map(|event| (event.id.clone(), (event.starts_at(), event.ends_at())));
            let known = reader.known.into_iter().map(|(id, (face, _))| (id, (face.starts_at, face.ends_at)));
            (known.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>())
        });
        prop_assert_eq!(known, expected);
    }
}
