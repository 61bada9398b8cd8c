//! What is appended is read, once, in order, after every restart.

use std::sync::Arc;

use bus::{AppendError, NewRecord, ReadError};
use model::{Partition, Position};

use crate::backend::{Backend, P0, append, append_all, at, is_waiting, read_all, read_partition, record};

pub(crate) async fn records_are_read_in_the_order_of_the_appends_with_growing_positions_and_their_stamps(
    backend: Backend,
) {
    let bus = backend.open().await;
    let positions = append_all(&bus.events, &["a", "", "c"]).await;
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let mut reader = bus.events.reader(P0, Position(0));
    for (millis, (text, position)) in (0..).zip(["a", "", "c"].iter().zip(positions)) {
        let record = reader.next().await.unwrap();
        assert_eq!((record.position, record.at, record.missing_before), (position, at(millis), 0));
        assert_eq!(record.payload, text.as_bytes());
    }
    assert!(is_waiting(reader.next()).await);
    assert_eq!(reader.position(), bus.events.bounds(P0).await.unwrap().next);
}

pub(crate) async fn key_headers_and_bytes_of_any_kind_come_back_untouched(backend: Backend) {
    let bus = backend.open().await;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let full = NewRecord::new(at(7), all_bytes.clone())
        .keyed(all_bytes.clone())
        .with_header("traceparent", "00-1")
        .with_header("twice", all_bytes.clone())
        .with_header("twice", "")
        .with_header("", "no name");
    for new in [full.clone(), NewRecord::new(at(7), ""), NewRecord::new(at(8), "").keyed("only a key")] {
        bus.events.append(P0, new).await.unwrap();
    }
    let mut reader = bus.events.reader(P0, Position(0));
    let back = reader.next().await.unwrap();
    assert_eq!(
        (&back.key, back.at, &back.headers, &back.payload),
        (&full.key, at(7), &full.headers, &full.payload)
    );
    let empty = reader.next().await.unwrap();
    assert!(empty.key.is_empty() && empty.headers.is_empty() && empty.payload.is_empty());
    assert_eq!(reader.next().await.unwrap().key, "only a key");
}

pub(crate) async fn what_was_acknowledged_is_there_after_a_restart_and_positions_go_on(backend: Backend) {
    let mut bus = backend.open().await;
    append_all(&bus.events, &["a", "b"]).await;
    for round in 0..2 {
        bus.close().await;
        drop(bus);
        bus = backend.open().await;
        let next = bus.events.bounds(P0).await.unwrap().next;
        assert_eq!(append(&bus.events, 9, "more").await, next, "round {round}");
    }
    assert_eq!(read_all(&bus.events, 0).await, ["a", "b", "more", "more"]);
    assert_eq!(read_all(&bus.events, 1).await, ["b", "more", "more"]);
}

pub(crate) async fn the_topics_do_not_see_each_others_records(backend: Backend) {
    let bus = backend.open().await;
    append_all(&bus.events, &["event"]).await;
    append_all(&bus.decisions, &["decision"]).await;
    append_all(&bus.dead_letters, &["letter"]).await;
    assert_eq!(read_all(&bus.events, 0).await, ["event"]);
    assert_eq!(read_all(&bus.decisions, 0).await, ["decision"]);
    assert_eq!(read_all(&bus.dead_letters, 0).await, ["letter"]);
    assert_eq!((bus.decisions.partitions(), bus.dead_letters.partitions()), (1, 1));
}

pub(crate) async fn partitions_do_not_see_each_others_records(backend: Backend) {
    let bus = backend.open().await;
    let partitions = || (0..bus.events.partitions()).map(Partition);
    for partition in partitions() {
        for n in 0..2 {
            bus.events.append(partition, record(n, &format!("{partition} {n}"))).await.unwrap();
        }
    }
    for partition in partitions() {
        let expected: Vec<_> = (0..2).map(|n| format!("{partition} {n}")).collect();
        assert_eq!(read_partition(&bus.events, partition, 0).await, expected);
    }
}

pub(crate) async fn concurrent_producers_each_keep_their_order_and_nothing_is_lost_or_doubled(
    backend: Backend,
) {
    let bus = backend.open().await;
    let topic = Arc::new(bus.events.clone());
    let producers = (0..8).map(|producer| {
        let topic = topic.clone();
        tokio::spawn(async move {
            let key = format!("service-{producer}");
            for n in 0..50 {
                let new = record(n, &format!("{producer} {n}")).keyed(key.clone());
                topic.append(P0, new).await.unwrap();
            }
        })
    });
    for producer in producers.collect::<Vec<_>>() {
        producer.await.unwrap();
    }
    let records = read_all(&bus.events, 0).await;
    assert_eq!(records.len(), 400);
    for producer in 0..8 {
        let of_producer = format!("{producer} ");
        let seen: Vec<&String> = records.iter().filter(|text| text.starts_with(&of_producer)).collect();
        let expected: Vec<String> = (0..50).map(|n| format!("{producer} {n}")).collect();
        assert_eq!(seen, expected.iter().collect::<Vec<_>>());
    }
    let statistics = bus.events.statistics();
    assert_eq!((statistics.records, statistics.queue_bytes), (400, 0));
}

pub(crate) async fn two_appends_stand_in_the_order_of_the_calls_whoever_is_polled_first(backend: Backend) {
    let bus = backend.open().await;
    let mut appends: Vec<_> = (0..100).map(|n| bus.events.append(P0, record(n, &n.to_string()))).collect();
    appends.reverse();
    for append in appends {
        append.await.unwrap();
    }
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(read_all(&bus.events, 0).await, expected);
}

pub(crate) async fn a_dropped_append_is_written_all_the_same(backend: Backend) {
    let bus = backend.open().await;
    drop(bus.events.append(P0, record(0, "dropped")));
    append(&bus.events, 1, "kept").await;
    assert_eq!(read_all(&bus.events, 0).await, ["dropped", "kept"]);
}

pub(crate) async fn closing_writes_what_was_taken_then_refuses_and_readers_end_after_the_last_record(
    backend: Backend,
) {
    let bus = backend.open().await;
    let under_way: Vec<_> = (0..20).map(|n| bus.events.append(P0, record(n, &n.to_string()))).collect();
    let mut reader = bus.events.reader(P0, Position(0));
    bus.close().await;
    for append in under_way {
        append.await.unwrap();
    }
    for n in 0..20 {
        assert_eq!(reader.next().await.unwrap().payload, n.to_string());
    }
    for _ in 0..2 {
        assert!(matches!(reader.next().await, Err(ReadError::Closed)));
    }
    let refused = bus.events.append(P0, record(0, "late")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Closed) && refused.is_retryable(), "{refused}");
}
