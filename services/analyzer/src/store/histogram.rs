//! How observations are distributed over a window, and the quantiles of that.
//!
//! Quantiles are interpolated linearly inside a bucket as Prometheus' `histogram_quantile` does. Buckets of
//! different layouts (two versions of a library side by side) are never brought into one: their piecewise
//! linear distribution functions are added over the union of the bounds. What a layout counted above its own
//! highest finite bound lies at that bound: nothing proves that it lies above the higher bounds of another.
//!
//! Interpolation is for display. What is *proved* about a limit comes from whole buckets alone: an observation is
//! certainly above a limit when its bucket begins at or above the limit, and possibly above it when its bucket ends
//! above the limit.

use std::sync::Arc;

use model::{ErrorBound, Timestamp};
use serde::{Deserialize, Serialize};

use super::durations;

/// Cumulative counts over upper bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramCount {
    /// Upper bound in seconds and how many observations are not above it; ascending in both. Two knots at one
    /// bound are a step: it lies at the highest finite bound of a layout and is as high as what was counted above.
    /// The last bound may be infinite.
    knots: Vec<(f64, f64)>,
    /// What whole buckets prove at each bound, ascending.
    certain: Vec<Certain>,
    total: u64,
    error_bound: ErrorBound,
    /// The share of the window that lies after its first data, 0..=1.
    pub coverage: f64,
    /// Event time of the newest settled sample, not after [`super::Ask::at`].
    pub newest_at: Timestamp,
}

/// The fewest and the most observations that can be at or below a bound: layouts without that bound leave open
/// where in their bucket around it they lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Certain {
    bound: f64,
    least: u64,
    most: u64,
}

impl Certain {
    fn of(curves: &[Curve], bound: f64) -> Self {
        let of_curves = curves.iter().map(|curve| curve.certain_at(bound));
        let (least, most) = of_curves.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        Self { bound, least, most }
    }
}

/// One layout's bounds and the increases of its cumulative buckets.
pub(super) type LayoutCounts = (Arc<[f64]>, Vec<u64>);

impl HistogramCount {
    /// From classic buckets as they came.
    pub(super) fn of_layouts(layouts: Vec<LayoutCounts>, coverage: f64, newest_at: Timestamp) -> Self {
        let curves = placed(completed(layouts).into_iter().map(Curve::of).collect());
        let total = curves.iter().map(Curve::total).sum::<u64>();
        let mut bounds: Vec<f64> = curves.iter().flat_map(|curve| curve.bounds.iter().copied()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let certain = bounds.iter().map(|&bound| Certain::of(&curves, bound)).collect();
        let mut knots = Vec::with_capacity(bounds.len() + curves.len());
        for bound in bounds {
            let below = curves.iter().map(|curve| curve.at(bound)).sum::<f64>();
            let step: u64 = curves.iter().map(|curve| curve.above_all_at(bound)).sum();
            knots.push((bound, below));
            if step > 0 {
                knots.push((bound, below + step as f64));
            }
        }
        Self { knots, certain, total, error_bound: ErrorBound::Bucket, coverage, newest_at }
    }

    /// From recorded durations, one count a bucket of [`durations`].
    pub(super) fn of_durations(counts: &[u64], coverage: f64, newest_at: Timestamp) -> Self {
        let mut knots: Vec<(f64, f64)> = Vec::new();
        let mut total = 0_u64;
        for (bucket, &count) in counts.iter().enumerate().filter(|it| *it.1 > 0) {
            let (lower, upper) = durations::bounds_seconds_of(bucket);
            if knots.last().is_none_or(|knot| knot.0 < lower) {
                knots.push((lower, total as f64));
            }
            total += count;
            knots.push((upper, total as f64));
        }
        let exact = |&(bound, below): &(f64, f64)| Certain { bound, least: below as u64, most: below as u64 };
        let certain = knots.iter().map(exact).collect();
        Self { knots, certain, total, error_bound: ErrorBound::Exact, coverage, newest_at }
    }

    /// How many observations there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The value in seconds below which the share `q` of the observations lies, as `histogram_quantile` gives
    /// it: linear inside a bucket, the lowest bucket from 0 if its bound is positive, the highest finite bound
    /// for what is above it. `None` without observations, without a finite bound, or for a `q` outside 0..=1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.total == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * self.knots.last()?.1;
        let found = self.knots.iter().position(|knot| knot.1 >= rank).unwrap_or(self.knots.len() - 1);
        let (upper, below_upper) = self.knots[found];
        if upper.is_infinite() {
            return Some(self.knots.get(found.checked_sub(1)?)?.0);
        }
        let Some(&(lower, below)) = found.checked_sub(1).and_then(|at| self.knots.get(at)) else {
            let is_from_zero = upper > 0.0 && below_upper > 0.0;
            return Some(if is_from_zero { upper * (rank / below_upper) } else { upper });
        };
        let inside = below_upper - below;
        Some(if inside > 0.0 { lower + (upper - lower) * ((rank - below) / inside) } else { upper })
    }

