//! Reading one partition: a client of its own without a group, on a thread of its own.
//!
//! One client for many partitions would need librdkafka's queues per partition, which are known to stop; and a
//! client's callbacks and its end may block, which a runtime's worker must not.

use std::{io, sync::Arc, thread, time::Duration};

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
    ReadError, Record,
    kafka::{
        cluster::Cluster,
        context::Context,
        handover::{Handover, Step},
        probe,
    },
};

/// How long the thread waits for a record before it looks whether anybody still reads.
const POLL: Duration = Duration::from_millis(100);

/// Records handed over together at most.
const BATCH_RECORDS: usize = 256;

/// Between two looks at a partition that has not got the position to begin at, or that fails.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How long the end of a partition may take to be told.
const BOUNDS_MAX: Duration = Duration::from_secs(5);

/// What librdkafka fetches ahead of the reader, in KiB: a few round trips at full speed.
const AHEAD_KIB: &str = "8192";

/// Reads one partition.
#[derive(Debug)]
pub(crate) struct Reader {
    handover: Arc<Handover>,
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
        topic: Arc<str>,
        partition: Partition,
        from: Position,
        closed: watch::Receiver<bool>,
    ) -> Self {
        let handover = Arc::new(Handover::default());
        let fetcher = Fetcher {
            cluster,
            topic,
            partition,
            next: from,
            is_checked: false,
            closed,
            handover: handover.clone(),
        };
        let thread =
            thread::Builder::new().name(format!("kafka-read-{partition}")).spawn(move || fetcher.run());
        if let Err(error) = thread {
            handover.push([Step::Failed(error.into()), Step::End]);
        }
        Self { handover, position: from, missing: 0 }
    }

    /// The position of the next record to be handed out, if it can be read.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The next record; waits until there is one. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Record, ReadError> {
        loop {
            match std::future::poll_fn(|context| self.handover.poll_next(context)).await {
                Step::Record(mut record) => {
                    record.missing_before = self.skip_to(record.position);
                    self.missing = 0;
                    self.position = Position(record.position.0 + 1);
                    return Ok(record);
                }
                Step::SkipTo(position) => {
                    self.skip_to(position);
                }
                Step::Failed(error) => return Err(error),
                Step::End => {
                    self.handover.push([Step::End]);
                    return Err(ReadError::Closed);
                }
            }
        }
    }

    fn skip_to(&mut self, position: Position) -> u64 {
        self.missing = self.missing.saturating_add(position.0.saturating_sub(self.position.0));
        self.position = position;
        self.missing
    }
}

/// The thread's side.
struct Fetcher {
    cluster: Arc<Cluster>,
    topic: Arc<str>,
    partition: Partition,
    /// The position after the last record fetched.
    next: Position,
    /// Whether a record stood right before `next` when last seen: then nothing can be missing there.
    is_checked: bool,
    closed: watch::Receiver<bool>,
    handover: Arc<Handover>,
}

/// How a turn with one client ended.
enum Turn {
    /// Nobody reads any more, or there will be nothing more.
    Over,
    /// With another client, after a while.
    Again,
}

impl Fetcher {
    fn run(mut self) {
        while !self.handover.is_abandoned() {
            match self.fetch() {
                Ok(Turn::Over) => return,
                Ok(Turn::Again) => {}
                Err(error) => self.fail(&error),
            }
            thread::sleep(AGAIN_AFTER);
        }
    }

    /// Tells the reader of what an operator has to see to.
    fn fail(&self, error: &KafkaError) {
        tracing::warn!(topic = %self.topic, partition = %self.partition, %error, "a partition cannot be read");
        let error = io::Error::other(error.clone());
        self.handover.push([Step::Failed(ReadError::from(error))]);
    }

