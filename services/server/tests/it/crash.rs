//! `kill -9` at random moments under load. `ROUNDS=300` kills that often, `SEED=…` repeats the moments of a failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;

use crate::{
    damage::decisions,
    load::{Acked, LINES, Load},
    random::{self, Random},
    shop::{self, ROUTES, SECRET, requests, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

/// Kills of one data directory; then what it holds is compared with what was acknowledged.
const KILLS: u64 = 20;

/// Kills, where `ROUNDS` says nothing.
const ROUNDS: u64 = 8;

/// No shared cause is seen in releases that go wrong in every round.
const STORM: &str = "storm: { max_rollbacks: 1000, per: 10m, settle: 1s }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_is_kept_and_what_was_decided_is_done_once_wherever_the_process_is_killed() {
    let (mut seed, mut left) = (random::seed(), random::number("ROUNDS").unwrap_or(ROUNDS));
    let mut done = 0;
    while left > 0 {
        let kills = left.min(KILLS);
        eprintln!("SEED={seed} after {done} kills");
        kill_under_load(Random::of(seed), kills).await;
        (seed, left, done) = (seed + 1, left - kills, done + kills);
    }
    eprintln!("{done} kills");
}

/// Kills at a random moment: at work, while it starts, or while it stops.
async fn kill_somewhere(system: &mut System, random: &mut Random) {
    match random.below(4) {
        0 => {
            system.kill();
            system.launch_again();
            tokio::time::sleep(Duration::from_millis(random.below(400))).await;
        }
        1 => {
            tokio::time::sleep(Duration::from_millis(random.below(800))).await;
            system.signal("TERM");
            tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        }
        _ => tokio::time::sleep(Duration::from_millis(random.below(1200))).await,
    }
    system.kill_and_restart().await;
}

async fn kill_under_load(mut random: Random, kills: u64) {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    // A window that no story outlasts.
    let config = shop::CONFIG.replace("TARGET", &target.url).replace("5m", "30m");
    let config = format!("{}{ROUTES}{STORM}", config.replace("{ environment: production }", "{}"));
    let config = config.replace("NOTIFY", &notified.url);
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    let load = Load::start(&system, 0.1);
    for _ in 0..kills {
        kill_somewhere(&mut system, &mut random).await;
    }
    until("the rollback is accepted", async || {
        (command_state(&system, &bad).await == "accepted").then_some(())
    })
    .await;
    system.kill_and_restart().await;
    let acked = load.finish().await;
    assert_eq!(*acked.odd.lock().unwrap(), Vec::<String>::new());
    check_windows(&system, &acked).await;
    check_lists(&system, &acked).await;
    check_commands(&system, &acked, &target).await;
    let ids: BTreeSet<String> =
        target.commands_for("checkout").iter().map(|it| it["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let told = || notified.received().iter().any(|it| String::from_utf8_lossy(&it.raw).contains("checkout"));
    until("the notice is delivered", async || told().then_some(())).await;
    assert!(!system.log().contains("panicked"), "{}", system.log());

    // The log itself: no hole, nothing that cannot be read, one rollback a release.
    system.kill();
    let records = decisions(&system.folder.path().join("data")).await;
    assert!(!records.is_empty());
}

/// Windows are what they would be had nobody killed it: what was acknowledged counts once, what was refused does
/// not, and what nobody knows about counts once or not.
pub(crate) async fn check_windows(system: &System, acked: &Acked) {
    let steady = acked.steady.load(Ordering::Relaxed);
    until("every acked sample counts once", async || {
        (requests(system, "steady").await == Some(steady)).then_some(())
    })
    .await;
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    let bodies = acked.lines.lock().unwrap().clone();
    let services: BTreeSet<&String> = bodies.iter().map(|(service, ..)| service).collect();
    for service in services {
        let values = system.get(&format!("/api/v1/services/{service}/metrics?window=30m")).await;
        for version in values["versions"].as_array().into_iter().flatten() {
            let name = version["version"].as_str().unwrap_or_default().to_owned();
            counted.insert((service.clone(), name), version["requests"].as_u64().unwrap_or(0));
        }
    }
    for (service, version, taken) in bodies {
        let count = counted.get(&(service.clone(), version.clone())).copied().unwrap_or(0);
        let is_right = match taken {
            Some(true) => count == LINES,
            Some(false) => count == 0,
            None => count == LINES || count == 0,
        };
        assert!(is_right, "{service} {version}: acked {taken:?}, counted {count}");
    }
}

/// Releases and halts that were acknowledged are there.
pub(crate) async fn check_lists(system: &System, acked: &Acked) {
    let mut known = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = system.get(&format!("/api/v1/releases?limit=1000{after}")).await;
        let items = page["items"].as_array().unwrap();
        known.extend(items.iter().filter_map(|it| it["service"].as_str().map(str::to_owned)));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let lost = |acked: Vec<String>, known: &BTreeSet<String>| -> Vec<String> {
        assert!(!acked.is_empty());
        acked.into_iter().filter(|it| !known.contains(it)).collect()
    };
    assert_eq!(lost(acked.releases.lock().unwrap().clone(), &known), Vec::<String>::new());
    let halts = system.get("/api/v1/halts").await;
    let halts = halts["items"].as_array().unwrap().iter();
    let halts = halts.filter_map(|it| it["reason"].as_str().map(str::to_owned)).collect();
    assert_eq!(lost(acked.halts.lock().unwrap().clone(), &halts), Vec::<String>::new());
}

/// Each bad release has one command, under whose id alone the target was asked, however often.
async fn check_commands(system: &System, acked: &Acked, target: &Sink) {
    let bad = acked.bad.lock().unwrap().clone();
    assert!(!bad.is_empty());
    for service in bad {
        let release = system.get(&format!("/api/v1/releases?service={service}")).await;
        let release = release["items"][0]["id"].as_str().unwrap().to_owned();
        let command = until(&format!("{service} is dealt with"), async || {
            let detail = system.get(&format!("/api/v1/releases/{release}")).await;
            let commands = detail["commands"].as_array()?;
            assert!(commands.len() <= 1, "{detail}");
            let state = commands.first()?["state"].as_str()?;
            ["accepted", "prepared"].contains(&state).then(|| commands[0].clone())
        })
        .await;
        let asked: Vec<Value> = target.commands_for(&service).iter().map(|it| it["id"].clone()).collect();
        let is_right = match command["state"].as_str() {
            Some("accepted") => asked == [command["id"].clone()],
            _ => asked.is_empty(),
        };
        assert!(is_right, "{service}: the target was asked under {asked:?} and the command is {command}");
    }
}

async fn command_state(system: &System, release: &str) -> String {
    let detail = system.get(&format!("/api/v1/releases/{release}")).await;
    detail["commands"][0]["state"].as_str().unwrap_or("none").to_owned()
}

/// A target that does what it is asked and dies of it: the first request is never answered.
#[derive(Clone, Default)]
struct SilentOnce {
    is_asked: Arc<AtomicBool>,
    ids: Arc<Mutex<Vec<(String, Value)>>>,
}

async fn take(State(target): State<SilentOnce>, headers: HeaderMap, body: String) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    target.ids.lock().unwrap().push((id, body["id"].clone()));
    if !target.is_asked.swap(true, Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_command_that_was_sent_and_has_no_outcome_is_sent_again_under_the_same_id() {
    let target = SilentOnce::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/rollback", listener.local_addr().unwrap());
    let router = Router::new().route("/rollback", post(take)).with_state(target.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let config = shop::CONFIG.replace("TARGET", &url);
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    until("the target is asked", async || target.is_asked.load(Ordering::SeqCst).then_some(())).await;

    system.kill_and_restart().await;
    until("the command is accepted", async || {
        (command_state(&system, &release).await == "accepted").then_some(())
    })
    .await;
    let ids = target.ids.lock().unwrap().clone();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].1, Value::from(ids[0].0.clone()), "the header and the body name one command");

    // With the outcome on the log, nothing is sent any more.
    system.kill_and_restart().await;
    system.until_state(&release, "rolling_back").await;
    assert_eq!(target.ids.lock().unwrap().len(), 2);
}
