//! Analyzers come and go while many services break their limits at once.

use crate::{
    apart::{Log, Parts, REQUESTS_A_SCRAPE, Shop, Traffic, assert_each_once, until_accepted},
    sink::Sink,
    system::until,
};

/// Services that go wrong in one go, and how many goes there are.
const AT_ONCE: usize = 5;
const GOES: usize = 10;
const HEALTHY: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_breaches_among_analyzers_that_come_and_go_are_rolled_back_once_each_and_nobody_else() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("storm", &target, &notified).await else { return };
    // A busy machine may take its time: that evidence grows old is another story.
    let log = log.with("settle: 1s", "settle: 1s, max_decision_age: 5m");
    let log = log.with("\nbus:", "\nstorm: { max_rollbacks: 1000, settle: 0s }\nbus:");
    let mut parts = Parts::start(log).await;
    let bad: Vec<Shop> = (0..AT_ONCE * GOES)
        .map(|n| Shop {
            good_requests: (n / AT_ONCE) as f64 * REQUESTS_A_SCRAPE,
            ..Shop::bad(&format!("bad-{n}"))
        })
        .collect();
    let healthy: Vec<Shop> = (0..HEALTHY).map(|n| Shop::healthy(&format!("healthy-{n}"))).collect();
    let all = [&bad[..], &healthy[..]].concat();
    let mut releases = Vec::new();
    for shop in &all {
        releases.push(parts.front.release(&shop.service, "2.4.1", Some("2.4.0")).await);
    }
    let traffic = Traffic::start(&parts.front, &all);
    let rolled_back = async |count: usize| {
        until("more rollbacks", async || (target.received().len() >= count).then_some(())).await;
    };

    rolled_back(1).await;
    parts.analyzers.push(parts.log.launch("three", "analyze"));
    parts.analyzers[0].kill();
    rolled_back(2 * AT_ONCE).await;
    parts.analyzers[0].launch_again();
    assert_eq!(parts.analyzers[1].terminate(), Some(0));
    parts.analyzers[1].launch_again();
    rolled_back(4 * AT_ONCE).await;
    parts.analyzers[2].kill();
    parts.analyzers[2].launch_again();
    rolled_back(6 * AT_ONCE).await;
    parts.analyzers[0].kill();
    parts.analyzers[1].kill();
    parts.analyzers[0].launch_again();
    rolled_back(8 * AT_ONCE).await;
    assert_eq!(parts.analyzers[0].terminate(), Some(0));
    parts.analyzers[1].launch_again();
    for release in &releases[..bad.len()] {
        until_accepted(&parts.front, release).await;
    }

    drop(traffic);
    parts.roll_back("witness", &target).await;
    let mut expected: Vec<String> = bad.iter().map(|shop| shop.service.clone()).collect();
    expected.push("witness".to_owned());
    assert_each_once(&target, &expected);
    for release in &releases[bad.len()..] {
        assert_eq!(parts.front.state(release).await, "watching");
    }
}
