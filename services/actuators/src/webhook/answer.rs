//! What a target's answer means.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use model::Timestamp;
use url::Url;

use crate::{
    retry::Failure,
    text::{MAX_BODY_CHARS, one_line},
};

/// 2xx is accepted; 3xx names a place where nobody sent the command to and is final; 408, 425, 429 and 5xx may
/// pass; every other answer would be the same again.
pub(crate) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Result<String, Failure> {
    let detail = summary(status, body);
    if status.is_success() {
        return Ok(detail);
    }
    if status.is_redirection() {
        let to = location(headers);
        return Err(Failure::last(format!("{}: redirect{to} is not followed", line(status))));
    }
    if is_retryable(status) {
        return Err(Failure::Retryable { detail, retry_after: retry_after(headers, now) });
    }
    Err(Failure::last(detail))
}

fn is_retryable(status: StatusCode) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || passing.contains(&status)
}

fn line(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()).trim_end().to_owned()
}

fn summary(status: StatusCode, body: &str) -> String {
    let body = one_line(body, MAX_BODY_CHARS);
    if body.is_empty() { line(status) } else { format!("{}: {body}", line(status)) }
}

/// Where the redirect leads, without credentials and query.
fn location(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()) else {
        return String::new();
    };
    let shown = match Url::parse(location) {
        Ok(url) => {
            let port = url.port().map_or(String::new(), |port| format!(":{port}"));
            format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        }
        Err(_) => location.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    format!(" to {}", one_line(&shown, MAX_BODY_CHARS))
}

/// RFC 9110: seconds, or a date; one in the past is no wish.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(date.as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::DECIDED_AT;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_class_of_answer_is_accepted_retried_or_final() {
        for (status, verdict, why) in [
            (200, "accepted", "done"),
            (202, "accepted", "will be done"),
            (204, "accepted", "nothing to say"),
            (301, "final", "redirects are not followed"),
            (307, "final", "not even those that keep the method"),
            (400, "final", "the same body would be refused again"),
            (401, "final", "so would the same signature"),
            (404, "final", "nobody there"),
            (408, "retried", "the target timed out"),
            (409, "final", "a conflict is an answer"),
            (410, "final", "gone for good"),
            (425, "retried", "too early"),
            (429, "retried", "too many"),
            (500, "retried", "a fault that may pass"),
            (503, "retried", "overload"),
        ] {
            let judged = judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), "", DECIDED_AT);
            let got = match judged {
                Ok(_) => "accepted",
                Err(Failure::Retryable { .. }) => "retried",
                Err(Failure::Final { .. }) => "final",
            };
            assert_eq!(got, verdict, "{status}: {why}");
        }
    }

    #[test]
    fn a_redirect_is_named_without_its_credentials_and_query() {
        let to = headers(&[(header::LOCATION, "https://me:secret@elsewhere.example/path?token=secret")]);
        let judged = judge(StatusCode::FOUND, &to, "", DECIDED_AT);
        let detail = "302 Found: redirect to https://elsewhere.example/path is not followed";
        assert_eq!(judged, Err(Failure::last(detail)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, expected) in [
            ("7", Some(Duration::from_secs(7))),
            ("Mon, 23 Nov 2026 10:00:05 GMT", Some(Duration::from_secs(5))),
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(&headers(&[(header::RETRY_AFTER, text)]), DECIDED_AT), expected, "{text}");
        }
    }
}
