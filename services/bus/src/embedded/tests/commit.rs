//! When a record counts as written.

use super::*;

#[tokio::test]
async fn a_record_is_neither_acknowledged_nor_visible_before_its_sync() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    append(&topic, "before").await.unwrap();
    let mut reader = topic.reader(Position(1));

    disk.hold_syncs();
    let mut under_way = append(&topic, "under way");
    disk.await_held_sync();
    assert!(is_pending(&mut under_way).await);
    assert_eq!(reader.try_next().unwrap(), None);
    assert_eq!(topic.bounds().next, Position(1));
    assert!(topic.statistics().queue_bytes > 0);
    assert_eq!(texts(&read(&open(&disk.after_power_cut(0), small()))).first(), Some(&"before"));

    disk.release_syncs();
    assert_eq!(under_way.await.unwrap(), Position(1));
    assert_eq!(reader.next().await.unwrap().payload, "under way");
    assert_eq!(topic.statistics().queue_bytes, 0);
}

#[tokio::test]
async fn whatever_was_queued_during_a_sync_is_committed_by_the_next_one_together() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    disk.hold_syncs();
    let mut appends = vec![append(&topic, "first")];
    // The first sync is that of the watermark, the second that of the record: both wait here.
    disk.await_held_sync();
    appends.extend((0..100).map(|n| append(&topic, &n.to_string())));
    disk.release_syncs();
    for append in appends {
        append.await.unwrap();
    }
    let statistics = topic.statistics();
    assert_eq!((statistics.records, statistics.fsyncs), (101, 2));
    assert_eq!(read(&topic).len(), 101);
}

#[tokio::test]
async fn more_bytes_in_flight_than_allowed_are_refused_at_once_and_accepted_again_later() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig { queue_bytes_max: 1000, ..TopicConfig::default() });
    disk.hold_syncs();
    let taken = append(&topic, &"a".repeat(800));
    let refused = append(&topic, &"b".repeat(800)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Overloaded { .. }) && refused.is_retryable(), "{refused}");
    disk.release_syncs();
    taken.await.unwrap();
    append(&topic, &"c".repeat(800)).await.unwrap();
    assert_eq!((topic.statistics().overloaded, topic.statistics().queue_bytes), (1, 0));
}

#[tokio::test]
async fn an_empty_queue_takes_a_record_of_any_allowed_size() {
    let topic = open(&Memory::default(), TopicConfig { queue_bytes_max: 10, ..TopicConfig::default() });
    append(&topic, &"large".repeat(100)).await.unwrap();
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_is_written_all_the_same() {
    let topic = open(&Memory::default(), small());
    drop(append(&topic, "abandoned"));
    append(&topic, "awaited").await.unwrap();
    assert_eq!(texts(&read(&topic)), ["abandoned", "awaited"]);
}

#[tokio::test]
async fn recent_records_are_read_without_the_disk() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    append(&topic, "recent").await.unwrap();
    disk.fail_at(0);
    assert_eq!(texts(&read(&topic)), ["recent"]);
    assert!(!disk.has_failed(), "the disk was asked");
}
