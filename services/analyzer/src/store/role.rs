//! What series count for. Series of one version that count for the same share one set of roles.

use std::collections::BTreeMap;

use model::{Labels, SeriesKind};
use policy::MetricSource;
use serde::{Deserialize, Serialize};

use super::{
    cell::Part,
    slab::{InUse, NONE, Slab},
};

/// The suffix of a classic histogram's buckets.
const BUCKET_SUFFIX: &str = "_bucket";
/// The label that carries a series' name.
pub(super) const NAME: &str = "__name__";

/// One thing a series counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) cell: u32,
    pub(super) part: Part,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RoleSet {
    roles: Vec<Role>,
    #[serde(skip)]
    users: u32,
}

/// Interned sets of roles.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RoleSets {
    sets: Slab<RoleSet>,
    #[serde(skip)]
    by_roles: BTreeMap<Vec<Role>, u32>,
}

impl RoleSets {
    pub(super) fn get(&self, id: u32) -> &[Role] {
        &self.sets[id].roles
    }

    pub(super) fn acquire(&mut self, roles: Vec<Role>) -> u32 {
        let id = match self.by_roles.get(&roles) {
            Some(&id) => id,
            None => {
                let id = self.sets.insert(RoleSet { roles: roles.clone(), users: 0 });
                self.by_roles.insert(roles, id);
                id
            }
        };
        self.sets[id].users += 1;
        id
    }

    pub(super) fn release(&mut self, id: u32) {
        self.sets[id].users -= 1;
        if self.sets[id].users == 0 {
            let set = self.sets.remove(id);
            self.by_roles.remove(&set.roles);
        }
    }

    /// After a snapshot: `users` are the sets of all series; each set has some, is like no other and names cells
    /// that are there.
    pub(super) fn reindex(&mut self, users: impl Iterator<Item = u32>, cells: &InUse) -> Option<()> {
        let in_use = self.sets.in_use();
        for id in users.filter(|id| *id != NONE) {
            if !in_use.has(id) {
                return None;
            }
            self.sets[id].users += 1;
        }
        for (id, set) in self.sets.used() {
            let is_sound = set.users > 0 && set.roles.iter().all(|role| cells.has(role.cell));
            if !is_sound || self.by_roles.insert(set.roles.clone(), id).is_some() {
                return None;
            }
        }
        Some(())
    }
}

/// A series as selectors see it, prepared once for all of them.
pub(super) struct Candidate<'a> {
    pub(super) labels: &'a Labels,
    pub(super) kind: SeriesKind,
    /// The labels under the histogram family's name, where it is a bucket.
    family: Option<Labels>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(labels: &'a Labels, kind: SeriesKind) -> Self {
        let family = labels.get(NAME).and_then(|name| name.strip_suffix(BUCKET_SUFFIX)).map(|family| {
            let mut labels = labels.clone();
            labels.set(NAME, family);
            labels
        });
        Self { labels, kind, family }
    }

    /// What the series counts for in `source`. A gauge is no counter, whatever a selector says.
    pub(super) fn part_in(&self, source: &MetricSource) -> Option<Part> {
        let is_counter = self.kind != SeriesKind::Gauge;
        match source {
            MetricSource::Ratio { part, total, .. } if is_counter => {
                let (is_part, is_total) = (part.matches(self.labels), total.matches(self.labels));
                (is_part || is_total).then_some(Part::Ratio { is_part, is_total })
            }
            MetricSource::Histogram(histogram) if is_counter => {
                histogram.family.matches(self.family.as_ref()?).then_some(Part::Bucket)
            }
            MetricSource::Throughput(selector) if is_counter => {
                selector.matches(self.labels).then_some(Part::Count)
            }
            MetricSource::Gauge(selector) if self.kind != SeriesKind::Delta => {
                selector.matches(self.labels).then_some(Part::Gauge)
            }
            _ => None,
        }
    }
}
