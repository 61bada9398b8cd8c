//! Two processes that carry out: what one has begun is not begun by the other.

use std::time::Duration;

use crate::{
    apart::{Log, PARTITIONS, Parts, assert_each_once, metrics, partition_of, until_accepted},
    shop::scrape_thrice,
    sink::Sink,
    system::{System, until},
};

/// Longer than partitions need to go from one process to another, shorter than the group waits for the first.
const MOMENT: Duration = Duration::from_millis(1500);

/// A service of each partition.
fn one_a_partition() -> Vec<String> {
    let of = |partition| {
        let mut names = (0..).map(|n| format!("service-{n}"));
        names.find(|name| partition_of(name).0 == partition).unwrap()
    };
    (0..PARTITIONS).map(of).collect()
}

/// Releases that go wrong at once, one a partition; their ids.
async fn go_wrong(front: &System, services: &[String]) -> Vec<String> {
    let mut releases = Vec::new();
    for service in services {
        releases.push(front.release(service, "2.4.1", Some("2.4.0")).await);
    }
    for service in services {
        scrape_thrice(front, service, "2.4.1", 900.0, 100.0).await;
    }
    releases
}

/// Times that partitions came to a process or went.
async fn rebalances(system: &System) -> u64 {
    let metrics = metrics(system).await;
    let values = metrics.lines().filter_map(|line| line.strip_prefix("ripcord_kafka_rebalances"));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).max().unwrap_or_default()
}

async fn start(story: &str, target: &Sink) -> Option<Parts> {
    let log = Log::create(story, target, &Sink::start().await).await?;
    // All of them may act at once.
    Some(Parts::start(log.with("\nbus:", "\nstorm: { max_rollbacks: 1000 }\nbus:")).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollbacks_under_way_are_finished_where_they_began_when_another_process_comes_to_share_the_work() {
    let target = Sink::start_silent().await;
    let Some(parts) = start("acting", &target).await else { return };
    let services = one_a_partition();
    let releases = go_wrong(&parts.front, &services).await;
    until("all are under way", async || (target.received().len() == services.len()).then_some(())).await;
    // It acts and it tells.
    until("it has both shares", async || (rebalances(&parts.back).await >= 2).then_some(())).await;
    let before = rebalances(&parts.back).await;
    let _other = parts.log.launch("other", "act");
    until("a share is asked for", async || (rebalances(&parts.back).await > before).then_some(())).await;
    // For a moment nobody else begins, though the other one waits for its share.
    let asked_again = async {
        until("the target is asked again", async || (target.received().len() > services.len()).then_some(()))
            .await;
    };
    assert!(tokio::time::timeout(MOMENT, asked_again).await.is_err(), "what is under way is begun again");
    target.answer();
    for release in &releases {
        until_accepted(&parts.front, release).await;
    }
    parts.roll_back("witness", &target).await;
    assert_each_once(&target, &[&services[..], &["witness".to_owned()]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_paused_before_it_could_act_does_not_do_again_what_others_have_done() {
    let target = Sink::start().await;
    let Some(parts) = start("late", &target).await else { return };
    let before = rebalances(&parts.back).await;
    let other = parts.log.start("other", "act").await;
    until("the work is shared", async || (rebalances(&parts.back).await > before).then_some(())).await;
    until("the work is shared", async || (rebalances(&other).await > 0).then_some(())).await;
    parts.back.signal("STOP");
    let services = one_a_partition();
    for release in go_wrong(&parts.front, &services).await {
        until_accepted(&parts.front, &release).await;
    }
    parts.back.signal("CONT");
    // It acts and tells: both shares go, and come again.
    until("it has its share again", async || (rebalances(&parts.back).await >= before + 4).then_some(()))
        .await;
    parts.roll_back("witness", &target).await;
    assert_each_once(&target, &[&services[..], &["witness".to_owned()]].concat());
}
