use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{CommandId, CommandMode, CommandState, ReleaseId, ReleaseRef, ServiceKey, Timestamp};
use proptest::{collection::vec, option, prelude::*};
use serde_json::json;

use super::*;
use crate::wire::cloudevents::{self, RELEASE_TYPE};

type Header<'a> = (&'a str, Option<&'a [u8]>);

const RELEASE: &[u8] = br#"{"service":"checkout","environment":"production","version":"2.4.1"}"#;

/// The headers of an event in binary mode, of the specification's example but for the type.
fn event<'a>(kind: &'a str, content_type: &'a str) -> Vec<Header<'a>> {
    [
        ("ce_specversion", "1.0"),
        ("ce_type", kind),
        ("ce_source", "/mycontext/subcontext"),
        ("ce_id", "1234-1234-1234"),
        ("ce_time", "2018-04-05T03:56:24Z"),
        ("content-type", content_type),
    ]
    .map(|(name, value)| (name, Some(value.as_bytes())))
    .into()
}

#[test]
fn the_examples_of_the_specification_are_events_of_a_type_that_is_ignored() {
    let ignored = |occurrence| match occurrence {
        Ok(Message { occurrence: Occurrence::Ignored { kind, .. }, time_fault: None }) => kind,
        other => panic!("{other:?}"),
    };
    let binary = decode(event("com.example.someevent", "application/avro"), Some(b"\x00\xff avro"));
    assert_eq!(ignored(binary), "com.example.someevent");
    let without_data = decode(event("com.example.someevent", "application/avro"), None);
    assert_eq!(ignored(without_data), "com.example.someevent");
    let payload = br#"{
        "specversion" : "1.0",
        "type" : "com.example.someevent",
        "source" : "/mycontext/subcontext",
        "id" : "1234-1234-1234",
        "time" : "2018-04-05T03:56:24Z",
        "datacontenttype" : "application/xml",
        "data" : "<much wow=\"xml\"/>"
    }"#;
    let content_type = b"application/cloudevents+json; charset=UTF-8";
    let structured = decode([("content-type", Some(&content_type[..]))], Some(payload));
    assert_eq!(ignored(structured), "com.example.someevent");
}

#[test]
fn a_message_says_what_the_same_event_says_over_http() {
    let over_http = |content_type: &str, headers: Vec<Header<'_>>, body: &[u8]| {
        let names: Vec<String> = headers.iter().map(|it| it.0.replace("ce_", "ce-")).collect();
        let headers = names.iter().map(String::as_str).zip(headers.iter().filter_map(|it| it.1));
        cloudevents::decode(content_type, headers, body).map(|all| all.into_iter().next().unwrap())
    };
    let attributes = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": RELEASE_TYPE});
    let with = |name: &str, value| {
        let mut event = attributes.clone();
        event[name] = value;
        event.to_string().into_bytes()
    };
    let data = serde_json::from_slice(RELEASE).unwrap();
    let structured = |content_type| (content_type, vec![("content-type", Some(str::as_bytes(content_type)))]);
    let binary = |kind, content_type| (content_type, event(kind, content_type));
    for ((content_type, headers), payload) in [
        (binary(RELEASE_TYPE, "application/json"), RELEASE.to_vec()),
        (binary(RELEASE_TYPE, "Application/JSON; charset=utf-8"), RELEASE.to_vec()),
        (binary(RELEASE_TYPE, "application/vnd.release+json"), RELEASE.to_vec()),
        (binary(RELEASE_TYPE, ""), RELEASE.to_vec()),
        (binary(RELEASE_TYPE, "application/json"), b"{".to_vec()),
        (binary(RELEASE_TYPE, "application/json"), b"[]".to_vec()),
        (binary("dev.cdevents.service.deployed.0.3.0", "application/json"), RELEASE.to_vec()),
        (structured("application/cloudevents+json"), with("data", data)),
        (
            structured("APPLICATION/CloudEvents+JSON;charset=UTF-8"),
            with("data_base64", json!(STANDARD.encode(RELEASE))),
        ),
        (structured("application/cloudevents+json"), with("data", json!(1))),
        (structured("application/cloudevents+json"), with("id", json!(""))),
        (structured("application/cloudevents+json"), b"".to_vec()),
    ] {
        let name = format!("{content_type} {}", String::from_utf8_lossy(&payload));
        let message = decode(headers.clone(), Some(&payload));
        let message = message.map(|message| message.occurrence).map_err(|error| error.to_string());
        let request = over_http(content_type, headers, &payload).map_err(|error| error.to_string());
        assert_eq!(message, request, "{name}");
    }
}