    /// How many observations are certainly above `limit_seconds`. Those in the bucket that holds the limit may be
    /// below it and are not counted: an SDK's default of one bucket from 0 to 5 s proves nothing about a second.
    /// What is above the highest finite bound is not proved to be above a higher limit.
    pub fn count_above(&self, limit_seconds: f64) -> u64 {
        let found = self.certain.partition_point(|it| it.bound < limit_seconds);
        self.certain.get(found).map_or(0, |it| self.total.saturating_sub(it.most))
    }

    /// How many observations can be above `limit_seconds`: those that are not certainly at or below it.
    pub fn count_above_at_most(&self, limit_seconds: f64) -> u64 {
        let above = self.certain.partition_point(|it| it.bound <= limit_seconds);
        let below = above.checked_sub(1).and_then(|at| self.certain.get(at));
        below.map_or(self.total, |it| self.total.saturating_sub(it.least))
    }

    /// The bounds in seconds of the bucket that holds `limit_seconds`, or that ends or begins there; `None` for
    /// where there is no finite one.
    pub fn bounds_around(&self, limit_seconds: f64) -> (Option<f64>, Option<f64>) {
        let found = self.certain.partition_point(|it| it.bound < limit_seconds);
        let finite = |at: usize| self.certain.get(at).map(|it| it.bound).filter(|bound| bound.is_finite());
        (found.checked_sub(1).and_then(finite), finite(found))
    }

    /// How far a quantile may be off: a source's bucket, or (recorded durations) at most 0.8 % of the value
    /// plus 1.5 us.
    pub fn error_bound(&self) -> ErrorBound {
        self.error_bound
    }
}

/// A layout without `+Inf` is a part of one whose other buckets came later: its counts belong there.
fn completed(layouts: Vec<LayoutCounts>) -> Vec<LayoutCounts> {
    let is_whole = |(bounds, _): &LayoutCounts| bounds.last().is_some_and(|bound| bound.is_infinite());
    let (mut whole, parts): (Vec<_>, Vec<_>) = layouts.into_iter().partition(is_whole);
    let mut homeless = Vec::new();
    for (bounds, counts) in parts {
        let places_in = |all: &[f64]| {
            bounds.iter().map(|it| all.iter().position(|other| other == it)).collect::<Option<Vec<_>>>()
        };
        let home = whole.iter_mut().find_map(|(all, sums)| Some((places_in(all)?, sums)));
        match home {
            Some((places, sums)) => {
                places.into_iter().zip(&counts).for_each(|(place, count)| sums[place] += count);
            }
            None => homeless.push((bounds, counts)),
        }
    }
    whole.append(&mut homeless);
    whole
}

/// Without the curves that have no finite bound, unless none has one: they hold nothing about durations.
fn placed(mut curves: Vec<Curve>) -> Vec<Curve> {
    if curves.iter().any(|curve| curve.highest().is_some()) {
        curves.retain(|curve| curve.highest().is_some());
    }
    curves
}

/// One layout's distribution function: how many observations are not above a value.
struct Curve {
    bounds: Arc<[f64]>,
    below: Vec<u64>,
}

