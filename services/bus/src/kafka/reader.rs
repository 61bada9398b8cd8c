//! Reading one partition: a client of its own without a group, on a thread of its own.
//!
//! One client for many partitions would need librdkafka's queues per partition, which are known to stop; and a
//! client's callbacks and its end may block, which a runtime's worker must not.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use bytes::Bytes;
use model::{Partition, Position, Timestamp};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaErrorCode,
};
use tokio::sync::watch;

use crate::{
    Doubt, ReadError, Record,
    kafka::{
        cluster::Cluster,
        context::Context,
        handover::{Handover, Step},
        probe,
        seal::Seal,
        statistics::Progress,
    },
};

/// How long the thread waits for a record before it looks whether anybody still reads.
const POLL: Duration = Duration::from_millis(100);

/// What is handed over together at most.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 512 * 1024;

/// Between two looks at a partition that has not got the position to begin at, or that fails.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How long the end of a partition may take to be told.
const BOUNDS_MAX: Duration = Duration::from_secs(5);

/// What librdkafka fetches ahead of one reader at most, in KiB: a few round trips at full speed.
const AHEAD_KIB_MAX: u32 = 8192;

/// What it fetches ahead of the readers of all partitions of a topic together, in KiB: one process may have them all,
/// and after a pause each of them is behind.
const AHEAD_OF_ALL_KIB: u32 = 64 * 1024;

/// Below this a reader that catches up waits for each answer.
const AHEAD_KIB_MIN: u32 = 512;

/// What is fetched ahead of each reader of a topic.
fn ahead_kib(partitions: u32) -> u32 {
    (AHEAD_OF_ALL_KIB / partitions.max(1)).clamp(AHEAD_KIB_MIN, AHEAD_KIB_MAX)
}

/// Reads one partition.
#[derive(Debug)]
pub(crate) struct Reader {
    handover: Arc<Handover>,
    progress: Arc<Progress>,
    position: Position,
    /// Positions stepped over since the last record handed out.
    missing: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.handover.abandon();
    }
}

impl Reader {
    pub(crate) fn start(
        cluster: Arc<Cluster>,
        (topic, seal, partitions): (Arc<str>, Seal, u32),
        partition: Partition,
        from: Position,
        closed: watch::Receiver<bool>,
        progress: Arc<Progress>,
    ) -> Self {
        let handover = Arc::new(Handover::default());
        let fetcher = Fetcher {
            cluster,
            topic,
            seal,
            ahead_kib: ahead_kib(partitions),
            signed_from: SignedFrom::default(),
            partition,
            next: from,
            has_read: false,
            closed,
            progress: progress.clone(),
            handover: handover.clone(),
        };
        let thread =
            thread::Builder::new().name(format!("kafka-read-{partition}")).spawn(move || fetcher.run());
        if let Err(error) = thread {
            handover.push([Step::Failed(error.into()), Step::End]);
        }
        Self { handover, progress, position: from, missing: 0 }
    }

