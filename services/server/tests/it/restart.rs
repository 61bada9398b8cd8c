//! What is acked survives `kill -9`, and what was decided is not decided again.

use crate::{
    shop::{scrape_thrice, start},
    sink::Sink,
    system::until,
    wire::{Write, now_ms},
};

#[tokio::test]
async fn releases_decisions_and_bad_versions_survive_kill_9_and_nothing_is_sent_twice() {
    let sink = Sink::start().await;
    let mut system = start(&sink).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rolling_back").await;
    let accepted = async |system: &crate::system::System| {
        let detail = system.get(&format!("/api/v1/releases/{release}")).await;
        (detail["commands"][0]["state"] == "accepted").then(|| detail["commands"][0]["id"].clone())
    };
    let command = until("the command is accepted", async || accepted(&system).await).await;
    let sent = sink.received().len();

    system.kill_and_restart().await;
    assert_eq!(accepted(&system).await, Some(command));
    let bad = system.get("/api/v1/versions/bad").await;
    assert_eq!(bad["items"][0]["version"], "2.4.1", "{bad}");

    // The shop still fails: the release is known to be on its way back, so nobody is asked twice.
    scrape_thrice(&system, "checkout", "2.4.1", 9000.0, 1000.0).await;
    let other = system.release("catalog", "2", Some("1")).await;
    scrape_thrice(&system, "catalog", "2", 900.0, 100.0).await;
    system.until_state(&other, "rolling_back").await;
    assert_eq!(sink.commands_for("checkout").len(), 1);
    assert_eq!(sink.received().len(), sent + 1);
}

#[tokio::test]
async fn windows_are_the_same_after_kill_9_as_in_a_run_that_was_never_killed() {
    let sink = Sink::start().await;
    let mut system = start(&sink).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 996.0, 4.0).await;
    let path = "/api/v1/services/checkout/metrics?window=5m";
    let counts = async |system: &crate::system::System| {
        let version = system.get(path).await["versions"][0].clone();
        Some((version["requests"].as_u64()?, version["errors"].as_u64()?))
    };
    let before = until("the window is full", async || counts(&system).await.filter(|it| it.0 == 1000)).await;
    system.kill_and_restart().await;
    let after =
        until("the window is full again", async || counts(&system).await.filter(|it| it.0 == 1000)).await;
    assert_eq!(before, after);

    // The counters go on where they were: the next scrape counts its increase, not its value.
    let write = Write::default().requests("checkout", "2.4.1", 10.0 + 996.0 + 50.0, 4.0, now_ms());
    assert_eq!(write.send(&system).await.0, 204);
    until("the increase", async || counts(&system).await.filter(|it| *it == (1050, 4))).await;
    assert_eq!(system.state(&release).await, "watching");
}

#[tokio::test]
async fn sigterm_ends_with_exit_0_and_a_second_process_on_the_same_data_is_refused() {
    let sink = Sink::start().await;
    let mut system = start(&sink).await;
    let second = std::process::Command::new(crate::system::binary())
        .args(["serve", "--config", "ripcord.yml"])
        .current_dir(system.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success(), "{said}");
    assert!(said.contains("another"), "{said}");
    assert_eq!(system.terminate(), Some(0));
}
