//! The log: topics of partitions, *events* and *decisions* above all, to which records are appended and from
//! which they are read, each partition in one order.
//!
//! - [`Topic::append`] resolves once the record is durable, never before: a 2xx that ingest gives stands on it.
//! - [`Topic::reader`] sees durable records only, in order of position, as often as somebody asks.
//! - [`Inlet`] and [`Outlet`] read and write topics that are not the log's, of any Kafka, beside either log.
//! - What a record holds is `proto`'s business; this crate sees bytes, a stamp and a position.
//! - It reads no wall clock: retention counts by the stamps of the records themselves.
//!
//! [`Bus`], [`Topic`] and [`Reader`] promise nothing that one of the backends could not keep: positions grow by
//! at least one a record, may have gaps, and old ones go away. `embedded` keeps the log on this machine's disk,
//! `kafka` on a cluster; which of them it is, nobody outside this crate has to know. `tests/conformance` tells
//! the same stories of both.

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
    Acl, AclResource, Begin, Delivered, Finding, FindingKind, Inlet, InletLag, InletTopic, KafkaConfig,
    KafkaStatistics, Keys, Outgoing, Outlet, PARTITIONS, PublishError, Severity, TopicReport, acls,
    check_topics, cluster_of, create_topics, installation_of,
};
pub use membership::{Change, Membership, Revoked};
pub use reader::Reader;
pub use record::{Bounds, Doubt, Headers, NewRecord, Record};
pub use snapshots::Snapshots;
pub use statistics::Statistics;
pub use topic::{Append, Topic};
