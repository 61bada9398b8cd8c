//! One value a partition, the newest counts.

use bytes::Bytes;
use model::Partition;

use crate::backend::{Backend, P0};

pub(crate) async fn the_newest_snapshot_of_each_partition_is_read_back(backend: Backend) {
    let bus = backend.open().await;
    let other = Partition(2);
    assert_eq!(bus.snapshots.load(P0).await.unwrap(), None, "there is none yet");
    for payload in ["", "first", "second", "third"] {
        bus.snapshots.save(P0, payload.into()).await.unwrap();
        assert_eq!(bus.snapshots.load(P0).await.unwrap().unwrap(), payload);
    }
    assert_eq!(bus.snapshots.load(other).await.unwrap(), None, "of another partition");
    bus.snapshots.save(other, "other".into()).await.unwrap();
    assert_eq!(bus.snapshots.load(P0).await.unwrap().unwrap(), "third");
    assert_eq!(bus.snapshots.load(other).await.unwrap().unwrap(), "other");
}

pub(crate) async fn a_snapshot_of_many_chunks_is_replaced_by_a_small_one_and_back(backend: Backend) {
    let bus = backend.open().await;
    let large =
        |seed: u8| -> Bytes { (0..10_000_000_u32).map(|n| (n >> 8) as u8 ^ n as u8 ^ seed).collect() };
    for snapshot in [large(1), Bytes::from_static(b"small"), large(2), large(3)] {
        bus.snapshots.save(P0, snapshot.clone()).await.unwrap();
        assert!(bus.snapshots.load(P0).await.unwrap().unwrap() == snapshot);
    }
}

pub(crate) async fn snapshots_outlive_a_restart(backend: Backend) {
    for round in 0..3 {
        let bus = backend.open().await;
        if round > 0 {
            assert_eq!(bus.snapshots.load(P0).await.unwrap().unwrap(), format!("round {}", round - 1));
        }
        bus.snapshots.save(P0, format!("round {round}").into()).await.unwrap();
        bus.close().await;
    }
}

pub(crate) async fn a_checkpoint_stands_beside_the_snapshot_of_its_partition(backend: Backend) {
    for round in 0..3 {
        let bus = backend.open().await;
        if round > 0 {
            let before = round - 1;
            assert_eq!(bus.snapshots.load(P0).await.unwrap().unwrap(), format!("snapshot {before}"));
            assert_eq!(bus.checkpoints.load(P0).await.unwrap().unwrap(), format!("checkpoint {before}"));
        }
        bus.checkpoints.save(P0, format!("checkpoint {round}").into()).await.unwrap();
        bus.snapshots.save(P0, format!("snapshot {round}").into()).await.unwrap();
        bus.close().await;
    }
}
