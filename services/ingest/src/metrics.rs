//! What ingest says about itself. Labels are closed lists: nothing a sender chooses becomes one.

use prometheus::{HistogramVec, IntCounterVec, IntGauge, Registry};
use proto::wire::Rejected;
use telemetry::metrics::{self, MetricsError};

/// Ingest's metrics, registered once a process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) seconds: HistogramVec,
    accepted: IntCounterVec,
    rejected: IntCounterVec,
    pub(crate) ignored: IntCounterVec,
    pub(crate) in_flight: IntGauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            requests: metrics::counter(
                registry,
                "ripcord_ingest_requests_total",
                "Requests answered, by endpoint and status code.",
                &["endpoint", "code"],
            )?,
            seconds: metrics::seconds(
                registry,
                "ripcord_ingest_request_duration_seconds",
                "From a request's headers to its answer, which follows the durable write.",
                &["endpoint"],
            )?,
            accepted: metrics::counter(
                registry,
                "ripcord_ingest_accepted_total",
                "Samples, request events, deployment events, alerts and verbs that are durable.",
                &["kind"],
            )?,
            rejected: metrics::counter(
                registry,
                "ripcord_ingest_rejected_total",
                "Series, data points and lines left out of a body, and alerts that are to come back, by reason.",
                &["kind", "reason"],
            )?,
            ignored: metrics::counter(
                registry,
                "ripcord_ingest_ignored_total",
                "Events taken that mean nothing here.",
                &["kind"],
            )?,
            in_flight: metrics::gauge(
                registry,
                "ripcord_ingest_in_flight_bytes",
                "Bytes of bodies held, compressed and decompressed.",
            )?,
        })
    }

    pub(crate) fn accept(&self, kind: &str, count: usize) {
        self.accepted.with_label_values(&[kind]).inc_by(count as u64);
    }

    /// Alerts of a notification that is to come back.
    pub(crate) fn reject_alerts(&self, count: usize) {
        self.rejected.with_label_values(&["alerts", "too_many_a_minute"]).inc_by(count as u64);
    }

    pub(crate) fn reject(&self, kind: &str, rejected: &Rejected) {
        for (reason, count) in &rejected.by_reason {
            self.rejected.with_label_values(&[kind, reason]).inc_by(*count);
        }
    }
}
