//! The exact two-sample test: is one share of bad requests larger than another?
//!
//! Fisher's test, with a margin. Given how many requests were bad in all, the number of them that fell to the
//! release follows Fisher's noncentral hypergeometric distribution, whatever the common rate was: that rate, which
//! no one knows, drops out. The margin is a ratio of odds, which is a ratio of rates where bad requests are rare and
//! stays meaningful where they are not. The distribution is summed from its mode outwards by the ratio of
//! neighbouring terms: sums and products of positive numbers only, so every platform decides alike.

use model::Counts;

/// Terms smaller than this beside the largest one add nothing that a double could hold.
const NEGLIGIBLE: f64 = 1e-300;

/// `P(X >= release.bad)`, were the odds of a bad request of the release `margin` times those of the baseline.
///
/// The smaller, the surer it is that the release is worse by more than the margin. 1 where either side has no
/// requests, or more bad ones than requests.
pub fn worse_tail(release: Counts, baseline: Counts, margin: f64) -> f64 {
    let is_whole = |counts: Counts| counts.total > 0 && counts.bad <= counts.total;
    if !is_whole(release) || !is_whole(baseline) || margin.is_nan() || margin <= 0.0 {
        return 1.0;
    }
    Split::of(release, baseline, margin).upper_tail(release.bad)
}

/// How `bad` requests fall to the two sides.
struct Split {
    release: u64,
    baseline: u64,
    bad: u64,
    margin: f64,
}

impl Split {
    fn of(release: Counts, baseline: Counts, margin: f64) -> Self {
        let bad = release.bad.saturating_add(baseline.bad);
        Self { release: release.total, baseline: baseline.total, bad, margin }
    }

    fn lowest(&self) -> u64 {
        self.bad.saturating_sub(self.baseline)
    }

    fn highest(&self) -> u64 {
        self.bad.min(self.release)
    }

    /// `P(X = at + 1) / P(X = at)`; falls with `at`.
    fn ratio(&self, at: u64) -> f64 {
        let (release, baseline) = (self.release as f64, self.baseline as f64);
        let (bad, at) = (self.bad as f64, at as f64);
        self.margin * (release - at) * (bad - at) / ((at + 1.0) * (baseline - bad + at + 1.0))
    }

    /// The likeliest number.
    fn mode(&self) -> u64 {
        let (mut low, mut high) = (self.lowest(), self.highest());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.ratio(middle) > 1.0 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn upper_tail(&self, from: u64) -> f64 {
        let mode = self.mode();
        let (mut all, mut tail) = (0.0, 0.0);
        let mut add = |at: u64, term: f64| {
            all += term;
            tail += if at >= from { term } else { 0.0 };
        };
        let mut term = 1.0;
        for at in mode..=self.highest() {
            add(at, term);
            term *= self.ratio(at);
            if term < NEGLIGIBLE {
                break;
            }
        }
        term = 1.0;
        for at in (self.lowest()..mode).rev() {
            term /= self.ratio(at);
            if term < NEGLIGIBLE {
                break;
            }
            add(at, term);
        }
        tail / all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(bad: u64, total: u64) -> Counts {
        Counts { bad, total }
    }

    /// The distribution by binomial coefficients in integers.
    fn enumerated(release: Counts, baseline: Counts, margin: u128) -> f64 {
        let choose = |n: u64, k: u64| {
            (0..k).fold(1_u128, |product, at| product * u128::from(n - at) / u128::from(at + 1))
        };
        let bad = release.bad + baseline.bad;
        let support = bad.saturating_sub(baseline.total)..=bad.min(release.total);
        let weight =
            |at: u64| choose(release.total, at) * choose(baseline.total, bad - at) * margin.pow(at as u32);
        let all: u128 = support.clone().map(weight).sum();
        let tail: u128 = support.filter(|at| *at >= release.bad).map(weight).sum();
        tail as f64 / all as f64
    }

    #[test]
    fn fishers_own_tables_come_out() {
        for (release, baseline, want, story) in [
            (counts(3, 4), counts(1, 4), 17.0 / 70.0, "the lady tasting tea, three of four"),
            (counts(4, 4), counts(0, 4), 1.0 / 70.0, "all four"),
            (
                counts(10, 13),
                counts(2, 17),
                0.000_465_18,
                "Fisher's convicts: monozygotic and dizygotic twins",
            ),
        ] {
            let got = worse_tail(release, baseline, 1.0);
            assert!((got - want).abs() < 1e-7, "{story}: {got}");
        }
    }

    #[test]
    fn what_is_worse_and_what_is_not() {
        for (release, baseline, is_worse, story) in [
            (counts(135, 300), counts(300, 6000), true, "old 5 %, new 45 %"),
            (counts(60, 300), counts(1200, 6000), false, "a hotfix in an incident: as bad as before"),
            (counts(55, 500), counts(50, 500), false, "hardly more"),
            (counts(10_900, 100_000), counts(100_000, 1_000_000), false, "sure, but within the margin"),
            (counts(4, 4), counts(0, 100_000), true, "all of four where nothing failed before"),
            (counts(300, 300), counts(180, 300), true, "60 % and 100 %"),
            (counts(20, 100), counts(0, 3), false, "three clean requests prove nothing"),
        ] {
            assert_eq!(worse_tail(release, baseline, 1.25) <= 0.0001, is_worse, "{story}");
        }
    }

    #[test]
    fn nothing_and_nonsense_prove_nothing() {
        for (release, baseline, margin) in [
            (counts(0, 0), counts(0, 10), 1.0),
            (counts(5, 10), counts(0, 0), 1.0),
            (counts(11, 10), counts(0, 10), 1.0),
            (counts(5, 10), counts(11, 10), 1.0),
            (counts(5, 10), counts(0, 10), f64::NAN),
            (counts(5, 10), counts(0, 10), 0.0),
        ] {
            assert_eq!(worse_tail(release, baseline, margin), 1.0, "{release:?} {baseline:?} {margin}");
        }
    }

    #[test]
    fn large_counts_terminate_and_stay_a_probability() {
        let billion = 1_000_000_000;
        assert_eq!(worse_tail(counts(billion / 2, billion), counts(0, billion), 1.25), 0.0);
        let even = worse_tail(counts(billion / 10, billion), counts(billion / 10, billion), 1.0);
        assert!((even - 0.5).abs() < 1e-4, "{even}");
        // Three standard deviations of the difference of two shares: the normal limit of the tail.
        let three = worse_tail(counts(10_000 + 402, 100_000), counts(10_000, 100_000), 1.0);
        assert!((0.001..0.002).contains(&three), "{three}");
    }

    proptest! {
        #[test]
        fn it_is_the_enumerated_tail(
            release in (0_u64..25, 1_u64..25),
            baseline in (0_u64..25, 1_u64..25),
            margin in 1_u128..4,
        ) {
            let (release, baseline) = (counts(release.0.min(release.1), release.1), counts(baseline.0.min(baseline.1), baseline.1));
            let (got, want) = (worse_tail(release, baseline, margin as f64), enumerated(release, baseline, margin));
            prop_assert!((got - want).abs() <= 1e-12 + 1e-9 * want, "{got} {want}");
        }

        #[test]
        fn more_bad_requests_are_never_less_suspicious(bad in 0_u64..400, old in 0_u64..400, margin in 1.0..3.0_f64) {
            let tail = |bad| worse_tail(counts(bad, 401), counts(old, 401), margin);
            prop_assert!(tail(bad + 1) <= tail(bad) + 1e-12);
        }
    }
}
