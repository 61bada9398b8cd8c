//! The projection behind a lock, with a way to wait for it to move.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use model::{DecisionRecord, Position};
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
    /// Applies the record at `at` and wakes whoever waits; whether the record counts.
    pub fn apply(&self, at: Position, record: &DecisionRecord) -> bool {
        let counts = self.inner.write().unwrap_or_else(PoisonError::into_inner).apply(at, record);
        if counts {
            self.version.send_modify(|version| *version += 1);
        }
        counts
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
