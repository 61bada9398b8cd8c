//! The log's own figures as metrics, read right before a scrape is answered, and whether its brokers answer.

use std::time::Duration;

use bus::{Bus, KafkaStatistics, Statistics, Topic};
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};
use telemetry::{clock::Stopwatch, metrics::gauges};
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;

/// How often it is looked whether the brokers answer.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// How often it is looked whether the events have as many partitions as they had.
const PARTITIONS_PERIOD: Duration = Duration::from_secs(60);

/// A figure of Kafka's clients: its name, what it says, and how it is read.
type KafkaFigure = (&'static str, &'static str, fn(&KafkaStatistics) -> f64);

const KAFKA_FIGURES: [KafkaFigure; 15] = [
    ("ripcord_kafka_is_reachable", "1 while any broker answers.", |it| f64::from(it.is_reachable)),
    ("ripcord_kafka_outages", "Times that no broker answered.", |it| it.outages as f64),
    ("ripcord_kafka_brokers_up", "Brokers connected with.", |it| f64::from(it.brokers_up)),
    ("ripcord_kafka_brokers_down", "Brokers that it is tried to connect with.", |it| {
        f64::from(it.brokers_down)
    }),
    ("ripcord_kafka_request_p99_seconds", "Request to answer, the slowest broker.", |it| {
        it.request_seconds_p99
    }),
    ("ripcord_kafka_queue_p99_seconds", "How long a record waits here before it is sent.", |it| {
        it.queue_seconds_p99
    }),
    ("ripcord_kafka_retries", "Requests sent again.", |it| it.retries as f64),
    ("ripcord_kafka_timeouts", "Requests never answered.", |it| it.timeouts as f64),
    ("ripcord_kafka_client_records", "Records that the clients hold.", |it| it.client_records as f64),
    ("ripcord_kafka_client_bytes", "Bytes that the clients hold.", |it| it.client_bytes as f64),
    ("ripcord_kafka_producer_restarts", "Producers that failed for good and were made anew.", |it| {
        it.producer_restarts as f64
    }),
    ("ripcord_kafka_readers", "Readers of the topic in this process.", |it| f64::from(it.readers)),
    ("ripcord_kafka_lag_records", "How far the readers are behind, in all.", |it| it.lag_records as f64),
    ("ripcord_kafka_lag_records_max", "How far the last of them is behind.", |it| it.lag_records_max as f64),
    ("ripcord_kafka_rebalances", "Times that partitions came or went.", |it| it.rebalances as f64),
];

/// Gauges per topic.
#[derive(Clone, Debug)]
pub(crate) struct LogGauges {
    records: IntGaugeVec,
    fsyncs: IntGaugeVec,
    queue_bytes: IntGaugeVec,
    size_bytes: IntGaugeVec,
    segments: IntGaugeVec,
    corrupt: IntGaugeVec,
    kafka: Vec<GaugeVec>,
}

impl LogGauges {
    pub(crate) fn register(registry: &Registry) -> anyhow::Result<Self> {
        let topic = &["topic"];
        let kafka = KAFKA_FIGURES.iter().map(|(name, help, _)| {
            let gauge = GaugeVec::new(Opts::new(*name, *help), topic)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        });
        Ok(Self {
            kafka: kafka.collect::<Result<_, prometheus::Error>>()?,
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
        let gauges = self.clone();
        let topics = [
            ("events", bus.events.clone()),
            ("decisions", bus.decisions.clone()),
            ("dead-letters", bus.dead_letters.clone()),
        ];
        std::sync::Arc::new(move || {
            for (name, topic) in &topics {
                gauges.set(name, topic);
            }
        })
    }

    fn set(&self, name: &str, topic: &Topic) {
        let Statistics { records, fsyncs, queue_bytes, size_bytes, segments, corrupt_records, kafka, .. } =
            topic.statistics();
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge.with_label_values(&[name]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.records, records);
        set(&self.queue_bytes, queue_bytes as u64);
        let Some(kafka) = kafka else {
            set(&self.fsyncs, fsyncs);
            set(&self.size_bytes, size_bytes);
            set(&self.segments, segments as u64);
            set(&self.corrupt, corrupt_records);
            return;
        };
        for (gauge, (_, _, read)) in self.kafka.iter().zip(KAFKA_FIGURES) {
            gauge.with_label_values(&[name]).set(read(&kafka));
        }
    }
}

/// Says in the readiness whether the brokers answer; on the embedded log there is nothing to say.
pub(crate) async fn watch_brokers(bus: Bus, readiness: Readiness, stop: CancellationToken) {
    let mut partitions = PartitionsSeen(bus.events.partitions());
    let mut looked_at = Stopwatch::start();
    while let Some(kafka) = bus.events.statistics().kafka {
        let unreachable = || "no Kafka broker answers".to_owned();
        let why = || bus.events.outage().map_or_else(unreachable, |outage| outage.to_string());
        readiness.set("kafka", if kafka.is_reachable { Ok(()) } else { Err(why()) });
        if kafka.is_reachable && looked_at.elapsed() >= PARTITIONS_PERIOD {
            looked_at = Stopwatch::start();
            if let Ok(now) = bus.events.partitions_now().await {
                let own = bus.events.partitions();
                // Not in the readiness: this process works on as it did, and all would go out of service at once.
                if partitions.is_news(own, now) {
                    tracing::error!(
                        own,
                        now,
                        "the topic of the events has another number of partitions: no process starts on it again, and \
                         nobody reads the new ones; a service keeps its partition, so make topics under another \
                         `bus.topic_prefix`"
                    );
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_PERIOD) => {}
        }
    }
}

/// How many partitions the events had at the last look.
struct PartitionsSeen(u32);

impl PartitionsSeen {
    /// Whether their number is another one than this process works with, and is so for the first time.
    fn is_news(&mut self, own: u32, now: u32) -> bool {
        let before = std::mem::replace(&mut self.0, now);
        now != own && now != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_partitions_is_told_once() {
        let mut seen = PartitionsSeen(6);
        let told = [6, 9, 9, 12, 6, 9].map(|now| seen.is_news(6, now));
        assert_eq!(told, [false, true, false, true, false, true]);
    }
}
