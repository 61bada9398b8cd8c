//! Other people's topics, in and out, on a real broker: as in `conformance`, which has the terms.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../conformance/broker.rs"]
#[allow(dead_code, reason = "shared")]
mod broker;
mod inlet;
mod log;
mod outlet;

use std::time::Duration;

use bus::{Begin, Delivered, Inlet, InletTopic, KafkaConfig, Outgoing, Outlet};
use model::Timestamp;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

/// Longer than any machine takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic that no other test knows, with `partitions`; `None`: there is no broker.
async fn topic(story: &str, partitions: i32) -> Option<(KafkaConfig, String)> {
    let bootstrap = broker::shared().await?;
    let name = format!("foreign-{}-{story}", std::process::id());
    create(&bootstrap, &name, partitions).await;
    let config = KafkaConfig {
        session_timeout: Duration::from_secs(3),
        ..KafkaConfig::new(vec![bootstrap], format!("group-{name}"), "one")
    };
    Some((config, name))
}

async fn create(bootstrap: &str, name: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    admin.create_topics([&new], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

async fn delete(bootstrap: &str, name: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    admin.delete_topics(&[name], &options).await.unwrap().remove(0).unwrap();
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

async fn grow(bootstrap: &str, name: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let new = NewPartitions::new(name, partitions);
    admin.create_partitions([&new], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

/// Deletes a topic and makes it again, as a restore does.
async fn make_again(bootstrap: &str, name: &str) {
    delete(bootstrap, name).await;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let new = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    // The name is free once every broker has let go of it.
    while admin.create_topics([&new], &options).await.unwrap().remove(0).is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::task::spawn_blocking(move || drop(admin)).await.unwrap();
}

fn instance(config: &KafkaConfig, name: &str) -> KafkaConfig {
    KafkaConfig { instance: name.to_owned(), ..config.clone() }
}

fn outlet(config: &KafkaConfig) -> Outlet {
    Outlet::new(config, Duration::from_secs(5)).unwrap()
}

fn inlet(config: &KafkaConfig, topic: &str, begin: Begin) -> Inlet {
    let topics = vec![InletTopic { name: topic.to_owned(), begin }];
    Inlet::start(config, "inputs", topics).unwrap()
}

async fn publish(outlet: &Outlet, topic: &str, key: &str, payload: &str) {
    let (key, payload) = (key.as_bytes(), payload.as_bytes());
    outlet.publish(Outgoing { topic, key, headers: &[], payload }).await.unwrap();
}

async fn next(inlet: &mut Inlet) -> Delivered {
    tokio::time::timeout(PATIENCE, inlet.next()).await.expect("a message").expect("a member")
}

/// Whether nothing comes for a while.
async fn is_waiting(inlet: &mut Inlet) -> bool {
    tokio::time::timeout(Duration::from_millis(1500), inlet.next()).await.is_err()
}

fn text(message: &Delivered) -> &str {
    std::str::from_utf8(message.payload.as_ref().unwrap()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the brokers stamp messages by the same clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}
