//! What Ripcord promises about rollbacks, each promise a story over the wire.

use serde_json::{Value, json};

use crate::{
    shop::{CONFIG, SECRET, scrape_thrice, start},
    sink::Sink,
    system::{System, until},
    wire::{Write, now_ms},
};

#[tokio::test]
async fn a_bad_release_is_rolled_back_once_to_the_named_version_and_the_request_says_why() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    let command = until("a rollback request", async || sink.commands_for("checkout").pop()).await;

    assert_eq!(command["type"], "ripcord.rollback.v1");
    assert_eq!(command["to_version"], "2.4.0");
    assert_eq!(command["mode"], "immediate");
    assert_eq!(command["release"]["id"], release.as_str());
    assert_eq!(command["reason"]["condition"], "error_rate > 1%");
    assert_eq!(command["reason"]["requests"], 1000);
    assert_eq!(command["reason"]["errors"], 100);
    system.until_state(&release, "rolling_back").await;

    // More of the same changes nothing: one command a release.
    scrape_thrice(&system, "checkout", "2.4.1", 9000.0, 1000.0).await;
    assert_eq!(sink.commands_for("checkout").len(), 1);
    let received = sink.received();
    let webhook = standardwebhooks::Webhook::new(SECRET).unwrap();
    webhook.verify(&received[0].raw, &received[0].headers).unwrap();
    assert_eq!(received[0].headers["webhook-id"], command["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_healthy_release_beside_a_bad_one_is_left_alone() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let healthy = system.release("catalog", "1.9.0", Some("1.8.0")).await;
    let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "catalog", "1.9.0", 1000.0, 0.0).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&bad, "rolling_back").await;
    assert_eq!(system.state(&healthy).await, "watching");
    assert!(sink.commands_for("catalog").is_empty());
}

#[tokio::test]
async fn a_hotfix_released_in_the_middle_of_an_incident_is_not_rolled_back() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    // 2.4.0 fails already, and nobody has released anything under watch.
    scrape_thrice(&system, "checkout", "2.4.0", 900.0, 100.0).await;
    let hotfix = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&hotfix, "rollback_prepared").await;
    let detail = system.get(&format!("/api/v1/releases/{hotfix}")).await;
    let why = detail["commands"][0]["state_reason"].as_str().unwrap();
    // Whichever second the scrapes fall into: 2.4.0 may still be seen beside the hotfix.
    assert!(["before", "beside"].iter().any(|baseline| why.contains(baseline)), "{why}");
    assert!(sink.received().is_empty());
}

