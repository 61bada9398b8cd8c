//! What was seen: services, versions, and series that could not be placed.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Labels, ServiceKey, Timestamp,
    values::{Discovery, ServiceSeen, Unplaced},
};

use super::{Store, VersionSeen, role::Candidate, slab::NONE};

const NAME: &str = "__name__";

/// Names shown of a service that nothing is counted of: enough to see which library or exporter it has.
const UNCOUNTED_NAMES_MAX: usize = 8;

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

    /// Every service that something came in of, in the order of keys. Looks through all series.
    pub fn services(&self) -> Vec<ServiceSeen> {
        let counts = self.counted_series();
        let mut names = self.uncounted_names(&counts);
        let services = self.catalog.by_key.iter().map(|(key, &id)| {
            let service = &self.catalog.services[id];
            ServiceSeen {
                key: key.clone(),
                versions: service.versions.keys().cloned().collect(),
                series: u64::from(service.series),
                counted_series: counts.get(&id).copied().unwrap_or_default(),
                uncounted: names.remove(&id).map(Vec::from_iter).unwrap_or_default(),
                last_sample_at: self.catalog.last_sample_at(service),
            }
        });
        services.collect()
    }

    /// How many services send series of which no metric counts any. Looks through all series.
    pub fn uncounted_services(&self) -> usize {
        let counts = self.counted_series();
        self.catalog.by_key.values().filter(|&&id| self.is_uncounted(id, &counts)).count()
    }

    /// How many series could not be placed. Looks through all series.
    pub fn unplaced_series(&self) -> usize {
        (0..self.table.series.end()).filter(|&id| self.is_unplaced(id)).count()
    }

    /// Of each service that has any, how many series count for something.
    fn counted_series(&self) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        for id in 0..self.table.series.end() {
            let series = &self.table.series[id];
            if series.is_used() && series.version != NONE && series.roles != NONE {
                *counts.entry(self.catalog.versions[series.version].service).or_default() += 1;
            }
        }
        counts
    }

    fn is_uncounted(&self, service: u32, counts: &BTreeMap<u32, u64>) -> bool {
        let service_state = &self.catalog.services[service];
        let has_requests =
            service_state.versions.values().any(|&version| self.catalog.versions[version].has_requests);
        service_state.series > 0 && !has_requests && !counts.contains_key(&service)
    }

    /// Names of a few series of each service that nothing is counted of.
    fn uncounted_names(&self, counts: &BTreeMap<u32, u64>) -> BTreeMap<u32, BTreeSet<String>> {
        let uncounted = self.catalog.by_key.values().filter(|&&id| self.is_uncounted(id, counts));
        let mut names: BTreeMap<u32, BTreeSet<String>> = uncounted.map(|&id| (id, BTreeSet::new())).collect();
        if names.is_empty() {
            return names;
        }
        for id in 0..self.table.series.end() {
            let series = &self.table.series[id];
            if !series.is_used() || series.version == NONE || series.flags.is_info {
                continue;
            }
            let service = self.catalog.versions[series.version].service;
            if let Some(names) = names.get_mut(&service).filter(|names| names.len() < UNCOUNTED_NAMES_MAX) {
                names.extend(self.labels_of(id).get(NAME).map(str::to_owned));
            }
        }
        names
    }

    /// Event time of the newest settled sample of any series or request of a service.
    pub fn last_sample_at(&self, key: &ServiceKey) -> Option<Timestamp> {
        self.catalog.last_sample_at(self.catalog.service(key)?)
    }

    /// Services, and by job the series that could not be placed. Looks through all series: for people, not for
    /// every tick.
    pub fn discovery(&self) -> Discovery {
        let mut discovery = Discovery { services: self.services(), ..Discovery::default() };
        let mut jobs: BTreeMap<(String, &'static str), Unplaced> = BTreeMap::new();
        for id in (0..self.table.series.end()).filter(|&id| self.is_unplaced(id)) {
            discovery.unplaced_series += 1;
            let labels = self.labels_of(id);
            let names = self.names_of(&labels);
            let missing = if names.key().is_some() { "room" } else { names.missing() };
            let job = labels.get("job").or(names.service.as_deref()).unwrap_or_default().to_owned();
            let line = jobs.entry((job.clone(), missing)).or_insert_with(|| Unplaced {
                job,
                missing: missing.to_owned(),
                ..Unplaced::default()
            });
            let is_wanted = self.is_wanted(id, &labels);
            if line.series == 0 || (is_wanted && line.wanted_series == 0) {
                line.example = example_of(&labels);
            }
            line.series += 1;
            line.wanted_series += u64::from(is_wanted);
            if let Some(instance) = labels.get("instance")
                && line.instances.len() < Unplaced::INSTANCES_MAX
            {
                line.instances.insert(instance.to_owned());
            }
        }
        discovery.unplaced = jobs.into_values().collect();
        discovery.put_in_order();
        discovery
    }

    /// Whether some metric of the policy would count the series.
    fn is_wanted(&self, id: u32, labels: &Labels) -> bool {
        let candidate = Candidate::new(labels, self.table.series[id].kind);
        self.config.sources.iter().any(|source| candidate.part_in(&source.definition).is_some())
    }

    fn is_unplaced(&self, id: u32) -> bool {
        let series = &self.table.series[id];
        series.is_used() && series.version == NONE && !series.flags.is_info
    }
}

/// `name{label="value", …}`.
fn example_of(labels: &Labels) -> String {
    let others = labels.iter().filter(|(label, _)| *label != NAME);
    format!("{}{}", labels.get(NAME).unwrap_or_default(), Labels::from_pairs(others))
}
