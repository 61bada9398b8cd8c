//! Appending: one librdkafka client, one thread that takes its delivery reports.

use std::{
    fmt, io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use model::{Partition, Position};
use rdkafka::{
    ClientContext, Message, Statistics,
    config::RDKafkaLogLevel,
    error::{KafkaError, KafkaResult},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
    types::RDKafkaErrorCode,
};
use tokio::sync::oneshot;

use crate::{
    AppendError, NewRecord,
    kafka::{
        cluster::Cluster,
        context::Context,
        flow::Flow,
        outage::{Outage, OutageWatch},
        statistics::ClientFigures,
    },
};

/// How long a call for events waits when there are none; also how fast a closed producer is noticed. The binding spins
/// through the last millisecond of each call: a shorter wait costs an idle processor more.
const POLL: Duration = Duration::from_millis(500);

/// Between two attempts to make a new client after the old one failed for good.
const RECREATE_AFTER: Duration = Duration::from_secs(1);

/// What librdkafka makes a batch of at most, in bytes, unless one record is larger.
const BATCH_BYTES_MAX: usize = 1_000_000;

/// How a producer weighs delay against the size of its batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) name: &'static str,
    /// How long a batch waits for more records.
    pub(crate) linger: Duration,
}

/// A record under way; librdkafka carries it from the append to the report.
pub(crate) struct InFlight {
    answer: oneshot::Sender<Result<Position, AppendError>>,
    bytes: usize,
    flow: Arc<Flow>,
    /// How many records of the producer were acknowledged when this one was handed over.
    acked_before: u64,
}

pub(crate) type AnswerReceiver = oneshot::Receiver<Result<Position, AppendError>>;

/// A handle; when the last clone goes, what was appended is still written.
#[derive(Clone)]
pub(crate) struct Producer {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Relaxed);
    }
}

struct Shared {
    pace: Pace,
    cluster: Arc<Cluster>,
    batch_bytes_max: usize,
    /// `None` while a new client takes the place of one that failed for good. Owned by the thread: nobody else
    /// may be the last to let go of it, because that waits.
    client: RwLock<Option<BaseProducer<Deliveries>>>,
    outages: Arc<OutageWatch>,
    is_closed: AtomicBool,
    /// Clients made anew after the one before failed for good.
    restarts: AtomicU64,
}

impl Producer {
    /// Starts a producer; blocks for a moment. `batch_bytes_max` is the smallest limit of its topics.
    pub(crate) fn start(
        cluster: Arc<Cluster>,
        pace: Pace,
        batch_bytes_max: usize,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            pace,
            cluster,
            batch_bytes_max,
            client: RwLock::default(),
            outages: Arc::default(),
            is_closed: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
        });
        *write(&shared.client) = Some(shared.new_client().map_err(StartError::Client)?);
        let thread = shared.clone();
        thread::Builder::new()
            .name(format!("kafka-{}", pace.name))
            .spawn(move || thread.run())
            .map_err(StartError::Thread)?;
        Ok(Self { handle: Arc::new(Handle { shared }) })
    }

    /// Hands `record` to librdkafka, which copies it: its place in the order is taken when this returns.
    pub(crate) fn append(
        &self,
        flow: &Arc<Flow>,
        topic: &str,
        partition: Partition,
        record: &NewRecord,
        stamp: i64,
    ) -> Result<AnswerReceiver, AppendError> {
        let bytes = flow.reserve(record.bytes())?;
        let (answer, receiver) = oneshot::channel();
        let shared = &self.handle.shared;
        let acked_before = shared.outages.acked();
        let in_flight = Box::new(InFlight { answer, bytes, flow: flow.clone(), acked_before });
        if let Err((error, in_flight)) = shared.send(topic, partition, record, stamp, in_flight) {
            in_flight.flow.release(in_flight.bytes);
            return Err(append_error(&error, record.bytes(), flow));
        }
        Ok(receiver)
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.handle.shared.restarts.load(Ordering::Relaxed)
    }

    /// Whether it is known that nothing can be written; `None` as well while nobody can say.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.handle.shared.outages.outage()
    }

    /// The client's numbers, at most five seconds old.
    pub(crate) fn figures(&self) -> ClientFigures {
        let client = self.handle.shared.client.read().unwrap_or_else(PoisonError::into_inner);
        client.as_ref().map(|client| client.context().context.figures()).unwrap_or_default()
    }
}

/// Why a producer did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    Client(KafkaError),
    Thread(io::Error),
}

