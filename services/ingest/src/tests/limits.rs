use std::{convert::Infallible, time::Duration};

use tokio_stream::StreamExt as _;

use super::*;

const RELEASE: &str = r#"{"service":"checkout","environment":"production","version":"2.4.1"}"#;

/// A body that does not say how long it is: `pieces` of a kilobyte, then its end.
fn streamed(pieces: usize) -> Body {
    Body::from_stream(tokio_stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(vec![b' '; 1024]))))
}

/// A body that begins and never ends.
fn stalled() -> Body {
    let begin = tokio_stream::iter([Ok::<_, Infallible>(b"{".to_vec())]);
    Body::from_stream(begin.chain(tokio_stream::pending()))
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_is_counted_as_it_arrives() {
    let bench = Bench::new();
    let (status, detail) = bench.post("/api/v1/releases", "sender", streamed(300)).await.problem();
    assert_eq!(
        (status, detail.as_str()),
        (413, "bytes of the body: what arrived is over the limit of 262144")
    );
    let (status, detail) = bench.post("/api/v1/releases", "sender", streamed(200)).await.problem();
    assert_eq!(status, 400, "within the limit it is read, and is no JSON: {detail}");
}

#[tokio::test]
async fn a_declared_length_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    let length = [("content-length", "1000000000")];
    for path in ["/api/v1/write", "/api/v1/requests", "/api/v1/releases", "/api/v1/halt"] {
        let answer = bench.send("POST", path, "person", &length, stalled()).await;
        assert_eq!(answer.status, 413, "{path}");
        assert!(
            answer.text().contains("bytes of the body: 1000000000 is over the limit of"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn who_is_nobody_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    for (path, status) in [
        ("/api/v1/write", 401),
        ("/api/v1/requests", 401),
        ("/api/v1/events", 401),
        ("/api/v1/releases", 401),
        ("/api/v1/halt", 401),
        ("/api/v1/versions/clear", 401),
        ("/api/v1/releases/rel_1/rollback", 401),
        ("/api/v1/commands/cmd_1/outcome", 401),
        ("/hooks/alertmanager", 401),
    ] {
        assert_eq!(bench.post(path, "", stalled()).await.status, status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_with_its_place_in_the_budget() {
    let bench = Bench::with(Limits { in_flight_bytes_max: 300 << 10, ..Limits::default() });
    let started = tokio::time::Instant::now();
    let (status, detail) = bench.post("/api/v1/releases", "sender", stalled()).await.problem();
    assert_eq!((status, detail.as_str()), (503, "the body did not arrive within 30 s"));
    assert_eq!(started.elapsed().as_secs(), Duration::from_secs(30).as_secs());
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.status, 201);
}

/// A body of which a part arrives, and no more.
fn stalled_after(pieces: usize) -> Body {
    let begin = tokio_stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(vec![b' '; 1024])));
    Body::from_stream(begin.chain(tokio_stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn whoever_announces_much_and_sends_little_keeps_nobody_out() {
    let bench = Arc::new(Bench::with(Limits { in_flight_bytes_max: 300 << 10, ..Limits::default() }));
    let stalled: Vec<_> = (0..20)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                let length = [("content-length", "262144")];
                bench.send("POST", "/api/v1/releases", "sender", &length, stalled()).await.status
            })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.status, 201);
    for slow in stalled {
        assert_eq!(slow.await.unwrap(), 503, "each is given up in the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_halt_is_taken_while_senders_fill_all_the_room_there_is() {
    let bench = Arc::new(Bench::with(Limits { in_flight_bytes_max: 200 << 10, ..Limits::default() }));
    let slow = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.post("/api/v1/releases", "sender", stalled_after(200)).await.status }
    });
    tokio::task::yield_now().await;
    assert_eq!(bench.post("/api/v1/releases", "sender", RELEASE).await.status, 503, "the room is taken");
    let halt = r#"{"service":"checkout","for":"10m","reason":"a look"}"#;
    let answer = bench.post("/api/v1/halt", "person", halt).await;
    assert!(answer.status < 300, "{}: {}", answer.status, answer.text());
    assert_eq!(slow.await.unwrap(), 503);
}

/// A protobuf field of this tag that holds `content`.
fn message(tag: u8, content: &[u8]) -> Vec<u8> {
    let (mut field, mut length) = (vec![tag], content.len());
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(content);
    field
}

#[tokio::test]
async fn what_an_export_takes_once_decoded_is_paid_for_before() {
    let bench = Bench::with(Limits { in_flight_bytes_max: 3 << 20, ..Limits::default() });
    // 100,000 empty metrics in 200 kB.
    let metrics = [0x12, 0x00].repeat(100_000);
    let body = message(0x0a, &message(0x12, &metrics));
    let headers = [("content-type", "application/x-protobuf")];
    let answer = bench.send("POST", "/v1/metrics", "sender", &headers, body).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn senders_are_asked_to_come_back_while_too_much_is_in_flight() {
    let bench = Arc::new(Bench::with(Limits { in_flight_bytes_max: 300 << 10, ..Limits::default() }));
    let slow = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.post("/api/v1/releases", "sender", stalled_after(250)).await.status }
    });
    tokio::task::yield_now().await;
    let answer = bench.post("/api/v1/releases", "sender", streamed(100)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.problem().1, "too many bytes in flight; come back in a moment");
    assert_eq!(slow.await.unwrap(), 503);
    assert_eq!(
        bench.post("/api/v1/releases", "sender", RELEASE).await.status,
        201,
        "then there is room again"
    );
}

