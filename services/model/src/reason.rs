//! Why something was decided: complete enough that a person who reads only this believes or refutes it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{EventId, Position, ServiceKey, Timestamp};

/// Which test let the bare comparison count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Test {
    /// The bare number was compared.
    #[default]
    None,
    /// Exact binomial tail: fires when `tail_probability <= level` (STATISTICS 1.7).
    Exact { level: f64, tail_probability: f64 },
}

/// How far the measured value may be off through the way it was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorBound {
    /// Counts are exact up to slot alignment; quantiles of recorded durations are off by at most 0.8 % of the value
    /// plus 1.5 us: durations are kept in whole microseconds.
    #[default]
    Exact,
    /// Interpolated inside a bucket of the source: off by at most its width.
    Bucket,
}

/// What a release was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaselineKind {
    /// The old version running beside it.
    Beside { version: String },
    /// The same window before the deployment.
    Before,
}

/// Bad requests among all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counts {
    pub bad: u64,
    pub total: u64,
}

impl Counts {
    /// The share of bad ones, 0..=1; 0 without requests.
    pub fn share(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.bad as f64 / self.total as f64 }
    }
}

/// A release against its baseline, by counts: the exact two-sample test (Fisher's, with a margin).
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub baseline: BaselineKind,
    pub release: Counts,
    pub before: Counts,
    /// By how many times the odds of a bad request have to be worse than the baseline's.
    pub margin: f64,
    /// The release counts as worse when `probability` is at or below it.
    pub level: f64,
    /// How likely so many bad requests of the release were, were it worse by the margin and no more.
    pub probability: f64,
}

impl Comparison {
    /// Whether the release is proven to be worse than its baseline.
    pub fn is_worse(&self) -> bool {
        self.probability <= self.level
    }
}

/// A lasting rise of the share of bad requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rise {
    /// Event time at which it most likely began.
    pub began_at: Timestamp,
    /// Event time up to which `since` is counted.
    pub until: Timestamp,
    /// What came before it: of the same service, or of the release's baseline.
    pub before: Counts,
    pub since: Counts,
}

impl Rise {
    /// How much the share of bad requests grew, 0..=1.
    pub fn size(&self) -> f64 {
        (self.since.share() - self.before.share()).max(0.0)
    }

    /// Bad requests a second beyond those that came before as well.
    pub fn bad_per_second(&self) -> f64 {
        // Counted by scrapes: what is younger than a second is one scrape.
        let seconds = self.until.since(self.began_at).as_secs_f64().max(1.0);
        self.size() * self.since.total as f64 / seconds
    }
}

/// The baseline's own numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineValue {
    pub kind: BaselineKind,
    pub value: f64,
    pub requests: u64,
}

/// The numbers behind one comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The metric as the condition names it: `error_rate`, `response_time_p95`.
    pub metric: String,
    /// Ratios 0..=1, times in seconds, gauges as they are.
    pub value: f64,
    /// What `value` was compared with, same unit.
    pub limit: f64,
    /// How many requests (observations) the window held.
    pub requests: u64,
    /// How many of them were on the wrong side: errors, or slower than the limit.
    pub errors: u64,
    /// The share of the window that data covers, 0..=1.
    pub coverage: f64,
    pub baseline: Option<BaselineValue>,
    pub test: Test,
    pub error_bound: ErrorBound,
    /// Against what ran before or runs beside: whether the release is to blame. `None` where nothing was compared.
    pub comparison: Option<Comparison>,
}

/// One rule that was broken, where, and by what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reason {
    /// The trigger's name: `error_rate`, `High Error Rate`.
    pub trigger: String,
    /// The condition as written: `error_rate > 1%`.
    pub condition: String,
    pub key: ServiceKey,
    pub cluster: Option<String>,
    /// The version judged; `None` where telemetry carries none and the service as a whole was judged.
    pub version: Option<String>,
    pub window: Duration,
    /// How long the condition had to hold.
    pub hold: Duration,
    /// One entry a comparison of the condition; the first is the one to show.
    pub evidence: Vec<Evidence>,
    /// Event time of the newest sample that counted.
    pub evidence_at: Timestamp,
    /// The record that tipped it, and where it stands on the log.
    pub cause: EventId,
    pub position: Position,
}
