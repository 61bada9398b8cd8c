//! `ripcord backup`: a copy made of a live server is one that a server can be started on.

use serde_json::json;

use crate::{
    crash::check_lists,
    load::Load,
    shop::{self, SECRET, requests, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_the_copy_knows_what_the_live_one_knew_and_does_nothing_again() {
    let (sink, sink_of_copy) = (Sink::start().await, Sink::start().await);
    let config = |sink: &Sink| shop::CONFIG.replace("TARGET", &sink.url);
    let files = [("webhook.secret", SECRET)];
    let mut system = System::start_with_files(&config(&sink), &files).await;
    let bad = system.release("payments", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "payments", "2.4.1", 900.0, 100.0).await;
    system.until_state(&bad, "rolling_back").await;
    let back = json!({"service": "payments", "environment": "production", "version": "2.4.1", "status": "rolled_back"});
    assert!(system.post("/api/v1/releases", &back).await.0 < 300);
    system.until_state(&bad, "rolled_back").await;
    std::fs::write(system.folder.path().join("data/HALT"), "").unwrap();
    let is_halted = async |system: &System| {
        let halts = system.get("/api/v1/halts").await;
        let of_file = |it: &&serde_json::Value| it["id"] == "hlt_file";
        halts["items"].as_array()?.iter().find(of_file).map(drop)
    };
    until("the halt is shown", async || is_halted(&system).await).await;

    // Senders go on while the copy is made; what they had acknowledged before is in it.
    let load = Load::start(&system, 0.0);
    until("the load is on", async || (load.acked.releases.lock().unwrap().len() > 10).then_some(())).await;
    let released = load.acked.releases.lock().unwrap().clone();
    let detail = system.get(&format!("/api/v1/releases/{bad}")).await;
    let counted = requests(&system, "payments").await;
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("data").to_str().unwrap().to_owned();
    let backup = |to: &str| system.cli(&["backup", to, "--data-dir", "data"]);
    let done = backup(&to);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("copied to"), "{done:?}");
    for (from, to, sentence) in
        [("data", to.as_str(), "is not empty"), (".", "elsewhere", "is no data directory")]
    {
        let refused = system.cli(&["backup", to, "--data-dir", from]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
    let acked = load.finish().await;
    check_lists(&system, &acked).await;
    assert_eq!(system.terminate(), Some(0));

    std::fs::write(copy.path().join("webhook.secret"), SECRET).unwrap();
    let mut second = System::begin(copy, &config(&sink_of_copy), &[]);
    assert_eq!(second.until_ready_or_ended().await, Ok(()));
    let same = second.get(&format!("/api/v1/releases/{bad}")).await;
    for field in ["state", "version", "previous_version", "verdict", "commands"] {
        assert_eq!(same[field], detail[field], "{field}");
    }
    assert_eq!(requests(&second, "payments").await, counted);
    assert_eq!(second.get("/api/v1/versions/bad").await["items"][0]["version"], "2.4.1");
    for service in released {
        let known = second.get(&format!("/api/v1/releases?service={service}")).await;
        assert_eq!(known["items"].as_array().map(Vec::len), Some(1), "{service} is not in the copy");
    }
    // It takes what comes, and the brake that was on is on.
    let next = second.release("search", "2", Some("1")).await;
    scrape_thrice(&second, "search", "2", 900.0, 100.0).await;
    second.until_state(&next, "rollback_prepared").await;
    assert_eq!(is_halted(&second).await, Some(()));
    assert_eq!(sink_of_copy.received().len(), 0);
}
