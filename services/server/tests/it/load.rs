//! Senders that behave as real ones do: what is not acknowledged is sent again until it is.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    system::{System, client},
    wire::{Write, now_ms},
};

/// Pause between two requests of one sender.
const PACE: Duration = Duration::from_millis(15);

/// Lines of one body.
pub(crate) const LINES: u64 = 50;

/// Versions of one service of request lines; the limit of a service is 64.
const VERSIONS: usize = 50;

/// What the senders know to be acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acked {
    /// Requests of the service `steady` counted since its first scrape.
    pub(crate) steady: AtomicU64,
    /// Each body of request lines, by the service and version that no other has, and whether it was answered 2xx;
    /// `None`: its answer never came.
    pub(crate) lines: Mutex<Vec<(String, String, Option<bool>)>>,
    /// Releases that were answered 2xx, by service.
    pub(crate) releases: Mutex<Vec<String>>,
    /// Those of them whose requests fail, and were answered 2xx too.
    pub(crate) bad: Mutex<Vec<String>>,
    /// Halts that were answered 2xx, by reason.
    pub(crate) halts: Mutex<Vec<String>>,
    /// Answers that were neither 2xx nor 503.
    pub(crate) odd: Mutex<Vec<String>>,
}

/// Senders under way.
pub(crate) struct Load {
    pub(crate) acked: Arc<Acked>,
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Remote write of a healthy service and of `checkout` 2.4.1 with this share of errors, request lines, releases
    /// that go well and that go badly, and halts, each over a connection of its own.
    pub(crate) fn start(system: &System, error_share: f64) -> Self {
        let (acked, stop) = (Arc::<Acked>::default(), Arc::<AtomicBool>::default());
        let sender = || Sender {
            url: system.url.clone(),
            http: client(),
            acked: Arc::clone(&acked),
            stop: Arc::clone(&stop),
            token: system.folder.path().join("data/cli.token"),
        };
        let senders = vec![
            tokio::spawn(sender().write("steady", "1", 0.0)),
            tokio::spawn(sender().write("checkout", "2.4.1", error_share)),
            tokio::spawn(sender().lines()),
            tokio::spawn(sender().releases()),
            tokio::spawn(sender().bad_releases()),
            tokio::spawn(sender().halts()),
        ];
        Self { acked, stop, senders }
    }

    /// Every sender finishes what it has begun; the server has to be up for that.
    pub(crate) async fn finish(self) -> Arc<Acked> {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.unwrap();
        }
        self.acked
    }
}

struct Sender {
    url: String,
    http: reqwest::Client,
    acked: Arc<Acked>,
    stop: Arc<AtomicBool>,
    token: PathBuf,
}

impl Sender {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Counters that grow; each request is repeated as it is until it is acknowledged.
    async fn write(self, service: &'static str, version: &'static str, error_share: f64) {
        let mut total: u32 = 0;
        while self.goes_on() {
            let errors = (f64::from(total) * error_share).floor();
            let write =
                Write::default().requests(service, version, f64::from(total) - errors, errors, now_ms());
            let body = write.compressed();
            while self.post("/api/v1/write", "application/x-protobuf", body.clone()).await != Some(true) {
                tokio::time::sleep(PACE).await;
            }
            if service == "steady" {
                self.acked.steady.store(u64::from(total), Ordering::Relaxed);
            }
            total += 20;
            tokio::time::sleep(PACE).await;
        }
    }

    /// Request lines have no identity: what was not acknowledged is not repeated, so that it can be told apart.
    async fn lines(self) {
        let mut number = 0;
        while self.goes_on() {
            let (service, version) =
                (format!("logs-{}", number / VERSIONS), format!("v{}", number % VERSIONS));
            number += 1;
            let taken = self.requests(&service, "production", &version, 0).await;
            self.acked.lines.lock().unwrap().push((service, version, taken));
            tokio::time::sleep(PACE).await;
        }
    }

    /// A body of request lines, of which so many failed.
    async fn requests(&self, service: &str, environment: &str, version: &str, errors: u64) -> Option<bool> {
        let line = |status: u16| {
            format!(
                r#"{{"service":"{service}","environment":"{environment}","version":"{version}","status":{status}}}"#
            ) + "\n"
        };
        let body = line(200).repeat((LINES - errors) as usize) + &line(500).repeat(errors as usize);
        self.post("/api/v1/requests", "application/x-ndjson", body.into_bytes()).await
    }

    async fn releases(self) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let service = format!("released-{number}");
            if self.release(&service, "production", None).await == Some(true) {
                self.acked.releases.lock().unwrap().push(service);
            }
            tokio::time::sleep(PACE * 6).await;
        }
    }

    async fn release(&self, service: &str, environment: &str, previous: Option<&str>) -> Option<bool> {
        let mut body = json!({"service": service, "environment": environment, "version": "7"});
        if let Some(previous) = previous {
            body["previous_version"] = previous.into();
        }
        self.post("/api/v1/releases", "application/json", body.to_string().into_bytes()).await
    }

    /// Each of them is to be rolled back, or somebody is to be asked; each in an environment of its own, so that none
    /// is excused by the others.
    async fn bad_releases(self) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let service = format!("bad-{number}");
            let environment = format!("region-{number}");
            while self.release(&service, &environment, Some("6")).await != Some(true) {
                tokio::time::sleep(PACE).await;
            }
            self.acked.releases.lock().unwrap().push(service.clone());
            while self.requests(&service, &environment, "7", LINES / 2).await != Some(true) {
                tokio::time::sleep(PACE).await;
            }
            self.acked.bad.lock().unwrap().push(service);
            tokio::time::sleep(PACE * 20).await;
        }
    }

    async fn halts(self) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let reason = format!("reason {number}");
            let body = json!({"service": format!("halted-{number}"), "for": "2h", "reason": reason});
            if self.post("/api/v1/halt", "application/json", body.to_string().into_bytes()).await
                == Some(true)
            {
                self.acked.halts.lock().unwrap().push(reason);
            }
            tokio::time::sleep(PACE * 20).await;
        }
    }

    /// Whether it was taken; `None`: nobody knows.
    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Option<bool> {
        let mut request =
            self.http.post(format!("{}{path}", self.url)).header("content-type", kind).body(body);
        if kind == "application/x-protobuf" {
            request = request.header("content-encoding", "snappy");
        }
        if path == "/api/v1/halt"
            && let Ok(token) = std::fs::read_to_string(&self.token)
        {
            request = request.bearer_auth(token.trim());
        }
        let status = request.send().await.ok()?.status();
        if !status.is_success() && status != 503 {
            self.acked.odd.lock().unwrap().push(format!("{path}: {status}"));
        }
        Some(status.is_success())
    }
}
