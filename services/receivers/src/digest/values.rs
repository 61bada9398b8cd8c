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

/// The operator that the condition has after the metric; where that cannot be told, the one that holds.
fn operator<'a>(condition: &'a str, evidence: &Evidence) -> &'a str {
    let after = condition.split_once(evidence.metric.as_str()).map_or("", |(_, after)| after.trim_start());
    let written = [">=", "<=", "==", "!=", ">", "<"].into_iter().find(|operator| after.starts_with(operator));
    written.unwrap_or(if evidence.value < evidence.limit { "<" } else { ">" })
}

/// What a metric measures, as one reads about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject<'a> {
    /// A share of requests that failed.
    Failures,
    /// A quantile of a time: its name without suffix, and the suffix.
    Quantile(&'a str, &'a str),
    Other,
}

fn subject(evidence: &Evidence, unit: Unit) -> Subject<'_> {
    let metric = evidence.metric.as_str();
    let quantile = metric
        .rsplit_once("_p")
        .filter(|(_, digits)| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()));
    match (unit, quantile) {
        (Unit::Percent, _) if metric.contains("error") && evidence.value.is_finite() => Subject::Failures,
        (Unit::Seconds, Some((name, digits))) => Subject::Quantile(name, digits),
        _ => Subject::Other,
    }
}

/// `8.3 % of requests fail, limit 1 %`.
pub(super) fn short(reason: &Reason, evidence: &Evidence) -> String {
    let unit = unit(evidence, &reason.condition);
    let (value, limit) = (show(evidence.value, unit), show(evidence.limit, unit));
    let bound = if is_floor(reason, evidence) { "wanted at least" } else { "limit" };
    match subject(evidence, unit) {
        Subject::Failures => format!("{value} of requests fail, {bound} {limit}"),
        Subject::Quantile(name, digits) => format!("p{digits} of {name} is {value}, {bound} {limit}"),
        Subject::Other => format!("{} is {value}, {bound} {limit}", evidence.metric),
    }
}

/// `8.3 % of requests fail: 1,513 of 18,231 in the last 5m. The limit is 1 %. Beside it, 2.4.0 fails 0.09 % of
/// 20,000.`
pub(super) fn sentences(reason: &Reason, evidence: &Evidence) -> String {
    let unit = unit(evidence, &reason.condition);
    let (value, limit) = (show(evidence.value, unit), show(evidence.limit, unit));
    let (wrong, all) = (grouped(evidence.errors), grouped(evidence.requests));
    let over = seen(reason, evidence);
    let is_counted = evidence.requests > 0;
    let what = match subject(evidence, unit) {
        Subject::Failures if is_counted => format!("{value} of requests fail: {wrong} of {all}{over}."),
        Subject::Failures => format!("{value} of requests fail{over}."),
        Subject::Quantile(name, digits) if is_counted && evidence.errors > 0 => {
            format!(
                "p{digits} of {name} is {value}: {wrong} of {all} requests{over} took longer than the limit."
            )
        }
        Subject::Quantile(name, digits) => format!("p{digits} of {name} is {value}{over}."),
        Subject::Other if is_counted => format!("{} is {value} ({all} requests{over}).", evidence.metric),
        Subject::Other => format!("{} is {value}{over}.", evidence.metric),
    };
    let bound = if is_floor(reason, evidence) { "It should be at least" } else { "The limit is" };
    let held = match reason.hold.is_zero() {
        true => String::new(),
        false => format!(" It has been like this for {}.", duration(reason.hold)),
    };
    let baseline = baseline(reason, evidence).map(|text| format!(" {text}")).unwrap_or_default();
    format!("{what} {bound} {limit}.{held}{baseline}")
}

/// Whether the value has to stay above the limit.
fn is_floor(reason: &Reason, evidence: &Evidence) -> bool {
    operator(&reason.condition, evidence).starts_with('<')
}

/// ` in the last 5m`; of a window that is young, what was seen of it.
fn seen(reason: &Reason, evidence: &Evidence) -> String {
    if reason.window.is_zero() {
        return String::new();
    }
    let is_partial = evidence.coverage > 0.0 && evidence.coverage < 0.95;
    if !is_partial {
        return format!(" in the last {}", duration(reason.window));
    }
    let so_far = reason.window.mul_f64(evidence.coverage).max(Duration::from_secs(1));
    format!(" in the {} seen so far", duration(so_far))
}

