//! Questions about a partition: its bounds, and where a moment stands.

use std::{
    fmt, io,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use model::{Partition, Position, Timestamp};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
};

use crate::{
    Bounds, ReadError,
    kafka::{cluster::Cluster, context::Context},
};

/// How long an answer may take. Leaders are elected in less.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How often the client's logs, errors and statistics are taken.
const POLL: Duration = Duration::from_millis(200);

pub(crate) type Client = BaseConsumer<Context>;

/// Asks; clones share one client.
#[derive(Clone)]
pub(crate) struct Probe {
    handle: Arc<Handle>,
}

struct Handle {
    client: Option<Arc<Client>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let client = self.client.take();
        // Letting go of a client waits for its connections, which the caller, a runtime's worker, must not.
        // Without a thread it must, though.
        drop(thread::Builder::new().name("kafka-probe-end".to_owned()).spawn(move || drop(client)));
    }
}

/// A client that only asks; blocks for a moment.
pub(crate) fn new_client(cluster: &Arc<Cluster>) -> KafkaResult<Client> {
    cluster.config.client().create_with_context(Context::new(cluster.clone()))
}

impl Probe {
    pub(crate) fn start(client: Client) -> io::Result<Self> {
        let client = Arc::new(client);
        let polled = Arc::downgrade(&client);
        thread::Builder::new().name("kafka-probe".to_owned()).spawn(move || poll(&polled))?;
        Ok(Self { handle: Arc::new(Handle { client: Some(client) }) })
    }

    /// What can be read of a partition now.
    pub(crate) async fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, ReadError> {
        let topic = topic.to_owned();
        self.ask(move |client| bounds(client, &topic, partition, ANSWER_MAX)).await
    }

    /// How many partitions a topic has by now.
    pub(crate) async fn partitions(&self, topic: &str) -> Result<u32, ReadError> {
        let topic = topic.to_owned();
        self.ask(move |client| {
            let metadata = client.fetch_metadata(Some(&topic), ANSWER_MAX)?;
            let found = metadata.topics().first().map(|topic| topic.partitions().len());
            // No answer is not none.
            let found = found.filter(|found| *found > 0).ok_or(KafkaError::NoMessageReceived)?;
            Ok(u32::try_from(found).unwrap_or(u32::MAX))
        })
        .await
    }

    /// The position of the first record stamped `at` or later; `next` of the bounds if there is none.
    pub(crate) async fn position_at(
        &self,
        topic: &str,
        partition: Partition,
        at: Timestamp,
    ) -> Result<Position, ReadError> {
        let topic = topic.to_owned();
        self.ask(move |client| position_at(client, &topic, partition, at)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Client) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let client = self.handle.client.clone().ok_or(ReadError::Closed)?;
        let answered = tokio::task::spawn_blocking(move || question(&client)).await;
        Ok(answered.map_err(io::Error::other)?.map_err(io::Error::other)?)
    }
}

fn poll(client: &Weak<Client>) {
    while let Some(client) = client.upgrade() {
        // It has no assignment: what it is polled for are its logs and errors, which the context takes.
        drop(client.poll(POLL));
    }
}

pub(crate) fn bounds<C: Consumer<Context>>(
    client: &C,
    topic: &str,
    partition: Partition,
    timeout: Duration,
) -> KafkaResult<Bounds> {
    let (first, next) = client.fetch_watermarks(topic, partition.0 as i32, timeout)?;
    client.context().cluster.note_success();
    Ok(Bounds { first: Position(first.max(0).unsigned_abs()), next: Position(next.max(0).unsigned_abs()) })
}

fn position_at(client: &Client, topic: &str, partition: Partition, at: Timestamp) -> KafkaResult<Position> {
    first_at(client, topic, partition, at).map(|(position, _)| position)
}

/// The position of the first record stamped `at` or later, and whether there is one; where the partition ends if not.
pub(crate) fn first_at(
    client: &Client,
    topic: &str,
    partition: Partition,
    at: Timestamp,
) -> KafkaResult<(Position, bool)> {
    // Read before the look-up: records that arrive in between are after the answer "none", never skipped.
    let next = bounds(client, topic, partition, ANSWER_MAX)?.next;
    let mut asked = TopicPartitionList::new();
    // Below 0 Kafka means "newest" and "oldest", and it knows no stamp before 1970.
    let at = Offset::Offset(at.as_millis().max(0));
    asked.add_partition_offset(topic, partition.0 as i32, at)?;
    let answers = client.offsets_for_times(asked, ANSWER_MAX)?;
    let answers = answers.elements();
    let answer = answers.first().ok_or(KafkaError::NoMessageReceived)?;
    answer.error()?;
    Ok(match answer.offset() {
        Offset::Offset(offset) => (Position(offset.max(0).unsigned_abs()), true),
        _ => (next, false),
    })
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}
