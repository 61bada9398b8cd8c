//! What can go wrong, and whether trying again may help.

use std::{io, path::PathBuf, sync::Arc};

/// The log cannot be opened; each variant is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Retryable: once the other process has ended.
    #[error("{path} is in use by another process: only one ripcord may run on a data directory")]
    Locked { path: PathBuf },
    /// Never retryable.
    #[error(
        "the log in {path} has format {found} and this ripcord reads format {supported}: start the version \
         that wrote it, or name another data directory"
    )]
    Format { path: PathBuf, found: u32, supported: u32 },
    /// Retryable if the disk is.
    #[error("cannot {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Never retryable.
    #[error("{reason}")]
    Properties { reason: String },
    /// Retryable: brokers come and go.
    #[error(
        "no Kafka broker of {brokers} answers: {reason}; if they run, look at `bus.brokers` and at `security.protocol` \
         in `bus.properties`"
    )]
    Unreachable { brokers: String, reason: String },
    /// Never retryable.
    #[error(
        "the Kafka brokers {brokers} refuse the login: {reason}; look at the `sasl.*` properties of `bus`"
    )]
    Authentication { brokers: String, reason: String },
    /// Never retryable.
    #[error(
        "no TLS connection to the Kafka brokers {brokers}: {reason}; look at `security.protocol` and the `ssl.*` \
         properties of `bus`"
    )]
    Tls { brokers: String, reason: String },
    /// Never retryable.
    #[error("access to {what} is denied: {reason}; allow this user to describe, read and write it")]
    Unauthorized { what: String, reason: String },
    /// Never retryable.
    #[error("topics are missing: {topics}; run `ripcord topics create`")]
    MissingTopics { topics: String },
    /// Never retryable.
    #[error("topic {topic} cannot be created: {reason}")]
    Create { topic: String, reason: String },
    /// Retryable: a leader is elected when a broker that holds the partition is back.
    #[error("topic {topic}: {reason}")]
    NoLeader { topic: String, reason: String },
    /// Never retryable.
    #[error("topic {topic}: {reason}")]
    Partitions { topic: String, reason: String },
    /// Never retryable.
    #[error("topic {topic}: {reason}")]
    TopicSetting { topic: String, reason: String },
    /// Retryable: the machine has no thread to give.
    #[error("the log cannot be started")]
    Start {
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. }
                | Self::Io { .. }
                | Self::Unreachable { .. }
                | Self::NoLeader { .. }
                | Self::Start { .. }
        )
    }

    /// Whether it is the brokers that are not there, or not yet.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoLeader { .. })
    }

    /// Whether somebody has to put something right first; a log in use or a full disk passes by itself.
    pub fn is_for_the_operator(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Start { .. } => false,
            Self::Io { source, .. } => source.kind() != io::ErrorKind::StorageFull,
            Self::Format { .. }
            | Self::Properties { .. }
            | Self::Unreachable { .. }
            | Self::Authentication { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::MissingTopics { .. }
            | Self::Create { .. }
            | Self::NoLeader { .. }
            | Self::Partitions { .. }
            | Self::TopicSetting { .. } => true,
        }
    }
}

/// The record is not on the log, or nobody can say that it is: the sender must not be told that it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Too many bytes wait for the disk or the brokers.
    #[error("the log is overloaded: {queued_bytes} bytes wait to be written")]
    Overloaded { queued_bytes: usize },
    /// The disk is full, read-only or failing, or the brokers did not answer in time. The record may turn up on the log all the same.
    #[error("the log cannot write")]
    Unavailable(#[source] Arc<io::Error>),
    /// Nothing was tried, as it is known that nothing can be written; `reason` holds no secret.
    #[error("{reason}")]
    Outage { reason: String },
    /// The topic was closed, or its writer is gone.
    #[error("the log is closed")]
    Closed,
    #[error("a record of {bytes} bytes is over the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
}

impl AppendError {
    /// Whether a sender should try the same record again: 503 with `Retry-After`.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

/// Nothing more can be read now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Retryable: the reader stands where it stood.
    #[error("the log cannot be read")]
    Unavailable(#[source] Arc<io::Error>),
    /// Final: the topic was closed and every durable record was handed out.
    #[error("the log is closed")]
    Closed,
}

impl ReadError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<io::Error> for ReadError {
    fn from(source: io::Error) -> Self {
        Self::Unavailable(Arc::new(source))
    }
}

/// A snapshot could not be written or read. Retryable; nothing is lost but time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the snapshot cannot be stored or read")]
pub struct SnapshotError(#[source] pub(crate) Arc<io::Error>);