    /// The position of the next record to be handed out, if it can be read.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The next record; waits until there is one. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Record, ReadError> {
        loop {
            if let Some(record) = self.step().await? {
                return Ok(record);
            }
        }
    }

    /// The next record, or `None` once nothing before `end` can come any more.
    pub(crate) async fn next_before(&mut self, end: Position) -> Result<Option<Record>, ReadError> {
        while self.position < end {
            if let Some(record) = self.step().await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// A record, or `None` if what stood at the position is gone.
    async fn step(&mut self) -> Result<Option<Record>, ReadError> {
        match std::future::poll_fn(|context| self.handover.poll_next(context)).await {
            Step::Record(mut record) => {
                record.missing_before = self.skip_to(record.position);
                self.skip_to(Position(record.position.0 + 1));
                self.missing = 0;
                Ok(Some(record))
            }
            Step::SkipTo(position) => {
                self.skip_to(position);
                Ok(None)
            }
            Step::Failed(error) => Err(error),
            Step::End => {
                self.handover.push([Step::End]);
                Err(ReadError::Closed)
            }
        }
    }

    fn skip_to(&mut self, position: Position) -> u64 {
        self.missing = self.missing.saturating_add(position.0.saturating_sub(self.position.0));
        self.position = position;
        self.progress.next.store(position.0, Ordering::Relaxed);
        self.missing
    }
}

/// From where on a partition's records have to be signed.
#[derive(Clone, Copy, Debug, Default)]
struct SignedFrom {
    position: Position,
    /// Otherwise no record was so young at the last look, and the position is where the partition ended then.
    is_final: bool,
}

/// The thread's side.
struct Fetcher {
    cluster: Arc<Cluster>,
    topic: Arc<str>,
    seal: Seal,
    ahead_kib: u32,
    signed_from: SignedFrom,
    partition: Partition,
    /// The position after the last record fetched.
    next: Position,
    has_read: bool,
    closed: watch::Receiver<bool>,
    progress: Arc<Progress>,
    handover: Arc<Handover>,
}

impl Fetcher {
    fn run(mut self) {
        while !self.handover.is_abandoned() {
            match self.fetch() {
                Ok(()) => return,
                Err(error) => self.fail(&error),
            }
            thread::sleep(AGAIN_AFTER);
        }
    }

    /// Tells the reader of what an operator has to see to.
    fn fail(&self, error: &KafkaError) {
        tracing::warn!(topic = %self.topic, partition = %self.partition, %error, "a partition cannot be read");
        self.handover.push_failure(ReadError::from(io::Error::other(error.clone())));
    }

    /// Until nobody reads any more, or there will be nothing more.
    fn fetch(&mut self) -> KafkaResult<()> {
        let client = self.new_client()?;
        self.assign(&client)?;
        loop {
            match client.poll(POLL) {
                Some(Ok(message)) => {
                    let (batch, error) = self.batch(&client, &message);
                    self.cluster.note_success();
                    if !self.handover.push(batch) {
                        return Ok(());
                    }
                    if let Some(error) = error {
                        self.handle(&client, error)?;
                    }
                }
                Some(Err(error)) => self.handle(&client, error)?,
                None => {}
            }
            if self.handover.is_abandoned() {
                return Ok(());
            }
            if *self.closed.borrow() && self.is_at_end(&client) {
                self.handover.push([Step::End]);
                return Ok(());
            }
        }
    }

    fn new_client(&self) -> KafkaResult<BaseConsumer<Context>> {
        let config = &self.cluster.config;
        let mut client = config.client();
        let ahead_kib = self.ahead_kib.to_string();
        for (key, value) in [
            ("queued.min.messages", "20000"),
            ("queued.max.messages.kbytes", ahead_kib.as_str()),
            // The default, a second, makes a reader that catches up stop and go.
            ("fetch.queue.backoff.ms", "20"),
            ("fetch.error.backoff.ms", "250"),
        ] {
            if !config.properties.contains_key(key) {
                client.set(key, value);
            }
        }
        client
            // librdkafka wants a group's name for an assignment by hand; nobody joins it.
            .set("group.id", format!("{}-readers", config.topic_prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Where to go on from a position that is not there is decided here: old ones are gone, new ones to come.
            .set("auto.offset.reset", "error");
        client.create_with_context(Context::of_reader(self.cluster.clone(), self.progress.clone()))
    }

    fn assign(&mut self, client: &BaseConsumer<Context>) -> KafkaResult<()> {
        let mut assignment = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(self.next.0).unwrap_or(i64::MAX));
        assignment.add_partition_offset(&self.topic, self.partition.0 as i32, offset)?;
        client.assign(&assignment)
    }

    /// `first` and what else is there already, up to the first error.
    fn batch(
        &mut self,
        client: &BaseConsumer<Context>,
        first: &BorrowedMessage<'_>,
    ) -> (Vec<Step>, Option<KafkaError>) {
        let mut batch = vec![self.take(client, first)];
        let mut bytes = first.payload_len();
        while batch.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            match client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    batch.push(self.take(client, &message));
                }
                Some(Err(error)) => return (batch, Some(error)),
                None => break,
            }
        }
        (batch, None)
    }

    fn take(&mut self, client: &BaseConsumer<Context>, message: &BorrowedMessage<'_>) -> Step {
        let mut record = record(message);
        record.doubt = self.seal.doubt(self.partition, &record);
        if record.doubt == Some(Doubt::Unsigned)
            && let Some(at) = self.seal.unsigned_before()
            && self.is_from_before(client, at, record.position)
        {
            record.doubt = None;
        }
        self.next = Position(record.position.0 + 1);
        self.has_read = true;
        Step::Record(record)
    }

    /// Whether a record stands before the first one that was stamped at that time or later: what is written from then
    /// on stands behind that one, whatever its stamp. Without an answer it is not believed.
    fn is_from_before(&mut self, client: &BaseConsumer<Context>, at: Timestamp, position: Position) -> bool {
        let known = &mut self.signed_from;
        if position >= known.position && !known.is_final {
            match probe::first_at(client, &self.topic, self.partition, at) {
                Ok((position, is_final)) => *known = SignedFrom { position, is_final },
                Err(error) => {
                    tracing::warn!(topic = %self.topic, partition = %self.partition, %error,
                        "it cannot be found out whether an unsigned record is from before `unsigned_before`");
                }
            }
        }
        position < known.position
    }

    /// An error is what an operator has to see to; librdkafka tries everything else again by itself.
    fn handle(&mut self, client: &BaseConsumer<Context>, error: KafkaError) -> KafkaResult<()> {
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(error);
        }
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::LogTruncation,
            ) => self.reposition(client),
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::UnsupportedFeature
                | RDKafkaErrorCode::UnsupportedCompressionType,
            ) => Err(error),
            _ => Ok(()),
        }
    }

    /// What stood at `next` is gone: goes on at the oldest record. It is to come: waits for it.
    fn reposition(&mut self, client: &BaseConsumer<Context>) -> KafkaResult<()> {
        let mut is_told = false;
        while !self.handover.is_abandoned() && !*self.closed.borrow() {
            if let Ok(bounds) = probe::bounds(client, &self.topic, self.partition, BOUNDS_MAX) {
                if self.next < bounds.first {
                    self.next = bounds.first;
                    self.handover.push([Step::SkipTo(bounds.first)]);
                }
                if self.next <= bounds.next {
                    return self.assign(client);
                }
                if self.has_read && !std::mem::replace(&mut is_told, true) {
                    tracing::error!(
                        topic = %self.topic,
                        partition = %self.partition,
                        read_to = self.next.0,
                        end = bounds.next.0,
                        "a partition ends before what was read of it: the brokers lost acknowledged records"
                    );
                }
            }
            thread::sleep(AGAIN_AFTER);
        }
        Ok(())
    }

    /// Whether everything durable was handed over; also if nobody can tell.
    fn is_at_end(&self, client: &BaseConsumer<Context>) -> bool {
        match probe::bounds(client, &self.topic, self.partition, BOUNDS_MAX) {
            Ok(bounds) => self.next >= bounds.next,
            Err(_) => true,
        }
    }
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map(|headers| {
        let value = |value: Option<&[u8]>| Bytes::copy_from_slice(value.unwrap_or_default());
        headers.iter().map(|header| (header.key.to_owned(), value(header.value))).collect()
    });
    Record {
        position: Position(message.offset().max(0).unsigned_abs()),
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        at: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        headers: headers.unwrap_or_default(),
        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        missing_before: 0,
        doubt: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_ahead_is_bounded_for_all_partitions_together() {
        for (partitions, kib) in [(1, 8192), (6, 8192), (24, 2730), (128, 512), (1024, 512)] {
            assert_eq!(ahead_kib(partitions), kib, "{partitions} partitions");
        }
    }
}
