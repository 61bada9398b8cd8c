//! How observations are distributed over a window.

use model::{ErrorBound, Timestamp};

/// Cumulative counts over upper bounds, possibly of several layouts.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramCount {
    /// Upper bound in seconds and how many observations are not above it; ascending in both.
    knots: Vec<(f64, f64)>,
    total: u64,
    error_bound: ErrorBound,
    /// The share of the window that lies after its first data, 0..=1.
    pub coverage: f64,
    /// Event time of the newest settled sample.
    pub newest_at: Timestamp,
}

impl HistogramCount {
    /// How many observations there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The value in seconds below which the share `q` of the observations lies, interpolated as Prometheus'
    /// `histogram_quantile` does; `None` without observations or for a `q` outside 0..=1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let wanted = q * self.knots.last()?.1;
        self.knots.iter().find(|(_, below)| *below >= wanted).map(|knot| knot.0)
    }

    /// How many observations are above `limit_seconds`, as far as the buckets can prove it; rounded down.
    pub fn count_above(&self, limit_seconds: f64) -> u64 {
        let below = self.knots.iter().find(|knot| knot.0 >= limit_seconds).map_or(0.0, |knot| knot.1);
        self.total.saturating_sub(below as u64)
    }

    /// How far a quantile may be off.
    pub fn error_bound(&self) -> ErrorBound {
        self.error_bound
    }
}
