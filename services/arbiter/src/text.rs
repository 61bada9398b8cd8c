//! Sentences for people who were asleep a minute ago: names, numbers with units, one line a reason.

use std::time::Duration;

use model::{
    BaselineKind, Comparison, Counts, ErrorBound, Evidence, Reason, Release, ReleaseRef, Test, Timestamp,
};
use policy::{Policy, Shape};

/// What a metric's bare number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Ratio,
    Seconds,
    Plain,
}

/// `checkout 2.4.1 in production`, and the cluster where one is known.
pub(crate) fn name_of(release: &Release) -> String {
    name(&release.reference())
}

/// As [`name_of`].
pub(crate) fn name(release: &ReleaseRef) -> String {
    let cluster = release.cluster.as_ref().map(|cluster| format!(" ({cluster})")).unwrap_or_default();
    format!("{} {} in {}{cluster}", release.key.service, release.version, release.key.environment)
}

/// `error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests)`.
pub(crate) fn reason(policy: Option<&Policy>, reason: &Reason) -> String {
    let Some(evidence) = reason.evidence.first() else { return reason.condition.clone() };
    let unit = unit_of(policy, &evidence.metric, &reason.condition);
    let operator = if evidence.value < evidence.limit {
        "<"
    } else if evidence.value > evidence.limit {
        ">"
    } else {
        "="
    };
    let over = if reason.window.is_zero() { String::new() } else { format!(" over {}", span(reason.window)) };
    format!(
        "{} {} {operator} {}{over}{}",
        evidence.metric,
        number(evidence.value, unit),
        number(evidence.limit, unit),
        requests(evidence)
    )
}

/// Everything about a reason, for the person who wants to refute it.
pub(crate) fn reason_in_full(policy: Option<&Policy>, broken: &Reason) -> String {
    let mut parts = vec![format!("{} ({})", reason(policy, broken), broken.condition)];
    if !broken.hold.is_zero() {
        parts.push(format!("held for {}", span(broken.hold)));
    }
    for (at, evidence) in broken.evidence.iter().enumerate() {
        let unit = unit_of(policy, &evidence.metric, &broken.condition);
        if at > 0 {
            let (value, limit) = (number(evidence.value, unit), number(evidence.limit, unit));
            parts.push(format!("{} {value} against {limit}{}", evidence.metric, requests(evidence)));
        }
        parts.extend(baseline(evidence, unit));
        if evidence.error_bound == ErrorBound::Bucket {
            parts.push(format!(
                "{} is interpolated inside a histogram bucket; only requests in buckets beyond {} count as slower",
                evidence.metric,
                number(evidence.limit, unit)
            ));
        }
        parts.extend(evidence.comparison.as_ref().filter(|it| it.is_worse()).map(worse_than));
        parts.extend(test(evidence.test));
        if evidence.coverage < 1.0 {
            parts.push(format!("{} of the window covered", number(evidence.coverage, Unit::Ratio)));
        }
    }
    parts.push(format!("evidence of {}", broken.evidence_at));
    if !broken.cause.as_str().is_empty() {
        parts.push(format!("caused by {}", broken.cause));
    }
    parts.join("; ")
}

fn requests(evidence: &Evidence) -> String {
    if evidence.requests == 0 {
        return String::new();
    }
    // Of a bucketed latency the count is what whole buckets prove; the quantile beside it is an estimate.
    let at_least = if evidence.error_bound == ErrorBound::Bucket { "at least " } else { "" };
    format!(" ({at_least}{} of {} requests)", evidence.errors, evidence.requests)
}

fn baseline(evidence: &Evidence, unit: Unit) -> Option<String> {
    let baseline = evidence.baseline.as_ref()?;
    let whose = match &baseline.kind {
        BaselineKind::Beside { version } => format!("{version} beside it"),
        BaselineKind::Before => "the same window before the deployment".to_owned(),
    };
    Some(format!("{whose}: {} of {} requests", number(baseline.value, unit), baseline.requests))
}

fn worse_than(comparison: &Comparison) -> String {
    let whose = match &comparison.baseline {
        BaselineKind::Beside { version } => format!("{version} beside it"),
        BaselineKind::Before => "before the deployment".to_owned(),
    };
    format!("worse than {whose}: {}", compared(comparison))
}

/// `135 of 300 bad requests (45 %) against 300 of 6000 (5 %); chance alone shows that once in 22,000,000 cases`.
pub(crate) fn compared(comparison: &Comparison) -> String {
    let Comparison { release, before, probability, .. } = comparison;
    format!(
        "{} of {} bad requests ({}) against {} of {} ({}); chance alone shows that {}",
        release.bad,
        release.total,
        share(*release),
        before.bad,
        before.total,
        share(*before),
        frequency(*probability)
    )
}