#[test]
fn values_are_utf_8_and_nothing_in_them_is_decoded() {
    let mut headers = event(RELEASE_TYPE, "application/json");
    headers[3].1 = Some("100% \"Euro €\" %41".as_bytes());
    assert!(decode(headers, Some(RELEASE)).is_ok());
    let mut headers = event(RELEASE_TYPE, "application/json");
    headers[1].1 = Some(b"ripcord%2Erelease.v1");
    let message = decode(headers, Some(RELEASE)).unwrap();
    assert!(matches!(message.occurrence, Occurrence::Ignored { .. }), "another type");
}

#[test]
fn what_nobody_reads_keeps_no_event_out() {
    let plain = decode(event(RELEASE_TYPE, "application/json"), Some(RELEASE)).unwrap();
    let with = |name: &'static str, value: Option<&'static [u8]>| {
        let mut headers = event(RELEASE_TYPE, "application/json");
        headers.push((name, value));
        headers
    };
    let bom = [&b"\xef\xbb\xbf"[..], RELEASE].concat();
    let structured = format!(
        r#"{{"specversion":"1.0","id":"1","source":"ci","time":"2018-04-05T03:56:24Z","type":"{RELEASE_TYPE}","data":{}}}"#,
        str::from_utf8(RELEASE).unwrap()
    );
    let structured_bom = format!("\u{feff}{structured}");
    let structured_type = vec![("content-type", Some(&b"application/cloudevents+json"[..]))];
    let mut twice = with("ce_traceparent", Some(b"1"));
    twice.push(("ce_traceparent", Some(b"2")));
    for (headers, payload, why) in [
        (with("ce_binary", Some(b"\xff\xfe")), RELEASE, "an extension that is no text"),
        (with("ce_empty", None), RELEASE, "one without a value"),
        (with("ce_subject", Some(b"\xff")), RELEASE, "an attribute that is not read"),
        (twice, RELEASE, "an extension that is given twice"),
        (event(RELEASE_TYPE, "text/plain"), RELEASE, "a library's default content type"),
        (event(RELEASE_TYPE, "application/octet-stream"), RELEASE, "another one's"),
        (event(RELEASE_TYPE, "application/json"), &bom, "a byte order mark"),
        (event(RELEASE_TYPE, "text/plain; charset=utf-8"), &bom, "both"),
        (structured_type, structured_bom.as_bytes(), "a byte order mark in structured mode"),
        (vec![], structured.as_bytes(), "structured mode without a content type, as in version 1.0"),
    ] {
        assert_eq!(decode(headers, Some(payload)).as_ref(), Ok(&plain), "{why}");
    }
    let many: Vec<String> = (0..1_000).map(|at| format!("ce_extension{at}")).collect();
    let many = many.iter().map(|name| (name.as_str(), Some(&b"x"[..])));
    let many = event(RELEASE_TYPE, "application/json").into_iter().chain(many);
    assert_eq!(decode(many, Some(RELEASE)).as_ref(), Ok(&plain), "however many there are");
}

#[test]
fn a_time_that_cannot_be_read_is_said_and_the_event_is_taken_without() {
    for time in ["noon", "", "2026-13-45T99:00:00Z", "1795428000"] {
        let mut headers = event(RELEASE_TYPE, "application/json");
        headers[4].1 = Some(time.as_bytes());
        let Message { occurrence, time_fault } = decode(headers, Some(RELEASE)).unwrap();
        let Occurrence::Deployment(deployment) = occurrence else { panic!("{occurrence:?}") };
        assert_eq!(deployment.occurred_at, None, "{time}");
        let fault = time_fault.map(|fault| fault.to_string()).unwrap_or_default();
        assert!(fault.starts_with("ce_time: must "), "{time}: {fault}");
    }
}

