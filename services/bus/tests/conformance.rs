//! What every backend of the log owes its users, told over the public API only: a further backend runs the
//! same stories with another `open`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use bus::{AppendError, Bus, BusConfig, ReadError, Topic, TopicConfig};
use model::{Position, Timestamp};
use tempfile::TempDir;

struct Log {
    dir: TempDir,
    bus: Bus,
}

impl Log {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bus = bus::open(BusConfig::new(dir.path())).unwrap();
        Self { dir, bus }
    }

    async fn reopen(self) -> Self {
        self.bus.close().await;
        drop(self.bus);
        let bus = bus::open(BusConfig::new(self.dir.path())).unwrap();
        Self { dir: self.dir, bus }
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

async fn append_all(topic: &Topic, texts: &[&str]) -> Vec<Position> {
    let mut positions = Vec::new();
    for (millis, text) in (0..).zip(texts) {
        positions.push(topic.append(at(millis), text.as_bytes().to_vec()).await.unwrap());
    }
    positions
}

/// Everything durable from `from` on, as text.
fn read_all(topic: &Topic, from: u64) -> Vec<String> {
    let mut reader = topic.reader(Position(from));
    let mut texts = Vec::new();
    while let Some(record) = reader.try_next().unwrap() {
        texts.push(String::from_utf8(record.payload.to_vec()).unwrap());
    }
    texts
}

#[tokio::test]
async fn records_are_read_in_the_order_of_the_appends_with_growing_positions_and_their_stamps() {
    let log = Log::open();
    let positions = append_all(&log.bus.events, &["a", "", "c"]).await;
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let mut reader = log.bus.events.reader(Position(0));
    for (millis, (text, position)) in (0..).zip(["a", "", "c"].iter().zip(positions)) {
        let record = reader.next().await.unwrap();
        assert_eq!((record.position, record.at, record.missing_before), (position, at(millis), 0));
        assert_eq!(record.payload, text.as_bytes());
    }
    assert_eq!(reader.try_next().unwrap(), None);
    assert_eq!(reader.position(), log.bus.events.next_position());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_positions_go_on() {
    let mut log = Log::open();
    append_all(&log.bus.events, &["a", "b"]).await;
    for round in 0..3 {
        log = log.reopen().await;
        let next = log.bus.events.next_position();
        assert_eq!(log.bus.events.append(at(9), "more").await.unwrap(), next, "round {round}");
    }
    assert_eq!(read_all(&log.bus.events, 0), ["a", "b", "more", "more", "more"]);
    assert_eq!(read_all(&log.bus.events, 1), ["b", "more", "more", "more"]);
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_nine() {
    // The directory is copied while the log is open: what the copy holds is what a killed process leaves.
    let log = Log::open();
    append_all(&log.bus.events, &["a", "b"]).await;
    append_all(&log.bus.decisions, &["d"]).await;
    let left = tempfile::tempdir().unwrap();
    copy_tree(log.dir.path(), left.path());
    let after = bus::open(BusConfig::new(left.path())).unwrap();
    assert_eq!(read_all(&after.events, 0), ["a", "b"]);
    assert_eq!(read_all(&after.decisions, 0), ["d"]);
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
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
async fn the_topics_do_not_see_each_others_records() {
    let log = Log::open();
    append_all(&log.bus.events, &["event"]).await;
    append_all(&log.bus.decisions, &["decision"]).await;
    assert_eq!(read_all(&log.bus.events, 0), ["event"]);
    assert_eq!(read_all(&log.bus.decisions, 0), ["decision"]);
}

#[tokio::test]
async fn a_reader_waits_for_the_next_record_and_every_reader_gets_each_record() {
    let log = Log::open();
    let readers = [log.bus.events.reader(Position(0)), log.bus.events.reader(Position(0))];
    let waiting = readers.map(|mut reader| tokio::spawn(async move { reader.next().await.unwrap() }));
    tokio::task::yield_now().await;
    append_all(&log.bus.events, &["awaited"]).await;
    for reader in waiting {
        assert_eq!(reader.await.unwrap().payload, "awaited");
    }
}

#[tokio::test]
async fn a_reader_told_to_begin_at_a_position_to_come_waits_for_it() {
    let log = Log::open();
    let mut reader = log.bus.events.reader(Position(2));
    append_all(&log.bus.events, &["a", "b"]).await;
    assert_eq!(reader.try_next().unwrap(), None);
    append_all(&log.bus.events, &["c"]).await;
    let record = reader.next().await.unwrap();
    assert_eq!((&record.payload[..], record.missing_before), (&b"c"[..], 0));
}

#[tokio::test]
async fn a_dropped_wait_loses_no_record() {
    let log = Log::open();
    let mut reader = log.bus.events.reader(Position(0));
    for text in ["a", "b", "c"] {
        // Polled once, then dropped.
        let was_ready = tokio::select! { biased; record = reader.next() => Some(record), () = std::future::ready(()) => None };
        assert!(was_ready.is_none());
        append_all(&log.bus.events, &[text]).await;
        assert_eq!(reader.next().await.unwrap().payload, text);
    }
}

#[tokio::test]
async fn closing_writes_what_was_taken_then_refuses_and_readers_end_after_the_last_record() {
    let log = Log::open();
    let under_way: Vec<_> = (0..20).map(|n| log.bus.events.append(at(n), format!("{n}"))).collect();
    let mut reader = log.bus.events.reader(Position(0));
    log.bus.close().await;
    for append in under_way {
        append.await.unwrap();
    }
    for n in 0..20 {
        assert_eq!(reader.next().await.unwrap().payload, format!("{n}"));
    }
    assert!(matches!(reader.next().await, Err(ReadError::Closed)));
    let refused = log.bus.events.append(at(0), "late").await.unwrap_err();
    assert!(matches!(refused, AppendError::Closed) && refused.is_retryable(), "{refused}");
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_for_good() {
    let log = Log::open();
    let record = vec![0; bus::RECORD_BYTES_MAX + 1];
    let refused = log.bus.events.append(at(0), record).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }) && !refused.is_retryable(), "{refused}");
}

#[tokio::test]
async fn a_record_larger_than_segment_and_memory_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BusConfig::new(dir.path());
    config.events = TopicConfig { segment_bytes: 4096, tail_bytes_max: 4096, ..TopicConfig::default() };
    let bus = bus::open(config).unwrap();
    let large = vec![7_u8; 3 * 1024 * 1024];
    for record in [&b"before"[..], &large, b"after"] {
        bus.events.append(at(0), record.to_vec()).await.unwrap();
    }
    let mut reader = bus.events.reader(Position(0));
    assert_eq!(reader.next().await.unwrap().payload, "before");
    assert_eq!(reader.next().await.unwrap().payload, large);
    assert_eq!(reader.next().await.unwrap().payload, "after");
}

#[tokio::test]
async fn a_stamp_finds_the_first_record_not_older_than_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BusConfig::new(dir.path());
    // One record a segment: the answer must not depend on where files end.
    for segment_bytes in [1, bus::SEGMENT_BYTES] {
        config.events.segment_bytes = segment_bytes;
        config.dir = dir.path().join(segment_bytes.to_string());
        let bus = bus::open(config.clone()).unwrap();
        assert_eq!(bus.events.position_at(at(0)).await.unwrap(), Position(0), "an empty log");
        for millis in [10, 20, 20, 20, 30] {
            bus.events.append(at(millis), "x").await.unwrap();
        }
        for (asked, found, why) in [
            (i64::MIN, 0, "before everything"),
            (10, 0, "the first"),
            (11, 1, "between two"),
            (20, 1, "the first of many with the same stamp"),
            (30, 4, "the last"),
            (31, 5, "after everything: the next record's position"),
        ] {
            assert_eq!(bus.events.position_at(at(asked)).await.unwrap(), Position(found), "{why}");
        }
    }
}

