//! When each service is due.

use std::collections::{BTreeMap, BTreeSet};

use model::{ServiceKey, Timestamp};

use crate::service::Service;

/// Services by the moment at which time alone changes something of them. A service stands here once at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agenda {
    entries: BTreeSet<(Timestamp, ServiceKey)>,
}

impl Agenda {
    /// Of services that each say when they are due.
    pub(crate) fn of(services: &BTreeMap<ServiceKey, Service>) -> Self {
        let entry = |(key, service): (&ServiceKey, &Service)| Some((service.due_at?, key.clone()));
        Self { entries: services.iter().filter_map(entry).collect() }
    }

    /// The first of all moments.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// The services whose moment has come, earliest first.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<ServiceKey> {
        self.entries.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| key.clone()).collect()
    }

    /// Moves a service from the moment at which it stood.
    pub(crate) fn move_to(&mut self, key: &ServiceKey, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.entries.remove(&(before, key.clone()));
        }
        if let Some(after) = after {
            self.entries.insert((after, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_stands_at_its_newest_moment_only() {
        let key = |name: &str| ServiceKey::new(name, "production");
        let at = |seconds: i64| Some(Timestamp::from_millis(seconds * 1000));
        let mut agenda = Agenda::default();
        agenda.move_to(&key("cart"), None, at(30));
        agenda.move_to(&key("search"), None, at(20));
        assert_eq!(agenda.next(), at(20));
        agenda.move_to(&key("search"), at(20), at(40));
        assert_eq!((agenda.next(), agenda.due(Timestamp::from_millis(30_000))), (at(30), vec![key("cart")]));
        agenda.move_to(&key("cart"), at(30), None);
        assert_eq!(agenda.due(Timestamp::MAX), [key("search")]);
    }
}
