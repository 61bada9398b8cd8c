//! Bounds of a proportion: Clopper-Pearson's for decisions, Wilson's for people to look at.

use super::binomial::{lower_tail, upper_tail};

/// The normal quantile of a two-sided 95 % interval.
const Z_95: f64 = 1.959_963_984_540_054;

/// More halvings than a double has exponents and digits; the loop ends by itself long before.
const HALVINGS_MAX: u32 = 1_100;

/// The largest proportion under which so many `events` or more would have probability at most `level`:
/// Clopper-Pearson's one-sided lower limit.
pub fn lower_bound(events: u64, trials: u64, level: f64) -> f64 {
    if events == 0 || trials == 0 {
        return 0.0;
    }
    let events = events.min(trials);
    bisect(|p| upper_tail(trials, p, events) <= level)
}

/// The smallest proportion under which so few `events` or fewer would have probability at most `level`:
/// Clopper-Pearson's one-sided upper limit.
pub fn upper_bound(events: u64, trials: u64, level: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    bisect(|p| lower_tail(trials, p, events) > level)
}

/// Where `is_below` turns from true to false, 0..=1.
fn bisect(is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS_MAX {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Wilson's score interval, two-sided 95 %; `None` without trials or with more events than trials.
///
/// For display only: for tiny counts it excludes values that the exact test does not (STATISTICS 1.7).
pub fn wilson_95(events: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 || events > trials {
        return None;
    }
    let (n, p) = (trials as f64, events as f64 / trials as f64);
    let square = Z_95 * Z_95;
    let scale = 1.0 + square / n;
    let middle = (p + square / (2.0 * n)) / scale;
    let half = Z_95 * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt() / scale;
    Some(((middle - half).clamp(0.0, p), (middle + half).clamp(p, 1.0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_near(got: f64, want: f64, what: &str) {
        assert!((got - want).abs() < 1e-9, "{what}: got {got}, want {want}");
    }

    #[test]
    fn bounds_have_their_closed_forms_at_the_ends() {
        // With no events P(X <= 0) = (1-p)^n, with all of them P(X >= n) = p^n: both invert in one line.
        assert_near(upper_bound(0, 59, 0.05), 1.0 - 0.05_f64.powf(1.0 / 59.0), "none of 59");
        assert_near(lower_bound(10, 10, 0.001), 0.001_f64.powf(0.1), "all of 10");
        assert_eq!((lower_bound(0, 10, 0.05), upper_bound(10, 10, 0.05)), (0.0, 1.0));
        assert_eq!((lower_bound(0, 0, 0.05), upper_bound(0, 0, 0.05)), (0.0, 1.0));
    }

    #[test]
    fn wilson_matches_brown_cai_and_dasguptas_formula_by_hand() {
        // 10 of 100: (0.1 + 0.019207) / 1.038415 -+ 1.959964 * sqrt(0.0009 + 0.000096037) / 1.038415.
        let Some((low, high)) = wilson_95(10, 100) else { panic!("an interval") };
        assert!((low - 0.055_229).abs() < 1e-6 && (high - 0.174_366).abs() < 1e-6, "{low} {high}");
        assert_eq!(wilson_95(0, 0), None);
        assert_eq!(wilson_95(2, 1), None);
    }

    proptest! {
        #[test]
        fn a_bound_is_where_the_tail_crosses_the_level(trials in 1_u64..3_000, share in 0.0..1.0_f64) {
            let events = ((trials as f64 * share) as u64).clamp(1, trials);
            let low = lower_bound(events, trials, 0.001);
            prop_assert!((upper_tail(trials, low, events) - 0.001).abs() < 1e-8);
            prop_assert!(low <= events as f64 / trials as f64);
            if events < trials {
                let high = upper_bound(events, trials, 0.001);
                prop_assert!((lower_tail(trials, high, events) - 0.001).abs() < 1e-8);
                prop_assert!(high >= events as f64 / trials as f64);
            }
        }

        #[test]
        fn wilson_holds_the_proportion(trials in 1_u64..1_000_000, share in 0.0..=1.0_f64) {
            let events = (trials as f64 * share) as u64;
            let (low, high) = wilson_95(events, trials).unwrap_or((2.0, -1.0));
            let p = events as f64 / trials as f64;
            prop_assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
        }
    }
}
