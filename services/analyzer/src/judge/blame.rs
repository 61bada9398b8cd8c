//! Whether what is wrong with a release is wrong elsewhere too (DESIGN, invariant 6).

use model::{SharedBlame, Timestamp, is_same_version};
use policy::{Expression, GuardTest, Trigger};

use super::{
    compare::{Guarding, Limit, compare},
    condition::{Comparison, Judged, SHARED_RECENT},
    signal::Signal,
    subject::{Sources, Subject},
};
use crate::store::Versions;

/// How many other versions are looked at, newest data first. More than two run side by side only in the middle
/// of overlapping rollouts.
const VERSIONS_BESIDE_MAX: usize = 8;

/// What else there is to know about the release judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accused<'a> {
    pub(crate) version: &'a str,
    pub(crate) started_at: Timestamp,
    /// Whether telemetry tells the release from others by its version.
    pub(crate) by_version: bool,
}

/// Looks at the leaves that made the condition true: the blame is shared when each of them was broken before the
/// release, or is broken beside it. A comparison with a baseline is never shared: it says by itself that the
/// release is worse than what it replaced.
pub(crate) fn shared_blame(
    trigger: &Trigger,
    judged: &Judged<'_>,
    accused: Accused<'_>,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> SharedBlame {
    let guarding = Guarding::shared(trigger);
    let all = |exceeded: &dyn Fn(&Expression) -> Option<f64>| {
        let values: Option<Vec<f64>> = judged.broken().map(|term| exceeded(term.leaf)).collect();
        values.and_then(|values| values.first().copied())
    };
    SharedBlame {
        before: all(&|leaf| before(leaf, trigger, &guarding, accused, subject, sources)),
        beside: all(&|leaf| beside(leaf, trigger, &guarding, accused, subject, sources)),
        is_unversioned: !accused.by_version && !is_named(judged, accused, subject, sources),
    }
}

/// Whether every alert that made the condition true names the release's own version, and nothing else did.
fn is_named(judged: &Judged<'_>, accused: Accused<'_>, subject: &Subject<'_>, sources: Sources<'_>) -> bool {
    judged.broken().all(|term| match term.leaf {
        Expression::Alert(name) => {
            sources.alerts.names_version(sources.now, name, subject.key, accused.version)
        }
        _ => false,
    })
}

fn before(
    leaf: &Expression,
    trigger: &Trigger,
    guarding: &Guarding,
    accused: Accused<'_>,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Option<f64> {
    if let Expression::Alert(name) = leaf {
        let since = sources.alerts.firing_since(sources.now, name, subject.key, subject.alert_version)?;
        return (since < accused.started_at).then_some(1.0);
    }
    let comparison = Comparison::of(leaf)?;
    exceeds(&comparison, subject.baselines.before?.get(comparison.metric, trigger.window)?, guarding)
}

fn beside(
    leaf: &Expression,
    trigger: &Trigger,
    guarding: &Guarding,
    accused: Accused<'_>,
    subject: &Subject<'_>,
    sources: Sources<'_>,
) -> Option<f64> {
    if !accused.by_version {
        return None;
    }
    let comparison = Comparison::of(leaf)?;
    let together = subject.baselines.beside.map(|beside| beside.since);
    let stretches = [
        (together, *guarding),
        (together.max(Some(subject.at - SHARED_RECENT)), Guarding::shared_recently(trigger)),
    ];
    let mut seen = sources.store.versions(subject.key);
    let is_own = |version: &str| is_same_version(version, accused.version);
    // What carries no version may be the release's own, of the time before its version was known.
    seen.retain(|other| other.version.as_deref().is_some_and(|version| !is_own(version)));
    seen.sort_by_key(|other| std::cmp::Reverse(other.last_at));
    seen.iter().take(VERSIONS_BESIDE_MAX).find_map(|other| {
        let versions = other.version.as_deref().map_or(Versions::Unversioned, Versions::One);
        stretches.iter().find_map(|(since, guarding)| {
            let signal = subject.read_of(sources, versions, *since, comparison.metric, trigger.window)?;
            exceeds(&comparison, &signal, guarding)
        })
    })
}

/// The value, if it is beyond the comparison's number by itself and by the softer test.
fn exceeds(comparison: &Comparison<'_>, signal: &Signal, guarding: &Guarding) -> Option<f64> {
    let policy::Operand::Number(number) = comparison.right else { return None };
    // A handful of requests of an old version on its way out can still show the fault: the tail decides alone.
    let min_requests = if guarding.test == GuardTest::Exact { 0 } else { guarding.min_requests };
    let guarding = Guarding { min_requests, ..*guarding };
    let quantile = comparison.quantile_or_default();
    let limit = Limit::Number(*number);
    let compared = compare(comparison.metric, signal, quantile, comparison.operator, &limit, &guarding);
    compared.guarded.is_true().then(|| compared.evidence.map_or(f64::NAN, |evidence| evidence.value))
}
