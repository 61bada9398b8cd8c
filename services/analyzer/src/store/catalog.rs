//! Services, their versions, and the windows of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    cell::{Cell, Rings},
    config::{Config, Source},
    durations::Requests,
    reports::Reports,
    slab::Slab,
};

/// Services of one analyzer. Each costs some windows; a fleet has hundreds to thousands.
const SERVICES_MAX: usize = 10_000;

/// Versions of one service at once: a rollout has two or three, so this many come from a label that is no
/// version (a build time, a pod's name).
const VERSIONS_MAX: usize = 64;

/// Scrapes further apart are no interval but a gap: two intervals of the slowest usual scrape.
const INTERVAL_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) key: ServiceKey,
    #[serde(skip)]
    pub(super) versions: BTreeMap<Option<String>, u32>,
    #[serde(skip)]
    pub(super) series: u32,
    /// Newest settled sample since looks were last taken.
    pub(super) look_at: Option<Timestamp>,
    /// Newest request event: what "late" is measured from.
    pub(super) newest_request_at: Option<Timestamp>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) service: u32,
    pub(super) name: Option<String>,
    /// Event time of its settled samples.
    pub(super) seen: Option<(Timestamp, Timestamp)>,
    /// The longest time between two scrapes of a target of it, see [`INTERVAL_MAX`].
    pub(super) interval: Duration,
    /// When it was last in use, as time came in.
    pub(super) used_at: Timestamp,
    #[serde(skip)]
    pub(super) series: u32,
    /// By source.
    pub(super) cells: BTreeMap<u32, u32>,
    pub(super) requests: Rings<Requests>,
    pub(super) has_requests: bool,
    /// Of the targets that its series are scraped at.
    pub(super) reports: Reports,
}

