//! Rolling values as the API shows them.

use std::time::Duration;

use crate::{ErrorBound, ServiceKey, Timestamp};

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValuesQuery {
    pub service: String,
    pub environment: Option<String>,
    pub version: Option<String>,
    /// `None`: the service's longest window of `error_rate`.
    pub window: Option<Duration>,
}

/// Latency of a window, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyValues {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub count: u64,
    pub error_bound: ErrorBound,
}

/// One version's rolling values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionValues {
    /// `None` where telemetry carries no version.
    pub version: Option<String>,
    pub route: Option<String>,
    pub coverage: f64,
    pub requests: u64,
    pub errors: u64,
    pub error_rate: Option<f64>,
    /// Wilson interval, 95 % (STATISTICS 1.7: for display, never for decisions).
    pub error_rate_bounds: Option<(f64, f64)>,
    pub latency: Option<LatencyValues>,
    /// The policy's other metrics by name.
    pub metrics: Vec<(String, f64)>,
}

/// One service's rolling values.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceValues {
    pub key: ServiceKey,
    pub window: Duration,
    pub at: Timestamp,
    pub versions: Vec<VersionValues>,
}

/// A service that sent something.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSeen {
    pub key: ServiceKey,
    pub versions: Vec<Option<String>>,
    pub series: u64,
    pub last_sample_at: Option<Timestamp>,
}

/// A kind of series that could not be placed, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Unplaced {
    /// One example, as `name{label="value", …}`.
    pub example: String,
    /// Which of service, environment is missing.
    pub missing: String,
    pub series: u64,
}

/// What `ripcord discover` prints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    pub services: Vec<ServiceSeen>,
    pub unplaced: Vec<Unplaced>,
}
