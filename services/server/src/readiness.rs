//! Whether this process does its job: each part says what is in the way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeMap<String, Result<(), String>>>>);

impl Readiness {
    /// What `part` says of itself from here on.
    pub(crate) fn set(&self, part: &str, state: Result<(), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), state);
    }

    /// `part` is not this process's any more.
    pub(crate) fn forget(&self, part: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    /// Ready when every part is; otherwise the first reason.
    pub(crate) fn check(&self) -> Result<(), String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.values().find(|state| state.is_err()).cloned().unwrap_or(Ok(()))
    }
}
