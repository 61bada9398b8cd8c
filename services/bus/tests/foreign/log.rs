//! What an operator does to the topics of a log: a key that comes later, a topic that goes, partitions that come.

use bus::{Bus, BusConfig, Doubt, KafkaConfig, Keys, NewRecord};
use model::{Partition, Position, Timestamp};
use secrecy::SecretString;

use crate::{broker, delete, grow};

const BEGINS_MS: i64 = 1_795_428_000_000;

async fn open(config: &KafkaConfig) -> Bus {
    bus::open(BusConfig::Kafka(config.clone())).await.unwrap()
}

/// Appends a record stamped so many milliseconds after the key's time.
async fn append(config: &KafkaConfig, after_ms: i64) {
    let bus = open(config).await;
    let record = NewRecord::new(Timestamp::from_millis(BEGINS_MS + after_ms), "payload").keyed("key");
    bus.events.append(Partition(0), record).await.unwrap();
    bus.close().await;
}

async fn doubts(config: &KafkaConfig, from: u64) -> Vec<Option<Doubt>> {
    let bus = open(config).await;
    let end = bus.events.bounds(Partition(0)).await.unwrap().next;
    let mut reader = bus.events.reader(Partition(0), Position(from));
    let mut doubts = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        doubts.push(record.doubt);
    }
    doubts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_from_before_there_was_a_key_are_believed_and_later_ones_never_whatever_their_stamp() {
    let Some(bootstrap) = broker::shared().await else { return };
    let prefix = format!("keys-{}", std::process::id());
    let without = KafkaConfig { partitions: 1, ..KafkaConfig::new(vec![bootstrap], prefix, "one") };
    bus::create_topics(&without).await.unwrap();
    let key = SecretString::from("b2xkIGtleSBvZiB0aGUgY2x1c3RlciwgMzIgYnl0ZXM=");
    let strict = KafkaConfig { keys: Some(Keys::parse(&key).unwrap()), ..without.clone() };
    let begins = Timestamp::from_millis(BEGINS_MS);
    let later = KafkaConfig { unsigned_before: Some(begins), ..strict.clone() };
    append(&without, -1000).await;
    append(&without, -500).await;
    assert_eq!(doubts(&strict, 0).await, [Some(Doubt::Unsigned); 2]);
    assert_eq!(doubts(&later, 0).await, [None; 2], "the time has not come yet");
    append(&strict, 0).await;
    append(&without, -400).await;
    append(&strict, 10).await;
    let expected = [None, None, None, Some(Doubt::Unsigned), None];
    assert_eq!(doubts(&later, 0).await, expected);
    assert_eq!(doubts(&later, 3).await, expected[3..], "for a reader that begins behind it, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_its_topic_for_snapshots_can_be_opened_and_has_none() {
    let Some(bootstrap) = broker::shared().await else { return };
    let prefix = format!("stateless-{}", std::process::id());
    let config = KafkaConfig { partitions: 1, ..KafkaConfig::new(vec![bootstrap], &prefix, "one") };
    bus::create_topics(&config).await.unwrap();
    delete(&config.brokers[0], &format!("{prefix}.state.v1")).await;
    while bus::check_topics(&config).await.unwrap().iter().all(bus::TopicReport::is_usable) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    append(&config, 0).await;
    let bus = open(&config).await;
    assert!(bus.snapshots.load(Partition(0)).await.is_err());
    assert_eq!(bus.events.bounds(Partition(0)).await.unwrap().next, Position(1));
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_somebody_adds_while_the_log_is_open_are_seen() {
    let Some(bootstrap) = broker::shared().await else { return };
    let prefix = format!("grown-{}", std::process::id());
    let config = KafkaConfig { partitions: 1, ..KafkaConfig::new(vec![bootstrap], &prefix, "one") };
    bus::create_topics(&config).await.unwrap();
    let bus = open(&config).await;
    assert_eq!(bus.events.partitions_now().await.unwrap(), 1);
    grow(&config.brokers[0], &format!("{prefix}.events.v1"), 2).await;
    while bus.events.partitions_now().await.unwrap() != 2 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(bus.events.partitions(), 1, "it works on with those that it had");
    bus.close().await;
}
