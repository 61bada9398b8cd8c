//! One comparison: a signal against a limit, and whether chance could have done it.

use model::{BaselineKind, BaselineValue, ErrorBound, Evidence, Test};
use policy::{GuardTest, Operator, RatioKind};

use super::{
    signal::Signal,
    truth::{Truth, Unknown},
};
use crate::{
    statistics,
    store::{HistogramCount, RatioCount},
};

/// How much a comparison has to show before it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Guarding {
    pub(crate) test: GuardTest,
    /// The exact test's level, one look.
    pub(crate) level: f64,
    pub(crate) min_requests: u64,
    /// The fewest bad ones that can break a limit.
    pub(crate) events_min: u64,
}

/// What a signal is compared with.
#[derive(Clone, Debug)]
pub(crate) enum Limit<'a> {
    Number(f64),
    Baseline { factor: f64, signal: &'a Signal, kind: BaselineKind },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// With the guard: what triggers act on.
    pub(crate) guarded: Truth,
    /// The bare number, given enough requests: what ends a breach.
    pub(crate) bare: Truth,
    /// `None` where there was no number.
    pub(crate) evidence: Option<Evidence>,
}

impl Compared {
    pub(crate) fn unknown(why: Unknown) -> Self {
        Self { guarded: Truth::Unknown(why), bare: Truth::Unknown(why), evidence: None }
    }
}

/// Compares `signal` (its `quantile`, if it is a histogram) with `limit`.
pub(crate) fn compare(
    metric: &str,
    signal: &Signal,
    quantile: f64,
    operator: Operator,
    limit: &Limit<'_>,
    guarding: &Guarding,
) -> Compared {
    let baseline = match baseline_value(limit, quantile, guarding) {
        Ok(baseline) => baseline,
        Err(why) => return Compared::unknown(why),
    };
    let limit_value = match (limit, &baseline) {
        (Limit::Number(number), _) => *number,
        (Limit::Baseline { factor, .. }, Some(baseline)) => factor * baseline.value,
        (Limit::Baseline { .. }, None) => f64::NAN,
    };
    let Some(value) = signal.value(quantile).filter(|_| !limit_value.is_nan()) else {
        return Compared::unknown(Unknown::NoData);
    };
    let evidence = Evidence {
        metric: metric.to_owned(),
        value,
        limit: limit_value,
        requests: signal.requests(),
        errors: 0,
        coverage: signal.coverage(),
        baseline,
        test: Test::None,
        error_bound: ErrorBound::Exact,
        comparison: None,
    };
    let holds = holds(operator, value, limit_value);
    match signal {
        Signal::Ratio(count) => compare_ratio(count, operator, holds, limit, guarding, evidence),
        Signal::Histogram(count) => {
            compare_quantile(count, quantile, operator, holds, limit, guarding, evidence)
        }
        // A gauge has no requests to count and a throughput is the count itself: only the number speaks.
        Signal::Gauge(_) | Signal::Throughput(_) => {
            Compared { guarded: holds.into(), bare: holds.into(), evidence: Some(evidence) }
        }
    }
}

/// The bare comparison.
pub(crate) fn holds(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
    }
}

fn baseline_value(
    limit: &Limit<'_>,
    quantile: f64,
    guarding: &Guarding,
) -> Result<Option<BaselineValue>, Unknown> {
    let Limit::Baseline { signal, kind, .. } = limit else { return Ok(None) };
    if let Signal::Ratio(count) = signal
        && count.part > count.total
    {
        return Err(Unknown::Torn);
    }
    let is_counted = matches!(signal, Signal::Ratio(_) | Signal::Histogram(_));
    if is_counted && signal.requests() < guarding.min_requests {
        return Err(Unknown::TooFewRequests);
    }
    let value = signal.value(quantile).ok_or(Unknown::NoData)?;
    Ok(Some(BaselineValue { kind: kind.clone(), value, requests: signal.requests() }))
}

/// Which way chance is measured; `None` for `==` and `!=`, which have no tail.
fn is_upward(operator: Operator) -> Option<bool> {
    match operator {
        Operator::Greater | Operator::GreaterOrEqual => Some(true),
        Operator::Less | Operator::LessOrEqual => Some(false),
        Operator::Equal | Operator::NotEqual => None,
    }
}

fn compare_ratio(
    count: &RatioCount,
    operator: Operator,
    holds: bool,
    limit: &Limit<'_>,
    guarding: &Guarding,
    mut evidence: Evidence,
) -> Compared {
    evidence.errors = match count.kind {
        RatioKind::Bad => count.part,
        RatioKind::Good => count.total.saturating_sub(count.part),
    };
    if count.part > count.total {
        let torn = Truth::Unknown(Unknown::Torn);
        return Compared { guarded: torn, bare: torn, evidence: Some(evidence) };
    }
    let is_upward = is_upward(operator);
    let events = if is_upward == Some(false) { count.total - count.part } else { count.part };
    let test = |level: f64| {
        let is_upward = is_upward?;
        let (ratio, level) = ratio_limit(limit, is_upward, level);
        let guard = if is_upward {
            statistics::guard_fires(ratio, count.part, count.total, level)
        } else {
            statistics::guard_fires_below(ratio, count.part, count.total, level)
        };
        Some((guard, level))
    };
    guard_count(count.total, events, holds, guarding, evidence, test)
}