#[tokio::test]
async fn halt_all_stops_every_automatic_action_and_says_so() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let output = system.cli(&["halt", "--all", "--for", "2h", "--reason", "game day"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("the halt is shown", async || {
        (system.get("/api/v1/halts").await["items"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rollback_prepared").await;
    let detail = system.get(&format!("/api/v1/releases/{release}")).await;
    assert!(detail["commands"][0]["state_reason"].as_str().unwrap().contains("game day"), "{detail}");
    assert!(sink.received().is_empty());
}

#[tokio::test]
async fn the_halt_file_stops_every_automatic_action_without_api_or_log() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    std::fs::write(system.folder.path().join("data/HALT"), "").unwrap();
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rollback_prepared").await;
    assert!(sink.received().is_empty());
}

#[tokio::test]
async fn a_prepared_rollback_is_sent_when_it_is_approved_and_only_then() {
    let sink = Sink::start().await;
    let config = CONFIG.replace("TARGET", &sink.url).replace("immediate_rollback", "prepare_rollback");
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rollback_prepared").await;
    assert!(sink.received().is_empty());
    let detail = system.get(&format!("/api/v1/releases/{release}")).await;
    let command = detail["commands"][0]["id"].as_str().unwrap().to_owned();
    let output = system.cli(&["approve", &command, "--reason", "looks bad"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent = until("the approved rollback", async || sink.commands_for("checkout").pop()).await;
    assert_eq!(sent["id"], command.as_str());
    assert_eq!(sent["mode"], "approved");
    let audit = system.get("/api/v1/audit").await;
    assert!(audit["items"].as_array().unwrap().iter().any(|line| line["why"] == "looks bad"), "{audit}");
}

#[tokio::test]
async fn three_requests_that_all_failed_are_too_few_to_act_on() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 0.0, 3.0).await;
    // A second service that does fail enough shows that judging went on.
    let other = system.release("catalog", "1.9.0", Some("1.8.0")).await;
    scrape_thrice(&system, "catalog", "1.9.0", 900.0, 100.0).await;
    system.until_state(&other, "rolling_back").await;
    assert_eq!(system.state(&release).await, "watching");
    assert!(sink.commands_for("checkout").is_empty());
}

#[tokio::test]
async fn raw_request_events_need_no_metric_definition() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let release = system.release("search", "3", Some("2")).await;
    let line = |status: u16| {
        json!({"service": "search", "environment": "production", "version": "3", "status": status, "duration_ms": 12.5})
            .to_string()
    };
    let lines: Vec<String> = (0..500).map(|at| line(if at % 5 == 0 { 500 } else { 200 })).collect();
    let answer = system
        .http
        .post(format!("{}/api/v1/requests", system.url))
        .header("content-type", "application/x-ndjson")
        .body(lines.join("\n"))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    system.until_state(&release, "rolling_back").await;
    let values = system.get("/api/v1/services/search/metrics?window=5m").await;
    let version: &Value = &values["versions"][0];
    assert_eq!(
        (version["requests"].as_u64(), version["errors"].as_u64()),
        (Some(500), Some(100)),
        "{values}"
    );
    let p95 = version["latency_seconds"]["p95"].as_f64().unwrap();
    assert!((p95 - 0.0125).abs() < 0.0125 * 0.02, "{p95}");
}

#[tokio::test]
async fn a_conversion_rate_that_drops_by_a_fifth_prepares_the_rollback_and_asks() {
    let sink = Sink::start().await;
    let config = CONFIG
        .replace("TARGET", &sink.url)
        .replace("\ndefaults:", "\n  conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } }\ndefaults:")
        .replace(
            "  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }",
            "  business_metrics: { conversion_rate_drop: 10%, window: 15m, action: alert_and_prepare_rollback }",
        );
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let shop = |version: &'static str, started: f64, completed: f64, at: i64| {
        let labels = |name: &'static str| {
            let instance = if version == "1" { "a" } else { "b" };
            [("__name__", name), ("environment", "production"), ("instance", instance), ("job", "shop")]
                .into_iter()
                .chain([("service", "checkout"), ("version", version)])
                .collect::<Vec<_>>()
        };
        let write = Write::default().series(&labels("checkout_started_total"), started, at);
        write.series(&labels("checkout_completed_total"), completed, at)
    };
    let now = now_ms();
    for (at, share) in [(12_000, 0.0), (10_000, 0.5), (8000, 1.0)] {
        assert_eq!(shop("1", 20_000.0 * share, 12_000.0 * share, now - at).send(&system).await.0, 204);
    }
    until("the old version's rate", async || {
        let values = system.get("/api/v1/services/checkout/metrics?environment=production&window=15m").await;
        values["versions"][0]["metrics"]["conversion_rate"].as_f64().filter(|rate| (rate - 0.6).abs() < 0.01)
    })
    .await;
    let release = system.release("checkout", "2", Some("1")).await;
    for (at, share) in [(2000, 0.0), (1000, 0.5), (0, 1.0)] {
        assert_eq!(shop("2", 20_000.0 * share, 9600.0 * share, now_ms() - at).send(&system).await.0, 204);
    }
    system.until_state(&release, "rollback_prepared").await;
    let detail = system.get(&format!("/api/v1/releases/{release}")).await;
    let reason = &detail["commands"][0]["reasons"][0];
    assert_eq!(reason["condition"], "conversion_rate < baseline * 0.9", "{detail}");
    assert_eq!(reason["evidence"][0]["value"], 0.48, "{reason}");
    assert!(sink.received().is_empty());
}