#[test]
fn what_is_wrong_with_a_message_is_said_by_name() {
    let binary = || event(RELEASE_TYPE, "application/json");
    let change = |place: usize, value: Option<&'static [u8]>| {
        let mut headers = binary();
        headers[place].1 = value;
        headers
    };
    let without = |place: usize| {
        let mut headers = binary();
        headers.remove(place);
        headers
    };
    let content_type = |value: &'static str| vec![("content-type", Some(value.as_bytes()))];
    let twice = || binary().into_iter().chain([("ce_id", Some(&b"2"[..]))]).collect::<Vec<_>>();
    let http = vec![("ce-specversion", Some(&b"1.0"[..])), ("ce-id", Some(&b"1"[..]))];
    for (headers, payload, want) in [
        (binary(), None, "a message of type \"ripcord.release.v1\" without content is a tombstone"),
        (binary(), Some(&b""[..]), "a message of type \"ripcord.release.v1\" without content is a tombstone"),
        (vec![], None, "a message with neither event nor content is a tombstone"),
        (content_type("application/json"), None, "a message with neither event nor content is a tombstone"),
        (
            vec![],
            Some(RELEASE),
            "this is no CloudEvent: neither a content type of application/cloudevents+json nor ce_ headers",
        ),
        (
            http,
            Some(RELEASE),
            "this is no CloudEvent: neither a content type of application/cloudevents+json nor ce_ headers",
        ),
        (
            content_type("application/cloudevents-batch+json"),
            Some(b"[]"),
            "content-type: a message is one event, there are no batches in Kafka",
        ),
        (
            content_type("application/cloudevents+avro"),
            Some(b""),
            "Content-Type: application/cloudevents+avro is not understood, application/cloudevents+json is",
        ),
        (
            content_type("application/cloudevents"),
            Some(b""),
            "Content-Type: application/cloudevents is not understood, application/cloudevents+json is",
        ),
        (change(5, Some(b"\xff")), Some(RELEASE), "content-type: is not UTF-8"),
        (change(0, Some(b"0.3")), Some(RELEASE), "ce_specversion: must be \"1.0\", not \"0.3\""),
        (change(1, Some(b"")), Some(RELEASE), "ce_type: must not be empty"),
        (change(2, Some(b"\xc0\xa0")), Some(RELEASE), "ce_source: is not UTF-8"),
        (change(3, None), Some(RELEASE), "ce_id: has no value"),
        (without(0), Some(RELEASE), "ce_specversion: is required"),
        (without(3), Some(RELEASE), "ce_id: is required"),
        (twice(), Some(RELEASE), "ce_id: is given twice"),
        (binary(), Some(b"{\"service\":"), "data: EOF while parsing a value at line 1 column 11"),
    ] {
        assert_eq!(decode(headers, payload).unwrap_err().to_string(), want);
    }
    let large = vec![b' '; cloudevents::BODY_BYTES_MAX + 1];
    assert!(decode(binary(), Some(&large)).unwrap_err().is_too_large());
}

#[test]
fn a_command_goes_out_as_an_event() {
    let command = Command {
        id: CommandId::from_text("cmd_1"),
        attempt: 1,
        verb: CommandVerb::Rollback,
        release: ReleaseRef {
            id: ReleaseId::from_text("rel_1"),
            key: ServiceKey::new("checkout", "production"),
            cluster: None,
            version: "2.4.1".into(),
        },
        to_version: Some("2.4.0".into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: Vec::new(),
        reasons: Vec::new(),
        decided_at: Timestamp::from_millis(1_795_428_000_123),
        deadline: Timestamp::from_millis(1_795_428_060_123),
        evidence_at: Timestamp::from_millis(1_795_428_000_000),
        fencing: 1,
        approvals_needed: 0,
        approved_by: Vec::new(),
    };
    let headers = command_headers(&command, "/ripcord/eu");
    let shown: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        shown,
        [
            "content-type: application/json",
            "ce_specversion: 1.0",
            "ce_id: cmd_1",
            "ce_type: ripcord.rollback.v1",
            "ce_source: /ripcord/eu",
            "ce_subject: checkout",
            "ce_time: 2026-11-23T10:00:00.123Z",
        ]
    );
    let read = decode(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))), Some(b"{}"));
    let read = read.map(|message| message.occurrence);
    assert!(matches!(read, Ok(Occurrence::Ignored { kind, .. }) if kind == "ripcord.rollback.v1"));
    let names = [CommandVerb::Rollback, CommandVerb::Promote, CommandVerb::Hold]
        .map(|verb| command_type(verb) == format!("ripcord.{}.v1", verb.as_str()));
    assert_eq!(names, [true; 3]);
}

proptest! {
    #[test]
    fn any_message_is_read_or_refused(
        names in vec(prop_oneof![Just("content-type".to_owned()), "ce_[a-z]{0,12}", ".{0,8}"], 0..8),
        values in vec(option::of(vec(any::<u8>(), 0..20)), 8),
        payload in option::of(vec(any::<u8>(), 0..80)),
    ) {
        let headers = names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_deref()));
        drop(decode(headers, payload.as_deref()));
    }

    #[test]
    fn any_payload_of_a_sound_message_is_read_or_refused(
        payload in vec(any::<u8>(), 0..80),
        is_structured in any::<bool>(),
    ) {
        let headers = event("dev.cdevents.service.deployed.0.3.0", if is_structured {
            "application/cloudevents+json"
        } else {
            "application/json"
        });
        drop(decode(headers, Some(&payload)));
    }
}
