//! The log on disk and the log on Kafka are one log: what is decided of the same events is the same, byte for byte.
//!
//! The stages are driven here as the roles drive them, but with the time of the story, so that nothing depends on
//! when the test runs.

use std::collections::BTreeMap;

use analyzer::{Analyzer, Keeper};
use arbiter::Chair;
use bus::{Bus, BusConfig, EmbeddedConfig, KafkaConfig, NewRecord};
use model::{Decision, DecisionRecord, Event, EventBody, Origin, Partition, Position, ServiceKey, Timestamp};
use proto::{EnvelopeBody, EventEnvelope};

use crate::{broker, pipeline::World};

/// A quarter of an hour of three services: a good release, a bad one, a storm's worth of restarts of time.
fn story() -> Vec<Event> {
    let mut world = World::new(
        "rollback_triggers: { error_rate: { threshold: 2%, window: 5m, action: immediate_rollback } }\n\
         defaults: { watch: { time: 5m } }\n",
    );
    for service in ["checkout", "catalog", "search"] {
        world.serve(service, "1.0.0", |arm| (arm.rps, arm.errors) = (20.0, 0.001));
        world.deploy(service, "1.0.0", None);
    }
    world.pass(400);
    world.serve("checkout", "1.0.0", |arm| arm.is_gone = true);
    world.serve("checkout", "1.1.0", |arm| (arm.rps, arm.errors) = (20.0, 0.2));
    world.deploy("checkout", "1.1.0", Some("1.0.0"));
    world.serve("catalog", "1.1.0", |arm| (arm.rps, arm.errors) = (20.0, 0.001));
    world.deploy("catalog", "1.1.0", Some("1.0.0"));
    world.pass(500);
    assert!(world.commands.contains_key("checkout 1.1.0"), "the story has a rollback in it");
    world.events
}

/// Puts the story onto the log, each event where the judge of its service finds it.
async fn write(bus: &Bus, story: &[Event]) {
    let partitions = bus.events.partitions();
    let mut under_way = Vec::new();
    for event in story {
        let envelope = |is_copy| EventEnvelope {
            id: event.id.clone(),
            at: event.at,
            source: event.source.clone(),
            is_copy,
            body: EnvelopeBody::Other(event.body.clone()),
        };
        for partition in places(event, partitions) {
            let is_copy = partition != Partition::HOME && matches!(event.body, EventBody::PolicyLoad(_));
            let bytes = proto::encode_event(&envelope(is_copy));
            under_way.push(bus.events.append(partition, NewRecord::new(event.at, bytes)));
        }
    }
    for append in under_way {
        append.await.unwrap();
    }
}

fn places(event: &Event, partitions: u32) -> Vec<Partition> {
    match &event.body {
        EventBody::PolicyLoad(_) | EventBody::Tick => (0..partitions).map(Partition).collect(),
        EventBody::Deployment(deployment) => vec![Partition::of(&deployment.key, partitions)],
        EventBody::Telemetry(batch) => {
            let labels = model::LabelBytes::parse(batch.labels_of(&batch.series[0])).unwrap();
            let service = labels.iter().find(|(name, _)| *name == "service").unwrap().1.to_owned();
            vec![Partition::of(&ServiceKey::new(service, "production"), partitions)]
        }
        other => panic!("the story has no {other:?}"),
    }
}

/// Judges all that is on the events log and answers all that is on the decisions log.
async fn decide(bus: &Bus) {
    for record in &judged(bus).await {
        append(bus, record).await;
    }
    answer(bus).await;
}

/// What the analyzers of all partitions write, in the order of the story's time.
async fn judged(bus: &Bus) -> Vec<DecisionRecord> {
    let mut records = Vec::new();
    for partition in (0..bus.events.partitions()).map(Partition) {
        let mut keeper = Keeper::new(partition, Analyzer::new(), Timestamp::MIN, Timestamp::MIN, None);
        let bounds = bus.events.bounds(partition).await.unwrap();
        let mut reader = bus.events.reader(partition, bounds.first);
        while let Some(record) = reader.next_before(bounds.next).await.unwrap() {
            let EventEnvelope { id, at, source, is_copy, body } =
                proto::decode_event(&record.payload).unwrap();
            let EnvelopeBody::Other(body) = body else { panic!("the story has no raw telemetry") };
            let event = Event { id, at, source, is_copy, body };
            records.extend(keeper.judge(record.position, &event));
        }
    }
    records.sort_by_key(|record| record.at);
    records
}

