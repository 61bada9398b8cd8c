//! Room for services: who gets in, and who goes when there is no more.
//!
//! Each service in an environment counts against the sender that it was first heard of by. One sender gets most of
//! the room and never all of it. Where there is none left, services without a release under watch are forgotten, those
//! that were silent longest first, of the sender that has most.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::ServiceKey;

use crate::{
    Analyzer,
    service::Service,
    store::{PLACES_MAX, Refusal},
};

/// Services forgotten at once when there is no room, so that looking for them is paid for by all that come after.
const FORGOTTEN_AT_ONCE: usize = PLACES_MAX / 64;

/// After a search for services to forget, the next one waits for so long. Without this, a flood would cause a search
/// through all services for each of its events.
const TRIED_EVERY: Duration = Duration::from_secs(1);

impl Analyzer {
    /// Makes sure that the service is remembered, if there is room for it.
    pub(crate) fn ensure_service(&mut self, key: &ServiceKey) {
        if self.services.contains_key(key) {
            return;
        }
        let sender = self.store.sender_of(key).unwrap_or_else(|| Arc::clone(&self.sender));
        if let Err(refusal) = self.room_for(&sender) {
            self.forget_services(&sender, refusal);
        }
        match self.room_for(&sender) {
            Ok(()) => self.enter_service(key, sender),
            Err(refusal) => {
                self.counters.services_refused += 1;
                self.store.refuse(refusal, key);
            }
        }
    }

    /// Remembers a service, whatever room there is.
    pub(crate) fn enter_service(&mut self, key: &ServiceKey, sender: Arc<str>) {
        *self.senders.entry(Arc::clone(&sender)).or_default() += 1;
        self.services.insert(key.clone(), Service::new(key.clone(), sender));
    }

    fn room_for(&self, sender: &str) -> Result<(), Refusal> {
        let own = self.senders.get(sender).copied().unwrap_or_default();
        crate::store::room_for_place(own, self.services.len())
    }

    /// Forgets services that nothing depends on: of the sender itself where it has its share, else of the one that
    /// has most. Those without any release go first, then those that were looked at longest ago.
    fn forget_services(&mut self, sender: &str, refusal: Refusal) {
        if self.now < self.room_tried_at + TRIED_EVERY {
            return;
        }
        let largest = self.senders.iter().max_by_key(|(_, places)| **places).map(|(name, _)| &**name);
        let whose = if refusal == Refusal::Sender { Some(sender) } else { largest };
        let can_go = |service: &&Service| Some(&*service.sender) == whose && !is_needed(service);
        let mut idle: Vec<_> = self.services.values().filter(can_go).collect();
        idle.sort_by_key(|service| (!service.releases.is_empty(), service.last_look_at));
        let keys: Vec<ServiceKey> =
            idle.into_iter().take(FORGOTTEN_AT_ONCE).map(|it| it.key.clone()).collect();
        if keys.is_empty() {
            self.room_tried_at = self.now;
        }
        keys.iter().for_each(|key| self.forget_service(key));
    }

    fn forget_service(&mut self, key: &ServiceKey) {
        self.schedule(key, None);
        let Some(service) = self.services.remove(key) else { return };
        self.store.note_forgotten();
        if let Some(places) = self.senders.get_mut(&service.sender) {
            *places -= 1;
        }
        self.senders.retain(|_, places| *places > 0);
    }

    /// After an event that telemetry was refused of: makes room for what comes next.
    pub(crate) fn make_room(&mut self) {
        if !self.store.wants_room(self.now, TRIED_EVERY) {
            return;
        }
        let services = &self.services;
        self.store.make_room(|key| services.get(key).is_some_and(is_needed));
    }
}

/// Whether its windows and its releases are needed.
fn is_needed(service: &Service) -> bool {
    service.needs_time() || service.has_release_under_watch()
}

/// How many services each sender has.
pub(crate) fn count_senders(services: &BTreeMap<ServiceKey, Service>) -> BTreeMap<Arc<str>, usize> {
    let mut senders = BTreeMap::new();
    for service in services.values() {
        *senders.entry(Arc::clone(&service.sender)).or_default() += 1;
    }
    senders
}