/// `2.4.0 beside it: 0.09 % of 20,000 requests.`
fn baseline(reason: &Reason, evidence: &Evidence) -> Option<String> {
    let baseline = evidence.baseline.as_ref()?;
    let what = match &baseline.kind {
        BaselineKind::Beside { version } => format!("{version} beside it"),
        BaselineKind::Before => "Before the deployment".to_owned(),
    };
    let value = show(baseline.value, unit(evidence, &reason.condition));
    Some(format!("{what}: {value} of {} requests.", grouped(baseline.requests)))
}

/// `error_rate > 1% over 5m`, as the policy says it.
pub(super) fn rule(reason: &Reason) -> String {
    let over =
        if reason.window.is_zero() { String::new() } else { format!(" over {}", duration(reason.window)) };
    let hold = if reason.hold.is_zero() { String::new() } else { format!(", for {}", duration(reason.hold)) };
    format!("{}{over}{hold}", reason.condition)
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
            ("error_rate", "error_rate > 1%", 0.083, 0.01, "8.3 % of requests fail, limit 1 %"),
            (
                "error_rate",
                "error_rate > 0.05%",
                0.000_612,
                0.0005,
                "0.0612 % of requests fail, limit 0.05 %",
            ),
            (
                "response_time_p95",
                "response_time_p95 > 1s",
                1.2345,
                1.0,
                "p95 of response_time is 1.23 s, limit 1 s",
            ),
            (
                "response_time_p95",
                "response_time_p95 >= 400ms",
                0.4567,
                0.4,
                "p95 of response_time is 457 ms, limit 400 ms",
            ),
            (
                "conversion_rate",
                "conversion_rate < baseline * 0.9",
                0.02,
                0.0306,
                "conversion_rate is 2 %, wanted at least 3.06 %",
            ),
            ("cpu_usage", "error_rate > 1% and cpu_usage > 3", 3.5, 3.0, "cpu_usage is 3.5, limit 3"),
            (
                "throughput",
                "baseline * 0.5 > throughput",
                120.0,
                500.0,
                "throughput is 120, wanted at least 500",
            ),
            ("error_rate", "error_rate > 1%", f64::NAN, 0.01, "error_rate is unknown, limit 1 %"),
        ] {
            let evidence = Evidence { metric: metric.into(), value, limit, ..Evidence::default() };
            let reason = Reason { condition: condition.into(), ..Reason::default() };
            assert_eq!(short(&reason, &evidence), text);
        }
    }

    #[test]
    fn what_is_wrong_is_a_sentence_with_each_value_once() {
        let told =
            |metric: &str, condition: &str, (value, limit): (f64, f64), coverage: f64, requests: u64| {
                let evidence = Evidence {
                    metric: metric.into(),
                    value,
                    limit,
                    requests,
                    errors: requests / 10,
                    coverage,
                    ..Evidence::default()
                };
                let window = Duration::from_secs(300);
                let reason = Reason { condition: condition.into(), window, ..Reason::default() };
                sentences(&reason, &evidence)
            };
        for (text, sentence) in [
            (
                told("error_rate", "error_rate > 1%", (0.1, 0.01), 1.0, 1000),
                "10 % of requests fail: 100 of 1,000 in the last 5m. The limit is 1 %.",
            ),
            (
                told("error_rate", "error_rate > 1%", (0.1, 0.01), 0.019_2, 100),
                "10 % of requests fail: 10 of 100 in the 5s seen so far. The limit is 1 %.",
            ),
            (
                told("response_time_p95", "response_time_p95 > 1s", (1.25, 1.0), 1.0, 1000),
                "p95 of response_time is 1.25 s: 100 of 1,000 requests in the last 5m took longer than the limit. The limit is 1 s.",
            ),
            (
                told("conversion_rate", "conversion_rate < baseline * 0.9", (0.02, 0.03), 1.0, 1000),
                "conversion_rate is 2 % (1,000 requests in the last 5m). It should be at least 3 %.",
            ),
            (
                told("cpu_usage", "cpu_usage > 3", (3.5, 3.0), 0.0, 0),
                "cpu_usage is 3.5 in the last 5m. The limit is 3.",
            ),
        ] {
            assert_eq!(text, sentence);
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
