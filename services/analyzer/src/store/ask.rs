//! What a window is asked, and what it answers.

use std::time::Duration;

use model::{ServiceKey, Timestamp, is_same_version};
use policy::RatioKind;
use serde::{Deserialize, Serialize};

/// One question to the windows.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub key: &'a ServiceKey,
    pub versions: Versions<'a>,
    /// The metric's name in the policy.
    pub metric: &'a str,
    pub window: Duration,
    /// The window's end, event time. Up to one window before the newest data is kept.
    pub at: Timestamp,
    /// Only slots that begin at this moment or later.
    pub since: Option<Timestamp>,
}

/// Whose requests are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions<'a> {
    One(&'a str),
    /// Only what carries no version.
    Unversioned,
    /// The whole service, with and without version.
    All,
    /// Every version but this one. What carries no version is left out: it may be this one's.
    AllBut(&'a str),
}

impl Versions<'_> {
    pub(super) fn include(&self, version: Option<&str>) -> bool {
        match self {
            Self::One(wanted) => version.is_some_and(|it| is_same_version(it, wanted)),
            Self::Unversioned => version.is_none(),
            Self::All => true,
            Self::AllBut(left_out) => version.is_some_and(|it| !is_same_version(it, left_out)),
        }
    }
}

/// `part` of `total` events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioCount {
    pub part: u64,
    pub total: u64,
    pub kind: RatioKind,
    /// The share of the window that lies after its first data, 0..=1.
    pub coverage: f64,
    /// Event time of the newest settled sample, not after [`Ask::at`].
    pub newest_at: Timestamp,
}

/// The mean of a gauge over its series and the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeValue {
    pub value: f64,
    pub samples: u64,
    /// As in [`RatioCount`].
    pub coverage: f64,
    pub newest_at: Timestamp,
}

/// Events per second over the part of the window that data covers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThroughputValue {
    pub per_second: f64,
    pub count: u64,
    /// As in [`RatioCount`].
    pub coverage: f64,
    pub newest_at: Timestamp,
}

/// A service whose data has settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub key: ServiceKey,
    /// Event time of the newest settled sample.
    pub at: Timestamp,
}

/// Up to which moment it is known what some versions did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Event time.
    pub until: Timestamp,
    /// Whether they still report.
    pub is_alive: bool,
}

/// A version of a service that telemetry showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSeen {
    /// `None`: telemetry without a version.
    pub version: Option<String>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// What a sample may have counted before its own time: the longest time between two scrapes of a target.
    pub interval: Duration,
}
