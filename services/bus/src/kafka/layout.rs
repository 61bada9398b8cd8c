//! Which topics there are, and what each needs to be.

use std::time::Duration;

use crate::{KafkaConfig, Retention};

/// What a batch of one record weighs beside the record, and then some: the broker's limit counts batches.
const BATCH_OVERHEAD_BYTES: usize = 64 * 1024;

/// Before a segment is that large its old snapshots are not compacted away, and loading reads them.
const STATE_SEGMENT_BYTES: usize = 64 * 1024 * 1024;

/// Snapshots that were replaced are gone after about that long.
const STATE_COMPACTED_AFTER: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TopicKind {
    Events,
    Decisions,
    DeadLetters,
    State,
}

impl TopicKind {
    pub(crate) const ALL: [Self; 4] = [Self::Events, Self::Decisions, Self::DeadLetters, Self::State];

    pub(crate) fn name(self, config: &KafkaConfig) -> String {
        let name = match self {
            Self::Events => "events",
            Self::Decisions => "decisions",
            Self::DeadLetters => "dead-letters",
            Self::State => "state",
        };
        format!("{}.{name}.v1", config.topic_prefix)
    }

    /// What authentication codes cover: it never changes.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Events => 1,
            Self::Decisions => 2,
            Self::DeadLetters => 3,
            Self::State => 4,
        }
    }

    pub(crate) fn partitions(self, config: &KafkaConfig) -> u32 {
        match self {
            Self::Events | Self::State => config.partitions,
            Self::Decisions | Self::DeadLetters => 1,
        }
    }

    pub(crate) fn cleanup_policy(self) -> &'static str {
        if self == Self::State { "compact" } else { "delete" }
    }

    /// `None`: compacted, not deleted.
    pub(crate) fn retention(self, config: &KafkaConfig) -> Option<Retention> {
        match self {
            Self::Events => Some(config.events),
            Self::Decisions => Some(config.decisions),
            Self::DeadLetters => Some(config.dead_letters),
            Self::State => None,
        }
    }

    /// The broker's limit of a batch for records of up to `record_bytes_max`.
    pub(crate) fn batch_bytes_max(self, config: &KafkaConfig) -> usize {
        config.record_bytes_max.saturating_add(BATCH_OVERHEAD_BYTES)
    }

    /// The largest record that fits a topic with such a limit of a batch.
    pub(crate) fn record_bytes_max(batch_bytes_max: usize) -> usize {
        // A topic with a limit below the overhead is somebody's own wish; small records fit it all the same.
        batch_bytes_max.saturating_sub(BATCH_OVERHEAD_BYTES).max(batch_bytes_max / 2)
    }

    /// The settings that a topic is created with.
    pub(crate) fn settings(self, config: &KafkaConfig, replicas: i32) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("cleanup.policy", self.cleanup_policy().to_owned()),
            // Positions are looked up by the stamp that ingest gave, the same one that every judgement goes by;
            // the broker's own time of arrival (LogAppendTime) would overwrite it.
            ("message.timestamp.type", "CreateTime".to_owned()),
            ("max.message.bytes", self.batch_bytes_max(config).to_string()),
            ("min.insync.replicas", if replicas >= 3 { "2" } else { "1" }.to_owned()),
            ("compression.type", "producer".to_owned()),
        ];
        match self.retention(config) {
            Some(retention) => {
                settings.push(("retention.ms", or_unlimited(retention.age_max.map(|age| age.as_millis()))));
                settings.push(("retention.bytes", or_unlimited(retention.bytes_max)));
            }
            None => {
                settings.push(("segment.bytes", STATE_SEGMENT_BYTES.to_string()));
                settings.push(("max.compaction.lag.ms", STATE_COMPACTED_AFTER.as_millis().to_string()));
                settings.push(("min.cleanable.dirty.ratio", "0.1".to_owned()));
            }
        }
        settings
    }
}

fn or_unlimited(limit: Option<impl ToString>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string())
}
