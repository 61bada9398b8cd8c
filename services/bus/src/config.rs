//! How large the log and its parts may become.

use std::{path::PathBuf, time::Duration};

use crate::KafkaConfig;

/// Bytes of records accepted and not yet durable, a topic. At the 40 bytes a sample costs on the log this is
/// more than a second of a million samples a second: a queue that long is an outage and not a burst.
pub const QUEUE_BYTES_MAX: usize = 64 * MIB;

/// The largest record. Above the largest body that ingest takes (32 MiB) with its envelope, below
/// [`QUEUE_BYTES_MAX`], so that every record that may be sent fits an empty queue.
pub const RECORD_BYTES_MAX: usize = 48 * MIB;

/// Size at which a segment is sealed and the next one begun. Small enough that retention follows its limits
/// closely and that a damaged file costs little, large enough that a day is hundreds of files, not millions.
pub const SEGMENT_BYTES: u64 = 64 * MIB as u64;

/// Bytes of recent records kept in memory, a topic: readers that keep up never touch the disk. A quarter of
/// what may be in flight, as readers are woken by every commit.
pub const TAIL_BYTES_MAX: usize = 16 * MIB;

const MIB: usize = 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept. Checked when a segment is sealed, whole segments only, never the one being written: a topic
/// may exceed a limit by one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The oldest segments go while the topic is larger. `None`: no limit.
    pub bytes_max: Option<u64>,
    /// A segment goes when its newest record is older than this, counted from the topic's newest record.
    /// `None`: no limit.
    pub age_max: Option<Duration>,
}

/// One topic's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    pub retention: Retention,
    /// See [`SEGMENT_BYTES`]. A larger record gets a segment of its own.
    pub segment_bytes: u64,
    /// See [`QUEUE_BYTES_MAX`].
    pub queue_bytes_max: usize,
    /// See [`TAIL_BYTES_MAX`].
    pub tail_bytes_max: usize,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            segment_bytes: SEGMENT_BYTES,
            queue_bytes_max: QUEUE_BYTES_MAX,
            tail_bytes_max: TAIL_BYTES_MAX,
        }
    }
}

/// Where the log is.
#[derive(Clone, Debug)]
pub enum BusConfig {
    /// On this machine's disk.
    Embedded(EmbeddedConfig),
    /// On a Kafka cluster.
    Kafka(KafkaConfig),
}

/// Where the log is on this machine and how large it may become.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The data directory; made if it is not there.
    pub dir: PathBuf,
    pub events: TopicConfig,
    pub decisions: TopicConfig,
    pub dead_letters: TopicConfig,
}

impl EmbeddedConfig {
    /// The log in `dir` with its default limits: 8 GiB or 7 days of events, 4 GiB of decisions, 1 GiB or 30 days
    /// of dead letters. Decisions have no age: halts, bad versions and open commands are rebuilt from them at
    /// every start.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let gib = 1024 * MIB as u64;
        let limited = |bytes_max, age_max| TopicConfig {
            retention: Retention { bytes_max: Some(bytes_max), age_max },
            ..TopicConfig::default()
        };
        Self {
            dir: dir.into(),
            events: limited(8 * gib, Some(7 * DAY)),
            decisions: limited(4 * gib, None),
            dead_letters: limited(gib, Some(30 * DAY)),
        }
    }
}
