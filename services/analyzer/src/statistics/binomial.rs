//! Exact tails of the binomial distribution.
//!
//! A tail is the regularised incomplete beta function, `P(Bin(n, p) >= x) = I_p(x, n - x + 1)`: the point
//! probability at `x` times a continued fraction (Abramowitz and Stegun 26.5.8, evaluated by Lentz' method).
//! The point probability is taken from the deviance and Stirling's error (C. Loader, "Fast and Accurate
//! Computation of Binomial Probabilities", 2000) instead of differences of log-gammas, which lose a digit for
//! every digit of `n`. All transcendental functions are `libm`'s, so that every platform decides alike.

use std::f64::consts::TAU;

/// Up to here the terms are summed one by one: as fast as the fraction, and nothing is left to convergence.
const DIRECT_TRIALS_MAX: u64 = 48;

/// The fraction needs about `sqrt(n)` steps near the mean; 2^20 steps are enough for `n` = 10^12. Where it ends
/// short of convergence the tail is near one half, far from any level that decides.
const FRACTION_STEPS_MAX: u32 = 1 << 20;

/// Relative change at which the fraction counts as converged.
const FRACTION_TOLERANCE: f64 = 1e-15;

/// Lentz' stand-in for a denominator of zero.
const TINY: f64 = 1e-300;

/// `P(X >= events)` for `X ~ Bin(trials, probability)`.
///
/// `probability` outside 0..=1 counts as the nearer end; NaN gives NaN.
pub fn upper_tail(trials: u64, probability: f64, events: u64) -> f64 {
    tail(trials, probability, 1.0 - probability, events)
}

/// `P(X <= events)` for `X ~ Bin(trials, probability)`.
pub fn lower_tail(trials: u64, probability: f64, events: u64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    tail(trials, 1.0 - probability, probability, trials - events)
}

/// `P(X >= events)` with success probability `p` and `q = 1 - p`, both given so that neither is rounded away.
fn tail(trials: u64, p: f64, q: f64, events: u64) -> f64 {
    if p.is_nan() || q.is_nan() {
        return f64::NAN;
    }
    if events == 0 || p >= 1.0 {
        return if events > trials { 0.0 } else { 1.0 };
    }
    if events > trials || p <= 0.0 {
        return 0.0;
    }
    if trials <= DIRECT_TRIALS_MAX {
        return direct_sum(trials, p, q, events);
    }
    let (n, x) = (trials as f64, events as f64);
    if p <= (x + 1.0) / (n + 3.0) {
        fraction_tail(trials, p, q, events)
    } else {
        (1.0 - fraction_tail(trials, q, p, trials - events + 1)).max(0.0)
    }
}

/// Sums the tail's terms from the smallest to the largest.
fn direct_sum(trials: u64, p: f64, q: f64, events: u64) -> f64 {
    let above_mean = events as f64 > trials as f64 * p;
    if !above_mean {
        return (1.0 - direct_sum_of(trials, p, q, 0..events)).max(0.0);
    }
    direct_sum_of(trials, p, q, events..trials + 1)
}

fn direct_sum_of(trials: u64, p: f64, q: f64, events: std::ops::Range<u64>) -> f64 {
    let sum: f64 = events.rev().map(|at| point(trials, p, q, at)).sum();
    sum.min(1.0)
}

fn fraction_tail(trials: u64, p: f64, q: f64, events: u64) -> f64 {
    let head = point(trials, p, q, events) * q;
    if head == 0.0 {
        return 0.0;
    }
    (head * beta_fraction(events as f64, (trials - events) as f64 + 1.0, p)).clamp(0.0, 1.0)
}

/// The continued fraction of the incomplete beta function at `x`, which converges fast for
/// `x < (a + 1) / (a + b + 2)`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..=FRACTION_STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let change = d * c;
        value *= change;
        if (change - 1.0).abs() < FRACTION_TOLERANCE {
            break;
        }
    }
    value
}

/// `P(X = events)`, 0 < `p` < 1.
fn point(trials: u64, p: f64, q: f64, events: u64) -> f64 {
    let (n, x, rest) = (trials as f64, events as f64, (trials - events) as f64);
    if events == 0 {
        return libm::exp(n * log_complement(p, q));
    }
    if events == trials {
        return libm::exp(n * log_complement(q, p));
    }
    let error = stirling_error(n) - stirling_error(x) - stirling_error(rest);
    let exponent = error - deviance(x, n * p) - deviance(rest, n * q);
    libm::exp(exponent) * (n / (TAU * x * rest)).sqrt()
}

/// `ln(complement)` where `complement = 1 - part`, from whichever of the two is the exact one.
fn log_complement(part: f64, complement: f64) -> f64 {
    if part < 0.5 { libm::log1p(-part) } else { libm::log(complement) }
}

/// `ln(n!)` minus Stirling's approximation of it.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        return libm::lgamma(n + 1.0) - (n + 0.5) * libm::log(n) + n - 0.5 * libm::log(TAU);
    }
    let square = n * n;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / n
}

