//! What slots hold: counts, buckets, gauge values.

use serde::{Deserialize, Serialize};

use super::{
    ladder::RUNGS_MAX,
    pages::Pages,
    ring::{Lane, Place, Ring, Saved, Shape, Span},
    runs,
};

/// A bucket a rung, and the samples.
const COLUMNS_MAX: usize = RUNGS_MAX + 1;

/// Slots a page: the fewer, the less a version with little traffic takes, and the more the list of pages does.
pub(super) const PAGE_SLOTS: usize = 8;

/// `N` counts a slot.
#[derive(Debug)]
pub(super) struct Counts<const N: usize> {
    slots: Pages<[u64; N], PAGE_SLOTS>,
    totals: [u64; N],
}

impl<const N: usize> Counts<N>
where
    [u64; N]: Default,
{
    pub(super) fn ring(shape: Shape) -> Ring<Self> {
        Ring::new(shape, Self { slots: Pages::new(shape.kept()), totals: [0; N] })
    }

    pub(super) fn add(&mut self, place: Place, amounts: [u64; N]) {
        let slot = self.slots.entry(place.index);
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
        for slot in span.indexes().filter_map(|index| self.slots.get(index)) {
            for (sum, count) in sums.iter_mut().zip(slot) {
                *sum = sum.saturating_add(*count);
            }
        }
        sums
    }
}

impl<const N: usize> Lane for Counts<N>
where
    [u64; N]: Default,
{
    fn leave(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        for (total, count) in self.totals.iter_mut().zip(slot) {
            *total = total.saturating_sub(*count);
        }
    }

    fn recycle(&mut self, index: usize) {
        self.slots.clear(index);
    }

    fn bytes(&self) -> usize {
        self.slots.bytes()
    }
}

/// [`Counts`] in a snapshot. The totals are kept, since a full counter makes them differ from the slots' sum.
#[derive(Serialize, Deserialize)]
pub(super) struct CountsImage {
    totals: Vec<u64>,
    slots: Vec<u64>,
}

impl<const N: usize> Saved for Counts<N>
where
    [u64; N]: Default,
{
    type Image = CountsImage;

    fn image(&self) -> CountsImage {
        let slots = self.slots.iter().flat_map(|slot| slot.copied().unwrap_or_default());
        CountsImage { totals: self.totals.to_vec(), slots: runs::pack(slots) }
    }

    fn of_image(image: CountsImage, kept: usize, _current: &[usize]) -> Option<Self> {
        let numbers = runs::unpack(&image.slots, kept * N)?;
        let (slots, _) = numbers.as_chunks();
        let slots = Pages::of(kept, slots.iter().copied());
        Some(Self { slots, totals: image.totals.try_into().ok()? })
    }
}

/// The increases of a histogram's cumulative buckets, and how many samples brought them.
///
/// A slot's counts are 32 bits wide: 4 G requests in a slot are beyond any service, and 12 bounds at 120 slots
/// are 6 KB instead of 12. They stop growing there instead of wrapping.
#[derive(Debug)]
pub(super) struct Buckets {
    slots: Pages<Row, PAGE_SLOTS>,
    totals: Box<[u64]>,
    /// How many slots have a row.
    rows: usize,
}

/// A slot's counts, a column each; empty while nothing was counted.
type Row = Box<[u32]>;

impl Buckets {
    pub(super) fn ring(shape: Shape, buckets: usize) -> Ring<Self> {
        let columns = buckets + 1;
        let lane = Self { slots: Pages::new(shape.kept()), totals: vec![0; columns].into(), rows: 0 };
        Ring::new(shape, lane)
    }

