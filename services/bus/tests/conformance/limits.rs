//! What is too large, and too much at once.

use bus::{AppendError, NewRecord};
use model::Position;

use crate::backend::{Backend, P0, append, at, read_all, record};

pub(crate) async fn a_record_over_the_limit_is_refused_for_good(backend: Backend) {
    let bus = backend.open().await;
    let too_large = vec![0; bus::RECORD_BYTES_MAX + 1];
    let refused = bus.events.append(P0, NewRecord::new(at(0), too_large)).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }) && !refused.is_retryable(), "{refused}");
    append(&bus.events, 0, "the next").await;
    assert_eq!(read_all(&bus.events, 0).await, ["the next"]);
}

pub(crate) async fn a_large_record_among_small_ones_keeps_its_place(backend: Backend) {
    let bus = backend.open().await;
    // Bytes that do not compress, above what Kafka takes unless told otherwise (1 MiB).
    let mut state = 1_u64;
    let mut large = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let large: Vec<u8> = (0..9_000_000).map(|_| large()).collect();
    let payloads = [&b"before"[..], &large, b"after"];
    let appends = payloads.map(|payload| bus.events.append(P0, NewRecord::new(at(0), payload.to_vec())));
    for append in appends {
        append.await.unwrap();
    }
    let mut reader = bus.events.reader(P0, Position(0));
    for payload in payloads {
        assert!(reader.next().await.unwrap().payload == payload);
    }
}

pub(crate) async fn more_than_may_be_under_way_is_refused_at_once_and_nothing_acknowledged_is_lost(
    backend: Backend,
) {
    let backend = backend.with_queue(20_000);
    let bus = backend.open().await;
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for round in 0..3 {
        let text = |n: u64| format!("{round} {n} {}", "x".repeat(1000));
        let appends: Vec<_> =
            (0..60).map(|n| (text(n), bus.events.append(P0, record(n, &text(n))))).collect();
        for (text, append) in appends {
            match append.await {
                Ok(_) => acknowledged.push(text),
                Err(error @ AppendError::Overloaded { .. }) => {
                    assert!(error.is_retryable());
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(refused > 0 && acknowledged.len() >= 30, "{refused} refused, {} taken", acknowledged.len());
    assert_eq!(read_all(&bus.events, 0).await, acknowledged);
    let statistics = bus.events.statistics();
    assert_eq!((statistics.overloaded, statistics.queue_bytes), (refused, 0));
}
