//! A `ripcord serve` process of our own, in a folder of its own.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;

/// The process; ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts the binary beside this one with `config` (`LISTEN` is replaced) and waits until it is ready.
    pub(crate) async fn start(config: &str, files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let path = folder.path().join("ripcord.yml");
        std::fs::write(&path, config.replace("LISTEN", &address))?;
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        let child = Command::new(binary()?)
            .args(["serve", "--log", "warn", "--config"])
            .arg(&path)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("ripcord does not start")?;
        let server = Self { child, url: format!("http://{address}"), _folder: folder };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let http = reqwest::Client::new();
        for _ in 0..200 {
            if let Ok(answer) = http.get(format!("{}/-/ready", self.url)).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("ripcord is not ready after ten seconds")
    }

    /// Waits until everything that was acked has been judged.
    pub(crate) async fn wait_until_judged(&self, http: &reqwest::Client) -> anyhow::Result<()> {
        for _ in 0..3000 {
            let metrics = http.get(format!("{}/metrics", self.url)).send().await?.text().await?;
            if metrics.lines().any(|line| line == "ripcord_judge_lag_records{partition=\"0\"} 0") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the judge is behind after thirty seconds")
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

fn binary() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("ripcord");
    anyhow::ensure!(path.exists(), "{} is missing: cargo build --release -p ripcord", path.display());
    Ok(path)
}
