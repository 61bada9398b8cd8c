//! A metric's numbers over one window, whichever kind it is.

use model::Timestamp;
use policy::{Policy, Shape};
use serde::{Deserialize, Serialize};

use crate::store::{Ask, GaugeValue, HistogramCount, RatioCount, Store, ThroughputValue};

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Signal {
    Ratio(RatioCount),
    Histogram(HistogramCount),
    Gauge(GaugeValue),
    Throughput(ThroughputValue),
}

impl Signal {
    /// Reads the metric; `None` where it is not defined or the window holds nothing.
    pub(crate) fn read(store: &Store, policy: &Policy, ask: &Ask<'_>) -> Option<Self> {
        let signal = match policy.shape(ask.metric)? {
            Shape::Ratio(_) => Self::Ratio(store.ratio(ask)?),
            Shape::Histogram => Self::Histogram(store.histogram(ask)?),
            Shape::Gauge => Self::Gauge(store.gauge(ask)?),
            Shape::Throughput => Self::Throughput(store.throughput(ask)?),
        };
        (!signal.is_empty()).then_some(signal)
    }

    /// A ratio without requests, a histogram without observations: nothing to judge. A throughput of zero is a
    /// number.
    fn is_empty(&self) -> bool {
        match self {
            Self::Ratio(count) => count.total == 0 && count.part == 0,
            Self::Histogram(count) => count.total() == 0,
            Self::Gauge(gauge) => gauge.samples == 0,
            Self::Throughput(_) => false,
        }
    }

    /// Requests, observations or samples in the window.
    pub(crate) fn requests(&self) -> u64 {
        match self {
            Self::Ratio(count) => count.total,
            Self::Histogram(count) => count.total(),
            Self::Gauge(gauge) => gauge.samples,
            Self::Throughput(throughput) => throughput.count,
        }
    }

    /// The share of the window that data covers.
    pub(crate) fn coverage(&self) -> f64 {
        match self {
            Self::Ratio(count) => count.coverage,
            Self::Histogram(count) => count.coverage,
            Self::Gauge(gauge) => gauge.coverage,
            Self::Throughput(throughput) => throughput.coverage,
        }
    }

    /// Event time of the newest sample that counted.
    pub(crate) fn newest_at(&self) -> Timestamp {
        match self {
            Self::Ratio(count) => count.newest_at,
            Self::Histogram(count) => count.newest_at,
            Self::Gauge(gauge) => gauge.newest_at,
            Self::Throughput(throughput) => throughput.newest_at,
        }
    }

    /// The one number: a ratio, a quantile in seconds, a gauge, events per second. `None` where there is none
    /// or it is not finite: NaN never passes and never fails a check.
    pub(crate) fn value(&self, quantile: f64) -> Option<f64> {
        let value = match self {
            Self::Ratio(count) if count.total == 0 => return None,
            Self::Ratio(count) => count.part as f64 / count.total as f64,
            Self::Histogram(count) => count.quantile(quantile)?,
            Self::Gauge(gauge) => gauge.value,
            Self::Throughput(throughput) => throughput.per_second,
        };
        value.is_finite().then_some(value)
    }
}
