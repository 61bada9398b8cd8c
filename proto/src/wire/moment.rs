//! Moments and durations as people and senders write them.

use std::time::Duration;

use model::Timestamp;

/// RFC 3339, with any offset: `2026-11-23T10:00:00.123Z`.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    // jiff takes other ISO 8601 forms too; the shape of RFC 3339 is the promise.
    let bytes = text.as_bytes();
    let is_shaped = bytes.len() >= 20
        && bytes[0].is_ascii_digit()
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !is_shaped {
        return None;
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

/// `250ms`, `30s`, `5m`, `1h`, `2d`, or several in a row, each unit at most once and falling: `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 6] =
        [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text;
    let mut units = &UNITS[..];
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let index = units.iter().position(|(unit, _)| *unit == &after[..end])?;
        total = total.checked_add(count.checked_mul(units[index].1)?)?;
        units = &units[index + 1..];
        rest = &after[end..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_at_any_offset_and_nothing_else_is_one() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-23T10:00:00.123Z", Some(1_795_428_000_123)),
            ("2026-11-23T11:00:00.123456789+01:00", Some(1_795_428_000_123)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("2026-11-23T10:00:00", None),
            ("2026-11-23", None),
            ("2026-13-23T10:00:00Z", None),
            ("yesterday", None),
            ("", None),
            ("ééééééééééééééééééééé", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(Timestamp::as_millis), millis, "{text}");
        }
    }

    #[test]
    fn durations_are_read_with_their_unit_or_not_at_all() {
        for (text, millis) in [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("1h30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("30", None),
            ("30m1h", None),
            ("1h1h", None),
            ("-5m", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
            ("9999999999999999999d", None),
            ("", None),
            ("h", None),
            ("5µ", None),
        ] {
            assert_eq!(parse_duration(text).map(|it| it.as_millis()), millis, "{text}");
        }
    }
}
