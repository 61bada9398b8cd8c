//! All topics, opened together.

use std::path::PathBuf;

use crate::{BusConfig, Membership, OpenError, Snapshots, Topic, embedded, kafka};

/// The log.
#[derive(Clone, Debug)]
pub struct Bus {
    /// What came in.
    pub events: Topic,
    /// What was made of it; one partition.
    pub decisions: Topic,
    /// Records that nobody could read, with where they came from and why; one partition.
    pub dead_letters: Topic,
    /// The state of the events' judges.
    pub snapshots: Snapshots,
    /// The state of the arbiter; one value, that of [`model::Partition::HOME`].
    pub checkpoints: Snapshots,
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Embedded,
    Kafka(kafka::Groups),
}

/// Which partitions the members of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Those of the events topic.
    Events,
    /// The one of the decisions topic: one member has it, the others stand by.
    Decisions,
}

/// Opens the log.
pub async fn open(config: BusConfig) -> Result<Bus, OpenError> {
    match config {
        BusConfig::Embedded(config) => {
            let dir: PathBuf = config.dir.clone();
            let opened = tokio::task::spawn_blocking(move || embedded::open(config)).await;
            let opened = opened.map_err(std::io::Error::other).map_err(OpenError::io("open", dir))??;
            Ok(Bus {
                events: opened.events.into(),
                decisions: opened.decisions.into(),
                dead_letters: opened.dead_letters.into(),
                snapshots: opened.snapshots.into(),
                checkpoints: opened.checkpoints.into(),
                backend: Backend::Embedded,
            })
        }
        BusConfig::Kafka(config) => {
            let opened = kafka::open(&config).await?;
            Ok(Bus {
                events: opened.events.into(),
                decisions: opened.decisions.into(),
                dead_letters: opened.dead_letters.into(),
                snapshots: opened.snapshots.into(),
                checkpoints: opened.checkpoints.into(),
                backend: Backend::Kafka(opened.groups),
            })
        }
    }
}

impl Bus {
    /// Joins the group `name`, whose members share the partitions of a topic.
    pub fn join(&self, name: &str, share: Share) -> Membership {
        match &self.backend {
            Backend::Embedded => embedded::Membership::new().into(),
            Backend::Kafka(groups) => groups.join(name, share).into(),
        }
    }

    /// Closes all topics, see [`Topic::close`]; events first, as decisions follow from them.
    pub async fn close(&self) {
        self.events.close().await;
        self.decisions.close().await;
        self.dead_letters.close().await;
    }
}
