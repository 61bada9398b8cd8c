//! What slots hold: counts, buckets, gauge values.

use super::ring::{Lane, Place, Ring, Shape, Span};

/// `N` counts a slot.
#[derive(Debug)]
pub(super) struct Counts<const N: usize> {
    slots: Box<[[u64; N]]>,
    totals: [u64; N],
}

impl<const N: usize> Counts<N> {
    pub(super) fn ring(shape: Shape) -> Ring<Self> {
        Ring::new(shape, Self { slots: vec![[0; N]; shape.kept()].into(), totals: [0; N] })
    }

    pub(super) fn add(&mut self, place: Place, amounts: [u64; N]) {
        let slot = &mut self.slots[place.index];
        for (at, amount) in amounts.into_iter().enumerate() {
            // What a full counter cannot take is not added to the total either: it will not be subtracted.
            let grown = slot[at].saturating_add(amount);
            let taken = grown - slot[at];
            slot[at] = grown;
            if place.is_current {
                self.totals[at] = self.totals[at].saturating_add(taken);
            }
        }
    }

    pub(super) fn sum(&self, span: Span) -> [u64; N] {
        if span.is_newest_window {
            return self.totals;
        }
        let mut sums = [0_u64; N];
        for index in span.indexes() {
            for (sum, count) in sums.iter_mut().zip(self.slots[index]) {
                *sum = sum.saturating_add(count);
            }
        }
        sums
    }
}

impl<const N: usize> Lane for Counts<N> {
    fn leave(&mut self, index: usize) {
        for (total, count) in self.totals.iter_mut().zip(self.slots[index]) {
            *total = total.saturating_sub(count);
        }
    }

    fn recycle(&mut self, index: usize) {
        self.slots[index] = [0; N];
    }
}

/// The increases of a histogram's cumulative buckets, and how many samples brought them.
///
/// A slot's counts are 32 bits wide: 4 G requests in a slot are beyond any service, and 12 bounds at 120 slots
/// are 6 KB instead of 12. They stop growing there instead of wrapping.
#[derive(Debug)]
pub(super) struct Buckets {
    slots: Box<[u32]>,
    totals: Box<[u64]>,
}

impl Buckets {
    pub(super) fn ring(shape: Shape, buckets: usize) -> Ring<Self> {
        let columns = buckets + 1;
        let lane = Self { slots: vec![0; columns * shape.kept()].into(), totals: vec![0; columns].into() };
        Ring::new(shape, lane)
    }

    pub(super) fn add(&mut self, place: Place, bucket: usize, amount: u64) {
        let columns = self.totals.len();
        self.add_to(place, bucket.min(columns - 1), amount);
        self.add_to(place, columns - 1, 1);
    }

    fn add_to(&mut self, place: Place, column: usize, amount: u64) {
        let slot = &mut self.slots[place.index * self.totals.len() + column];
        let grown = slot.saturating_add(u32::try_from(amount).unwrap_or(u32::MAX));
        if place.is_current {
            self.totals[column] += u64::from(grown - *slot);
        }
        *slot = grown;
    }

    /// Adds the span's cumulative increases to `sums`, one a bucket, and returns how many samples there were.
    pub(super) fn sum(&self, span: Span, sums: &mut [u64]) -> u64 {
        let columns = self.totals.len();
        let mut samples = 0;
        let mut take = |column: usize, count: u64| match sums.get_mut(column) {
            Some(sum) if column + 1 < columns => *sum += count,
            _ => samples += count,
        };
        if span.is_newest_window {
            self.totals.iter().enumerate().for_each(|(column, count)| take(column, *count));
            return samples;
        }
        for index in span.indexes() {
            let slot = &self.slots[index * columns..(index + 1) * columns];
            slot.iter().enumerate().for_each(|(column, count)| take(column, u64::from(*count)));
        }
        samples
    }
}

impl Lane for Buckets {
    fn leave(&mut self, index: usize) {
        let columns = self.totals.len();
        let slot = &self.slots[index * columns..(index + 1) * columns];
        for (total, count) in self.totals.iter_mut().zip(slot) {
            *total = total.saturating_sub(u64::from(*count));
        }
    }

    fn recycle(&mut self, index: usize) {
        let columns = self.totals.len();
        self.slots[index * columns..(index + 1) * columns].fill(0);
    }
}

/// Sums of gauge values. Floats do not subtract exactly, so there are no running totals.
#[derive(Debug)]
pub(super) struct Gauges {
    slots: Box<[(f64, u64)]>,
}

impl Gauges {
    pub(super) fn ring(shape: Shape) -> Ring<Self> {
        Ring::new(shape, Self { slots: vec![(0.0, 0); shape.kept()].into() })
    }

    pub(super) fn add(&mut self, place: Place, value: f64) {
        let (sum, samples) = &mut self.slots[place.index];
        *sum += value;
        *samples += 1;
    }

    pub(super) fn sum(&self, span: Span) -> (f64, u64) {
        span.indexes().map(|index| self.slots[index]).fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

impl Lane for Gauges {
    fn leave(&mut self, _index: usize) {}

    fn recycle(&mut self, index: usize) {
        self.slots[index] = (0.0, 0);
    }
}
