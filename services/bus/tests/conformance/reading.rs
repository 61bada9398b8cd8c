//! Readers: from where they are told, in order, waiting, with what they missed.

use bus::NewRecord;
use model::{Position, Timestamp};

use crate::backend::{Backend, P0, append, append_all, at, delete_records, is_waiting, read_all};

pub(crate) async fn a_reader_waits_for_the_next_record_and_every_reader_gets_each_record(backend: Backend) {
    let bus = backend.open().await;
    let readers = [bus.events.reader(P0, Position(0)), bus.events.reader(P0, Position(0))];
    let waiting = readers.map(|mut reader| tokio::spawn(async move { reader.next().await.unwrap() }));
    tokio::task::yield_now().await;
    append_all(&bus.events, &["awaited"]).await;
    for reader in waiting {
        assert_eq!(reader.await.unwrap().payload, "awaited");
    }
}

pub(crate) async fn a_reader_told_to_begin_at_a_position_to_come_waits_for_it(backend: Backend) {
    let bus = backend.open().await;
    let mut reader = bus.events.reader(P0, Position(2));
    assert!(is_waiting(reader.next()).await, "an empty log");
    append_all(&bus.events, &["a", "b"]).await;
    assert!(is_waiting(reader.next()).await, "records before");
    append_all(&bus.events, &["c"]).await;
    let record = reader.next().await.unwrap();
    assert_eq!((&record.payload[..], record.position, record.missing_before), (&b"c"[..], Position(2), 0));
}

pub(crate) async fn a_dropped_wait_loses_no_record(backend: Backend) {
    let bus = backend.open().await;
    let mut reader = bus.events.reader(P0, Position(0));
    for text in ["a", "b", "c"] {
        // Polled once, then dropped.
        let was_ready =
            tokio::select! { biased; _ = reader.next() => true, () = std::future::ready(()) => false };
        assert!(!was_ready);
        append_all(&bus.events, &[text]).await;
        assert_eq!(reader.next().await.unwrap().payload, text);
    }
}

pub(crate) async fn a_reader_goes_on_in_the_middle_after_a_restart(backend: Backend) {
    let bus = backend.open().await;
    append_all(&bus.events, &["a", "b", "c", "d"]).await;
    let mut reader = bus.events.reader(P0, Position(0));
    reader.next().await.unwrap();
    reader.next().await.unwrap();
    let position = reader.position();
    drop(reader);
    bus.close().await;
    drop(bus);
    let bus = backend.open().await;
    assert_eq!(read_all(&bus.events, position.0).await, ["c", "d"]);
}

pub(crate) async fn reading_up_to_an_end_ends(backend: Backend) {
    let bus = backend.open().await;
    append_all(&bus.events, &["a", "b"]).await;
    let end = bus.events.bounds(P0).await.unwrap().next;
    let mut reader = bus.events.reader(P0, Position(0));
    append_all(&bus.events, &["after"]).await;
    let mut seen = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        seen.push(record.payload);
    }
    assert_eq!(seen, ["a", "b"]);
    assert_eq!(reader.position(), end);
}

pub(crate) async fn a_stamp_finds_the_first_record_not_older_than_it(backend: Backend) {
    let bus = backend.open().await;
    assert_eq!(bus.events.position_at(P0, at(0)).await.unwrap(), Position(0), "an empty log");
    for millis in [10, 20, 20, 20, 30] {
        append(&bus.events, millis, "x").await;
    }
    for (asked, found, why) in [
        (Timestamp::MIN, 0, "before everything"),
        (Timestamp::from_millis(-1), 0, "before 1970"),
        (at(10), 0, "the first"),
        (at(11), 1, "between two"),
        (at(20), 1, "the first of many with the same stamp"),
        (at(30), 4, "the last"),
        (at(31), 5, "after everything: the next record's position"),
        (Timestamp::MAX, 5, "after all time"),
    ] {
        assert_eq!(bus.events.position_at(P0, asked).await.unwrap(), Position(found), "{why}");
    }
}

pub(crate) async fn replay_from_a_moment_gives_what_was_stamped_since(backend: Backend) {
    let bus = backend.open().await;
    let appends: Vec<_> =
        (0..200).map(|n| bus.events.append(P0, NewRecord::new(at(n * 10), n.to_string()))).collect();
    for append in appends {
        append.await.unwrap();
    }
    let from = bus.events.position_at(P0, at(995)).await.unwrap();
    let expected: Vec<_> = (100..200).map(|n| n.to_string()).collect();
    assert_eq!(read_all(&bus.events, from.0).await, expected);
}

pub(crate) async fn a_reader_behind_what_is_left_is_told_how_much_it_missed(backend: Backend) {
    let (bus, first) = backend.append_and_lose_the_first(20).await;
    assert!((12..19).contains(&first.0), "{first:?}");
    let mut reader = bus.events.reader(P0, Position(3));
    let record = reader.next().await.unwrap();
    assert_eq!((record.position, record.missing_before), (first, first.0 - 3));
    assert_eq!(reader.next().await.unwrap().missing_before, 0);
    let position = bus.events.position_at(P0, at(3)).await.unwrap();
    assert_eq!(position, first, "a moment that is gone is the oldest record left");
}

/// Nothing is left and nothing comes: who reads up to an end has to arrive all the same.
pub(crate) async fn a_reader_behind_an_emptied_partition_stands_at_its_end(backend: Backend) {
    let Backend::Kafka(config) = &backend else {
        // The embedded log never deletes the segment that it writes to.
        return;
    };
    let bus = backend.open().await;
    append_all(&bus.events, &["a", "b", "c"]).await;
    delete_records(config, 3).await;
    let mut reader = bus.events.reader(P0, Position(1));
    assert_eq!(reader.next_before(Position(3)).await.unwrap(), None);
    assert_eq!(reader.position(), Position(3));
    append_all(&bus.events, &["d"]).await;
    let record = reader.next().await.unwrap();
    assert_eq!((record.position, record.missing_before), (Position(3), 2));
}