/// `x ln(x / mean) + mean - x`, without cancellation where `x` is near `mean`.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * libm::log(x / mean) - difference;
    }
    let ratio = difference / (x + mean);
    let square = ratio * ratio;
    let mut sum = difference * ratio;
    let mut term = 2.0 * x * ratio;
    for step in 1..1000 {
        term *= square;
        let next = sum + term / f64::from(2 * step + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sums the tail in exact integer arithmetic for p = `numerator` / `denominator`: the numerator of the tail
    /// over `denominator^trials`, both as `u128`.
    fn rational_tail(trials: u32, numerator: u128, denominator: u128, events: u32) -> f64 {
        let mut binomial = 1_u128;
        let mut sum = 0_u128;
        for at in 0..=trials {
            if at >= events {
                sum += binomial * numerator.pow(at) * (denominator - numerator).pow(trials - at);
            }
            binomial = binomial * u128::from(trials - at) / u128::from(at + 1);
        }
        sum as f64 / denominator.pow(trials) as f64
    }

    /// The tail by the plain recurrence of the terms, compensated: independent of deviance and fraction.
    fn summed_tail(trials: u64, p: f64, events: u64) -> f64 {
        let mut log_term = trials as f64 * (-p).ln_1p();
        let mut sum = 0.0;
        for at in 0..=trials {
            if at >= events {
                sum += log_term.exp();
            }
            log_term += ((trials - at) as f64 / (at + 1) as f64).ln() + p.ln() - (-p).ln_1p();
        }
        sum
    }

    fn assert_close(got: f64, want: f64, tolerance: f64, what: &str) {
        let scale = want.abs().max(1e-290);
        assert!(((got - want) / scale).abs() <= tolerance, "{what}: got {got:e}, want {want:e}");
    }

    #[test]
    fn small_tails_equal_exact_rational_sums() {
        for (trials, numerator, denominator, events) in [
            (1, 1, 100, 1),
            (5, 1, 100, 5),
            (16, 1, 100, 4),
            (19, 1, 20, 3),
            (30, 1, 10, 4),
            (18, 9, 10, 18),
            (25, 1, 2, 13),
        ] {
            let want = rational_tail(trials, numerator, denominator, events);
            let p = numerator as f64 / denominator as f64;
            let got = upper_tail(u64::from(trials), p, u64::from(events));
            assert_close(got, want, 1e-13, &format!("{events} of {trials} at {p}"));
        }
    }

    #[test]
    fn the_figures_of_the_statistics_page_hold() {
        // "11 at n = 300", "4 at n = 30", "1 error in 1 request ... the exact form gives" no firing (1.7).
        assert!(upper_tail(300, 0.01, 11) <= 0.001);
        assert!(upper_tail(300, 0.01, 10) > 0.001);
        assert!(upper_tail(30, 0.01, 4) <= 0.001);
        assert!(upper_tail(30, 0.01, 3) > 0.001);
        assert_close(upper_tail(1, 0.01, 1), 0.01, 1e-14, "one of one at 1 %");
    }

    #[test]
    fn ends_of_the_range_are_exact() {
        assert_eq!(upper_tail(10, 0.3, 0), 1.0);
        assert_eq!(upper_tail(10, 0.3, 11), 0.0);
        assert_eq!((upper_tail(10, 0.0, 1), upper_tail(10, 1.0, 10)), (0.0, 1.0));
        assert_eq!((upper_tail(0, 0.5, 0), upper_tail(0, 0.5, 1)), (1.0, 0.0));
        assert_eq!((lower_tail(10, 0.3, 10), lower_tail(0, 0.5, 0)), (1.0, 1.0));
        assert!(upper_tail(10, f64::NAN, 3).is_nan());
    }

    #[test]
    fn large_counts_stay_accurate_and_terminate() {
        // At 10^12 trials the normal limit is the reference, good to its own error.
        assert_close(upper_tail(100_000, 0.01, 1_100), summed_tail(100_000, 0.01, 1_100), 1e-8, "100 k");
        let half = upper_tail(1_000_000_000_000, 0.5, 500_000_000_000);
        assert!((half - 0.5).abs() < 1e-5, "{half}");
        let five_sigma = upper_tail(1_000_000_000_000, 0.5, 500_002_500_000);
        assert_close(five_sigma, 2.866_516e-7, 1e-4, "five standard deviations of 10^12");
        assert_eq!(upper_tail(1_000_000_000, 0.01, 500_000_000), 0.0);
    }

    #[test]
    fn a_tiny_probability_is_not_rounded_away() {
        // 1 - (1 - p)^n = n p to first order.
        assert_close(upper_tail(100, 1e-18, 1), 1e-16, 1e-12, "upper");
        assert_close(lower_tail(100, 1e-18, 0), 1.0, 1e-15, "lower");
    }

    proptest! {
        #[test]
        fn tails_agree_with_plain_summation(trials in 1_u64..2_000, permille in 1_u64..1_000, share in 0.0..1.0_f64) {
            let p = permille as f64 / 1_000.0;
            let events = (trials as f64 * share) as u64;
            let want = summed_tail(trials, p, events);
            let got = upper_tail(trials, p, events);
            prop_assert!((got - want).abs() <= 1e-9 * want + 1e-13, "got {got:e}, want {want:e}");
        }

        #[test]
        fn the_two_tails_share_one_point(trials in 1_u64..5_000, p in 0.0001..0.9999_f64, share in 0.0..1.0_f64) {
            let events = ((trials as f64 * share) as u64).max(1);
            let whole = upper_tail(trials, p, events) + lower_tail(trials, p, events - 1);
            prop_assert!((whole - 1.0).abs() < 1e-10, "{whole}");
        }

        #[test]
        fn more_events_are_never_more_likely(trials in 1_u64..100_000, p in 0.0001..0.9999_f64, events in 0_u64..1_000) {
            prop_assert!(upper_tail(trials, p, events) + 1e-14 >= upper_tail(trials, p, events + 1));
        }
    }
}
