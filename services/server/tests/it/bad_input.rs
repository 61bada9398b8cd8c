//! Every way in fed what it must refuse: a 4xx that names the fault, and nothing changes.

use serde_json::{Value, json};

use crate::{
    shop::start,
    sink::Sink,
    system::System,
    wire::{Write, now_ms, send_body},
};

/// What is wrong, where it is sent, as what, the body, the status expected, and what the answer must name.
type Row = (&'static str, &'static str, &'static str, Vec<u8>, u16, &'static str);

async fn post(system: &System, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
    let request = system.http.post(format!("{}{path}", system.url)).header("content-type", kind).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_endpoint_names_what_is_wrong_and_keeps_nothing_of_it() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let release = |body: Value| body.to_string().into_bytes();
    let good = json!({"service": "a", "environment": "b", "version": "1"});
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        release(body)
    };
    let rows: Vec<Row> = vec![
        ("not JSON", "/api/v1/releases", "application/json", b"{".to_vec(), 400, ""),
        (
            "no version",
            "/api/v1/releases",
            "application/json",
            release(json!({"service": "a", "environment": "b"})),
            400,
            "version",
        ),
        (
            "an empty service",
            "/api/v1/releases",
            "application/json",
            with("service", json!("")),
            400,
            "service",
        ),
        (
            "a misspelt key",
            "/api/v1/releases",
            "application/json",
            with("prevous_version", json!("0")),
            400,
            "previous_version",
        ),
        (
            "an unknown status",
            "/api/v1/releases",
            "application/json",
            with("status", json!("shipped")),
            400,
            "status",
        ),
        (
            "too much traffic",
            "/api/v1/releases",
            "application/json",
            with("traffic_percentage", json!(140)),
            400,
            "traffic_percentage",
        ),
        (
            "itself as previous",
            "/api/v1/releases",
            "application/json",
            with("previous_version", json!("1")),
            400,
            "previous_version",
        ),
        ("no CloudEvent", "/api/v1/events", "application/cloudevents+json", b"{\"id\":1}".to_vec(), 400, ""),
        ("no JSON at all", "/api/v1/events", "application/cloudevents+json", b"hello".to_vec(), 400, ""),
        (
            "not an alert",
            "/hooks/alertmanager",
            "application/json",
            b"{\"alerts\": 3}".to_vec(),
            400,
            "Alertmanager",
        ),
        ("a bad line", "/api/v1/requests", "application/x-ndjson", b"{\"service\":".to_vec(), 400, "line 1"),
        ("not OTLP", "/v1/metrics", "application/json", b"[1]".to_vec(), 400, ""),
        ("OTLP of another type", "/v1/metrics", "text/plain", b"x".to_vec(), 415, ""),
    ];
    for (what, path, kind, body, status, names) in rows {
        let (answered, text) = post(&system, path, kind, body).await;
        assert_eq!(answered, status, "{what}: {text}");
        assert!(text.contains(names), "{what}: {text} should name {names}");
    }
    assert_eq!(system.get("/api/v1/releases").await["items"], json!([]));
    assert_eq!(system.get("/api/v1/services").await["items"], json!([]));
}

#[tokio::test]
async fn the_valid_part_of_a_mixed_batch_is_kept_and_the_rest_is_named() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let at = now_ms();
    let write = |value: f64, at: i64| {
        Write::default().requests("checkout", "1", value, 0.0, at).series(
            &[("__name__", "9 bad name"), ("service", "x")],
            1.0,
            at,
        )
    };
    let (status, text) = write(10.0, at - 1000).send(&system).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("9 bad name"), "{text}");
    write(20.0, at).send(&system).await;
    crate::system::until("the valid part", async || {
        let values = system.get("/api/v1/services/checkout/metrics?window=5m").await;
        (values["versions"][0]["requests"] == 10).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_declares_four_gigabytes_is_refused_by_its_word_alone() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    // A snappy block starts with the length it will have: 0xffff_ffff, and then nothing.
    let (status, text) = send_body(&system, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]).await;
    assert_eq!(status, 400, "{text}");
    // A bomb that keeps its word: 64 MiB of nothing in three.
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 64 * 1024 * 1024]).unwrap();
    let (status, text) = send_body(&system, bomb).await;
    assert_eq!(status, 413, "{text}");
    let (status, _) = send_body(&system, b"not snappy at all".to_vec()).await;
    assert!(status == 400 || status == 413, "{status}");
    let huge = vec![b' '; 64 * 1024 * 1024];
    let answer = system.http.post(format!("{}/api/v1/releases", system.url)).body(huge).send().await;
    // The server may close before all is sent; if it answered, it said why.
    if let Ok(answer) = answer {
        assert_eq!(answer.status().as_u16(), 413);
    }
}

#[tokio::test]
async fn without_the_right_token_nothing_gets_in_and_nothing_is_shown() {
    let config = r#"
server:
  listen: "LISTEN"
  tokens:
    - { name: prometheus, token_file: ingest.token, roles: [telemetry, deploy] }
    - { name: viewer, token_file: view.token, roles: [view] }
hooks: { alertmanager: { token_file: hook.token } }
"#;
    let files = [
        ("ingest.token", "let-me-in-please"),
        ("view.token", "let-me-see-please"),
        ("hook.token", "let-me-ring-please"),
    ];
    let system = System::start_with_files(config, &files).await;
    let try_post = async |path: &str, token: Option<&str>| {
        let body = json!({"service": "a", "environment": "b", "version": "1"}).to_string();
        let request = system
            .http
            .post(format!("{}{path}", system.url))
            .header("content-type", "application/json")
            .body(body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/api/v1/releases", "/api/v1/write", "/v1/metrics", "/api/v1/requests", "/api/v1/events"] {
        assert_eq!(try_post(path, None).await, 401, "{path}");
        assert_eq!(try_post(path, Some("wrong")).await, 401, "{path}");
        assert_eq!(try_post(path, Some("let-me-see-please")).await, 403, "{path}");
    }
    assert_eq!(try_post("/hooks/alertmanager", None).await, 401);
    assert_eq!(try_post("/hooks/alertmanager", Some("wrong")).await, 401);
    assert_eq!(try_post("/api/v1/halt", Some("let-me-in-please")).await, 403);
    let unseen = system.http.get(format!("{}/api/v1/releases", system.url)).send().await.unwrap();
    assert_eq!(unseen.status().as_u16(), 401);
    assert_eq!(try_post("/api/v1/releases", Some("let-me-in-please")).await, 201);
}
