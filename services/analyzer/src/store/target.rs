//! Targets: what is scraped together. When their scrapes settle: `settle`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    copies::Copies,
    family::Family,
    series::Flags,
    slab::{NONE, Slab},
};

pub(super) use super::scrape::{Entry, Mark, Scrape};

/// Scrapes of one target waiting at once: an hour of catching up at a minute a scrape. Beyond, what the oldest
/// added is counted with the next one.
pub(super) const SCRAPES_MAX: usize = 64;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Target {
    key: TargetKey,
    pub(super) families: BTreeMap<Box<str>, u32>,
    /// Its first sample.
    pub(super) first_at: Timestamp,
    /// When its process began, in seconds, as the newest settled scrape that had it said; NaN if none did.
    pub(super) process_start_s: f64,
    /// How far the clocks of its senders are ahead of ours, the newest last; see [`super::clock`].
    pub(super) offsets_ms: Vec<i64>,
    /// Waiting to settle, ascending by time.
    pub(super) scrapes: Vec<Scrape>,
    /// The newest scrape that has settled.
    pub(super) settled_at: Timestamp,
    /// The newest scrape of which something was counted.
    counted_at: Timestamp,
    /// The newest scrape that showed another process.
    pub(super) restarted_at: Timestamp,
    /// Whether the last scrape that was complete came in one request.
    pub(super) is_single: bool,
    /// How many of its series the next scrape is expected to have.
    #[serde(skip)]
    pub(super) live: u32,
    #[serde(skip)]
    pub(super) series: u32,
    /// The newest scrape that is held; [`Timestamp::MIN`] if none is.
    pub(super) held_to: Timestamp,
    /// Held scrapes up to this one may have become whole by the batch at hand.
    #[serde(skip, default = "never")]
    pub(super) recheck_to: Timestamp,
    /// Newest sample of earlier batches: what "late" is measured from. A sender's order is kept within a
    /// series only, so samples of one batch are not late relative to each other.
    pub(super) newest_at: Timestamp,
    pub(super) newest_in_batch_at: Timestamp,
    pub(super) arrived_at: Timestamp,
    /// Whether it shows another target's process.
    pub(super) copies: Copies,
    /// The replicas that this target is one of.
    pub(super) replicas: u32,
    /// During a batch only.
    #[serde(skip)]
    pub(super) is_touched: bool,
}

fn never() -> Timestamp {
    Timestamp::MIN
}

impl Default for Target {
    fn default() -> Self {
        Self {
            key: Vec::new(),
            families: BTreeMap::new(),
            first_at: Timestamp::MAX,
            process_start_s: f64::NAN,
            offsets_ms: Vec::new(),
            scrapes: Vec::new(),
            settled_at: Timestamp::MIN,
            counted_at: never(),
            restarted_at: never(),
            is_single: false,
            live: 0,
            series: 0,
            held_to: never(),
            recheck_to: never(),
            newest_at: Timestamp::MIN,
            newest_in_batch_at: Timestamp::MIN,
            arrived_at: Timestamp::MIN,
            copies: Copies::default(),
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

    /// Whether what other series had at `at` waits in the scrape of `place`, a later one.
    pub(super) fn is_carried_past(&self, at: Timestamp, place: usize) -> bool {
        self.scrapes.get(place).is_some_and(|scrape| scrape.carried_from <= at)
    }

    /// The newest scrape that has all live series.
    pub(super) fn newest_complete(&self) -> Option<usize> {
        let is_newer = |it: &Scrape| it.at > self.settled_at || it.is_held;
        self.scrapes.iter().rposition(|scrape| is_newer(scrape) && self.is_complete(scrape))
    }

    pub(super) fn is_complete(&self, scrape: &Scrape) -> bool {
        self.live > 0 && scrape.live >= self.live
    }

    /// Whether the scrape after that of `place` has the same series.
    pub(super) fn is_confirmed(&self, place: usize) -> bool {
        let series = |scrape: &Scrape| {
            let own = scrape.entries.iter().filter(|entry| entry.mark != Mark::GaugeToo);
            own.map(|entry| entry.series).collect::<BTreeSet<u32>>()
        };
        self.scrapes.get(place + 1).is_some_and(|next| series(next) == series(&self.scrapes[place]))
    }

    /// Notes whether a series is expected in the next scrapes.
    pub(super) fn expect(&mut self, flags: &mut Flags) {
        let is_live = !flags.is_ended;
        if is_live != flags.is_live {
            self.live = if is_live { self.live + 1 } else { self.live - 1 };
            flags.is_live = is_live;
        }
    }

    /// Something of the scrape of `at` is counted: how long that is after the one before.
    pub(super) fn note_counted(&mut self, at: Timestamp) -> Duration {
        let before = self.counted_at;
        self.counted_at = before.max(at);
        if before == Timestamp::MIN { Duration::ZERO } else { at.since(before) }
    }

    /// Finds [`Self::held_to`] after scrapes were settled.
    pub(super) fn note_held(&mut self) {
        let held = self.scrapes.iter().rfind(|scrape| scrape.is_held);
        self.held_to = held.map_or(Timestamp::MIN, |scrape| scrape.at);
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

/// What a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Election {
    StandsBy,
    Counts,
    /// From now on, in place of that target.
    Succeeds(u32),
}

/// Silence of the elected replica after which another takes over: two scrapes at the usual interval, as in
/// Cortex' and Mimir's HA tracker.
const FAILOVER: Duration = Duration::from_secs(30);

impl Replicas {
    /// Whether `target` is the one that counts now, and whether that is new.
    pub(super) fn elect(&mut self, target: u32, now: Timestamp) -> Election {
        if self.elected != target && self.elected != NONE && now.since(self.seen_at) <= FAILOVER {
            return Election::StandsBy;
        }
        let before = std::mem::replace(&mut self.elected, target);
        self.seen_at = now;
        if before == target || before == NONE { Election::Counts } else { Election::Succeeds(before) }
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
        for (target, seconds, election, why) in [
            (1, 0, Election::Counts, "the first to come"),
            (2, 1, Election::StandsBy, "the other"),
            (1, 15, Election::Counts, "still there"),
            (2, 45, Election::StandsBy, "30 s of silence are not more than 30 s"),
            (2, 46, Election::Succeeds(1), "now they are"),
            (1, 47, Election::StandsBy, "back, but not needed"),
            (2, 48, Election::Counts, "it goes on"),
        ] {
            assert_eq!(replicas.elect(target, at(seconds)), election, "{why}");
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
