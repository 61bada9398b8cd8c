//! What became a dead letter, and another try at it.

use std::time::Duration;

use bus::{KafkaConfig, Outgoing, Outlet};
use serde_json::Value;

use crate::{
    apart::{Log, brokers, metrics, ripcord, said},
    shop::SECRET,
    sink::Sink,
    system::{System, until},
};

const ANNOUNCED: &str = r#"{
    "specversion": "1.0", "id": "1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.2.0",
    "datacontenttype": "application/json",
    "data": { "context": { "id": "1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.2.0",
      "timestamp": "2026-11-23T10:00:00Z", "version": "0.4.1" },
      "subject": { "id": "checkout", "type": "service", "content": {
        "environment": { "id": "production" }, "artifactId": "pkg:oci/checkout@2.4.1" } } } }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_outside_of_its_inputs_scope_is_listed_and_taken_once_the_scope_is_wider() {
    let Some(shared) = brokers().await else { return };
    let Some(own) = &shared.own else { return };
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("letters", &target, &notified).await else { return };
    let topic = format!("deployments-{}", std::process::id());
    own.run("topic", &[&topic, "1"]).await;
    let input = |scope: &str| {
        let inputs = format!("inputs: [{{ topic: {topic}, format: cloudevents, start: earliest{scope} }}]");
        log.config_of("front").replace("kind: kafka", &format!("kind: kafka, {inputs}"))
    };
    let config = KafkaConfig::new(vec![log.bootstrap.clone()], &log.prefix, "sender");
    let outlet = Outlet::new(&config, Duration::from_secs(10)).unwrap();
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json")];
    let payload = ANNOUNCED.as_bytes();
    outlet.publish(Outgoing { topic: &topic, key: b"k", headers: &headers, payload }).await.unwrap();

    let letters = async |config: String, verb: &'static str, more: &'static [&'static str]| {
        let (config, topic) = (config.replace("LISTEN", "127.0.0.1:0"), topic.clone());
        let run = move || {
            let arguments = [&["dead-letters", verb, "--topic", &topic], more].concat();
            ripcord(&config, &[], &arguments)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let start = |config: &str| System::launch("ingest,console", config, &[("webhook.secret", SECRET)]);
    let until_some = async |system: &System, result: &str| {
        // Whoever was killed may not have said that it was done with it: it comes again then.
        let counted = format!(r#"ripcord_inlet_messages_total{{result="{result}",topic="{topic}"}} "#);
        let is_counted =
            async || metrics(system).await.lines().any(|line| line.starts_with(&counted)).then_some(());
        until(&counted, is_counted).await;
    };
    let narrow = start(&input(", services: [search]"));
    until_some(&narrow, "poison").await;
    // It is counted before it is on the log.
    let listed = until("the letter is listed", async || {
        let listed = letters(input(""), "list", &["-o", "json"]).await;
        let listed: Value = serde_json::from_slice(&listed.stdout).ok()?;
        listed["items"].get(0).is_some().then_some(listed)
    })
    .await;
    drop(narrow);
    let letter = &listed["items"][0];
    assert_eq!((&letter["reason"], letter["topic"].as_str()), (&"scope".into(), Some(topic.as_str())));
    assert_eq!(letter["detail"], "the input may not speak of checkout in production");

    let wide = start(&input(""));
    let replayed = letters(input(""), "replay", &[]).await;
    assert!(said(&replayed).contains("1 sent, 0 left alone"), "{}", said(&replayed));
    until_some(&wide, "taken").await;
}
