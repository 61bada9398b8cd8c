//! What the receivers count.

use prometheus::{HistogramVec, IntCounterVec, Registry};
use telemetry::metrics::{self, MetricsError};

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) attempts: IntCounterVec,
    pub(crate) deliveries: IntCounterVec,
    pub(crate) seconds: HistogramVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            attempts: metrics::counter(
                registry,
                "ripcord_receiver_attempts_total",
                "Attempts to deliver messages, by integration and result.",
                &["integration", "result"],
            )?,
            deliveries: metrics::counter(
                registry,
                "ripcord_receiver_deliveries_total",
                "Messages by integration and what became of them.",
                &["integration", "result"],
            )?,
            seconds: metrics::seconds(
                registry,
                "ripcord_receiver_delivery_seconds",
                "Time from a message's first attempt to its end, pauses included.",
                &["integration"],
            )?,
        })
    }
}
