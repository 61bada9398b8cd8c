//! Named signals and the series they are computed from.

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

/// A named signal. `sources` are alternatives in order of preference: per service, the first that has data in
/// the window is the metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricDefinition {
    pub name: String,
    pub sources: Vec<MetricSource>,
}
