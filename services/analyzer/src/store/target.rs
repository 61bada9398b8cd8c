//! Targets and their scrapes.
//!
//! The series of one scrape may come in several requests and in any order between them. They are staged until
//! the scrape has **settled**: when every series that the last settled scrape had is there, when a later scrape
//! of the target is complete, when the request says it is whole, or when time is up.

use std::{collections::BTreeMap, time::Duration};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::slab::{NONE, Slab};

/// Scrapes of one target waiting at once: an hour of catching up at a minute a scrape. Beyond, the oldest is
/// settled as it is.
pub(super) const SCRAPES_MAX: usize = 64;

/// What a sample does once its scrape settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mark {
    /// A counter grew by the amount.
    Increase,
    /// A counter's first value: from here on it is counted.
    Baseline,
    /// A gauge had the amount.
    Gauge,
    /// The same of a series that is a counter for another metric and already in the scrape.
    GaugeToo,
    /// Alive, but with a value that nothing can be counted from.
    Alive,
    /// The series has ended.
    Ended,
}

/// One sample of a scrape.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) series: u32,
    pub(super) mark: Mark,
    pub(super) amount: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Scrape {
    pub(super) at: Timestamp,
    /// When it is settled whatever is missing.
    pub(super) due: Timestamp,
    /// How many series of the last settled scrape are here.
    pub(super) live: u32,
    pub(super) entries: Vec<Entry>,
    /// Samples of series that names are taken from.
    pub(super) has_info: bool,
}

/// The series of one name at a target.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) first_at: Timestamp,
    /// False once a series of it was forgotten while the target went on: if that one comes back it must not
    /// count from zero, and nothing tells it from a new one.
    pub(super) is_trusted: bool,
    pub(super) series: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Target {
    key: TargetKey,
    pub(super) families: BTreeMap<Box<str>, Family>,
    /// Waiting to settle, ascending by time.
    pub(super) scrapes: Vec<Scrape>,
    /// The newest scrape that has settled.
    pub(super) settled_at: Timestamp,
    /// Counts settled scrapes; marks the series of the last one.
    pub(super) epoch: u32,
    /// How many series the last settled scrape had.
    #[serde(skip)]
    pub(super) live: u32,
    #[serde(skip)]
    pub(super) series: u32,
    /// Newest sample of earlier batches: what "late" is measured from. A sender's order is kept within a
    /// series only, so samples of one batch are not late relative to each other.
    pub(super) newest_at: Timestamp,
    pub(super) newest_in_batch_at: Timestamp,
    pub(super) arrived_at: Timestamp,
    /// The replicas that this target is one of.
    pub(super) replicas: u32,
    /// During a batch only.
    #[serde(skip)]
    pub(super) is_touched: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            key: Vec::new(),
            families: BTreeMap::new(),
            scrapes: Vec::new(),
            settled_at: Timestamp::MIN,
            epoch: 1,
            live: 0,
            series: 0,
            newest_at: Timestamp::MIN,
            newest_in_batch_at: Timestamp::MIN,
            arrived_at: Timestamp::MIN,
            replicas: NONE,
            is_touched: false,
        }
    }
}

impl Target {
    /// Where the scrape of `at` is, or where it has to go.
    pub(super) fn scrape(&self, at: Timestamp) -> Result<usize, usize> {
        match self.scrapes.last() {
            Some(last) if last.at == at => Ok(self.scrapes.len() - 1),
            _ => self.scrapes.binary_search_by_key(&at, |scrape| scrape.at),
        }
    }

    /// The newest scrape that has all series of the last settled one.
    pub(super) fn newest_complete(&self) -> Option<usize> {
        let is_complete = |it: &Scrape| it.at > self.settled_at && self.live > 0 && it.live >= self.live;
        self.scrapes.iter().rposition(is_complete)
    }

    /// Enters a series; whether it is born inside a family that an earlier scrape had.
    pub(super) fn enter_family(&mut self, name: &str, at: Timestamp) -> bool {
        self.series += 1;
        let Some(family) = self.families.get_mut(name) else {
            self.families.insert(name.into(), Family { first_at: at, is_trusted: true, series: 1 });
            return false;
        };
        family.series += 1;
        let is_birth = at > family.first_at && family.is_trusted;
        family.first_at = family.first_at.min(at);
        is_birth
    }

    pub(super) fn leave_family(&mut self, name: &str, is_trusted: bool) {
        self.series = self.series.saturating_sub(1);
        let Some(family) = self.families.get_mut(name) else { return };
        family.series = family.series.saturating_sub(1);
        family.is_trusted &= is_trusted;
        if family.series == 0 {
            self.families.remove(name);
        }
    }
}

