//! Raw request events in slots: how many, how many failed, how long they took.
//!
//! Durations are kept as a short list of (bucket, count) a slot: a ring of whole hdrhistograms would take a
//! megabyte a version and 3 us a slot to add and subtract (PERFORMANCE, section 0). The newest slot's are recorded
//! in an hdrhistogram of two significant digits once the list is long. The running total is one array over the
//! same buckets, of which only the parts are there that are in use: a version with one request takes 2 KB a window.

mod image;

use hdrhistogram::Histogram;

use super::{
    lane::PAGE_SLOTS,
    pages::Pages,
    ring::{Lane, Place, Ring, Shape, Span},
};

/// The shortest duration told apart: a microsecond.
const DURATION_US_MIN: u64 = 1;
/// Longer durations count as this: an hour.
const DURATION_US_MAX: u64 = 3_600_000_000;
/// Two digits: a bucket is at most 1/128 of its value wide.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Sub-buckets of two digits: the power of two above 2 * 10^2, as hdrhistogram lays them out.
const SUB_BUCKETS_LOG2: u32 = 8;
const SUB_BUCKETS_HALF: u64 = 1 << (SUB_BUCKETS_LOG2 - 1);
const BUCKETS: usize = bucket_of(DURATION_US_MAX) + 1;

/// Buckets a page of the running total: half an octave, since the durations of one service lie close together.
const PAGE_BUCKETS: usize = 64;

/// The newest slot's list is searched this far for each request; beyond, an hdrhistogram of 13 KB is faster.
const LIST_MAX: usize = 64;

/// hdrhistogram's bucket of a value, which the crate keeps to itself.
const fn bucket_of(value_us: u64) -> usize {
    let octave = u64::BITS - (value_us | (2 * SUB_BUCKETS_HALF - 1)).leading_zeros() - SUB_BUCKETS_LOG2;
    (octave as u64 * SUB_BUCKETS_HALF + (value_us >> octave)) as usize
}

/// Lower and upper bound of a bucket, microseconds.
fn bounds_us_of(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    let octave = (bucket / SUB_BUCKETS_HALF).saturating_sub(1);
    let lower = (bucket - octave * SUB_BUCKETS_HALF) << octave;
    (lower, lower + (1 << octave))
}

/// Lower and upper bound of a bucket, seconds.
pub(super) fn bounds_seconds_of(bucket: usize) -> (f64, f64) {
    let (lower, upper) = bounds_us_of(bucket);
    (lower as f64 / 1e6, upper as f64 / 1e6)
}

/// A duration as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DurationUs(u64);

impl DurationUs {
    /// Rounded to microseconds and brought into the range kept; `None` if it is negative or not a number.
    pub(super) fn of_ms(duration_ms: f64) -> Option<Self> {
        let is_duration = duration_ms.is_finite() && duration_ms >= 0.0;
        let us = (duration_ms * 1000.0).round() as u64;
        is_duration.then_some(Self(us.clamp(DURATION_US_MIN, DURATION_US_MAX)))
    }
}

/// What a slot or a window of requests counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestCounts {
    pub(super) requests: u64,
    pub(super) errors: u64,
    /// How many of them told their duration.
    pub(super) timed: u64,
}

