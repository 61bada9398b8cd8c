//! A target of one version that shows the counters of a newer version's process.
//!
//! An address is used again, or service discovery lags: what is scraped as an instance of the old version is already the
//! new version's process. Its counters begin again and go on as those of the other target. They are counted there, and
//! here they would make the old version look as bad as the new one, which would excuse the new one.
//!
//! Two scrapers of one process see its counters **interleaved**: whatever one of them shows lies between what the other
//! showed before and shows after. So when the counters of a target begin again, every target of a newer version is a
//! suspect; one scrape out of order clears it, and a few in order mean that both show the same process. A process that
//! began again beside the other's is never taken for it: that one's counters would have begun again too.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Store,
    slab::NONE,
    target::{Entry, Mark, Target},
};

/// Scrapes in order that mean one process. Two processes that began together and serve alike agree in one of them by
/// chance in about half of the cases, for each series that counts little; buckets of histograms are such series.
const IN_ORDER_MIN: u8 = 3;

/// Scrapes after which a suspect is cleared that never had enough to compare.
const LOOKS_MAX: u8 = 20;

/// Scrapes without anything to compare after which a copy is none any more.
const UNKNOWN_MAX: u8 = 4;

/// Requests between two scrapes below which their order means nothing.
const REQUESTS_MIN: f64 = 10.0;

/// Seconds by which the start of one process may differ between two scrapes.
const START_TOLERANCE_S: f64 = 1.0;

/// Suspects of one target: more than a rollout has instances beside each other. Further ones are left out, so what the
/// old instance shows is counted.
const SUSPECTS_MAX: usize = 256;

/// Which target's process a target may show.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Suspect {
    target: u32,
    in_order: u8,
    looks: u8,
}

/// What a target is known to show besides its own process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Copies {
    /// Not cleared yet.
    suspects: Vec<Suspect>,
    /// The target whose process it shows.
    of: Option<u32>,
    /// How many scrapes in a row could not be compared with that.
    unknown: u8,
}

impl Copies {
    fn is_idle(&self) -> bool {
        self.suspects.is_empty() && self.of.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The values cannot be of one process.
    Broken,
    /// Nothing to compare yet.
    Unknown,
    Kept,
}

/// What one family of a scrape showed, the largest first: now, and in the scrape before.
#[derive(Default)]
struct Shown {
    now: Vec<f64>,
    before: Vec<f64>,
    /// Requests in between.
    grown: f64,
}

impl Store {
    /// Counts nothing of a scrape that shows another version's process. To be called after the verdict on the scrape;
    /// only one that is whole is compared.
    pub(super) fn leave_out_copy(&mut self, id: u32, at: Timestamp, entries: &mut [Entry], is_whole: bool) {
        let has_begun =
            self.targets.all[id].families.values().any(|&it| self.targets.families[it].began_at == at);
        let of = self.targets.all[id].copies.of;
        if has_begun && of.is_none() {
            let suspects = self.suspects_of(id, entries);
            self.targets.all[id].copies = Copies { suspects, ..Copies::default() };
            return;
        }
        if self.targets.all[id].copies.is_idle() {
            return;
        }
        // A process that both show begins again for both: the next scrape has the proof.
        if !has_begun && is_whole {
            self.compare_copies(id, at, entries);
        }
        if self.targets.all[id].copies.of.is_some() {
            for entry in entries.iter_mut().filter(|entry| entry.mark.is_increase()) {
                (entry.mark, entry.amount) = (Mark::Baseline, 0.0);
            }
        }
    }

    /// The targets of newer versions of the service whose counters never began again.
    fn suspects_of(&self, id: u32, entries: &[Entry]) -> Vec<Suspect> {
        let mut versions = entries.iter().map(|entry| self.table.series[entry.series].version);
        let Some(own) = versions.find(|version| *version != NONE) else { return Vec::new() };
        let own = &self.catalog.versions[own];
        let Some((own_first_at, _)) = own.seen else { return Vec::new() };
        let others =
            self.catalog.services[own.service].versions.values().map(|&it| &self.catalog.versions[it]);
        let newer = others.filter(|it| it.seen.is_some_and(|(first_at, _)| first_at > own_first_at));
        let targets = newer.flat_map(|version| version.reports.targets()).filter(|&other| other != id);
        let suspects = targets.filter(|&other| self.is_suspect(id, other)).take(SUSPECTS_MAX);
        suspects.map(|target| Suspect { target, in_order: 0, looks: 0 }).collect()
    }

    fn is_suspect(&self, id: u32, other: u32) -> bool {
        // What stands under a target that is gone has nothing to show.
        let Some(other) = self.targets.all.get(other) else { return false };
        let goes_on = other.families.values().all(|&it| self.targets.families[it].began_at == Timestamp::MIN);
        let apart_s = (self.targets.all[id].process_start_s - other.process_start_s).abs();
        goes_on && (apart_s.is_nan() || apart_s <= START_TOLERANCE_S)
    }