impl Curve {
    /// Cumulative buckets can fall only if a sample of one of them is missing: they are forced to rise.
    fn of((bounds, mut below): LayoutCounts) -> Self {
        let mut highest = 0;
        for count in &mut below {
            highest = highest.max(*count);
            *count = highest;
        }
        Self { bounds, below }
    }

    fn total(&self) -> u64 {
        self.below.last().copied().unwrap_or_default()
    }

    /// Where its highest finite bound stands.
    fn highest(&self) -> Option<usize> {
        self.bounds.iter().rposition(|bound| bound.is_finite())
    }

    /// How many observations lie above all finite bounds, at the highest of these; 0 at any other.
    fn above_all_at(&self, bound: f64) -> u64 {
        let highest = self.highest().filter(|&at| self.bounds[at] == bound);
        highest.map_or(0, |at| self.total() - self.below[at])
    }

    /// The fewest and the most observations that can be at or below `value`.
    fn certain_at(&self, value: f64) -> (u64, u64) {
        let found = self.bounds.partition_point(|bound| *bound < value);
        let most = self.below.get(found).copied().unwrap_or_else(|| self.total());
        let is_bound = self.bounds.get(found) == Some(&value);
        let least = if is_bound { Some(found) } else { found.checked_sub(1) };
        (least.map_or(0, |at| self.below[at]), most)
    }

