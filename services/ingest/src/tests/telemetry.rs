use model::{Batch, EventBody, LabelBytes};

use super::*;

/// A `WriteRequest` of one sample a series, each series its labels.
fn write_request(series: &[&[(&str, &str)]]) -> Vec<u8> {
    let mut message = Vec::new();
    for labels in series {
        let mut content = Vec::new();
        LabelBytes::encode(labels.iter().copied(), &mut content);
        content.extend_from_slice(&[0x12, 0x0b, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0x05]);
        assert!(content.len() < 128);
        message.extend_from_slice(&[0x0a, content.len() as u8]);
        message.extend_from_slice(&content);
    }
    snap::raw::Encoder::new().compress_vec(&message).unwrap()
}

const GOOD: &[(&str, &str)] = &[("__name__", "up"), ("job", "a")];
const BAD: &[(&str, &str)] = &[("job", "a")];

fn batch(body: EventBody) -> Batch {
    match body {
        EventBody::Telemetry(batch) => batch,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn remote_write_is_durable_before_it_is_answered() {
    let bench = Bench::new();
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let body = write_request(&[GOOD]);
    let answer = bench.send("POST", "/api/v1/write", "sender", &headers, body.clone()).await;
    assert_eq!((answer.status, answer.header("x-prometheus-remote-write-version")), (204, "0.1.0"));
    let records = bench.taken();
    assert_eq!((records[0].source.as_str(), records[0].at), ("sender", AT));
    assert!(matches!(&records[0].body, EnvelopeBody::Telemetry { body: kept, .. } if *kept == body));

    *bench.sink.is_down.lock().unwrap() = true;
    let answer = bench.send("POST", "/api/v1/write", "sender", &headers, body).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.text(), "the log cannot write: no space left on device\n");
}

#[tokio::test]
async fn of_a_mixed_body_the_valid_part_is_kept_and_the_rest_named() {
    let bench = Bench::new();
    let answer = bench.post("/api/v1/write", "sender", write_request(&[GOOD, BAD, GOOD])).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "text/plain; charset=utf-8"));
    assert_eq!(
        answer.text(),
        "no __name__ in {job=\"a\"} (left out 1 series with 1 samples; kept 2 series with 2 samples)\n",
        "senders show the first line only"
    );
    assert_eq!(batch(bench.telemetry()).series.len(), 2);

    let answer = bench.post("/api/v1/write", "sender", write_request(&[BAD; 30])).await;
    assert!(answer.text().ends_with("and 20 more\n"), "{}", answer.text());
    assert!(bench.taken().is_empty(), "nothing valid, nothing kept");
}

#[tokio::test]
async fn remote_write_that_can_never_be_taken_says_why_and_leaves_no_trace() {
    let bench = Bench::new();
    let good = write_request(&[GOOD]);
    let version_2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    for (name, headers, body, status, text) in [
        ("", &[][..], good.clone(), 401, "a valid bearer token is needed"),
        ("wrong", &[], good.clone(), 401, "a valid bearer token is needed"),
        ("scoped", &[], good.clone(), 403, r#""scoped" may not touch every service"#),
        (
            "sender",
            &[("content-type", version_2)],
            good.clone(),
            415,
            "remote write 2.0 is not understood yet",
        ),
        (
            "sender",
            &[("content-type", "application/json")],
            good.clone(),
            415,
            "Content-Type \"application/json\"",
        ),
        ("sender", &[("content-encoding", "zstd")], good.clone(), 415, "Content-Encoding \"zstd\""),
        ("sender", &[], b"not snappy".to_vec(), 400, "the body is no snappy block"),
        ("sender", &[], Vec::new(), 400, "the body is no snappy block"),
        ("sender", &[], good[..good.len() - 3].to_vec(), 400, "the body is no snappy block"),
        ("sender", &[], vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0x00], 400, "it declares 4294967295 bytes"),
        (
            "sender",
            &[],
            snap::raw::Encoder::new().compress_vec(b"\x0a\x7f").unwrap(),
            400,
            "no prometheus.WriteRequest",
        ),
        (
            "sender",
            &[],
            snap::raw::Encoder::new().compress_vec(&vec![0; 33 << 20]).unwrap(),
            413,
            "decompressed bytes",
        ),
    ] {
        let answer = bench.send("POST", "/api/v1/write", name, headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(text), "{text}: {}", answer.text());
        assert!(bench.taken().is_empty());
    }
    assert_eq!(bench.post("/api/v1/write", "", good).await.header("www-authenticate"), "Bearer");
}

const EXPORT: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
    "scopeMetrics":[{"metrics":[
        {"name":"n","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"7","timeUnixNano":"5000000000"}]}},
        {"name":"s","summary":{"dataPoints":[{"timeUnixNano":"5000000000"}]}}]}]}]}"#;

