//! Other people's topics: deployments and requests come in by them, rollbacks go out by them. The log itself is on
//! disk here; which it is makes no difference to topics that are not its own.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    faults::Disk,
    shop::requests,
    system::{System, binary, until},
    topics::{self, Message},
};

const CONFIG: &str = r#"
server: { listen: "LISTEN" }
bus:
  kind: embedded
  brokers: [ "BROKER" ]
  topic_prefix: NAME
  session_timeout: 3s
  inputs:
    - { topic: NAME-deployments, format: cloudevents }
    - { topic: NAME-requests, format: requests }
defaults: { settle: 1s }
rollback_triggers:
  error_rate: { threshold: 1%, window: 5m, action: immediate_rollback }
policies:
  - match: { environment: production }
    target: { kafka: { topic: NAME-commands } }
"#;

const RELEASE: [(&str, &str); 5] = [
    ("ce_specversion", "1.0"),
    ("ce_id", "1"),
    ("ce_source", "ci"),
    ("ce_type", "ripcord.release.v1"),
    ("content-type", "application/json"),
];

/// A running Ripcord between topics of its own.
struct Story {
    bootstrap: String,
    name: String,
    system: System,
}

impl Story {
    /// `None`: there is no broker.
    async fn start(name: &str) -> Option<Self> {
        Self::start_with(name, |config| config.to_owned()).await
    }

    async fn start_with(name: &str, change: impl FnOnce(&str) -> String) -> Option<Self> {
        let bootstrap = topics::bootstrap().await?;
        let name = format!("{name}-{}", std::process::id());
        for (kind, partitions) in [("deployments", 1), ("requests", 3), ("commands", 2)] {
            topics::create(&bootstrap, &format!("{name}-{kind}"), partitions);
        }
        let config = change(CONFIG).replace("BROKER", &bootstrap).replace("NAME", &name);
        let system = System::start(&config).await;
        Some(Self { bootstrap, name, system })
    }

    fn produce(&self, kind: &str, headers: &[(&str, &str)], lines: &str) {
        topics::produce(&self.bootstrap, &format!("{}-{kind}", self.name), headers, lines);
    }

    /// Announces a release, in binary mode.
    fn announce(&self, service: &str, version: &str, previous: &str) {
        let release = json!({"service": service, "environment": "production", "version": version,
            "previous_version": previous});
        self.produce("deployments", &RELEASE, &format!("{release}\n"));
    }

    /// So many requests, a message each.
    fn serve(&self, service: &str, version: &str, ok: usize, errors: usize) {
        let line = |status: u16| {
            let request = json!({"service": service, "environment": "production", "version": version,
                "status": status, "duration_ms": 12.5});
            format!("{request}\n")
        };
        self.produce("requests", &[], &(line(200).repeat(ok) + &line(503).repeat(errors)));
    }

    async fn until_release(&self, service: &str) -> Value {
        until(&format!("a release of {service}"), async || self.release_of(service).await).await
    }

    async fn release_of(&self, service: &str) -> Option<Value> {
        let releases = self.system.get(&format!("/api/v1/releases?service={service}")).await;
        releases["items"].get(0).cloned()
    }

    fn commands(&self) -> Vec<Message> {
        topics::consume(&self.bootstrap, &format!("{}-commands", self.name))
    }

    /// A metric's value, 0 where it is not there.
    async fn metric(&self, line: &str) -> u64 {
        let text = self.system.http.get(format!("{}/metrics", self.system.url)).send().await.unwrap();
        let text = text.text().await.unwrap();
        let found = text.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_default()
    }

