//! Processes that die, pause or leave while something is decided: the others go on, and everything is done once.

use telemetry::clock::Stopwatch;

use crate::{
    apart::{Log, Parts, Shop, Traffic, assert_each_once, is_deciding, partition_of, scrape, until_accepted},
    outage::until_said,
    shop::scrape_thrice,
    sink::Sink,
    system::until,
    wire::now_ms,
};

async fn start(story: &str, change: impl FnOnce(Log) -> Log) -> Option<(Parts, Sink)> {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let log = Log::create(story, &target, &notified).await?;
    Some((Parts::start(change(log)).await, target))
}

fn names(services: &[&str]) -> Vec<String> {
    services.iter().map(|&service| service.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_analyzer_killed_while_a_breach_has_to_last_is_followed_by_the_other_which_acts_once() {
    let last_six_seconds = |log: Log| log.with("window: 5m, action", "window: 5m, duration: 6s, action");
    let Some((mut parts, target)) = start("killed", last_six_seconds).await else { return };
    let release = parts.front.release("checkout", "2.4.1", Some("2.4.0")).await;
    let traffic = Traffic::start(&parts.front, &[Shop::bad("checkout")]);
    until("errors are counted", async || {
        let values = parts.front.get("/api/v1/services/checkout/metrics?environment=production").await;
        values["versions"][0]["errors"].as_u64().filter(|errors| *errors >= 20)
    })
    .await;
    let judge = parts.judge_of("checkout");
    parts.analyzers[judge].kill();
    assert!(target.received().is_empty(), "the breach has not lasted long enough yet");
    until_accepted(&parts.front, &release).await;
    assert_eq!(parts.judge_of("checkout"), 1 - judge);
    drop(traffic);

    let witness = parts.front.release("catalog", "2.4.1", Some("2.4.0")).await;
    let _traffic = Traffic::start(&parts.front, &[Shop::bad("catalog")]);
    until_accepted(&parts.front, &witness).await;
    assert_each_once(&target, &names(&["catalog", "checkout"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_deciding_process_is_killed_among_ten_breaches_each_is_rolled_back_once_and_no_other() {
    let all_may_act = |log: Log| log.with("\nbus:", "\nstorm: { max_rollbacks: 1000 }\nbus:");
    let Some((mut parts, target)) = start("decider", all_may_act).await else { return };
    let bad: Vec<Shop> = (0..10).map(|n| Shop::bad(&format!("bad-{n}"))).collect();
    let healthy: Vec<Shop> = (0..3).map(|n| Shop::healthy(&format!("healthy-{n}"))).collect();
    let all = [&bad[..], &healthy[..]].concat();
    let mut releases = Vec::new();
    for shop in &all {
        releases.push(parts.front.release(&shop.service, "2.4.1", Some("2.4.0")).await);
    }
    for (requests, before) in [(0.0, 2000), (3.0, 1000)] {
        let write = scrape(&all, requests, now_ms() - before);
        assert_eq!(write.send(&parts.front).await.0, 204);
    }
    let decider = parts.decider().await.unwrap();
    let mut killed_at = None;
    for (n, shop) in bad.iter().enumerate() {
        let write = scrape(std::slice::from_ref(shop), 1000.0, now_ms());
        assert_eq!(write.send(&parts.front).await.0, 204);
        if n == bad.len() / 2 {
            parts.analyzers[decider].kill();
            killed_at = Some(Stopwatch::start());
        }
    }
    assert_eq!(scrape(&healthy, 1000.0, now_ms()).send(&parts.front).await.0, 204);
    let other = 1 - decider;
    until("the other one decides", async || is_deciding(&parts.analyzers[other]).await.then_some(())).await;
    eprintln!("FIGURE the other arbiter decides after {:?}", killed_at.unwrap().elapsed());
    for release in &releases[..bad.len()] {
        until_accepted(&parts.front, release).await;
    }
    eprintln!("FIGURE all are rolled back after {:?}", killed_at.unwrap().elapsed());

    parts.roll_back("witness", &target).await;
    let mut expected: Vec<String> = bad.iter().map(|shop| shop.service.clone()).collect();
    expected.push("witness".to_owned());
    assert_each_once(&target, &expected);
    for release in &releases[bad.len()..] {
        assert_eq!(parts.front.state(release).await, "watching");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_paused_past_its_session_comes_back_late_and_changes_nothing() {
    let Some((parts, target)) = start("paused", |log| log).await else { return };

    // First who judges the service …
    let release = parts.front.release("checkout", "2.4.1", Some("2.4.0")).await;
    let judge = &parts.analyzers[parts.judge_of("checkout")];
    judge.signal("STOP");
    scrape_thrice(&parts.front, "checkout", "2.4.1", 900.0, 100.0).await;
    let command = until_accepted(&parts.front, &release).await;
    let taken_over = |log: &str| log.matches("partition taken over").count();
    let before = taken_over(&judge.log());
    judge.signal("CONT");
    // It takes partitions over only after its judges of before have written what they had to write.
    until("it takes its share again", async || (taken_over(&judge.log()) > before).then_some(())).await;
    assert_eq!(until_accepted(&parts.front, &release).await, command);

    // … then whose arbiter decides, with a service that the other one judges.
    until("one arbiter decides", async || parts.decider().await).await;
    let decider = parts.decider().await.unwrap();
    let services = (0..100).map(|n| format!("search-{n}"));
    let of_the_other = |service: &String| parts.judge_of(service) != decider;
    let service = services.into_iter().find(of_the_other).unwrap();
    let release = parts.front.release(&service, "2.4.1", Some("2.4.0")).await;
    let decider = &parts.analyzers[decider];
    decider.signal("STOP");
    scrape_thrice(&parts.front, &service, "2.4.1", 900.0, 100.0).await;
    let command = until_accepted(&parts.front, &release).await;
    decider.signal("CONT");
    until("it knows that it does not decide any more", async || {
        decider.log().contains("another process's arbiter decides from here on").then_some(())
    })
    .await;
    assert_eq!(until_accepted(&parts.front, &release).await, command);

    parts.roll_back("witness", &target).await;
    assert_each_once(&target, &names(&["checkout", &service, "witness"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_to_stop_hands_over_at_once_and_not_at_the_end_of_its_session() {
    // Longer than the story's patience.
    let patient = |log: Log| log.with("session_timeout: 3s", "session_timeout: 5m");
    let Some((mut parts, target)) = start("stopped", patient).await else { return };
    parts.roll_back("before", &target).await;
    let judge = parts.judge_of("checkout");
    let asked = Stopwatch::start();
    assert_eq!(parts.analyzers[judge].terminate(), Some(0));
    eprintln!("FIGURE an analyzer stops within {:?}", asked.elapsed());
    let log = parts.analyzers[judge].log();
    assert!(!log.contains("takes too long") && !log.contains("not everything stopped in time"), "{log}");
    let other = &parts.analyzers[1 - judge];
    until("the other one decides", async || is_deciding(other).await.then_some(())).await;
    until("the other one judges", async || (parts.judge_of("checkout") != judge).then_some(())).await;
    eprintln!("FIGURE everything is handed over within {:?}", asked.elapsed());
    parts.roll_back("checkout", &target).await;

    let asked = Stopwatch::start();
    assert_eq!(parts.back.terminate(), Some(0));
    eprintln!("FIGURE act and notify stop within {:?}", asked.elapsed());
    let release = parts.front.release("catalog", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&parts.front, "catalog", "2.4.1", 900.0, 100.0).await;
    until("it is decided", async || {
        let detail = parts.front.get(&format!("/api/v1/releases/{release}")).await;
        (detail["commands"][0]["state"] == "ready").then_some(())
    })
    .await;
    let _again = parts.log.start("other-back", "act,notify").await;
    until_accepted(&parts.front, &release).await;
    assert_each_once(&target, &names(&["before", "checkout", "catalog"]));
    assert_ne!(partition_of("before"), partition_of("checkout"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_started_under_anothers_name_takes_its_place_until_it_ends_and_the_first_one_says_so() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("twice", &target, &notified).await else { return };
    let front = log.start("front", "ingest,console").await;
    let first = ["analyze", "act", "notify"].map(|roles| log.launch("same", roles));
    for system in &first {
        system.until_ready().await;
    }
    // Ready as well is who has not been heard by its group yet.
    until("a place to take", async || first[0].log().contains("partition taken over").then_some(())).await;
    let second = ["analyze", "act", "notify"].map(|roles| log.launch("same", roles));
    for system in &first {
        let said = until_said(system, "another one runs as `same`").await;
        assert!(said.contains("give each process an `instance` of its own"), "{said}");
    }
    for system in &second {
        system.until_ready().await;
    }
    let release = front.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&front, "checkout", "2.4.1", 900.0, 100.0).await;
    until_accepted(&front, &release).await;

    // Once the name is free the first one is let in again, without anybody starting it anew.
    drop(second);
    for system in &first {
        system.until_ready().await;
    }
    let release = front.release("catalog", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&front, "catalog", "2.4.1", 900.0, 100.0).await;
    until_accepted(&front, &release).await;
    assert_each_once(&target, &names(&["checkout", "catalog"]));
}