    pub(super) fn add(&mut self, place: Place, bucket: usize, amount: u64) {
        let columns = self.totals.len();
        let row = self.slots.entry(place.index);
        if row.is_empty() {
            *row = vec![0; columns].into();
            self.rows += 1;
        }
        for (column, amount) in [(bucket.min(columns - 1), amount), (columns - 1, 1)] {
            let grown = row[column].saturating_add(u32::try_from(amount).unwrap_or(u32::MAX));
            if place.is_current {
                self.totals[column] += u64::from(grown - row[column]);
            }
            row[column] = grown;
        }
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
        for row in span.indexes().filter_map(|index| self.slots.get(index)) {
            row.iter().enumerate().for_each(|(column, count)| take(column, u64::from(*count)));
        }
        samples
    }
}

impl Lane for Buckets {
    fn leave(&mut self, index: usize) {
        let Some(row) = self.slots.get(index) else { return };
        for (total, count) in self.totals.iter_mut().zip(row) {
            *total = total.saturating_sub(u64::from(*count));
        }
    }

    fn recycle(&mut self, index: usize) {
        self.rows -= usize::from(self.slots.get(index).is_some_and(|row| !row.is_empty()));
        self.slots.clear(index);
    }

    fn bytes(&self) -> usize {
        self.slots.bytes() + self.rows * self.columns() * size_of::<u32>()
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
        let columns = self.columns();
        let count = |row: Option<&Row>, column: usize| row.and_then(|row| row.get(column)).copied();
        let rows = self.slots.iter();
        let counts = rows.flat_map(|row| (0..columns).map(move |column| count(row, column).unwrap_or(0)));
        BucketsImage { columns: columns as u16, slots: runs::pack(counts.map(u64::from)) }
    }

    fn of_image(image: BucketsImage, kept: usize, current: &[usize]) -> Option<Self> {
        let columns = usize::from(image.columns);
        if !(1..=COLUMNS_MAX).contains(&columns) {
            return None;
        }
        let numbers = runs::unpack(&image.slots, kept * columns)?;
        let rows: Vec<Row> = numbers.chunks(columns).map(row_of).collect::<Option<_>>()?;
        let mut totals: Box<[u64]> = vec![0; columns].into();
        for row in current.iter().filter_map(|&index| rows.get(index)) {
            totals.iter_mut().zip(row).for_each(|(total, count)| *total += u64::from(*count));
        }
        let used = rows.iter().filter(|row| !row.is_empty()).count();
        Some(Self { slots: Pages::of(kept, rows), totals, rows: used })
    }
}

fn row_of(counts: &[u64]) -> Option<Row> {
    if counts.iter().all(|count| *count == 0) {
        return Some(Row::default());
    }
    counts.iter().map(|&count| u32::try_from(count).ok()).collect()
}

/// Sums of gauge values. Floats do not subtract exactly, so there are no running totals.
#[derive(Debug)]
pub(super) struct Gauges {
    slots: Pages<(f64, u64), PAGE_SLOTS>,
}

impl Gauges {
    pub(super) fn ring(shape: Shape) -> Ring<Self> {
        Ring::new(shape, Self { slots: Pages::new(shape.kept()) })
    }

    pub(super) fn add(&mut self, place: Place, value: f64) {
        let (sum, samples) = self.slots.entry(place.index);
        *sum += value;
        *samples += 1;
    }

    pub(super) fn sum(&self, span: Span) -> (f64, u64) {
        let slots = span.indexes().filter_map(|index| self.slots.get(index));
        slots.fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

impl Lane for Gauges {
    fn leave(&mut self, _index: usize) {}

    fn recycle(&mut self, index: usize) {
        self.slots.clear(index);
    }

    fn bytes(&self) -> usize {
        self.slots.bytes()
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
        let slots = || self.slots.iter().map(|slot| slot.copied().unwrap_or_default());
        GaugesImage {
            sums: runs::pack(slots().map(|slot| slot.0.to_bits())),
            samples: runs::pack(slots().map(|slot| slot.1)),
        }
    }

    fn of_image(image: GaugesImage, kept: usize, _current: &[usize]) -> Option<Self> {
        let sums = runs::unpack(&image.sums, kept)?.into_iter().map(f64::from_bits);
        let slots = sums.zip(runs::unpack(&image.samples, kept)?);
        Some(Self { slots: Pages::of(kept, slots) })
    }
}
