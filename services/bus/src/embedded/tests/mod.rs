//! Stories about a disk that fails, hangs, loses power or lies.

mod commit;
mod damage;
mod faults;
mod reference;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Position, Timestamp};

use crate::embedded::{
    Append, AppendError, NewRecord, OpenError, Record, Topic, TopicConfig,
    open::open_topic,
    segment,
    storage::{Storage as _, memory::Memory},
};

/// Segments of a few records and nothing in memory: every path of the reader and the writer is walked.
fn small() -> TopicConfig {
    TopicConfig { segment_bytes: 200, tail_bytes_max: 0, ..TopicConfig::default() }
}

fn dir() -> &'static Path {
    Path::new("data")
}

fn segment_path(base: u64) -> PathBuf {
    segment::path(&dir().join("events"), base)
}

fn try_open(disk: &Memory, config: TopicConfig) -> Result<Topic, OpenError> {
    open_topic(Arc::new(disk.clone()), dir(), "events", config, ())
}

fn open(disk: &Memory, config: TopicConfig) -> Topic {
    try_open(disk, config).unwrap()
}

fn append(topic: &Topic, text: &str) -> Append {
    topic.append(&NewRecord::new(Timestamp::from_millis(0), text.to_owned()))
}

/// Whether the append is under way still, polled once.
async fn is_pending(append: &mut Append) -> bool {
    tokio::select! { biased; _ = append => false, () = std::future::ready(()) => true }
}

/// Everything that can be read from the beginning.
fn read(topic: &Topic) -> Vec<Record> {
    let mut reader = topic.reader(Position(0));
    std::iter::from_fn(|| reader.try_next().unwrap()).collect()
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.payload).unwrap()).collect()
}

fn is_unavailable(error: &AppendError) -> bool {
    matches!(error, AppendError::Unavailable(_)) && error.is_retryable()
}
