//! Judgement over the wire: what is undecided when the process dies is decided once, afterwards.

use crate::{
    shop::{CONFIG, SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

async fn start_where_a_storm_is_possible(sink: &Sink) -> System {
    let config =
        format!("{}\nstorm: {{ max_rollbacks: 1, settle: 3s }}\n", CONFIG.replace("TARGET", &sink.url));
    System::start_with_files(&config, &[("webhook.secret", SECRET)]).await
}

async fn until_errors_are_judged(system: &System, service: &str) {
    let path = format!("/api/v1/services/{service}/metrics?window=5m");
    until("the errors are judged", async || {
        let version = system.get(&path).await["versions"][0].clone();
        (version["errors"].as_u64()? > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_breach_that_is_held_when_the_process_dies_is_acted_on_once_after_the_restart() {
    let sink = Sink::start().await;
    let mut system = start_where_a_storm_is_possible(&sink).await;
    let healthy = system.release("catalog", "1.9.0", Some("1.8.0")).await;
    let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    until_errors_are_judged(&system, "checkout").await;
    system.kill_and_restart().await;

    system.until_state(&bad, "rolling_back").await;
    until("the request arrives", async || (!sink.received().is_empty()).then_some(())).await;
    assert_eq!(sink.received().len(), 1);
    assert_eq!(sink.commands_for("checkout")[0]["to_version"], "2.4.0");
    assert_eq!(system.state(&healthy).await, "watching");
}

#[tokio::test]
async fn two_services_that_break_together_where_one_may_be_rolled_back_are_both_prepared() {
    let sink = Sink::start().await;
    let mut system = start_where_a_storm_is_possible(&sink).await;
    let one = system.release("catalog", "1.9.0", Some("1.8.0")).await;
    let other = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    scrape_thrice(&system, "catalog", "1.9.0", 900.0, 100.0).await;
    system.until_state(&one, "rollback_prepared").await;
    system.until_state(&other, "rollback_prepared").await;
    system.kill_and_restart().await;
    for release in [&one, &other] {
        let detail = system.get(&format!("/api/v1/releases/{release}")).await;
        assert_eq!(detail["state"], "rollback_prepared", "{detail}");
        let why = detail["commands"][0]["state_reason"].as_str().unwrap();
        assert!(why.contains("storm"), "{why}");
    }
    assert!(sink.received().is_empty());
}