    async fn until_counted(&self, kind: &str, result: &str, count: u64) {
        let topic = format!("{}-{kind}", self.name);
        let line = format!("ripcord_inlet_messages_total{{result=\"{result}\",topic=\"{topic}\"}}");
        until(&format!("{count} of {kind} {result}"), async || {
            (self.metric(&line).await == count).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_event_opens_a_release_in_either_mode() {
    let Some(story) = Story::start("modes").await else { return };
    story.announce("checkout", "2.4.1", "2.4.0");
    let release = story.until_release("checkout").await;
    assert_eq!((&release["version"], &release["previous_version"]), (&json!("2.4.1"), &json!("2.4.0")));

    let data = json!({
        "context": {"version": "0.4.1", "id": "2", "source": "argo", "type": "dev.cdevents.service.deployed.0.1.1",
            "timestamp": "2026-11-23T10:00:00Z"},
        "subject": {"id": "catalog", "source": "argo", "type": "service", "content": {
            "environment": {"id": "production", "source": "argo"},
            "artifactId": "pkg:oci/catalog@sha256%3A0123?tag=1.9.0"}}});
    let event = json!({"specversion": "1.0", "id": "2", "source": "argo",
        "type": "dev.cdevents.service.deployed.0.1.1", "data": data});
    let content_type = [("content-type", "application/cloudevents+json; charset=UTF-8")];
    story.produce("deployments", &content_type, &format!("{event}\n"));
    assert_eq!(story.until_release("catalog").await["state"], "watching");

    // Neither what nobody reads nor a time that cannot be read keeps the release out.
    let sloppy: Vec<_> = RELEASE
        .into_iter()
        .filter(|(name, _)| !["ce_time", "content-type"].contains(name))
        .chain([("ce_time", "noon"), ("ce_tenant", "caf\u{e9}"), ("content-type", "text/plain")])
        .collect();
    let release = json!({"service": "search", "environment": "production", "version": "3.0.0"});
    story.produce("deployments", &sloppy, &format!("{release}\n"));
    assert_eq!(story.until_release("search").await["version"], "3.0.0");

    let other = [("ce_specversion", "1.0"), ("ce_id", "3"), ("ce_source", "x"), ("ce_type", "org.example.x")];
    story.produce("deployments", &other, "nothing for us\n");
    story.until_counted("deployments", "ignored", 1).await;
    story.until_counted("deployments", "taken", 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_a_topic_are_judged_and_the_rollback_goes_out_once_as_a_cloud_event() {
    let Some(mut story) = Story::start("judged").await else { return };
    story.announce("checkout", "2.4.1", "2.4.0");
    let release = story.until_release("checkout").await["id"].as_str().unwrap().to_owned();
    story.serve("checkout", "2.4.1", 450, 50);
    let command = until("a command on the topic", async || story.commands().pop()).await;
    story.system.until_state(&release, "rolling_back").await;

    let body: Value = serde_json::from_str(&command.payload).unwrap();
    assert_eq!(command.key, "checkout/production");
    for (name, value) in [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", body["id"].as_str().unwrap()),
        ("ce_type", "ripcord.rollback.v1"),
        ("ce_source", "/ripcord"),
        ("ce_subject", "checkout"),
        ("ce_time", body["decided_at"].as_str().unwrap()),
    ] {
        assert_eq!(command.header(name), value, "{name} of {command:?}");
    }
    assert_eq!((&body["type"], &body["to_version"]), (&json!("ripcord.rollback.v1"), &json!("2.4.0")));
    assert_eq!(body["release"]["id"], release.as_str());
    assert_eq!(body["reason"]["condition"], "error_rate > 1%");
    let detail = story.system.get(&format!("/api/v1/releases/{release}")).await;
    assert_eq!(detail["commands"][0]["state"], "accepted", "{detail}");

    // More of the same, and a new start: one command a release.
    story.serve("checkout", "2.4.1", 0, 100);
    story.until_counted("requests", "taken", 600).await;
    assert_eq!(requests(&story.system, "checkout").await, Some(600));
    assert_eq!(story.system.terminate(), Some(0));
    story.system.start_again().await;
    story.announce("catalog", "1.9.0", "1.8.0");
    story.until_release("catalog").await;
    assert_eq!(story.commands().len(), 1);
    assert_eq!(requests(&story.system, "checkout").await, Some(600), "a stop in order repeats nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_kept_apart_and_stops_nothing_behind_it() {
    let Some(story) = Story::start("poison").await else { return };
    let other = json!({"service": "logs", "environment": "production", "version": "1", "status": 999});
    story.produce("requests", &[], &format!("no JSON at all\n{other}\n"));
    story.serve("logs", "1", 20, 0);
    story.produce("deployments", &RELEASE, "{\"service\":\"checkout\"}\n");
    story.produce("deployments", &[], "{\"no\":\"event\"}\n");
    story.announce("checkout", "2.4.1", "2.4.0");
    story.until_release("checkout").await;
    until("the lines behind are judged", async || {
        (requests(&story.system, "logs").await == Some(20)).then_some(())
    })
    .await;
    story.until_counted("requests", "poison", 2).await;
    story.until_counted("deployments", "poison", 2).await;
    let kept = dead_letters(story.system.folder.path());
    let topic = format!("{}-requests", story.name);
    for text in [
        "no JSON at all",
        "\"status\":999",
        "{\"no\":\"event\"}",
        "ce_type",
        "ripcord-original-topic",
        "ripcord-original-position",
        "ripcord-error-detail",
        "neither a content type of application/cloudevents+json nor ce_ headers",
        &topic,
    ] {
        assert!(kept.contains(text), "{text} is not in {kept}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_write_is_waited_for_and_then_everything_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("disk");
    let Some(_disk) = Disk::mount(&at, "size=2m") else { return };
    let place = format!("server: {{ listen: \"LISTEN\", data_dir: {}/data }}", at.display());
    let on_disk = |config: &str| config.replace("server: { listen: \"LISTEN\" }", &place);
    let Some(story) = Story::start_with("full", on_disk).await else { return };
    story.serve("logs", "1", 10, 0);
    story.until_counted("requests", "taken", 10).await;
    let filler = at.join("filler");
    assert!(std::fs::write(&filler, vec![0; 4 << 20]).is_err(), "the disk takes more than it holds");
    let mut sent = 10;
    until("a message waits", async || {
        story.serve("logs", "1", 50, 0);
        sent += 50;
        (story.metric("ripcord_inlet_waits_total").await > 0).then_some(())
    })
    .await;
    story.announce("checkout", "2.4.1", "2.4.0");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(story.metric("ripcord_inlet_waits_total").await < 3000, "twice a second each, and not busily");
    std::fs::remove_file(&filler).unwrap();
    story.until_release("checkout").await;
    story.until_counted("requests", "taken", sent).await;
    until("every line counts", async || (requests(&story.system, "logs").await == Some(sent)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_may_be_on_kafka_too() {
    let Some(bootstrap) = topics::bootstrap().await else { return };
    let on_kafka = |config: &str| {
        let config = config.replace("kind: embedded", "kind: kafka\n  partitions: 3");
        let folder = tempfile::tempdir().unwrap();
        let name = format!("log-{}", std::process::id());
        let text =
            config.replace("LISTEN", "127.0.0.1:1").replace("BROKER", &bootstrap).replace("NAME", &name);
        std::fs::write(folder.path().join("ripcord.yml"), text).unwrap();
        let create =
            Command::new(binary()).args(["topics", "create"]).current_dir(folder.path()).output().unwrap();
        assert!(create.status.success(), "{create:?}");
        config
    };
    let Some(story) = Story::start_with("log", on_kafka).await else { return };
    story.announce("checkout", "2.4.1", "2.4.0");
    let release = story.until_release("checkout").await["id"].as_str().unwrap().to_owned();
    story.produce("requests", &[], "poison\n");
    story.serve("checkout", "2.4.1", 450, 50);
    until("a command on the topic", async || story.commands().pop()).await;
    story.system.until_state(&release, "rolling_back").await;
    let letters = topics::consume(&story.bootstrap, &format!("{}.dead-letters.v1", story.name));
    let letter = letters.iter().find(|it| it.payload == "poison").expect("a dead letter");
    assert_eq!(letter.header("ripcord-original-topic"), format!("{}-requests", story.name));
    assert_eq!((letter.key.as_str(), letter.header("ripcord-error")), ("checkout", "requests"));
}

/// What stands in the dead letters, bytes as they are.
fn dead_letters(folder: &Path) -> String {
    let files = std::fs::read_dir(folder.join("data/dead-letters")).unwrap();
    let bytes = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default());
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// Kills of the story below.
const KILLS: usize = 4;

/// Between two rounds of messages.
const PACE: Duration = Duration::from_millis(200);

/// Request lines of a round.
const LINES: u64 = 20;

/// What may count again after a kill: what was on its way at once, and what was done since the last commit, with
/// room for a machine that is busy.
const AGAIN_MAX: u64 = KILLS as u64 * 5 * LINES * 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_wherever_the_process_is_killed() {
    let Some(mut story) = Story::start("killed").await else { return };
    story.announce("first", "1", "0");
    story.until_release("first").await;
    let (is_over, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let sending = {
        let (is_over, rounds) = (is_over.clone(), rounds.clone());
        let (bootstrap, name) = (story.bootstrap.clone(), story.name.clone());
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let round = rounds.load(Ordering::Relaxed);
                let release =
                    json!({"service": format!("svc-{round}"), "environment": "production", "version": "1"});
                topics::produce(
                    &bootstrap,
                    &format!("{name}-deployments"),
                    &RELEASE,
                    &format!("{release}\n"),
                );
                let line =
                    json!({"service": "logs", "environment": "production", "version": "1", "status": 200});
                let lines = format!("{line}\n").repeat(LINES as usize);
                topics::produce(&bootstrap, &format!("{name}-requests"), &[], &lines);
                rounds.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(PACE);
            }
        })
    };
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(700 + 400 * kill as u64)).await;
        story.system.kill_and_restart().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    is_over.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(move || sending.join().unwrap()).await.unwrap();

    let rounds = rounds.load(Ordering::Relaxed);
    story.until_release(&format!("svc-{}", rounds - 1)).await;
    for round in 0..rounds {
        assert!(story.release_of(&format!("svc-{round}")).await.is_some(), "svc-{round} of {rounds} is lost");
    }
    let sent = rounds * LINES;
    let counted = until("every line counts", async || {
        requests(&story.system, "logs").await.filter(|counted| *counted >= sent)
    })
    .await;
    assert!(counted <= sent + AGAIN_MAX, "{sent} sent, {counted} counted");
    let releases = story.system.get("/api/v1/releases?limit=1000").await;
    let of_first: Vec<_> =
        releases["items"].as_array().unwrap().iter().filter(|it| it["service"] == "svc-0").collect();
    assert_eq!(of_first.len(), 1, "a repeat opens nothing: {of_first:?}");
    eprintln!("{sent} lines sent, {counted} counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_place_another_process_took_says_so_and_reads_on_when_that_one_is_gone() {
    let named = |config: &str| config.replace("topic_prefix: NAME", "topic_prefix: NAME\n  instance: same");
    let Some(story) = Story::start_with("place", named).await else { return };
    story.announce("checkout", "2.4.1", "2.4.0");
    story.until_release("checkout").await;
    let config = named(CONFIG).replace("BROKER", &story.bootstrap).replace("NAME", &story.name);
    let second = System::start(&config).await;
    until("the first one says that it is out", async || {
        let answer = story.system.http.get(format!("{}/-/ready", story.system.url)).send().await.ok()?;
        answer.text().await.ok().filter(|said| said.contains("-inputs has shut this process out"))
    })
    .await;
    drop(second);
    story.system.until_ready().await;
    story.announce("catalog", "2", "1");
    story.until_release("catalog").await;
}
