//! Numbers as people write them.

use std::time::Duration;

use model::{BaselineKind, Evidence, Reason};

/// What unit a metric's values have. Evidence carries bare numbers (ratios 0..=1, times in seconds); the
/// condition as written and the metric's name say which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Percent,
    Seconds,
    Bare,
}

/// Words in the name of a metric whose values are seconds.
const TIME_WORDS: [&str; 4] = ["response_time", "latency", "duration", "seconds"];

/// Words in the name of a metric whose values are ratios.
const RATIO_WORDS: [&str; 4] = ["_rate", "ratio", "availability", "percentage"];

fn unit(evidence: &Evidence, condition: &str) -> Unit {
    let metric = evidence.metric.as_str();
    if TIME_WORDS.iter().any(|word| metric.contains(word)) {
        return Unit::Seconds;
    }
    let is_ratio = RATIO_WORDS.iter().any(|word| metric.contains(word)) || condition.contains('%');
    let is_above_one = evidence.value.abs() > 1.0;
    if is_ratio && !is_above_one { Unit::Percent } else { Unit::Bare }
}

fn show(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    match unit {
        Unit::Percent => format!("{} %", rounded(value * 100.0)),
        Unit::Seconds if value.abs() < 1.0 => format!("{} ms", rounded(value * 1000.0)),
        Unit::Seconds => format!("{} s", rounded(value)),
        Unit::Bare => rounded(value),
    }
}

/// Three significant digits without trailing zeros; whole numbers are left whole.
fn rounded(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude >= 100.0 || magnitude == 0.0 {
        0
    } else {
        // Small numbers (a tail of 0.000012) keep three digits too, up to a limit that still reads.
        usize::try_from((2.0 - magnitude.log10().floor()).clamp(0.0, 9.0) as i64).unwrap_or(0)
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `error_rate 8.3 % > 1 %`.
pub(super) fn comparison(reason: &Reason, evidence: &Evidence) -> String {
    let unit = unit(evidence, &reason.condition);
    let operator = operator(&reason.condition, evidence);
    format!("{} {} {operator} {}", evidence.metric, show(evidence.value, unit), show(evidence.limit, unit))
}

/// The operator that the condition has after the metric; where that cannot be told, the one that holds.
fn operator<'a>(condition: &'a str, evidence: &Evidence) -> &'a str {
    let after = condition.split_once(evidence.metric.as_str()).map_or("", |(_, after)| after.trim_start());
    let written = [">=", "<=", "==", "!=", ">", "<"].into_iter().find(|operator| after.starts_with(operator));
    written.unwrap_or(if evidence.value < evidence.limit { "<" } else { ">" })
}

/// `0.09 % (2.4.0 beside it, 20,000 requests)`.
pub(super) fn baseline(reason: &Reason, evidence: &Evidence) -> Option<String> {
    let baseline = evidence.baseline.as_ref()?;
    let what = match &baseline.kind {
        BaselineKind::Beside { version } => format!("{version} beside it"),
        BaselineKind::Before => "before the deployment".to_owned(),
    };
    let value = show(baseline.value, unit(evidence, &reason.condition));
    Some(format!("{value} ({what}, {} requests)", grouped(baseline.requests)))
}

/// `5m, 97 % of it seen`.
pub(super) fn window(reason: &Reason, evidence: &Evidence) -> String {
    let hold =
        if reason.hold.is_zero() { String::new() } else { format!(", held {}", duration(reason.hold)) };
    let length = if reason.window.is_zero() { return String::new() } else { duration(reason.window) };
    let is_partial = evidence.coverage > 0.0 && evidence.coverage < 1.0;
    let seen = if is_partial {
        format!(", {} of it seen", show(evidence.coverage, Unit::Percent))
    } else {
        String::new()
    };
    format!("{length}{hold}{seen}")
}

/// `1,513 of 18,231 failed`.
pub(super) fn requests(reason: &Reason, evidence: &Evidence) -> String {
    let total = grouped(evidence.requests);
    let wrong = grouped(evidence.errors);
    match (evidence.requests, unit(evidence, &reason.condition)) {
        (0, _) => String::new(),
        (_, Unit::Seconds) => format!("{wrong} of {total} too slow"),
        (_, Unit::Percent) if evidence.metric.contains("error") => format!("{wrong} of {total} failed"),
        (_, Unit::Percent) => format!("{wrong} of {total} on the wrong side"),
        (_, Unit::Bare) => total,
    }
}

/// `1.7e-12; acts at 0.0001`.
pub(super) fn chance(probability: f64, level: f64) -> String {
    format!("{probability:.1e}, fires at {level}")
}

/// `18,231`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `5m`, `1h30m`, `90s` as `1m30s`.
pub(super) fn duration(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (seconds, unit) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_read_as_a_person_would_write_them() {
        for (metric, condition, value, limit, text) in [
            ("error_rate", "error_rate > 1%", 0.083, 0.01, "error_rate 8.3 % > 1 %"),
            ("error_rate", "error_rate > 0.05%", 0.000_612, 0.0005, "error_rate 0.0612 % > 0.05 %"),
            ("response_time_p95", "response_time_p95 > 1s", 1.2345, 1.0, "response_time_p95 1.23 s > 1 s"),
            (
                "response_time_p95",
                "response_time_p95 >= 400ms",
                0.4567,
                0.4,
                "response_time_p95 457 ms >= 400 ms",
            ),
            (
                "conversion_rate",
                "conversion_rate < baseline * 0.9",
                0.02,
                0.0306,
                "conversion_rate 2 % < 3.06 %",
            ),
            ("cpu_usage", "error_rate > 1% and cpu_usage > 3", 3.5, 3.0, "cpu_usage 3.5 > 3"),
            ("throughput", "baseline * 0.5 > throughput", 120.0, 500.0, "throughput 120 < 500"),
            ("error_rate", "error_rate > 1%", f64::NAN, 0.01, "error_rate unknown > 1 %"),
        ] {
            let evidence = Evidence { metric: metric.into(), value, limit, ..Evidence::default() };
            let reason = Reason { condition: condition.into(), ..Reason::default() };
            assert_eq!(comparison(&reason, &evidence), text);
        }
    }

    #[test]
    fn counts_are_grouped_and_durations_short() {
        let grouped_ones = [0, 999, 1000, 18_231, 1_234_567].map(grouped);
        assert_eq!(grouped_ones, ["0", "999", "1,000", "18,231", "1,234,567"]);
        assert_eq!(
            [0, 300, 90, 90_000].map(|seconds| duration(Duration::from_secs(seconds))),
            ["0s", "5m", "1m30s", "1d1h"]
        );
    }
}