#[tokio::test]
async fn otlp_is_answered_in_its_own_form_and_says_what_was_left_out() {
    let bench = Bench::new();
    let json = [("content-type", "application/json")];
    let answer = bench.send("POST", "/v1/metrics", "sender", &json, EXPORT).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(
        answer.text(),
        r#"{"partialSuccess":{"errorMessage":"s: summaries are not supported","rejectedDataPoints":"1"}}"#
    );
    assert_eq!(batch(bench.telemetry()).series.len(), 1);
    let refused = || bench.refusals.all().into_iter().map(|it| (it.service, it.reason, it.parts, it.example));
    let once = ("a".to_owned(), "summary".to_owned(), 1, "s: summaries are not supported".to_owned());
    assert_eq!(refused().collect::<Vec<_>>(), [once], "also where it is shown to people");

    let zipped = [("content-type", "application/json; charset=utf-8"), ("content-encoding", "gzip")];
    let answer = bench.send("POST", "/v1/metrics", "sender", &zipped, gzip(EXPORT.as_bytes())).await;
    assert_eq!(answer.status, 200);
    assert!(batch(bench.telemetry()).is_whole);
    assert_eq!(refused().map(|it| it.2).collect::<Vec<_>>(), [2], "by service and reason");

    let protobuf = [("content-type", "application/x-protobuf")];
    let answer = bench.send("POST", "/v1/metrics", "sender", &protobuf, Vec::new()).await;
    assert_eq!((answer.status, answer.bytes.len()), (200, 0), "an empty request is a success and no event");
    assert!(bench.taken().is_empty());

    *bench.sink.is_down.lock().unwrap() = true;
    let answer = bench.send("POST", "/v1/metrics", "sender", &json, EXPORT).await;
    assert_eq!((answer.status, answer.header("retry-after"), &answer.json()["code"]), (503, "5", &14.into()));
}

#[tokio::test]
async fn otlp_that_can_never_be_taken_is_refused_with_a_status() {
    let bench = Bench::new();
    let zeros = gzip(&vec![b' '; 21 << 20]);
    let json = ("content-type", "application/json");
    for (name, headers, body, status, code, text) in [
        ("", &[json][..], EXPORT.into(), 401, 16, "a valid bearer token is needed"),
        ("scoped", &[json], EXPORT.into(), 403, 7, "every service"),
        ("sender", &[json], b"[]".to_vec(), 400, 3, "no ExportMetricsServiceRequest"),
        ("sender", &[json, ("content-encoding", "gzip")], EXPORT.into(), 400, 3, "the body is no gzip"),
        (
            "sender",
            &[json, ("content-encoding", "br")],
            EXPORT.into(),
            415,
            3,
            "Content-Encoding must be gzip",
        ),
        ("sender", &[json, ("content-encoding", "gzip")], zeros, 413, 8, "decompressed bytes"),
        ("sender", &[json], vec![b' '; 9 << 20], 413, 8, "bytes of the body"),
    ] {
        let answer = bench.send("POST", "/v1/metrics", name, headers, body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{}", answer.text());
        assert!(answer.json()["message"].as_str().unwrap().contains(text), "{}", answer.text());
        assert!(bench.taken().is_empty());
    }
    let protobuf = [("content-type", "application/x-protobuf")];
    let answer = bench.send("POST", "/v1/metrics", "sender", &protobuf, "garbage").await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.bytes[..2].to_vec()),
        (400, "application/x-protobuf", vec![0x08, 3])
    );
    for headers in [&[("content-type", "text/plain")][..], &[]] {
        assert_eq!(bench.send("POST", "/v1/metrics", "sender", headers, EXPORT).await.status, 415);
    }
}

const LINE: &str = r#"{"service":"checkout","environment":"production","status":503,"duration_ms":12.5}"#;

