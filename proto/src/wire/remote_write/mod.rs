//! Prometheus remote write 1.0: a snappy block holding one `prometheus.WriteRequest`.
//!
//! A span walk, not a message decoder: building a `String` a label is nine tenths of what a generated decoder
//! costs, and nobody needs them here. The decompressed body itself becomes [`Batch::bytes`] and a series' labels
//! are a range of it, checked in the same pass; only labels that are not sorted, have no value, or stand in a form
//! that no known sender writes (split up, padded) are written anew at the end.

mod encode;
mod series;

use model::{Batch, Sample, Series, SeriesKind, Timestamp};

pub use self::encode::WriteRequest;
use self::series::Fault;
use super::{
    error::{DecodeError, Decoded, Rejected},
    protobuf::{Broken, Content, field, length, varint},
};

/// Prometheus' own limit as a receiver; its senders put 2,000 samples in a request, about 0.6 MiB.
pub const DECOMPRESSED_BYTES_MAX: usize = 32 << 20;
/// A hundred times what Prometheus sends at once; a series costs 24 bytes here and 2 on the wire, so without this
/// a body of nothing but empty series would grow twelvefold.
pub const SERIES_MAX: usize = 200_000;
/// As [`SERIES_MAX`], for series that carry several samples each; a sample costs 32 bytes.
pub const SAMPLES_MAX: usize = 500_000;
/// Prometheus targets carry about 10 labels, Kubernetes ones up to 40.
pub const LABELS_MAX: usize = 128;
/// Longer than any name a person would write.
pub const LABEL_NAME_BYTES_MAX: usize = 1024;
/// Room for a URL or a stack's first line; more is not a label but a log.
pub const LABEL_VALUE_BYTES_MAX: usize = 8192;
/// All names and values of one series. Prometheus' own are below 1 KB; each series with more than this would take
/// the memory of a hundred others for as long as it is remembered, and their place on the log.
pub const LABELS_BYTES_MAX: usize = 16 << 10;

/// One element of a snappy block of at most 64 bytes takes at least 3; what declares more than that is lying.
const SNAPPY_RATIO_MAX: usize = 22;

/// How large `body` says it will be; an error if that is impossible. Reads the header only.
pub fn decompressed_len(body: &[u8]) -> Result<usize, DecodeError> {
    let declared = snap::raw::decompress_len(body)
        .map_err(|error| DecodeError::malformed(format!("the body is no snappy block: {error}")))?;
    if declared > body.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(DecodeError::malformed(format!(
            "the body is no snappy block: it declares {declared} bytes, which {} bytes cannot hold",
            body.len()
        )));
    }
    Ok(declared)
}

/// Decodes a request. Invalid series are left out and listed; what breaks the message breaks the request.
pub fn decode(body: &[u8]) -> Result<Decoded<Batch>, DecodeError> {
    decode_reusing(body, Batch::default())
}

/// As [`decode`], into the memory of `spare`; nothing that it holds is looked at.
pub fn decode_reusing(body: &[u8], spare: Batch) -> Result<Decoded<Batch>, DecodeError> {
    let declared = decompressed_len(body)?;
    limit("decompressed bytes", declared, DECOMPRESSED_BYTES_MAX)?;
    let Batch { mut bytes, mut series, mut samples, .. } = spare;
    series.clear();
    samples.clear();
    bytes.resize(declared, 0);
    let written = snap::raw::Decoder::new()
        .decompress(body, &mut bytes)
        .map_err(|error| DecodeError::malformed(format!("the body is no snappy block: {error}")))?;
    bytes.truncate(written);
    decode_message(bytes, Batch { series, samples, ..Batch::default() })
}

/// Decodes a request that is not compressed: a slice of one, as earlier versions wrote it onto the log.
pub fn decode_uncompressed(body: &[u8]) -> Result<Decoded<Batch>, DecodeError> {
    limit("decompressed bytes", body.len(), DECOMPRESSED_BYTES_MAX)?;
    decode_message(body.to_vec(), Batch::default())
}

