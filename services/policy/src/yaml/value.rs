//! Typed values from text.

use std::time::Duration;

/// Why a text is not the value it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    pub message: String,
    pub hint: Option<String>,
}

impl ValueError {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Units of time, longest first, in milliseconds; a year has 365 days, as in Prometheus.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// `250ms`, `30s`, `5m`, `1h30m`, `2d`, `0`: units from long to short, each at most once, as in Prometheus.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let bad = |hint: String| ValueError::new(format!("`{text}` is not a duration"), hint);
    let example = "durations look like 250ms, 30s, 5m, 1h, 1h30m or 2d";
    if text.is_empty() {
        return Err(bad(example.into()));
    }
    let mut rest = text;
    let mut total = 0_u64;
    let mut longest = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let at = UNITS.iter().position(|(name, _)| *name == unit);
        let (Ok(number), Some(at)) = (number.parse::<u64>(), at) else {
            let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let hint = if is_bare { format!("give it a unit: {text}s or {text}ms?") } else { example.into() };
            return Err(bad(hint));
        };
        if at < longest {
            return Err(bad("write the units from long to short, each once: 1h30m".into()));
        }
        longest = at + 1;
        let millis = number.checked_mul(UNITS[at].1).and_then(|millis| total.checked_add(millis));
        // A hundred years and more is a slip of the finger, and would overflow what is added to timestamps.
        total = millis
            .filter(|millis| *millis <= 100 * UNITS[0].1)
            .ok_or_else(|| bad("at most 100 years".into()))?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// The shortest text that [`parse_duration`] reads as `duration`, cut to milliseconds: `1h30m`, `250ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    // Years and weeks are left out: `60d` says more than `8w4d`.
    for (unit, millis) in &UNITS[2..] {
        if rest >= *millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    text
}

/// `1%` or `0.01`: a finite number, not below zero.
pub fn parse_ratio(text: &str) -> Result<f64, ValueError> {
    let (number, shift) = match text.strip_suffix('%') {
        Some(number) => (number, -2),
        None => (text, 0),
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match shifted(number, shift) {
        Some(value) if is_number && value.is_finite() => Ok(value),
        _ => Err(ValueError::new(format!("`{text}` is not a ratio"), "write it as 1% or 0.01")),
    }
}

/// A decimal number times ten to the `shift`, exactly as if it had been written so: 99.9 / 100.0 is not 0.999.
pub(crate) fn shifted(number: &str, shift: i32) -> Option<f64> {
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let exponent = exponent.parse::<i32>().ok()?.saturating_add(shift);
    number.parse::<f64>().ok()?;
    format!("{mantissa}e{exponent}").parse().ok()
}

/// `true` or `false`.
pub fn parse_boolean(text: &str) -> Result<bool, ValueError> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(ValueError::new(format!("`{text}` is neither true nor false"), "write true or false")),
    }
}

/// The longest name that Kafka takes for a topic.
const TOPIC_LENGTH_MAX: usize = 249;

/// The name of a Kafka topic, by Kafka's own rules.
pub fn parse_topic(text: &str) -> Result<String, ValueError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=TOPIC_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_legal);
    if !is_name || matches!(text, "." | "..") {
        let hint =
            format!("1 to {TOPIC_LENGTH_MAX} of letters, digits, `.`, `_` and `-`, and not `.` or `..`");
        return Err(ValueError::new("not the name of a Kafka topic", hint));
    }
    Ok(text.to_owned())
}
