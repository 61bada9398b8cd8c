//! Batches into columns.

use model::{Batch, Sample, Series, SeriesKind};
use prost::encoding::encode_varint;

use super::number;
use crate::{conversion::WireEnum as _, wire::shared};

/// Series of one batch, in the order in which they are pushed.
pub(in crate::wire) struct Columns<'a> {
    batch: &'a Batch,
    /// The labels of the series before.
    before: &'a [u8],
    /// When the sample before was.
    at_ms: i64,
    shared_front: Vec<u8>,
    shared_back: Vec<u8>,
    own: Vec<u8>,
    labels: Vec<u8>,
    kinds: Vec<u8>,
    sample_counts: Vec<u8>,
    values: Vec<u8>,
    ms_since_sample_before: Vec<u8>,
    has_start: Vec<u8>,
    ms_since_start: Vec<u8>,
    is_a_kind_said: bool,
    is_one_sample_each: bool,
}

impl<'a> Columns<'a> {
    pub(in crate::wire) fn of(batch: &'a Batch) -> Self {
        Self {
            batch,
            before: &[],
            at_ms: 0,
            shared_front: Vec::new(),
            shared_back: Vec::new(),
            own: Vec::new(),
            labels: Vec::new(),
            kinds: Vec::new(),
            sample_counts: Vec::new(),
            values: Vec::new(),
            ms_since_sample_before: Vec::new(),
            has_start: Vec::new(),
            ms_since_start: Vec::new(),
            is_a_kind_said: false,
            is_one_sample_each: true,
        }
    }

    /// Appends a series of the batch.
    pub(in crate::wire) fn push(&mut self, series: &Series) {
        let (labels, samples) = (self.batch.labels_of(series), self.batch.samples_of(series));
        let front = shared::front(self.before, labels);
        let back = shared::back(&self.before[front..], &labels[front..]);
        let own = &labels[front..labels.len() - back];
        self.before = labels;
        encode_varint(front as u64, &mut self.shared_front);
        encode_varint(back as u64, &mut self.shared_back);
        encode_varint(own.len() as u64, &mut self.own);
        self.labels.extend_from_slice(own);
        self.is_a_kind_said |= series.kind != SeriesKind::Unknown;
        encode_varint(series.kind.to_wire() as u64, &mut self.kinds);
        self.is_one_sample_each &= samples.len() == 1;
        encode_varint(samples.len() as u64, &mut self.sample_counts);
        samples.iter().for_each(|sample| self.push_sample(sample));
    }

    fn push_sample(&mut self, sample: &Sample) {
        let at_ms = sample.at.as_millis();
        self.values.extend_from_slice(&sample.value.to_le_bytes());
        // Any two times have a difference that leads from one to the other: what overflows comes round again.
        encode_varint(zigzag(at_ms.wrapping_sub(self.at_ms)), &mut self.ms_since_sample_before);
        self.at_ms = at_ms;
        self.has_start.push(sample.start.is_some().into());
        if let Some(start) = sample.start {
            encode_varint(zigzag(at_ms.wrapping_sub(start.as_millis())), &mut self.ms_since_start);
        }
    }

    /// The message's bytes; what is mostly so is left out of them.
    pub(in crate::wire) fn encode(self) -> Vec<u8> {
        let is_a_start_known = !self.ms_since_start.is_empty();
        let columns = [
            (number::SHARED_FRONT, self.shared_front, true),
            (number::SHARED_BACK, self.shared_back, true),
            (number::OWN, self.own, true),
            (number::LABELS, self.labels, true),
            (number::KINDS, self.kinds, self.is_a_kind_said),
            (number::SAMPLE_COUNTS, self.sample_counts, !self.is_one_sample_each),
            (number::VALUES, self.values, true),
            (number::MS_SINCE_SAMPLE_BEFORE, self.ms_since_sample_before, true),
            (number::HAS_START, self.has_start, is_a_start_known),
            (number::MS_SINCE_START, self.ms_since_start, true),
        ];
        // A tag takes one byte, a length no more than five.
        let bytes = columns.iter().map(|(_, column, _)| column.len() + 6).sum::<usize>();
        let mut message = Vec::with_capacity(2 + bytes);
        if self.batch.is_whole {
            message.extend([(number::IS_WHOLE << 3) as u8, 1]);
        }
        for (number, column, _) in
            columns.iter().filter(|(_, column, is_needed)| *is_needed && !column.is_empty())
        {
            encode_varint(number << 3 | 2, &mut message);
            encode_varint(column.len() as u64, &mut message);
            message.extend_from_slice(column);
        }
        message
    }
}

/// A signed number as protobuf's `sint64` writes it: small ones short, whatever their sign.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