impl Version {
    pub(super) fn see(&mut self, at: Timestamp) {
        self.seen = Some(self.seen.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    fn last_at(&self) -> Option<Timestamp> {
        self.seen.map(|seen| seen.1)
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Catalog {
    pub(super) services: Slab<Service>,
    #[serde(skip)]
    pub(super) by_key: BTreeMap<ServiceKey, u32>,
    pub(super) versions: Slab<Version>,
    pub(super) cells: Slab<Cell>,
    /// Services with a look to take.
    looks: Vec<u32>,
}

impl Catalog {
    pub(super) fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.by_key.get(key).map(|&id| &self.services[id])
    }

    /// The version's number, entered if it is new; `None` if a limit forbids it.
    pub(super) fn version(
        &mut self,
        key: &ServiceKey,
        name: Option<&str>,
        now: Timestamp,
        config: &Config,
    ) -> Option<u32> {
        let service = self.enter_service(key)?;
        let name = name.map(str::to_owned);
        if let Some(&id) = self.services[service].versions.get(&name) {
            self.versions[id].used_at = now;
            return Some(id);
        }
        if self.services[service].versions.len() >= VERSIONS_MAX {
            self.evict_version(service)?;
        }
        let requests = Rings::new(&config.request_windows, Requests::ring);
        let version = Version { service, name: name.clone(), used_at: now, requests, ..Version::default() };
        let id = self.versions.insert(version);
        self.services[service].versions.insert(name, id);
        Some(id)
    }

    fn enter_service(&mut self, key: &ServiceKey) -> Option<u32> {
        if let Some(&id) = self.by_key.get(key) {
            return Some(id);
        }
        if self.by_key.len() >= SERVICES_MAX {
            return None;
        }
        let id = self.services.insert(Service { key: key.clone(), ..Service::default() });
        self.by_key.insert(key.clone(), id);
        Some(id)
    }

    /// Gives up the version that was silent longest among those without series.
    fn evict_version(&mut self, service: u32) -> Option<()> {
        let versions = self.services[service].versions.values().copied();
        let idle = versions.filter(|&id| self.versions[id].series == 0);
        let oldest = idle.min_by_key(|&id| (self.versions[id].used_at, id))?;
        self.remove_version(oldest);
        Some(())
    }

    /// Forgets versions without series that were not used since `before`, and services left without any.
    pub(super) fn remove_idle(&mut self, before: Timestamp) {
        for id in 0..self.versions.end() {
            let version = &self.versions[id];
            let service = &self.services[version.service];
            let is_entered = service.versions.get(&version.name) == Some(&id);
            if is_entered && version.series == 0 && version.used_at < before {
                self.remove_version(id);
            }
        }
        let is_empty = |id: &u32| self.services[*id].versions.is_empty();
        let empty: Vec<u32> = self.by_key.values().copied().filter(is_empty).collect();
        for id in empty {
            let service = self.services.remove(id);
            self.by_key.remove(&service.key);
            self.looks.retain(|look| *look != id);
        }
    }

    fn remove_version(&mut self, id: u32) {
        let version = self.versions.remove(id);
        self.services[version.service].versions.remove(&version.name);
        for cell in version.cells.into_values() {
            self.cells.remove(cell);
        }
    }

    /// The version's windows for a source.
    pub(super) fn cell(&mut self, version: u32, source: u32, definition: &Source) -> u32 {
        if let Some(&cell) = self.versions[version].cells.get(&source) {
            return cell;
        }
        let cell = self.cells.insert(Cell::new(&definition.definition, &definition.windows));
        self.versions[version].cells.insert(source, cell);
        cell
    }

    /// Brings all windows from one configuration's sources to another's; what both define is kept.
    pub(super) fn reshape(&mut self, before: &Config, after: &Config) {
        let place_of =
            |source: &Source| after.sources.iter().position(|it| it.definition == source.definition);
        let moved: Vec<Option<usize>> = before.sources.iter().map(place_of).collect();
        for (_, version) in self.versions.used_mut() {
            version.requests.reshape(&after.request_windows, Requests::ring);
            for (source, cell) in std::mem::take(&mut version.cells) {
                match moved.get(source as usize).copied().flatten() {
                    Some(to) => {
                        self.cells[cell].reshape(&after.sources[to].windows);
                        version.cells.insert(to as u32, cell);
                    }
                    None => drop(self.cells.remove(cell)),
                }
            }
        }
    }

    /// Notes a settled sample of a version, `interval` after the one before at its target; zero where nothing lies
    /// between samples.
    pub(super) fn see(&mut self, version: u32, at: Timestamp, interval: Duration, now: Timestamp) {
        let version = &mut self.versions[version];
        version.see(at);
        if interval <= INTERVAL_MAX {
            version.interval = version.interval.max(interval);
        }
        version.used_at = now;
        let service = &mut self.services[version.service];
        if service.look_at.is_none() {
            self.looks.push(version.service);
        }
        service.look_at = service.look_at.max(Some(at));
    }

    /// Services with settled data since the last call.
    pub(super) fn take_looks(&mut self) -> impl Iterator<Item = (&ServiceKey, Timestamp)> {
        let mut taken = Vec::with_capacity(self.looks.len());
        for id in self.looks.drain(..) {
            if let Some(at) = self.services[id].look_at.take() {
                taken.push((id, at));
            }
        }
        taken.sort_by(|a, b| self.services[a.0].key.cmp(&self.services[b.0].key));
        taken.into_iter().map(|(id, at)| (&self.services[id].key, at))
    }

    /// After a snapshot: services and versions are found by their names again. `None` where two are the same, one
    /// is nobody's, or a cell is not the windows of exactly one version for one of `sources`.
    pub(super) fn reindex(&mut self, sources: usize) -> Option<()> {
        let (services, cells) = (self.services.in_use(), self.cells.in_use());
        for (id, service) in self.services.used() {
            if self.by_key.insert(service.key.clone(), id).is_some() {
                return None;
            }
        }
        let mut owned = BTreeSet::new();
        for (id, version) in self.versions.used() {
            if !services.has(version.service) {
                return None;
            }
            let of_service = &mut self.services[version.service].versions;
            let is_own = |(source, cell): (&u32, &u32)| {
                (*source as usize) < sources && cells.has(*cell) && owned.insert(*cell)
            };
            if of_service.insert(version.name.clone(), id).is_some() || !version.cells.iter().all(is_own) {
                return None;
            }
        }
        let is_whole = owned.len() == self.cells.len() && self.looks.iter().all(|&look| services.has(look));
        is_whole.then_some(())
    }

    pub(super) fn last_sample_at(&self, service: &Service) -> Option<Timestamp> {
        service.versions.values().filter_map(|&id| self.versions[id].last_at()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_silent_longest_makes_room_unless_all_have_series() {
        let config = Config::default();
        let (mut catalog, key) = (Catalog::default(), ServiceKey::new("cart", "production"));
        let enter = |catalog: &mut Catalog, at: usize| {
            let now = Timestamp::from_millis(at as i64);
            catalog.version(&key, Some(&format!("v{at}")), now, &config)
        };
        let first: Vec<u32> = (0..VERSIONS_MAX).filter_map(|at| enter(&mut catalog, at)).collect();
        catalog.versions[first[0]].series = 1;
        assert!(enter(&mut catalog, 100).is_some());
        let names =
            |catalog: &Catalog| catalog.services[0].versions.keys().flatten().cloned().collect::<Vec<_>>();
        assert_eq!(names(&catalog).len(), VERSIONS_MAX);
        assert!(names(&catalog).contains(&"v0".into()), "it has series");
        assert!(!names(&catalog).contains(&"v1".into()), "the oldest without");
        for id in catalog.services[0].versions.clone().into_values() {
            catalog.versions[id].series = 1;
        }
        assert_eq!(enter(&mut catalog, 101), None);
    }
}
