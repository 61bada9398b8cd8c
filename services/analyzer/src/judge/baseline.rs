//! What a release is compared with: the window before it, frozen when it goes out.

use std::{collections::BTreeMap, time::Duration};

use model::{ServiceKey, Timestamp, is_same_version};
use policy::{Expression, Policy, Trigger};
use serde::{Deserialize, Serialize};

use super::signal::Signal;
use crate::store::{Ask, Store, Versions};

/// The numbers of the window before a deployment, by metric and window.
///
/// Frozen, because the store forgets: changing what a release is compared with in mid-watch would void the
/// comparison (STATISTICS 5.2). They are what ran before and not the release's: the previous version where
/// telemetry names it, else every other version, else the telemetry that carries no version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frozen {
    signals: BTreeMap<(String, Duration), Signal>,
    /// The end of each by itself, see [`RECENT`]. Only what a release is blamed by reads it.
    recent: BTreeMap<(String, Duration), Signal>,
}

/// An incident that began shortly before the deployment is thin in the whole window and plain in its last minute:
/// a hotfix must not be blamed for it.
const RECENT: Duration = Duration::from_secs(60);

/// Whose "before" it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    pub(crate) key: &'a ServiceKey,
    pub(crate) version: &'a str,
    pub(crate) previous_version: Option<&'a str>,
    /// When the release went out.
    pub(crate) started_at: Timestamp,
    /// Whether telemetry tells the release from others by its version.
    pub(crate) by_version: bool,
}

impl Frozen {
    /// Takes what is still missing for `triggers`; called when the release goes out and at the looks of the
    /// first window, as its last scrape settles only after the deployment.
    pub(crate) fn fill(
        &mut self,
        store: &Store,
        policy: &Policy,
        triggers: &[Trigger],
        before: Before<'_>,
        now: Timestamp,
    ) {
        for trigger in triggers.iter().filter(|trigger| before.started_at + trigger.window >= now) {
            trigger.condition.for_each_metric(&mut |metric| {
                let place = (metric.to_owned(), trigger.window);
                if self.signals.contains_key(&place) {
                    return;
                }
                let read = |since| read_before(store, policy, metric, trigger.window, since, before);
                let Some(signal) = read(None) else { return };
                if let Some(recent) = read(Some(before.started_at - RECENT)) {
                    self.recent.insert(place.clone(), recent);
                }
                self.signals.insert(place, signal);
            });
        }
    }

    /// The metric over `window` before the deployment.
    pub(crate) fn get(&self, metric: &str, window: Duration) -> Option<&Signal> {
        self.signals.get(&(metric.to_owned(), window))
    }

    /// The metric over the last minute before the deployment.
    pub(crate) fn recent(&self, metric: &str, window: Duration) -> Option<&Signal> {
        self.recent.get(&(metric.to_owned(), window))
    }
}

fn read_before(
    store: &Store,
    policy: &Policy,
    metric: &str,
    window: Duration,
    since: Option<Timestamp>,
    before: Before<'_>,
) -> Option<Signal> {
    let read = |versions| {
        let ask = Ask { key: before.key, versions, metric, window, at: before.started_at, since };
        Signal::read(store, policy, &ask)
    };
    if !before.by_version {
        return read(Versions::All);
    }
    let previous = before.previous_version.filter(|previous| !is_same_version(previous, before.version));
    previous
        .and_then(|previous| read(Versions::One(previous)))
        .or_else(|| read(Versions::AllBut(before.version)))
        .or_else(|| read(Versions::Unversioned))
}

/// Whether the condition compares with a baseline anywhere.
pub(crate) fn has_baseline(condition: &Expression) -> bool {
    use policy::Operand::Baseline;
    match condition {
        Expression::Compare { left, right, .. } => {
            matches!(left, Baseline { .. }) || matches!(right, Baseline { .. })
        }
        Expression::Alert(_) | Expression::Fact(_) => false,
        Expression::And(left, right) | Expression::Or(left, right) => {
            has_baseline(left) || has_baseline(right)
        }
    }
}
