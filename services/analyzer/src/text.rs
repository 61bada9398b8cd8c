//! Numbers as people write them, for the sentences that states carry.

use std::time::Duration;

use model::Evidence;

/// `90s`, `5m`, `1h30m`; below a second in milliseconds.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, _, 1..) if seconds < 120 => format!("{seconds}s"),
        (0, 0, _) => format!("{seconds}s"),
        (0, _, 0) => format!("{minutes}m"),
        (0, ..) => format!("{minutes}m{rest}s"),
        (_, 0, 0) => format!("{hours}h"),
        (_, _, 0) => format!("{hours}h{minutes}m"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `error_rate 0.1 % of 4312 requests`, `response_time_p95 180 ms of 4312 requests`.
pub(crate) fn measured(evidence: &Evidence) -> String {
    let is_quantile = evidence
        .metric
        .rsplit_once("_p")
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()));
    let value = match evidence.value {
        value if is_quantile && value < 1.0 => format!("{} ms", trimmed(value * 1000.0)),
        value if is_quantile => format!("{} s", trimmed(value)),
        // Ratios are the only metrics that count what was wrong; the limit of any other may be below 1 as well.
        value if evidence.metric.ends_with("_rate") && value <= 1.0 => {
            format!("{} %", trimmed(value * 100.0))
        }
        value => trimmed(value),
    };
    let of =
        if evidence.requests > 0 { format!(" of {} requests", evidence.requests) } else { String::new() };
    format!("{} {value}{of}", evidence.metric)
}

/// Two decimals at most, without zeros that say nothing.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_has_its_unit_and_says_of_how_much() {
        for (metric, value, requests, text) in [
            ("error_rate", 0.001_2, 4312, "error_rate 0.12 % of 4312 requests"),
            ("error_rate", 0.0, 300, "error_rate 0 % of 300 requests"),
            ("response_time_p95", 0.18, 4312, "response_time_p95 180 ms of 4312 requests"),
            ("response_time_p95", 1.5, 9, "response_time_p95 1.5 s of 9 requests"),
            ("cpu_usage", 0.5, 0, "cpu_usage 0.5"),
        ] {
            let evidence = Evidence { metric: metric.into(), value, requests, ..Evidence::default() };
            assert_eq!(measured(&evidence), text);
        }
    }

    #[test]
    fn durations_read_as_in_the_policy() {
        for (seconds, text) in [
            (1, "1s"),
            (60, "1m"),
            (90, "90s"),
            (150, "2m30s"),
            (3600, "1h"),
            (5400, "1h30m"),
            (3661, "1h1m1s"),
        ] {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
        assert_eq!(short(Duration::from_millis(250)), "250ms");
    }
}
