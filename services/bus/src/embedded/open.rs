//! All topics of a data directory, opened together.

use std::{path::Path, sync::Arc};

use model::Position;

use crate::embedded::{
    EmbeddedConfig, OpenError, Snapshots, Topic, TopicConfig, data_directory,
    frame::FrameFormat,
    log::Log,
    recovery,
    shared::{Counters, Shared, State},
    storage::{Files, Storage},
    writer,
};

/// The topics of one data directory.
pub(crate) struct Opened {
    pub(crate) events: Topic,
    pub(crate) decisions: Topic,
    pub(crate) dead_letters: Topic,
    pub(crate) snapshots: Snapshots,
    pub(crate) checkpoints: Snapshots,
}

/// Opens the log, heals what a crash left behind, and starts its writers. Blocks while it reads the newest
/// segment of each topic. One process at a time: the directory stays locked until all topics are closed, or
/// all their handles are gone and what they took is written.
pub(crate) fn open(config: EmbeddedConfig) -> Result<Opened, OpenError> {
    let lock = Arc::new(data_directory::open(&config.dir)?);
    let storage: Arc<dyn Storage> = Arc::new(Files);
    let topic = |name: &str, config_of_topic| {
        open_topic(storage.clone(), &config.dir, name, config_of_topic, lock.clone())
    };
    let has_decisions = config.dir.join(DECISIONS).is_dir();
    let events = topic("events", config.events)?;
    let decisions = topic(DECISIONS, config.decisions)?;
    // Until a checkpoint is known to stand for some of it.
    decisions.keep_from(Position(0));
    // It is made right behind the events' own, before the first event.
    if !has_decisions && events.bounds().next > Position(0) {
        decisions.report_lost();
    }
    Ok(Opened {
        events,
        decisions,
        dead_letters: topic("dead-letters", config.dead_letters)?,
        snapshots: Snapshots::new(storage.clone(), &config.dir),
        checkpoints: Snapshots::checkpoints(storage.clone(), &config.dir),
    })
}

const DECISIONS: &str = "decisions";

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
