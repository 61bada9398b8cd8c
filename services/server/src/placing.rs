//! Which partitions of the events log an event goes to, and the append.

use std::sync::{Mutex, PoisonError};

use analyzer::store::Placement;
use arc_swap::ArcSwap;
use bus::{Append, AppendError, NewRecord, Topic};
use console::SharedProjection;
use model::{Alert, Batch, CommandId, EventBody, Partition, ReleaseId, ServiceKey, Timestamp};
use policy::Identity;
use proto::{EnvelopeBody, EventEnvelope, wire::slice::Places};
use tracing::Instrument as _;

/// Puts events where the judge of their service finds them.
pub(crate) struct Placing {
    events: Topic,
    projection: SharedProjection,
    /// Where series belong; asked only where there is more than one partition.
    placement: Mutex<Placement>,
    identity: ArcSwap<Identity>,
}

impl Placing {
    /// `identity`: which labels name a series' service and environment. `projection`: whose releases and commands
    /// are.
    pub(crate) fn new(events: Topic, projection: SharedProjection, identity: &Identity) -> Self {
        let placement = Mutex::new(Placement::new(identity.clone(), events.partitions()));
        Self { events, projection, placement, identity: ArcSwap::from_pointee(identity.clone()) }
    }

    /// Other labels name them from here on.
    pub(crate) fn reconfigure(&self, identity: &Identity) {
        self.identity.store(identity.clone().into());
        self.placement.lock().unwrap_or_else(PoisonError::into_inner).configure(identity);
    }

    /// Forgets series that come no more; to be called every second or so.
    pub(crate) fn sweep(&self, now: Timestamp) {
        if self.partitions() > 1 {
            self.placement.lock().unwrap_or_else(PoisonError::into_inner).sweep(now);
        }
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u32 {
        self.events.partitions()
    }

    /// Appends an event, in slices where it concerns several partitions; durable when this resolves. `decoded`:
    /// what its telemetry decodes to, if that is known. The place in the order is taken when this returns.
    pub(crate) fn append(
        &self,
        envelope: EventEnvelope,
        decoded: Option<&Batch>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send + use<> {
        let span = span_of(&envelope);
        let under_way: Vec<Append> = span.in_scope(|| {
            let records = match self.partitions() {
                1 => vec![(Partition::HOME, record_of(&envelope))],
                _ => self.sliced(envelope, decoded),
            };
            records.into_iter().map(|(partition, record)| self.events.append(partition, record)).collect()
        });
        all(under_way).instrument(span)
    }

    /// Appends the same event to each of these partitions; each is answered for itself.
    pub(crate) fn append_to(
        &self,
        partitions: Vec<Partition>,
        envelope: &EventEnvelope,
    ) -> Vec<(Partition, Append)> {
        let record = record_of(envelope);
        let append = |partition| (partition, self.events.append(partition, record.clone()));
        partitions.into_iter().map(append).collect()
    }

    /// Why an event would wait in vain, where that is known.
    pub(crate) fn outage(&self) -> Option<AppendError> {
        self.events.outage()
    }

    fn sliced(&self, envelope: EventEnvelope, decoded: Option<&Batch>) -> Vec<(Partition, NewRecord)> {
        let mut known = Known { placing: self };
        // Nothing is lost where slicing fails: the judge of the home partition finds the same fault and buries it.
        let whole = envelope.clone();
        let slices = proto::wire::slice::slice(envelope, decoded, self.partitions(), &mut known)
            .unwrap_or_else(|error| {
                tracing::error!(%error, id = %whole.id, "an event cannot be sliced and goes to the home partition");
                vec![(Partition::HOME, whole)]
            });
        slices.into_iter().map(|(partition, slice)| (partition, record_of(&slice))).collect()
    }
}

/// Waits for all, whatever becomes of one: the sender repeats the whole.
async fn all(under_way: Vec<Append>) -> Result<(), AppendError> {
    let mut result = Ok(());
    for append in under_way {
        if let Err(error) = append.await {
            result = Err(error);
        }
    }
    result
}

/// Telemetry comes in thousands of requests: it is traced where somebody asks for that much.
fn span_of(envelope: &EventEnvelope) -> tracing::Span {
    match &envelope.body {
        EnvelopeBody::Telemetry { .. }
        | EnvelopeBody::Other(EventBody::Telemetry(_) | EventBody::Requests(_)) => {
            tracing::debug_span!("append", id = %envelope.id)
        }
        EnvelopeBody::Other(_) => tracing::info_span!("append", id = %envelope.id),
    }
}

fn record_of(envelope: &EventEnvelope) -> NewRecord {
    let record = NewRecord::new(envelope.at, proto::encode_event(envelope)).keyed(key_of(envelope));
    match telemetry::trace::traceparent() {
        Some(parent) => record.with_header(telemetry::trace::TRACEPARENT, parent),
        None => record,
    }
}

/// `service/environment` where a record is about one; a slice of telemetry is about all that share a partition.
fn key_of(envelope: &EventEnvelope) -> String {
    let EnvelopeBody::Other(body) = &envelope.body else { return String::new() };
    let key = match body {
        EventBody::Deployment(deployment) => Some(&deployment.key),
        EventBody::Outcome(outcome) => Some(&outcome.release.key),
        EventBody::Delivery(delivery) => delivery.release.as_ref().map(|release| &release.key),
        _ => None,
    };
    key.map(|key| format!("{}/{}", key.service, key.environment)).unwrap_or_default()
}

/// What the policy and the decisions log know of where things belong.
struct Known<'a> {
    placing: &'a Placing,
}

impl Places for Known<'_> {
    fn series(&mut self, at: Timestamp, batch: &Batch, to: &mut Vec<(u32, Partition)>) {
        self.placing.placement.lock().unwrap_or_else(PoisonError::into_inner).place(at, batch, to);
    }

    fn alert(&mut self, alert: &Alert) -> Option<ServiceKey> {
        let identity = self.placing.identity.load();
        let first_of = |names: &[String]| names.iter().find_map(|name| alert.labels.get(name));
        Some(ServiceKey::new(first_of(&identity.service)?, first_of(&identity.environment)?))
    }

    fn release(&mut self, id: &ReleaseId) -> Option<ServiceKey> {
        self.placing.projection.read().release(id).map(|view| view.release.key.clone())
    }

    fn command(&mut self, id: &CommandId) -> Option<ServiceKey> {
        self.placing.projection.read().command(id).map(|command| command.release.key.clone())
    }
}
