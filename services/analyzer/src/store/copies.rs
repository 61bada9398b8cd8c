//! A target of one version that shows the counters of another version's process.
//!
//! An address is used again, or service discovery lags: what is scraped as an instance of the old version is the new
//! version's process already. Its counters begin anew and go on as those of the other target. What it adds is the new
//! version's, is counted there, and would make the old version look as bad as the new one.

use std::time::Duration;

use model::Timestamp;

use super::{
    Store,
    family::Family,
    slab::NONE,
    target::{Entry, Mark, Target},
};

/// How long after its counters began anew a target is compared with those of other versions: as long as a release is
/// watched by default.
const COMPARED: Duration = Duration::from_secs(3600);

/// How often the growth of an interval the counters have to show at least: the counters of two processes that have
/// just begun look alike.
const INTERVALS_MIN: f64 = 2.0;

/// And so many requests: fewer are alike by chance.
const REQUESTS_MIN: f64 = 10.0;

/// Starts of one process, in seconds, as two scrapes have them.
const START_TOLERANCE_S: f64 = 0.001;

impl Store {
    /// Counts nothing of a scrape that shows another version's process.
    pub(super) fn leave_out_copy(&mut self, id: u32, at: Timestamp, entries: &mut [Entry]) {
        if !self.has_begun_anew(id, at) || !self.is_copy(id) {
            return;
        }
        for entry in entries.iter_mut().filter(|entry| entry.mark.is_increase()) {
            (entry.mark, entry.amount) = (Mark::Baseline, 0.0);
        }
    }

    fn has_begun_anew(&self, id: u32, at: Timestamp) -> bool {
        let began_at = |family: &u32| self.targets.families[*family].began_at;
        let newest = self.targets.all[id].families.values().map(began_at).max();
        newest.is_some_and(|newest| newest > Timestamp::MIN && newest <= at && at.since(newest) <= COMPARED)
    }

    fn is_copy(&self, id: u32) -> bool {
        let target = &self.targets.all[id];
        let mut members = target.families.values().flat_map(|&family| &self.targets.families[family].members);
        let own = members.find_map(|&series| {
            let version = self.table.series[series].version;
            (version != NONE).then_some(version)
        });
        let Some(own) = own else { return false };
        let service = &self.catalog.services[self.catalog.versions[own].service];
        let others = service.versions.values().filter(|&&version| version != own);
        let targets = others.flat_map(|&version| self.catalog.versions[version].reports.targets());
        // What stands under a target that is gone has nothing to show.
        let mut targets = targets.filter_map(|other| self.targets.all.get(other));
        targets.any(|other| self.shows_the_same(target, other))
    }

    fn shows_the_same(&self, own: &Target, other: &Target) -> bool {
        let (mut shown, mut growth) = (0.0, 0.0);
        for (name, &family) in &own.families {
            let values = self.summed(&self.targets.families[family]);
            let Some(&of_other) = other.families.get(name).filter(|_| !values.is_empty()) else { continue };
            let of_other = &self.targets.families[of_other];
            let theirs = self.summed(of_other);
            let tolerance = of_other.grows_by();
            let is_near = |(one, other): (&f64, &f64)| (one - other).abs() <= tolerance;
            if values.len() != theirs.len() || !values.iter().zip(&theirs).all(is_near) {
                return false;
            }
            shown += values.iter().sum::<f64>();
            growth += tolerance;
        }
        let is_same_process = (own.process_start_s - other.process_start_s).abs() <= START_TOLERANCE_S;
        shown >= REQUESTS_MIN && (is_same_process || shown >= INTERVALS_MIN * growth)
    }

    /// What the family's counters show, the largest first.
    fn summed(&self, family: &Family) -> Vec<f64> {
        let members = family.members.iter().map(|&series| &self.table.series[series]);
        let summed = members.filter(|it| it.is_summed() && !it.flags.is_ended && it.last.is_finite());
        let mut values: Vec<f64> = summed.map(|it| it.last).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }
}
