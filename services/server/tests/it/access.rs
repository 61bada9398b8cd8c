//! What each token may send, move and see, with the weakest one that comes near.

use serde_json::{Value, json};

use crate::{
    shop::SECRET,
    sink::Sink,
    system::{System, until},
    wire::{Write, now_ms},
};

const CONFIG: &str = r#"
server:
  listen: "LISTEN"
  tokens:
    - { name: deploy-a, token: deploy-a-secret-1, roles: [deploy], services: [svc-a] }
    - { name: deploy-b, token: deploy-b-secret-1, roles: [deploy] }
    - { name: telemetry-a, token: telemetry-a-secret-1, roles: [telemetry], services: [svc-a] }
    - { name: alerts-a, token: alerts-a-secret-1, roles: [alerts], services: [svc-a] }
    - { name: alerts, token: alerts-secret-1, roles: [alerts] }
    - { name: view-a, token: view-a-secret-1, roles: [view], services: [svc-a], environments: [production] }
    - { name: view, token: view-secret-1, roles: [view] }
    - { name: operate-a, token: operate-a-secret-1, roles: [operate], services: [svc-a] }
metrics:
  error_rate: { ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total } }
defaults: { settle: 1s }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
alerts:
  - { name: "Down", condition: 'alert("CheckoutDown")', duration: 1s, action: immediate_rollback }
policies:
  - match: { environment: production }
    mode: approve
    target: { webhook: { url: "TARGET", secret_file: webhook.secret } }
route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s }
receivers: [ { name: hook, webhook_configs: [ { url: "NOTIFY", send_resolved: true } ] } ]
"#;

