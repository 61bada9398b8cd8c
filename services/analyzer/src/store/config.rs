//! The part of the policy that the store works by.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::ServiceKey;
use policy::{Identity, Match, MetricDefinition, MetricSource, Policy};

use super::hash::hash_bytes;

/// The window of a metric that nothing computes over a window: it may still be asked for.
const WINDOW_DEFAULT: Duration = Duration::from_secs(300);

/// One way to compute a metric, and over which windows. Metrics that define the same source share it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) definition: MetricSource,
    /// Ascending.
    pub(super) windows: Vec<Duration>,
}

impl Source {
    /// Whether it counts raw request events, not series.
    pub(super) fn is_requests(&self) -> bool {
        self.definition.is_requests()
    }
}

/// A metric's sources in order of preference, as places in [`Config::sources`].
type Places = BTreeMap<String, Vec<u32>>;

/// Five minutes at the usual `late`. No sign tells a series that a sender dropped without a stale marker from one
/// whose connection stands still. Connections stand for a minute or two, behind a dead peer, until they are opened
/// again; senders that drop series and write no markers are rare and mostly use one connection.
const GONE_AFTER_LATES: u32 = 10;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    pub(super) identity: Identity,
    pub(super) sources: Vec<Source>,
    /// Where no policy says otherwise.
    metrics: Places,
    /// What policies say otherwise for the services they match, least specific first.
    of_some: Vec<(Match, Places)>,
    /// All windows of request metrics, ascending.
    pub(super) request_windows: Vec<Duration>,
    pub(super) settle: Duration,
    pub(super) late: Duration,
    /// Series and versions silent for this long are forgotten.
    pub(super) idle: Duration,
    /// A first sample counts from zero if its counter began at most this long before.
    pub(super) start_reach: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self::of(&Policy::default_policy())
    }
}

impl Config {
    pub(super) fn of(policy: &Policy) -> Self {
        let windows = policy.windows();
        let mut sources: Vec<Source> = Vec::new();
        let mut places = |definitions: &BTreeMap<String, MetricDefinition>| {
            let place = |(name, definition): (&String, &MetricDefinition)| {
                let windows: Vec<Duration> = match windows.get(name) {
                    Some(windows) if !windows.is_empty() => windows.iter().copied().collect(),
                    _ => vec![WINDOW_DEFAULT],
                };
                let mut own = Vec::new();
                for source in &definition.sources {
                    let place = enter(&mut sources, source, &windows);
                    // One that is given twice would be counted twice.
                    if !own.contains(&place) {
                        own.push(place);
                    }
                }
                (name.clone(), own)
            };
            definitions.iter().map(place).collect::<Places>()
        };
        let metrics = places(&policy.metrics);
        let with_metrics = policy.policies.iter().filter(|rules| !rules.metrics.is_empty());
        let of_some = with_metrics.map(|rules| (rules.matching.clone(), places(&rules.metrics))).collect();
        let mut request_windows: Vec<Duration> =
            sources.iter().filter(|it| it.is_requests()).flat_map(|it| it.windows.clone()).collect();
        request_windows.sort();
        request_windows.dedup();
        let all = || sources.iter().flat_map(|source| &source.windows).copied();
        let longest = all().max().unwrap_or(WINDOW_DEFAULT);
        let shortest = all().min().unwrap_or(WINDOW_DEFAULT);
        Self {
            identity: policy.identity.clone(),
            metrics,
            of_some,
            request_windows,
            settle: policy.defaults.settle,
            late: policy.defaults.late,
            idle: longest.saturating_mul(2),
            start_reach: shortest.saturating_mul(2),
            sources,
        }
    }

    /// The sources of a service's metric, in order of preference.
    pub(super) fn places(&self, key: &ServiceKey, metric: &str) -> &[u32] {
        let own =
            self.of_some.iter().rev().filter_map(|(matching, places)| Some((matching, places.get(metric)?)));
        let mut covering = own.filter(|(matching, _)| matching.covers(&key.service, &key.environment));
        let found = covering.next().map(|(_, places)| places).or_else(|| self.metrics.get(metric));
        found.map_or(&[], Vec::as_slice)
    }

    /// Which of [`Self::sources`] count a service's series; `None`: all of them. A source that only another
    /// service's policy names would cost this one its windows.
    pub(super) fn sources_of(&self, key: &ServiceKey) -> Option<BTreeSet<u32>> {
        if self.of_some.is_empty() {
            return None;
        }
        let some =
            self.of_some.iter().filter(|(matching, _)| matching.covers(&key.service, &key.environment));
        let names = some.flat_map(|(_, places)| places.keys()).chain(self.metrics.keys());
        Some(names.flat_map(|name| self.places(key, name)).copied().collect())
    }

    /// How long a scrape may wait for a part of it before that is taken to be gone.
    pub(super) fn patience(&self) -> Duration {
        self.late * GONE_AFTER_LATES
    }

    /// A hash of everything in it: whether a policy that is compiled again comes out as it did.
    pub(super) fn hash(&self) -> u64 {
        hash_bytes(format!("{self:?}").as_bytes())
    }

    /// Whether series are bound to the same names and windows as by `other`.
    pub(super) fn binds_as(&self, other: &Self) -> bool {
        self.identity == other.identity && self.sources == other.sources && self.of_some == other.of_some
    }
}

fn enter(sources: &mut Vec<Source>, definition: &MetricSource, windows: &[Duration]) -> u32 {
    let known = sources.iter().position(|source| source.definition == *definition);
    let at = known.unwrap_or_else(|| {
        sources.push(Source { definition: definition.clone(), windows: Vec::new() });
        sources.len() - 1
    });
    let merged = &mut sources[at].windows;
    merged.extend(windows);
    merged.sort();
    merged.dedup();
    at as u32
}
