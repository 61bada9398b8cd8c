//! The log: two topics, *events* and *decisions*, to which records are appended and from which they are read
//! in one order.
//!
//! - [`Topic::append`] resolves once the record is durable, never before: a 2xx that ingest gives stands on it.
//! - [`Topic::reader`] sees durable records only, in order of position, as often as somebody asks.
//! - What a record holds is `proto`'s business; this crate sees bytes, a stamp and a position.
//! - It reads no wall clock: retention counts by the stamps of the records themselves.
//!
//! [`Bus`], [`Topic`] and [`Reader`] promise nothing that a Kafka topic of one partition could not: positions
//! grow by at least one a record, may have gaps, and old ones go away. Files, segments and the thread that
//! writes them are the embedded backend's own affair (`segment`, `writer`, `storage`).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bus;
mod config;
mod embedded;
mod error;
mod kafka;
mod membership;
mod reader;
mod record;
mod snapshots;
mod statistics;
mod topic;

pub use bus::{Bus, Share, open};
pub use config::{
    BusConfig, EmbeddedConfig, QUEUE_BYTES_MAX, RECORD_BYTES_MAX, Retention, SEGMENT_BYTES, TAIL_BYTES_MAX,
    TopicConfig,
};
pub use embedded::{BackupError, Copied, backup};
pub use error::{AppendError, OpenError, ReadError, SnapshotError};
pub use kafka::{
    Begin, Delivered, Finding, FindingKind, Inlet, InletLag, InletTopic, KafkaConfig, Outgoing, Outlet,
    PARTITIONS, PublishError, Severity, TopicReport, check_topics, create_topics,
};
pub use membership::{Change, Membership, Revoked};
pub use reader::Reader;
pub use record::{Bounds, Headers, NewRecord, Record};
pub use snapshots::Snapshots;
pub use statistics::Statistics;
pub use topic::{Append, Topic};
