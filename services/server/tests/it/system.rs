//! One `ripcord serve` process in a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

/// Longer than anything a test waits for; what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process and its folder; killed when dropped.
pub(crate) struct System {
    child: Child,
    /// As the command line names them; none: all.
    roles: String,
    environment: Vec<(String, String)>,
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
}

impl System {
    /// Starts with `config`, in which `LISTEN` is replaced by a free address.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_with_files(config, &[]).await
    }

    pub(crate) async fn start_with_files(config: &str, files: &[(&str, &str)]) -> Self {
        let system = Self::launch("", config, files);
        system.until_ready().await;
        system
    }

    /// Starts some of the roles, and waits for nothing.
    pub(crate) fn launch(roles: &str, config: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self::begin_roles(folder, roles, config, &[])
    }

    /// Starts in a folder that may hold a data directory, with these variables in its environment, and waits for
    /// nothing.
    pub(crate) fn begin(folder: tempfile::TempDir, config: &str, environment: &[(&str, &str)]) -> Self {
        Self::begin_roles(folder, "", config, environment)
    }

    fn begin_roles(
        folder: tempfile::TempDir,
        roles: &str,
        config: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let address = free_address();
        std::fs::write(folder.path().join("ripcord.yml"), config.replace("LISTEN", &address)).unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let child = spawn(folder.path(), roles, &environment);
        let roles = roles.to_owned();
        Self { child, roles, environment, url: format!("http://{address}"), folder, http: client() }
    }

    /// Until it is ready, or has ended: with which code.
    pub(crate) async fn until_ready_or_ended(&mut self) -> Result<(), Option<i32>> {
        until("ripcord is ready or has ended", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(Err(status.code()));
            }
            let answer = self.http.get(format!("{}/-/ready", self.url)).send().await.ok()?;
            answer.status().is_success().then_some(Ok(()))
        })
        .await
    }

    /// `kill -9`, then the same folder again.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same folder again, after the process has ended.
    pub(crate) async fn start_again(&mut self) {
        self.launch_again();
        self.until_ready().await;
    }

    /// The same folder again, without waiting for anything.
    pub(crate) fn launch_again(&mut self) {
        self.child = spawn(self.folder.path(), &self.roles, &self.environment);
    }

    /// The same folder again, where it has no way to become ready: until it listens.
    pub(crate) async fn start_again_unready(&mut self) {
        self.launch_again();
        until("ripcord listens", async || {
            self.http.get(format!("{}/-/healthy", self.url)).send().await.ok().map(drop)
        })
        .await;
    }

    /// Sends a signal by its short name, without waiting for what it does.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit code once the process has ended; `None` while it runs, or when a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().and_then(|status| status.code())
    }

    /// What the process has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ripcord.log")).unwrap_or_default()
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }

    pub(crate) async fn until_ready(&self) {
        until("ripcord is ready", async || {
            let answer = self.http.get(format!("{}/-/ready", self.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request =
            self.http.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let request = match std::fs::read_to_string(self.folder.path().join("data/cli.token")) {
            Ok(token) => request.bearer_auth(token.trim()),
            Err(_) => request,
        };
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    /// Has the configuration read again; the status and all that is answered.
    pub(crate) async fn reload(&self) -> (u16, String) {
        let token = std::fs::read_to_string(self.folder.path().join("data/cli.token")).unwrap();
        let request = self.http.post(format!("{}/-/reload", self.url)).bearer_auth(token.trim());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What `/metrics` shows.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Replaces a word of the configuration file.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let file = self.folder.path().join("ripcord.yml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(old), "nothing says {old:?}");
        std::fs::write(file, text.replace(old, new)).unwrap();
    }

    /// Announces a release; its id.
    pub(crate) async fn release(&self, service: &str, version: &str, previous: Option<&str>) -> String {
        let mut body =
            serde_json::json!({"service": service, "environment": "production", "version": version});
        if let Some(previous) = previous {
            body["previous_version"] = Value::from(previous);
        }
        let (status, answer) = self.post("/api/v1/releases", &body).await;
        assert!(status == 201 || status == 200, "{status} {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn state(&self, release: &str) -> String {
        self.get(&format!("/api/v1/releases/{release}")).await["state"]
            .as_str()
            .unwrap_or("unknown")
            .to_owned()
    }

    pub(crate) async fn until_state(&self, release: &str, state: &str) {
        until(&format!("{release} is {state}"), async || (self.state(release).await == state).then_some(()))
            .await;
    }

    /// Runs the CLI in the system's folder, against this server.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .current_dir(self.folder.path())
            .env("RIPCORD_URL", &self.url)
            .output()
            .unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("ripcord.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("ripcord.log of {:?} ends with:", self.roles);
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &Path, roles: &str, environment: &[(String, String)]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("ripcord.log")).unwrap();
    let mut command = Command::new(binary());
    command.args(["serve", "--log", "info", "--config", "ripcord.yml"]);
    if !roles.is_empty() {
        command.args(["--roles", roles]);
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(folder).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ripcord"))
}

pub(crate) fn client() -> reqwest::Client {
    // Several tests of one process install the same provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    // Longer than the log may take to refuse a record.
    reqwest::Client::builder().timeout(Duration::from_secs(40)).build().unwrap()
}

pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Polls until `condition` gives something; fails the test with `what` when it never does.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let polled = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}
