//! Where the stories take place, and what they need to tell themselves.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusConfig, EmbeddedConfig, KafkaConfig, NewRecord, Retention, Topic, TopicConfig};
use model::{Partition, Position, Timestamp};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use tempfile::TempDir;

use crate::broker;

pub(crate) const P0: Partition = Partition(0);

/// A place for a log that no other test knows.
#[derive(Clone)]
pub(crate) enum Backend {
    Embedded { _dir: Arc<TempDir>, config: EmbeddedConfig },
    Kafka(KafkaConfig),
}

impl Backend {
    pub(crate) fn embedded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = EmbeddedConfig::new(dir.path());
        Self::Embedded { _dir: Arc::new(dir), config }
    }

    /// On the shared broker; `None`: there is none.
    pub(crate) async fn kafka(story: &str) -> Option<Self> {
        Some(Self::on(&broker::shared().await?, story).await)
    }

    pub(crate) async fn on(bootstrap: &str, story: &str) -> Self {
        let config = kafka_config(bootstrap, story);
        let reports = bus::create_topics(&config).await.unwrap();
        assert!(reports.iter().all(|report| report.is_created && report.is_usable()), "{reports:?}");
        Self::Kafka(config)
    }

    pub(crate) fn config(&self) -> BusConfig {
        match self {
            Self::Embedded { config, .. } => BusConfig::Embedded(config.clone()),
            Self::Kafka(config) => BusConfig::Kafka(config.clone()),
        }
    }

    pub(crate) async fn open(&self) -> Bus {
        bus::open(self.config()).await.unwrap()
    }

    /// The same log from another process.
    pub(crate) fn instance(&self, name: &str) -> Self {
        match self {
            Self::Embedded { .. } => panic!("one process only"),
            Self::Kafka(config) => Self::Kafka(KafkaConfig { instance: name.to_owned(), ..config.clone() }),
        }
    }

    /// The same log with so many bytes under way at most.
    pub(crate) fn with_queue(mut self, bytes_max: usize) -> Self {
        match &mut self {
            Self::Embedded { config, .. } => config.events.queue_bytes_max = bytes_max,
            Self::Kafka(config) => config.queue_bytes_max = bytes_max,
        }
        self
    }

    /// Appends records to the first partition of the events, and has the first of them deleted; answers the
    /// position of the first that is left.
    pub(crate) async fn append_and_lose_the_first(&self, records: u64) -> (Bus, Position) {
        let bus = match self {
            Self::Embedded { config, .. } => {
                let retention = Retention { bytes_max: Some(200), age_max: None };
                let events = TopicConfig { segment_bytes: 1, tail_bytes_max: 0, retention, ..config.events };
                bus::open(BusConfig::Embedded(EmbeddedConfig { events, ..config.clone() })).await.unwrap()
            }
            Self::Kafka(_) => self.open().await,
        };
        for n in 0..records {
            append(&bus.events, n, &n.to_string()).await;
        }
        if let Self::Kafka(config) = self {
            delete_records(config, records * 3 / 4).await;
        }
        let first = bus.events.bounds(P0).await.unwrap().first;
        (bus, first)
    }
}

/// A log that is not there yet.
pub(crate) fn kafka_config(bootstrap: &str, story: &str) -> KafkaConfig {
    let story: String = story.chars().take(40).collect();
    KafkaConfig {
        partitions: 3,
        // The shortest that brokers allow unless told otherwise.
        session_timeout: Duration::from_secs(6),
        // The records here are stamped as if they were old.
        events: Retention::default(),
        ..KafkaConfig::new(vec![bootstrap.to_owned()], format!("test-{}-{story}", std::process::id()), "one")
    }
}

/// What retention does, at once.
pub(crate) async fn delete_records(config: &KafkaConfig, before: u64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", config.brokers.join(",")).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    let topic = format!("{}.events.v1", config.topic_prefix);
    offsets.add_partition_offset(&topic, 0, Offset::Offset(before as i64)).unwrap();
    let deleted = admin.delete_records(&offsets, &AdminOptions::new()).await.unwrap();
    deleted.elements()[0].error().unwrap();
    // It waits for its thread.
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

/// Stamps count from some moment of our age.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis as i64)
}

pub(crate) fn record(millis: u64, text: &str) -> NewRecord {
    NewRecord::new(at(millis), text.to_owned())
}

pub(crate) async fn append(topic: &Topic, millis: u64, text: &str) -> Position {
    topic.append(P0, record(millis, text)).await.unwrap()
}

/// One after another, a millisecond apart.
pub(crate) async fn append_all(topic: &Topic, texts: &[&str]) -> Vec<Position> {
    let mut positions = Vec::new();
    for (millis, text) in (0..).zip(texts) {
        positions.push(append(topic, millis, text).await);
    }
    positions
}

/// Everything durable of the first partition from `from` on, as text.
pub(crate) async fn read_all(topic: &Topic, from: u64) -> Vec<String> {
    read_partition(topic, P0, from).await
}

pub(crate) async fn read_partition(topic: &Topic, partition: Partition, from: u64) -> Vec<String> {
    let end = topic.bounds(partition).await.unwrap().next;
    let mut reader = topic.reader(partition, Position(from));
    let mut texts = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        texts.push(String::from_utf8(record.payload.to_vec()).unwrap());
    }
    texts
}

/// Whether nothing comes within a moment.
pub(crate) async fn is_waiting<F: Future>(future: F) -> bool {
    tokio::time::timeout(Duration::from_millis(400), future).await.is_err()
}
