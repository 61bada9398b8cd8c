//! Somebody who may write to the log's topics, and knows its schema and the code that reads it.

use std::{io::Write as _, time::Duration};

use bus::{Bus, BusConfig, KafkaConfig, NewRecord};
use model::{
    Actor, Command, CommandId, CommandMode, CommandState, CommandVerb, Decision, DecisionRecord, EventBody,
    EventId, Origin, Partition, Position, ReleaseId, ReleaseRef, ServiceKey, TargetKind, TargetRef,
    Timestamp, Verb, VerbKind,
};
use proto::{EnvelopeBody, EventEnvelope};

use crate::{
    apart::{Log, PARTITIONS, Parts, metrics, partition_of, ripcord, said},
    poison::has_kcat,
    sink::Sink,
    system::{System, until},
};

/// With the topics open before them, and no key.
struct Stranger(Bus);

impl Stranger {
    async fn of(log: &Log) -> Self {
        let brokers = log.bootstrap.split(',').map(str::to_owned).collect();
        let config =
            KafkaConfig { partitions: PARTITIONS, ..KafkaConfig::new(brokers, &log.prefix, "stranger") };
        Self(bus::open(BusConfig::Kafka(config)).await.unwrap())
    }

    /// The newest claim and where the log ends.
    async fn standing(&self) -> (u64, Position) {
        let bounds = self.0.decisions.bounds(Partition::HOME).await.unwrap();
        let mut reader = self.0.decisions.reader(Partition::HOME, bounds.first);
        let mut epoch = 0;
        while let Some(record) = reader.next_before(bounds.next).await.unwrap() {
            let decision = proto::decode_decision(&record.payload).unwrap();
            if let Origin::Claim { .. } = decision.origin {
                epoch = record.position.0;
            }
        }
        (epoch, bounds.next)
    }

    /// In the arbiter's name.
    async fn command(&self, command: Command) {
        let (epoch, end) = self.standing().await;
        let record = DecisionRecord {
            at: command.decided_at,
            origin: Origin::Arbiter { epoch, answers: Position(end.0 - 1) },
            decisions: vec![Decision::Command(Box::new(command))],
            ..DecisionRecord::default()
        };
        let append = NewRecord::new(record.at, proto::encode_decision(&record));
        self.0.decisions.append(Partition::HOME, append).await.unwrap();
    }

    /// In the name of a person who orders a rollback.
    async fn order(&self, release: &str, service: &str) {
        let kind =
            VerbKind::Rollback { release: ReleaseId::from_text(release), to_version: None, force: false };
        let actor = Actor { name: "ghost".into(), via: "api".into(), address: String::new() };
        let verb = Verb { kind, actor, comment: String::new() };
        let event = EventEnvelope {
            id: EventId::from_text("evt_ghost"),
            at: telemetry::clock::now(),
            source: "api".to_owned(),
            is_copy: false,
            body: EnvelopeBody::Other(EventBody::Verb(Box::new(verb))),
        };
        let append = NewRecord::new(event.at, proto::encode_event(&event));
        self.0.events.append(partition_of(service), append).await.unwrap();
    }
}

/// A rollback of a release that is well, by a program of the stranger's choice or by the target that there is.
fn rollback(release: &str, attempt: u32, to: &str, target: TargetRef) -> Command {
    let now: Timestamp = telemetry::clock::now();
    let id = ReleaseId::from_text(release);
    Command {
        id: CommandId::of(&id, "rollback", attempt),
        attempt,
        verb: CommandVerb::Rollback,
        release: ReleaseRef {
            id,
            key: ServiceKey::new("healthy", "production"),
            cluster: None,
            version: "2.4.1".into(),
        },
        to_version: Some(to.into()),
        to_digest: None,
        mode: CommandMode::Immediate,
        state: CommandState::Ready,
        state_reason: String::new(),
        targets: vec![target],
        reasons: Vec::new(),
        decided_at: now,
        deadline: now + Duration::from_secs(60),
        evidence_at: now,
        fencing: 1_000_000 + u64::from(attempt),
        approvals_needed: 1,
        approved_by: Vec::new(),
    }
}

fn program(name: &str) -> TargetRef {
    TargetRef { kind: TargetKind::Exec, name: format!("exec {name}"), timeout: Duration::from_secs(10) }
}

fn webhook(target: &Sink) -> TargetRef {
    let name = model::target::webhook_name(&target.url);
    TargetRef { kind: TargetKind::Webhook, name, timeout: Duration::from_secs(10) }
}

