//! Well-formed records with a number far ahead, by somebody who may write to the topics.

use std::{io::Write as _, process::Command};

use model::{DecisionRecord, EventBody, EventId, Origin, Partition, Position, Timestamp};
use proto::{EnvelopeBody, EventEnvelope};

use crate::{
    apart::{Log, PARTITIONS, Parts, is_deciding, metrics},
    poison::has_kcat,
    sink::Sink,
    system::{System, until},
};

const YEAR_MS: i64 = 365 * 86_400_000;

/// Appends one record, whatever its bytes.
fn forge(brokers: &str, topic: &str, partition: u32, record: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(record).unwrap();
    let partition = partition.to_string();
    let written = Command::new("kcat")
        .args(["-P", "-b", brokers, "-t", topic, "-p", &partition])
        .arg(file.path())
        .status();
    assert!(written.unwrap().success());
}

/// An analyzer that says to have judged events which nobody has written.
fn far_ahead(partition: u32, now: Timestamp) -> DecisionRecord {
    DecisionRecord {
        at: now,
        origin: Origin::Analyzer,
        partition: Partition(partition),
        position: Position(1 << 40),
        ..DecisionRecord::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_far_ahead_disarms_nobody() {
    if !has_kcat() {
        return;
    }
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("forged", &target, &notified).await else { return };
    let parts = Parts::start(log).await;
    let (events, decisions) = (parts.log.topic("events"), parts.log.topic("decisions"));
    let now = telemetry::clock::now();
    let next_year = Timestamp::from_millis(now.as_millis() + YEAR_MS);
    for partition in 0..PARTITIONS {
        forge(&parts.log.bootstrap, &decisions, 0, &proto::encode_decision(&far_ahead(partition, now)));
        let tick = EventEnvelope {
            id: EventId::from_text(format!("evt_{partition}")),
            at: next_year,
            source: "tick".to_owned(),
            is_copy: false,
            body: EnvelopeBody::Other(EventBody::Tick),
        };
        forge(&parts.log.bootstrap, &events, partition, &proto::encode_event(&tick));
    }
    let teller = DecisionRecord { at: next_year, origin: Origin::Teller, ..DecisionRecord::default() };
    forge(&parts.log.bootstrap, &decisions, 0, &proto::encode_decision(&teller));

    parts.roll_back("checkout", &target).await;

    let judge = &parts.analyzers[parts.judge_of("checkout")];
    for (system, counted) in [
        (judge, r#"ripcord_poison_records_total{reason="ahead",topic="decisions"} 6"#),
        (judge, r#"ripcord_disbelieved_stamps_total{topic="decisions"} 1"#),
        (&parts.back, r#"ripcord_poison_records_total{reason="ahead",topic="decisions"} 6"#),
        (&parts.back, r#"ripcord_disbelieved_stamps_total{topic="decisions"} 1"#),
    ] {
        let metrics = metrics(system).await;
        assert!(metrics.lines().any(|line| line == counted), "nobody says {counted}");
    }
    let mut ticks = 0;
    for analyzer in &parts.analyzers {
        let metrics = metrics(analyzer).await;
        let name = r#"ripcord_disbelieved_stamps_total{topic="events"} "#;
        let count = metrics.lines().find_map(|line| line.strip_prefix(name));
        ticks += count.map_or(0, |count| count.parse().unwrap());
    }
    assert_eq!(ticks, PARTITIONS, "each partition's judge names the tick of next year");
}

/// Why a process says that it is not ready.
async fn reason(system: &System) -> Option<String> {
    let answer = system.http.get(format!("{}/-/ready", system.url)).send().await.ok()?;
    if answer.status() == 503 { answer.text().await.ok() } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_arbiter_whose_word_a_stranger_took_says_so_and_takes_it_back() {
    if !has_kcat() {
        return;
    }
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("claimed", &target, &notified).await else { return };
    let parts = Parts::start(log).await;
    let decider = &parts.analyzers[until("somebody decides", async || parts.decider().await).await];
    let origin = Origin::Claim { instance: "stranger".to_owned() };
    let claim = DecisionRecord { at: telemetry::clock::now(), origin, ..DecisionRecord::default() };
    forge(&parts.log.bootstrap, &parts.log.topic("decisions"), 0, &proto::encode_decision(&claim));

    let is_told = |told: &String| told.contains("another's claim stands on the decisions log");
    until("it says so", async || reason(decider).await.filter(is_told)).await;
    until("it decides again", async || is_deciding(decider).await.then_some(())).await;
    decider.until_ready().await;
    parts.roll_back("checkout", &target).await;
}
