//! A broker for the tests: the one that `RIPCORD_TEST_KAFKA` names, else one of our own, ended with this process.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// A cluster that this process started.
#[derive(Debug)]
pub(crate) struct Broker {
    dir: PathBuf,
    /// What the script printed: `bootstrap`, `sasl`, `tls`, `ca` …
    said: BTreeMap<String, String>,
}

/// The one that all tests share; `None`: skipped, and it was said why.
pub(crate) async fn shared() -> Option<String> {
    static SHARED: OnceLock<Option<String>> = OnceLock::new();
    let shared = || {
        let given = std::env::var("RIPCORD_TEST_KAFKA").ok().filter(|given| !given.is_empty());
        given.or_else(|| start("shared", &[]).map(|broker| broker.get("bootstrap").to_owned()))
    };
    tokio::task::spawn_blocking(move || SHARED.get_or_init(shared).clone()).await.unwrap()
}

/// One that the test may kill, or that is not open to everybody.
pub(crate) async fn own(name: &'static str, options: &'static [&str]) -> Option<Broker> {
    tokio::task::spawn_blocking(move || start(name, options)).await.unwrap()
}

impl Broker {
    pub(crate) fn get(&self, key: &str) -> &str {
        &self.said[key]
    }

    pub(crate) async fn kill(&self, node: u32) {
        self.run("kill", &[&node.to_string()]).await;
    }

    pub(crate) async fn restart(&self, node: u32) {
        self.run("restart", &[&node.to_string()]).await;
    }

    pub(crate) async fn stop(&self) {
        self.run("stop", &[]).await;
    }

    /// The script's verb for this cluster, with what stands behind its directory.
    pub(crate) async fn run(&self, verb: &'static str, arguments: &[&str]) {
        let mut command = Command::new(script());
        command.arg(verb).arg(&self.dir).args(arguments);
        let status = tokio::task::spawn_blocking(move || command.status().unwrap());
        assert!(status.await.unwrap().success(), "kafka {verb} {arguments:?}");
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../load-tests/kafka/kafka")
}

#[expect(clippy::print_stderr, reason = "a test has no other way to say that it did nothing")]
fn start(name: &str, options: &[&str]) -> Option<Broker> {
    let dir = std::env::temp_dir().join(format!("ripcord-kafka-{}-{name}", std::process::id()));
    let mut command = Command::new(script());
    command.arg("start").arg("--dir").arg(&dir).args(options).stderr(Stdio::piped());
    let out = command.output().unwrap();
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        assert!(std::env::var_os("CI").is_none(), "no Kafka for the tests: {why}");
        assert_eq!(out.status.code(), Some(3), "no Kafka for the tests: {why}");
        eprintln!("SKIPPED: the stories on Kafka were not run: {why}");
        return None;
    }
    end_with_this_process(&dir);
    let said = String::from_utf8(out.stdout).unwrap();
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    Some(Broker { dir, said: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() })
}

/// A test binary has no last test: a shell waits for its end.
#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn end_with_this_process(dir: &Path) {
    let wait =
        r#"while kill -0 "$0" 2>/dev/null; do sleep 0.3; done; "$1" stop "$2" >/dev/null 2>&1; rm -rf "$2""#;
    Command::new("setsid")
        .args(["sh", "-c", wait])
        .arg(std::process::id().to_string())
        .arg(script())
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}
