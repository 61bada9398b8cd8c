//! Services whose telemetry carries no version.

use serde_json::json;

use crate::{
    shop::{CONFIG, SECRET},
    sink::Sink,
    system::{System, until},
    wire::now_ms,
};

/// Twenty requests a second without a version, from so many seconds ago until so many seconds ago; every tenth of the
/// `failing` ones fails.
async fn requests(system: &System, service: &str, seconds_ago: std::ops::RangeInclusive<i64>, failing: bool) {
    let now = now_ms();
    let mut lines = String::new();
    for second in seconds_ago.rev() {
        for number in 0..20 {
            let status = if failing && number % 10 == 0 { 500 } else { 200 };
            let at = telemetry_time(now - second * 1000);
            let line = json!({"service": service, "environment": "production", "status": status, "at": at});
            lines += &format!("{line}\n");
        }
    }
    let post = system.http.post(format!("{}/api/v1/requests", system.url));
    let answer = post.header("content-type", "application/x-ndjson").body(lines).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

fn telemetry_time(at_ms: i64) -> String {
    model::Timestamp::from_millis(at_ms).to_string()
}

async fn release(system: &System, service: &str) -> String {
    let body = json!({
        "service": service, "environment": "production", "version": "2.4.1", "previous_version": "2.4.0",
        "occurred_at": telemetry_time(now_ms() - 15_000),
    });
    let (status, answer) = system.post("/api/v1/releases", &body).await;
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_service_without_versions_is_rolled_back_only_where_its_policy_says_so_and_it_was_better_before() {
    let sink = Sink::start().await;
    let opted_in = "  - match: { service: [checkout, search] }\n    unversioned: auto\n";
    let config = CONFIG.replace("TARGET", &sink.url) + opted_in;
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    for (service, was_bad) in [("checkout", false), ("cart", false), ("search", true)] {
        requests(&system, service, 20..=75, was_bad).await;
        let release = release(&system, service).await;
        requests(&system, service, 1..=12, true).await;
        let state = if service == "checkout" { "rolling_back" } else { "rollback_prepared" };
        system.until_state(&release, state).await;
        let detail = system.get(&format!("/api/v1/releases/{release}")).await;
        let why = detail["commands"][0]["state_reason"].as_str().unwrap();
        match service {
            "checkout" => {
                until("a command", async || sink.commands_for(service).pop()).await;
            }
            "cart" => assert!(why.contains("the telemetry carries no version"), "{why}"),
            _ => assert!(why.contains("not_attributable"), "{why}"),
        }
    }
    assert_eq!(sink.received().len(), 1);
}
