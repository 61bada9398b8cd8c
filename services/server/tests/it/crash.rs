//! `kill -9` at random moments under load. `ROUNDS=300` repeats it that often, `SEED=…` repeats a failure.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;

use crate::{
    load::Load,
    random::{self, Random},
    shop::{self, ROUTES, SECRET, requests, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

/// Kills of one round.
const KILLS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_is_kept_and_what_was_decided_is_done_once_wherever_the_process_is_killed() {
    let seed = random::seed();
    for round in 0..random::number("ROUNDS").unwrap_or(1) {
        eprintln!("SEED={}", seed + round);
        kill_under_load(Random::of(seed + round)).await;
    }
}

async fn kill_under_load(mut random: Random) {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let config = format!("{}{ROUTES}", shop::CONFIG.replace("TARGET", &target.url));
    let config = config.replace("NOTIFY", &notified.url);
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let bad = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    let load = Load::start(&system, 0.1);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.below(1200))).await;
        system.kill_and_restart().await;
    }
    until("the rollback is accepted", async || {
        (command_state(&system, &bad).await == "accepted").then_some(())
    })
    .await;
    system.kill_and_restart().await;
    let acked = load.finish().await;
    assert_eq!(*acked.odd.lock().unwrap(), Vec::<String>::new());

    // Windows are what they would be had nobody killed it: counters exactly, lines between acked and sent.
    let steady = acked.steady.load(Ordering::Relaxed);
    until("every acked sample counts once", async || {
        (requests(&system, "steady").await == Some(steady)).then_some(())
    })
    .await;
    let (lines, unknown) = (acked.lines.load(Ordering::Relaxed), acked.unknown_lines.load(Ordering::Relaxed));
    let counted = requests(&system, "logs").await.unwrap();
    assert!(
        (lines..=lines + unknown).contains(&counted),
        "{lines} acked, {unknown} unknown, {counted} counted"
    );

    let all = system.get("/api/v1/releases?limit=1000").await;
    let known: BTreeSet<&str> =
        all["items"].as_array().unwrap().iter().filter_map(|it| it["service"].as_str()).collect();
    let releases = acked.releases.lock().unwrap().clone();
    assert!(!releases.is_empty());
    let lost: Vec<&String> = releases.iter().filter(|service| !known.contains(service.as_str())).collect();
    assert!(lost.is_empty(), "acked and lost: {lost:?}");

    // One command under one id, however often it was sent; nobody else was rolled back; the notice arrived.
    let ids: BTreeSet<String> = target.received().iter().map(|it| it.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let detail = system.get(&format!("/api/v1/releases/{bad}")).await;
    assert_eq!(detail["commands"].as_array().unwrap().len(), 1, "{detail}");
    assert_eq!(detail["commands"][0]["id"].to_string(), *ids.first().unwrap());
    let told = || notified.received().iter().any(|it| String::from_utf8_lossy(&it.raw).contains("checkout"));
    until("the notice is delivered", async || told().then_some(())).await;
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
