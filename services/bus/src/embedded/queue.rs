//! Records that wait for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::{Position, Timestamp};
use tokio::sync::oneshot;

use crate::embedded::{AppendError, frame::HEADER_BYTES};

/// What a waiting record costs beside its payload, about: the entry, its answer's channel and its header.
const OVERHEAD_BYTES: usize = HEADER_BYTES + 128;

/// A record and who waits for it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) at: Timestamp,
    pub(crate) payload: Bytes,
    pub(crate) answer: oneshot::Sender<Result<Position, AppendError>>,
}

impl Pending {
    /// What it counts in the queue's bound.
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }

    /// Tells whoever waits; that nobody waits any more is their choice.
    pub(crate) fn answer(self, result: Result<Position, AppendError>) {
        drop(self.answer.send(result));
    }
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<Pending>,
    /// Bytes of everything accepted and not answered, whether it waits here or is being written.
    bytes_in_flight: usize,
    is_closed: bool,
}

/// Bounded by bytes; refuses instead of waiting, because a sender that is refused knows what to do.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    bytes_max: usize,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), bytes_max }
    }

    pub(crate) fn push(&self, pending: Pending) -> Result<(), AppendError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(AppendError::Closed);
        }
        let queued = state.bytes_in_flight.saturating_add(pending.cost());
        // An empty queue takes any record: what never fits would be refused as "try again" for ever.
        if state.bytes_in_flight > 0 && queued > self.bytes_max {
            return Err(AppendError::Overloaded { queued_bytes: state.bytes_in_flight });
        }
        state.bytes_in_flight = queued;
        state.pending.push(pending);
        self.ready.notify_one();
        Ok(())
    }

    /// Everything that waits, as soon as anything does; `None` once the queue is closed and empty.
    pub(crate) fn take(&self) -> Option<Vec<Pending>> {
        let mut state = self.lock();
        while state.pending.is_empty() {
            if state.is_closed {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut state.pending))
    }

    /// Makes room: records of this cost were answered.
    pub(crate) fn release(&self, cost: usize) {
        let mut state = self.lock();
        state.bytes_in_flight = state.bytes_in_flight.saturating_sub(cost);
    }

    /// Takes no more; what waits is still written.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.ready.notify_all();
    }

    /// Drops what waits: for a writer that can write no more. Whoever waits learns it from the closed channel.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.pending.clear();
        state.bytes_in_flight = 0;
    }

    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.lock().bytes_in_flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
