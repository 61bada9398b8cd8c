//! Both topics, opened together.

use std::{path::Path, sync::Arc};

use crate::{
    BusConfig, OpenError, Topic, TopicConfig, data_directory,
    frame::FrameFormat,
    log::Log,
    recovery,
    shared::{Counters, Shared, State},
    storage::{Files, Storage},
    writer,
};

/// The log.
#[derive(Clone, Debug)]
pub struct Bus {
    /// What came in.
    pub events: Topic,
    /// What was made of it.
    pub decisions: Topic,
}

/// Opens the log, heals what a crash left behind, and starts its writers. Blocks while it reads the newest
/// segment of each topic. One process at a time: the directory stays locked until both topics are closed, or
/// all their handles are gone and what they took is written.
pub fn open(config: BusConfig) -> Result<Bus, OpenError> {
    let lock = Arc::new(data_directory::open(&config.dir)?);
    let storage: Arc<dyn Storage> = Arc::new(Files);
    let topic = |name: &str, config_of_topic| {
        open_topic(storage.clone(), &config.dir, name, config_of_topic, lock.clone())
    };
    Ok(Bus { events: topic("events", config.events)?, decisions: topic("decisions", config.decisions)? })
}

impl Bus {
    /// Closes both topics, see [`Topic::close`]; events first, as decisions follow from them.
    pub async fn close(&self) {
        self.events.close().await;
        self.decisions.close().await;
    }
}

/// `keep_alive` is dropped when the topic will write no more.
pub(crate) fn open_topic<K: Send + 'static>(
    storage: Arc<dyn Storage>,
    dir: &Path,
    name: &str,
    config: TopicConfig,
    keep_alive: K,
) -> Result<Topic, OpenError> {
    let dir = dir.join(name);
    let recovered = recovery::recover(storage.as_ref(), &dir, &FrameFormat::of_topic(name))?;
    let counters = Counters {
        corrupt_records: recovered.missing_segments,
        torn_bytes: recovered.torn_bytes,
        ..Counters::default()
    };
    if recovered.torn_bytes > 0 {
        tracing::warn!(topic = name, bytes = recovered.torn_bytes, "the torn end of the log was cut off");
    }
    let log = Log::new(recovered.segments, recovered.next, config.tail_bytes_max);
    let shared = Arc::new(Shared::new(name, dir.clone(), storage, config, State { log, counters }));
    for (base, offset) in recovered.damaged {
        shared.report_damage(base, offset, base);
    }
    writer::spawn(shared.clone(), recovered.active, keep_alive)
        .map_err(OpenError::io("start the writer of", dir))?;
    Ok(Topic::new(shared))
}
