//! Events that this process itself appends: outcomes, deliveries, ticks, policy loads, the `HALT` file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bus::{Append, AppendError};
use model::{EventBody, EventId, Partition};
use proto::{EnvelopeBody, EventEnvelope};
use tokio_util::sync::CancellationToken;

use crate::placing::Placing;

/// Pause before an event is offered again to a log that cannot write.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct EventWriter {
    placing: Arc<Placing>,
    ids: Arc<EventIds>,
}

/// Makes ids of events that this process itself appends.
#[derive(Debug)]
struct EventIds {
    boot: String,
    next: AtomicU64,
}

impl EventWriter {
    pub(crate) fn new(placing: Arc<Placing>, boot: &str) -> Self {
        Self { placing, ids: Arc::new(EventIds { boot: boot.to_owned(), next: 0.into() }) }
    }

    /// Appends one event, to every partition that it concerns, and waits until it is durable.
    pub(crate) async fn append(&self, source: &str, body: EventBody) -> Result<(), AppendError> {
        self.placing.append(self.envelope(source, body), None).await
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u32 {
        self.placing.partitions()
    }

    /// Time as a record, for each of these partitions; it is tried even during an outage.
    pub(crate) fn append_tick(&self, partitions: Vec<Partition>) -> Vec<(Partition, Append)> {
        let tick = self.envelope("tick", EventBody::Tick);
        self.placing.sweep(tick.at);
        self.placing.append_to(partitions, &tick)
    }

    /// Why an event would wait in vain, where that is known.
    pub(crate) fn outage(&self) -> Option<AppendError> {
        self.placing.outage()
    }

    fn envelope(&self, source: &str, body: EventBody) -> EventEnvelope {
        let number = self.ids.next.fetch_add(1, Ordering::Relaxed);
        let id = model::id::stable_hash(&[&self.ids.boot, "own", &number.to_string()]);
        EventEnvelope {
            id: EventId::from_text(format!("evt_{id}")),
            at: telemetry::clock::now(),
            source: source.to_owned(),
            is_copy: false,
            body: EnvelopeBody::Other(body),
        }
    }

    /// Appends one event that must not be lost: tries until it is durable or the process stops.
    pub(crate) async fn append_surely(&self, source: &str, body: EventBody, stop: &CancellationToken) {
        loop {
            match self.append(source, body.clone()).await {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, source, "an event cannot be written; trying again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}
