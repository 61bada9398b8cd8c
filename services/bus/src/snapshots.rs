//! Where state is kept between two starts: one value a partition, the newest counts.
//!
//! The snapshot of an events partition only saves time; without one everything is rebuilt from the topics. The
//! checkpoint of the decisions log stands for records that retention has taken.

use bytes::Bytes;
use model::Partition;

use crate::{SnapshotError, embedded, kafka};

/// The newest value of each partition.
#[derive(Clone, Debug)]
pub struct Snapshots(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Embedded(embedded::Snapshots),
    Kafka(kafka::Snapshots),
}

impl From<kafka::Snapshots> for Snapshots {
    fn from(snapshots: kafka::Snapshots) -> Self {
        Self(Backend::Kafka(snapshots))
    }
}

impl From<embedded::Snapshots> for Snapshots {
    fn from(snapshots: embedded::Snapshots) -> Self {
        Self(Backend::Embedded(snapshots))
    }
}

impl Snapshots {
    /// Replaces the partition's snapshot; the old one stands until the new one is durable and whole.
    pub async fn save(&self, partition: Partition, snapshot: Bytes) -> Result<(), SnapshotError> {
        match &self.0 {
            Backend::Embedded(snapshots) => snapshots.save(partition, snapshot).await,
            Backend::Kafka(snapshots) => snapshots.save(partition, snapshot).await,
        }
    }

    /// Another process may have saved since this one did: what it left is asked for before the next save.
    pub fn forget(&self, partition: Partition) {
        match &self.0 {
            Backend::Embedded(_) => {}
            Backend::Kafka(snapshots) => snapshots.forget(partition),
        }
    }

    /// The newest whole snapshot; `None` if there is none, or it is damaged.
    pub async fn load(&self, partition: Partition) -> Result<Option<Bytes>, SnapshotError> {
        match &self.0 {
            Backend::Embedded(snapshots) => snapshots.load(partition).await,
            Backend::Kafka(snapshots) => snapshots.load(partition).await,
        }
    }
}
