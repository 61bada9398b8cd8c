//! A sliding window as a ring of slots in event time.
//!
//! What a slot holds is a [`Lane`]'s business. The ring keeps two windows' worth of slots: the newest window
//! has running totals, to which a slot is added when something falls into it and from which it is subtracted
//! when it leaves; the one before serves questions about an earlier moment by summing slots. Counts are
//! integers, so subtracting is exact.

mod image;

use std::time::Duration;

use model::Timestamp;

pub(super) use image::Saved;

/// Slots a window has at least this width: finer ones would be empty between two scrapes.
const SLOT_MS_MIN: i64 = 1000;

/// Slots a window.
const SLOTS: i64 = 60;

/// What the slots of a ring hold.
pub(super) trait Lane {
    /// The newest slot is the newest no longer.
    fn seal(&mut self, _index: usize) {}
    /// The slot leaves the newest window: subtract it from the totals.
    fn leave(&mut self, index: usize);
    /// The slot is to be used anew: empty it. It left the window before.
    fn recycle(&mut self, index: usize);
    /// What its slots take in memory: a function of what was counted in them.
    fn bytes(&self) -> usize;
}

/// Window and slot widths of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) window: Duration,
    width_ms: i64,
    /// Slots of one window.
    slots: i64,
}

impl Shape {
    pub(super) fn of(window: Duration) -> Self {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 4).clamp(1, i64::MAX / 4);
        let width_ms = (window_ms / SLOTS).max(SLOT_MS_MIN);
        Self { window, width_ms, slots: slots_in(window_ms, width_ms) }
    }

    /// How many slots a ring of this shape keeps.
    pub(super) fn kept(&self) -> usize {
        (2 * self.slots) as usize
    }

    fn slot_of(&self, at: Timestamp) -> i64 {
        at.as_millis().div_euclid(self.width_ms)
    }
}

fn slots_in(window_ms: i64, width_ms: i64) -> i64 {
    (window_ms / width_ms + i64::from(window_ms % width_ms != 0)).max(1)
}

/// A slot to add to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) index: usize,
    /// Whether the running totals have to grow too.
    pub(super) is_current: bool,
    /// Whether it is the newest slot.
    pub(super) is_newest: bool,
}

/// Which slots answer a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: i64,
    last: i64,
    kept: i64,
    /// They are exactly those of the running totals.
    pub(super) is_newest_window: bool,
}

impl Span {
    pub(super) fn indexes(&self) -> impl Iterator<Item = usize> + use<> {
        let kept = self.kept;
        (self.first..=self.last).map(move |slot| slot.rem_euclid(kept) as usize)
    }
}

#[derive(Debug)]
pub(super) struct Ring<L> {
    pub(super) shape: Shape,
    /// The newest slot's number; `None` while nothing was added.
    head: Option<i64>,
    head_index: usize,
    head_from_ms: i64,
    pub(super) first_at: Timestamp,
    pub(super) newest_at: Timestamp,
    pub(super) lane: L,
}

impl<L: Lane> Ring<L> {
    pub(super) fn new(shape: Shape, lane: L) -> Self {
        Self {
            shape,
            head: None,
            head_index: 0,
            head_from_ms: 0,
            first_at: Timestamp::MAX,
            newest_at: Timestamp::MIN,
            lane,
        }
    }

    /// The slot of `at`, brought in if it is newer than all; `None` if it is older than what is kept.
    pub(super) fn place(&mut self, at: Timestamp) -> Option<Place> {
        let ahead_ms = at.as_millis().wrapping_sub(self.head_from_ms);
        if self.head.is_some() && (0..self.shape.width_ms).contains(&ahead_ms) {
            self.newest_at = self.newest_at.max(at);
            return Some(Place { index: self.head_index, is_current: true, is_newest: true });
        }
        let slot = self.shape.slot_of(at);
        match self.head {
            Some(head) if slot <= head => self.place_before(head, slot, at),
            head => Some(self.advance(head, slot, at)),
        }
    }

    fn place_before(&mut self, head: i64, slot: i64, at: Timestamp) -> Option<Place> {
        let kept = self.shape.kept() as i64;
        if slot <= head.saturating_sub(kept) {
            return None;
        }
        self.first_at = self.first_at.min(at);
        let is_current = slot > head.saturating_sub(self.shape.slots);
        Some(Place { index: slot.rem_euclid(kept) as usize, is_current, is_newest: false })
    }

    fn advance(&mut self, head: Option<i64>, slot: i64, at: Timestamp) -> Place {
        let kept = self.shape.kept() as i64;
        if let Some(head) = head {
            self.lane.seal(self.head_index);
            self.pass(head, slot);
        }
        let is_fresh = head.is_none_or(|head| slot.saturating_sub(head) >= kept);
        self.first_at = if is_fresh { at } else { self.first_at.min(at) };
        self.newest_at = at;
        self.head = Some(slot);
        self.head_index = slot.rem_euclid(kept) as usize;
        self.head_from_ms = slot.saturating_mul(self.shape.width_ms);
        Place { index: self.head_index, is_current: true, is_newest: true }
    }

