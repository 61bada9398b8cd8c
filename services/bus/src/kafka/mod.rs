//! The log on Kafka: partitions are Kafka's, positions are its offsets, and nothing outside this module knows.
//!
//! Every client of librdkafka lives on a thread of its own, because its calls back, its end and some of its
//! questions block. One thread a reader, one a membership, one a producer; three producers, so that neither a burst
//! of events nor a snapshot stands before a decision.

mod acl;
mod admin;
mod admission;
mod cluster;
mod config;
mod context;
mod flow;
mod handover;
mod inlet;
mod layout;
mod membership;
mod name;
mod open;
mod outage;
mod outlet;
mod probe;
mod producer;
mod reader;
mod seal;
mod snapshots;
mod statistics;
mod topic;

#[cfg(test)]
mod tests;

pub use acl::{Acl, AclResource, acls};
pub use admin::{Finding, FindingKind, Severity, TopicReport};
pub use config::{KafkaConfig, PARTITIONS};
pub use inlet::{Begin, Delivered, Inlet, InletLag, InletTopic};
pub use open::{check_topics, create_topics};
pub use outlet::{Outgoing, Outlet, PublishError};
pub use seal::{Keys, cluster_of, installation_of};
pub use statistics::KafkaStatistics;

pub(crate) use membership::Membership;
pub(crate) use open::{Groups, open};
pub(crate) use reader::Reader;
pub(crate) use snapshots::Snapshots;
pub(crate) use topic::{Append, Topic};