#[tokio::test]
async fn request_events_are_kept_line_by_line() {
    let bench = Bench::new();
    let answer = bench.post("/api/v1/requests", "sender", format!("{LINE}\n{LINE}\n")).await;
    assert_eq!((answer.status, answer.json()), (202, serde_json::json!({"accepted": 2})));
    let EventBody::Requests(events) = bench.telemetry() else { panic!() };
    assert_eq!((events.len(), events[0].is_error, events[0].at), (2, true, AT));

    let mixed = format!("{LINE}\n{{\"service\":\"a\"}}\n{LINE}");
    let answer = bench
        .send("POST", "/api/v1/requests", "sender", &[("content-encoding", "gzip")], gzip(mixed.as_bytes()))
        .await;
    let (status, detail) = answer.problem();
    assert_eq!((status, &answer.json()["accepted"], &answer.json()["rejected"]), (400, &2.into(), &1.into()));
    assert!(detail.contains("line 2: missing field `environment`"), "{detail}");
    let EventBody::Requests(events) = bench.telemetry() else { panic!() };
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn request_events_that_are_none_or_not_the_senders_leave_no_trace() {
    let bench = Bench::new();
    let other = LINE.replace("production", "staging");
    for (name, body, status, text) in [
        ("", LINE.to_owned(), 401, "a valid bearer token is needed"),
        ("scoped", format!("{LINE}\n{other}"), 403, r#""checkout" in "staging""#),
        ("sender", "not json".to_owned(), 400, "line 1: expected"),
        ("sender", "\n".repeat(9 << 20), 413, "bytes of the body"),
        ("sender", "{}\n".repeat(200_001), 413, "lines: 200001 is over the limit of 200000"),
    ] {
        let (found, detail) = bench.post("/api/v1/requests", name, body).await.problem();
        assert_eq!(found, status, "{detail}");
        assert!(detail.contains(text), "{detail}");
        assert!(bench.taken().is_empty());
    }
    assert_eq!(bench.post("/api/v1/requests", "scoped", LINE).await.status, 202);
    assert_eq!(bench.post("/api/v1/requests", "sender", "\n\n").await.json()["accepted"], 0);
    assert_eq!(bench.taken().len(), 1);
}

fn notification(status: &str) -> String {
    serde_json::json!({"version": "4", "alerts": [{
        "status": status, "labels": {"alertname": "HighErrorRate"}, "annotations": {},
        "startsAt": "2026-11-23T09:59:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": ""}]})
    .to_string()
}

#[tokio::test]
async fn alertmanagers_notifications_end_by_their_timeout_and_malformed_ones_are_refused_by_name() {
    let bench = Bench::new();
    for (body, status, text) in [
        (notification("firing"), 200, ""),
        (notification("odd"), 400, "alerts[0].status: must be firing or resolved"),
        ("{}".to_owned(), 400, "missing field `version`"),
        (String::new(), 400, "EOF while parsing"),
    ] {
        let answer = bench.post("/hooks/alertmanager", "alerter", body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 200 {
            let EventBody::Alerts(alerts) = bench.event() else { panic!() };
            let end = alerts[0].ends_at.map(|end| end.since(AT));
            assert_eq!((alerts[0].name(), end), ("HighErrorRate", Some(crate::DEFAULT_RESOLVE_TIMEOUT)));
        } else {
            assert!(answer.problem().1.contains(text), "{}", answer.text());
            assert!(bench.taken().is_empty());
        }
    }
}

#[tokio::test]
async fn a_notification_is_taken_whole_or_not_at_all_where_a_tokens_scope_leaves_an_alert_out() {
    let bench = Bench::new();
    let alert = |labels: serde_json::Value| serde_json::json!({"status": "firing", "labels": labels, "startsAt": "2026-11-23T09:59:00Z"});
    let own = serde_json::json!({"alertname": "Own", "service": "checkout", "environment": "production"});
    for (name, other, status, why) in [
        ("scoped", own.clone(), 200, "both are within the scope"),
        (
            "scoped",
            serde_json::json!({"alertname": "A", "service": "cart", "environment": "production"}),
            403,
            "another service",
        ),
        (
            "scoped",
            serde_json::json!({"alertname": "A", "service": "checkout"}),
            403,
            "the service in every environment",
        ),
        ("scoped", serde_json::json!({"alertname": "A"}), 403, "nothing is named"),
        ("alerter", serde_json::json!({"alertname": "A"}), 200, "a token without a scope"),
        ("sender", own.clone(), 403, "a token without the role"),
    ] {
        let body = serde_json::json!({"version": "4", "alerts": [alert(own.clone()), alert(other)]});
        let answer = bench.post("/hooks/alertmanager", name, body.to_string()).await;
        assert_eq!(answer.status, status, "{why}: {}", answer.text());
        assert_eq!(bench.taken().len(), usize::from(status == 200), "{why}");
    }
}

#[tokio::test]
async fn a_flood_of_alerts_by_the_narrowest_token_is_to_come_back_and_keeps_no_other_sender_out() {
    let bench = Bench::new();
    let alert = |number: usize| {
        serde_json::json!({"status": "firing", "startsAt": "2026-11-23T09:59:00Z", "labels": {
            "alertname": format!("A{number}"), "service": "checkout", "environment": "production",
        }})
    };
    let notify = |count: usize| {
        let alerts: Vec<_> = (0..count).map(alert).collect();
        serde_json::json!({"version": "4", "alerts": alerts}).to_string()
    };
    let (flood, few) = (notify(6_000), notify(3));
    for (name, body, status) in [
        ("scoped", flood.clone(), 200),
        ("scoped", flood.clone(), 503),
        ("alerter", notification("firing"), 200),
        ("scoped", few, 200),
    ] {
        let answer = bench.post("/hooks/alertmanager", name, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("retry-after").is_empty(), status == 200);
        assert_eq!(bench.taken().len(), usize::from(status == 200));
    }
}
