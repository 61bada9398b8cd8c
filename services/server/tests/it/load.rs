//! Senders that behave as real ones do: what is not acknowledged is sent again until it is.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    system::{System, client},
    wire::{Write, now_ms},
};

/// Pause between two requests of one sender.
const PACE: Duration = Duration::from_millis(15);

/// What the senders know to be acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acked {
    /// Requests of the service `steady` counted since its first scrape.
    pub(crate) steady: AtomicU64,
    /// Request lines of the service `logs` that were answered 2xx, and those whose answer never came.
    pub(crate) lines: AtomicU64,
    pub(crate) unknown_lines: AtomicU64,
    /// Releases that were answered 2xx.
    pub(crate) releases: Mutex<Vec<String>>,
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
    /// Remote write of a healthy service and of `checkout` 2.4.1 with this share of errors, request lines, and
    /// releases, each over a connection of its own.
    pub(crate) fn start(system: &System, error_share: f64) -> Self {
        let (acked, stop) = (Arc::<Acked>::default(), Arc::<AtomicBool>::default());
        let sender = || Sender {
            url: system.url.clone(),
            http: client(),
            acked: Arc::clone(&acked),
            stop: Arc::clone(&stop),
        };
        let senders = vec![
            tokio::spawn(sender().write("steady", "1", 0.0)),
            tokio::spawn(sender().write("checkout", "2.4.1", error_share)),
            tokio::spawn(sender().lines()),
            tokio::spawn(sender().releases()),
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
        const LINES: u64 = 50;
        let line =
            r#"{"service":"logs","environment":"production","version":"1","status":200,"duration_ms":12}"#;
        let body = format!("{line}\n").repeat(LINES as usize);
        while self.goes_on() {
            match self.post("/api/v1/requests", "application/x-ndjson", body.clone().into_bytes()).await {
                Some(true) => drop(self.acked.lines.fetch_add(LINES, Ordering::Relaxed)),
                Some(false) => {}
                None => drop(self.acked.unknown_lines.fetch_add(LINES, Ordering::Relaxed)),
            }
            tokio::time::sleep(PACE).await;
        }
    }

    async fn releases(self) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let service = format!("released-{number}");
            let body = format!(r#"{{"service":"{service}","environment":"production","version":"7"}}"#);
            if self.post("/api/v1/releases", "application/json", body.into_bytes()).await == Some(true) {
                self.acked.releases.lock().unwrap().push(service);
            }
            tokio::time::sleep(PACE * 4).await;
        }
    }

    /// Whether it was taken; `None`: nobody knows.
    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Option<bool> {
        let mut request =
            self.http.post(format!("{}{path}", self.url)).header("content-type", kind).body(body);
        if kind == "application/x-protobuf" {
            request = request.header("content-encoding", "snappy");
        }
        let status = request.send().await.ok()?.status();
        if !status.is_success() && status != 503 {
            self.acked.odd.lock().unwrap().push(format!("{path}: {status}"));
        }
        Some(status.is_success())
    }
}