    fn compare_copies(&mut self, id: u32, at: Timestamp, entries: &[Entry]) {
        let mut copies = std::mem::take(&mut self.targets.all[id].copies);
        let (shown, before_at) = self.families_shown(entries);
        if let Some(of) = copies.of {
            let order = self.order(id, of, at, before_at, &shown);
            copies.unknown = if order == Order::Unknown { copies.unknown + 1 } else { 0 };
            if order == Order::Broken || copies.unknown > UNKNOWN_MAX {
                copies = Copies::default();
            }
        }
        let mut of = None;
        copies.suspects.retain_mut(|suspect| {
            if !self.is_suspect(id, suspect.target) {
                return false;
            }
            let order = self.order(id, suspect.target, at, before_at, &shown);
            if order == Order::Kept {
                suspect.in_order += 1;
                if suspect.in_order >= IN_ORDER_MIN {
                    of = of.or(Some(suspect.target));
                }
            }
            suspect.looks += 1;
            order != Order::Broken && suspect.looks < LOOKS_MAX
        });
        if of.is_some() {
            copies = Copies { of, ..Copies::default() };
        }
        self.targets.all[id].copies = copies;
    }

    /// By family, and when the scrape before was.
    fn families_shown(&self, entries: &[Entry]) -> (BTreeMap<u32, Shown>, Timestamp) {
        let (mut shown, mut before_at) = (BTreeMap::<u32, Shown>::new(), Timestamp::MIN);
        for entry in entries.iter().filter(|entry| entry.mark.is_of_a_counter()) {
            let series = &self.table.series[entry.series];
            let before = if entry.mark == Mark::Increase { entry.value - entry.amount } else { 0.0 };
            let family = shown.entry(series.family).or_default();
            family.now.push(entry.value);
            family.before.push(before);
            family.grown += if series.is_summed() { entry.value - before } else { 0.0 };
            before_at = before_at.max(entry.before_at);
        }
        for family in shown.values_mut() {
            family.now.sort_by(|a, b| b.total_cmp(a));
            family.before.sort_by(|a, b| b.total_cmp(a));
        }
        (shown, before_at)
    }

    /// Whether what another target shows lies between the two scrapes of this one.
    fn order(
        &self,
        id: u32,
        other: u32,
        at: Timestamp,
        before_at: Timestamp,
        shown: &BTreeMap<u32, Shown>,
    ) -> Order {
        let Some(other) = self.targets.all.get(other) else { return Order::Broken };
        let (mut requests, mut is_known) = (0.0, false);
        for (name, family) in &self.targets.all[id].families {
            let Some(own) = shown.get(family) else { continue };
            let Some((theirs, theirs_at)) = self.newest_of(other, name) else { return Order::Unknown };
            if theirs_at > at {
                return Order::Unknown;
            }
            if theirs_at < before_at || !lies_between(&own.before, &theirs, &own.now) {
                return Order::Broken;
            }
            requests += own.grown;
            is_known = true;
        }
        if is_known && requests >= REQUESTS_MIN { Order::Kept } else { Order::Unknown }
    }

    /// What a family's counters show at another target, the largest first, if all are of one scrape.
    fn newest_of(&self, target: &Target, name: &str) -> Option<(Vec<f64>, Timestamp)> {
        let Some(&family) = target.families.get(name) else { return Some((Vec::new(), target.newest_at)) };
        let members = self.targets.families[family].members.iter().map(|&series| &self.table.series[series]);
        let summed =
            members.filter(|it| it.flags.has_counter_role && !it.flags.is_ended && it.last.is_finite());
        let (mut values, mut times): (Vec<f64>, Vec<Timestamp>) =
            summed.map(|it| (it.last, it.last_at)).unzip();
        values.sort_by(|a, b| b.total_cmp(a));
        times.dedup();
        (times.len() == 1).then(|| (values, times[0]))
    }
}

/// Whether each value lies between those of the same rank. A counter that is not there yet shows nothing, as does 0.
fn lies_between(before: &[f64], values: &[f64], after: &[f64]) -> bool {
    let ranks = before.len().max(values.len()).max(after.len());
    let of = |values: &[f64], rank: usize| values.get(rank).copied().unwrap_or_default();
    (0..ranks).all(|rank| (of(before, rank)..=of(after, rank)).contains(&of(values, rank)))
}

#[cfg(test)]
mod tests {
    use super::lies_between;

    #[test]
    fn a_counter_that_is_not_there_yet_counts_as_0() {
        for (before, values, after, is_between, why) in [
            (vec![90.0, 5.0], vec![95.0, 6.0], vec![99.0, 9.0], true, "each between its own"),
            (vec![90.0], vec![95.0, 6.0], vec![99.0, 9.0], true, "the second is new"),
            (vec![90.0, 5.0], vec![95.0], vec![99.0, 9.0], false, "the second was there before"),
            (vec![90.0, 5.0], vec![95.0, 12.0], vec![99.0, 9.0], false, "more errors than this one ever had"),
        ] {
            assert_eq!(lies_between(&before, &values, &after), is_between, "{why}");
        }
    }
}
