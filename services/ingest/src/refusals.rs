//! What was left out of bodies that were taken, by service and reason: logged once each, and listed by
//! `ripcord discover`. A sender whose exporter ignores the answer would otherwise lose its telemetry in silence.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::{Timestamp, values::Refused};
use proto::wire::Rejected;

/// Services times reasons that are kept; more are counted by `ripcord_ingest_rejected_total` only.
const REFUSALS_MAX: usize = 1_000;

/// The refusals of this process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<(String, &'static str), Refused>>>);

impl Refusals {
    /// All of them, by service and reason.
    pub fn all(&self) -> Vec<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn note(&self, rejected: &Rejected, at: Timestamp) {
        if rejected.is_empty() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((service, reason), (parts, example)) in &rejected.by_service {
            let key = (service.clone(), *reason);
            if let Some(known) = all.get_mut(&key) {
                known.parts += parts;
                (known.example, known.last_at) = (example.clone(), at);
            } else if all.len() < REFUSALS_MAX {
                tracing::warn!(
                    service,
                    reason,
                    parts,
                    example,
                    "a part of the telemetry is refused and not judged; further ones of this service and reason are \
                     counted, not logged (ripcord_ingest_rejected_total, `ripcord discover`)"
                );
                let (service, reason, parts) = (service.clone(), (*reason).to_owned(), *parts);
                all.insert(key, Refused { service, reason, parts, example: example.clone(), last_at: at });
            }
        }
    }
}
