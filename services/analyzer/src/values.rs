//! Rolling values as the API shows them.

use std::time::Duration;

use model::{
    ServiceKey, Timestamp,
    values::{LatencyValues, Limit, ServiceValues, ValuesQuery, VersionValues},
};
use policy::{ERROR_RATE, EffectivePolicy, RESPONSE_TIME, RatioKind, Trigger, VALUES_WINDOW};

use crate::{
    analyzer::Analyzer,
    judge::{condition::QUANTILE_DEFAULT, signal::Signal},
    statistics::wilson_95,
    store::{Ask, HistogramCount, RatioCount, Versions},
};

impl Analyzer {
    /// The values of every service and version that the query names, at `now`; they may include what is not
    /// settled yet. Services in order, versions by name.
    pub fn values(&self, now: Timestamp, query: &ValuesQuery) -> Vec<ServiceValues> {
        let is_asked = |key: &ServiceKey| {
            key.service == query.service && query.environment.as_ref().is_none_or(|it| *it == key.environment)
        };
        let mut keys: Vec<ServiceKey> = self.store.services().into_iter().map(|seen| seen.key).collect();
        keys.retain(is_asked);
        keys.sort();
        keys.into_iter().map(|key| self.service_values(now, key, query)).collect()
    }

    fn service_values(&self, at: Timestamp, key: ServiceKey, query: &ValuesQuery) -> ServiceValues {
        let policy = self.policy.effective(&key.service, &key.environment);
        let window = query.window.unwrap_or_else(|| longest_window(&policy));
        let mut seen: Vec<Option<String>> =
            self.store.versions(&key).into_iter().map(|it| it.version).collect();
        seen.retain(|version| query.version.is_none() || query.version == *version);
        seen.sort();
        let values = |version| self.version_values(at, &key, window, version);
        let versions = seen.into_iter().map(values).collect();
        let limit =
            |it: &Trigger| Limit { trigger: it.name.clone(), condition: it.text.clone(), window: it.window };
        let limits = policy.triggers.iter().map(limit).collect();
        ServiceValues { key, window, at, versions, limits }
    }

    fn version_values(
        &self,
        at: Timestamp,
        key: &ServiceKey,
        window: Duration,
        version: Option<String>,
    ) -> VersionValues {
        let versions = version.as_deref().map_or(Versions::Unversioned, Versions::One);
        let read = |metric: &str| {
            Signal::read(&self.store, &self.policy, &Ask { key, versions, metric, window, at, since: None })
        };
        let mut values = VersionValues::default();
        for metric in self.policy.metric_names() {
            let Some(signal) = read(metric) else { continue };
            values.coverage = values.coverage.max(signal.coverage());
            match (metric, &signal) {
                (ERROR_RATE, Signal::Ratio(count)) => set_errors(&mut values, count),
                (RESPONSE_TIME, Signal::Histogram(count)) => values.latency = latency(count),
                _ => values.metrics.extend(signal.value(QUANTILE_DEFAULT).map(|it| (metric.to_owned(), it))),
            }
        }
        values.version = version;
        values
    }
}

/// The longest window over which some trigger looks at the service's error rate.
fn longest_window(policy: &EffectivePolicy) -> Duration {
    let windows = policy.triggers.iter().filter_map(|trigger| {
        let mut is_used = false;
        trigger.condition.for_each_metric(&mut |metric| is_used |= metric == ERROR_RATE);
        is_used.then_some(trigger.window)
    });
    windows.max().unwrap_or(VALUES_WINDOW)
}

fn set_errors(values: &mut VersionValues, count: &RatioCount) {
    values.requests = count.total;
    values.errors = match count.kind {
        RatioKind::Bad => count.part,
        RatioKind::Good => count.total.saturating_sub(count.part),
    };
    values.error_rate = (count.total > 0).then(|| values.errors as f64 / count.total as f64);
    values.error_rate_bounds = wilson_95(values.errors, count.total);
}

fn latency(count: &HistogramCount) -> Option<LatencyValues> {
    Some(LatencyValues {
        p50: count.quantile(0.5)?,
        p90: count.quantile(0.9)?,
        p95: count.quantile(0.95)?,
        p99: count.quantile(0.99)?,
        count: count.total(),
        error_bound: count.error_bound(),
    })
}