    /// Moves the window's end from slot `head` to slot `to`.
    fn pass(&mut self, head: i64, to: i64) {
        let (slots, kept) = (self.shape.slots, self.shape.kept() as i64);
        let index = |slot: i64| slot.rem_euclid(kept) as usize;
        let moved = to.saturating_sub(head);
        for slot in head - slots + 1..=head - slots + moved.min(slots) {
            self.lane.leave(index(slot));
        }
        for slot in head + 1..=head + moved.min(kept) {
            // Slots jumped over never were in the window's totals; those older than a ring are emptied once.
            self.lane.recycle(index(slot));
        }
    }

    /// Where the oldest slot kept begins.
    pub(super) fn kept_from(&self) -> Timestamp {
        let oldest = self.head.map_or(i64::MIN, |head| head - self.shape.kept() as i64 + 1);
        Timestamp::from_millis(oldest.saturating_mul(self.shape.width_ms))
    }

    /// The slots of the `window` that ends at `at`, none before `since`; `None` if nothing is kept of it.
    pub(super) fn span(&self, at: Timestamp, window: Duration, since: Option<Timestamp>) -> Option<Span> {
        let (head, kept) = (self.head?, self.shape.kept() as i64);
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 4);
        let end = self.shape.slot_of(at);
        let mut first = end.saturating_sub(slots_in(window_ms, self.shape.width_ms)).saturating_add(1);
        if let Some(since) = since {
            let slot = self.shape.slot_of(since);
            let is_inside = since.as_millis().rem_euclid(self.shape.width_ms) != 0;
            first = first.max(slot.saturating_add(i64::from(is_inside)));
        }
        let first = first.max(head - kept + 1);
        let last = end.min(head);
        let is_newest_window = last == head && first == head - self.shape.slots + 1;
        (first <= last).then_some(Span { first, last, kept, is_newest_window })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Counts what was added a slot and in the newest window.
    struct Tally {
        slots: Vec<u64>,
        total: u64,
    }

    impl Lane for Tally {
        fn leave(&mut self, index: usize) {
            self.total -= self.slots[index];
        }

        fn recycle(&mut self, index: usize) {
            self.slots[index] = 0;
        }

        fn bytes(&self) -> usize {
            0
        }
    }

    fn ring(window_s: u64) -> Ring<Tally> {
        let shape = Shape::of(Duration::from_secs(window_s));
        Ring::new(shape, Tally { slots: vec![0; shape.kept()], total: 0 })
    }

    fn add(ring: &mut Ring<Tally>, at: Timestamp) -> bool {
        let Some(place) = ring.place(at) else { return false };
        ring.lane.slots[place.index] += 1;
        ring.lane.total += u64::from(place.is_current);
        true
    }

    #[test]
    fn slots_are_a_sixtieth_of_the_window_and_a_second_at_least() {
        for (window_s, width_ms, slots) in
            [(300, 5000, 60), (30, 1000, 30), (90, 1500, 60), (3600, 60_000, 60), (1, 1000, 1)]
        {
            let shape = Shape::of(Duration::from_secs(window_s));
            assert_eq!((shape.width_ms, shape.slots), (width_ms, slots), "{window_s} s");
        }
    }

    proptest! {
        /// The model: all moments ever added, of which a slot-aligned range is counted.
        #[test]
        fn sums_are_those_of_a_list(
            window_s in 1_u64..200,
            steps in prop::collection::vec((-400_000_i64..400_000, 0_i64..20_000), 1..200),
            back_ms in 0_i64..200_000,
            since_ms in prop::option::of(0_i64..200_000),
        ) {
            let mut ring = ring(window_s);
            let shape = ring.shape;
            let mut list: BTreeMap<i64, u64> = BTreeMap::new();
            let (mut now_ms, mut head) = (1_000_000_000_i64, i64::MIN);
            for (jump_ms, step_ms) in steps {
                now_ms += step_ms;
                let at = Timestamp::from_millis(if jump_ms > 0 { now_ms } else { now_ms + jump_ms });
                let slot = shape.slot_of(at);
                let is_kept = head == i64::MIN || slot > head - shape.kept() as i64;
                prop_assert_eq!(add(&mut ring, at), is_kept);
                if is_kept {
                    *list.entry(slot).or_default() += 1;
                    head = head.max(slot);
                }
                let newest: u64 = list.range(head - shape.slots + 1..).map(|it| it.1).sum();
                prop_assert_eq!(ring.lane.total, newest);
            }
            let end_ms = head * shape.width_ms - back_ms.min(window_s as i64 * 1000);
            let since = since_ms.map(|ms| end_ms - ms);
            let end = Timestamp::from_millis(end_ms);
            let span = ring.span(end, shape.window, since.map(Timestamp::from_millis));
            let sum: u64 = span.iter().flat_map(|it| it.indexes()).map(|it| ring.lane.slots[it]).sum();
            let expected: u64 = list
                .iter()
                .filter(|(slot, _)| **slot <= shape.slot_of(end) && **slot > shape.slot_of(end) - shape.slots)
                .filter(|(slot, _)| **slot > head - shape.kept() as i64)
                .filter(|(slot, _)| since.is_none_or(|since| **slot * shape.width_ms >= since))
                .map(|it| it.1)
                .sum();
            prop_assert_eq!(sum, expected);
        }
    }
}
