//! What a target is told: one JSON document, complete enough that a person who reads only it believes or refutes
//! the decision. The webhook posts it, `exec` gets it on standard input, `kafka` publishes it.
//!
//! The fields named in DESIGN's "Out: the rollback webhook" are a contract; new ones may be added, none renamed.

use std::time::Duration;

use model::{BaselineKind, BaselineValue, Command, ErrorBound, Evidence, Reason, Test};
use proto::wire::cloudevents::kafka::command_type;
use serde::Serialize;

/// Most reasons a body lists in full. A release that breaks more rules than this needs no further argument, and
/// Standard Webhooks advises bodies under 20 kB.
const MAX_REASONS: usize = 16;

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    id: &'a str,
    release: Release<'a>,
    to_version: Option<&'a str>,
    to_digest: Option<&'a str>,
    mode: &'static str,
    /// The breach that tipped it, its first comparison; `null` where a person asked for the command.
    reason: Option<Summary<'a>>,
    decided_at: String,
    deadline: String,
    evidence_at: String,
    attempt: u32,
    /// Grows with every command: refuse a lower one than you have seen for the service.
    fencing: u64,
    approved_by: &'a [String],
    reasons: Vec<FullReason<'a>>,
    reasons_omitted: usize,
}

#[derive(Serialize)]
struct Release<'a> {
    id: &'a str,
    service: &'a str,
    environment: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    trigger: &'a str,
    condition: &'a str,
    value: f64,
    limit: f64,
    window: String,
    requests: u64,
    errors: u64,
    baseline: Option<f64>,
}

#[derive(Serialize)]
struct FullReason<'a> {
    trigger: &'a str,
    condition: &'a str,
    service: &'a str,
    environment: &'a str,
    cluster: Option<&'a str>,
    version: Option<&'a str>,
    window: String,
    r#for: String,
    evidence: Vec<Comparison<'a>>,
    evidence_at: String,
    /// The record that tipped it, and where it stands on the log.
    cause: &'a str,
    position: u64,
}

#[derive(Serialize)]
struct Comparison<'a> {
    metric: &'a str,
    value: f64,
    limit: f64,
    requests: u64,
    errors: u64,
    coverage: f64,
    baseline: Option<Baseline<'a>>,
    test: TestUsed,
    error_bound: &'static str,
}

#[derive(Serialize)]
struct Baseline<'a> {
    kind: &'static str,
    version: Option<&'a str>,
    value: f64,
    requests: u64,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum TestUsed {
    None,
    Exact { level: f64, tail_probability: f64 },
}

/// The body of `command`. The same command gives the same bytes, so that every attempt carries the same content.
pub(crate) fn render(command: &Command) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body {
        r#type: command_type(command.verb),
        id: command.id.as_str(),
        release: Release {
            id: command.release.id.as_str(),
            service: &command.release.key.service,
            environment: &command.release.key.environment,
            version: &command.release.version,
            cluster: command.release.cluster.as_deref(),
        },
        to_version: command.to_version.as_deref(),
        to_digest: command.to_digest.as_deref(),
        mode: command.mode.as_str(),
        reason: command.reasons.first().and_then(summary),
        decided_at: command.decided_at.to_string(),
        deadline: command.deadline.to_string(),
        evidence_at: command.evidence_at.to_string(),
        attempt: command.attempt,
        fencing: command.fencing,
        approved_by: &command.approved_by,
        reasons: command.reasons.iter().take(MAX_REASONS).map(full).collect(),
        reasons_omitted: command.reasons.len().saturating_sub(MAX_REASONS),
    })
}

fn summary(reason: &Reason) -> Option<Summary<'_>> {
    let first = reason.evidence.first()?;
    Some(Summary {
        trigger: &reason.trigger,
        condition: &reason.condition,
        value: first.value,
        limit: first.limit,
        window: duration(reason.window),
        requests: first.requests,
        errors: first.errors,
        baseline: first.baseline.as_ref().map(|baseline| baseline.value),
    })
}

fn full(reason: &Reason) -> FullReason<'_> {
    FullReason {
        trigger: &reason.trigger,
        condition: &reason.condition,
        service: &reason.key.service,
        environment: &reason.key.environment,
        cluster: reason.cluster.as_deref(),
        version: reason.version.as_deref(),
        window: duration(reason.window),
        r#for: duration(reason.hold),
        evidence: reason.evidence.iter().map(comparison).collect(),
        evidence_at: reason.evidence_at.to_string(),
        cause: reason.cause.as_str(),
        position: reason.position.0,
    }
}

