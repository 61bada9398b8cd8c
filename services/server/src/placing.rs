//! Which partition of the events log a record goes to, and the append.

use bus::{AppendError, NewRecord, Topic};
use model::{Batch, Partition};
use policy::Identity;
use proto::EventEnvelope;

/// Puts events where the judge of their service finds them.
pub(crate) struct Placing {
    events: Topic,
}

impl Placing {
    /// `identity`: which labels name a series' service and environment.
    pub(crate) fn new(events: Topic, _identity: &Identity) -> Self {
        Self { events }
    }

    /// Other labels name them from here on.
    pub(crate) fn reconfigure(&self, _identity: &Identity) {}

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u32 {
        self.events.partitions()
    }

    /// Appends an event, in slices where it concerns several partitions; durable when this resolves. `decoded`:
    /// what its telemetry decodes to, if that is known.
    pub(crate) async fn append(
        &self,
        envelope: EventEnvelope,
        _decoded: Option<&Batch>,
    ) -> Result<(), AppendError> {
        self.events.append(Partition::HOME, record_of(&envelope)).await.map(drop)
    }

    /// Appends the same event to every partition.
    pub(crate) async fn append_everywhere(&self, envelope: &EventEnvelope) -> Result<(), AppendError> {
        let record = record_of(envelope);
        let under_way: Vec<_> = (0..self.partitions())
            .map(|partition| self.events.append(Partition(partition), record.clone()))
            .collect();
        for append in under_way {
            append.await?;
        }
        Ok(())
    }
}

fn record_of(envelope: &EventEnvelope) -> NewRecord {
    NewRecord::new(envelope.at, proto::encode_event(envelope))
}
