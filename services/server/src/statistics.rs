//! The log's own figures as metrics, read right before a scrape is answered.

use bus::{Bus, Statistics, Topic};
use prometheus::{IntGaugeVec, Registry};
use telemetry::metrics::gauges;

/// Gauges per topic.
#[derive(Clone, Debug)]
pub(crate) struct LogGauges {
    records: IntGaugeVec,
    fsyncs: IntGaugeVec,
    queue_bytes: IntGaugeVec,
    size_bytes: IntGaugeVec,
    segments: IntGaugeVec,
    corrupt: IntGaugeVec,
}

impl LogGauges {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        let topic = &["topic"];
        Ok(Self {
            records: gauges(
                registry,
                "ripcord_log_appended_records",
                "Records appended since the start.",
                topic,
            )?,
            fsyncs: gauges(registry, "ripcord_log_fsyncs", "Group commits since the start.", topic)?,
            queue_bytes: gauges(registry, "ripcord_log_queue_bytes", "Bytes that wait for the disk.", topic)?,
            size_bytes: gauges(registry, "ripcord_log_size_bytes", "Size of the log on disk.", topic)?,
            segments: gauges(registry, "ripcord_log_segments", "Files of the log.", topic)?,
            corrupt: gauges(
                registry,
                "ripcord_log_corrupt_records",
                "Damaged places found since the start.",
                topic,
            )?,
        })
    }

    /// Something to call before each scrape.
    pub(crate) fn refresher(&self, bus: &Bus) -> console::api::BeforeScrape {
        let (gauges, topics) =
            (self.clone(), [("events", bus.events.clone()), ("decisions", bus.decisions.clone())]);
        std::sync::Arc::new(move || {
            for (name, topic) in &topics {
                gauges.set(name, topic);
            }
        })
    }

    fn set(&self, name: &str, topic: &Topic) {
        let Statistics { records, fsyncs, queue_bytes, size_bytes, segments, corrupt_records, .. } =
            topic.statistics();
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge.with_label_values(&[name]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.records, records);
        set(&self.fsyncs, fsyncs);
        set(&self.queue_bytes, queue_bytes as u64);
        set(&self.size_bytes, size_bytes);
        set(&self.segments, segments as u64);
        set(&self.corrupt, corrupt_records);
    }
}