impl Shared {
    fn new_client(&self) -> KafkaResult<BaseProducer<Deliveries>> {
        let config = &self.cluster.config;
        let mut client = config.client();
        // Always built in. Four runs each of lz4, zstd and none on a busy machine differed by no more than runs of the
        // same one did, in throughput and in processor time: what it saves is the brokers' disk and network.
        if !config.properties.keys().any(|key| key.starts_with("compression.")) {
            client.set("compression.codec", "lz4");
        }
        if !config.properties.keys().any(|key| key == "linger.ms" || key == "queue.buffering.max.ms") {
            client.set("linger.ms", (self.pace.linger.as_micros() as f64 / 1000.0).to_string());
        }
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", config.append_timeout.as_millis().to_string())
            .set("message.max.bytes", self.batch_bytes_max.clamp(1000, 1_000_000_000).to_string())
            // A batch over the topic's limit is refused whole, with all the records in it.
            .set("batch.size", self.batch_bytes_max.clamp(1, BATCH_BYTES_MAX).to_string())
            // The bound is `Flow`'s, a topic; these only must not be reached before it.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2000000");
        let context = Context::new(self.cluster.clone());
        client.create_with_context(Deliveries { context, outages: self.outages.clone() })
    }

    fn send(
        &self,
        topic: &str,
        partition: Partition,
        record: &NewRecord,
        stamp: i64,
        in_flight: Box<InFlight>,
    ) -> Result<(), (KafkaError, Box<InFlight>)> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        let Some(client) = client.as_ref() else {
            return Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), in_flight));
        };
        let mut new = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, in_flight)
            .partition(partition.0 as i32)
            .timestamp(stamp)
            .payload(&record.payload);
        if !record.key.is_empty() {
            new = new.key(&record.key);
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            new = new.headers(record.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(Header { key, value: Some(&value[..]) })
            }));
        }
        client.send(new).map_err(|(error, record)| (error, record.delivery_opaque))
    }

    /// Takes delivery reports until the last handle is gone and everything is answered.
    fn run(&self) {
        loop {
            let fatal = {
                let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
                let Some(client) = client.as_ref() else { return };
                client.poll(POLL);
                if self.is_closed.load(Ordering::Relaxed) && client.in_flight_count() == 0 {
                    break;
                }
                client.client().fatal_error()
            };
            if let Some((code, reason)) = fatal {
                self.recreate(code, &self.cluster.config.redact(&reason));
            }
        }
        let client = write(&self.client).take();
        drop(client);
    }

    /// A client whose order of records broke takes no more. What it had is answered with an error while it is
    /// dropped, so nothing of it can come behind what the new one gets.
    fn recreate(&self, code: RDKafkaErrorCode, reason: &str) {
        tracing::error!(
            producer = self.pace.name,
            ?code,
            reason,
            "the Kafka producer failed for good; a new one is made"
        );
        let old = write(&self.client).take();
        drop(old);
        while !self.is_closed.load(Ordering::Relaxed) {
            match self.new_client() {
                Ok(client) => {
                    *write(&self.client) = Some(client);
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(error) => {
                    let error = self.cluster.config.redact(&error.to_string());
                    tracing::error!(producer = self.pace.name, error, "no new Kafka producer can be made");
                    thread::sleep(RECREATE_AFTER);
                }
            }
        }
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Producer").field(&self.handle.shared.pace).finish()
    }
}

/// Answers the appends.
struct Deliveries {
    context: Context,
    outages: Arc<OutageWatch>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.context.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.outages.note_all_down();
        }
        self.context.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, report: &DeliveryResult<'_>, in_flight: Box<InFlight>) {
        let answer = match report {
            Ok(message) => {
                self.outages.note_ack();
                position(message.offset()).inspect(|_| self.context.cluster.note_success())
            }
            Err((error, message)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut) {
                    self.outages.note_timeout(in_flight.acked_before);
                }
                Err(append_error(error, message.payload_len(), &in_flight.flow))
            }
        };
        let flow = &in_flight.flow;
        match &answer {
            Ok(_) => {
                flow.records.fetch_add(1, Ordering::Relaxed);
                flow.bytes.fetch_add(in_flight.bytes as u64, Ordering::Relaxed);
            }
            Err(AppendError::Unavailable(_)) => {
                flow.failures.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        // Before the answer, so that whoever has it finds room.
        flow.release(in_flight.bytes);
        // That nobody waits any more is their choice.
        drop(in_flight.answer.send(answer));
    }
}

/// A retry that the brokers had already taken may come back as written without saying where.
fn position(offset: i64) -> Result<Position, AppendError> {
    u64::try_from(offset).map(Position).map_err(|_| {
        AppendError::Unavailable(Arc::new(io::Error::other(
            "the record is written, but its position is unknown",
        )))
    })
}

fn append_error(error: &KafkaError, bytes: usize, flow: &Flow) -> AppendError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            AppendError::TooLarge { bytes, limit: flow.record_bytes_max() }
        }
        Some(RDKafkaErrorCode::QueueFull) => flow.overload(),
        Some(RDKafkaErrorCode::PurgeQueue) => AppendError::Closed,
        _ => AppendError::Unavailable(Arc::new(io::Error::other(error.clone()))),
    }
}