/// Decodes the message itself, no longer than [`DECOMPRESSED_BYTES_MAX`]; `found` is empty.
fn decode_message(mut bytes: Vec<u8>, found: Batch) -> Result<Decoded<Batch>, DecodeError> {
    let mut walk =
        Walk { bytes: &bytes, before: series::Before::default(), found, rejected: Rejected::default() };
    walk.request()?;
    let Walk { found, rejected, .. } = walk;
    let Batch { bytes: rewritten, mut series, samples, is_whole } = found;
    if !rewritten.is_empty() {
        let length = bytes.len() as u32;
        series.iter_mut().filter(|it| is_rewritten(it)).for_each(|it| {
            it.labels = (it.labels.start & !REWRITTEN) + length..(it.labels.end & !REWRITTEN) + length;
        });
        bytes.extend_from_slice(&rewritten);
    }
    Ok(Decoded { body: Batch { bytes, series, samples, is_whole }, rejected })
}

/// Marks a label range that counts from the start of the rewritten labels; positions stay below it by
/// [`DECOMPRESSED_BYTES_MAX`].
const REWRITTEN: u32 = 1 << 31;

fn is_rewritten(series: &Series) -> bool {
    series.labels.end & REWRITTEN != 0
}

struct Walk<'a> {
    bytes: &'a [u8],
    before: series::Before<'a>,
    /// Its `bytes` hold the rewritten labels only, until the end.
    found: Batch,
    rejected: Rejected,
}

