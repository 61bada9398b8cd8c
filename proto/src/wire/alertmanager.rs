//! Alertmanager's webhook, version 4.

use std::collections::BTreeMap;

use model::{Alert, Labels, Timestamp};
use serde::Deserialize;

use super::{
    error::{DecodeError, shortened},
    fields,
    moment::parse_rfc3339,
};

/// `max_alerts: 0` means all of a group; more than this in one group is an outage of the grouping.
pub const ALERTS_MAX: usize = 10_000;
/// Labels, and annotations, of one alert.
const LABELS_MAX: usize = 256;
/// Year 1: Go's zero time, Alertmanager's way to say that no end is known. Everything before the epoch counts.
const NO_END_BEFORE: Timestamp = Timestamp::from_millis(0);

/// Unknown fields are ignored: new ones appear under the same version (0.33, 0.34).
#[derive(Deserialize)]
struct Webhook {
    version: String,
    /// Without any where there are none: a nil slice of Go's is null in JSON.
    #[serde(default)]
    alerts: Vec<WebhookAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookAlert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

/// Reads a notification that came in at `at`.
pub fn decode(body: &[u8], at: Timestamp) -> Result<Vec<Alert>, DecodeError> {
    fields::null_as_absent(body, |body| alerts(body, at))
}

fn alerts(body: &[u8], at: Timestamp) -> Result<Vec<Alert>, DecodeError> {
    let webhook: Webhook = fields::object_as(body)
        .map_err(|error| DecodeError::malformed(format!("the body is no Alertmanager webhook: {error}")))?;
    if webhook.version != "4" {
        let problem = format!("must be \"4\", not {:?}", shortened(&webhook.version, 20));
        return Err(DecodeError::field("version", problem));
    }
    if webhook.alerts.len() > ALERTS_MAX {
        let (size, limit) = (webhook.alerts.len() as u64, ALERTS_MAX as u64);
        return Err(DecodeError::TooLarge { what: "alerts", size, limit });
    }
    webhook.alerts.into_iter().enumerate().map(|(index, alert)| read(alert, at, index)).collect()
}

fn read(alert: WebhookAlert, at: Timestamp, index: usize) -> Result<Alert, DecodeError> {
    let fault = |field: &str, problem: &str| DecodeError::field(format!("alerts[{index}].{field}"), problem);
    if alert.labels.is_empty() {
        return Err(fault("labels", "must not be empty"));
    }
    if alert.labels.len() > LABELS_MAX || alert.annotations.len() > LABELS_MAX {
        return Err(fault("labels", "more than 256 labels or annotations"));
    }
    let moment = |field: &str, text: &str| {
        parse_rfc3339(text).ok_or_else(|| fault(field, "must be a time as in RFC 3339"))
    };
    let starts_at = moment("startsAt", &alert.starts_at)?;
    let named_end =
        alert.ends_at.filter(|text| !text.is_empty()).map(|text| moment("endsAt", &text)).transpose()?;
    let named_end = named_end.filter(|end| *end >= NO_END_BEFORE);
    // The status is what Alertmanager judged when it sent; its clock may differ from ours.
    let ends_at = match alert.status.as_str() {
        "firing" => named_end.filter(|end| *end > at),
        "resolved" => Some(named_end.unwrap_or(at).min(at)),
        _ => return Err(fault("status", "must be firing or resolved")),
    };
    Ok(Alert {
        labels: Labels::from_pairs(alert.labels),
        annotations: Labels::from_pairs(alert.annotations),
        starts_at,
        ends_at,
        generator_url: alert.generator_url,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_795_428_000_000);

    fn notification(status: &str, ends_at: &str) -> serde_json::Value {
        json!({
            "version": "4", "groupKey": "{}:{}", "status": status, "receiver": "ripcord", "routeLabels": {},
            "notification_reason": "first notification",
            "alerts": [{
                "status": status, "labels": {"alertname": "HighErrorRate", "service": "checkout"},
                "annotations": {"summary": "high"}, "startsAt": "2026-11-23T09:59:00.000Z", "endsAt": ends_at,
                "generatorURL": "http://prometheus/graph", "fingerprint": "1a2b", "fresh": true
            }]
        })
    }

    #[test]
    fn the_status_says_whether_it_fires_whatever_the_clocks_say() {
        let none = "0001-01-01T00:00:00Z";
        let (past, future) = ("2026-11-23T09:59:59Z", "2026-11-23T10:05:00Z");
        for (status, ends_at, expected) in [
            ("firing", none, None),
            ("firing", "", None),
            ("firing", past, None),
            ("firing", future, Some("2026-11-23T10:05:00.000Z")),
            ("resolved", past, Some("2026-11-23T09:59:59.000Z")),
            ("resolved", future, Some("2026-11-23T10:00:00.000Z")),
            ("resolved", none, Some("2026-11-23T10:00:00.000Z")),
        ] {
            let alerts = decode(notification(status, ends_at).to_string().as_bytes(), AT).unwrap();
            assert_eq!(
                alerts[0].ends_at.map(|end| end.to_string()).as_deref(),
                expected,
                "{status} {ends_at}"
            );
            assert_eq!(alerts[0].is_resolved_at(AT), status == "resolved");
            assert_eq!(alerts[0].name(), "HighErrorRate");
        }
    }

    #[test]
    fn null_is_absent() {
        let mut body = notification("firing", "");
        let alert = &mut body["alerts"][0];
        (alert["annotations"], alert["generatorURL"], alert["endsAt"]) =
            (json!(null), json!(null), json!(null));
        alert["labels"]["team"] = json!(null);
        let alerts = decode(body.to_string().as_bytes(), AT).unwrap();
        assert_eq!(alerts[0].labels.to_string(), r#"{alertname="HighErrorRate", service="checkout"}"#);
        assert_eq!((alerts[0].annotations.len(), alerts[0].generator_url.as_str()), (0, ""));
        body["alerts"] = json!(null);
        assert_eq!(decode(body.to_string().as_bytes(), AT), Ok(Vec::new()));
        body["alerts"] = json!([null]);
        assert!(decode(body.to_string().as_bytes(), AT).is_err());
        (body["alerts"], body["version"]) = (json!([]), json!(null));
        assert!(
            decode(body.to_string().as_bytes(), AT)
                .unwrap_err()
                .to_string()
                .contains("missing field `version`")
        );
    }

    #[test]
    fn what_is_no_notification_is_refused_by_name() {
        let good = notification("firing", "");
        let change = |edit: fn(&mut serde_json::Value)| {
            let mut body = good.clone();
            edit(&mut body);
            decode(body.to_string().as_bytes(), AT).unwrap_err().to_string()
        };
        assert_eq!(change(|it| it["version"] = json!("3")), r#"version: must be "4", not "3""#);
        assert_eq!(change(|it| it["alerts"][0]["labels"] = json!({})), "alerts[0].labels: must not be empty");
        assert_eq!(
            change(|it| it["alerts"][0]["status"] = json!("odd")),
            "alerts[0].status: must be firing or resolved"
        );
        assert_eq!(
            change(|it| it["alerts"][0]["startsAt"] = json!("soon")),
            "alerts[0].startsAt: must be a time as in RFC 3339"
        );
        assert!(change(|it| it["alerts"] = json!(7)).contains("invalid type: integer `7`"));
        assert!(change(|it| *it = json!([])).contains("no Alertmanager webhook"));
    }
}
