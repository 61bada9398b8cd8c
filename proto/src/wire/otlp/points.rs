//! Data points to series with one sample each.

use std::{borrow::Cow, collections::BTreeMap};

use model::{Batch, Sample, SeriesKind, Timestamp, telemetry::STALE_NAN_BITS};
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, HistogramDataPoint, Metric, NumberDataPoint, number_data_point::Value,
};

use super::{
    BOUNDS_MAX, OUTPUT_BYTES_MAX, SERIES_MAX,
    labels::ResourceLabels,
    name::{NameKind, metric_name},
};
use crate::wire::{
    error::{DecodeError, Rejected, shortened},
    remote_write::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX},
};

type PointLabels<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// What a request's points have become so far.
pub(super) struct Points {
    pub(super) batch: Batch,
    pub(super) rejected: Rejected,
    /// When the request came in.
    pub(super) at: Timestamp,
}

impl Points {
    pub(super) fn reject(&mut self, reason: &'static str, points: usize, example: impl FnOnce() -> String) {
        self.rejected.note_many(reason, points as u64, example);
    }

    pub(super) fn gauge(
        &mut self,
        metric: &Metric,
        points: &[NumberDataPoint],
        resource: &ResourceLabels,
    ) -> Result<(), DecodeError> {
        let name = metric_name(&metric.name, &metric.unit, NameKind::Gauge);
        self.numbers(&name, points, SeriesKind::Gauge, resource)
    }

    pub(super) fn sum(
        &mut self,
        metric: &Metric,
        points: &[NumberDataPoint],
        (is_delta, is_monotonic): (bool, bool),
        resource: &ResourceLabels,
    ) -> Result<(), DecodeError> {
        let (name_kind, kind) = match (is_delta, is_monotonic) {
            (true, _) => (NameKind::Counter, SeriesKind::Delta),
            (false, true) => (NameKind::Counter, SeriesKind::Cumulative),
            (false, false) => (NameKind::Other, SeriesKind::Gauge),
        };
        let name = metric_name(&metric.name, &metric.unit, name_kind);
        self.numbers(&name, points, kind, resource)
    }

    fn numbers(
        &mut self,
        name: &str,
        points: &[NumberDataPoint],
        kind: SeriesKind,
        resource: &ResourceLabels,
    ) -> Result<(), DecodeError> {
        for point in points {
            let value = match point.value {
                _ if is_ended(point.flags) => f64::from_bits(STALE_NAN_BITS),
                Some(Value::AsDouble(value)) => value,
                Some(Value::AsInt(value)) => value as f64,
                None => {
                    self.reject("no_value", 1, || format!("{name}: a point has no value"));
                    continue;
                }
            };
            let labels = resource.with(&point.attributes);
            if let Some(fault) = fault_of(&labels) {
                self.reject("labels_too_large", 1, || format!("{name}: {fault}"));
                continue;
            }
            let sample = self.sample(value, point.time_unix_nano, point.start_time_unix_nano, kind);
            self.push(name, &labels, None, kind, sample)?;
        }
        Ok(())
    }

    pub(super) fn histogram(
        &mut self,
        metric: &Metric,
        points: &[HistogramDataPoint],
        is_delta: bool,
        resource: &ResourceLabels,
    ) -> Result<(), DecodeError> {
        let name = metric_name(&metric.name, &metric.unit, NameKind::Other);
        let names = [format!("{name}_bucket"), format!("{name}_count"), format!("{name}_sum")];
        let kind = if is_delta { SeriesKind::Delta } else { SeriesKind::Cumulative };
        for point in points {
            let labels = resource.with(&point.attributes);
            let fault = fault_of(&labels).map(|fault| ("labels_too_large", fault));
            if let Some((reason, fault)) = fault.or_else(|| contradiction(point)) {
                self.reject(reason, 1, || format!("{}: {fault}", metric.name));
                continue;
            }
            self.histogram_point(&names, point, &labels, kind)?;
        }
        Ok(())
    }

    /// `_bucket` counts are cumulative over `le`, `+Inf` among them; a delta's are so too, within its interval.
    fn histogram_point(
        &mut self,
        [bucket, count, sum]: &[String; 3],
        point: &HistogramDataPoint,
        labels: &PointLabels<'_>,
        kind: SeriesKind,
    ) -> Result<(), DecodeError> {
        let is_ended = is_ended(point.flags);
        let value_of = |value: f64| if is_ended { f64::from_bits(STALE_NAN_BITS) } else { value };
        let (time, start) = (point.time_unix_nano, point.start_time_unix_nano);
        let mut below = 0_u64;
        for (bound, counted) in finite_bounds(point).iter().zip(&point.bucket_counts) {
            below = below.saturating_add(*counted);
            let sample = self.sample(value_of(below as f64), time, start, kind);
            self.push(bucket, labels, Some(&bound.to_string()), kind, sample)?;
        }
        let all = self.sample(value_of(point.count as f64), time, start, kind);
        self.push(bucket, labels, Some("+Inf"), kind, all)?;
        self.push(count, labels, None, kind, all)?;
        if let Some(total) = point.sum {
            let sample = self.sample(value_of(total), time, start, kind);
            self.push(sum, labels, None, kind, sample)?;
        }
        Ok(())
    }

