//! Telemetry as the analyzer receives it: batches of series with their samples, and raw request events.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{ServiceKey, Timestamp};

/// How the values of a series are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeriesKind {
    /// The sender does not say (remote write 1.0): the metric that uses the series decides.
    #[default]
    Unknown,
    /// A counter that only grows between resets.
    Cumulative,
    /// Each sample is what was added since the one before.
    Delta,
    Gauge,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub value: f64,
    pub at: Timestamp,
    /// When the counter began, if the sender says so; lets the first sample count from zero.
    pub start: Option<Timestamp>,
}

/// Prometheus' staleness marker: this very NaN says that a series has ended
/// (remote write specification, "Stale Markers").
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

impl Sample {
    /// Whether this sample is a staleness marker.
    pub fn is_stale_marker(&self) -> bool {
        self.value.to_bits() == STALE_NAN_BITS
    }
}

/// One series of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Where its labels stand in [`Batch::bytes`], in the form of [`crate::LabelBytes`]. `__name__` among them.
    pub labels: Range<u32>,
    /// Which of [`Batch::samples`] are its own, oldest first.
    pub samples: Range<u32>,
    pub kind: SeriesKind,
}

/// What one request carried: many series, few samples each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub bytes: Vec<u8>,
    pub series: Vec<Series>,
    pub samples: Vec<Sample>,
    /// Whether every target's points in this batch are complete as they stand (an OTLP export is; a remote
    /// write request may hold half a scrape).
    pub is_whole: bool,
}

impl Batch {
    /// The label region of `series`.
    pub fn labels_of(&self, series: &Series) -> &[u8] {
        &self.bytes[series.labels.start as usize..series.labels.end as usize]
    }

    /// The samples of `series`.
    pub fn samples_of(&self, series: &Series) -> &[Sample] {
        &self.samples[series.samples.start as usize..series.samples.end as usize]
    }

    /// Appends one series; for builders and tests.
    pub fn push<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        kind: SeriesKind,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        let labels_from = self.bytes.len() as u32;
        crate::LabelBytes::encode(labels, &mut self.bytes);
        let samples_from = self.samples.len() as u32;
        self.samples.extend(samples);
        self.series.push(Series {
            labels: labels_from..self.bytes.len() as u32,
            samples: samples_from..self.samples.len() as u32,
            kind,
        });
    }
}

/// One request as an access log knows it (`POST /api/v1/requests`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestEvent {
    pub key: ServiceKey,
    pub version: Option<String>,
    pub route: Option<String>,
    /// Whether it failed: `error: true`, or a status of 500 and above.
    pub is_error: bool,
    pub duration_ms: Option<f64>,
    /// When it completed; ingest fills in its stamp where the sender says nothing.
    pub at: Timestamp,
}
