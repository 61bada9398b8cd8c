//! Records of the events log, read back. One that nobody can read is counted, kept as a dead letter and skipped:
//! it would stop all services for one sender's fault.

use bus::{Append, Delivered, Doubt, NewRecord, Topic};
use model::{Event, Partition};
use prometheus::{IntCounterVec, Registry};
use proto::{EnvelopeBody, EventEnvelope};

use crate::handover::Handover;

/// What is told about records that cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Poison {
    count: IntCounterVec,
    dead_letters: Topic,
}

/// Why a record cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    reason: &'static str,
    detail: String,
    /// It was not even looked at: somebody else may have written it, as often as they like.
    is_doubted: bool,
}

impl Unreadable {
    /// `reason` becomes a metric's label: a closed list.
    pub(crate) fn new(reason: &'static str, detail: impl std::fmt::Display) -> Self {
        Self { reason, detail: detail.to_string(), is_doubted: false }
    }

    fn doubted(doubt: Doubt) -> Self {
        let (reason, detail) = match doubt {
            Doubt::Unsigned => {
                ("unauthenticated", "it has no authentication code: its writer has no `bus.key_file`")
            }
            Doubt::WrongCode => {
                ("unauthenticated", "its authentication code is wrong: its writer has another `bus.key_file`")
            }
            Doubt::ForeignCluster => {
                ("cluster", "it was copied from another Kafka cluster, and holds positions of that one")
            }
            Doubt::ForeignInstallation => {
                ("installation", "another installation wrote it: give it another `bus.topic_prefix`")
            }
        };
        Self { is_doubted: true, ..Self::new(reason, detail) }
    }

    #[cfg(test)]
    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted
    }
}

impl Poison {
    pub(crate) fn register(registry: &Registry, dead_letters: Topic) -> anyhow::Result<Self> {
        let help = "Records that could not be read and were skipped.";
        let count = telemetry::metrics::counter(
            registry,
            "ripcord_poison_records_total",
            help,
            &["topic", "reason"],
        )?;
        Ok(Self { count, dead_letters })
    }

    /// Counts and tells; for records that stay where they are, as those of the decisions log.
    pub(crate) fn note(&self, topic: &str, partition: Partition, record: &bus::Record, why: &Unreadable) {
        let count = self.count.with_label_values(&[topic, why.reason]);
        count.inc();
        let (position, detail, so_far) = (record.position.0, &why.detail, count.get());
        if !why.is_doubted {
            tracing::error!(topic, %partition, position, detail, "a record cannot be read and is skipped");
        } else if so_far.is_power_of_two() {
            tracing::error!(topic, %partition, position, detail, so_far, "a record is void");
        }
    }

    /// Counts records that are gone without anybody having read them.
    pub(crate) fn note_missing(&self, topic: &str, partition: Partition, record: &bus::Record) {
        if record.missing_before > 0 {
            self.count.with_label_values(&[topic, "missing"]).inc_by(record.missing_before);
            let (records, before) = (record.missing_before, record.position.0);
            tracing::error!(topic, %partition, records, before, "records of the log are gone");
        }
    }

    /// Counts, tells and keeps.
    pub(crate) fn bury(&self, topic: &str, partition: Partition, record: &bus::Record, why: &Unreadable) {
        self.note(topic, partition, record, why);
        self.keep(topic, partition, record, why);
    }

    /// Keeps the record's bytes with where it came from and why it is here. Waits for nothing: where dead letters cannot
    /// be written, the record still stands on its own log until retention takes it.
    pub(crate) fn keep(&self, topic: &str, partition: Partition, record: &bus::Record, why: &Unreadable) {
        let letter = NewRecord::new(record.at, record.payload.clone()).keyed(record.key.clone());
        let letter = addressed(letter, topic, partition, record.position.0, why);
        let buried = self.dead_letters.append(Partition::HOME, letter);
        tokio::spawn(async move {
            if let Err(error) = buried.await {
                tracing::error!(%error, "a dead letter cannot be written");
            }
        });
    }

    /// As [`Self::note`], of another's message: its sender's fault, told each time that there are twice as many, since
    /// a whole topic may be of another kind than somebody thought.
    pub(crate) fn note_message(&self, message: &Delivered, why: &Unreadable) {
        let count = self.count.with_label_values(&[&*message.topic, why.reason]);
        count.inc();
        let (topic, offset, so_far, detail) = (&*message.topic, message.offset.0, count.get(), &why.detail);
        if so_far.is_power_of_two() {
            let partition = message.partition;
            tracing::warn!(topic, %partition, offset, so_far, detail, "messages cannot be read, or not all of them");
        }
    }

    /// Keeps another's message as it came, its own headers first, with where it came from and why it is here.
    pub(crate) fn bury_message(&self, message: &Delivered, why: &Unreadable) -> Append {
        let payload = message.payload.clone().unwrap_or_default();
        let letter = NewRecord::new(telemetry::clock::now(), payload).keyed(message.key.clone());
        let letter = message.headers.iter().fold(letter, |letter, (name, value)| {
            letter.with_header(name, value.clone().unwrap_or_default())
        });
        let letter = letter.with_header("ripcord-original-timestamp", message.at.to_string());
        let letter = addressed(letter, &message.topic, message.partition, message.offset.0, why);
        self.dead_letters.append(Partition::HOME, letter)
    }
}

/// Where a dead letter came from, and why it is one.
fn addressed(
    letter: NewRecord,
    topic: &str,
    partition: Partition,
    position: u64,
    why: &Unreadable,
) -> NewRecord {
    letter
        .with_header("ripcord-original-topic", topic.to_owned())
        .with_header("ripcord-original-partition", partition.to_string())
        .with_header("ripcord-original-position", position.to_string())
        .with_header("ripcord-error", why.reason)
        .with_header("ripcord-error-detail", why.detail.clone())
        .with_header("ripcord-version", env!("CARGO_PKG_VERSION"))
}

/// The record's event; telemetry that ingest decoded in this process is not decoded again.
pub(crate) fn read_event(record: &bus::Record, handover: &Handover) -> Result<Event, Unreadable> {
    expect_own(record)?;
    let envelope = proto::decode_event_shared(record.payload.clone())
        .map_err(|error| Unreadable::new("envelope", error))?;
    match handover.take(&envelope.id) {
        Some(batch) => Ok(Event {
            id: envelope.id,
            at: envelope.at,
            source: envelope.source,
            is_copy: envelope.is_copy,
            body: model::EventBody::Telemetry(batch),
        }),
        None => unpack(envelope, handover),
    }
}

/// Decodes what the envelope holds, into memory that others are done with.
fn unpack(envelope: EventEnvelope, handover: &Handover) -> Result<Event, Unreadable> {
    let EventEnvelope { id, at, source, is_copy, body } = envelope;
    let body = match body {
        EnvelopeBody::Other(body) => body,
        EnvelopeBody::Telemetry { encoding, body } => {
            proto::wire::decode_telemetry_reusing(encoding, &body, at, || handover.spare())
                .map_err(|error| Unreadable::new("telemetry", error))?
        }
    };
    Ok(Event { id, at, source, is_copy, body })
}

/// Before anything of it is parsed.
fn expect_own(record: &bus::Record) -> Result<(), Unreadable> {
    record.doubt.map_or(Ok(()), |doubt| Err(Unreadable::doubted(doubt)))
}

/// The record of the decisions log.
pub(crate) fn read_decision(record: &bus::Record) -> Result<model::DecisionRecord, Unreadable> {
    expect_own(record)?;
    proto::decode_decision(&record.payload).map_err(|error| Unreadable::new("decision", error))
}
