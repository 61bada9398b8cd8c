//! The projection behind a lock, with a way to wait for it to move.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use model::{Checkpoint, DecisionRecord, Position, Void};
use tokio::sync::watch;

use super::Projection;

/// Shared by the role that applies records and the handlers that read.
#[derive(Clone, Debug)]
pub struct SharedProjection {
    inner: Arc<RwLock<Projection>>,
    version: Arc<watch::Sender<u64>>,
}

impl Default for SharedProjection {
    fn default() -> Self {
        Self { inner: Arc::default(), version: Arc::new(watch::Sender::new(0)) }
    }
}

impl SharedProjection {
    /// Applies the record at `at` and wakes whoever waits; why the record does not count, if it does not.
    pub fn apply(&self, at: Position, record: &DecisionRecord) -> Option<Void> {
        let void = self.inner.write().unwrap_or_else(PoisonError::into_inner).apply(at, record);
        if void.is_none() {
            self.version.send_modify(|version| *version += 1);
        }
        void
    }

    /// Takes over what records said that retention has taken; before the first one is applied.
    pub fn restore(&self, checkpoint: &Checkpoint) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).restore(checkpoint);
    }

    /// Reads; hold the guard shortly and never across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, Projection> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever a record was applied.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
