//! Request counts as they stand in a snapshot: what each slot counted. The window's totals are the sums of its slots.

use serde::{Deserialize, Serialize};

use super::{
    BUCKETS, DURATION_US_MAX, DURATION_US_MIN, RequestCounts, Requests, Slot, bounds_us_of, new_histogram,
    recorded,
};
use crate::store::{ring::Saved, runs};

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct RequestsImage {
    /// Requests, errors and timed ones of each slot.
    counts: Vec<u64>,
    /// The slots with durations, and these.
    durations: Vec<(u16, Vec<(u16, u32)>)>,
    /// What the newest slot's histogram holds.
    open: Vec<(u16, u32)>,
    newest: u16,
}

impl Saved for Requests {
    type Image = RequestsImage;

    fn image(&self) -> RequestsImage {
        let Self { slots, open, newest, counts: _, durations: _ } = self;
        let counts =
            slots.iter().flat_map(|slot| [slot.counts.requests, slot.counts.errors, slot.counts.timed]);
        let timed = (0..).zip(slots).filter(|(_, slot)| !slot.durations.is_empty());
        RequestsImage {
            counts: runs::pack(counts),
            durations: timed.map(|(index, slot)| (index, slot.durations.clone())).collect(),
            open: open.iter().flat_map(|open| recorded(open)).collect(),
            newest: *newest as u16,
        }
    }

    fn of_image(image: RequestsImage, kept: usize, current: &[usize]) -> Option<Self> {
        let counts = runs::unpack(&image.counts, 3 * kept)?;
        let of_slot = |it: &[u64; 3]| RequestCounts { requests: it[0], errors: it[1], timed: it[2] };
        let mut slots: Box<[Slot]> = counts
            .as_chunks()
            .0
            .iter()
            .map(|counts| Slot { counts: of_slot(counts), durations: Vec::new() })
            .collect();
        for (index, durations) in image.durations {
            let is_list = durations.is_sorted_by(|a, b| a.0 < b.0) && durations.iter().all(is_bucket);
            slots.get_mut(usize::from(index)).filter(|_| is_list)?.durations = durations;
        }
        let newest = usize::from(image.newest);
        let is_sound = newest < kept && image.open.iter().all(is_bucket);
        is_sound.then(|| Self::of_slots(slots, &image.open, newest, current))
    }
}

impl Requests {
    fn of_slots(slots: Box<[Slot]>, open: &[(u16, u32)], newest: usize, current: &[usize]) -> Self {
        let mut counts = RequestCounts::default();
        let mut durations: Box<[u64]> = vec![0; BUCKETS].into();
        let mut add = |&(bucket, count): &(u16, u32)| durations[usize::from(bucket)] += u64::from(count);
        for &index in current {
            counts.add(slots[index].counts);
            slots[index].durations.iter().for_each(&mut add);
        }
        open.iter().for_each(&mut add);
        let open = if open.is_empty() { None } else { opened(open) };
        Self { slots, open, newest, counts, durations }
    }
}

fn is_bucket(one: &(u16, u32)) -> bool {
    usize::from(one.0) < BUCKETS
}

fn opened(buckets: &[(u16, u32)]) -> Option<Box<hdrhistogram::Histogram<u32>>> {
    let mut histogram = new_histogram()?;
    for &(bucket, count) in buckets {
        // Any value of the bucket is as good as another: only buckets are read.
        let (lower, _) = bounds_us_of(usize::from(bucket));
        histogram.saturating_record_n(lower.clamp(DURATION_US_MIN, DURATION_US_MAX), count);
    }
    Some(Box::new(histogram))
}
