//! Request counts as they stand in a snapshot: what each slot counted. The window's totals are the sums of its slots.

use serde::{Deserialize, Serialize};

use super::{BUCKETS, LIST_MAX, RequestCounts, Requests, Slot, opened, recorded};
use crate::store::{lane::PAGE_SLOTS, pages::Pages, ring::Saved, runs};

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
        let Self { slots, open, newest, counts: _, durations: _, listed: _ } = self;
        let counts = slots.iter().map(|slot| slot.map(|slot| slot.counts).unwrap_or_default());
        let timed = slots.written().filter(|(_, slot)| !slot.durations.is_empty());
        RequestsImage {
            counts: runs::pack(counts.flat_map(|it| [it.requests, it.errors, it.timed])),
            durations: timed.map(|(index, slot)| (index as u16, slot.durations.clone())).collect(),
            open: open.iter().flat_map(|open| recorded(open)).collect(),
            newest: *newest as u16,
        }
    }

    fn of_image(image: RequestsImage, kept: usize, current: &[usize]) -> Option<Self> {
        let counts = runs::unpack(&image.counts, 3 * kept)?;
        let of_slot = |it: &[u64; 3]| RequestCounts { requests: it[0], errors: it[1], timed: it[2] };
        let slots = counts.as_chunks().0.iter();
        let slots = slots.map(|counts| Slot { counts: of_slot(counts), durations: Vec::new() });
        let mut slots: Pages<Slot, PAGE_SLOTS> = Pages::of(kept, slots);
        for (index, durations) in image.durations {
            let is_list = durations.is_sorted_by(|a, b| a.0 < b.0) && durations.iter().all(is_bucket);
            // Durations are those of requests: a slot that has some is on a page.
            slots.get_mut(usize::from(index)).filter(|_| is_list)?.durations = durations;
        }
        let newest = usize::from(image.newest);
        let is_unlisted = || slots.get(newest).is_some_and(|slot| slot.durations.is_empty());
        let is_open = image.open.is_empty() || (image.open.len() > LIST_MAX && is_unlisted());
        let is_sound = newest < kept && is_open && image.open.iter().all(is_bucket);
        is_sound.then(|| Self::of_slots(slots, &image.open, newest, current))
    }
}

impl Requests {
    fn of_slots(
        slots: Pages<Slot, PAGE_SLOTS>,
        open: &[(u16, u32)],
        newest: usize,
        current: &[usize],
    ) -> Self {
        let mut counts = RequestCounts::default();
        let mut durations = Pages::new(BUCKETS);
        let mut add = |&(bucket, count): &(u16, u32)| {
            *durations.entry(usize::from(bucket)) += u64::from(count);
        };
        for slot in current.iter().filter_map(|&index| slots.get(index)) {
            counts.add(slot.counts);
            slot.durations.iter().for_each(&mut add);
        }
        open.iter().for_each(&mut add);
        let open = if open.is_empty() { None } else { opened(open) };
        let listed = slots.written().map(|(_, slot)| slot.durations.len()).sum();
        Self { slots, open, newest, counts, durations, listed }
    }
}

fn is_bucket(one: &(u16, u32)) -> bool {
    usize::from(one.0) < BUCKETS
}
