//! OTLP metrics: `ExportMetricsServiceRequest` as protobuf or JSON, brought into the series that Prometheus would
//! make of it, so that one kind of selector serves both.
//!
//! Sums, gauges and explicit histograms, cumulative and delta. Exponential histograms and summaries are counted as
//! rejected points, for the partial success of the answer. An export holds each of its points whole, so the batch
//! is [`Batch::is_whole`].

pub mod answer;
mod bound;
mod json;
mod labels;
mod name;
mod points;

use model::{Batch, Timestamp};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{AggregationTemporality, Metric, metric::Data},
};
use prost::Message;

use self::{labels::ResourceLabels, points::Points};
use super::error::{DecodeError, Decoded, Rejected};

/// The specification's recommended limit for OTLP/HTTP, decompressed.
pub const BODY_BYTES_MAX: usize = 20 << 20;
/// Messages in one request, attributes counted one by one: a collector's batch of 8,192 points with 20 attributes
/// each is a third of this, and decoded they take at most about 200 MiB.
pub const ELEMENTS_MAX: usize = 1_000_000;
/// What one of them takes in memory, roughly: of each, the largest have a name, a unit and lists of their own.
const ELEMENT_BYTES: usize = 200;
/// Series made of one request; a histogram point makes one for each bucket.
pub const SERIES_MAX: usize = 500_000;
/// Label bytes made of one request: [`SERIES_MAX`] of 256 bytes. Each bucket repeats its point's labels, so
/// without this a body of 20 MiB could ask for gigabytes.
pub const OUTPUT_BYTES_MAX: usize = 128 << 20;
/// Bounds of one histogram; the usual ones have 15, generous ones 100.
pub const BOUNDS_MAX: usize = 512;

/// The two forms OTLP/HTTP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

/// Decodes an export that came in at `at` (the time of points that carry none). `rejected.parts` counts data
/// points.
pub fn decode(form: Form, body: &[u8], at: Timestamp) -> Result<Decoded<Batch>, DecodeError> {
    if body.len() > BODY_BYTES_MAX {
        let (size, limit) = (body.len() as u64, BODY_BYTES_MAX as u64);
        return Err(DecodeError::TooLarge { what: "decompressed bytes", size, limit });
    }
    match form {
        Form::Protobuf => convert(&from_protobuf(body)?, at, Rejected::default()),
        Form::Json => {
            bound::check_json(body, ELEMENTS_MAX)?;
            let (protobuf, rejected) = json::to_protobuf(body)?;
            convert(&from_protobuf(&protobuf)?, at, rejected)
        }
    }
}

/// About how many bytes an export takes once it is decoded, found without decoding it.
pub fn decoded_bytes_max(form: Form, body: &[u8]) -> Result<usize, DecodeError> {
    let elements = match form {
        Form::Protobuf => bound::check_protobuf(body, ELEMENTS_MAX)?,
        Form::Json => bound::check_json(body, ELEMENTS_MAX)?,
    };
    Ok(elements * ELEMENT_BYTES)
}

fn from_protobuf(body: &[u8]) -> Result<ExportMetricsServiceRequest, DecodeError> {
    bound::check_protobuf(body, ELEMENTS_MAX)?;
    ExportMetricsServiceRequest::decode(body).map_err(|error| {
        DecodeError::malformed(format!("the body is no ExportMetricsServiceRequest: {error}"))
    })
}

fn convert(
    request: &ExportMetricsServiceRequest,
    at: Timestamp,
    rejected: Rejected,
) -> Result<Decoded<Batch>, DecodeError> {
    let batch = Batch { is_whole: true, ..Batch::default() };
    let mut points = Points { batch, rejected, at };
    for resource in &request.resource_metrics {
        let attributes = resource.resource.as_ref().map_or(&[][..], |it| &it.attributes);
        let labels = ResourceLabels::of(attributes);
        points.rejected.service = labels.service().to_owned();
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            points.metric(metric, &labels)?;
        }
    }
    points.rejected.service.clear();
    Ok(Decoded { body: points.batch, rejected: points.rejected })
}

impl Points {
    fn metric(&mut self, metric: &Metric, resource: &ResourceLabels) -> Result<(), DecodeError> {
        let name = metric.name.as_str();
        let Some(data) = &metric.data else {
            // Of a kind that came later than this build, or of none: what it holds is not known.
            self.reject("no_data", 1, || format!("{name}: is no gauge, sum, histogram or summary"));
            return Ok(());
        };
        if name.is_empty() {
            self.reject("no_name", points_of(data), || "a metric has no name".to_owned());
            return Ok(());
        }
        match data {
            Data::Gauge(gauge) => self.gauge(metric, &gauge.data_points, resource),
            Data::Sum(sum) => match temporality(sum.aggregation_temporality) {
                Some(is_delta) if !is_delta || sum.is_monotonic => {
                    self.sum(metric, &sum.data_points, (is_delta, sum.is_monotonic), resource)
                }
                Some(_) => {
                    self.reject("delta_up_down", sum.data_points.len(), || {
                        format!("{name}: a delta sum that is not monotonic has no value to show")
                    });
                    Ok(())
                }
                None => self.without_temporality(name, sum.data_points.len()),
            },
            Data::Histogram(histogram) => match temporality(histogram.aggregation_temporality) {
                Some(is_delta) => self.histogram(metric, &histogram.data_points, is_delta, resource),
                None => self.without_temporality(name, histogram.data_points.len()),
            },
            Data::ExponentialHistogram(it) => {
                self.reject("exponential_histogram", it.data_points.len(), || {
                    format!(
                        "{name}: exponential histograms are not supported; use explicit buckets \
                         (OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=explicit_bucket_histogram)"
                    )
                });
                Ok(())
            }
            Data::Summary(it) => {
                self.reject("summary", it.data_points.len(), || {
                    format!("{name}: summaries are not supported")
                });
                Ok(())
            }
        }
    }

    fn without_temporality(&mut self, name: &str, points: usize) -> Result<(), DecodeError> {
        self.reject("no_temporality", points, || format!("{name}: no aggregation temporality"));
        Ok(())
    }
}

/// Whether it is delta; `None` if it says neither.
fn temporality(value: i32) -> Option<bool> {
    match AggregationTemporality::try_from(value) {
        Ok(AggregationTemporality::Delta) => Some(true),
        Ok(AggregationTemporality::Cumulative) => Some(false),
        _ => None,
    }
}

fn points_of(data: &Data) -> usize {
    match data {
        Data::Gauge(it) => it.data_points.len(),
        Data::Sum(it) => it.data_points.len(),
        Data::Histogram(it) => it.data_points.len(),
        Data::ExponentialHistogram(it) => it.data_points.len(),
        Data::Summary(it) => it.data_points.len(),
    }
}

#[cfg(test)]
mod tests;
