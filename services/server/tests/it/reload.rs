//! What a reload puts into force, and what it says that it cannot.

use crate::{
    shop::{scrape_thrice, start},
    sink::Sink,
    system::until,
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
