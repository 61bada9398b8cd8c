//! Rolling values.

use std::collections::BTreeMap;

use model::values::{LatencyValues, Limit, ServiceValues, VersionValues};
use serde::Serialize;
use utoipa::ToSchema;

use super::{duration_text, finite, release::error_bound_text};

/// Latency, seconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatencyJson {
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub count: u64,
    /// `bucket`: off by at most the width of a bucket of the source. `exact`: recorded durations, off by at most 0.8 %
    /// of the value plus 1.5 us.
    pub error_bound: &'static str,
}

impl LatencyJson {
    fn of(latency: LatencyValues) -> Self {
        Self {
            p50: finite(latency.p50),
            p90: finite(latency.p90),
            p95: finite(latency.p95),
            p99: finite(latency.p99),
            count: latency.count,
            error_bound: error_bound_text(latency.error_bound),
        }
    }
}

/// One version's rolling values.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionValuesJson {
    pub version: Option<String>,
    pub route: Option<String>,
    /// The share of the window that data covers.
    pub coverage: f64,
    pub requests: u64,
    pub errors: u64,
    pub error_rate: Option<f64>,
    /// Wilson interval, 95 %.
    pub error_rate_bounds: Option<[f64; 2]>,
    pub latency_seconds: Option<LatencyJson>,
    pub metrics: BTreeMap<String, f64>,
}

impl VersionValuesJson {
    fn of(values: VersionValues) -> Self {
        Self {
            version: values.version,
            route: values.route,
            coverage: values.coverage,
            requests: values.requests,
            errors: values.errors,
            error_rate: values.error_rate.and_then(finite),
            error_rate_bounds: values.error_rate_bounds.map(|(low, high)| [low, high]),
            latency_seconds: values.latency.map(LatencyJson::of),
            metrics: values.metrics.into_iter().filter(|(_, value)| value.is_finite()).collect(),
        }
    }
}

/// One service's rolling values.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceValuesJson {
    pub service: String,
    pub environment: String,
    pub window: String,
    pub at: String,
    pub versions: Vec<VersionValuesJson>,
    /// What the policy holds against them.
    pub limits: Vec<LimitJson>,
}

/// A trigger that looks at the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitJson {
    pub trigger: String,
    pub condition: String,
    pub window: String,
}

impl LimitJson {
    fn of(limit: Limit) -> Self {
        Self { trigger: limit.trigger, condition: limit.condition, window: duration_text(limit.window) }
    }
}

impl ServiceValuesJson {
    pub fn of(values: ServiceValues) -> Self {
        Self {
            service: values.key.service,
            environment: values.key.environment,
            window: duration_text(values.window),
            at: values.at.to_string(),
            versions: values.versions.into_iter().map(VersionValuesJson::of).collect(),
            limits: values.limits.into_iter().map(LimitJson::of).collect(),
        }
    }
}
