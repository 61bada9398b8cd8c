//! Columns into batches.

use model::{Batch, Sample, Series, SeriesKind, Timestamp};

use super::number;
use crate::{
    conversion::WireEnum as _,
    wire::{
        error::DecodeError,
        protobuf::{Content, field, varint},
    },
};

/// Label bytes of one record, as many as any sender's body decodes to: a series of a few bytes may stand for as many
/// as the one before it has.
const LABEL_BYTES_MAX: usize = 128 << 20;

/// Reads what [`super::Columns::encode`] wrote into the memory of `spare`; nothing that it holds is looked at.
pub(in crate::wire) fn decode(body: &[u8], spare: Batch) -> Result<Batch, DecodeError> {
    let mut columns = Columns::find(body)?;
    let mut batch = spare;
    batch.is_whole = columns.is_whole;
    columns.read_samples(&mut batch.samples)?;
    columns.read_series(&mut batch)?;
    Ok(batch)
}

/// What is left to read of each column.
#[derive(Default)]
struct Columns<'a> {
    is_whole: bool,
    shared_front: Column<'a>,
    shared_back: Column<'a>,
    own: Column<'a>,
    labels: &'a [u8],
    kinds: Column<'a>,
    sample_counts: Column<'a>,
    values: &'a [u8],
    ms_since_sample_before: Column<'a>,
    has_start: Column<'a>,
    ms_since_start: Column<'a>,
}

impl<'a> Columns<'a> {
    fn find(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut found = Self::default();
        let mut at = 0;
        while at < body.len() {
            let (number, content, next) = field(body, at, body.len())?;
            at = next;
            match (number, content) {
                (number::IS_WHOLE, Content::Varint(value)) => found.is_whole = value != 0,
                (_, Content::Length(from, to)) => found.take(number, &body[from..to]),
                _ => {}
            }
        }
        Ok(found)
    }

    fn take(&mut self, number: u64, content: &'a [u8]) {
        match number {
            number::SHARED_FRONT => self.shared_front = Column(content),
            number::SHARED_BACK => self.shared_back = Column(content),
            number::OWN => self.own = Column(content),
            number::LABELS => self.labels = content,
            number::KINDS => self.kinds = Column(content),
            number::SAMPLE_COUNTS => self.sample_counts = Column(content),
            number::VALUES => self.values = content,
            number::MS_SINCE_SAMPLE_BEFORE => self.ms_since_sample_before = Column(content),
            number::HAS_START => self.has_start = Column(content),
            number::MS_SINCE_START => self.ms_since_start = Column(content),
            _ => {}
        }
    }

    fn read_samples(&mut self, samples: &mut Vec<Sample>) -> Result<(), DecodeError> {
        let (values, rest) = self.values.as_chunks::<8>();
        expect(rest.is_empty(), "values")?;
        samples.clear();
        samples.reserve(values.len());
        let is_a_start_known = !self.has_start.0.is_empty();
        let mut at_ms = 0_i64;
        for value in values {
            at_ms = at_ms.wrapping_add(self.ms_since_sample_before.signed("ms_since_sample_before")?);
            let start = if is_a_start_known && self.has_start.next("has_start")? != 0 {
                let since = self.ms_since_start.signed("ms_since_start")?;
                Some(Timestamp::from_millis(at_ms.wrapping_sub(since)))
            } else {
                None
            };
            let value = f64::from_le_bytes(*value);
            samples.push(Sample { value, at: Timestamp::from_millis(at_ms), start });
        }
        self.ms_since_sample_before.end("ms_since_sample_before")?;
        self.has_start.end("has_start")?;
        self.ms_since_start.end("ms_since_start")
    }

    fn read_series(&mut self, batch: &mut Batch) -> Result<(), DecodeError> {
        let Batch { bytes, series, samples, .. } = batch;
        bytes.clear();
        series.clear();
        let (is_a_kind_said, is_one_sample_each) =
            (!self.kinds.0.is_empty(), self.sample_counts.0.is_empty());
        let (mut before, mut samples_from) = (0..0_usize, 0_usize);
        while !self.shared_front.0.is_empty() {
            before = self.read_labels(bytes, before)?;
            let count = if is_one_sample_each { 1 } else { self.sample_counts.size("sample_counts")? };
            let samples_to = samples_from.saturating_add(count);
            expect(samples_to <= samples.len(), "sample_counts")?;
            let kind = if is_a_kind_said { self.read_kind()? } else { SeriesKind::Unknown };
            let labels = before.start as u32..before.end as u32;
            series.push(Series { labels, samples: samples_from as u32..samples_to as u32, kind });
            samples_from = samples_to;
        }
        expect(samples_from == samples.len(), "sample_counts")?;
        expect(self.labels.is_empty(), "labels")?;
        self.shared_back.end("shared_back")?;
        self.own.end("own")?;
        self.kinds.end("kinds")?;
        self.sample_counts.end("sample_counts")
    }

    /// Appends a series' labels to `bytes`, in which those of the series before stand at `before`; says where.
    #[inline]
    fn read_labels(
        &mut self,
        bytes: &mut Vec<u8>,
        before: std::ops::Range<usize>,
    ) -> Result<std::ops::Range<usize>, DecodeError> {
        let front = self.shared_front.size("shared_front")?;
        let back = self.shared_back.size("shared_back")?;
        let own = self.own.size("own")?;
        expect(front <= before.len() && back <= before.len() - front, "shared_back")?;
        let (own, rest) = self.labels.split_at_checked(own).ok_or_else(|| out_of_range("own"))?;
        self.labels = rest;
        let from = bytes.len();
        expect(from + front + own.len() + back <= LABEL_BYTES_MAX, "shared_front")?;
        bytes.extend_from_within(before.start..before.start + front);
        bytes.extend_from_slice(own);
        bytes.extend_from_within(before.end - back..before.end);
        Ok(from..bytes.len())
    }

    fn read_kind(&mut self) -> Result<SeriesKind, DecodeError> {
        let kind = i32::try_from(self.kinds.next("kinds")?).map_err(|_| out_of_range("kinds"))?;
        SeriesKind::from_wire(kind, "BatchColumns.kinds")
            .map_err(|error| DecodeError::malformed(error.to_string()))
    }
}

/// Varints one behind the other; what is left of them.
#[derive(Default)]
struct Column<'a>(&'a [u8]);

impl Column<'_> {
    #[inline]
    fn next(&mut self, name: &'static str) -> Result<u64, DecodeError> {
        let (value, next) = varint(self.0, 0, self.0.len()).map_err(|_| out_of_range(name))?;
        self.0 = &self.0[next..];
        Ok(value)
    }

    #[inline]
    fn size(&mut self, name: &'static str) -> Result<usize, DecodeError> {
        let value = self.next(name)?;
        // No record is that long, and sums of two such stay far from overflowing.
        if value > u64::from(u32::MAX) { Err(out_of_range(name)) } else { Ok(value as usize) }
    }

    /// A `sint64`.
    #[inline]
    fn signed(&mut self, name: &'static str) -> Result<i64, DecodeError> {
        let value = self.next(name)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn end(&self, name: &'static str) -> Result<(), DecodeError> {
        expect(self.0.is_empty(), name)
    }
}

#[inline]
fn expect(holds: bool, name: &'static str) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(out_of_range(name)) }
}

#[cold]
fn out_of_range(name: &'static str) -> DecodeError {
    DecodeError::malformed(format!("BatchColumns.{name} does not fit the other columns"))
}
