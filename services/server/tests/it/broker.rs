//! A real Kafka broker, one for all tests of this binary.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The cluster of this test run; stopped when the process ends, by the script's own watchdog or the next `stop`.
struct Broker {
    bootstrap: String,
}

static BROKER: OnceLock<Option<Broker>> = OnceLock::new();

/// `HOST:PORT` of the broker: the one in `RIPCORD_TEST_KAFKA`, else one that is started here. `None`, loudly, where
/// Java or Maven is missing; on CI that is a failure.
pub(crate) fn bootstrap() -> Option<String> {
    if let Ok(bootstrap) = std::env::var("RIPCORD_TEST_KAFKA") {
        return Some(bootstrap);
    }
    BROKER.get_or_init(start).as_ref().map(|broker| broker.bootstrap.clone())
}

fn start() -> Option<Broker> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../load-tests/kafka/kafka");
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kafka-{}", std::process::id()));
    let started = Command::new(&script).arg("start").arg("--dir").arg(&dir).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&started.stdout), String::from_utf8_lossy(&started.stderr));
    if started.status.code() == Some(3) {
        assert!(std::env::var_os("CI").is_none(), "Kafka is required here: {errors}");
        eprintln!("SKIPPED: the tests against Kafka need Java 17 and Maven: {errors}");
        return None;
    }
    assert!(started.status.success(), "{errors}");
    let bootstrap = text.lines().find_map(|line| line.strip_prefix("bootstrap=")).unwrap().to_owned();
    stop_when_this_process_ends(&script, &dir);
    Some(Broker { bootstrap })
}

/// Statics are never dropped: a shell waits for this process to end, stops the broker and removes its folder.
fn stop_when_this_process_ends(script: &Path, dir: &Path) {
    let wait = "while kill -0 \"$1\" 2>/dev/null; do sleep 1; done; \"$2\" stop \"$3\"; rm -rf \"$3\"";
    let detached = "wait=$1; shift; setsid sh -c \"$wait\" sh \"$@\" </dev/null >/dev/null 2>&1 &";
    let pid = std::process::id().to_string();
    let begun = Command::new("sh").args(["-c", detached, "sh", wait, &pid]).args([script, dir]).status();
    assert!(begun.unwrap().success());
}
