//! The lazy walk over local days, one walk per site, merged in order. Times are unix seconds.

use std::{
    collections::{BTreeSet, VecDeque},
    iter::FusedIterator,
};

use jiff::Timestamp;

use super::{
    Agenda, Reason, Site, Slot, Wish,
    hours::Hours,
    plan::{Plan, Stretch},
};
use crate::zone::{OffsetSpans, at_second, ceil_second};

/// Free slots in order, found as they are asked for; see [`Agenda::slots`].
pub struct Slots<'a> {
    sites: Vec<SiteWalk<'a>>,
    busy: Busy,
}

/// Seconds between which starts are sought, half-open.
#[derive(Clone, Copy)]
struct Window {
    from: i64,
    until: i64,
}

struct SiteWalk<'a> {
    spans: OffsetSpans<'a>,
    groups: Vec<Group<'a>>,
    window: Window,
    last_day: i64,
    /// Start of the first day not yet looked at; `None` when there is none left.
    next_day: Option<i64>,
    /// Free slots of the days looked at, in order.
    found: VecDeque<Slot>,
}

/// Reasons that are open at the same times, which are then worked out once for all of them.
struct Group<'a> {
    hours: Hours,
    plans: Vec<Plan<'a>>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(agenda: &'a Agenda, wish: &Wish<'_>, now: Timestamp) -> Self {
        let window = Window { from: ceil_second(wish.from), until: ceil_second(wish.until) };
        let reasons: Vec<&Reason> = firsts(&agenda.reasons, |reason| reason.id)
            .filter(|reason| wish.reasons.is_none_or(|ids| ids.contains(&reason.id)))
            .filter(|reason| wish.channel.is_none_or(|channel| channel == reason.channel))
            .collect();
        let sites = firsts(&agenda.sites, |site| site.id)
            .filter(|site| wish.site.is_none_or(|id| id == site.id))
            .map(|site| SiteWalk::new(agenda, site, &reasons, window, now))
            .collect();
        Self { sites, busy: Busy::new(&agenda.busy) }
    }
}

impl Iterator for Slots<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        loop {
            let heads = self.sites.iter().enumerate();
            let head = heads.filter_map(|(i, walk)| Some((*walk.found.front()?, i))).min();
            let days = self.sites.iter().enumerate();
            let days = days.filter(|(_, walk)| walk.found.is_empty());
            let day = days.filter_map(|(i, walk)| Some((walk.next_day?, i))).min();
            // A site is walked only as far as it could still come first: one that is full for
            // months costs nothing while another has room tomorrow.
            match (head, day) {
                (Some((slot, site)), day) if day.is_none_or(|(day, _)| slot.starts_at < at_second(day)) => {
                    return self.sites[site].found.pop_front();
                }
                (_, Some((_, site))) => self.sites[site].look_at_next_day(&self.busy),
                (_, None) => return None,
            }
        }
    }
}

impl FusedIterator for Slots<'_> {}

impl<'a> SiteWalk<'a> {
    fn new(agenda: &'a Agenda, site: &'a Site, reasons: &[&'a Reason], window: Window, now: Timestamp) -> Self {
        let mut spans = OffsetSpans::new(&site.time_zone);
        let mut groups: Vec<Group<'a>> = Vec::new();
        for reason in reasons {
            let Some(plan) = Plan::new(agenda, site, reason, &mut spans, now) else {
                continue;
            };
            let Some(hours) = Hours::new(agenda, site, reason) else {
                continue;
            };
            match groups.iter_mut().find(|group| group.hours == hours) {
                Some(group) => group.plans.push(plan),
                None => groups.push(Group { hours, plans: vec![plan] }),
            }
        }
        let plans = || groups.iter().flat_map(|group| &group.plans);
        let earliest = plans().map(|plan| plan.earliest).min();
        let first = earliest.map(|earliest| earliest.max(window.from));
        // From the day's own beginning, so that the window never moves the grid.
        let first = first.filter(|first| *first <= Timestamp::MAX.as_second());
        let next_day = first.and_then(|first| spans.run_of(first)).map(|run| run.start);
        let last_day = plans().map(|plan| plan.last_day).max().unwrap_or(i64::MIN);
        let found = VecDeque::new();
        Self { spans, groups, window, last_day, next_day, found }
    }

    fn look_at_next_day(&mut self, busy: &Busy) {
        let start = self.next_day.take().filter(|start| *start < self.window.until);
        let Some(run) = start.and_then(|start| self.spans.run_from(start)) else {
            return;
        };
        // Clocks that go back over midnight return to the day before, one day at most.
        if run.day > self.last_day + 1 {
            return;
        }
        self.next_day = Some(run.end);
        for Group { hours, plans } in &self.groups {
            let open = hours.open_in(&run);
            for plan in plans.iter().filter(|plan| run.day <= plan.last_day && !open.is_empty()) {
                let stretches = plan.stretches(hours, &open, &run, &mut self.spans);
                self.found.extend(free_slots(plan, stretches, self.window, busy));
            }
        }
        self.found.make_contiguous().sort_unstable();
    }
}

fn free_slots<'p>(
    plan: &'p Plan<'_>, stretches: Vec<Stretch>, window: Window, busy: &'p Busy,
) -> impl Iterator<Item = Slot> + 'p {
    let from = window.from.max(plan.earliest);
    let starts = stretches.into_iter().flat_map(move |stretch| {
        let Stretch { start, last_start } = stretch;
        let last_start = last_start.min(window.until - 1);
        let on_grid = move |at_least: i64| {
            let beyond = (at_least - start).max(0);
            start + (beyond + plan.step - 1) / plan.step * plan.step
        };
        let mut next = on_grid(from);
        let mut ahead = busy.after(next - plan.before);
        std::iter::from_fn(move || {
            // Each pass leaves one whole busy stretch behind, however many starts it covers.
            while next <= last_start
                && let Some([busy_from, busy_until]) = ahead.first().copied()
            {
                if busy_until <= next - plan.before {
                    ahead = &ahead[1..];
                } else if busy_from < next + plan.occupied {
                    next = on_grid(busy_until.min(last_start + 1).saturating_add(plan.before));
                } else {
                    break;
                }
            }
            let found = next;
            next += plan.step;
            (found <= last_start).then_some(found)
        })
    });
    starts.filter_map(|start| plan.slot(start))
}

/// Taken time as sorted, disjoint pairs of seconds.
struct Busy(Vec<[i64; 2]>);

impl Busy {
    fn new(pairs: &[[i64; 2]]) -> Self {
        let mut pairs: Vec<_> = pairs.iter().copied().filter(|[start, end]| start < end).collect();
        pairs.sort_unstable();
        pairs.dedup_by(|next, kept| {
            let joins = next[0] <= kept[1];
            kept[1] = if joins { kept[1].max(next[1]) } else { kept[1] };
            joins
        });
        Self(pairs)
    }

    /// What does not end before or at a second.
    fn after(&self, second: i64) -> &[[i64; 2]] {
        let past = self.0.partition_point(|busy| busy[1] <= second);
        &self.0[past..]
    }
}

/// The items whose id no earlier item has.
fn firsts<T, K: Ord>(items: &[T], id: impl Fn(&T) -> K) -> impl Iterator<Item = &T> {
    let mut seen = BTreeSet::new();
    items.iter().filter(move |item| seen.insert(id(item)))
}
