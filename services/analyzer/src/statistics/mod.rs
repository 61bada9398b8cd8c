//! What separates a broken limit from bad luck.
//!
//! `ratio > limit` over a window is looked at every second, so the bare comparison fires on healthy services
//! within the hour (STATISTICS 3.2). The guard here is the exact binomial tail: a limit counts as broken only
//! when so many bad ones would have probability at most `level` if the true ratio were the limit itself, which
//! is the same as Clopper-Pearson's lower limit lying above it (STATISTICS 1.7).

mod binomial;
mod interval;
mod two_sample;

pub use binomial::{lower_tail, upper_tail};
pub use interval::{lower_bound, upper_bound, wilson_95};
pub use two_sample::worse_tail;

/// Level of one look for triggers that act by themselves.
pub const LEVEL_ACT: f64 = 0.0001;

/// Level of one look for triggers that notify or prepare.
pub const LEVEL_NOTIFY: f64 = 0.001;

/// Level at which a limit counts as exceeded elsewhere: a shared cause has to be seen before the release is
/// blamed for it, and being wrong here costs an approval, not an outage.
pub const LEVEL_SHARED: f64 = 0.01;

/// Fewer bad ones than this never break a limit, however unlikely they are: the rule of thumb of Kulldorff and
/// Silva for sequential surveillance (STATISTICS 1.7).
pub const EVENTS_MIN: u64 = 4;

/// What the exact guard says about one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    /// `P(Bin(requests, limit) >= events)`.
    pub tail_probability: f64,
    /// Whether the tail is at most the level. [`EVENTS_MIN`] and `min_requests` are the caller's.
    pub fires: bool,
}

/// Tests `events` of `requests` against the ratio `limit` (0..=1) at `level`; NaN never fires.
pub fn guard_fires(limit: f64, events: u64, requests: u64, level: f64) -> Guard {
    let tail_probability = upper_tail(requests, limit, events);
    Guard { tail_probability, fires: tail_probability <= level }
}

/// The mirror: whether so few `events` would be as unlikely if the true ratio were `limit`.
pub fn guard_fires_below(limit: f64, events: u64, requests: u64, level: f64) -> Guard {
    let tail_probability = lower_tail(requests, limit, events);
    Guard { tail_probability, fires: tail_probability <= level }
}

/// The rank, 1..=`count`, of the order statistic that lies at or above the true `quantile` save with
/// probability `level`; `None` where no observation of so few is that safe (135 for p95 at 0.1 %).
pub fn upper_rank(count: u64, quantile: f64, level: f64) -> Option<u64> {
    // P(order statistic u < quantile) = P(at least u of them lie below it) = P(Bin(count, quantile) >= u).
    let is_safe = |rank: u64| upper_tail(count, quantile, rank) <= level;
    if count == 0 || !is_safe(count) {
        return None;
    }
    let (mut unsafe_rank, mut safe_rank) = (0, count);
    while safe_rank - unsafe_rank > 1 {
        let middle = unsafe_rank + (safe_rank - unsafe_rank) / 2;
        if is_safe(middle) {
            safe_rank = middle;
        } else {
            unsafe_rank = middle;
        }
    }
    Some(safe_rank)
}

/// The mirror of [`upper_rank`]: the rank that lies at or below the true `quantile` save with probability
/// `level`.
pub fn lower_rank(count: u64, quantile: f64, level: f64) -> Option<u64> {
    upper_rank(count, 1.0 - quantile, level).map(|rank| count - rank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_of_three_hundred_at_one_percent_fire_and_one_of_one_does_not() {
        assert!(guard_fires(0.01, 11, 300, LEVEL_NOTIFY).fires);
        assert!(!guard_fires(0.01, 10, 300, LEVEL_NOTIFY).fires);
        let one = guard_fires(0.01, 1, 1, LEVEL_NOTIFY);
        assert!(!one.fires && (one.tail_probability - 0.01).abs() < 1e-15);
    }

    #[test]
    fn nan_neither_fires_nor_passes_for_certain() {
        assert!(!guard_fires(f64::NAN, 11, 300, LEVEL_NOTIFY).fires);
        assert!(!guard_fires_below(f64::NAN, 1, 300, LEVEL_NOTIFY).fires);
    }

    #[test]
    fn a_safe_upper_rank_of_p95_needs_59_or_135_observations() {
        // STATISTICS 1.7: "finite upper limit needs n >= 59 (one-sided 95 %), 135 (one-sided 99.9 %)".
        assert_eq!((upper_rank(58, 0.95, 0.05), upper_rank(59, 0.95, 0.05)), (None, Some(59)));
        assert_eq!((upper_rank(134, 0.95, 0.001), upper_rank(135, 0.95, 0.001)), (None, Some(135)));
        assert_eq!(lower_rank(135, 0.05, 0.001), Some(1));
        assert_eq!(upper_rank(0, 0.95, 0.05), None);
    }
}
