//! Raw request events: NDJSON, one line a request, for teams that have only access logs.

use std::borrow::Cow;

use model::{RequestEvent, ServiceKey, Timestamp};
use serde::{Deserialize, Deserializer, de};

use super::{
    error::{DecodeError, Decoded, Rejected},
    fields::{checked_name, null_as_absent, object_as},
    moment::parse_rfc3339,
};

/// The whole body, decompressed.
pub const BODY_BYTES_MAX: usize = 32 << 20;
/// A request as a log line knows it takes some 250 bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// At a hundred bytes a line this is 20 MB; a sender with more sends two bodies.
pub const LINES_MAX: usize = 200_000;

/// One line. Unknown fields are refused, for a misspelt `status` would make every request a success.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    environment: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    route: Option<Cow<'a, str>>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    error: Option<bool>,
    #[serde(default)]
    duration_ms: Option<f64>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<Timestamp>,
}

/// Decodes a body that came in at `at` (the time of lines that carry none). `rejected.parts` counts lines.
pub fn decode(body: &[u8], at: Timestamp) -> Result<Decoded<Vec<RequestEvent>>, DecodeError> {
    let limit = |what, size: usize, limit: usize| {
        let (size, limit) = (size as u64, limit as u64);
        if size > limit { Err(DecodeError::TooLarge { what, size, limit }) } else { Ok(()) }
    };
    limit("decompressed bytes", body.len(), BODY_BYTES_MAX)?;
    let mut events = Vec::new();
    let mut rejected = Rejected::default();
    let mut count = 0;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        count += 1;
        limit("lines", count, LINES_MAX)?;
        match event(line, at) {
            Ok(event) => events.push(event),
            Err((reason, problem)) => rejected.note(reason, 1, || format!("line {}: {problem}", index + 1)),
        }
    }
    Ok(Decoded { body: events, rejected })
}

/// Decodes a message of a topic: lines as in [`decode`], or one object however it is laid out.
pub fn decode_message(payload: &[u8], at: Timestamp) -> Result<Decoded<Vec<RequestEvent>>, DecodeError> {
    let object = payload.trim_ascii();
    if object.is_empty() {
        return Err(DecodeError::malformed("the message holds no request event"));
    }
    // Of lines this reads the first only, and ends where the second begins.
    let is_laid_out = object.len() <= LINE_BYTES_MAX
        && object.contains(&b'\n')
        && serde_json::from_slice::<de::IgnoredAny>(object).is_ok();
    if !is_laid_out {
        return decode(payload, at);
    }
    let mut decoded = Decoded::<Vec<RequestEvent>>::default();
    match event(object, at) {
        Ok(event) => decoded.body.push(event),
        Err((reason, problem)) => decoded.rejected.note(reason, 1, || problem),
    }
    Ok(decoded)
}

fn event(line: &[u8], at: Timestamp) -> Result<RequestEvent, (&'static str, String)> {
    if line.len() > LINE_BYTES_MAX {
        return Err(("too_long", format!("longer than {LINE_BYTES_MAX} bytes")));
    }
    null_as_absent(line, |line| event_of(line, at))
}

fn event_of(line: &[u8], at: Timestamp) -> Result<RequestEvent, (&'static str, String)> {
    let line: Line<'_> = object_as(line).map_err(|error| ("malformed", without_position(&error)))?;
    let invalid = |name: &str, problem: String| ("invalid", format!("{name} {problem}"));
    let required = |name: &str, text: &str| match checked_name(text) {
        Ok(checked) => Ok(checked.to_owned()),
        Err(problem) => Err(invalid(name, problem)),
    };
    let optional = |name: &str, text: Option<Cow<'_, str>>| {
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| required(name, &text)).transpose()
    };
    let key =
        ServiceKey::new(required("service", &line.service)?, required("environment", &line.environment)?);
    let is_error = is_error(line.status, line.error).map_err(|(name, problem)| invalid(name, problem))?;
    if line.duration_ms.is_some_and(|duration| duration < 0.0) {
        return Err(invalid("duration_ms", "must not be negative".to_owned()));
    }
    if line.status.is_none() && line.error.is_none() && line.duration_ms.is_none() {
        return Err(("invalid", "says neither status, error nor duration_ms".to_owned()));
    }
    Ok(RequestEvent {
        version: optional("version", line.version)?,
        route: optional("route", line.route)?,
        key,
        is_error,
        duration_ms: line.duration_ms,
        at: line.at.unwrap_or(at),
    })
}

/// A status of 500 and above, or `error: true`.
fn is_error(status: Option<u16>, error: Option<bool>) -> Result<bool, (&'static str, String)> {
    if let Some(status) = status.filter(|status| !(100..=599).contains(status)) {
        return Err(("status", format!("must be an HTTP status code from 100 to 599, not {status}")));
    }
    Ok(status.is_some_and(|status| status >= 500) || error == Some(true))
}

/// RFC 3339, or milliseconds since the epoch.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment<'a> {
        Millis(i64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
        Other(de::IgnoredAny),
    }
    const EXPECTED: &str = "at must be RFC 3339 text or milliseconds since the epoch";
    match Option::<Moment<'_>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Moment::Millis(millis)) => Ok(Some(Timestamp::from_millis(millis))),
        Some(Moment::Text(text)) => parse_rfc3339(&text).ok_or_else(|| de::Error::custom(EXPECTED)).map(Some),
        Some(Moment::Other(_)) => Err(de::Error::custom(EXPECTED)),
    }
}