/// What tells a target from others. Where replicas are told apart, the replica stands last.
pub(super) type TargetKey = Vec<String>;

/// The targets that several senders scrape for safety, of which one counts at a time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Replicas {
    key: TargetKey,
    #[serde(skip)]
    targets: u32,
    elected: u32,
    seen_at: Timestamp,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { key: Vec::new(), targets: 0, elected: NONE, seen_at: Timestamp::MIN }
    }
}

/// Silence of the elected replica after which another takes over: two scrapes at the usual interval, as in
/// Cortex' and Mimir's HA tracker.
const FAILOVER: Duration = Duration::from_secs(30);

impl Replicas {
    /// Whether `target` is the one that counts now.
    pub(super) fn elect(&mut self, target: u32, now: Timestamp) -> bool {
        if self.elected != target && self.elected != NONE && now.since(self.seen_at) <= FAILOVER {
            return false;
        }
        self.elected = target;
        self.seen_at = now;
        true
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Targets {
    pub(super) all: Slab<Target>,
    #[serde(skip)]
    by_key: BTreeMap<TargetKey, u32>,
    pub(super) replicas: Slab<Replicas>,
    #[serde(skip)]
    replicas_by_key: BTreeMap<TargetKey, u32>,
}

impl Targets {
    /// The target of a key without replica, and of the replica if there is one.
    pub(super) fn enter(&mut self, base: TargetKey, replica: Option<&str>) -> u32 {
        let mut key = base.clone();
        key.extend(replica.map(str::to_owned));
        if let Some(&id) = self.by_key.get(&key) {
            return id;
        }
        let replicas = if replica.is_some() { self.enter_replicas(base) } else { NONE };
        let id = self.all.insert(Target { key: key.clone(), replicas, ..Target::default() });
        self.by_key.insert(key, id);
        id
    }

    fn enter_replicas(&mut self, base: TargetKey) -> u32 {
        let id = match self.replicas_by_key.get(&base) {
            Some(&id) => id,
            None => {
                let id = self.replicas.insert(Replicas { key: base.clone(), ..Replicas::default() });
                self.replicas_by_key.insert(base, id);
                id
            }
        };
        self.replicas[id].targets += 1;
        id
    }

    pub(super) fn remove(&mut self, id: u32) {
        let target = self.all.remove(id);
        self.by_key.remove(&target.key);
        if target.replicas == NONE {
            return;
        }
        let replicas = &mut self.replicas[target.replicas];
        replicas.targets -= 1;
        if replicas.elected == id {
            replicas.elected = NONE;
        }
        if replicas.targets == 0 {
            let replicas = self.replicas.remove(target.replicas);
            self.replicas_by_key.remove(&replicas.key);
        }
    }

    /// After a snapshot: targets and their replicas are counted and found by their keys again; `None` where two
    /// are the same, or one is nobody's.
    pub(super) fn reindex(&mut self) -> Option<()> {
        let replicas = self.replicas.in_use();
        for (id, target) in self.all.used() {
            if !replicas.has_or_none(target.replicas) || self.by_key.insert(target.key.clone(), id).is_some()
            {
                return None;
            }
            if target.replicas != NONE {
                self.replicas[target.replicas].targets += 1;
            }
        }
        for (id, replicas) in self.replicas.used() {
            let is_twice = self.replicas_by_key.insert(replicas.key.clone(), id).is_some();
            if is_twice || replicas.targets == 0 {
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn one_replica_counts_until_it_is_silent() {
        let mut replicas = Replicas::default();
        for (target, seconds, counts, why) in [
            (1, 0, true, "the first to come"),
            (2, 1, false, "the other"),
            (1, 15, true, "still there"),
            (2, 45, false, "30 s of silence are not more than 30 s"),
            (2, 46, true, "now they are"),
            (1, 47, false, "back, but not needed"),
            (2, 48, true, "it goes on"),
        ] {
            assert_eq!(replicas.elect(target, at(seconds)), counts, "{why}");
        }
    }

    #[test]
    fn series_count_from_zero_only_inside_a_family_of_an_earlier_scrape() {
        let mut target = Target::default();
        assert!(!target.enter_family("requests", at(10)), "the target's first scrape");
        assert!(!target.enter_family("requests", at(10)), "the same scrape");
        assert!(target.enter_family("requests", at(20)), "a later one");
        assert!(!target.enter_family("errors", at(20)), "another family");
        assert!(!target.enter_family("requests", at(5)), "an earlier scrape that came late");
        target.leave_family("requests", false);
        assert!(!target.enter_family("requests", at(90)), "it may be the one that was forgotten");
    }
}
