//! What an operator reads in the log: the story of each release.

use crate::{
    shop::{CONFIG, SECRET, scrape_thrice},
    sink::Sink,
    system::{System, until},
};

#[tokio::test]
async fn the_log_tells_the_story_of_each_release_and_calls_a_rollback_that_failed_an_error() {
    let sink = Sink::start().await;
    let failing = "  - match: { service: cart }\n    target: { exec: { argv: [/bin/false] } }\n";
    let config = CONFIG.replace("TARGET", &sink.url) + failing;
    let system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    let checkout = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&checkout, "rolling_back").await;
    let cart = system.release("cart", "1.9.1", Some("1.9.0")).await;
    scrape_thrice(&system, "cart", "1.9.1", 900.0, 100.0).await;
    system.until_state(&cart, "rollback_failed").await;

    for (level, message, of) in [
        ("INFO", "a policy is in force", "start"),
        ("INFO", "a release moved", &checkout),
        ("WARN", "a limit is broken", &checkout),
        ("INFO", "a rollback is decided", &checkout),
        ("INFO", "a version is marked bad", "2.4.1"),
        ("INFO", "a target took a command", &checkout),
        ("ERROR", "a target could not carry a command out", &cart),
        ("ERROR", "a release could not be rolled back: somebody must act", &cart),
    ] {
        let parts = [level, message, of];
        until(&format!("{parts:?} in the log"), async || {
            let log = system.log();
            log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
        })
        .await;
    }
}