#[tokio::test]
async fn what_comes_out_of_a_compression_is_paid_for() {
    let bench = Bench::with(Limits { in_flight_bytes_max: 3 << 20, ..Limits::default() });
    let headers = [("content-encoding", "gzip")];
    let plain = vec![b'\n'; 8 << 20];
    let answer = bench.send("POST", "/api/v1/requests", "sender", &headers, gzip(&plain)).await;
    assert_eq!(answer.problem().0, 503, "eight megabytes do not fit a budget of three");
    let declared = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(bench.post("/api/v1/write", "sender", declared).await.status, 503);
}

#[tokio::test]
async fn answers_are_counted_by_endpoint_and_never_by_what_a_sender_chose() {
    let bench = Bench::new();
    bench.post("/api/v1/releases", "sender", RELEASE).await;
    bench.post("/api/v1/releases/rel_chosen/hold", "person", "").await;
    bench.post("/api/v1/requests", "sender", "{\"service\":\"chosen\"}").await;
    let text = ::telemetry::metrics::render(&bench.registry).unwrap();
    for line in [
        r#"ripcord_ingest_requests_total{code="201",endpoint="/api/v1/releases"} 1"#,
        r#"ripcord_ingest_requests_total{code="404",endpoint="/api/v1/releases/{id}/hold"} 1"#,
        r#"ripcord_ingest_accepted_total{kind="deployments"} 1"#,
        r#"ripcord_ingest_rejected_total{kind="lines",reason="malformed"} 1"#,
        "ripcord_ingest_in_flight_bytes 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains("chosen"));
}

const ENDPOINTS: [&str; 9] = [
    "/api/v1/write",
    "/v1/metrics",
    "/api/v1/requests",
    "/api/v1/events",
    "/api/v1/releases",
    "/api/v1/releases/rel_1/rollback",
    "/api/v1/commands/cmd_1/outcome",
    "/api/v1/halt",
    "/api/v1/versions/clear",
];

const MEDIA_TYPES: [&str; 4] = [
    "application/x-protobuf",
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
];

proptest::proptest! {
    #[test]
    fn bytes_that_mean_nothing_are_refused_with_a_4xx_and_leave_no_trace(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..200),
        path in proptest::sample::select(&ENDPOINTS[..]),
        media_type in proptest::sample::select(&MEDIA_TYPES[..]),
        is_gzip in proptest::bool::ANY,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Bench::new();
        bench.know_release("rel_1", ReleaseState::Watching);
        bench.know_command("cmd_1", model::CommandState::Accepted);
        let mut headers = vec![("content-type", media_type)];
        headers.extend(is_gzip.then_some(("content-encoding", "gzip")));
        let answer = runtime.block_on(bench.send("POST", path, "person", &headers, bytes));
        // White space is an empty verb, and a few random bytes are unknown fields of a protobuf message.
        if !(200..300).contains(&answer.status) {
            proptest::prop_assert!((400..500).contains(&answer.status), "{}", answer.text());
            proptest::prop_assert!(bench.taken().is_empty());
        }
    }
}