    fn fetch(&mut self) -> KafkaResult<Turn> {
        let client = self.new_client()?;
        self.assign(&client)?;
        loop {
            match client.poll(POLL) {
                Some(Ok(message)) => {
                    let batch = self.batch(&client, &message);
                    self.cluster.note_success();
                    let (batch, error) = batch;
                    if !self.handover.push(batch) {
                        return Ok(Turn::Over);
                    }
                    if let Some(error) = error
                        && let Some(turn) = self.handle(&client, error)?
                    {
                        return Ok(turn);
                    }
                }
                Some(Err(error)) => {
                    if let Some(turn) = self.handle(&client, error)? {
                        return Ok(turn);
                    }
                }
                None => {}
            }
            if self.handover.is_abandoned() {
                return Ok(Turn::Over);
            }
            if *self.closed.borrow() && self.is_at_end(&client) {
                self.handover.push([Step::End]);
                return Ok(Turn::Over);
            }
        }
    }

    fn new_client(&self) -> KafkaResult<BaseConsumer<Context>> {
        let config = &self.cluster.config;
        let mut client = config.client();
        for (key, value) in [
            ("queued.min.messages", "20000"),
            ("queued.max.messages.kbytes", AHEAD_KIB),
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
            .set("enable.partition.eof", "true")
            // Where to go on from a position that is not there is decided here: old ones are gone, new ones to come.
            .set("auto.offset.reset", "error");
        client.create_with_context(Context::new(self.cluster.clone()))
    }

    fn assign(&mut self, client: &BaseConsumer<Context>) -> KafkaResult<()> {
        self.is_checked = false;
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
        let mut batch = vec![self.take(first)];
        while batch.len() < BATCH_RECORDS {
            match client.poll(Duration::ZERO) {
                Some(Ok(message)) => batch.push(self.take(&message)),
                Some(Err(error)) => return (batch, Some(error)),
                None => break,
            }
        }
        (batch, None)
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) -> Step {
        let record = record(message);
        self.next = Position(record.position.0 + 1);
        self.is_checked = true;
        Step::Record(record)
    }

    /// `None`: go on.
    fn handle(&mut self, client: &BaseConsumer<Context>, error: KafkaError) -> KafkaResult<Option<Turn>> {
        let code = match error {
            // The end as of now; records to come follow. Only where nothing was read yet it can be that what
            // stood here is gone.
            KafkaError::PartitionEOF(_) if self.is_checked => return Ok(None),
            KafkaError::PartitionEOF(_) => {
                self.is_checked = self.reposition(client).is_some();
                return Ok(None);
            }
            KafkaError::MessageConsumptionFatal(_) => return Err(error),
            _ => error.rdkafka_error_code(),
        };
        match code {
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::LogTruncation,
            ) => {
                while !self.handover.is_abandoned() && !*self.closed.borrow() {
                    if self.reposition(client).is_some() {
                        self.assign(client)?;
                        return Ok(None);
                    }
                    thread::sleep(AGAIN_AFTER);
                }
                self.handover.push([Step::End]);
                Ok(Some(Turn::Over))
            }
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
            // librdkafka tries these again by itself.
            _ => Ok(None),
        }
    }

    /// Compares `next` with what there is: moves it to the oldest record if it is gone; `None`: it is to come,
    /// or nobody can tell.
    fn reposition(&mut self, client: &BaseConsumer<Context>) -> Option<()> {
        let bounds = probe::bounds(client, &self.topic, self.partition, BOUNDS_MAX).ok()?;
        if self.next < bounds.first {
            self.next = bounds.first;
            self.handover.push([Step::SkipTo(bounds.first)]);
        }
        (self.next <= bounds.next).then_some(())
    }

    /// Whether everything durable was handed over; also if nobody can tell.
    fn is_at_end(&self, client: &BaseConsumer<Context>) -> bool {
        probe::bounds(client, &self.topic, self.partition, BOUNDS_MAX)
            .is_ok_and(|bounds| self.next < bounds.next)
            == false
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
    }
}
