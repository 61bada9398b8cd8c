//! What was decided outlives the log that it was decided on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    shop::{self, SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

/// A log so small that a few hundred updates of a release push everything out of it.
const RETENTION: &str = "bus: { kind: embedded, retention: { decisions_bytes_max: 1048576 } }\n";

/// Of one update: near the most that a release keeps of details.
const FACTS: usize = 60;
const FACT_CHARS: usize = 400;

/// A hundred times what the log holds; a checkpoint is written meanwhile.
const UPDATES_MAX: usize = 4000;

fn decisions_begin_at_0(system: &System) -> bool {
    let folder = system.folder.path().join("data/decisions");
    let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let numbers = names.filter_map(|name| name.split('.').next()?.parse::<u64>().ok());
    numbers.min() == Some(0)
}

/// A sender's update of one release of another service.
async fn update(system: &System, number: usize) {
    let fact = |of| (format!("fact_{of}"), format!("{number:x<FACT_CHARS$}"));
    let facts: BTreeMap<String, String> = (0..FACTS).map(fact).collect();
    let update = json!({"service": "noisy", "environment": "production", "version": "1", "facts": facts});
    assert!(system.post("/api/v1/releases", &update).await.0 < 300);
}

/// Fills a segment, writes a checkpoint at a stop, and goes on until the log has forgotten its beginning.
async fn push_the_beginning_out(system: &mut System) {
    for number in 0..10 {
        update(system, number).await;
    }
    assert!(decisions_begin_at_0(system));
    assert_eq!(system.terminate(), Some(0));
    system.start_again().await;
    for number in 10..UPDATES_MAX {
        if !decisions_begin_at_0(system) {
            return;
        }
        update(system, number).await;
    }
    panic!("retention takes nothing");
}

async fn audit(system: &System) -> Vec<String> {
    let audit = system.get("/api/v1/audit").await;
    let of = |line: &Value| line["what"].as_str().unwrap_or_default().to_owned();
    audit["items"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_updates_makes_nobody_forget_a_halt_a_bad_version_or_the_audit() {
    let sink = Sink::start().await;
    let config = format!("{}{RETENTION}", shop::CONFIG.replace("TARGET", &sink.url));
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    // 0.9 was rolled back by hand, and checkout is halted.
    let bad = system.release("checkout", "0.9", None).await;
    let back = json!({"service": "checkout", "environment": "production", "version": "0.9", "status": "rolled_back"});
    assert!(system.post("/api/v1/releases", &back).await.0 < 300);
    system.until_state(&bad, "rolled_back").await;
    let halt = system.cli(&["halt", "--service", "checkout", "--for", "10h", "--reason", "stock-taking"]);
    assert!(halt.status.success(), "{}", String::from_utf8_lossy(&halt.stderr));
    let before = audit(&system).await;

    push_the_beginning_out(&mut system).await;
    system.kill_and_restart().await;

    let halts = system.get("/api/v1/halts").await;
    assert_eq!(halts["items"][0]["reason"], "stock-taking", "{halts}");
    assert_eq!(system.get("/api/v1/versions/bad").await["items"][0]["version"], "0.9");
    assert_eq!(audit(&system).await, before);
    assert_eq!(system.state(&bad).await, "rolled_back");

    // The halted service breaks its limit: nothing is sent, and the bad version is no target.
    let broken = system.release("checkout", "1.0", Some("0.9")).await;
    scrape_thrice(&system, "checkout", "1.0", 900.0, 100.0).await;
    system.until_state(&broken, "rollback_prepared").await;
    let command = system.get(&format!("/api/v1/releases/{broken}")).await["commands"][0].clone();
    assert_eq!(command["to_version"], Value::Null, "{command}");
    assert_eq!(sink.received().len(), 0);
    let log = system.log();
    assert!(!log.contains("no checkpoint stands for") && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_checkpoint_is_damaged_what_is_lost_is_said_and_the_server_starts() {
    let sink = Sink::start().await;
    let config = format!("{}{RETENTION}", shop::CONFIG.replace("TARGET", &sink.url));
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    push_the_beginning_out(&mut system).await;
    system.kill();
    for file in ["0", "0.previous"] {
        std::fs::write(system.folder.path().join("data/checkpoints").join(file), "nonsense").unwrap();
    }
    system.start_again().await;
    until("the loss is logged", async || system.log().contains("no checkpoint stands for").then_some(()))
        .await;
}
