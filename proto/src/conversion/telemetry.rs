//! Telemetry: the encoding of a sender's body, decoded batches, request events.

use std::ops::Range;

use model::{Batch, RequestEvent, Sample, Series, SeriesKind, Timestamp};

use super::{Noun, WireEnum as _, read, read_all, read_optional, required, wire_enum, write_all};
use crate::{DecodeError, TelemetryEncoding, v1};

wire_enum!(
    TelemetryEncoding,
    v1::TelemetryEncoding {
        RemoteWriteV1Snappy,
        OtlpMetricsProtobuf,
        OtlpMetricsJson,
        RequestsNdjson,
        RemoteWriteV1Protobuf,
        BatchColumns,
    }
);

wire_enum!(SeriesKind, v1::SeriesKind { Unknown, Cumulative, Delta, Gauge });

impl Noun for Sample {
    type Wire = v1::Sample;

    fn to_wire(&self) -> v1::Sample {
        v1::Sample {
            value: Some(self.value),
            at_ms: self.at.to_wire(),
            start_ms: self.start.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::Sample) -> Result<Self, DecodeError> {
        Ok(Self {
            value: required(wire.value, "Sample.value")?,
            at: Timestamp::from_millis(wire.at_ms),
            start: read_optional(wire.start_ms)?,
        })
    }
}

impl Noun for Batch {
    type Wire = v1::Batch;

    fn to_wire(&self) -> v1::Batch {
        let series = |series: &Series| v1::Series {
            labels_from: series.labels.start,
            labels_to: series.labels.end,
            samples_from: series.samples.start,
            samples_to: series.samples.end,
            kind: series.kind.to_wire(),
        };
        v1::Batch {
            labels: self.bytes.clone(),
            series: self.series.iter().map(series).collect(),
            samples: write_all(&self.samples),
            is_whole: self.is_whole,
        }
    }

    fn from_wire(wire: v1::Batch) -> Result<Self, DecodeError> {
        let samples: Vec<Sample> = read_all(wire.samples)?;
        let read_series = |series: v1::Series| {
            Ok(Series {
                labels: range(series.labels_from, series.labels_to, wire.labels.len(), "Series.labels")?,
                samples: range(series.samples_from, series.samples_to, samples.len(), "Series.samples")?,
                kind: SeriesKind::from_wire(series.kind, "Series.kind")?,
            })
        };
        let series = wire.series.into_iter().map(read_series).collect::<Result<_, DecodeError>>()?;
        Ok(Self { series, samples, is_whole: wire.is_whole, bytes: wire.labels })
    }
}

/// `Batch::labels_of` and `Batch::samples_of` index with these without looking.
fn range(from: u32, to: u32, len: usize, field: &'static str) -> Result<Range<u32>, DecodeError> {
    if from > to || to as usize > len {
        return Err(DecodeError::OutOfRange { field });
    }
    Ok(from..to)
}

impl Noun for RequestEvent {
    type Wire = v1::RequestEvent;

    fn to_wire(&self) -> v1::RequestEvent {
        v1::RequestEvent {
            key: Some(self.key.to_wire()),
            version: self.version.clone(),
            route: self.route.clone(),
            is_error: self.is_error,
            duration_ms: self.duration_ms,
            at_ms: self.at.to_wire(),
        }
    }

    fn from_wire(wire: v1::RequestEvent) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read(wire.key, "RequestEvent.key")?,
            version: wire.version,
            route: wire.route,
            is_error: wire.is_error,
            duration_ms: wire.duration_ms,
            at: Timestamp::from_millis(wire.at_ms),
        })
    }
}
