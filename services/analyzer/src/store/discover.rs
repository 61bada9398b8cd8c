//! What was seen: services, versions, and series that could not be placed.

use std::collections::BTreeMap;

use model::{
    ServiceKey, Timestamp,
    values::{Discovery, ServiceSeen, Unplaced},
};

use super::{Store, VersionSeen, slab::NONE};

/// Kinds of unplaced series listed; a person mends the first few and looks again.
const UNPLACED_KINDS_MAX: usize = 200;

impl Store {
    /// The versions of a service of which samples have settled.
    pub fn versions(&self, key: &ServiceKey) -> Vec<VersionSeen> {
        let versions = self.catalog.service(key).into_iter().flat_map(|service| service.versions.values());
        let seen = versions.filter_map(|&id| {
            let version = &self.catalog.versions[id];
            let (first_at, last_at) = version.seen?;
            let interval = version.interval;
            Some(VersionSeen { version: version.name.clone(), first_at, last_at, interval })
        });
        seen.collect()
    }

    /// Every service that something came in of, in the order of keys.
    pub fn services(&self) -> Vec<ServiceSeen> {
        let services = self.catalog.by_key.iter().map(|(key, &id)| {
            let service = &self.catalog.services[id];
            ServiceSeen {
                key: key.clone(),
                versions: service.versions.keys().cloned().collect(),
                series: u64::from(service.series),
                last_sample_at: self.catalog.last_sample_at(service),
            }
        });
        services.collect()
    }

    /// Event time of the newest settled sample of any series or request of a service.
    pub fn last_sample_at(&self, key: &ServiceKey) -> Option<Timestamp> {
        self.catalog.last_sample_at(self.catalog.service(key)?)
    }

    /// Services, and the kinds of series (by name and what is missing) that could not be placed. Looks through
    /// all series: for people, not for every tick.
    pub fn discovery(&self) -> Discovery {
        let mut kinds: BTreeMap<(String, String), Unplaced> = BTreeMap::new();
        for id in (0..self.table.series.end()).filter(|&id| self.is_unplaced(id)) {
            let labels = self.labels_of(id);
            let missing = self.names_of(&labels).missing();
            let missing = if missing.is_empty() { "room" } else { missing };
            let name = labels.get("__name__").unwrap_or_default();
            let kind = (name.to_owned(), missing.to_owned());
            if kinds.len() >= UNPLACED_KINDS_MAX && !kinds.contains_key(&kind) {
                continue;
            }
            let unplaced = kinds.entry(kind).or_insert_with(|| Unplaced {
                example: example_of(name, &labels),
                missing: missing.to_owned(),
                series: 0,
            });
            unplaced.series += 1;
        }
        Discovery { services: self.services(), unplaced: kinds.into_values().collect() }
    }

    fn is_unplaced(&self, id: u32) -> bool {
        let series = &self.table.series[id];
        series.is_used() && series.version == NONE && !series.flags.is_info
    }
}

/// `name{label="value", …}`.
fn example_of(name: &str, labels: &model::Labels) -> String {
    let others = labels.iter().filter(|(label, _)| *label != "__name__");
    format!("{name}{}", model::Labels::from_pairs(others))
}
