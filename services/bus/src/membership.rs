//! Who of many processes takes care of which partitions.

use model::{Partition, Position};

use crate::{embedded, kafka};

/// The partitions that this process has to take care of changed.
#[derive(Debug)]
pub enum Change {
    /// These are this process's from now on.
    Assigned(Vec<Partition>),
    /// These go to another process, which gets them once [`Revoked`] is dropped, or was not for too long.
    Revoked(Revoked),
}

/// Partitions to let go of.
#[derive(Debug)]
pub struct Revoked {
    pub partitions: Vec<Partition>,
    /// Closed when it is dropped.
    _done: tokio::sync::oneshot::Sender<()>,
}

impl Revoked {
    /// Partitions, and what tells that they were let go of.
    pub fn new(partitions: Vec<Partition>, done: tokio::sync::oneshot::Sender<()>) -> Self {
        Self { partitions, _done: done }
    }
}

/// One process's place in a group whose members share the partitions of a topic. Two members may believe for a
/// moment that they have the same partition: what they write has to be harmless twice.
#[derive(Debug)]
pub struct Membership(Backend);

#[derive(Debug)]
enum Backend {
    Embedded(embedded::Membership),
    Kafka(kafka::Membership),
}

impl From<kafka::Membership> for Membership {
    fn from(membership: kafka::Membership) -> Self {
        Self(Backend::Kafka(membership))
    }
}

impl From<embedded::Membership> for Membership {
    fn from(membership: embedded::Membership) -> Self {
        Self(Backend::Embedded(membership))
    }
}

impl Membership {
    /// The next change, in order; waits until there is one, and while the group has shut this member out because
    /// another one has its name. `None`: there is no way to join. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Change> {
        match &mut self.0 {
            Backend::Embedded(membership) => membership.next().await,
            Backend::Kafka(membership) => membership.next().await,
        }
    }

    /// Notes that everything before `next` was taken care of. For operators who look at lag: where to begin is
    /// decided by what stands on the decisions topic.
    pub fn commit(&self, partition: Partition, next: Position) {
        match &self.0 {
            Backend::Embedded(membership) => membership.commit(partition, next),
            Backend::Kafka(membership) => membership.commit(partition, next),
        }
    }

    /// Why the group does not let this member in, in a sentence that says what to do; it is tried again all the same.
    pub fn refusal(&self) -> Option<String> {
        match &self.0 {
            Backend::Embedded(_) => None,
            Backend::Kafka(membership) => membership.refusal(),
        }
    }

    /// Gives everything back at once, instead of after the group has missed this member for long enough.
    pub async fn leave(self) {
        match self.0 {
            Backend::Embedded(_) => {}
            Backend::Kafka(membership) => membership.leave().await,
        }
    }
}
