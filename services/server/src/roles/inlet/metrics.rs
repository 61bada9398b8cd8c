//! What the inputs say about themselves. Topics are those of the configuration.

use std::{collections::BTreeMap, sync::Arc};

use bus::{AppendError, Delivered, InletLag};
use prometheus::{IntCounterVec, IntGaugeVec, Registry};
use telemetry::metrics::{counter, gauges};

#[derive(Clone, Debug)]
pub(crate) struct InletMetrics {
    messages: IntCounterVec,
    requests: IntCounterVec,
    waits: IntCounterVec,
    lag: IntGaugeVec,
    lost: IntCounterVec,
}

impl InletMetrics {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self {
            messages: counter(
                registry,
                "ripcord_inlet_messages_total",
                "Messages of input topics that are done with, by what came of them.",
                &["topic", "result"],
            )?,
            requests: counter(
                registry,
                "ripcord_inlet_requests_total",
                "Request events in messages of input topics that are durable.",
                &["topic"],
            )?,
            waits: counter(
                registry,
                "ripcord_inlet_waits_total",
                "Times that a message waited because the log could not write.",
                &[],
            )?,
            lag: gauges(
                registry,
                "ripcord_inlet_lag_messages",
                "Messages of input topics that are not done with, on the partitions of this process.",
                &["topic"],
            )?,
            lost: counter(
                registry,
                "ripcord_inlet_lost_messages_total",
                "Messages of input topics that retention took before they were read.",
                &["topic"],
            )?,
        })
    }

    pub(super) fn count(&self, message: &Delivered, result: &str) {
        self.messages.with_label_values(&[&*message.topic, result]).inc();
    }

    pub(super) fn requests(&self, message: &Delivered, requests: usize) {
        if requests > 0 {
            self.requests.with_label_values(&[&*message.topic]).inc_by(requests as u64);
        }
    }

    /// The log says that it cannot write by itself; each message would say it again.
    pub(super) fn wait(&self, error: &AppendError) {
        self.waits.with_label_values::<&str>(&[]).inc();
        tracing::debug!(%error, "a message of an input waits for the log");
    }

    /// Counts so far, by topic.
    pub(super) fn lost(&self, lost: &[(Arc<str>, u64)]) {
        for (topic, messages) in lost {
            let count = self.lost.with_label_values(&[&**topic]);
            count.inc_by(messages.saturating_sub(count.get()));
        }
    }

    pub(super) fn lag(&self, lag: &[InletLag]) {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for of in lag {
            *sums.entry(&*of.topic).or_default() += of.messages;
        }
        // A topic whose partitions all went to others.
        self.lag.reset();
        for (topic, messages) in sums {
            self.lag.with_label_values(&[topic]).set(i64::try_from(messages).unwrap_or(i64::MAX));
        }
    }
}
