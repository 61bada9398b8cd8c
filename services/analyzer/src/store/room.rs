//! Room for the telemetry of others: services that were silent for a while are forgotten early.

use std::{sync::Arc, time::Duration};

use model::{ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Refusal, Store};

/// A service that was silent for so long makes room where there is none: most senders come four times a minute.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// Whether room is wanted, and when it was last looked for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Room {
    is_wanted: bool,
    tried_at: Option<Timestamp>,
}

impl Store {
    /// Notes that something was refused that room can be made for.
    pub(super) fn want_room(&mut self, refusal: Refusal) {
        self.room.is_wanted |= matches!(refusal, Refusal::Sender | Refusal::All);
    }

    /// Whether room is to be looked for, which is not worth it more often than `every`.
    pub(crate) fn wants_room(&self, now: Timestamp, every: Duration) -> bool {
        self.room.is_wanted && self.room.tried_at.is_none_or(|tried_at| now >= tried_at + every)
    }

    /// Forgets services that were silent longest, of each sender that has its share, or of the largest where all
    /// together have; never one that `is_needed`, and none with series: these end by themselves.
    pub(crate) fn make_room(&mut self, is_needed: impl Fn(&ServiceKey) -> bool) {
        self.room = Room { is_wanted: false, tried_at: Some(self.now) };
        let silent_since = self.now - SILENT_FOR;
        for sender in self.catalog.ledger.crowded() {
            let mut idle = self.catalog.silent(&sender, silent_since);
            idle.retain(|(_, key)| !is_needed(key));
            for (_, key) in idle {
                if !self.catalog.ledger.is_crowded_by(&sender) {
                    break;
                }
                self.catalog.forget(&key);
                self.note_forgotten();
            }
        }
    }

    /// Counts a service that is forgotten to make room.
    pub(crate) fn note_forgotten(&mut self) {
        self.counters.forgotten_places += 1;
    }

    /// Whose event opened the service.
    pub(crate) fn sender_of(&self, key: &ServiceKey) -> Option<Arc<str>> {
        self.catalog.service(key).map(|service| Arc::clone(&service.sender))
    }
}
