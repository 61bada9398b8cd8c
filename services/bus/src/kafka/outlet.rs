//! Messages to other people's topics.
//!
//! A client of its own and not one of the log's producers: these messages are few, go to topics that may have any
//! settings, and must be given up in the time that whoever sends them has. It is not idempotent as those are: it
//! needs no right but to write to the topic, nothing can put it out of order for good, and a repeat is told by what
//! the message says of itself.

use std::{fmt, sync::Arc, time::Duration};

use model::{Partition, Position};
use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _, future_producer::OwnedDeliveryResult},
    types::RDKafkaErrorCode,
};

use crate::{
    KafkaConfig, OpenError,
    kafka::{admin, cluster::Cluster, context::Context},
};

/// Messages that wait for their brokers, in KiB; more are refused at once. Senders wait for each of theirs, so this is
/// never reached by a burst that makes sense.
const QUEUE_KIB_MAX: &str = "65536";

/// How long the brokers may take to say whether a topic is there by now.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// A message for another's topic.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    /// Messages of one key go to one partition, the one that Java's clients choose.
    pub key: &'a [u8],
    pub headers: &'a [(&'a str, &'a [u8])],
    pub payload: &'a [u8],
}

/// The message is not known to be on the topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Retryable: brokers come and go. The message may turn up all the same.
    #[error("{reason}")]
    Unavailable { reason: String },
    /// Final: the same message would be refused again.
    #[error("{reason}")]
    Refused { reason: String },
}

impl PublishError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// The way out to topics that are not the log's; clones share one client.
#[derive(Clone)]
pub struct Outlet {
    cluster: Arc<Cluster>,
    client: FutureProducer<Context>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("brokers", &self.cluster.config.brokers).finish_non_exhaustive()
    }
}

impl Outlet {
    /// Asks no broker yet. A message that has not got through after `timeout` is given up, and then not delivered
    /// later.
    pub fn new(config: &KafkaConfig, timeout: Duration) -> Result<Self, OpenError> {
        let cluster = Cluster::checked(config)?;
        let mut client = config.client();
        for (key, value) in [("compression.codec", "lz4"), ("linger.ms", "0")] {
            if !config.properties.contains_key(key) {
                client.set(key, value);
            }
        }
        client
            .set("acks", "all")
            .set("enable.idempotence", "false")
            // A retry must not come behind a later message of its key.
            .set("max.in.flight.requests.per.connection", "1")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", timeout.as_millis().to_string())
            .set("request.timeout.ms", timeout.as_millis().to_string())
            // A topic that is not there is said to be, and not waited for until the time is up.
            .set("topic.metadata.propagation.max.ms", "0")
            .set("queue.buffering.max.kbytes", QUEUE_KIB_MAX);
        let client = client
            .create_with_context(Context::new(cluster.clone()))
            .map_err(|error| admin::config_error(config, &error))?;
        Ok(Self { cluster, client })
    }

    /// Resolves to the message's place once every replica in sync has it.
    pub async fn publish(&self, message: Outgoing<'_>) -> Result<(Partition, Position), PublishError> {
        let headers = OwnedHeaders::new_with_capacity(message.headers.len());
        let headers = message
            .headers
            .iter()
            .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
        let record =
            FutureRecord::to(message.topic).key(message.key).payload(message.payload).headers(headers);
        let sent = self.client.send(record, Duration::ZERO).await;
        if sent.as_ref().is_err_and(|(error, _)| is_missing(error)) {
            self.look_for(message.topic);
        }
        self.judge(message.topic, sent)
    }

    /// A topic that was missing once stays so for the client until it asks again, which would take minutes.
    fn look_for(&self, topic: &str) {
        let (client, topic) = (self.client.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = client.client().fetch_metadata(Some(&topic), LOOK_MAX) {
                tracing::debug!(topic, %error, "a topic cannot be looked for");
            }
        });
    }

    fn judge(&self, topic: &str, sent: OwnedDeliveryResult) -> Result<(Partition, Position), PublishError> {
        match sent {
            Ok(delivery) => {
                self.cluster.note_success();
                let offset = delivery.offset.max(0).unsigned_abs();
                Ok((Partition(delivery.partition.max(0).unsigned_abs()), Position(offset)))
            }
            Err((error, _)) => Err(self.refusal(topic, &error)),
        }
    }

    fn refusal(&self, topic: &str, error: &KafkaError) -> PublishError {
        let unavailable = |reason| PublishError::Unavailable { reason };
        let refused = |reason| PublishError::Refused { reason };
        let code = error.rdkafka_error_code();
        match code {
            // Brokers that just started may not know it yet.
            _ if is_missing(error) => {
                unavailable(format!("the brokers know no topic {topic}: create it, or correct its name"))
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                refused(format!("topic {topic} may not be written to: allow this user to"))
            }
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                refused(format!("topic {topic} takes no message of this size"))
            }
            Some(RDKafkaErrorCode::InvalidTopic | RDKafkaErrorCode::InvalidRecord) => {
                refused(format!("topic {topic} does not take the message: {error}"))
            }
            Some(RDKafkaErrorCode::MessageTimedOut) => unavailable(self.timed_out()),
            _ => unavailable(self.cluster.config.redact(&error.to_string())),
        }
    }

    /// That time was up says less than why.
    fn timed_out(&self) -> String {
        if self.cluster.is_down() || self.cluster.refusal().is_some() {
            return self.cluster.why_unreachable();
        }
        "not all replicas in sync had the message in time".to_owned()
    }
}

fn is_missing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}