    fn sample(&self, value: f64, time_nanos: u64, start_nanos: u64, kind: SeriesKind) -> Sample {
        let at = if time_nanos == 0 { self.at } else { from_nanos(time_nanos) };
        // A cumulative point that starts where it stands says that its start is not known (data model,
        // "Cumulative streams: handling unknown start time").
        let is_unknown = start_nanos == 0
            || kind == SeriesKind::Gauge
            || (kind == SeriesKind::Cumulative && start_nanos >= time_nanos);
        Sample { value, at, start: (!is_unknown).then(|| from_nanos(start_nanos)) }
    }

    fn push(
        &mut self,
        name: &str,
        labels: &PointLabels<'_>,
        le: Option<&str>,
        kind: SeriesKind,
        sample: Sample,
    ) -> Result<(), DecodeError> {
        let own = labels.iter().filter(|(key, _)| le.is_none() || *key != "le");
        let mut pairs: Vec<(&str, &str)> = own.map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
        pairs.push(("__name__", name));
        pairs.extend(le.map(|le| ("le", le)));
        pairs.sort_unstable();
        self.batch.push(pairs, kind, [sample]);
        limit("series made of the points", self.batch.series.len(), SERIES_MAX)?;
        limit("label bytes made of the points", self.batch.bytes.len(), OUTPUT_BYTES_MAX)
    }
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size <= limit {
        return Ok(());
    }
    Err(DecodeError::TooLarge { what, size: size as u64, limit: limit as u64 })
}

fn from_nanos(nanos: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
}

fn is_ended(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 != 0
}

fn fault_of(labels: &PointLabels<'_>) -> Option<String> {
    // `__name__` and `le` are still to come.
    if labels.len() + 2 > LABELS_MAX {
        return Some(format!("a point has more than {} attributes", LABELS_MAX - 2));
    }
    let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > LABELS_BYTES_MAX {
        return Some(format!("the attributes of a point are longer than {LABELS_BYTES_MAX} bytes together"));
    }
    let (name, _) = labels
        .iter()
        .find(|(name, value)| name.len() > LABEL_NAME_BYTES_MAX || value.len() > LABEL_VALUE_BYTES_MAX)?;
    Some(format!("the value of attribute {:?} is too long", shortened(name, 80)))
}

/// Bridges from Prometheus write the overflow bucket's bound, +Inf, as the last one.
fn finite_bounds(point: &HistogramDataPoint) -> &[f64] {
    match point.explicit_bounds.as_slice() {
        [finite @ .., last] if *last == f64::INFINITY => finite,
        bounds => bounds,
    }
}

/// What a histogram point says against itself.
fn contradiction(point: &HistogramDataPoint) -> Option<(&'static str, String)> {
    if is_ended(point.flags) {
        return None;
    }
    let (bounds, counts) = (finite_bounds(point), &point.bucket_counts);
    if bounds.len() > BOUNDS_MAX {
        return Some(("too_many_bounds", format!("{} bounds, at most {BOUNDS_MAX} are taken", bounds.len())));
    }
    if counts.is_empty() && bounds.is_empty() {
        return None;
    }
    // Behind a bound of +Inf may stand one more count, of what is above it, or none.
    let is_one_more = counts.len() == point.explicit_bounds.len() + 1;
    if counts.len() != bounds.len() + 1 && !is_one_more {
        let problem = format!("{} bucket counts for {} bounds", counts.len(), bounds.len());
        return Some(("contradictory_histogram", problem));
    }
    let is_rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !is_rising || bounds.iter().any(|bound| !bound.is_finite()) {
        return Some(("contradictory_histogram", "bounds are not finite and rising".to_owned()));
    }
    let total = counts.iter().try_fold(0_u64, |total, count| total.checked_add(*count));
    if total != Some(point.count) {
        let total = total.map_or("more than 64 bits hold".to_owned(), |total| total.to_string());
        let problem = format!("bucket counts add up to {total}, count says {}", point.count);
        return Some(("contradictory_histogram", problem));
    }
    None
}
