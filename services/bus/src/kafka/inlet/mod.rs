//! Messages from other people's topics: a member of a consumer group, whose positions are committed only for what
//! was done with.
//!
//! The log's own readers keep their positions themselves; here the group does, since nothing of ours remembers a
//! foreign offset. What was handed over and not done comes again, to this process or to another one: at least once.

mod fetcher;
mod member;
mod progress;
mod shared;

use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use model::{Partition, Position, Timestamp};
use tokio::sync::oneshot;

use self::{fetcher::Fetcher, shared::Shared};
use crate::{
    KafkaConfig, OpenError,
    kafka::{admission::Admission, cluster::Cluster},
};

/// How long a goodbye may take.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Where a group begins on a partition on which it has no position yet. A position that retention has overtaken is
/// another thing: then it goes on with the oldest message that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the oldest message there is.
    Earliest,
    /// With what was sent at this moment or later.
    At(Timestamp),
}

/// A topic to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InletTopic {
    pub name: String,
    pub begin: Begin,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub topic: Arc<str>,
    pub partition: Partition,
    pub offset: Position,
    pub key: Bytes,
    /// The message's own time, of its producer's or its broker's clock, as the topic is set.
    pub at: Timestamp,
    /// Values may be null.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// `None`: null, which on a compacted topic deletes its key.
    pub payload: Option<Bytes>,
    /// Grows when the partition begins again: an offset of another life says nothing about this one.
    pub life: u64,
    /// Which assignment of the partition it came by.
    epoch: u64,
}

impl Delivered {
    fn size(&self) -> usize {
        let value = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, held)| name.len() + value(held));
        size_of::<Self>() + self.key.len() + value(&self.payload) + headers.sum::<usize>()
    }
}

/// How far behind a partition of this member's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InletLag {
    pub topic: Arc<str>,
    pub partition: Partition,
    /// Messages that are not done.
    pub messages: u64,
}

/// One process's place in the group.
#[derive(Debug)]
pub struct Inlet {
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    ended: oneshot::Receiver<()>,
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Inlet {
    /// Joins `{topic_prefix}-{group}`; asks no broker yet. The member is static: a process that crashes and comes
    /// back in time under its name gets its partitions back without anybody else moving.
    pub fn start(config: &KafkaConfig, group: &str, topics: Vec<InletTopic>) -> Result<Self, OpenError> {
        let cluster = Cluster::checked(config)?;
        let group = format!("{}-{group}", config.topic_prefix);
        let shared = Arc::new(Shared::default());
        let (ended_sender, ended) = oneshot::channel();
        let admission = Arc::new(Admission::new(&group, &config.instance));
        let fetcher = Fetcher {
            cluster,
            group,
            topics: topics.into(),
            shared: shared.clone(),
            admission: admission.clone(),
        };
        thread::Builder::new()
            .name("kafka-inlet".to_owned())
            .spawn(move || {
                fetcher.run();
                drop(ended_sender);
            })
            .map_err(|source| OpenError::Start { source })?;
        Ok(Self { shared, admission, ended })
    }

    /// The next message; waits until there is one, and while the group has shut this member out because another one
    /// has its name. `None`: it was stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivered> {
        self.shared.next().await
    }

    /// Notes that nothing of the message can be lost any more. In any order: what is committed ends before the first
    /// message that is not done.
    pub fn done(&self, message: &Delivered) {
        self.shared.done(message);
    }

    /// Why the group does not let this member in, in a sentence that says what to do; it is tried again all the same.
    pub fn refusal(&self) -> Option<String> {
        self.admission.refusal()
    }

    /// Messages of each topic that retention took before anybody read them, as far as this member has seen.
    pub fn lost(&self) -> Vec<(Arc<str>, u64)> {
        self.shared.lost()
    }

    /// How far behind this member's partitions are, as of the last few seconds.
    pub fn lag(&self) -> Vec<InletLag> {
        self.shared.lag()
    }

    /// Commits what is done, and gives the partitions back at once; resolves when that is so, or after five seconds.
    pub async fn stop(mut self) {
        self.shared.stop();
        if tokio::time::timeout(STOP_MAX, &mut self.ended).await.is_err() {
            tracing::warn!("leaving the group of the inputs takes too long");
        }
    }
}