#[tokio::test]
async fn a_second_opener_is_refused_with_a_sentence_until_the_first_has_closed() {
    let log = Log::open();
    let refused = bus::open(BusConfig::new(log.dir.path())).unwrap_err();
    assert!(refused.is_retryable());
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is in use by another process: only one ripcord may run on a data directory",
            log.dir.path().display()
        )
    );
    log.bus.close().await;
    drop(bus::open(BusConfig::new(log.dir.path())).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_producers_each_keep_their_order_and_nothing_is_lost_or_doubled() {
    let log = Log::open();
    let topic = Arc::new(log.bus.events.clone());
    let producers = (0..8).map(|producer| {
        let topic = topic.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                topic.append(at(n), format!("{producer} {n}")).await.unwrap();
            }
        })
    });
    for producer in producers.collect::<Vec<_>>() {
        producer.await.unwrap();
    }
    let records = read_all(&log.bus.events, 0);
    assert_eq!(records.len(), 400);
    for producer in 0..8 {
        let of_producer = format!("{producer} ");
        let seen: Vec<&String> = records.iter().filter(|text| text.starts_with(&of_producer)).collect();
        let expected: Vec<String> = (0..50).map(|n| format!("{producer} {n}")).collect();
        assert_eq!(seen, expected.iter().collect::<Vec<_>>());
    }
    let statistics = log.bus.events.statistics();
    assert_eq!((statistics.records, statistics.queue_bytes), (400, 0));
}

#[tokio::test]
async fn retention_deletes_whole_old_segments_and_a_reader_behind_is_told_how_much_it_missed() {
    for (retention, why) in [
        (bus::Retention { bytes_max: Some(200), age_max: None }, "by size"),
        (bus::Retention { bytes_max: None, age_max: Some(Duration::from_millis(4)) }, "by age"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BusConfig::new(dir.path());
        config.events = TopicConfig { segment_bytes: 1, tail_bytes_max: 0, retention, ..config.events };
        let bus = bus::open(config).unwrap();
        for n in 0..20 {
            bus.events.append(at(n), vec![0; 16]).await.unwrap();
        }
        let first = bus.events.first_position();
        assert!((12..19).contains(&first.0), "{why}: {first:?}");
        assert!(bus.events.statistics().size_bytes <= 280, "{why}");
        let mut reader = bus.events.reader(Position(3));
        let record = reader.next().await.unwrap();
        assert_eq!((record.position, record.missing_before), (first, first.0 - 3), "{why}");
        assert_eq!(reader.next().await.unwrap().missing_before, 0, "{why}");
    }
}
