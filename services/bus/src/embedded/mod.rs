//! The log on this machine's disk: append-only segments with a checksum a record, one writer a topic that makes
//! whatever queued during the last sync durable by the next one.

mod backup;
mod cursor;
mod data_directory;
mod frame;
mod frame_reader;
mod log;
mod membership;
mod open;
mod queue;
mod reader;
mod recovery;
mod segment;
mod shared;
mod snapshots;
mod storage;
mod stored;
mod tail;
mod topic;
mod watermark;
mod writer;

#[cfg(test)]
mod tests;

pub use backup::{BackupError, Copied, backup};

pub(crate) use membership::Membership;
pub(crate) use open::open;
pub(crate) use reader::Reader;
pub(crate) use snapshots::Snapshots;
pub(crate) use topic::{Append, Topic};

use crate::{
    AppendError, Bounds, Change, EmbeddedConfig, Headers, NewRecord, OpenError, RECORD_BYTES_MAX, ReadError,
    Record, Retention, SEGMENT_BYTES, Statistics, TopicConfig,
};
