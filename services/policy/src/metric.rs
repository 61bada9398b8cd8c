//! Named signals and the series they are computed from.

mod overlap;
mod selector;

use promql_parser::label::Matcher;
use serde::{Deserialize, Serialize};

pub use selector::SelectorError;

/// A Prometheus series selector: `http_requests_total{code=~"5.."}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// The metric's name; `None` when the selector matches on `__name__` only.
    pub name: Option<String>,
    /// All of them have to match; a missing label is the empty string.
    pub matchers: Vec<Matcher>,
    /// As written.
    pub text: String,
}

/// Which side of a ratio the first selector counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RatioKind {
    /// `bad / total`: more is worse.
    Bad,
    /// `good / total`: less is worse.
    Good,
}

/// A histogram's series: `name_bucket`, `name_count`, `name_sum` under one selector.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSource {
    /// The family, without `_bucket`; matchers hold for all of its series.
    pub family: Selector,
}

/// One way to compute a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricSource {
    /// Counters: `part / total`.
    Ratio {
        kind: RatioKind,
        part: Selector,
        total: Selector,
    },
    Histogram(HistogramSource),
    /// The mean of the gauge's series over the window.
    Gauge(Selector),
    /// A counter's increase per second.
    Throughput(Selector),
    /// Raw request events: errors over requests.
    RequestErrors,
    /// Raw request events: their durations.
    RequestDurations,
    /// Raw request events: requests per second.
    RequestThroughput,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Ratio(RatioKind),
    Histogram,
    Gauge,
    Throughput,
}

impl MetricSource {
    pub fn shape(&self) -> Shape {
        match self {
            Self::Ratio { kind, .. } => Shape::Ratio(*kind),
            Self::RequestErrors => Shape::Ratio(RatioKind::Bad),
            Self::Histogram(_) | Self::RequestDurations => Shape::Histogram,
            Self::Gauge(_) => Shape::Gauge,
            Self::Throughput(_) | Self::RequestThroughput => Shape::Throughput,
        }
    }

    /// Whether series of one name count for both.
    pub(crate) fn shares_family_with(&self, other: &Self) -> bool {
        let others = other.families();
        self.families().into_iter().flatten().any(|name| others.contains(&Some(name)))
    }

    fn families(&self) -> [Option<&str>; 2] {
        match self {
            Self::Ratio { part, total, .. } => [part.name.as_deref(), total.name.as_deref()],
            Self::Histogram(HistogramSource { family: only })
            | Self::Gauge(only)
            | Self::Throughput(only) => [only.name.as_deref(), None],
            Self::RequestErrors | Self::RequestDurations | Self::RequestThroughput => [None, None],
        }
    }

    /// Whether it counts raw request events, not series.
    pub fn is_requests(&self) -> bool {
        matches!(self, Self::RequestErrors | Self::RequestDurations | Self::RequestThroughput)
    }
}

/// A named signal. `sources` are alternatives of one shape, in order of preference: each version of a service is
/// counted by the first that has data in the window.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricDefinition {
    pub name: String,
    pub sources: Vec<MetricSource>,
}
