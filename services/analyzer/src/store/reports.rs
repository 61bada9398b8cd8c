//! When each target of a version last reported: up to which moment it is known what the version did.
//!
//! Two versions side by side are scraped at different moments. What one has shown up to its last scrape must not be
//! held against another whose scrape is still to come.

use std::{collections::BTreeMap, time::Duration};

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Targets of one version that are followed, 24 bytes each: more than any service has instances. Beyond it the one
/// that reported longest ago is given up.
const TARGETS_MAX: usize = 4096;

/// Until a target has reported twice, and at most afterwards: the slowest usual scrape interval.
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A target that missed this many of its own intervals is gone.
const INTERVALS_MISSED_MAX: u32 = 2;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Report {
    at: Timestamp,
    interval: Duration,
}

/// The newest report of each target.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reports {
    by_target: BTreeMap<u32, Report>,
}

impl Reports {
    pub(super) fn note(&mut self, target: u32, at: Timestamp) {
        if let Some(report) = self.by_target.get_mut(&target) {
            if at > report.at {
                *report = Report { at, interval: at.since(report.at).min(INTERVAL_MAX) };
            }
            return;
        }
        if self.by_target.len() >= TARGETS_MAX {
            let oldest = self.by_target.iter().min_by_key(|(_, report)| report.at).map(|(target, _)| *target);
            oldest.map(|target| self.by_target.remove(&target));
        }
        self.by_target.insert(target, Report { at, interval: INTERVAL_MAX });
    }

    /// Which targets reported.
    pub(super) fn targets(&self) -> impl Iterator<Item = u32> {
        self.by_target.keys().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// Up to which moment every target that is still alive at `at` has reported; `None` where none is.
    pub(super) fn complete_until(&self, at: Timestamp) -> Option<Timestamp> {
        let is_alive = |it: &&Report| at.since(it.at) <= it.interval * INTERVALS_MISSED_MAX;
        self.by_target.values().filter(is_alive).map(|it| it.at.min(at)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    #[test]
    fn it_is_known_what_happened_until_the_slowest_target_that_is_still_alive() {
        let mut reports = Reports::default();
        assert!(reports.is_empty() && reports.complete_until(at(0)).is_none());
        for second in [0, 15, 30] {
            reports.note(1, at(second));
            reports.note(2, at(second + 5));
        }
        for (now, want, story) in [
            (35, Some(30), "the first reports again at 45"),
            (60, Some(30), "twice its interval is not more than twice"),
            (61, Some(35), "the first is gone"),
            (66, None, "and the second too"),
        ] {
            assert_eq!(reports.complete_until(at(now)), want.map(at), "{story}");
        }
        reports.note(1, at(20));
        assert_eq!(reports.complete_until(at(40)), Some(at(30)), "a report that came late changes nothing");
    }

    #[test]
    fn the_number_of_targets_is_bounded_and_the_oldest_goes() {
        let mut reports = Reports::default();
        for target in 0..=TARGETS_MAX as u32 {
            reports.note(target, at(i64::from(target)));
        }
        assert_eq!(reports.by_target.len(), TARGETS_MAX);
        assert!(!reports.by_target.contains_key(&0));
    }
}