/// serde's message; its line is always 1 here and would mislead.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => format!("{} (column {})", &text[..end], error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_795_428_000_000);

    fn one(fields: &str) -> Result<RequestEvent, String> {
        let line = format!(r#"{{"service":"checkout","environment":"production",{fields}}}"#);
        let decoded = decode(line.as_bytes(), AT).unwrap();
        match decoded.body.into_iter().next() {
            Some(event) => Ok(event),
            None => Err(decoded.rejected.examples[0].clone()),
        }
    }

    #[test]
    fn errors_are_statuses_from_500_or_said_to_be() {
        for (fields, expected) in [
            (r#""status":200"#, false),
            (r#""status":404"#, false),
            (r#""status":500"#, true),
            (r#""status":599"#, true),
            (r#""error":true"#, true),
            (r#""error":false,"status":200"#, false),
            (r#""error":true,"status":200"#, true),
            (r#""error":null,"status":503,"duration_ms":null,"route":null,"version":null"#, true),
            (r#""status":200,"a_field_that_is_not_known":null"#, false),
            (r#""duration_ms":3"#, false),
        ] {
            assert_eq!(one(fields).unwrap().is_error, expected, "{fields}");
        }
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds_and_the_stamp_where_missing() {
        for (fields, expected) in [
            (r#""status":200"#, AT.as_millis()),
            (r#""status":200,"at":null"#, AT.as_millis()),
            (r#""status":200,"at":"1970-01-01T00:00:01Z""#, 1000),
            (r#""status":200,"at":1000"#, 1000),
        ] {
            assert_eq!(one(fields).unwrap().at.as_millis(), expected, "{fields}");
        }
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        for (fields, expected) in [
            (r#""status":999"#, "status must be an HTTP status code from 100 to 599, not 999"),
            (r#""status":99999"#, "invalid value: integer `99999`, expected u16"),
            (r#""status":"500""#, "invalid type: string \"500\", expected u16"),
            (r#""statuscode":500"#, "unknown field `statuscode`, expected one of `service`"),
            (r#""status":200,"status":500"#, "duplicate field `status`"),
            (r#""status":200,"status":null"#, "duplicate field `status`"),
            (r#""status":null"#, "says neither status, error nor duration_ms"),
            (r#""statuscode":500,"version":null"#, "unknown field `statuscode`"),
            (r#""duration_ms":-1"#, "duration_ms must not be negative"),
            (r#""duration_ms":1e999"#, "number out of range"),
            (r#""version":"1""#, "says neither status, error nor duration_ms"),
            (r#""status":200,"at":"today""#, "at must be RFC 3339 text or milliseconds since the epoch"),
            (r#""status":200,"at":1e300"#, "at must be RFC 3339 text or milliseconds since the epoch"),
            (r#""status":200,"version":"a\u0000b""#, "version must not hold control characters"),
        ] {
            let problem = one(fields).unwrap_err();
            assert!(problem.starts_with("line 1: ") && problem.contains(expected), "{fields}: {problem}");
        }
    }

    #[test]
    fn good_lines_are_kept_beside_bad_ones_which_are_counted_by_number() {
        let body = concat!(
            r#"{"service":"a","environment":"p","status":200,"version":"","route":"/x"}"#,
            "\r\n\n",
            "{\n",
            "[\"a\",\"p\"]\n",
            r#"{"service":"a","environment":"p","status":503}"#,
        );
        let decoded = decode(body.as_bytes(), AT).unwrap();
        let kept: Vec<bool> = decoded.body.iter().map(|event| event.is_error).collect();
        assert_eq!(kept, [false, true]);
        assert_eq!(decoded.body[0].version, None);
        assert_eq!(decoded.rejected.parts, 2);
        assert_eq!(decoded.rejected.examples[1], "line 4: expected a JSON object");
        assert!(decoded.rejected.examples[0].starts_with("line 3: EOF while parsing"));
    }

    #[test]
    fn a_message_is_lines_or_one_object_in_any_layout() {
        let line = r#"{"service":"a","environment":"p","status":503}"#;
        let laid_out = "{\n  \"service\": \"a\",\n  \"environment\": \"p\",\n  \"status\": 503\n}\n";
        let one = decode_message(line.as_bytes(), AT).unwrap();
        assert_eq!(one, decode(line.as_bytes(), AT).unwrap());
        assert_eq!(decode_message(laid_out.as_bytes(), AT).unwrap(), one);
        let two = format!("{line}\n{line}\n");
        assert_eq!(decode_message(two.as_bytes(), AT).unwrap().body.len(), 2);
        for (payload, problem) in [
            (laid_out.replace("503", "999"), "status must be an HTTP status code from 100 to 599, not 999"),
            ("[\n1]".to_owned(), "expected a JSON object"),
            ("{\n".to_owned(), "line 1: EOF while parsing an object (column 1)"),
            ("no JSON".to_owned(), "line 1: expected a JSON object"),
        ] {
            let decoded = decode_message(payload.as_bytes(), AT).unwrap();
            assert_eq!(
                (decoded.body.len(), decoded.rejected.examples[0].as_str()),
                (0, problem),
                "{payload}"
            );
        }
        for empty in [&b""[..], b" \n"] {
            assert!(decode_message(empty, AT).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_read_or_refused(payload in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            drop(decode_message(&payload, AT));
        }
    }

    #[test]
    fn too_many_lines_and_too_long_a_line_are_refused() {
        let long = format!(r#"{{"service":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        assert_eq!(decode(long.as_bytes(), AT).unwrap().rejected.by_reason["too_long"], 1);
        let many = "{}\n".repeat(LINES_MAX + 1);
        assert!(decode(many.as_bytes(), AT).unwrap_err().is_too_large());
    }
}