/// The ratio that is tested and the level left for testing it.
///
/// A baseline is itself a measurement. Bonferroni: half of the level goes into a one-sided Clopper-Pearson bound
/// of the baseline, the other half into the test against `factor` times that bound, so that both together are
/// wrong with probability at most the level.
fn ratio_limit(limit: &Limit<'_>, is_upward: bool, level: f64) -> (f64, f64) {
    match limit {
        Limit::Number(number) => (*number, level),
        Limit::Baseline { factor, signal: Signal::Ratio(baseline), .. } => {
            let half = level / 2.0;
            let bound = if is_upward {
                statistics::upper_bound(baseline.part, baseline.total, half)
            } else {
                statistics::lower_bound(baseline.part, baseline.total, half)
            };
            (factor * bound, half)
        }
        Limit::Baseline { .. } => (f64::NAN, level),
    }
}

fn compare_quantile(
    count: &HistogramCount,
    quantile: f64,
    operator: Operator,
    holds: bool,
    limit: &Limit<'_>,
    guarding: &Guarding,
    mut evidence: Evidence,
) -> Compared {
    evidence.error_bound = count.error_bound();
    let holds = holds || operator == Operator::Greater && is_beyond_last_bound(count, quantile, &evidence);
    let is_upward = is_upward(operator);
    let tested = is_upward
        .filter(|_| holds)
        .and_then(|is_upward| quantile_limit(limit, evidence.limit, is_upward, quantile, guarding.level));
    let seconds = tested.map_or(evidence.limit, |(seconds, _)| seconds);
    // What is not proved to be on the wrong side of the limit is not held against anything.
    let slow = match is_upward {
        Some(false) => count.count_above_at_most(seconds),
        _ => count.count_above(seconds),
    };
    evidence.errors = slow;
    let is_exact = guarding.test == GuardTest::Exact && is_upward.is_some();
    if is_exact && tested.is_none() && holds {
        // The baseline holds too few observations to bound its quantile.
        let thin = Truth::Unknown(Unknown::TooFewRequests);
        return Compared { guarded: thin, bare: holds.into(), evidence: Some(evidence) };
    }
    let events = if is_upward == Some(false) { count.total() - slow } else { slow };
    let test = |_: f64| {
        let (is_upward, (_, level)) = (is_upward?, tested?);
        let share_slow = 1.0 - quantile;
        let guard = if is_upward {
            statistics::guard_fires(share_slow, slow, count.total(), level)
        } else {
            statistics::guard_fires_below(share_slow, slow, count.total(), level)
        };
        Some((guard, level))
    };
    let mut compared = guard_count(count.total(), events, holds, guarding, evidence, test);
    if guarding.test == GuardTest::None && compared.guarded.is_true() {
        compared.guarded = is_certain(slow, count.total(), quantile, is_upward).into();
    }
    compared
}

/// Whether whole buckets show the quantile on its side of the limit, where `slow` is the fewest (upward) or the most
/// (downward) observations above it. `==` and `!=` compare the interpolated number.
fn is_certain(slow: u64, total: u64, quantile: f64, is_upward: Option<bool>) -> bool {
    let allowed = (1.0 - quantile) * total as f64;
    match is_upward {
        Some(true) => slow as f64 > allowed,
        Some(false) => (slow as f64) < allowed,
        None => true,
    }
}

/// As in PromQL, a quantile beyond the last finite bound is that bound. Where the limit is the same number, the
/// quantile is above it nevertheless: what the last bucket holds is slower than its bound.
fn is_beyond_last_bound(count: &HistogramCount, quantile: f64, evidence: &Evidence) -> bool {
    let slow = count.count_above(evidence.limit) as f64;
    evidence.value == evidence.limit && slow >= (1.0 - quantile) * count.total() as f64 + 0.5
}

/// The seconds that requests are counted above, and the level left for testing the count. A baseline's quantile
/// is replaced by the order statistic that bounds it at half of the level, as in [`ratio_limit`]; `None` where
/// the baseline has too few observations for one.
fn quantile_limit(
    limit: &Limit<'_>,
    limit_value: f64,
    is_upward: bool,
    quantile: f64,
    level: f64,
) -> Option<(f64, f64)> {
    let Limit::Baseline { factor, signal, .. } = limit else { return Some((limit_value, level)) };
    let Signal::Histogram(baseline) = signal else { return None };
    let (half, total) = (level / 2.0, baseline.total());
    let rank = if is_upward {
        statistics::upper_rank(total, quantile, half)?
    } else {
        statistics::lower_rank(total, quantile, half)?
    };
    let bound = baseline.quantile(rank as f64 / total as f64).filter(|seconds| seconds.is_finite())?;
    Some((factor * bound, half))
}

/// What ratios and quantiles share: enough requests, the bare number, enough bad ones, the tail.
fn guard_count(
    requests: u64,
    events: u64,
    holds: bool,
    guarding: &Guarding,
    mut evidence: Evidence,
    test: impl Fn(f64) -> Option<(statistics::Guard, f64)>,
) -> Compared {
    if requests < guarding.min_requests {
        let thin = Truth::Unknown(Unknown::TooFewRequests);
        return Compared { guarded: thin, bare: thin, evidence: Some(evidence) };
    }
    let bare = Truth::from(holds);
    if !holds || guarding.test == GuardTest::None {
        return Compared { guarded: bare, bare, evidence: Some(evidence) };
    }
    let Some((guard, level)) = test(guarding.level) else {
        return Compared { guarded: bare, bare, evidence: Some(evidence) };
    };
    evidence.test = Test::Exact { level, tail_probability: guard.tail_probability };
    let guarded = if events < guarding.events_min {
        Truth::Unknown(Unknown::TooFewRequests)
    } else {
        Truth::from(guard.fires)
    };
    Compared { guarded, bare, evidence: Some(evidence) }
}
