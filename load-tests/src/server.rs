//! A `ripcord serve` process of our own, in a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;

/// How long a start may take: one that replays the whole log is measured, not refused.
const START_MAX: Duration = Duration::from_secs(600);

/// Where the server keeps its log.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Log {
    /// Keep the log on these brokers (HOST:PORT, separated by commas) instead of the disk.
    #[arg(long)]
    kafka: Option<String>,
    /// Partitions of the events topic on Kafka.
    #[arg(long, default_value_t = 6)]
    partitions: u32,
    /// Make the server's folder here; a folder on a RAM disk (/dev/shm) shows what durability costs.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// The process; ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    folder: tempfile::TempDir,
    is_on_kafka: bool,
}

impl Server {
    /// Starts the binary beside this one with `config` (`LISTEN` is replaced) and waits until it is ready.
    pub(crate) async fn start(config: &str, files: &[(&str, &str)], log: &Log) -> anyhow::Result<Self> {
        let folder = match &log.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        std::fs::write(
            folder.path().join("ripcord.yml"),
            config.replace("LISTEN", &address) + &log.section(),
        )?;
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        if log.kafka.is_some() {
            let made = Command::new(binary()?)
                .args(["topics", "create"])
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .status()?;
            anyhow::ensure!(made.success(), "the topics cannot be made");
        }
        let child = spawn(folder.path())?;
        let is_on_kafka = log.kafka.is_some();
        let server = Self { child, url: format!("http://{address}"), folder, is_on_kafka };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// `kill -9`, and the same folder again; how long it took to be ready.
    pub(crate) async fn kill_and_restart(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let began = Instant::now();
        self.child = spawn(self.folder.path())?;
        self.wait_until_ready().await?;
        Ok(began.elapsed())
    }

    /// Where its log and its snapshots are.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let (http, began) = (reqwest::Client::new(), Instant::now());
        while began.elapsed() < START_MAX {
            if let Ok(answer) = http.get(format!("{}/-/ready", self.url)).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("ripcord is not ready after {} s", START_MAX.as_secs())
    }

    /// Waits until everything that was acked has been judged.
    pub(crate) async fn wait_until_judged(&self, http: &reqwest::Client) -> anyhow::Result<()> {
        if self.is_on_kafka {
            // How much waits is asked of the brokers once a second: what stands there now is of before.
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        for _ in 0..12_000 {
            let metrics = self.metrics(http).await?;
            let mut lags = metrics.lines().filter(|line| line.starts_with("ripcord_judge_lag_records{"));
            if lags.all(|line| line.ends_with(" 0")) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the judges are behind after two minutes")
    }

    /// The sum of a metric over its labels.
    pub(crate) async fn sum_of(&self, http: &reqwest::Client, name: &str) -> anyhow::Result<f64> {
        let metrics = self.metrics(http).await?;
        let is_of_metric =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = metrics.lines().filter(is_of_metric).filter_map(|line| line.rsplit(' ').next());
        Ok(values.filter_map(|value| value.parse::<f64>().ok()).sum())
    }

    async fn metrics(&self, http: &reqwest::Client) -> anyhow::Result<String> {
        Ok(http.get(format!("{}/metrics", self.url)).send().await?.text().await?)
    }

    /// CPU time of the process so far, user and system (`/proc/PID/stat`, fields 14 and 15).
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        // Linux counts 100 ticks a second on every platform that Ripcord is built for.
        Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u64 = statm.split_whitespace().nth(1).unwrap_or("0").parse()?;
        Ok(pages * 4096)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log {
    /// The section `bus` of the configuration.
    fn section(&self) -> String {
        let Some(brokers) = &self.kafka else { return String::new() };
        let brokers: Vec<String> = brokers.split(',').map(|broker| format!("\"{broker}\"")).collect();
        let (brokers, partitions) = (brokers.join(", "), self.partitions);
        let prefix = format!("load-{}-{}", std::process::id(), crate::now_ms().unwrap_or_default());
        format!(
            "\nbus: {{ kind: kafka, brokers: [{brokers}], topic_prefix: {prefix}, partitions: {partitions} }}\n"
        )
    }
}

fn spawn(folder: &Path) -> anyhow::Result<Child> {
    Command::new(binary()?)
        .args(["serve", "--log", "warn", "--config", "ripcord.yml"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .context("ripcord does not start")
}

fn binary() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("ripcord");
    anyhow::ensure!(path.exists(), "{} is missing: cargo build --release -p ripcord", path.display());
    Ok(path)
}
