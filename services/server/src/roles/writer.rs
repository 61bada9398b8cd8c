//! Events that this process itself appends: outcomes, deliveries, ticks, policy loads, the `HALT` file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{EventBody, EventId};
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
    pub(crate) async fn append(&self, source: &str, body: EventBody) -> Result<(), bus::AppendError> {
        self.placing.append(self.envelope(source, body), None).await
    }

    /// Time as a record, for every partition.
    pub(crate) async fn append_ticks(&self) -> Result<(), bus::AppendError> {
        let tick = self.envelope("tick", EventBody::Tick);
        self.placing.sweep(tick.at);
        self.placing.append_everywhere(&tick).await
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
