//! Our own metrics: one registry a process, names `ripcord_<what>_<unit>`, each registered by the crate that
//! owns it.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// A metric could not be registered or the registry could not be written out.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// Registers a counter with labels; a second registration of the same name is an error.
pub fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, MetricsError> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Registers a gauge.
pub fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
    let metric = IntGauge::with_opts(Opts::new(name, help))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Registers a gauge with labels.
pub fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, MetricsError> {
    let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Registers a histogram of seconds with labels; buckets from 0.5 ms to 32 s, doubling.
pub fn seconds(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<HistogramVec, MetricsError> {
    let buckets = prometheus::exponential_buckets(0.0005, 2.0, 17)?;
    let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// The registry in Prometheus' text format, version 0.0.4.
pub fn render(registry: &Registry) -> Result<String, MetricsError> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_counter_is_rendered_and_cannot_be_registered_twice() {
        let registry = Registry::new();
        let counter = counter(&registry, "ripcord_test_total", "A test.", &["kind"]).unwrap();
        counter.with_label_values(&["a"]).inc();
        assert!(render(&registry).unwrap().contains("ripcord_test_total{kind=\"a\"} 1"));
        assert!(super::counter(&registry, "ripcord_test_total", "Again.", &["kind"]).is_err());
    }
}