fn comparison(evidence: &Evidence) -> Comparison<'_> {
    Comparison {
        metric: &evidence.metric,
        value: evidence.value,
        limit: evidence.limit,
        requests: evidence.requests,
        errors: evidence.errors,
        coverage: evidence.coverage,
        baseline: evidence.baseline.as_ref().map(baseline),
        test: match evidence.test {
            Test::None => TestUsed::None,
            Test::Exact { level, tail_probability } => TestUsed::Exact { level, tail_probability },
        },
        error_bound: match evidence.error_bound {
            ErrorBound::Exact => "exact",
            ErrorBound::Bucket => "bucket",
        },
    }
}

fn baseline(baseline: &BaselineValue) -> Baseline<'_> {
    let (kind, version) = match &baseline.kind {
        BaselineKind::Beside { version } => ("beside", Some(version.as_str())),
        BaselineKind::Before => ("before", None),
    };
    Baseline { kind, version, value: baseline.value, requests: baseline.requests }
}

/// As Prometheus writes durations: `5m`, `1h30m`, `250ms`, `0s`.
fn duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (millis, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
        let count = rest / millis;
        rest %= millis;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixture;

    #[test]
    fn a_rollbacks_body_holds_the_contract_and_the_full_evidence() {
        let text = String::from_utf8(render(&fixture::command()).unwrap()).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        expect![[r#"
            {
              "approved_by": [],
              "attempt": 1,
              "deadline": "2026-11-23T10:01:00.000Z",
              "decided_at": "2026-11-23T10:00:00.000Z",
              "evidence_at": "2026-11-23T09:59:59.000Z",
              "fencing": 7,
              "id": "cmd_1",
              "mode": "immediate",
              "reason": {
                "baseline": 0.0009,
                "condition": "error_rate > 1%",
                "errors": 1513,
                "limit": 0.01,
                "requests": 18231,
                "trigger": "error_rate",
                "value": 0.083,
                "window": "5m"
              },
              "reasons": [
                {
                  "cause": "evt_1",
                  "cluster": null,
                  "condition": "error_rate > 1%",
                  "environment": "production",
                  "evidence": [
                    {
                      "baseline": {
                        "kind": "beside",
                        "requests": 20000,
                        "value": 0.0009,
                        "version": "2.4.0"
                      },
                      "coverage": 0.97,
                      "error_bound": "exact",
                      "errors": 1513,
                      "limit": 0.01,
                      "metric": "error_rate",
                      "requests": 18231,
                      "test": {
                        "kind": "exact",
                        "level": 0.0001,
                        "tail_probability": 1e-12
                      },
                      "value": 0.083
                    }
                  ],
                  "evidence_at": "2026-11-23T09:59:59.000Z",
                  "for": "0s",
                  "position": 42,
                  "service": "checkout",
                  "trigger": "error_rate",
                  "version": "2.4.1",
                  "window": "5m"
                }
              ],
              "reasons_omitted": 0,
              "release": {
                "environment": "production",
                "id": "rel_1",
                "service": "checkout",
                "version": "2.4.1"
              },
              "to_digest": null,
              "to_version": "2.4.0",
              "type": "ripcord.rollback.v1"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.starts_with(r#"{"type":"ripcord.rollback.v1","id":"cmd_1","#), "{text}");
    }

    #[test]
    fn a_persons_rollback_has_no_reason_and_numbers_that_json_cannot_write_are_null() {
        let mut command = fixture::command();
        command.reasons[0].evidence[0].value = f64::NAN;
        let with_nan: Value = serde_json::from_slice(&render(&command).unwrap()).unwrap();
        assert_eq!(with_nan["reason"]["value"], Value::Null);
        command.reasons.clear();
        let by_hand: Value = serde_json::from_slice(&render(&command).unwrap()).unwrap();
        assert_eq!((&by_hand["reason"], &by_hand["reasons"]), (&Value::Null, &json!([])));
    }

    #[test]
    fn a_body_stays_small_however_many_rules_were_broken() {
        let mut command = fixture::command();
        command.reasons = vec![command.reasons[0].clone(); 1000];
        let body = render(&command).unwrap();
        assert!(body.len() < 20_000, "{} bytes", body.len());
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["reasons_omitted"], 984);
    }

    #[test]
    fn durations_look_as_in_prometheus() {
        for (millis, text) in
            [(0, "0s"), (250, "250ms"), (300_000, "5m"), (5_400_000, "1h30m"), (90_061_000, "1d1h1m1s")]
        {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
