//! Decoded telemetry on its way from ingest to the judge, beside the log.
//!
//! The log stays the one source of what is judged and in which order; this only spares the judge decoding a
//! second time what ingest has just decoded. What is not here (a replay, a judge far behind) is decoded from
//! the record. Emptied batches go back the same way, because mapping fresh memory costs as much as decoding.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{Batch, Event, EventBody, EventId, Sample, Series};

/// Bytes of batches that wait for the judge: about 90 requests of Prometheus' usual size, more than are in
/// flight while a sync takes its time. Beyond, the judge decodes.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Emptied batches kept; as many requests as are usually decoded at once.
const SPARE_MAX: usize = 8;

/// A batch above this is given back to the allocator, so that one large request does not hold memory for ever.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// Clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handover(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<EventId, Batch>,
    waiting_bytes: usize,
    spare: Vec<Batch>,
}

impl Handover {
    /// Leaves the batch of the record that is about to be appended as `id`. It stays until it is taken, or until
    /// the ticket goes without [`Ticket::keep`]: a record that nobody knows to be durable may never be read.
    pub(crate) fn leave(&self, id: &EventId, batch: Batch) -> Ticket {
        let mut state = self.lock();
        let bytes = held_bytes(&batch);
        if state.waiting_bytes.saturating_add(bytes) <= WAITING_BYTES_MAX {
            state.waiting_bytes += bytes;
            state.waiting.insert(id.clone(), batch);
        }
        Ticket { handover: self.clone(), id: Some(id.clone()) }
    }

    /// Takes the batch of record `id`, if it is here.
    pub(crate) fn take(&self, id: &EventId) -> Option<Batch> {
        let mut state = self.lock();
        let batch = state.waiting.remove(id)?;
        state.waiting_bytes = state.waiting_bytes.saturating_sub(held_bytes(&batch));
        Some(batch)
    }

    /// Gives a batch's memory back for the next request.
    pub(crate) fn give_back(&self, batch: Batch) {
        let mut state = self.lock();
        if state.spare.len() < SPARE_MAX && held_bytes(&batch) <= SPARE_BYTES_MAX {
            state.spare.push(batch);
        }
    }

    /// As [`Self::give_back`], of an event that is done with.
    pub(crate) fn give_back_of(&self, event: Event) {
        if let EventBody::Telemetry(batch) = event.body {
            self.give_back(batch);
        }
    }

    /// Memory for the next request.
    pub(crate) fn spare(&self) -> Batch {
        self.lock().spare.pop().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds a batch's place until its record is durable.
#[derive(Debug)]
#[must_use = "without `keep` the batch is taken away again"]
pub(crate) struct Ticket {
    handover: Handover,
    id: Option<EventId>,
}

impl Ticket {
    /// The record is durable: the judge will come by and take the batch.
    pub(crate) fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            drop(self.handover.take(id));
        }
    }
}

fn held_bytes(batch: &Batch) -> usize {
    batch.bytes.capacity()
        + batch.series.capacity() * size_of::<Series>()
        + batch.samples.capacity() * size_of::<Sample>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> EventId {
        EventId::from_text(name.to_owned())
    }

    fn batch(bytes: usize) -> Batch {
        Batch { bytes: Vec::with_capacity(bytes), ..Batch::default() }
    }

    #[test]
    fn a_batch_is_taken_once_and_only_while_its_record_may_be_durable() {
        let handover = Handover::default();
        handover.leave(&id("durable"), batch(10)).keep();
        drop(handover.leave(&id("refused"), batch(10)));
        assert!(handover.take(&id("durable")).is_some());
        assert!(handover.take(&id("durable")).is_none(), "taken already");
        assert!(handover.take(&id("refused")).is_none(), "never became durable");
        assert_eq!(handover.lock().waiting_bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded_and_the_first_to_come_stay() {
        let handover = Handover::default();
        handover.leave(&id("a"), batch(WAITING_BYTES_MAX)).keep();
        handover.leave(&id("b"), batch(1)).keep();
        assert!(handover.take(&id("b")).is_none(), "the judge decodes it");
        assert!(handover.take(&id("a")).is_some());
        handover.leave(&id("c"), batch(1)).keep();
        assert!(handover.take(&id("c")).is_some(), "there is room again");
    }

    #[test]
    fn memory_that_comes_back_is_used_again_unless_it_is_too_much() {
        let handover = Handover::default();
        handover.give_back(batch(SPARE_BYTES_MAX + 1));
        assert_eq!(handover.spare().bytes.capacity(), 0);
        (0..2 * SPARE_MAX).for_each(|_| handover.give_back(batch(100)));
        assert_eq!(handover.lock().spare.len(), SPARE_MAX);
        assert!(handover.spare().bytes.capacity() >= 100);
    }
}
