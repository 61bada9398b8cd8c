//! Each role with a principal of its own, which may do what `ripcord topics acl` prints, on a broker that asks.

use std::fmt::Write as _;

use bus::{BusConfig, KafkaConfig, NewRecord};
use model::Partition;
use serde_json::Value;

use crate::{
    apart::{Log, PARTITIONS, ripcord, said, until_accepted},
    broker,
    shop::{SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

/// Whoever comes without a password is the one who may grant rights.
const GUARDED: [&str; 7] = [
    "--sasl",
    "--set",
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "--set",
    "super.users=User:ANONYMOUS",
    "--set",
    "listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
     user_ingest=\"pull-here\" user_analyze=\"pull-here\" user_act=\"pull-here\" user_notify=\"pull-here\" \
     user_console=\"pull-here\" user_create=\"pull-here\" user_stranger=\"pull-here\";",
];

/// What `topics acl -o json` prints for a configuration, a right a line.
async fn rights(config: &str) -> String {
    let config = config.replace("LISTEN", "127.0.0.1:0");
    let printed =
        tokio::task::spawn_blocking(move || ripcord(&config, &[], &["topics", "acl", "-o", "json"]));
    let printed = printed.await.unwrap();
    assert!(printed.status.success(), "{}", said(&printed));
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let mut lines = String::new();
    for acl in printed["items"].as_array().unwrap() {
        let word = |key: &str| acl[key].as_str().unwrap().to_owned();
        for operation in acl["operations"].as_array().unwrap() {
            let (role, resource, name) = (word("role"), word("resource"), word("name"));
            let operation = operation.as_str().unwrap();
            writeln!(lines, "User:{role} {resource} {name} {} {operation}", word("pattern")).unwrap();
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_works_with_the_rights_that_are_printed_and_may_write_nothing_else() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(broker) = broker::own("rights", &GUARDED).await else { return };
    let log = Log::on(broker.get("bootstrap"), "rights", &target, &notified, PARTITIONS).await;
    let login = "kind: kafka, properties: { security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, \
                 sasl.username: ROLE, sasl.password: pull-here }";
    let prefix = log.prefix.clone();
    let log = log.with("kind: kafka", login).with(broker.get("bootstrap"), broker.get("sasl"));
    let as_role = |role: &str| log.config_of(role).replace("ROLE", role);
    let made = as_role("create").replace(&prefix, "made");
    let file = tempfile::NamedTempFile::new().unwrap();
    let granted = [rights(&as_role("ingest")).await, rights(&made).await].concat();
    std::fs::write(file.path(), granted).unwrap();
    broker.run("grant", &[file.path().to_str().unwrap()]).await;

    let run = async |config: String, arguments: &'static [&'static str]| {
        let config = config.replace("LISTEN", "127.0.0.1:0");
        tokio::task::spawn_blocking(move || ripcord(&config, &[], arguments)).await.unwrap()
    };
    let created = run(made, &["topics", "create"]).await;
    assert!(created.status.success(), "{}", said(&created));
    let refused = run(as_role("stranger"), &["topics", "check"]).await;
    assert!(!refused.status.success(), "{}", said(&refused));

    let start = |role: &str| System::launch(role, &as_role(role), &[("webhook.secret", SECRET)]);
    let systems = ["ingest", "analyze", "act", "notify", "console"].map(start);
    for system in &systems {
        system.until_ready().await;
    }
    let [ingest, _, _, _, console] = &systems;
    let release = ingest.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(ingest, "checkout", "2.4.1", 900.0, 100.0).await;
    until("a rollback request", async || target.commands_for("checkout").pop()).await;
    until_accepted(console, &release).await;
    until("a notice", async || (!notified.received().is_empty()).then_some(())).await;

    let brokers = vec![broker.get("sasl").to_owned()];
    let mut config = KafkaConfig { partitions: PARTITIONS, ..KafkaConfig::new(brokers, &prefix, "reader") };
    for (key, value) in [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "console"),
        ("sasl.password", "pull-here"),
    ] {
        config.properties.insert(key.to_owned(), value.to_owned());
    }
    let reader = bus::open(BusConfig::Kafka(config)).await.unwrap();
    let record = NewRecord::new(telemetry::clock::now(), "x");
    let written = reader.decisions.append(Partition::HOME, record).await;
    assert!(written.is_err(), "who may read may write: {written:?}");
}
