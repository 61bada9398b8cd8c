//! What one topic has under way: the bound of it, and the count of what became of it.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

use crate::{AppendError, kafka::cluster::lock};

/// What a record under way costs beside what it holds, about: librdkafka's message, the answer's channel.
const OVERHEAD_BYTES: usize = 256;

#[derive(Debug)]
pub(crate) struct Flow {
    state: Mutex<State>,
    idle: Notify,
    queue_bytes_max: usize,
    record_bytes_max: usize,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) overloaded: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    records: usize,
    is_closed: bool,
}

impl Flow {
    /// For a topic that takes records of up to `record_bytes_max`.
    pub(crate) fn new(queue_bytes_max: usize, record_bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            idle: Notify::new(),
            queue_bytes_max,
            record_bytes_max,
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
        }
    }

    pub(crate) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    pub(crate) fn queue_bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Makes room for a record, or refuses it at once; answers what to release.
    pub(crate) fn reserve(&self, record_bytes: usize) -> Result<usize, AppendError> {
        if record_bytes > self.record_bytes_max {
            return Err(AppendError::TooLarge { bytes: record_bytes, limit: self.record_bytes_max });
        }
        let bytes = record_bytes + OVERHEAD_BYTES;
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(AppendError::Closed);
        }
        // An empty queue takes any record: what never fits would be refused as "try again" for ever.
        if state.records > 0 && state.bytes + bytes > self.queue_bytes_max {
            drop(state);
            return Err(self.overload());
        }
        state.bytes += bytes;
        state.records += 1;
        Ok(bytes)
    }

    pub(crate) fn overload(&self) -> AppendError {
        self.overloaded.fetch_add(1, Ordering::Relaxed);
        AppendError::Overloaded { queued_bytes: self.queue_bytes() }
    }

    /// A record is no longer under way.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.bytes -= bytes;
        state.records -= 1;
        if state.records == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
    }

    /// Resolves once nothing is under way.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            if lock(&self.state).records == 0 {
                return;
            }
            idle.await;
        }
    }
}
