//! What only the log on this machine's disk promises: its lock, its files, and what a killed process leaves.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{path::Path, time::Duration};

use bus::{Bus, BusConfig, EmbeddedConfig, NewRecord, Retention, Topic, TopicConfig};
use model::{Partition, Position, Timestamp};

const P0: Partition = Partition(0);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

async fn open(dir: &Path) -> Bus {
    open_with(EmbeddedConfig::new(dir)).await
}

async fn open_with(config: EmbeddedConfig) -> Bus {
    bus::open(BusConfig::Embedded(config)).await.unwrap()
}

async fn append_all(topic: &Topic, payloads: &[&[u8]]) {
    for payload in payloads {
        topic.append(P0, NewRecord::new(at(0), payload.to_vec())).await.unwrap();
    }
}

async fn read_all(topic: &Topic) -> Vec<Vec<u8>> {
    let end = topic.bounds(P0).await.unwrap().next;
    let mut reader = topic.reader(P0, Position(0));
    let mut payloads = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        payloads.push(record.payload.to_vec());
    }
    payloads
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_nine() {
    // The directory is copied while the log is open: what the copy holds is what a killed process leaves.
    let dir = tempfile::tempdir().unwrap();
    let bus = open(dir.path()).await;
    append_all(&bus.events, &[b"a", b"b"]).await;
    append_all(&bus.decisions, &[b"d"]).await;
    let left = tempfile::tempdir().unwrap();
    copy_tree(dir.path(), left.path());
    let after = open(left.path()).await;
    assert_eq!(read_all(&after.events).await, [b"a", b"b"]);
    assert_eq!(read_all(&after.decisions).await, [b"d"]);
}

#[tokio::test]
async fn a_topic_that_was_deleted_is_told_once_and_one_that_never_was_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let corrupt = async || {
        let bus = open(dir.path()).await;
        append_all(&bus.events, &[b"a"]).await;
        let corrupt = bus.decisions.statistics().corrupt_records;
        bus.close().await;
        corrupt
    };
    assert_eq!(corrupt().await, 0, "a new directory");
    assert_eq!(corrupt().await, 0, "nothing was ever decided");
    std::fs::remove_dir_all(dir.path().join("decisions")).unwrap();
    assert_eq!(corrupt().await, 1, "deleted");
    assert_eq!(corrupt().await, 0, "told already");
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_second_opener_is_refused_with_a_sentence_until_the_first_has_closed() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(dir.path()).await;
    let refused = bus::open(BusConfig::Embedded(EmbeddedConfig::new(dir.path()))).await.unwrap_err();
    assert!(refused.is_retryable());
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is in use by another process: only one ripcord may run on a data directory",
            dir.path().display()
        )
    );
    bus.close().await;
    drop(open(dir.path()).await);
}

#[tokio::test]
async fn a_record_larger_than_segment_and_memory_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let events = TopicConfig { segment_bytes: 4096, tail_bytes_max: 4096, ..TopicConfig::default() };
    let bus = open_with(EmbeddedConfig { events, ..EmbeddedConfig::new(dir.path()) }).await;
    let large = vec![7_u8; 3 * 1024 * 1024];
    append_all(&bus.events, &[b"before", &large, b"after"]).await;
    assert_eq!(read_all(&bus.events).await, [b"before".to_vec(), large, b"after".to_vec()]);
}

#[tokio::test]
async fn a_stamp_is_found_wherever_segments_end() {
    for segment_bytes in [1, bus::SEGMENT_BYTES] {
        let dir = tempfile::tempdir().unwrap();
        let events = TopicConfig { segment_bytes, ..TopicConfig::default() };
        let bus = open_with(EmbeddedConfig { events, ..EmbeddedConfig::new(dir.path()) }).await;
        for millis in [10, 20, 20, 20, 30] {
            bus.events.append(P0, NewRecord::new(at(millis), "x")).await.unwrap();
        }
        for (asked, found) in [(i64::MIN, 0), (10, 0), (11, 1), (20, 1), (30, 4), (31, 5)] {
            let position = bus.events.position_at(P0, at(asked)).await.unwrap();
            assert_eq!(position, Position(found), "{asked} in segments of {segment_bytes}");
        }
    }
}

#[tokio::test]
async fn retention_deletes_whole_old_segments_by_size_and_by_age() {
    for (retention, why) in [
        (Retention { bytes_max: Some(200), age_max: None }, "by size"),
        (Retention { bytes_max: None, age_max: Some(Duration::from_millis(4)) }, "by age"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let events = TopicConfig { segment_bytes: 1, tail_bytes_max: 0, retention, ..TopicConfig::default() };
        let bus = open_with(EmbeddedConfig { events, ..EmbeddedConfig::new(dir.path()) }).await;
        for n in 0..20 {
            bus.events.append(P0, NewRecord::new(at(n), vec![0; 16])).await.unwrap();
        }
        let first = bus.events.bounds(P0).await.unwrap().first;
        assert!((12..19).contains(&first.0), "{why}: {first:?}");
        assert!(bus.events.statistics().size_bytes <= 400, "{why}");
        let record = bus.events.reader(P0, Position(3)).next().await.unwrap();
        assert_eq!((record.position, record.missing_before), (first, first.0 - 3), "{why}");
    }
}