    fn at(&self, value: f64) -> f64 {
        let found = self.bounds.partition_point(|bound| *bound < value);
        let Some(&upper) = self.bounds.get(found) else { return self.total() as f64 };
        let below_upper = self.below[found] as f64;
        if upper == value {
            return below_upper;
        }
        let (lower, below) = match found.checked_sub(1) {
            Some(before) => (self.bounds[before], self.below[before] as f64),
            None if upper > 0.0 => (0.0, 0.0),
            None => return 0.0,
        };
        if upper.is_infinite() {
            return self.total() as f64;
        }
        if value <= lower {
            return below;
        }
        below + (below_upper - below) * (value - lower) / (upper - lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(layouts: &[(&[f64], &[u64])]) -> HistogramCount {
        let layouts = layouts.iter().map(|(bounds, below)| (Arc::from(*bounds), below.to_vec())).collect();
        HistogramCount::of_layouts(layouts, 1.0, Timestamp::default())
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_prometheus() {
        for (bounds, below, q, expected, why) in [
            (&[0.1, 0.5, 1.0, INF][..], &[10, 60, 90, 100][..], 0.5, Some(0.42), "inside a bucket"),
            (&[0.1, 0.5, 1.0, INF], &[10, 60, 90, 100], 0.05, Some(0.05), "the lowest starts at 0"),
            (&[0.1, 0.5, 1.0, INF], &[10, 60, 90, 100], 0.95, Some(1.0), "beyond the highest finite bound"),
            (&[0.1, 0.5, 1.0, INF], &[10, 60, 90, 100], 0.9, Some(1.0), "at a bound"),
            (&[-1.0, 1.0, INF], &[10, 20, 20], 0.25, Some(-1.0), "a lowest bound that is not positive"),
            (&[0.1, 0.5, 1.0, INF], &[10, 8, 90, 100], 0.1, Some(0.1), "forced to rise"),
            (&[0.1, 0.5, INF], &[0, 0, 0], 0.5, None, "no observations"),
            (&[INF], &[10], 0.5, None, "no finite bound"),
            (&[0.1, INF], &[10, 10], 1.5, None, "no such quantile"),
            (&[0.1, INF], &[10, 10], f64::NAN, None, "not a quantile"),
        ] {
            let quantile = classic(&[(bounds, below)]).quantile(q);
            assert_eq!(quantile.map(|it| (it * 1e9).round() / 1e9), expected, "{why}");
        }
    }

    #[test]
    fn only_whole_buckets_prove_that_something_is_above_a_limit() {
        let shop = classic(&[(&[0.1, 0.5, 1.0, INF], &[10, 60, 90, 100])]);
        let sdk_default = classic(&[(&[0.0, 5.0, 10.0, INF], &[0, 100, 100, 100])]);
        for (histogram, limit, at_least, at_most, why) in [
            (&shop, 0.5, 40, 40, "at a bound both agree"),
            (&shop, 0.3, 40, 90, "inside a bucket its 50 are open"),
            (&shop, 0.0, 90, 100, "the lowest bucket may hold a zero"),
            (&shop, 1.0, 10, 10, "the highest finite bound"),
            (&shop, 2.0, 0, 10, "beyond it nothing is proved"),
            (&shop, 0.05, 90, 100, "in the lowest bucket nothing is proved either"),
            (&sdk_default, 1.0, 0, 100, "50 ms and 4.9 s fall into the same bucket"),
            (&sdk_default, 5.0, 0, 0, "its end"),
        ] {
            let found = (histogram.count_above(limit), histogram.count_above_at_most(limit));
            assert_eq!(found, (at_least, at_most), "{why}");
        }
        assert_eq!(sdk_default.bounds_around(1.0), (Some(0.0), Some(5.0)));
        assert_eq!(shop.bounds_around(1.0), (Some(0.5), Some(1.0)));
        assert_eq!(shop.bounds_around(2.0), (Some(1.0), None));
    }

    #[test]
    fn layouts_are_added_as_curves() {
        let both = classic(&[(&[0.2, 0.4, INF], &[10, 20, 20]), (&[0.1, 0.4, INF], &[10, 40, 40])]);
        assert_eq!(both.total(), 60);
        // At 0.2 the first has 10; of the second it is open where in its bucket from 0.1 to 0.4 the 30 lie.
        assert_eq!((both.count_above(0.2), both.count_above_at_most(0.2)), (10, 40));
        assert_eq!(both.quantile(0.5), Some(0.2));
        let torn = classic(&[(&[0.2, 0.4, INF], &[10, 20, 20]), (&[0.2, 0.4], &[1, 2])]);
        assert_eq!(
            (torn.total(), torn.count_above(0.2)),
            (22, 11),
            "half a histogram is a part of a whole one"
        );
    }

    #[test]
    fn a_layout_claims_nothing_above_its_own_highest_bound() {
        let coarse = classic(&[(&[0.2, INF], &[10, 20]), (&[0.4, INF], &[20, 20])]);
        assert_eq!((coarse.count_above(0.2), coarse.count_above(0.4)), (10, 0), "above 0.2 may be below 0.4");
        let slow = (&[0.25, 0.5, INF][..], &[930, 930, 1000][..]);
        let fast = (&[0.25, 0.5, 5.0, INF][..], &[50, 50, 50, 50][..]);
        let alone = classic(&[slow]);
        let both = classic(&[slow, fast]);
        assert_eq!((alone.quantile(0.95), both.quantile(0.95)), (Some(0.5), Some(0.5)));
        for (limit, above, why) in [
            (0.25, 70, "proved by the bucket"),
            (0.5, 70, "at the highest bound of the one that has them"),
            (0.6, 0, "the other's higher bound proves nothing about them"),
            (1.0, 0, "nor here"),
            (5.0, 0, "nor at its end"),
        ] {
            assert_eq!(both.count_above(limit), above, "{why}");
        }
        let both = classic(&[slow, (&[0.25, 0.5, 5.0, INF], &[0, 0, 30, 40])]);
        assert_eq!((both.total(), both.count_above(0.5), both.count_above(5.0)), (1040, 110, 10));
        assert_eq!(both.quantile(0.995), Some(5.0), "10 of 1040 are above 5 s by their own layout");
        let blind = classic(&[slow, (&[INF], &[500])]);
        assert_eq!((blind.total(), blind.quantile(0.95)), (1000, Some(0.5)), "no bound, no evidence");
    }

    #[test]
    fn recorded_durations_answer_within_a_bucket() {
        let mut counts = vec![0; 1000];
        counts[100] = 50;
        counts[200] = 50;
        let histogram = HistogramCount::of_durations(&counts, 1.0, Timestamp::default());
        assert_eq!((histogram.total(), histogram.error_bound()), (100, ErrorBound::Exact));
        let (lower, upper) = durations::bounds_seconds_of(200);
        let p95 = histogram.quantile(0.95).unwrap();
        assert!((lower..=upper).contains(&p95), "{p95}");
        assert_eq!(histogram.count_above(0.00015), 50);
    }
}