/// Ripcord with a token of each kind, its target, and where it tells.
pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) target: Sink,
    told: Sink,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let (target, told) = (Sink::start().await, Sink::start().await);
        let config = CONFIG.replace("TARGET", &target.url).replace("NOTIFY", &told.url);
        let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
        Self { system, target, told }
    }

    /// Posts as the token of this name, as nobody where there is none.
    pub(crate) async fn post(&self, path: &str, name: &str, body: &Value) -> (u16, Value) {
        let request = self.system.http.post(format!("{}{path}", self.system.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        answer(request, name).await
    }

    pub(crate) async fn get(&self, path: &str, name: &str) -> (u16, Value) {
        answer(self.system.http.get(format!("{}{path}", self.system.url)), name).await
    }

    /// Announces a release of a service in production; the status and the answer.
    pub(crate) async fn deploy(&self, name: &str, service: &str, version: &str, more: Value) -> (u16, Value) {
        let mut body = json!({"service": service, "environment": "production", "version": version});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.post("/api/v1/releases", name, &body).await
    }
}

async fn answer(request: reqwest::RequestBuilder, name: &str) -> (u16, Value) {
    let request = match name {
        "" => request,
        _ => request.bearer_auth(format!("{name}-secret-1")),
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

/// One alert, as Alertmanager sends it.
fn notification(status: &str, labels: &Value) -> Value {
    let ends = if status == "resolved" { "2026-11-23T10:00:01Z" } else { "0001-01-01T00:00:00Z" };
    let annotations = json!({"summary": "all good, false alarm"});
    json!({"version": "4", "alerts": [
        {"status": status, "labels": labels, "annotations": annotations, "startsAt": "2026-11-23T10:00:00Z", "endsAt": ends}
    ]})
}

#[tokio::test]
async fn once_there_are_tokens_the_alertmanager_hook_needs_one_that_covers_each_alert() {
    let stage = Stage::start().await;
    let of =
        |service: &str| json!({"alertname": "DiskFull", "service": service, "environment": "production"});
    for (name, labels, status, why) in [
        ("", of("svc-a"), 401, "no token, from this machine, as a proxy beside Ripcord passes it on"),
        ("nobody", of("svc-a"), 401, "a wrong one"),
        ("telemetry-a", of("svc-a"), 403, "a sender of telemetry"),
        ("deploy-a", of("svc-a"), 403, "a pipeline"),
        ("alerts-a", of("svc-b"), 403, "an alert about somebody else"),
        ("alerts-a", json!({"alertname": "DiskFull"}), 403, "an alert about nobody in particular"),
        ("alerts-a", of("svc-a"), 200, "an alert about its own service"),
        ("alerts", of("svc-b"), 200, "a token for all services"),
    ] {
        let (answered, body) =
            stage.post("/hooks/alertmanager", name, &notification("firing", &labels)).await;
        assert_eq!(answered, status, "{why}: {body}");
    }
}

#[tokio::test]
async fn without_tokens_a_wrong_token_is_still_refused() {
    let system = System::start("server: { listen: \"LISTEN\" }\n").await;
    let stage = Stage { target: Sink::start().await, told: Sink::start().await, system };
    let alert = notification("firing", &json!({"alertname": "DiskFull"}));
    for (name, status) in [("nobody", 401), ("", 200)] {
        assert_eq!(stage.post("/hooks/alertmanager", name, &alert).await.0, status, "{name}");
    }
}

#[tokio::test]
async fn an_alert_that_copies_the_labels_of_a_notice_does_not_end_it() {
    let stage = Stage::start().await;
    let previous = json!({"previous_version": "1.0"});
    let (status, release) = stage.deploy("deploy-a", "svc-a", "2.0", previous).await;
    assert_eq!(status, 201, "{release}");
    let down = json!({"alertname": "CheckoutDown", "service": "svc-a", "environment": "production", "version": "2.0"});
    assert_eq!(stage.post("/hooks/alertmanager", "alerts-a", &notification("firing", &down)).await.0, 200);
    let told = |status: &str| {
        let received = stage.told.received().into_iter();
        let alerts = received.flat_map(|it| it.body["alerts"].as_array().cloned().unwrap_or_default());
        let of = |it: &Value| it["labels"]["alertname"] == "rollback_prepared" && it["status"] == status;
        alerts.filter(of).last()
    };
    let asked = until("people are asked", async || told("firing")).await;
    let labels = asked["labels"].clone();
    assert_eq!(labels["kind"], "rollback_prepared", "{labels}");

    for status in ["firing", "resolved"] {
        let forged = notification(status, &labels);
        assert_eq!(stage.post("/hooks/alertmanager", "alerts-a", &forged).await.0, 200);
    }
    until("the forged alert, under a name of its own", async || {
        let received = stage.told.received().into_iter();
        received.map(|it| it.body).find(|body| {
            body["groupLabels"]["alertname"] == "exported_rollback_prepared" && body["status"] == "resolved"
        })
    })
    .await;
    assert_eq!(told("resolved"), None, "the release still waits for approval");
    assert!(stage.target.received().is_empty());
}

#[tokio::test]
async fn a_token_sees_what_is_about_its_services_and_nothing_else() {
    let stage = Stage::start().await;
    let mut ids = Vec::new();
    for (service, environment) in [("svc-a", "production"), ("svc-a", "staging"), ("svc-b", "production")] {
        let body = json!({"service": service, "environment": environment, "version": "2.0", "previous_version": "1.0"});
        let (status, release) = stage.post("/api/v1/releases", "deploy-b", &body).await;
        assert_eq!(status, 201, "{release}");
        ids.push(release["id"].as_str().unwrap().to_owned());
        let down = json!({"alertname": "CheckoutDown", "service": service, "environment": environment, "version": "2.0"});
        assert_eq!(stage.post("/hooks/alertmanager", "alerts", &notification("firing", &down)).await.0, 200);
        let line = json!({"service": service, "environment": environment, "version": "2.0", "status": 200});
        assert_eq!(stage.system.post("/api/v1/requests", &line).await.0, 202);
        let halt = json!({"service": service, "environment": environment, "for": "1h", "reason": format!("{service} {environment}")});
        assert_eq!(stage.system.post("/api/v1/halt", &halt).await.0, 202);
        let bad = json!({"service": service, "environment": environment, "version": "2.0"});
        assert_eq!(stage.system.post("/api/v1/versions/clear", &bad).await.0, 409, "audited all the same");
    }
    let all = json!({"all": true, "for": "1h", "reason": "game day"});
    assert_eq!(stage.system.post("/api/v1/halt", &all).await.0, 202);
    until("every rollback is prepared, and people are told", async || {
        let (_, commands) = stage.get("/api/v1/commands", "view").await;
        let (_, deliveries) = stage.get("/api/v1/deliveries", "view").await;
        let told = deliveries["items"].as_array()?.iter().map(|it| it["release"].clone());
        let told: std::collections::BTreeSet<String> = told.map(|it| it.to_string()).collect();
        (commands["items"].as_array()?.len() >= 2 && told.len() >= 3).then_some(())
    })
    .await;

    let (others, own) = (["staging", "svc-b"], "svc-a");
    for path in
        ["releases", "commands", "services", "discovery", "deliveries", "audit", "halts", "versions/bad"]
    {
        let path = format!("/api/v1/{path}");
        let (status, whole) = stage.get(&path, "view").await;
        let (narrowed, shown) = stage.get(&path, "view-a").await;
        assert_eq!((status, narrowed), (200, 200), "{path}");
        let (whole, shown) = (whole.to_string(), shown.to_string());
        let names = |text: &str| others.iter().any(|name| text.contains(name)) || text.contains(&ids[2]);
        assert!(!names(&shown), "{path} shows {shown}");
        // Bad versions and deliveries do not name a service, or are none yet.
        if !path.ends_with("bad") {
            assert!(names(&whole) || path.ends_with("deliveries"), "{path} has nothing to hide: {whole}");
            assert!(shown.contains(own) || shown.contains(&ids[0]), "{path} hides too much: {shown}");
        }
    }
    assert!(
        stage.get("/api/v1/halts", "view-a").await.1.to_string().contains("game day"),
        "it is stopped by it"
    );

    let commands = stage.get("/api/v1/commands", "view").await.1;
    let of = |service: &str| {
        let items = commands["items"].as_array().unwrap();
        let found = items.iter().find(|it| it["service"] == service && it["environment"] == "production");
        found.map(|it| it["id"].as_str().unwrap().to_owned())
    };
    let (own_command, other_command) = (of("svc-a").unwrap(), of("svc-b").unwrap());
    for (path, status, why) in [
        (format!("releases/{}", ids[0]), 200, "its own"),
        (format!("releases/{}", ids[1]), 404, "its service, another environment"),
        (format!("releases/{}", ids[2]), 404, "another service"),
        (format!("releases/{}/verdict?wait=50ms", ids[0]), 200, "its own"),
        (format!("releases/{}/verdict?wait=50s", ids[2]), 404, "at once, not after the wait"),
        (format!("commands/{own_command}"), 200, "its own"),
        (format!("commands/{other_command}"), 404, "another service's"),
        ("services/svc-a/metrics?environment=production".to_owned(), 200, "its own"),
        ("services/svc-a/metrics?environment=staging".to_owned(), 404, "another environment"),
        ("services/svc-b/metrics?environment=production".to_owned(), 404, "another service"),
    ] {
        let (answered, body) = stage.get(&format!("/api/v1/{path}"), "view-a").await;
        assert_eq!(answered, status, "{why}: {body}");
        assert_eq!(stage.get(&format!("/api/v1/{path}"), "telemetry-a").await.0, 403, "{path}");
        assert_eq!(stage.get(&format!("/api/v1/{path}"), "").await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn a_release_is_weakened_by_the_token_that_opened_it_or_an_operator_and_by_nobody_else() {
    let mut stage = Stage::start().await;
    let nothing = json!({});
    let (status, release) = stage.deploy("deploy-b", "svc-a", "2.0", nothing.clone()).await;
    assert_eq!(status, 201, "{release}");
    let id = release["id"].as_str().unwrap().to_owned();
    // Who opened it is on the log, and not only in memory.
    stage.system.kill_and_restart().await;
    let digest = format!("shop@sha256:{}", "a".repeat(64));
    for (version, weakened) in [
        ("2.0", json!({"previous_version": "6.6.6-evil"})),
        (" 2.0\u{a0}", json!({"previous_version": "6.6.6-evil"})),
        ("2.0", json!({"revertible": false})),
        ("2.0", json!({"rollback_floor": "99.0.0"})),
        ("2.0", json!({"artifact": digest})),
        ("2.0", json!({"status": "failed"})),
        ("2.0", json!({"status": "rolled_back"})),
        ("v2.0", json!({"status": "rolled_back"})),
        ("1.0", json!({"status": "rolled_back"})),
    ] {
        let (status, answer) = stage.deploy("deploy-a", "svc-a", version, weakened.clone()).await;
        assert_eq!(status, 403, "{version} {weakened}: {answer}");
        let why = answer["detail"].as_str().unwrap();
        assert!(why.contains(&id) && why.contains("\"deploy-b\""), "{why}");
    }
    for (version, status) in [("2.0\u{200b}", 400), ("2\u{202e}.0", 400), ("2.0", 200)] {
        assert_eq!(
            stage.deploy("deploy-a", "svc-a", version, nothing.clone()).await.0,
            status,
            "{version:?}"
        );
    }
    let (_, shown) = stage.get(&format!("/api/v1/releases/{id}"), "view").await;
    assert_eq!((&shown["state"], &shown["previous_version"]), (&json!("watching"), &Value::Null), "{shown}");

    // A version named late by its own token, and never seen out here, is a target only for a person.
    let late = json!({"previous_version": "6.6.6-evil"});
    assert_eq!(stage.deploy("deploy-b", "svc-a", "2.0", late).await.0, 200);
    let ahead = json!({"occurred_at": "2100-01-01T00:00:00Z", "status": "rolled_back"});
    assert_eq!(stage.deploy("deploy-b", "svc-a", "2.0", ahead).await.0, 200);
    until("it is rolled back", async || {
        let (_, shown) = stage.get(&format!("/api/v1/releases/{id}"), "view").await;
        (shown["state"] == "rolled_back").then_some(())
    })
    .await;
    let (status, again) = stage.deploy("deploy-b", "svc-a", "2.0", nothing).await;
    assert_eq!(status, 201, "a time that was ahead makes no later word an old one: {again}");
    let again = again["id"].as_str().unwrap();
    assert_eq!(stage.get(&format!("/api/v1/releases/{again}"), "view").await.0, 200);
    let failed =
        json!({"service": "svc-a", "environment": "production", "version": "2.0", "status": "failed"});
    assert_eq!(stage.system.post("/api/v1/releases", &failed).await.0, 200, "the local token may operate");
}

#[tokio::test]
async fn a_release_does_not_choose_whose_notices_it_makes() {
    let stage = Stage::start().await;
    let evil = json!({"owner": {"team": "evil", "slack": "#evil", "email": "x@evil.example"}});
    let (status, release) = stage.deploy("deploy-a", "svc-a", "2.0", evil).await;
    assert_eq!(status, 201, "{release}");
    let told = until("people hear of the release", async || {
        let received = stage.told.received().into_iter();
        let mut alerts = received.flat_map(|it| it.body["alerts"].as_array().cloned().unwrap_or_default());
        alerts.find(|it| it["labels"]["version"] == "2.0")
    })
    .await;
    assert_eq!(
        (&told["labels"]["kind"], &told["labels"]["team"]),
        (&json!("release_progress"), &Value::Null)
    );
}

#[tokio::test]
async fn a_reload_takes_no_tokens_away_and_a_restart_may() {
    let mut stage = Stage::start().await;
    let file = stage.system.folder.path().join("ripcord.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("  tokens:").unwrap();
    let rest = &rest[rest.find("\nmetrics:").unwrap()..];
    std::fs::write(&file, format!("{head}{rest}")).unwrap();
    let (status, said) = stage.system.reload().await;
    assert!(status == 400 && said.contains("`server.tokens` are gone"), "{status} {said}");
    assert_eq!(stage.get("/api/v1/releases", "").await.0, 401, "loopback stays closed");
    assert_eq!(stage.get("/api/v1/releases", "view").await.0, 200, "the tokens stay in force");
    stage.system.kill_and_restart().await;
    assert_eq!(stage.get("/api/v1/releases", "").await.0, 200);
}

#[tokio::test]
async fn without_tokens_a_page_that_points_its_name_here_learns_nothing() {
    let system = System::start("server: { listen: \"LISTEN\" }\n").await;
    for (host, path, status) in [
        ("localhost", "/metrics", 200),
        ("evil.example", "/metrics", 401),
        ("evil.example", "/api/v1/openapi.json", 401),
        ("evil.example", "/api/v1/releases", 401),
        ("evil.example", "/-/ready", 200),
    ] {
        let request = system.http.get(format!("{}{path}", system.url)).header("host", host);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{path} as {host}");
    }
    // The page is of the same origin then, and may send whatever header it likes.
    let request = system.http.get(format!("{}/metrics", system.url)).header("host", "evil.example");
    let guessed = request.bearer_auth("guessed-secret-1").send().await.unwrap();
    assert_eq!(guessed.status().as_u16(), 401);
}

#[tokio::test]
async fn a_planted_token_of_the_data_directory_is_not_taken() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let planted = "0123456789abcdef0123456789abcdef";
    std::fs::write(data.join("cli.token"), planted).unwrap();
    std::fs::set_permissions(data.join("cli.token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let system = System::begin(folder, "server: { listen: \"LISTEN\" }\n", &[]);
    system.until_ready().await;
    let halt = system.http.post(format!("{}/api/v1/halt", system.url)).bearer_auth(planted);
    let halt = halt.body(json!({"all": true, "for": "1h", "reason": "x"}).to_string()).send().await.unwrap();
    assert_eq!(halt.status().as_u16(), 401);
    assert!(system.log().contains("others than its owner may read or write the file"), "{}", system.log());
    assert_eq!(system.cli(&["list", "halts"]).status.code(), Some(0), "the command line finds the new one");
}

/// Answers one request and gives its head.
fn overhear(listener: std::net::TcpListener) -> std::thread::JoinHandle<String> {
    use std::io::{Read as _, Write as _};
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"items\":[]}").unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    })
}

#[tokio::test]
async fn the_command_line_sends_the_local_token_to_this_machine_only() {
    let system = System::start("server: { listen: \"LISTEN\" }\n").await;
    // The address of no interface: it leads here, and does not say so.
    for (host, is_sent) in [("127.0.0.1", true), ("0.0.0.0", false)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{host}:{}", listener.local_addr().unwrap().port());
        let heard = overhear(listener);
        assert_eq!(system.cli(&["list", "halts", "--url", &url]).status.code(), Some(0));
        let head = heard.join().unwrap();
        assert_eq!(head.contains("authorization: bearer"), is_sent, "{url}: {head}");
    }
}

#[tokio::test]
async fn what_senders_name_does_not_move_the_terminals_cursor() {
    let system = System::start("server: { listen: \"LISTEN\" }\n").await;
    let service = "svc\u{1b}[2J\u{9b}1A\r\u{7}";
    let (status, text) =
        Write::default().requests(service, "2\u{202e}0", 1.0, 0.0, now_ms()).send(&system).await;
    assert_eq!(status, 204, "{text}");
    let shown = until("the service is discovered", async || {
        let output = system.cli(&["discover"]).stdout;
        let text = String::from_utf8(output).unwrap();
        text.contains("svc").then_some(text)
    })
    .await;
    assert!(shown.contains("svc\\u001b[2J\\u009b1A\\u000d\\u0007"), "{shown}");
    for format in ["table", "json", "yaml"] {
        let printed = String::from_utf8(system.cli(&["discover", "-o", format]).stdout).unwrap();
        let hidden = printed.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(hidden, None, "{format}");
    }
}

#[tokio::test]
async fn an_announcement_that_opens_no_release_is_not_answered_as_if_it_did() {
    let stage = Stage::start().await;
    let started = json!({"status": "started"});
    // As many as one service may have open at once.
    for version in 0..256 {
        let (status, answer) =
            stage.deploy("deploy-a", "svc-a", &format!("0.{version}"), started.clone()).await;
        assert_eq!(status, 201, "{answer}");
    }
    let (status, answer) = stage.deploy("deploy-b", "svc-a", "2.0", json!({})).await;
    assert_eq!(status, 409, "{answer}");
    let why = answer["detail"].as_str().unwrap();
    assert!(why.starts_with("not taken: too many releases of svc-a in production are open"), "{why}");
    assert_eq!(
        stage.deploy("deploy-b", "svc-b", "2.0", json!({})).await.0,
        201,
        "another service has its own"
    );
}
