//! Targets and their scrapes.
//!
//! The series of one scrape may come in several requests and in any order between them. They are staged until
//! the scrape has **settled**: when every series that the last settled scrape had is there, when a later scrape
//! of the target is complete, when the request says it is whole, or when time is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    family::Family,
    slab::{NONE, Slab},
};

/// Scrapes of one target waiting at once: an hour of catching up at a minute a scrape. Beyond, the oldest is
/// settled as it is.
pub(super) const SCRAPES_MAX: usize = 64;

/// What a sample does once its scrape settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mark {
    /// A counter grew by the amount.
    Increase,
    /// A counter fell, so it began anew; the amount is its value.
    Fell,
    /// A counter began after its sample before, as it says itself; the amount is its value.
    Began,
    /// A counter's first value, which counts from zero if a birth is plausible: see [`super::verdict`].
    Birth,
    /// A counter's first value: from here on it is counted.
    Baseline,
    /// When the target's process began, where that is new.
    ProcessStart,
    /// A gauge had the amount.
    Gauge,
    /// The same of a series that is a counter for another metric and already in the scrape.
    GaugeToo,
    /// Alive, but with a value that nothing can be counted from.
    Alive,
    /// The series has ended.
    Ended,
}

impl Mark {
    /// Whether it is a usable value of a counter.
    pub(super) fn is_of_a_counter(self) -> bool {
        self.is_increase() || matches!(self, Self::Birth | Self::Baseline)
    }

    /// Whether the amount is counted.
    pub(super) fn is_increase(self) -> bool {
        matches!(self, Self::Increase | Self::Fell | Self::Began)
    }

    /// Whether the other samples of its scrape decide what it means, or it decides what they mean.
    pub(super) fn concerns_others(self) -> bool {
        !matches!(self, Self::Increase | Self::Gauge | Self::GaugeToo | Self::Alive)
    }
}

/// One sample of a scrape.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) series: u32,
    pub(super) mark: Mark,
    pub(super) amount: f64,
    /// As it was sent.
    pub(super) value: f64,
    /// The series' sample before; [`Timestamp::MIN`] if this is its first.
    pub(super) before_at: Timestamp,
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
    /// Samples of series that the last settled scrape did not have.
    pub(super) has_newcomers: bool,
    /// The sender said that nothing of it is missing.
    pub(super) is_whole: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Target {
    key: TargetKey,
    pub(super) families: BTreeMap<Box<str>, u32>,
    /// Its first sample.
    pub(super) first_at: Timestamp,
    /// When its process began, in seconds, as the newest settled scrape that had it said; NaN if none did.
    pub(super) process_start_s: f64,
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
            first_at: Timestamp::MAX,
            process_start_s: f64::NAN,
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
    pub(super) families: Slab<Family>,
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

    /// The family of a series that is new at a target, and whether the series may be born: whether an earlier
    /// scrape had the family or, if that is new too, the target.
    pub(super) fn enter_family(&mut self, target: u32, name: &str, at: Timestamp) -> (u32, bool) {
        let target = &mut self.all[target];
        target.series += 1;
        let was_seen = at > target.first_at;
        target.first_at = target.first_at.min(at);
        let Some(&id) = target.families.get(name) else {
            let id = self.families.insert(Family::new(at));
            target.families.insert(name.into(), id);
            return (id, was_seen);
        };
        let family = &mut self.families[id];
        let may_be_born = was_seen && at >= family.first_at && family.is_trusted;
        family.first_at = family.first_at.min(at);
        (id, may_be_born)
    }

    /// Undoes [`Self::enter_family`] for a series of the family that was one of its members.
    pub(super) fn leave_family(&mut self, target: u32, name: &str, series: u32, is_trusted: bool) {
        let target = &mut self.all[target];
        target.series = target.series.saturating_sub(1);
        let Some(&id) = target.families.get(name) else { return };
        let family = &mut self.families[id];
        family.leave(series);
        family.is_trusted &= is_trusted;
        if family.members.is_empty() {
            self.families.remove(id);
            target.families.remove(name);
        }
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
        let (replicas, families) = (self.replicas.in_use(), self.families.in_use());
        let mut owned = BTreeSet::new();
        for (id, target) in self.all.used() {
            if !target.families.values().all(|&family| families.has(family) && owned.insert(family)) {
                return None;
            }
            if !replicas.has_or_none(target.replicas) || self.by_key.insert(target.key.clone(), id).is_some()
            {
                return None;
            }
            if target.replicas != NONE {
                self.replicas[target.replicas].targets += 1;
            }
        }
        if owned.len() != self.families.len() {
            return None;
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
    fn series_may_be_born_only_after_a_targets_first_scrape() {
        let mut targets = Targets::default();
        let target = targets.enter(vec!["a".into()], None);
        let mut series = 0..;
        let mut enter = |targets: &mut Targets, name: &str, seconds: i64| {
            let (family, may_be_born) = targets.enter_family(target, name, at(seconds));
            targets.families[family].members.extend(series.next());
            may_be_born
        };
        assert!(!enter(&mut targets, "requests", 10), "the target's first scrape");
        assert!(!enter(&mut targets, "requests", 10), "the same scrape");
        assert!(enter(&mut targets, "requests", 20), "a later one");
        assert!(enter(&mut targets, "errors", 20), "another family");
        assert!(!enter(&mut targets, "requests", 5), "an earlier scrape that came late");
        targets.leave_family(target, "requests", 0, false);
        assert!(!enter(&mut targets, "requests", 90), "it may be the one that was forgotten");
    }
}
