//! What a topic tells about itself; the server exports it.

use model::Position;

use crate::KafkaStatistics;

/// A topic's numbers. Counters count from the opening of the log. On Kafka the disk is the brokers' affair: what
/// tells of syncs, segments and damage stays 0, and `records` and `bytes` are those that this process appended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Records made durable.
    pub records: u64,
    /// Bytes made durable, headers included.
    pub bytes: u64,
    /// Syncs that succeeded; fewer than `records` where appends were committed in groups.
    pub fsyncs: u64,
    /// How long the last one took.
    pub last_fsync_seconds: f64,
    /// Times that writing failed.
    pub write_failures: u64,
    /// Appends refused because too many bytes were waiting.
    pub overloaded: u64,
    /// Bytes accepted and not yet durable.
    pub queue_bytes: usize,
    /// Places where a record did not verify or a file was missing; each may have cost many records.
    pub corrupt_records: u64,
    /// Bytes of a write that a crash cut short, removed at opening. They were never acknowledged.
    pub torn_bytes: u64,
    /// Segments on disk, and their bytes.
    pub segments: usize,
    pub size_bytes: u64,
    /// The oldest position that may be read, and the one the next record gets.
    pub first_position: Position,
    pub next_position: Position,
    /// Of the topic's clients; `None` on the embedded log.
    pub kafka: Option<KafkaStatistics>,
}