/// How often something of this probability happens: `in 12 % of cases`, `once in 22,000,000 cases`.
fn frequency(probability: f64) -> String {
    const RARE: f64 = 0.01;
    const BEYOND_COUNTING: f64 = 1e-12;
    if probability >= RARE {
        return format!("in {} of cases", number(probability, Unit::Ratio));
    }
    if probability < BEYOND_COUNTING {
        return "less than once in 1,000,000,000,000 cases".to_owned();
    }
    // Two digits: a third says nothing about something so rare.
    let cases = 1.0 / probability;
    let unit = 10_f64.powf(cases.log10().floor() - 1.0);
    format!("once in {} cases", grouped(((cases / unit).round() * unit) as u64))
}

/// `22,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The share of bad requests: `8.3 %`.
pub(crate) fn share(counts: Counts) -> String {
    number(counts.share(), Unit::Ratio)
}

fn test(test: Test) -> Option<String> {
    let Test::Exact { level, tail_probability } = test else { return None };
    let (seen, needed) = (frequency(tail_probability), frequency(level));
    Some(format!("at the limit itself chance shows so many {seen}; it has to be rarer than {needed}"))
}

/// A value in its metric's unit.
pub(crate) fn value(policy: Option<&Policy>, evidence: &Evidence, condition: &str, value: f64) -> String {
    number(value, unit_of(policy, &evidence.metric, condition))
}

/// By the metric's definition; where there is none, by how the condition is written.
fn unit_of(policy: Option<&Policy>, metric: &str, condition: &str) -> Unit {
    match policy.and_then(|policy| policy.shape(without_quantile(metric))) {
        Some(Shape::Ratio(_)) => Unit::Ratio,
        Some(Shape::Histogram) => Unit::Seconds,
        Some(_) => Unit::Plain,
        None if condition.contains('%') => Unit::Ratio,
        None if without_quantile(metric) != metric => Unit::Seconds,
        None => Unit::Plain,
    }
}

/// `response_time_p95` is a quantile of `response_time`.
fn without_quantile(metric: &str) -> &str {
    match metric.rsplit_once("_p") {
        Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => metric,
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => format!("{} %", three_digits(value * 100.0)),
        Unit::Seconds if value.abs() < 1.0 => format!("{} ms", three_digits(value * 1000.0)),
        Unit::Seconds => format!("{} s", three_digits(value)),
        Unit::Plain => three_digits(value),
    }
}

/// Three significant digits, without zeros that say nothing; whole numbers stay whole.
fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals: usize = match magnitude {
        _ if !magnitude.is_finite() || magnitude >= 100.0 => 0,
        _ if magnitude >= 10.0 => 1,
        _ if magnitude >= 1.0 => 2,
        _ if magnitude >= 0.1 => 3,
        _ if magnitude >= 0.01 => 4,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2026-11-23 10:00:00 UTC`: nobody needs milliseconds to read a clock.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => text,
    }
}

/// `5m`, `1h30m`, `250ms`: as the policy writes durations.
pub(crate) fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut rest = millis;
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

/// `cart, payments, search and 4 more`.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_their_unit_and_no_more_digits_than_they_are_worth() {
        for (value, unit, expected) in [
            (0.082_990_6, Unit::Ratio, "8.3 %"),
            (0.01, Unit::Ratio, "1 %"),
            (0.000_1, Unit::Ratio, "0.01 %"),
            (0.0, Unit::Ratio, "0 %"),
            (1.0, Unit::Ratio, "100 %"),
            (0.31, Unit::Seconds, "310 ms"),
            (1.254, Unit::Seconds, "1.25 s"),
            (18_231.0, Unit::Plain, "18231"),
            (f64::NAN, Unit::Plain, "NaN"),
        ] {
            assert_eq!(number(value, unit), expected);
        }
    }

    #[test]
    fn probabilities_read_as_how_often_it_happens() {
        for (probability, expected) in [
            (0.88, "in 88 % of cases"),
            (0.01, "in 1 % of cases"),
            (0.0001, "once in 10,000 cases"),
            (4.6e-8, "once in 22,000,000 cases"),
            (1.02e-12, "once in 980,000,000,000 cases"),
            (1e-300, "less than once in 1,000,000,000,000 cases"),
            (0.0, "less than once in 1,000,000,000,000 cases"),
        ] {
            assert_eq!(frequency(probability), expected);
        }
    }

    #[test]
    fn durations_read_as_the_policy_writes_them() {
        for (millis, expected) in
            [(0, "0s"), (250, "250ms"), (300_000, "5m"), (5_400_000, "1h30m"), (90_061_000, "1d1h1m1s")]
        {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(["a", "b", "c"]), "a, b, c");
        assert_eq!(list(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
