//! What a reload puts into force, and what it says that it cannot.

use crate::{
    shop::{CONFIG, SECRET, scrape_thrice, start},
    sink::Sink,
    system::{System, until},
};

const RESTART: &str = "needs a restart: until then what it was at the start stays in force";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_restart_changes_is_named_and_the_rest_is_in_force() {
    let sink = Sink::start().await;
    let mut system = start(&sink).await;
    let unchanged = (200, "reloaded\n".to_owned());
    assert_eq!(system.reload().await, unchanged);

    system.edit("threshold: 1%", "threshold: 2%");
    system.edit(
        "\nrollback_triggers:",
        "\nbus: { append_timeout: 10s, brokers: [\"127.0.0.1:9\"] }\nrollback_triggers:",
    );
    let (status, said) = system.reload().await;
    assert_eq!(status, 200, "{said}");
    for told in [&format!("`bus.brokers` {RESTART}"), "`append_timeout` says nothing without `kind: kafka`"] {
        assert!(said.contains(told), "{said}");
        until(told, async || system.log().contains(told).then_some(())).await;
    }
    let release = system.release("checkout", "2", Some("1")).await;
    scrape_thrice(&system, "checkout", "2", 900.0, 100.0).await;
    system.until_state(&release, "rolling_back").await;
    let command = until("a command", async || sink.commands_for("checkout").pop()).await;
    assert_eq!(command["reason"]["condition"], "error_rate > 2%");

    // Told again for as long as it is not in force, whoever asks.
    let times = || system.log().matches(&format!("`bus.brokers` {RESTART}")).count();
    let before = times();
    system.signal("HUP");
    until("the signal's reload says it, too", async || (times() > before).then_some(())).await;
    system.edit(
        "bus: { append_timeout: 10s, brokers: [\"127.0.0.1:9\"] }",
        "bus: { brokers: [\"127.0.0.1:9\"] }",
    );
    assert_eq!(system.terminate(), Some(0));
    system.start_again().await;
    assert_eq!(system.reload().await, unchanged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_file_that_breaks_keeps_its_last_good_version_over_reloads_and_restarts() {
    let sink = Sink::start().await;
    let config = CONFIG.replace("TARGET", &sink.url) + "policy_files: [ team.yml ]\n";
    let team = "policies: [ { match: { service: checkout }, rollback_triggers: { error_rate: { threshold: 2% } } } ]\n";
    let mut system =
        System::start_with_files(&config, &[("webhook.secret", SECRET), ("team.yml", team)]).await;
    let file = system.folder.path().join("team.yml");

    std::fs::write(&file, "policies: [ { mode: sometimes } ]\n").unwrap();
    let (status, said) = system.reload().await;
    assert_eq!(status, 200, "{said}");
    for part in ["team.yml:1:", "`sometimes`", "its last good version stays in force"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(system.metrics().await.contains("ripcord_config_last_reload_successful 0"));
    std::fs::remove_file(&file).unwrap();
    let (status, said) = system.reload().await;
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("team.yml cannot be read"), "{said}");

    std::fs::write(&file, "policies: [ { mode: sometimes } ]\n").unwrap();
    assert_eq!(system.terminate(), Some(0));
    system.start_again().await;
    let release = system.release("checkout", "2", Some("1")).await;
    scrape_thrice(&system, "checkout", "2", 900.0, 100.0).await;
    system.until_state(&release, "rolling_back").await;
    let command = until("a command", async || sink.commands_for("checkout").pop()).await;
    assert_eq!(command["reason"]["condition"], "error_rate > 2%");

    std::fs::write(&file, team).unwrap();
    assert_eq!(system.reload().await, (200, "reloaded\n".to_owned()));
    assert!(system.metrics().await.contains("ripcord_config_last_reload_successful 1"));
}
