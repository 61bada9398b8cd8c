//! Whose numbers a condition is about, and what they may be compared with.

use std::{collections::BTreeMap, time::Duration};

use model::{BaselineKind, ServiceKey, Timestamp, is_same_version};
use policy::Policy;

use super::{alerts::Alerts, baseline::Frozen, signal::Signal};
use crate::store::{Ask, Store, Versions};

/// What every judgement reads and none changes.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a Policy,
    pub(crate) alerts: &'a Alerts,
    pub(crate) now: Timestamp,
}

/// One side of the question "is it worse": a release, or a service as a whole.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a ServiceKey,
    pub(crate) versions: Versions<'a>,
    /// Only what happened from then on.
    pub(crate) since: Option<Timestamp>,
    /// Event time of the look.
    pub(crate) at: Timestamp,
    /// The version whose alerts count; `None`: alerts of any.
    pub(crate) alert_version: Option<&'a str>,
    /// Facts posted with the release.
    pub(crate) facts: Option<&'a BTreeMap<String, String>>,
    pub(crate) baselines: Baselines<'a>,
    /// Until then a young instance's latency stays out of comparisons with a baseline.
    pub(crate) warm_at: Option<Timestamp>,
}

/// What a `baseline` operand may stand for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Baselines<'a> {
    pub(crate) beside: Option<Beside<'a>>,
    pub(crate) before: Option<&'a Frozen>,
}

/// The old version running beside the release.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) version: &'a str,
    pub(crate) previous_version: Option<&'a str>,
    /// Since when both have been running: what the old one did alone is not beside.
    pub(crate) since: Timestamp,
}

/// How long one slot of a window is.
pub(crate) fn slot(window: Duration) -> Duration {
    const SLOTS: u32 = 60;
    const SLOT_MIN: Duration = Duration::from_secs(1);
    (window / SLOTS).max(SLOT_MIN)
}

impl<'a> Subject<'a> {
    /// The metric's numbers over `window`.
    pub(crate) fn read(&self, sources: Sources<'_>, metric: &str, window: Duration) -> Option<Signal> {
        self.read_of(sources, self.versions, self.since, metric, window)
    }

    /// The same, but only of what is not younger than `warm_at`.
    pub(crate) fn read_warm(&self, sources: Sources<'_>, metric: &str, window: Duration) -> Option<Signal> {
        self.read_of(sources, self.versions, self.since.max(self.warm_at), metric, window)
    }

    /// The baseline with at least `min_requests`: beside if there is one, else before.
    pub(crate) fn baseline(
        &self,
        sources: Sources<'_>,
        metric: &str,
        window: Duration,
        min_requests: u64,
    ) -> Option<(Signal, BaselineKind)> {
        let beside = self.baselines.beside.and_then(|beside| self.beside(sources, beside, metric, window));
        if let Some((signal, kind)) = beside.filter(|(signal, _)| signal.requests() >= min_requests) {
            return Some((signal, kind));
        }
        let before = self.baselines.before?.get(metric, window)?;
        Some((before.clone(), BaselineKind::Before))
    }

    fn beside(
        &self,
        sources: Sources<'_>,
        beside: Beside<'_>,
        metric: &str,
        window: Duration,
    ) -> Option<(Signal, BaselineKind)> {
        let read = |versions| self.read_of(sources, versions, Some(beside.since), metric, window);
        let named = |version: &str| BaselineKind::Beside { version: version.to_owned() };
        let previous = beside.previous_version.filter(|previous| !is_same_version(previous, beside.version));
        previous
            .and_then(|previous| Some((read(Versions::One(previous))?, named(previous))))
            .or_else(|| Some((read(Versions::AllBut(beside.version))?, named("other versions"))))
    }

    pub(crate) fn read_of(
        &self,
        sources: Sources<'_>,
        versions: Versions<'_>,
        since: Option<Timestamp>,
        metric: &str,
        window: Duration,
    ) -> Option<Signal> {
        let ask = Ask { key: self.key, versions, metric, window, at: self.at, since };
        Signal::read(sources.store, sources.policy, &ask)
    }
}
