//! The brokers go away and come back.

use telemetry::clock::Stopwatch;

use crate::{
    apart::{Log, PARTITIONS, Parts, assert_each_once},
    broker::{self, Broker},
    lines::{Answer, Lines},
    shop::SECRET,
    sink::Sink,
    system::{System, until},
    wire::{Write, now_ms, request},
};

async fn is_ready(system: &System) -> Option<bool> {
    let answer = system.http.get(format!("{}/-/ready", system.url)).send().await.ok()?;
    Some(answer.status().is_success())
}

/// Waits until the readiness says this; all that it says then.
pub(crate) async fn until_said(system: &System, said: &str) -> String {
    until(said, async || {
        let answer = system.http.get(format!("{}/-/ready", system.url)).send().await.ok()?;
        answer.text().await.ok().filter(|text| text.contains(said))
    })
    .await
}

/// Sessions of this log are too short for the broker: each role that has a group says so.
async fn assert_refused(log: &Log, broker: &Broker) {
    let roles = ["analyze", "act", "notify"];
    let mut refused =
        Vec::from(roles.map(|roles| (log.launch(roles, roles), format!("-{roles} does not let"))));
    broker.run("topic", &["access-log"]).await;
    let inputs = "inputs: [ { topic: access-log, format: requests } ], instance:";
    let config = log.config_of("inlet").replace("instance:", inputs);
    refused.push((
        System::launch("ingest", &config, &[("webhook.secret", SECRET)]),
        "-inputs does not let".to_owned(),
    ));
    for (system, group) in &refused {
        let said = until_said(system, group).await;
        assert!(said.contains("set `session_timeout` within"), "{said}");
    }
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
    assert_refused(&log, &broker).await;

    let parts =
        Parts::start(log.with("session_timeout: 3s", "session_timeout: 6s, append_timeout: 5s")).await;
    parts.roll_back("before", &target).await;
    let lines = Lines::start(&parts.front);
    lines.until_more(50).await;
    broker.kill(1).await;
    until("a refusal", async || (lines.count(Answer::Refused) > 0).then_some(())).await;
    until("not ready", async || is_ready(&parts.front).await.filter(|is_ready| !is_ready)).await;
    let healthy = parts.front.http.get(format!("{}/-/healthy", parts.front.url)).send().await.unwrap();
    assert!(healthy.status().is_success());
    // Brokers may start last: whoever starts meanwhile waits for them.
    let early = parts.log.launch("early", "console");
    until("a start that waits", async || {
        early.log().contains("the log cannot be opened yet: trying again").then_some(())
    })
    .await;

    broker.restart(1).await;
    for system in [&parts.front, &parts.back, &early].into_iter().chain(&parts.analyzers) {
        system.until_ready().await;
    }
    lines.until_more(50).await;
    lines.finish(&parts.front).await;
    parts.roll_back("after", &target).await;
    assert_each_once(&target, &["after".to_owned(), "before".to_owned()]);
    drop(parts);
    broker.run("stop", &[]).await;
}

/// Ways in, each with a body that is good.
fn requests(system: &System) -> Vec<reqwest::RequestBuilder> {
    let post = |path: &str, kind: &str, body: &str| {
        let request = system.http.post(format!("{}{path}", system.url)).header("content-type", kind);
        request.body(body.to_owned())
    };
    let line = r#"{"service":"late","environment":"production","version":"1","status":200}"#;
    let release = r#"{"service":"late","environment":"production","version":"1"}"#;
    let write = Write::default().requests("late", "1", 1.0, 0.0, now_ms());
    vec![
        post("/api/v1/requests", "application/x-ndjson", line),
        post("/api/v1/releases", "application/json", release),
        request(&system.http, &system.url, write.compressed()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_broker_is_told_to_senders_at_once_and_the_first_tick_that_it_takes_again_ends_that() {
    let Some(broker) = broker::own("at-once", &[]).await else { return };
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let log = Log::on(broker.get("bootstrap"), "at-once", &target, &notified, PARTITIONS).await;
    // Longer than any request here is waited for: one that is kept waiting fails the story.
    let log = log.with("session_timeout: 3s", "session_timeout: 6s, append_timeout: 2m");
    let system = log.start("all", "ingest,analyze,act,notify,console").await;
    let lines = Lines::start(&system);
    lines.until_more(50).await;

    // A broker that says nothing is told long before an append has failed.
    broker.run("pause", &["1"]).await;
    until_said(&system, "the log has taken no tick for").await;
    broker.run("resume", &["1"]).await;
    system.until_ready().await;
    lines.until_more(50).await;

    broker.kill(1).await;
    let killed = Stopwatch::start();
    until("not ready", async || is_ready(&system).await.filter(|is_ready| !is_ready)).await;
    eprintln!("FIGURE not ready after {:?}", killed.elapsed());
    for request in (0..20).flat_map(|_| requests(&system)) {
        let answer = request.send().await.expect("an answer, and not a wait for the brokers");
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        let said = answer.text().await.unwrap();
        let reason = "the log cannot write: no Kafka broker can be reached: ";
        assert!(said.contains(reason) && said.contains("127.0.0.1"), "{said}");
    }
    eprintln!("FIGURE 60 requests are refused after {:?}", killed.elapsed());
    assert_eq!(is_ready(&system).await, Some(false));

    broker.restart(1).await;
    let back = Stopwatch::start();
    system.until_ready().await;
    eprintln!("FIGURE ready {:?} after the broker answers again", back.elapsed());
    for request in requests(&system) {
        assert!(request.send().await.unwrap().status().is_success());
    }
    lines.until_more(50).await;
    lines.finish(&system).await;
    drop(system);
    broker.run("stop", &[]).await;
}