impl Walk<'_> {
    fn request(&mut self) -> Result<(), DecodeError> {
        let end = self.bytes.len();
        let mut at = 0;
        let mut count = 0_usize;
        while at < end {
            let (number, content, next) = field(self.bytes, at, end).map_err(|_| broken(at))?;
            at = next;
            if matches!(number, 4 | 5) {
                return Err(DecodeError::malformed(
                    "the body is an io.prometheus.write.v2.Request; only prometheus.WriteRequest is taken",
                ));
            }
            let (1, Content::Length(from, to)) = (number, content) else {
                expect_skippable(number, &[1], next)?;
                continue;
            };
            count += 1;
            limit("series", count, SERIES_MAX)?;
            self.series(from, to)?;
        }
        Ok(())
    }

    fn series(&mut self, from: usize, to: usize) -> Result<(), DecodeError> {
        let labels = series::scan(self.bytes, from, to, &mut self.before).map_err(|_| broken(from))?;
        let samples_from = self.found.samples.len();
        let rest = self.rest_of_series(labels.end, to)?;
        let samples = self.found.samples.len() - samples_from;
        let range = if labels.is_sound && !rest.has_labels {
            from as u32..labels.end as u32
        } else {
            match series::mended(self.bytes, from, to).map_err(|_| broken(from))? {
                Ok(pairs) => self.rewrite(&pairs),
                Err(fault) => {
                    self.found.samples.truncate(samples_from);
                    self.reject(&fault, samples, from, to);
                    return Ok(());
                }
            }
        };
        if rest.histograms > 0 {
            self.reject(&Fault::NativeHistogram, rest.histograms, from, to);
        }
        if samples > 0 {
            self.keep(range, samples_from);
        }
        Ok(())
    }

    /// Samples, exemplars, histograms: all that stands behind the labels.
    fn rest_of_series(&mut self, from: usize, to: usize) -> Result<Rest, DecodeError> {
        let mut rest = Rest::default();
        let mut at = from;
        while at < to {
            let (number, content, next) = field(self.bytes, at, to).map_err(|_| broken(at))?;
            match (number, content) {
                (1, Content::Length(..)) => rest.has_labels = true,
                (2, Content::Length(start, stop)) => {
                    limit("samples", self.found.samples.len() + 1, SAMPLES_MAX)?;
                    self.found.samples.push(self.sample(start, stop)?);
                }
                (4, Content::Length(..)) => rest.histograms += 1,
                _ => expect_skippable(number, &[1, 2, 4], at)?,
            }
            at = next;
        }
        Ok(rest)
    }

    #[inline]
    fn sample(&self, from: usize, to: usize) -> Result<Sample, DecodeError> {
        let span = &self.bytes[from..to];
        if let [0x09, v0, v1, v2, v3, v4, v5, v6, v7, 0x10, ..] = *span
            && let Ok((millis, stop)) = varint(self.bytes, from + 10, to)
            && stop == to
        {
            let value = f64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]);
            return Ok(sample(value, millis));
        }
        self.unusual_sample(from, to)
    }

    /// Fields in another order, unknown ones among them, zeros left out.
    fn unusual_sample(&self, from: usize, to: usize) -> Result<Sample, DecodeError> {
        let (mut value, mut millis) = (0.0, 0);
        let mut at = from;
        while at < to {
            let (number, content, next) = field(self.bytes, at, to).map_err(|_| broken(at))?;
            match (number, content) {
                (1, Content::Fixed64(bits)) => value = f64::from_le_bytes(bits),
                (2, Content::Varint(given)) => millis = given,
                _ => expect_skippable(number, &[1, 2], at)?,
            }
            at = next;
        }
        Ok(sample(value, millis))
    }

    fn rewrite(&mut self, pairs: &[series::Pair<'_>]) -> std::ops::Range<u32> {
        let from = self.found.bytes.len() as u32;
        let texts = pairs.iter().filter_map(|(name, value)| {
            Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
        });
        model::LabelBytes::encode(texts, &mut self.found.bytes);
        from | REWRITTEN..self.found.bytes.len() as u32 | REWRITTEN
    }

    fn keep(&mut self, labels: std::ops::Range<u32>, samples_from: usize) {
        let samples = &mut self.found.samples[samples_from..];
        // Senders must keep time's order; one that does not costs a sort and loses nothing.
        if !samples.is_sorted_by_key(|sample| sample.at) {
            samples.sort_by_key(|sample| sample.at);
        }
        self.found.series.push(Series {
            labels,
            samples: samples_from as u32..self.found.samples.len() as u32,
            kind: SeriesKind::Unknown,
        });
    }

    fn reject(&mut self, fault: &Fault, samples: usize, from: usize, to: usize) {
        let bytes = self.bytes;
        self.rejected.note(fault.reason(), samples as u64, || {
            format!("{fault} in {}", series::display(bytes, from, to))
        });
    }
}

#[derive(Default)]
struct Rest {
    has_labels: bool,
    histograms: usize,
}

fn sample(value: f64, millis: u64) -> Sample {
    // The varint is the two's complement of an int64.
    Sample { value, at: Timestamp::from_millis(millis as i64), start: None }
}

fn broken(at: usize) -> DecodeError {
    DecodeError::malformed(format!(
        "the body is no prometheus.WriteRequest: broken at byte {at} of its content"
    ))
}

/// A known field with a wire type that is not its own means that this is another message.
fn expect_skippable(number: u64, known: &[u64], at: usize) -> Result<(), DecodeError> {
    if known.contains(&number) { Err(broken(at)) } else { Ok(()) }
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size <= limit {
        return Ok(());
    }
    Err(DecodeError::TooLarge { what, size: size as u64, limit: limit as u64 })
}

impl From<Broken> for DecodeError {
    fn from(_: Broken) -> Self {
        Self::malformed("the body is no protobuf message of the expected kind")
    }
}

/// Length-delimited content for the label scan next door.
#[inline]
fn delimited(bytes: &[u8], at: usize, end: usize) -> Result<(usize, usize), Broken> {
    length(bytes, at, end)
}

#[cfg(test)]
mod tests;
