//! One process a role: the story of a bad release, told by all of them together.

use crate::{
    apart::{Log, until_accepted},
    shop::scrape_thrice,
    sink::Sink,
    stranger::key_file,
    system::until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_release_is_rolled_back_once_and_told_once_and_a_console_started_later_tells_the_same() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("roles", &target, &notified).await else { return };
    // Those who wait for others come first.
    let others = [("one", "analyze"), ("two", "analyze"), ("act", "act"), ("notify", "notify")];
    let others = others.map(|(name, roles)| log.launch(name, roles));
    let all_taken =
        || others.iter().map(|it| it.log().matches("partition taken over").count()).sum::<usize>();
    until("all partitions are taken over", async || (all_taken() >= 6).then_some(())).await;
    let ingest = log.launch("ingest", "ingest");
    let console = log.launch("console", "console");
    for system in [&ingest, &console].into_iter().chain(&others) {
        system.until_ready().await;
    }
    let healthy = ingest.release("catalog", "1.9.0", Some("1.8.0")).await;
    let bad = ingest.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&ingest, "catalog", "1.9.0", 1000.0, 0.0).await;
    scrape_thrice(&ingest, "checkout", "2.4.1", 900.0, 100.0).await;
    let command = until_accepted(&console, &bad).await;
    assert_eq!(command["to_version"], "2.4.0");
    let told = || notified.received().iter().filter(|it| it.raw.windows(8).any(|w| w == b"checkout")).count();
    until("people are told", async || (told() > 0).then_some(())).await;
    let rolled_back = serde_json::json!({
        "service": "checkout", "environment": "production", "version": "2.4.1", "status": "rolled_back",
    });
    let (status, answer) = ingest.post("/api/v1/releases", &rolled_back).await;
    assert!(status == 200 || status == 201, "{status} {answer}");
    console.until_state(&bad, "rolled_back").await;

    let requests = target.received();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].body["id"], command["id"]);
    assert_eq!(requests[0].body["to_version"], "2.4.0");
    assert_eq!(requests[0].body["reason"]["requests"], 1000);
    assert_eq!(requests[0].body["reason"]["errors"], 100);
    until("the way back is told, too", async || (told() > 1).then_some(())).await;

    let later = log.start("later", "console").await;
    let path = format!("/api/v1/releases/{bad}");
    until("the second console knows as much", async || {
        (later.get(&path).await["deliveries"] == console.get(&path).await["deliveries"]).then_some(())
    })
    .await;
    let detail = later.get(&path).await;
    assert_eq!(detail, console.get(&path).await);
    assert_eq!(detail["verdict"]["status"], "fail", "{detail}");
    assert_eq!(detail["commands"].as_array().unwrap().len(), 1, "{detail}");
    assert_eq!(later.state(&healthy).await, "watching");
    for list in ["/api/v1/versions/bad", "/api/v1/audit", "/api/v1/deliveries"] {
        assert_eq!(later.get(list).await, console.get(list).await, "{list}");
    }
    for system in [&ingest, &console, &later].into_iter().chain(&others) {
        assert!(!system.log().contains(" ERROR "), "{}", system.log());
    }
    let sent: Vec<_> = notified.received().iter().map(|it| it.raw.clone()).collect();
    let mut distinct = sent.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), sent.len(), "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_process_says_what_of_its_file_waits_for_a_restart_and_what_for_another_process() {
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("reloads", &target, &notified).await else { return };
    // Without a key each reload warns.
    let key = key_file();
    let log = log.with("kind: kafka", &format!("kind: kafka, key_file: {:?}", key.path()));
    let (ingest, act) = (log.start("ingest", "ingest").await, log.start("act", "act").await);
    let _analyze = log.start("analyze", "analyze").await;
    let unchanged = (200, "reloaded\n".to_owned());
    until("the policy has gone round", async || (act.reload().await == unchanged).then_some(())).await;

    let later = "the policy of this file is not the one in force";
    for (system, puts_it_there) in [(&act, false), (&ingest, true)] {
        system.edit("session_timeout: 3s", "session_timeout: 3s, append_timeout: 10s");
        system.edit("threshold: 1%", "threshold: 2%");
        let (status, said) = system.reload().await;
        assert_eq!(status, 200, "{said}");
        assert!(said.contains("`bus.append_timeout` needs a restart"), "{said}");
        assert_eq!(said.contains(later), !puts_it_there, "{said}");
    }
    until("the policy of ingest's file rules", async || {
        let (_, said) = act.reload().await;
        (!said.contains(later)).then_some(())
    })
    .await;
}