async fn answer(bus: &Bus) {
    let mut chair = Chair::new("the test".to_owned());
    append(bus, &chair.claim(Timestamp::from_millis(0))).await;
    let end = bus.decisions.bounds(Partition::HOME).await.unwrap().next;
    let mut reader = bus.decisions.reader(Partition::HOME, Position(0));
    while let Some(record) = reader.next_before(end).await.unwrap() {
        chair.take(record.position, &proto::decode_decision(&record.payload).unwrap());
        while let Some(answer) = chair.poll_answer() {
            append(bus, &answer).await;
        }
    }
}

async fn append(bus: &Bus, record: &DecisionRecord) {
    let record = NewRecord::new(record.at, proto::encode_decision(record));
    bus.decisions.append(Partition::HOME, record).await.unwrap();
}

/// Everything on the decisions log: where it stands and its bytes.
async fn decisions(bus: &Bus) -> Vec<(Position, Vec<u8>)> {
    let end = bus.decisions.bounds(Partition::HOME).await.unwrap().next;
    let mut reader = bus.decisions.reader(Partition::HOME, Position(0));
    let mut all = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        all.push((record.position, record.payload.to_vec()));
    }
    all
}

async fn decided(bus: Bus, story: &[Event]) -> Vec<(Position, Vec<u8>)> {
    write(&bus, story).await;
    decide(&bus).await;
    let all = decisions(&bus).await;
    bus.close().await;
    all
}

async fn on_disk(story: &[Event]) -> Vec<(Position, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let bus = bus::open(BusConfig::Embedded(EmbeddedConfig::new(dir.path()))).await.unwrap();
    decided(bus, story).await
}

async fn on_kafka(brokers: &str, name: &str, partitions: u32, story: &[Event]) -> Vec<(Position, Vec<u8>)> {
    let prefix = format!("modes-{name}-{}", std::process::id());
    let mut config = KafkaConfig::new(vec![brokers.to_owned()], prefix, "modes");
    config.partitions = partitions;
    bus::create_topics(&config).await.unwrap();
    let bus = bus::open(BusConfig::Kafka(config)).await.unwrap();
    decided(bus, story).await
}

/// What was proposed and decided about each service, without where the records stand.
fn by_service(all: &[(Position, Vec<u8>)]) -> BTreeMap<String, Vec<String>> {
    let mut lines = BTreeMap::<String, Vec<String>>::new();
    for (_, bytes) in all {
        let record = proto::decode_decision(bytes).unwrap();
        let who = match record.origin {
            Origin::Analyzer => "analyzer",
            Origin::Arbiter { .. } => "arbiter",
            Origin::Claim { .. } | Origin::Clock { .. } | Origin::Teller => continue,
        };
        for decision in &record.decisions {
            if let Some((service, text)) = line_of(decision) {
                lines.entry(service).or_default().push(format!("{} {who} {text}", record.at));
            }
        }
    }
    lines
}

fn line_of(decision: &Decision) -> Option<(String, String)> {
    match decision {
        Decision::Proposal(model::Proposal::Release(release)) => {
            Some((release.key.service.clone(), format!("{} {:?}", release.id, release.state)))
        }
        Decision::Proposal(model::Proposal::Breach(breach)) => {
            let evidence = &breach.reason.evidence;
            Some((breach.key.service.clone(), format!("{} {evidence:?}", breach.reason.condition)))
        }
        Decision::Command(command) => Some((
            command.release.key.service.clone(),
            format!("{} {:?} to {:?}", command.id, command.state, command.to_version),
        )),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_decided_of_the_same_events_is_byte_equal_on_disk_and_on_kafka() {
    let Some(brokers) = broker::shared().await else { return };
    let story = story();
    let (disk, kafka) = (on_disk(&story).await, on_kafka(&brokers, "one", 1, &story).await);
    assert!(disk.len() > 20, "{} records", disk.len());
    let first_other = disk.iter().zip(&kafka).position(|(one, other)| one != other);
    assert_eq!((disk.len(), first_other), (kafka.len(), None));
}

#[tokio::test]
async fn services_spread_over_partitions_are_judged_as_if_they_stood_in_one() {
    let Some(brokers) = broker::shared().await else { return };
    let story = story();
    let (disk, kafka) = (on_disk(&story).await, on_kafka(&brokers, "six", 6, &story).await);
    let (disk, kafka) = (by_service(&disk), by_service(&kafka));
    assert!(disk["checkout"].iter().any(|line| line.contains("Ready")), "{:?}", disk["checkout"]);
    assert_eq!(disk, kafka);
}
