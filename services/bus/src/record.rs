//! What stands on a topic.

use bytes::Bytes;
use model::{Position, Timestamp};

/// What readers outside get beside a record's bytes, as Kafka's own headers: names are text, values bytes.
pub type Headers = Vec<(String, Bytes)>;

/// A record to be appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Whose order it stands in; records of one key go to one partition.
    pub key: Bytes,
    /// The record's stamp: retention counts by it and a topic finds by it; it should not go back in a partition.
    pub at: Timestamp,
    pub headers: Headers,
    pub payload: Bytes,
}

impl NewRecord {
    /// A record without key and headers.
    pub fn new(at: Timestamp, payload: impl Into<Bytes>) -> Self {
        Self { at, payload: payload.into(), ..Self::default() }
    }

    /// The same record under `key`.
    pub fn keyed(self, key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The same record with one more header.
    pub fn with_header(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// What it holds in all, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.key.len() + self.payload.len() + headers.sum::<usize>()
    }
}

/// One durable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub position: Position,
    pub key: Bytes,
    /// The stamp it was appended with.
    pub at: Timestamp,
    pub headers: Headers,
    pub payload: Bytes,
    /// How many positions between the record before (or where the reader was told to begin) and this one cannot
    /// be read any more: retention deleted them, or they were damaged. 0 on a healthy log.
    pub missing_before: u64,
    /// Why the record is not to be believed: not the embedded log's, which has one writer.
    pub doubt: Option<Doubt>,
}

/// Why a record on a shared log is not one of this installation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It has no authentication code.
    Unsigned,
    /// Its authentication code is not that of any of the keys.
    WrongCode,
    /// Another installation wrote it.
    ForeignInstallation,
    /// It is a copy from another cluster, and holds positions of that one.
    ForeignCluster,
}

impl Record {
    /// The value of the first header called `name`.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }
}

/// Which positions of a partition can be read: `first` up to, but not with, `next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest position that may be read; `next` if there is nothing to read.
    pub first: Position,
    /// One after the newest durable record. The next record gets this position or a higher one.
    pub next: Position,
}
