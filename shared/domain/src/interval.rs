//! Half-open stretches of time and the algebra of sorted, disjoint sets of them.

use jiff::{SignedDuration, Timestamp};

/// A non-empty half-open stretch of time: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    start: Timestamp,
    end: Timestamp,
}

impl Interval {
    /// The stretch from `start` (included) to `end` (excluded); `None` unless `start < end`.
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// As [`Interval::new`], for ends already known to be in order. Reversed or equal ends, which
    /// only a caller's mistake gives, become the shortest interval at `start`.
    pub(crate) fn saturating(start: Timestamp, end: Timestamp) -> Self {
        let tick = SignedDuration::from_nanos(1);
        Self::new(start, end).unwrap_or_else(|| match start.checked_add(tick) {
            Ok(end) => Self { start, end },
            Err(_) => Self { start: start.checked_sub(tick).unwrap_or(start), end: start },
        })
    }

    /// First instant inside.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// First instant after.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether `instant` is inside: `start <= instant < end`.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether the two share at least one instant; touching ends share none.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The instants in both, if any.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// Sorts and merges overlapping **and adjacent** intervals: the result is sorted, disjoint, and
/// no two neighbours touch.
pub fn normalize(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, kept| {
        let joins = next.start <= kept.end;
        if joins {
            kept.end = kept.end.max(next.end);
        }
        joins
    });
    intervals
}

/// The instants in `left` or in `right`, normalised. The inputs need no order.
pub fn union(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    normalize([left, right].concat())
}

/// The instants in `from` but not in `removed`. Both must be normalised (see [`normalize`]); the
/// result is too.
pub fn subtract(from: &[Interval], removed: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::with_capacity(from.len() + removed.len());
    let mut first = 0;
    for whole in from {
        // Both lists are sorted, so what ended before this interval ended before the next ones.
        while removed.get(first).is_some_and(|r| r.end <= whole.start) {
            first += 1;
        }
        let mut start = whole.start;
        for hole in removed[first..].iter().take_while(|r| r.start < whole.end) {
            left.extend(Interval::new(start, hole.start));
            start = start.max(hole.end);
        }
        left.extend(Interval::new(start, whole.end));
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Minutes of the test's world, as a bitmap.
    const WORLD: usize = 240;

    fn minute(minute: usize) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * i64::try_from(minute).unwrap()).unwrap()
    }

    fn interval(start: usize, end: usize) -> Interval {
        Interval::new(minute(start), minute(end)).unwrap()
    }

    fn bitmap(intervals: &[Interval]) -> Vec<bool> {
        (0..WORLD).map(|m| intervals.iter().any(|i| i.contains(minute(m)))).collect()
    }

    fn intervals() -> impl Strategy<Value = Vec<Interval>> {
        let one = (0..WORLD - 1, 1..40_usize).prop_map(|(start, length)| interval(start, (start + length).min(WORLD)));
        prop::collection::vec(one, 0..12)
    }

    fn is_normal(intervals: &[Interval]) -> bool {
        intervals.windows(2).all(|pair| pair[0].end < pair[1].start)
    }

    #[test]
    fn an_interval_is_never_empty_nor_reversed() {
        assert_eq!(Interval::new(minute(1), minute(1)), None);
        assert_eq!(Interval::new(minute(2), minute(1)), None);
    }

    #[test]
    fn the_end_is_outside_and_touching_is_not_overlapping() {
        let (a, b) = (interval(0, 10), interval(10, 20));
        assert!(a.contains(minute(0)) && !a.contains(minute(10)));
        assert!(!a.overlaps(&b) && a.intersect(&b).is_none());
        assert_eq!(normalize(vec![b, a]), vec![interval(0, 20)]);
    }

    proptest! {
        #[test]
        fn sets_agree_with_a_bitmap_of_minutes(a in intervals(), b in intervals()) {
            let (left, right) = (bitmap(&a), bitmap(&b));
            let (a, b) = (normalize(a), normalize(b));
            prop_assert!(is_normal(&a));
            prop_assert_eq!(bitmap(&a), left.clone());

            let both = union(&a, &b);
            prop_assert!(is_normal(&both));
            let expected: Vec<bool> = left.iter().zip(&right).map(|(l, r)| *l || *r).collect();
            prop_assert_eq!(bitmap(&both), expected);

            let rest = subtract(&a, &b);
            prop_assert!(is_normal(&rest));
            let expected: Vec<bool> = left.iter().zip(&right).map(|(l, r)| *l && !*r).collect();
            prop_assert_eq!(bitmap(&rest), expected);
        }

        #[test]
        fn overlap_and_intersection_agree(a in intervals(), b in intervals()) {
            for (a, b) in a.iter().zip(&b) {
                prop_assert_eq!(a.overlaps(b), a.intersect(b).is_some());
                let shared: Vec<Interval> = a.intersect(b).into_iter().collect();
                let expected: Vec<bool> = bitmap(&[*a]).iter().zip(&bitmap(&[*b]))
                    .map(|(l, r)| *l && *r).collect();
                prop_assert_eq!(bitmap(&shared), expected);
            }
        }
    }
}
