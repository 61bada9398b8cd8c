//! A broker for the tests: the one that `RIPCORD_TEST_KAFKA` names, else one of our own, ended with this process.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
};

/// A cluster of one node that this process started.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) bootstrap: String,
    dir: PathBuf,
}

/// The one that all tests share; `None`: skipped, and it was said why.
pub(crate) async fn shared() -> Option<String> {
    static SHARED: OnceLock<Option<String>> = OnceLock::new();
    let shared = || {
        let given = std::env::var("RIPCORD_TEST_KAFKA").ok().filter(|given| !given.is_empty());
        given.or_else(|| start("shared").map(|broker| broker.bootstrap.clone()))
    };
    tokio::task::spawn_blocking(move || SHARED.get_or_init(shared).clone()).await.unwrap()
}

/// One that the test may kill.
pub(crate) async fn own(name: &'static str) -> Option<Arc<Broker>> {
    tokio::task::spawn_blocking(move || start(name).map(Arc::new)).await.unwrap()
}

impl Broker {
    pub(crate) async fn kill(&self) {
        self.run("kill").await;
    }

    pub(crate) async fn restart(&self) {
        self.run("restart").await;
    }

    async fn run(&self, verb: &'static str) {
        let dir = self.dir.clone();
        let status = move || Command::new(script()).arg(verb).arg(dir).status().unwrap();
        assert!(tokio::task::spawn_blocking(status).await.unwrap().success(), "kafka {verb}");
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../load-tests/kafka/kafka")
}

fn start(name: &str) -> Option<Broker> {
    let dir = std::env::temp_dir().join(format!("ripcord-bus-{}-{name}", std::process::id()));
    let out =
        Command::new(script()).arg("start").arg("--dir").arg(&dir).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let bootstrap = said.lines().find_map(|line| line.strip_prefix("bootstrap="));
    let Some(bootstrap) = bootstrap.filter(|_| out.status.success()) else {
        let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        assert!(std::env::var_os("CI").is_none(), "no Kafka for the tests: {why}");
        assert_eq!(out.status.code(), Some(3), "no Kafka for the tests: {why}");
        eprintln!("SKIPPED: the stories on Kafka were not run: {why}");
        return None;
    };
    end_with_this_process(&dir);
    Some(Broker { bootstrap: bootstrap.to_owned(), dir })
}

/// A test binary has no last test: a shell waits for its end.
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
