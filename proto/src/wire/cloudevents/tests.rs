use model::{DeploymentStatus, ReleaseId};
use serde_json::json;

use super::*;

const HEX: &str = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427";

fn cdevent(verb: &str, artifact: Option<&str>, custom: Value) -> Value {
    let kind = format!("dev.cdevents.service.{verb}.0.3.0");
    json!({
        "specversion": "1.0", "id": "e-1", "source": "/ci", "type": kind, "time": "2026-11-23T10:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "context": {"specversion": "0.5.1", "id": "e-1", "source": "/ci", "type": kind,
                        "timestamp": "2026-11-23T10:00:00Z"},
            "subject": {"id": "checkout", "content": {"environment": {"id": "production"}, "artifactId": artifact}},
            "customData": custom
        }
    })
}

fn one(event: &Value) -> Result<Occurrence, DecodeError> {
    let events = decode("application/cloudevents+json; charset=utf-8", [], event.to_string().as_bytes())?;
    Ok(events.into_iter().next().unwrap())
}

fn deployment(event: &Value) -> DeploymentEvent {
    match one(event).unwrap() {
        Occurrence::Deployment(event) => *event,
        ignored => panic!("{ignored:?}"),
    }
}

#[test]
fn cdevents_say_what_went_out_where() {
    use DeploymentStatus::{Deployed, Promoted, Removed, RolledBack};
    let tagged = format!("pkg:oci/checkout@sha256%3A{HEX}?tag=2.4.1");
    let bare = format!("pkg:oci/checkout@sha256%3A{HEX}");
    let digest = format!("sha256:{HEX}");
    let none = json!({});
    for (verb, artifact, custom, status, version, why) in [
        ("deployed", Some(&tagged), none.clone(), Deployed, "2.4.1", "the purl's tag"),
        (
            "deployed",
            Some(&bare),
            none.clone(),
            Deployed,
            digest.as_str(),
            "the digest where nothing else is known",
        ),
        ("upgraded", Some(&bare), json!({"version": "2.4.1"}), Deployed, "2.4.1", "custom data knows better"),
        ("rolledback", Some(&tagged), none.clone(), Deployed, "2.4.1", "what runs now, for no more is said"),
        (
            "rolledback",
            Some(&tagged),
            json!({"rolled_back_version": "2.5.0"}),
            RolledBack,
            "2.5.0",
            "what was bad",
        ),
        ("removed", None, none.clone(), Removed, "", "a removed service has no version"),
        ("published", Some(&tagged), none.clone(), Promoted, "2.4.1", "traffic reaches it"),
    ] {
        let event = deployment(&cdevent(verb, artifact.map(String::as_str), custom));
        assert_eq!((event.status, event.version.as_str()), (status, version), "{why}");
        assert_eq!((event.key.service.as_str(), event.key.environment.as_str()), ("checkout", "production"));
        assert_eq!(event.release_id, ReleaseId::of("checkout", "production", "", version, ""));
        assert!(event.occurred_at.is_some());
    }
    let digested = deployment(&cdevent("deployed", Some(&tagged), none));
    assert_eq!(digested.artifact.unwrap().digest, Some(digest));
}

#[test]
fn types_are_matched_without_their_version_and_unknown_ones_are_ignored() {
    let mut event = cdevent("deployed", Some("pkg:npm/a@1"), Value::Null);
    for kind in ["dev.cdevents.service.deployed.0.1.0", "dev.cdevents.service.deployed.9.9.9-draft"] {
        event["type"] = json!(kind);
        assert_eq!(deployment(&event).version, "1");
    }
    for kind in
        ["dev.cdevents.service.exploded.0.1.0", "com.example.order", "dev.cdevents.build.started.0.1.0"]
    {
        event["type"] = json!(kind);
        assert!(matches!(one(&event), Ok(Occurrence::Ignored { kind: ignored, .. }) if ignored == kind));
    }
    assert!(matches!(one(&cdevent("published", None, Value::Null)), Ok(Occurrence::Ignored { .. })));
}

#[test]
fn what_is_wrong_with_an_event_is_said_by_name() {
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut event = cdevent("deployed", Some("pkg:npm/a@1"), json!({}));
        edit(&mut event);
        one(&event).unwrap_err().to_string()
    };
    assert_eq!(change(&|it| it["specversion"] = json!("0.3")), r#"specversion: must be "1.0", not "0.3""#);
    assert_eq!(change(&|it| it["id"] = json!("")), "id: must not be empty");
    assert_eq!(change(&|it| it["source"] = json!(null)), "source: is required");
    assert_eq!(change(&|it| it["type"] = json!(4)), "type: must be text, not a number");
    assert!(change(&|it| it["time"] = json!("noon")).starts_with("time: must be a time"));
    assert!(change(&|it| it["data"] = json!("text")).starts_with("data: must be a JSON object"));
    assert_eq!(change(&|it| it["data_base64"] = json!("e30=")), "data_base64: is given beside data");
    assert_eq!(change(&|it| it["data"]["subject"] = json!({"id": "a"})), "data.subject.content: is required");
    assert!(
        change(&|it| it["data"]["subject"]["content"]["artifactId"] = json!(null))
            .contains("names no version")
    );
    assert!(
        change(&|it| it["data"]["context"]["type"] = json!("dev.cdevents.service.removed.0.3.0"))
            .starts_with("data.context.type: is ")
    );
}

