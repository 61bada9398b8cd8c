//! Services, their versions, and the windows of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    cell::{Cell, Increase, Rings},
    config::{Config, Source},
    durations::Requests,
    ladder::Layouts,
    ledger::{Ledger, Refusal, bytes_of_series},
    reports::Reports,
    role::Role,
    slab::Slab,
};

/// Versions of one service at once: a rollout has two or three, so this many come from a label that is no
/// version (a build time, a pod's name).
const VERSIONS_MAX: usize = 64;

/// Scrapes further apart are no interval but a gap: two intervals of the slowest usual scrape.
const INTERVAL_MAX: Duration = Duration::from_secs(120);

/// What a service takes beside its names and versions, here and where it is judged.
const SERVICE_BYTES: usize = 1_024;

/// What a version takes beside its name and windows.
const VERSION_BYTES: usize = 512;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) key: ServiceKey,
    /// Whose event opened it.
    pub(super) sender: Arc<str>,
    /// What it takes; see [`super::ledger`].
    #[serde(skip)]
    pub(super) bytes: usize,
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

    fn bytes(&self, cells: &Slab<Cell>) -> usize {
        let of_cells: usize = self.cells.values().map(|&cell| cells[cell].bytes()).sum();
        VERSION_BYTES + self.name.as_ref().map_or(0, String::len) + self.requests.bytes() + of_cells
    }
}

fn bytes_of_service(key: &ServiceKey) -> usize {
    SERVICE_BYTES + 2 * (key.service.len() + key.environment.len())
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
    #[serde(skip)]
    pub(super) ledger: Ledger,
}