impl RequestCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.timed += other.timed;
    }

    fn subtract(&mut self, other: Self) {
        self.requests -= other.requests;
        self.errors -= other.errors;
        self.timed -= other.timed;
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Slot {
    counts: RequestCounts,
    /// (bucket, count), ascending.
    durations: Vec<(u16, u32)>,
}

pub(super) struct Requests {
    slots: Pages<Slot, PAGE_SLOTS>,
    /// The newest slot's durations in place of its list, once that is longer than [`LIST_MAX`]. `None` also if
    /// hdrhistogram refuses its constants, which a test rules out.
    open: Option<Box<Histogram<u32>>>,
    newest: usize,
    counts: RequestCounts,
    durations: Pages<u64, PAGE_BUCKETS>,
    /// Entries of all lists.
    listed: usize,
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requests").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Requests {
    pub(super) fn ring(shape: Shape) -> Ring<Self> {
        let lane = Self {
            slots: Pages::new(shape.kept()),
            open: None,
            newest: 0,
            counts: RequestCounts::default(),
            durations: Pages::new(BUCKETS),
            listed: 0,
        };
        Ring::new(shape, lane)
    }

    pub(super) fn add(&mut self, place: Place, is_error: bool, duration: Option<DurationUs>) {
        let one =
            RequestCounts { requests: 1, errors: u64::from(is_error), timed: u64::from(duration.is_some()) };
        let slot = self.slots.entry(place.index);
        slot.counts.add(one);
        if place.is_current {
            self.counts.add(one);
        }
        let Some(DurationUs(us)) = duration else { return };
        if place.is_current {
            *self.durations.entry(bucket_of(us)) += 1;
        }
        match &mut self.open {
            Some(open) if place.is_newest => open.saturating_record(us),
            _ => {
                self.listed += usize::from(add_to_list(&mut slot.durations, bucket_of(us), 1));
                let is_long = slot.durations.len() > LIST_MAX;
                if place.is_newest {
                    self.newest = place.index;
                    if is_long {
                        self.open();
                    }
                }
            }
        }
    }

    /// Brings the newest slot's list into a histogram.
    fn open(&mut self) {
        let list = self.slots.get_mut(self.newest).map(|slot| std::mem::take(&mut slot.durations));
        let list = list.unwrap_or_default();
        self.open = opened(&list);
        match (&self.open, self.slots.get_mut(self.newest)) {
            (None, Some(slot)) => slot.durations = list,
            _ => self.listed -= list.len(),
        }
    }

    /// Adds the span's buckets to `durations`, one count a bucket.
    pub(super) fn sum(&self, span: Span, mut durations: Option<&mut Vec<u64>>) -> RequestCounts {
        if let Some(sums) = durations.as_mut() {
            sums.resize(BUCKETS, 0);
        }
        if span.is_newest_window {
            if let Some(sums) = durations {
                let totals = self.durations.written().filter(|(_, count)| **count > 0);
                totals.for_each(|(bucket, count)| sums[bucket] += count);
            }
            return self.counts;
        }
        let mut counts = RequestCounts::default();
        for index in span.indexes() {
            let Some(slot) = self.slots.get(index) else { continue };
            counts.add(slot.counts);
            if let Some(sums) = durations.as_mut() {
                self.for_each_bucket(index, slot, |bucket, count| sums[bucket] += count);
            }
        }
        counts
    }

    fn for_each_bucket(&self, index: usize, slot: &Slot, mut visit: impl FnMut(usize, u64)) {
        for &(bucket, count) in &slot.durations {
            visit(usize::from(bucket), u64::from(count));
        }
        if let Some(open) = self.open.as_ref().filter(|_| index == self.newest) {
            recorded(open).for_each(|(bucket, count)| visit(usize::from(bucket), u64::from(count)));
        }
    }
}

impl Lane for Requests {
    fn seal(&mut self, _index: usize) {
        let Some(open) = self.open.take() else { return };
        if let Some(slot) = self.slots.get_mut(self.newest) {
            slot.durations = recorded(&open).collect();
            slot.durations.shrink_to_fit();
            self.listed += slot.durations.len();
        }
    }

    fn leave(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        self.counts.subtract(slot.counts);
        for &(bucket, count) in &slot.durations {
            let bucket = usize::from(bucket);
            let Some(total) = self.durations.get_mut(bucket) else { continue };
            *total -= u64::from(count);
            if *total == 0 {
                self.durations.trim(bucket);
            }
        }
    }

    fn recycle(&mut self, index: usize) {
        self.listed -= self.slots.get(index).map_or(0, |slot| slot.durations.len());
        self.slots.clear(index);
    }

    fn bytes(&self) -> usize {
        let lists = self.listed * size_of::<(u16, u32)>();
        let open = if self.open.is_some() { BUCKETS * size_of::<u32>() } else { 0 };
        self.slots.bytes() + self.durations.bytes() + lists + open
    }
}

fn new_histogram() -> Option<Histogram<u32>> {
    Histogram::new_with_bounds(DURATION_US_MIN, DURATION_US_MAX, SIGNIFICANT_DIGITS).ok()
}

/// A histogram of what the list counts.
fn opened(buckets: &[(u16, u32)]) -> Option<Box<Histogram<u32>>> {
    let mut histogram = new_histogram()?;
    for &(bucket, count) in buckets {
        // Any value of the bucket is as good as another: only buckets are read.
        let (lower, _) = bounds_us_of(usize::from(bucket));
        histogram.saturating_record_n(lower.clamp(DURATION_US_MIN, DURATION_US_MAX), count);
    }
    Some(Box::new(histogram))
}

fn recorded(histogram: &Histogram<u32>) -> impl Iterator<Item = (u16, u32)> {
    histogram
        .iter_recorded()
        .map(|it| (bucket_of(it.value_iterated_to().min(DURATION_US_MAX)) as u16, it.count_at_value()))
}

/// Whether the list became longer.
fn add_to_list(list: &mut Vec<(u16, u32)>, bucket: usize, count: u32) -> bool {
    let bucket = bucket as u16;
    match list.binary_search_by_key(&bucket, |it| it.0) {
        Ok(at) => list[at].1 = list[at].1.saturating_add(count),
        Err(at) => {
            list.insert(at, (bucket, count));
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_bucket_fits_the_list() {
        assert!(BUCKETS <= usize::from(u16::MAX));
        assert!(new_histogram().is_some(), "hdrhistogram takes our bounds");
    }

    #[test]
    fn odd_durations_are_refused_or_brought_into_range() {
        for (ms, expected) in [
            (f64::NAN, None),
            (f64::INFINITY, None),
            (-1.0, None),
            (0.0, Some(1)),
            (0.25, Some(250)),
            (1e300, Some(DURATION_US_MAX)),
        ] {
            assert_eq!(DurationUs::of_ms(ms), expected.map(DurationUs), "{ms} ms");
        }
    }

    proptest! {
        #[test]
        fn buckets_are_hdrhistograms(value in DURATION_US_MIN..=DURATION_US_MAX) {
            let histogram = new_histogram().unwrap();
            let (lower, upper) = bounds_us_of(bucket_of(value));
            prop_assert!((lower..upper).contains(&value));
            prop_assert_eq!(lower, histogram.lowest_equivalent(value));
            prop_assert_eq!(upper - 1, histogram.highest_equivalent(value));
        }

        /// Totals, slots and the open histogram agree with a plain list, whatever the order of arrival.
        #[test]
        fn a_duration_is_off_by_no_more_than_is_said(exponent in 0.0..9.5_f64) {
            let us = 10_f64.powf(exponent);
            let DurationUs(kept) = DurationUs::of_ms(us / 1000.0).unwrap();
            let (lower, upper) = bounds_us_of(bucket_of(kept));
            let said = 0.008 * us + 1.5;
            prop_assert!((lower as f64 - us).abs() <= said && (upper as f64 - us).abs() <= said, "{us}: {lower} to {upper}");
        }

        #[test]
        fn windows_are_those_of_a_list(
            events in prop::collection::vec((0_i64..180_000, any::<bool>(), 1_u64..1_000_000), 1..300),
            back_slots in 0_i64..60,
        ) {
            let mut ring = Requests::ring(Shape::of(Duration::from_secs(60)));
            let mut list = Vec::new();
            let (mut base_ms, mut newest_s) = (0, i64::MIN);
            for (offset_ms, is_error, us) in events {
                base_ms += 700;
                let at = Timestamp::from_millis(base_ms + offset_ms / 3);
                if let Some(place) = ring.place(at) {
                    newest_s = newest_s.max(at.as_millis() / 1000);
                    ring.lane.add(place, is_error, Some(DurationUs(us)));
                    list.push((at.as_millis() / 1000, is_error, bucket_of(us)));
                }
            }
            let end_s = newest_s - back_slots;
            let span = ring.span(Timestamp::from_millis(end_s * 1000), Duration::from_secs(60), None);
            let mut durations = Vec::new();
            let counts = span.map(|span| ring.lane.sum(span, Some(&mut durations))).unwrap_or_default();
            let inside = |at_s: i64| at_s <= end_s && at_s > end_s - 60 && at_s > newest_s - 120;
            let expected: Vec<_> = list.iter().filter(|it| inside(it.0)).collect();
            prop_assert_eq!(counts.requests, expected.len() as u64);
            prop_assert_eq!(counts.errors, expected.iter().filter(|it| it.1).count() as u64);
            durations.resize(BUCKETS, 0);
            for (bucket, count) in durations.into_iter().enumerate() {
                prop_assert_eq!(count, expected.iter().filter(|it| it.2 == bucket).count() as u64);
            }
        }
    }
}
