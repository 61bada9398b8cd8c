//! The real counterparts: Debian's Prometheus and Alertmanager, a real SMTP server, an OpenTelemetry SDK. Where
//! one is missing the test says so loudly and is skipped; `make test` installs them all.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::system::{free_address, until};

/// A peer process; killed when dropped.
pub(crate) struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether a program is there; says loudly when it is not. With `CI` set a missing peer fails the test.
pub(crate) fn has(program: &str) -> bool {
    let found =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing, and CI must not skip its tests");
        eprintln!("SKIPPED: {program} is not installed (make test installs it)");
    }
    found
}

/// The Python that has the peers from PyPI: the one `make test` sets up, else the system's.
pub(crate) fn python_with(module: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let found = [own, PathBuf::from("python3")].into_iter().find(|python| {
        let import = format!("import {module}");
        Command::new(python)
            .args(["-c", &import])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "python module {module} is missing, and CI must not skip its tests"
        );
        eprintln!("SKIPPED: python module {module} is not installed (make test installs it)");
    }
    found
}

fn start(command: &mut Command, log: &Path) -> Peer {
    let log = std::fs::File::create(log).unwrap();
    Peer(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

/// Prometheus with `config`; its address.
pub(crate) async fn prometheus(folder: &Path, config: &str) -> (Peer, String) {
    let address = free_address();
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let peer = start(
        Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}")),
        &folder.join("prometheus.log"),
    );
    until_answers(&format!("http://{address}/-/ready")).await;
    (peer, address)
}

/// Alertmanager with `config`; its address.
pub(crate) async fn alertmanager(folder: &Path, config: &str) -> (Peer, String) {
    let address = free_address();
    std::fs::write(folder.join("alertmanager.yml"), config).unwrap();
    let peer = start(
        Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address="),
        &folder.join("alertmanager.log"),
    );
    until_answers(&format!("http://{address}/-/ready")).await;
    (peer, address)
}

/// A real SMTP server (aiosmtpd) that writes each mail to a maildir; its address and the maildir.
pub(crate) async fn smtp(folder: &Path, python: &Path) -> (Peer, String, PathBuf) {
    let (address, maildir) = (free_address(), folder.join("maildir"));
    let peer = start(
        Command::new(python)
            .args(["-m", "aiosmtpd", "-n", "-l", &address, "-c", "aiosmtpd.handlers.Mailbox"])
            .arg(&maildir),
        &folder.join("smtp.log"),
    );
    until("the SMTP server listens", async || tokio::net::TcpStream::connect(&address).await.ok()).await;
    (peer, address, maildir)
}

/// Mails that arrived so far, in order.
pub(crate) fn mails(maildir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(maildir.join("new")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort_by_key(|path| number_in_maildir(path));
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// A maildir's names hold the how-manieth mail of the server it is: `1795428000.M12P34Q5.host`.
fn number_in_maildir(path: &Path) -> Option<u64> {
    let (_, rest) = path.file_name()?.to_str()?.split_once('Q')?;
    rest.split('.').next()?.parse().ok()
}

async fn until_answers(url: &str) {
    let http = crate::system::client();
    until(url, async || http.get(url).send().await.ok()?.status().is_success().then_some(())).await;
}
