//! Alertmanager's webhook body, version 4 (`notify/webhook`, `template.Data`).

use std::collections::BTreeMap;

use model::{Labels, Notice, NoticeStatus, Send};
use serde::Serialize;

use crate::links;

/// What Go writes for a moment that never was: `endsAt` while an alert fires.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: u64,
    status: &'static str,
    receiver: String,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    /// Labels of the route (Alertmanager 0.34); our routes have none.
    route_labels: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    #[serde(rename = "notification_reason")]
    notification_reason: &'static str,
    alerts: Vec<Alert<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    status: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// The body; `max_alerts` of 0 lists all.
pub(super) fn render(send: &Send, external_url: &str, max_alerts: u64) -> Result<Vec<u8>, serde_json::Error> {
    let most = if max_alerts == 0 { usize::MAX } else { usize::try_from(max_alerts).unwrap_or(usize::MAX) };
    let left_out = send.notices.len().saturating_sub(most) as u64;
    serde_json::to_vec(&Body {
        version: "4",
        group_key: &send.group_key,
        truncated_alerts: send.truncated.saturating_add(left_out),
        status: status(send.status),
        receiver: quoted(&send.receiver),
        group_labels: map(&send.group_labels),
        common_labels: map(&send.common_labels),
        common_annotations: map(&send.common_annotations),
        route_labels: BTreeMap::new(),
        external_url,
        notification_reason: send.reason.as_str(),
        alerts: send.notices.iter().take(most).map(|notice| alert(notice, external_url)).collect(),
    })
}

fn alert<'a>(notice: &'a Notice, external_url: &str) -> Alert<'a> {
    let ends_at = notice.ends_at.filter(|_| notice.status == NoticeStatus::Resolved);
    Alert {
        status: status(notice.status),
        labels: map(&notice.labels),
        annotations: map(&notice.annotations),
        starts_at: notice.starts_at.to_string(),
        ends_at: ends_at.map_or_else(|| NEVER.to_owned(), |end| end.to_string()),
        generator_url: links::absolute(external_url, &notice.generator_url),
        fingerprint: format!("{:016x}", notice.labels.fingerprint()),
    }
}

fn status(status: NoticeStatus) -> &'static str {
    match status {
        NoticeStatus::Firing => "firing",
        NoticeStatus::Resolved => "resolved",
    }
}

fn map(labels: &Labels) -> BTreeMap<&str, &str> {
    labels.iter().collect()
}

/// The receiver's name as a regular expression that matches it, which is how Alertmanager sends it.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for c in name.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::Value;

    use super::*;
    use crate::fixture;

    fn body(send: &Send, max_alerts: u64) -> Value {
        serde_json::from_slice(&render(send, "https://ripcord.example.org", max_alerts).unwrap()).unwrap()
    }

    #[test]
    fn the_body_is_alertmanagers() {
        let mut send = fixture::send("webhook");
        send.notices[1].status = NoticeStatus::Resolved;
        send.notices[1].ends_at = Some(fixture::T0);
        expect![[r#"
            {
              "alerts": [
                {
                  "annotations": {
                    "description": "1,513 of 18,231 requests failed in 5m; 2.4.0 beside it fails 0.09 %.",
                    "runbook_url": "https://runbooks.example.org/checkout?a=1&b=2",
                    "summary": "checkout 2.4.1 breaks error_rate > 1%"
                  },
                  "endsAt": "0001-01-01T00:00:00Z",
                  "fingerprint": "a7732cebcf82b1a7",
                  "generatorURL": "",
                  "labels": {
                    "alertname": "breach",
                    "environment": "production",
                    "service": "checkout",
                    "version": "2.4.1"
                  },
                  "startsAt": "2026-11-23T10:00:00.000Z",
                  "status": "firing"
                },
                {
                  "annotations": {
                    "description": "1,513 of 18,231 requests failed in 5m; 2.4.0 beside it fails 0.09 %.",
                    "runbook_url": "https://runbooks.example.org/checkout?a=1&b=2",
                    "summary": "rolling back checkout 2.4.1 to 2.4.0"
                  },
                  "endsAt": "2026-11-23T10:00:00.000Z",
                  "fingerprint": "6937cdd0acd9ab0a",
                  "generatorURL": "",
                  "labels": {
                    "alertname": "rollback_started",
                    "environment": "production",
                    "service": "checkout",
                    "version": "2.4.1"
                  },
                  "startsAt": "2026-11-23T10:00:03.000Z",
                  "status": "resolved"
                }
              ],
              "commonAnnotations": {},
              "commonLabels": {
                "environment": "production",
                "service": "checkout",
                "version": "2.4.1"
              },
              "externalURL": "https://ripcord.example.org",
              "groupKey": "{}:{service=\"checkout\"}",
              "groupLabels": {
                "service": "checkout"
              },
              "notification_reason": "first_notification",
              "receiver": "sre",
              "routeLabels": {},
              "status": "firing",
              "truncatedAlerts": 0,
              "version": "4"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&body(&send, 0)).unwrap());
    }

    #[test]
    fn max_alerts_cuts_the_list_and_neither_the_status_nor_the_common_labels() {
        let mut send = fixture::send("webhook");
        send.notices[0].status = NoticeStatus::Resolved;
        send.truncated = 5;
        let body = body(&send, 1);
        assert_eq!(body["alerts"].as_array().map(Vec::len), Some(1));
        assert_eq!((&body["truncatedAlerts"], &body["status"]), (&6.into(), &"firing".into()));
    }

    #[test]
    fn the_receivers_name_is_quoted_as_alertmanager_does() {
        let mut send = fixture::send("webhook");
        send.receiver = "rep.eat (a+b)".into();
        assert_eq!(body(&send, 0)["receiver"], r"rep\.eat \(a\+b\)");
    }
}