async fn until_counted(system: &System, counted: &str) {
    until(counted, async || metrics(system).await.lines().any(|line| line == counted).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_a_stranger_wrote_runs_no_program_of_theirs_and_leads_to_no_version_of_theirs() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("stranger", &target, &notified).await else { return };
    let parts = Parts::start(log).await;
    let release = parts.front.release("healthy", "2.4.1", Some("2.4.0")).await;
    let stranger = Stranger::of(&parts.log).await;
    until("the release is known", async || {
        let known = parts.back.http.get(format!("{}/-/ready", parts.back.url)).send().await.ok()?;
        known.status().is_success().then_some(())
    })
    .await;
    stranger.command(rollback(&release, 1, "0.0-evil", webhook(&target))).await;
    until_counted(&parts.back, r#"ripcord_refused_commands_total{reason="unknown_version"} 1"#).await;
    stranger.command(rollback(&release, 2, "2.4.0", program("/bin/sh"))).await;
    until_counted(&parts.back, r#"ripcord_actuator_unresolved_targets_total{kind="exec"} 1"#).await;
    assert!(target.commands_for("healthy").is_empty());
}

/// A key file that the processes of a story share.
pub(crate) fn key_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"b2xkIGtleSBvZiB0aGUgY2x1c3RlciwgMzIgYnl0ZXM=\n").unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_of_what_somebody_without_the_key_writes() {
    let (target, notified, key) = (Sink::start().await, Sink::start().await, key_file());
    let Some(log) = Log::create("keyed", &target, &notified).await else { return };
    let with_key = format!("kind: kafka, key_file: {:?}", key.path());
    let parts = Parts::start(log.with("kind: kafka", &with_key)).await;
    let release = parts.front.release("healthy", "2.4.1", Some("2.4.0")).await;
    let stranger = Stranger::of(&parts.log).await;

    stranger.command(rollback(&release, 1, "2.4.0", webhook(&target))).await;
    stranger.order(&release, "healthy").await;

    let of_decisions = r#"ripcord_poison_records_total{reason="unauthenticated",topic="decisions"} 1"#;
    let of_events = r#"ripcord_poison_records_total{reason="unauthenticated",topic="events"} 1"#;
    until_counted(&parts.back, of_decisions).await;
    let judge = &parts.analyzers[parts.judge_of("healthy")];
    until_counted(judge, of_events).await;
    let letters = stranger.0.dead_letters.clone();
    until("both are kept as dead letters", async || {
        let bounds = letters.bounds(Partition::HOME).await.ok()?;
        (bounds.next.0 - bounds.first.0 == 2).then_some(())
    })
    .await;
    parts.roll_back("checkout", &target).await;
    assert!(target.commands_for("healthy").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_does_not_start_on_the_topics_of_another() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("whose", &target, &notified).await else { return };
    let of = |name: &str| {
        let config = log.config_of("maker").replace("LISTEN", "127.0.0.1:0");
        config.replace("kind: kafka", &format!("kind: kafka, installation: {name}"))
    };
    let (nameless, payments, search) =
        (log.config_of("maker").replace("LISTEN", "127.0.0.1:0"), of("payments"), of("search"));
    let run = async |config: &String, arguments: &'static [&'static str]| {
        let config = config.clone();
        tokio::task::spawn_blocking(move || ripcord(&config, &[], arguments)).await.unwrap()
    };
    let made = run(&payments, &["topics", "create"]).await;
    assert!(made.status.success(), "{}", said(&made));
    for (config, arguments) in [
        (&search, &["topics", "check"][..]),
        (&nameless, &["topics", "check"]),
        (&search, &["serve", "--config", "ripcord.yml"]),
    ] {
        let refused = run(config, arguments).await;
        assert_eq!(refused.status.code(), Some(78), "{arguments:?}: {}", said(&refused));
        assert!(said(&refused).contains("those of the installation `payments`"), "{}", said(&refused));
    }
    let checked = run(&payments, &["topics", "check"]).await;
    assert!(checked.status.success(), "{}", said(&checked));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_log_from_another_cluster_is_refused_unless_its_offsets_are_the_same() {
    if !has_kcat() {
        return;
    }
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("copied", &target, &notified).await else { return };
    let record = DecisionRecord { at: telemetry::clock::now(), origin: Origin::Teller, ..Default::default() };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&proto::encode_decision(&record)).unwrap();
    let copied = std::process::Command::new("kcat")
        .args(["-P", "-b", &log.bootstrap, "-t", &log.topic("decisions"), "-p", "0"])
        .args(["-H", "ripcord-cluster=the-old-one"])
        .arg(file.path())
        .status();
    assert!(copied.unwrap().success());
    let config = log.config_of("maker").replace("LISTEN", "127.0.0.1:0");
    let linked = config.replace("kind: kafka", "kind: kafka, linked_from: [the-old-one]");
    let run = async |config: String, arguments: &'static [&'static str]| {
        tokio::task::spawn_blocking(move || ripcord(&config, &[], arguments)).await.unwrap()
    };
    for arguments in [&["topics", "check"][..], &["serve", "--config", "ripcord.yml"]] {
        let refused = run(config.clone(), arguments).await;
        assert_eq!(refused.status.code(), Some(78), "{arguments:?}: {}", said(&refused));
        assert!(said(&refused).contains("a copy from the Kafka cluster the-old-one"), "{}", said(&refused));
    }
    let checked = run(linked, &["topics", "check"]).await;
    assert!(checked.status.success(), "{}", said(&checked));
}
