//! One topic, whichever backend keeps it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use model::{Partition, Position, Timestamp};

use crate::{AppendError, Bounds, NewRecord, ReadError, Reader, Statistics, embedded, kafka};

/// A handle to one topic; clones are the same topic. When the last one goes, what was appended is still
/// written, without anybody waiting for it; [`Topic::close`] waits.
#[derive(Clone, Debug)]
pub struct Topic(Backend);

#[derive(Clone, Debug)]
enum Backend {
    /// One partition.
    Embedded(embedded::Topic),
    Kafka(kafka::Topic),
}

impl From<kafka::Topic> for Topic {
    fn from(topic: kafka::Topic) -> Self {
        Self(Backend::Kafka(topic))
    }
}

impl From<embedded::Topic> for Topic {
    fn from(topic: embedded::Topic) -> Self {
        Self(Backend::Embedded(topic))
    }
}

impl Topic {
    /// How many orders of records there are, numbered from 0.
    pub fn partitions(&self) -> u32 {
        match &self.0 {
            Backend::Embedded(_) => 1,
            Backend::Kafka(topic) => topic.partitions(),
        }
    }

    /// As [`Self::partitions`], as the brokers have it by now: somebody may have added some, which nobody reads.
    pub async fn partitions_now(&self) -> Result<u32, ReadError> {
        match &self.0 {
            Backend::Embedded(_) => Ok(1),
            Backend::Kafka(topic) => topic.partitions_now().await,
        }
    }

    /// Appends `record` to a partition; resolves to its position once it is durable.
    ///
    /// The place in the order is taken by the call, not by the first poll: two calls after one another stand
    /// on the partition in that order. Dropping the future does not take the record back.
    pub fn append(&self, partition: Partition, record: NewRecord) -> Append {
        debug_assert!(partition.0 < self.partitions(), "{partition} of {}", self.partitions());
        match &self.0 {
            Backend::Embedded(topic) => Append(Appending::Embedded(topic.append(&record))),
            Backend::Kafka(topic) => Append(Appending::Kafka(topic.append(partition, &record))),
        }
    }

    /// Why an append would wait in vain, where that is known before it is tried: the record is on no log then. Over with
    /// the next record that is acknowledged, so that somebody has to go on appending. A disk is tried each time.
    pub fn outage(&self) -> Option<AppendError> {
        match &self.0 {
            Backend::Embedded(_) => None,
            Backend::Kafka(topic) => topic.outage(),
        }
    }

    /// A reader of one partition that begins at `from`, or at the oldest record that is left if `from` is gone
    /// (the first record's `missing_before` says how far that is), or waits for `from` if it is not there yet.
    pub fn reader(&self, partition: Partition, from: Position) -> Reader {
        match &self.0 {
            Backend::Embedded(topic) => Reader::from(topic.reader(from)),
            Backend::Kafka(topic) => topic.reader(partition, from).into(),
        }
    }

    /// What can be read of a partition now.
    pub async fn bounds(&self, partition: Partition) -> Result<Bounds, ReadError> {
        match &self.0 {
            Backend::Embedded(topic) => Ok(topic.bounds()),
            Backend::Kafka(topic) => topic.bounds(partition).await,
        }
    }

    /// One after the newest durable record of a partition, where that is known without asking anybody.
    pub fn known_next(&self, _partition: Partition) -> Option<Position> {
        match &self.0 {
            Backend::Embedded(topic) => Some(topic.bounds().next),
            Backend::Kafka(_) => None,
        }
    }

    /// Gives no position of a partition before `position` from here on: somebody remembers having seen records
    /// there, and would take new ones for those. For before the first append; brokers are not told where to go on.
    pub fn skip_to(&self, _partition: Partition, position: Position) {
        match &self.0 {
            Backend::Embedded(topic) => topic.skip_to(position),
            Backend::Kafka(_) => {}
        }
    }

    /// Keeps what stands at `position` of a partition and behind from retention, whatever its size and age: no
    /// checkpoint stands for it yet. Brokers follow the retention of their topic.
    pub fn keep_from(&self, _partition: Partition, position: Position) {
        match &self.0 {
            Backend::Embedded(topic) => topic.keep_from(position),
            Backend::Kafka(_) => {}
        }
    }

    /// The position of a partition's first record stamped `at` or later; `next` of its bounds if there is none.
    pub async fn position_at(&self, partition: Partition, at: Timestamp) -> Result<Position, ReadError> {
        match &self.0 {
            Backend::Embedded(topic) => topic.position_at(at).await,
            Backend::Kafka(topic) => topic.position_at(partition, at).await,
        }
    }

    /// What the topic tells about itself.
    pub fn statistics(&self) -> Statistics {
        match &self.0 {
            Backend::Embedded(topic) => topic.statistics(),
            Backend::Kafka(topic) => topic.statistics(),
        }
    }

    /// Takes no more records, and resolves when every record already taken is durable or its append has
    /// failed. Readers get what is left, then [`ReadError::Closed`].
    pub async fn close(&self) {
        match &self.0 {
            Backend::Embedded(topic) => topic.close().await,
            Backend::Kafka(topic) => topic.close().await,
        }
    }
}

/// An append under way; see [`Topic::append`].
#[derive(Debug)]
#[must_use = "a record is durable only once this has resolved to `Ok`"]
pub struct Append(Appending);

#[derive(Debug)]
enum Appending {
    Embedded(embedded::Append),
    Kafka(kafka::Append),
}

impl Future for Append {
    type Output = Result<Position, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Appending::Embedded(append) => Pin::new(append).poll(context),
            Appending::Kafka(append) => Pin::new(append).poll(context),
        }
    }
}
