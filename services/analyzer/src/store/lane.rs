//! What slots hold: counts, buckets, gauge values.

use serde::{Deserialize, Serialize};

use super::{
    ladder::RUNGS_MAX,
    ring::{Lane, Place, Ring, Saved, Shape, Span},
    runs,
};

/// A bucket a rung, and the samples.
const COLUMNS_MAX: usize = RUNGS_MAX + 1;

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

/// [`Counts`] in a snapshot. The totals are kept, since a full counter makes them differ from the slots' sum.
#[derive(Serialize, Deserialize)]
pub(super) struct CountsImage {
    totals: Vec<u64>,
    slots: Vec<u64>,
}

impl<const N: usize> Saved for Counts<N> {
    type Image = CountsImage;

    fn image(&self) -> CountsImage {
        CountsImage { totals: self.totals.to_vec(), slots: runs::pack(self.slots.iter().flatten().copied()) }
    }

    fn of_image(image: CountsImage, kept: usize, _current: &[usize]) -> Option<Self> {
        let numbers = runs::unpack(&image.slots, kept * N)?;
        let (slots, _) = numbers.as_chunks();
        Some(Self { slots: slots.into(), totals: image.totals.try_into().ok()? })
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

/// [`Buckets`] in a snapshot: the totals are the sums of the newest window's slots.
#[derive(Serialize, Deserialize)]
pub(super) struct BucketsImage {
    columns: u16,
    slots: Vec<u64>,
}

impl Buckets {
    /// One more than there are buckets.
    pub(super) fn columns(&self) -> usize {
        self.totals.len()
    }
}

impl Saved for Buckets {
    type Image = BucketsImage;

    fn image(&self) -> BucketsImage {
        let slots = runs::pack(self.slots.iter().copied().map(u64::from));
        BucketsImage { columns: self.columns() as u16, slots }
    }

    fn of_image(image: BucketsImage, kept: usize, current: &[usize]) -> Option<Self> {
        let columns = usize::from(image.columns);
        if !(1..=COLUMNS_MAX).contains(&columns) {
            return None;
        }
        let numbers = runs::unpack(&image.slots, kept * columns)?;
        let slots: Box<[u32]> =
            numbers.into_iter().map(|it| u32::try_from(it).ok()).collect::<Option<_>>()?;
        let mut totals: Box<[u64]> = vec![0; columns].into();
        for index in current {
            let slot = &slots[index * columns..(index + 1) * columns];
            totals.iter_mut().zip(slot).for_each(|(total, count)| *total += u64::from(*count));
        }
        Some(Self { slots, totals })
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

/// [`Gauges`] in a snapshot: the sums as bits, so that they come out as they were, and the samples.
#[derive(Serialize, Deserialize)]
pub(super) struct GaugesImage {
    sums: Vec<u64>,
    samples: Vec<u64>,
}

impl Saved for Gauges {
    type Image = GaugesImage;

    fn image(&self) -> GaugesImage {
        GaugesImage {
            sums: runs::pack(self.slots.iter().map(|slot| slot.0.to_bits())),
            samples: runs::pack(self.slots.iter().map(|slot| slot.1)),
        }
    }

    fn of_image(image: GaugesImage, kept: usize, _current: &[usize]) -> Option<Self> {
        let sums = runs::unpack(&image.sums, kept)?.into_iter().map(f64::from_bits);
        Some(Self { slots: sums.zip(runs::unpack(&image.samples, kept)?).collect() })
    }
}
