//! Records that nobody can read.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::{
    apart::{Log, Parts, metrics, partition_of},
    sink::Sink,
    system::until,
};

/// Without kcat nobody can look from outside.
pub(crate) fn has_kcat() -> bool {
    let found = Command::new("kcat").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "kcat is missing, and CI must not skip its tests");
        eprintln!("SKIPPED: kcat is not installed (make test installs it)");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_nobody_can_read_is_kept_as_a_dead_letter_and_stops_nobody() {
    if !has_kcat() {
        return;
    }
    let (target, notified) = (Sink::start().await, Sink::start().await);
    let Some(log) = Log::create("poison", &target, &notified).await else { return };
    let parts = Parts::start(log).await;
    let (events, dead) = (parts.log.topic("events"), parts.log.topic("dead-letters"));
    let partition = partition_of("checkout").to_string();
    let garbage = "\u{1}not a record\u{7f}";
    let brokers = parts.log.bootstrap.clone();
    for (topic, partition) in [(&events, &*partition), (&parts.log.topic("decisions"), "0")] {
        let mut kcat = Command::new("kcat")
            .args(["-P", "-b", &brokers, "-t", topic, "-p", partition, "-k", "who knows"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        kcat.stdin.take().unwrap().write_all(garbage.as_bytes()).unwrap();
        assert!(kcat.wait().unwrap().success());
    }

    parts.roll_back("checkout", &target).await;
    let read = || {
        let format = "%k|%s|%h\n";
        let read = Command::new("kcat")
            .args(["-C", "-b", &brokers, "-t", &dead, "-o", "beginning", "-e", "-q", "-f", format])
            .output()
            .unwrap();
        String::from_utf8(read.stdout).unwrap()
    };
    let letters =
        until("the dead letter is written", async || Some(read()).filter(|it| !it.is_empty())).await;
    assert_eq!(letters.lines().count(), 1, "{letters}");
    let letter = letters.lines().next().unwrap();
    assert!(letter.starts_with(&format!("who knows|{garbage}|")), "{letter:?}");
    for header in [
        "ripcord-original-topic=events".to_owned(),
        format!("ripcord-original-partition={partition}"),
        "ripcord-original-position=".to_owned(),
        "ripcord-error=envelope".to_owned(),
        "ripcord-error-detail=".to_owned(),
        format!("ripcord-version={}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(letter.contains(&header), "{header} is not in {letter:?}");
    }
    let judge = &parts.analyzers[parts.judge_of("checkout")];
    for (system, counted) in [
        (judge, r#"ripcord_poison_records_total{reason="envelope",topic="events"} 1"#),
        (&parts.front, r#"ripcord_poison_records_total{reason="decision",topic="decisions"} 1"#),
        (&parts.back, r#"ripcord_poison_records_total{reason="decision",topic="decisions"} 1"#),
    ] {
        let metrics = metrics(system).await;
        assert!(metrics.lines().any(|line| line == counted), "nobody says {counted}");
    }
}