#[test]
fn a_version_that_a_reference_names_is_checked_as_every_name_is() {
    for (reference, problem) in [
        ("pkg:generic/shop@1%0D%0AX-Evil:%201".to_owned(), "must not hold control characters"),
        ("pkg:generic/shop@a%00b".to_owned(), "must not hold control characters"),
        ("pkg:generic/shop@%1B%5B2J".to_owned(), "must not hold control characters"),
        ("pkg:generic/shop@1%E2%80%AE".to_owned(), "must not hold characters that cannot be seen (U+202E)"),
        ("pkg:oci/shop?tag=2.0%E2%80%8B".to_owned(), "must not hold characters that cannot be seen (U+200B)"),
        ("ghcr.io/shop:2.0\u{feff}".to_owned(), "must not hold characters that cannot be seen (U+FEFF)"),
        ("pkg:generic/shop@%20".to_owned(), "must not be empty"),
        (format!("pkg:generic/shop@{}", "9".repeat(1500)), "is 1500 bytes long, at most 256 are taken"),
        ("pkg:generic/shop@-rf".to_owned(), "must not begin with a dash"),
    ] {
        let event = cdevent("deployed", Some(&reference), json!({}));
        let error = one(&event).unwrap_err().to_string();
        let expected = format!("data.subject.content.artifactId: names a version that {problem}");
        assert_eq!(error, expected, "{reference}");
    }
    let event = cdevent("deployed", Some("pkg:generic/shop@%202.0%20"), json!({}));
    assert_eq!(deployment(&event).version, "2.0");
}

#[test]
fn a_plain_release_may_travel_as_an_event_and_as_base64() {
    let data = r#"{"service":"checkout","environment":"production","version":"2.4.1"}"#;
    let base = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": RELEASE_TYPE,
                      "time": "2026-11-23T10:00:00Z"});
    let mut plain = base.clone();
    plain["data"] = serde_json::from_str(data).unwrap();
    let mut encoded = base;
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
    encoded["data_base64"] = json!(text);
    assert_eq!(deployment(&plain), deployment(&encoded));
    assert!(deployment(&plain).occurred_at.is_some());
    plain["data"]["versoin"] = json!("x");
    assert_eq!(
        one(&plain).unwrap_err().to_string(),
        r#"data.versoin: unknown field, did you mean "version"?"#
    );
}

#[test]
fn an_attribute_of_null_is_an_absent_one() {
    let data = json!({"service": "checkout", "environment": "production", "version": "2.4.1", "stage": null,
                      "owner": null, "links": {"build": null}, "facts": {"coverage": null}, "no_such_field": null});
    let mut event = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": RELEASE_TYPE, "time": null,
                           "subject": null, "data": data, "data_base64": null});
    let found = deployment(&event);
    assert_eq!((found.links.len(), found.facts.len(), found.occurred_at), (0, 0, None));
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data.to_string());
    (event["data"], event["data_base64"]) = (json!(null), json!(text));
    assert_eq!(deployment(&event), found);
}

#[test]
fn content_is_json_where_its_type_says_so() {
    let headers = [
        ("ce-specversion", &b"1.0"[..]),
        ("ce-id", b"1"),
        ("ce-source", b"ci"),
        ("ce-type", RELEASE_TYPE.as_bytes()),
    ];
    let body = br#"{"service":"a","environment":"b","version":"1"}"#;
    for (content_type, is_json) in [
        ("application/json", true),
        ("text/json; charset=utf-8", true),
        ("Application/JSON", true),
        ("application/vnd.shop+json", true),
        ("image/svg+json", true),
        ("", true),
        ("text/plain", false),
        ("application/json-seq", false),
        ("json", false),
    ] {
        let found = decode(content_type, headers, body);
        assert_eq!(found.is_ok(), is_json, "{content_type}: {found:?}");
    }
}

fn binary_event(id: &str) -> Result<Vec<Occurrence>, DecodeError> {
    let headers = [
        ("ce-specversion", &b"1.0"[..]),
        ("ce-id", id.as_bytes()),
        ("ce-source", b"\"/ci \\\"main\\\"\""),
        ("ce-type", b"ripcord%2Erelease.v1"),
        ("host", b"x"),
    ];
    decode("application/json", headers, br#"{"service":"a","environment":"b","version":"1"}"#)
}

#[test]
fn binary_mode_decodes_percent_signs_and_legacy_quotes() {
    for (id, is_good, why) in [
        ("1", true, "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", true, "percent-encoded UTF-8"),
        ("%C0%A0", false, "an overlong space"),
        ("%E2%82", false, "a cut character"),
        ("100%", false, "a percent sign alone"),
        ("%zz", false, "no hexadecimal digits"),
        ("", false, "empty"),
    ] {
        assert_eq!(binary_event(id).is_ok(), is_good, "{why}");
    }
    let error = decode("application/json", [("host", &b"x"[..])], b"{}").unwrap_err().to_string();
    assert!(error.contains("no CloudEvent"), "{error}");
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let good = cdevent("deployed", Some("pkg:npm/a@1"), json!({}));
    let batch =
        |events: &Value| decode("application/cloudevents-batch+json", [], events.to_string().as_bytes());
    assert_eq!(batch(&json!([])).unwrap().len(), 0);
    assert_eq!(batch(&json!([good, good])).unwrap().len(), 2);
    let mut bad = good.clone();
    bad["id"] = json!(null);
    assert_eq!(batch(&json!([good, bad])).unwrap_err().to_string(), "[1].id: is required");
    assert!(batch(&json!(vec![json!({}); BATCH_MAX + 1])).unwrap_err().is_too_large());
    let error = decode("application/cloudevents+avro", [], b"").unwrap_err().to_string();
    assert!(error.starts_with("Content-Type: "), "{error}");
}