impl Catalog {
    pub(super) fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.by_key.get(key).map(|&id| &self.services[id])
    }

    /// The number of a version that is known.
    pub(super) fn known(&self, key: &ServiceKey, name: Option<&str>) -> Option<u32> {
        self.service(key)?.versions.get(&name.map(str::to_owned)).copied()
    }

    /// Whether the sender may open the version.
    pub(super) fn may_open(&self, key: &ServiceKey, sender: &str) -> Result<(), Refusal> {
        self.ledger.may_open()?;
        match self.service(key) {
            Some(service) => {
                let room = self.ledger.may_grow(&service.sender, service.bytes);
                let has_idle = || service.versions.values().any(|&id| self.versions[id].series == 0);
                if has_idle() { room.or_else(Refusal::unless_of_service) } else { room }
            }
            None => self.ledger.may_enter(sender),
        }
    }

    /// Whether the service may take more.
    pub(super) fn may_grow(&self, key: &ServiceKey) -> Result<(), Refusal> {
        let service = self.service(key);
        service.map_or(Ok(()), |service| self.ledger.may_grow(&service.sender, service.bytes))
    }

    /// The version's number, entered if it is new; `None` if the service has too many that are in use.
    pub(super) fn version(
        &mut self,
        key: &ServiceKey,
        name: Option<&str>,
        (sender, now): (&Arc<str>, Timestamp),
        config: &Config,
    ) -> Option<u32> {
        let service = self.enter_service(key, sender);
        let name = name.map(str::to_owned);
        if let Some(&id) = self.services[service].versions.get(&name) {
            self.versions[id].used_at = now;
            return Some(id);
        }
        let has_too_many = self.services[service].versions.len() >= VERSIONS_MAX;
        if has_too_many || self.ledger.is_full(self.services[service].bytes) {
            self.evict_version(service)?;
        }
        let requests = Rings::new(&config.request_windows, Requests::ring);
        let version = Version { service, name: name.clone(), used_at: now, requests, ..Version::default() };
        let bytes = version.bytes(&self.cells);
        let id = self.versions.insert(version);
        self.services[service].versions.insert(name, id);
        self.book(service, bytes as isize);
        self.ledger.note_opened();
        Some(id)
    }

    fn enter_service(&mut self, key: &ServiceKey, sender: &Arc<str>) -> u32 {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        let service = Service { key: key.clone(), sender: Arc::clone(sender), ..Service::default() };
        let id = self.services.insert(service);
        self.by_key.insert(key.clone(), id);
        self.ledger.enter(sender);
        self.book(id, bytes_of_service(key) as isize);
        id
    }

    /// Books that a service takes `grown` bytes more, or less.
    pub(super) fn book(&mut self, service: u32, grown: isize) {
        if grown != 0 {
            let service = &mut self.services[service];
            service.bytes = service.bytes.saturating_add_signed(grown);
            self.ledger.book(&service.sender, grown);
        }
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
        empty.into_iter().for_each(|id| self.remove_service(id));
    }

    fn remove_service(&mut self, id: u32) {
        let service = self.services.remove(id);
        self.by_key.remove(&service.key);
        self.looks.retain(|look| *look != id);
        self.ledger.book(&service.sender, -(service.bytes as isize));
        self.ledger.leave(&service.sender);
    }

    /// The services that the sender opened, that have no series and were not used since `before`, silent longest
    /// first.
    pub(super) fn silent(&self, sender: &str, before: Timestamp) -> Vec<(Timestamp, ServiceKey)> {
        let own = self.services.used().filter(|(_, it)| it.series == 0 && *it.sender == *sender);
        let used_at =
            |service: &Service| service.versions.values().map(|&id| self.versions[id].used_at).max();
        let silent = own.filter_map(|(_, service)| Some((used_at(service)?, service.key.clone())));
        let mut silent: Vec<_> = silent.filter(|(used_at, _)| *used_at < before).collect();
        silent.sort();
        silent
    }

    /// Forgets a service without series.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        let Some(&id) = self.by_key.get(key).filter(|id| self.services[**id].series == 0) else { return };
        let versions: Vec<u32> = self.services[id].versions.values().copied().collect();
        versions.into_iter().for_each(|version| self.remove_version(version));
        self.remove_service(id);
    }

    fn remove_version(&mut self, id: u32) {
        let version = self.versions.remove(id);
        self.book(version.service, -(version.bytes(&self.cells) as isize));
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
        let cell = Cell::new(&definition.definition, &definition.windows);
        self.book(self.versions[version].service, cell.bytes() as isize);
        let cell = self.cells.insert(cell);
        self.versions[version].cells.insert(source, cell);
        cell
    }

    /// Counts an increase in a version's cell.
    pub(super) fn count(&mut self, version: u32, role: Role, by: &Increase, layouts: &Layouts) {
        let grown = self.cells[role.cell].add(role.part, by, layouts);
        self.book(self.versions[version].service, grown);
    }

    /// Brings all windows from one configuration's sources to another's; what both define is kept.
    pub(super) fn reshape(&mut self, before: &Config, after: &Config) {
        let place_of =
            |source: &Source| after.sources.iter().position(|it| it.definition == source.definition);
        let moved: Vec<Option<usize>> = before.sources.iter().map(place_of).collect();
        let mut grown = Vec::new();
        for (_, version) in self.versions.used_mut() {
            let bytes_before = version.bytes(&self.cells);
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
            grown.push((version.service, version.bytes(&self.cells) as isize - bytes_before as isize));
        }
        grown.into_iter().for_each(|(service, grown)| self.book(service, grown));
    }

    /// Notes that a version has a series more.
    pub(super) fn enter_series(&mut self, version: u32, label_bytes: usize) {
        self.versions[version].series += 1;
        let service = self.versions[version].service;
        self.services[service].series += 1;
        self.book(service, bytes_of_series(label_bytes) as isize);
    }

    /// Notes that a version has a series less.
    pub(super) fn leave_series(&mut self, version: u32, label_bytes: usize, now: Timestamp) {
        let state = &mut self.versions[version];
        (state.series, state.used_at) = (state.series - 1, now);
        let service = state.service;
        self.services[service].series -= 1;
        self.book(service, -(bytes_of_series(label_bytes) as isize));
    }

    /// After a snapshot, once the windows are whole: opens the accounts. Series are entered one by one.
    pub(super) fn book_all(&mut self) {
        for (_, service) in self.services.used_mut() {
            service.bytes = bytes_of_service(&service.key);
            self.ledger.enter(&service.sender);
            self.ledger.book(&service.sender, service.bytes as isize);
        }
        let versions = self.versions.used();
        let bytes: Vec<_> = versions.map(|(_, it)| (it.service, it.bytes(&self.cells) as isize)).collect();
        bytes.into_iter().for_each(|(service, bytes)| self.book(service, bytes));
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
            catalog.version(&key, Some(&format!("v{at}")), (&"ci".into(), now), &config)
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
