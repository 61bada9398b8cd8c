//! The brokers go away and come back.

use crate::{
    apart::{Log, PARTITIONS, Parts, assert_each_once},
    broker,
    lines::{Answer, Lines},
    sink::Sink,
    system::{System, until},
};

async fn is_ready(system: &System) -> Option<bool> {
    let answer = system.http.get(format!("{}/-/ready", system.url)).send().await.ok()?;
    Some(answer.status().is_success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_broker_is_dead_everything_is_refused_and_what_was_taken_is_counted_once_afterwards() {
    // A session as short as Kafka lets in unless it is told otherwise.
    let Some(broker) = broker::own("outage", &["--set", "group.min.session.timeout.ms=6000"]).await else {
        return;
    };
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let bootstrap = broker.get("bootstrap");
    let log = Log::on(bootstrap, "outage", &target, &notified, PARTITIONS).await;
    let too_short = log.launch("short", "analyze");
    until("who is not let in is not ready", async || {
        let answer = too_short.http.get(format!("{}/-/ready", too_short.url)).send().await.ok()?;
        answer.text().await.ok().filter(|text| text.contains("set `session_timeout`"))
    })
    .await;
    drop(too_short);

    let parts = Parts::start(log.with("session_timeout: 3s", "session_timeout: 6s")).await;
    parts.roll_back("before", &target).await;
    let lines = Lines::start(&parts.front);
    lines.until_more(50).await;
    broker.kill(1).await;
    until("a refusal", async || (lines.count(Answer::Refused) > 0).then_some(())).await;
    until("not ready", async || is_ready(&parts.front).await.filter(|is_ready| !is_ready)).await;
    let healthy = parts.front.http.get(format!("{}/-/healthy", parts.front.url)).send().await.unwrap();
    assert!(healthy.status().is_success());

    broker.restart(1).await;
    for system in [&parts.front, &parts.back].into_iter().chain(&parts.analyzers) {
        system.until_ready().await;
    }
    lines.until_more(50).await;
    lines.finish(&parts.front).await;
    parts.roll_back("after", &target).await;
    assert_each_once(&target, &["after".to_owned(), "before".to_owned()]);
    drop(parts);
    broker.run("stop", &[]).await;
}
